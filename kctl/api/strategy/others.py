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
    stored = [version.get("name") or "" for version in versions if version.get("storage")]
    return {
        **obj,
        "status": {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored},
    }


def update_crd(new: Obj, old: Obj) -> Obj:
    """Prepare a changed CustomResourceDefinition: a new storage version joins those that are stored."""
    status = new.get("status") or {}
    stored = list(status.get("storedVersions") or ())
    names = [v.get("name") or "" for v in (new.get("spec") or {}).get("versions") or () if v.get("storage")]
    if not names or names[0] in stored:
        return new
    return {**new, "status": {**status, "storedVersions": [*stored, names[0]]}}


ROUND_TRIP = (
    "autoscaling.alpha.kubernetes.io/conditions",
    "autoscaling.alpha.kubernetes.io/current-metrics",
)
"""Annotations in which autoscaling/v1 carries what only v2 has fields for, of a status that is not kept."""


def create_autoscaler(obj: Obj, now: str) -> Obj:
    """Prepare a new HorizontalPodAutoscaler: nothing of an older status stays."""
    meta = obj["metadata"]
    annotations = meta.get("annotations") or {}
    if not any(name in annotations for name in ROUND_TRIP):
        return obj
    kept = {name: text for name, text in annotations.items() if name not in ROUND_TRIP}
    rest = {name: field for name, field in meta.items() if name != "annotations"}
    return {**obj, "metadata": {**rest, "annotations": kept} if kept else rest}


def create_role(obj: Obj, now: str) -> Obj:
    """Prepare a new Role or ClusterRole: no rules are null in store."""
    return obj if obj.get("rules") else {**obj, "rules": None}


def update_role(new: Obj, old: Obj) -> Obj:
    """Prepare a changed Role or ClusterRole likewise."""
    return create_role(new, "")


def create_claim(obj: Obj, now: str) -> Obj:
    """Prepare a new PersistentVolumeClaim: both names of its data source say the same."""
    spec = obj.get("spec") or {}
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and ref is None:
        return {**obj, "spec": {**spec, "dataSourceRef": source}}
    if ref is not None and source is None and not ref.get("namespace"):
        return {**obj, "spec": {**spec, "dataSource": ref}}
    return obj


def update_claim(new: Obj, old: Obj) -> Obj:
    """Prepare a changed PersistentVolumeClaim likewise."""
    return create_claim(new, "")
