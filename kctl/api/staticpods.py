"""Static pods: pods that a machine brings itself, and the mirror pods by which its kubelet shows them.

In: the manifest of a static pod, the name of its node. Out: what is wrong with it, the mirror pod as the
API server is to have it. As pkg/kubelet/config (file source) and pkg/kubelet/pod's mirror client. Not here: who
makes mirror pods, and when.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from kctl.api.errors import FieldError, forbidden_field, invalid
from kctl.api.objects import Obj, dig

PREFIX = "kubernetes.io/config."
MIRROR, HASH, SEEN, SOURCE = PREFIX + "mirror", PREFIX + "hash", PREFIX + "seen", PREFIX + "source"
FIELD = "staticPods"
"""The field of an Instance's spec with the manifests its machine holds."""
TOLERATION = {"operator": "Exists", "effect": "NoExecute"}
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
CRITICAL = 2_000_000_000
"""Pods of this priority and above are critical (SystemCriticalPriority)."""


def is_mirror(pod: Obj) -> bool:
    """Say whether the pod stands for a static pod, as IsMirrorPod."""
    annotations = pod["metadata"].get("annotations")
    return bool(annotations) and MIRROR in annotations


def is_critical(pod: Obj) -> bool:
    """Say whether a kubelet holds the pod for critical, as IsCriticalPod."""
    return is_mirror(pod) or (pod["spec"].get("priority") or 0) >= CRITICAL


def hash_of(pod: Obj) -> str:
    """Return which static pod a mirror pod stands for."""
    return str((pod["metadata"].get("annotations") or {}).get(MIRROR, ""))


def mirror_of(static: Obj, node: str) -> Obj:
    """Return the mirror pod of a static pod on a node, as applyDefaults and CreateMirrorPod make it."""
    said = json.dumps([node, static], sort_keys=True, separators=(",", ":"))
    digest = blake2b(said.encode(), digest_size=16).hexdigest()
    meta = static["metadata"]
    spec = static["spec"]
    others = [one for one in spec.get("tolerations") or () if one != TOLERATION]
    metadata: Obj = {
        "name": f"{meta['name']}-{node.lower()}",
        "namespace": meta.get("namespace") or "default",
        "annotations": {**(meta.get("annotations") or {}), HASH: digest, SOURCE: "file", MIRROR: digest},
    }
    if meta.get("labels"):
        metadata["labels"] = meta["labels"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**spec, "nodeName": node, "tolerations": [*others, TOLERATION]},
    }


def errors_of(static: Any) -> list[FieldError]:
    """Return what is wrong with the manifest of a static pod: no kubelet would take it."""
    if not isinstance(static, dict) or (static.get("apiVersion"), static.get("kind")) != ("v1", "Pod"):
        return [invalid("", static, "must be a Pod of v1")]
    from kctl.api import defaults, structural, validation
    from kctl.api.registry import builtin

    kind = builtin().storage("pods")
    wrong = [invalid(found.path, None, found.text) for found in structural.decode(kind, static).errors]
    if wrong:
        return wrong
    if not isinstance(static.get("spec"), dict) or not (static.get("metadata") or {}).get("name"):
        missing = "spec" if (static.get("metadata") or {}).get("name") else "metadata.name"
        return [invalid(missing, None, "must be set")]
    on_a_node = defaults.apply(kind, mirror_of(static, "node"))
    wrong = validation.create(kind, on_a_node)
    return wrong or [
        forbidden_field(path, f"static pods may not reference {what}") for path, what in references(static)
    ]


def references(static: Obj) -> Iterator[tuple[str, str]]:
    """Yield what of the API a pod refers to, by path, in words, as HasAPIObjectReference."""
    spec = static["spec"]
    if spec.get("serviceAccountName"):
        yield "spec.serviceAccountName", "serviceaccounts"
    if spec.get("imagePullSecrets"):
        yield "spec.imagePullSecrets", "secrets"
    if spec.get("resourceClaims"):
        yield "spec.resourceClaims", "resourceclaims"
    for field in CONTAINERS:
        for n, container in enumerate(spec.get(field) or ()):
            yield from _of_environment(container, f"spec.{field}[{n}]")
    for n, volume in enumerate(spec.get("volumes") or ()):
        for source, what in VOLUMES.items():
            if volume.get(source) is not None and _refers(source, volume[source]):
                yield f"spec.volumes[{n}].{source}", what
        for m, part in enumerate(dig(volume, "projected", "sources", default=())):
            for source, what in PROJECTED.items():
                if part.get(source) is not None:
                    yield f"spec.volumes[{n}].projected.sources[{m}].{source}", what


PROJECTED = {
    "configMap": "configmaps (via projected volumes)",
    "secret": "secrets (via projected volumes)",
    "serviceAccountToken": "serviceaccounts (via projected volumes)",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}
SECRETS_OF_DRIVERS = ("cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos")
"""Volumes that name a Secret where their storage wants credentials."""


VOLUMES = {
    "configMap": "configmaps (via configmap volumes)",
    "secret": "secrets (via secret volumes)",
    "csi": "csidrivers (via CSI volumes)",
    "glusterfs": "endpoints (via glusterFS volumes)",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims (via ephemeral volumes)",
    "azureFile": "secrets (via azureFile volumes)",
    **dict.fromkeys(SECRETS_OF_DRIVERS, "secrets"),
}


def _refers(source: str, value: Obj) -> bool:
    return source not in SECRETS_OF_DRIVERS or bool(value.get("secretRef"))


def _of_environment(container: Obj, path: str) -> Iterator[tuple[str, str]]:
    for n, source in enumerate(container.get("envFrom") or ()):
        for field, what in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
            if source.get(field) is not None:
                yield f"{path}.envFrom[{n}].{field}", what
    for n, variable in enumerate(container.get("env") or ()):
        for field, what in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
            if dig(variable, "valueFrom", field) is not None:
                yield f"{path}.env[{n}].valueFrom.{field}", what
