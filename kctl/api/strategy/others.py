"""The strategies that need a line or two: Namespaces, persistent volumes, CRDs."""

from __future__ import annotations

from kctl.api.objects import Obj

KUBERNETES = "kubernetes"


def create_namespace(obj: Obj, now: str) -> Obj:
    """Prepare a new Namespace: Kubernetes itself finalises it."""
    spec = obj.get("spec") or {}
    finalizers = spec.get("finalizers") or []
    if KUBERNETES not in finalizers:
        finalizers = [*finalizers, KUBERNETES]
    return {**obj, "spec": {**spec, "finalizers": finalizers}}


def update_namespace(new: Obj, old: Obj) -> Obj:
    """Keep the finalizers, which only the finalize subresource changes."""
    return {**new, "spec": {**(new.get("spec") or {}), **_finalizers(old)}}


def _finalizers(old: Obj) -> Obj:
    """Return the stored finalizers as a part of a spec."""
    listed = (old.get("spec") or {}).get("finalizers")
    return {"finalizers": listed} if listed else {}


def create_volume(obj: Obj, now: str) -> Obj:
    """Prepare a new PersistentVolume: pending since now."""
    if not now:
        return obj
    return {**obj, "status": {**obj["status"], "lastPhaseTransitionTime": now}}


def create_crd(obj: Obj, now: str) -> Obj:
    """Prepare a new CustomResourceDefinition: its storage version is the one stored."""
    versions = (obj.get("spec") or {}).get("versions") or ()
    stored = [version["name"] for version in versions if version.get("storage")]
    return {
        **obj,
        "status": {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored},
    }
