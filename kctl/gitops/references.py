"""What an object refers to: the ConfigMaps, Secrets, claims, classes and others that its fields name.

In: a target as it was written, so nothing is taken for granted about its form. Out: kinds and
names, whether they exist or not. References that Kubernetes itself resolves later (a selector,
an owner) are not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kctl.api.objects import Obj, dig
from kctl.gitops.targets import Target

POD_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}
"""The kinds that bring pods, and where in them the pods' spec stands."""


class Reference(NamedTuple):
    """What an object needs; ``namespace`` is "" for cluster scope."""

    kind: str
    namespace: str
    name: str


def references(target: Target) -> list[Reference]:
    """Return what the object refers to, as far as the field says it must exist."""
    if not is_built_in(target):
        return []
    obj, namespace = target.object, target.key.namespace
    kind = obj["kind"]
    found: list[Reference] = []
    template = POD_TEMPLATES.get(kind)
    if template:
        found += _of_pod(dig(obj, *template, default={}), namespace)
    reader = OTHERS.get(kind)
    if reader:
        found += reader(obj, namespace)
    return [reference for reference in found if reference.name and all(isinstance(part, str) for part in reference)]


def is_built_in(target: Target) -> bool:
    """Say whether the kind is one of Kubernetes' own, and not a custom one of the same name."""
    group = target.kind.group
    return "." not in group or group.endswith(".k8s.io")


def _of_pod(spec: Any, namespace: str) -> Iterator[Reference]:
    if not isinstance(spec, dict):
        return
    yield Reference("ServiceAccount", namespace, dig(spec, "serviceAccountName", default=""))
    yield Reference("PriorityClass", "", dig(spec, "priorityClassName", default=""))
    yield Reference("RuntimeClass", "", dig(spec, "runtimeClassName", default=""))
    for secret in _items(spec, "imagePullSecrets"):
        yield Reference("Secret", namespace, dig(secret, "name", default=""))
    for volume in _items(spec, "volumes"):
        yield from _of_volume_source(volume, namespace)
        for source in _items(dig(volume, "projected", default={}), "sources"):
            yield from _of_volume_source(source, namespace)
    for field in ("initContainers", "containers"):
        for container in _items(spec, field):
            yield from _of_container(container, namespace)


def _of_volume_source(source: Any, namespace: str) -> Iterator[Reference]:
    yield Reference("ConfigMap", namespace, dig(source, "configMap", "name", default=""))
    secret = dig(source, "secret", "secretName", default="") or dig(source, "secret", "name", default="")
    yield Reference("Secret", namespace, secret)
    claim = dig(source, "persistentVolumeClaim", "claimName", default="")
    yield Reference("PersistentVolumeClaim", namespace, claim)


def _of_container(container: Any, namespace: str) -> Iterator[Reference]:
    for source in _items(container, "envFrom"):
        yield Reference("ConfigMap", namespace, dig(source, "configMapRef", "name", default=""))
        yield Reference("Secret", namespace, dig(source, "secretRef", "name", default=""))
    for variable in _items(container, "env"):
        yield Reference("ConfigMap", namespace, dig(variable, "valueFrom", "configMapKeyRef", "name", default=""))
        yield Reference("Secret", namespace, dig(variable, "valueFrom", "secretKeyRef", "name", default=""))


def _items(value: Any, field: str) -> list[Any]:
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _of_binding(obj: Obj, namespace: str) -> Iterator[Reference]:
    kind = dig(obj, "roleRef", "kind", default="")
    yield Reference(kind, namespace if kind == "Role" else "", dig(obj, "roleRef", "name", default=""))
    for subject in _items(obj, "subjects"):
        if dig(subject, "kind") == "ServiceAccount":
            where = dig(subject, "namespace", default=namespace)
            yield Reference("ServiceAccount", where, dig(subject, "name", default=""))


def _of_claim(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield from _of_volume(obj, namespace)
    yield Reference("PersistentVolume", "", dig(obj, "spec", "volumeName", default=""))


def _of_volume(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("StorageClass", "", dig(obj, "spec", "storageClassName", default=""))


def _of_stateful_set(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("Service", namespace, dig(obj, "spec", "serviceName", default=""))


def _of_autoscaler(obj: Obj, namespace: str) -> Iterator[Reference]:
    ref = dig(obj, "spec", "scaleTargetRef", default={})
    yield Reference(dig(ref, "kind", default=""), namespace, dig(ref, "name", default=""))


def _of_ingress(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("IngressClass", "", dig(obj, "spec", "ingressClassName", default=""))
    yield Reference("Service", namespace, dig(obj, "spec", "defaultBackend", "service", "name", default=""))
    for rule in _items(dig(obj, "spec", default={}), "rules"):
        for path in _items(dig(rule, "http", default={}), "paths"):
            yield Reference("Service", namespace, dig(path, "backend", "service", "name", default=""))


OTHERS: dict[str, Callable[[Obj, str], Iterator[Reference]]] = {
    "RoleBinding": _of_binding,
    "ClusterRoleBinding": _of_binding,
    "PersistentVolumeClaim": _of_claim,
    "PersistentVolume": _of_volume,
    "StatefulSet": _of_stateful_set,
    "HorizontalPodAutoscaler": _of_autoscaler,
    "Ingress": _of_ingress,
}
