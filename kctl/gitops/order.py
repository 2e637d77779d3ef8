"""In which order a set is applied: computed from kinds and references, never from file names.

Out come *stages*. What the API server itself needs to exist and to be ready before it takes
something else makes a new stage: a Namespace before what is in it, a CustomResourceDefinition
before its resources. Within a stage everything goes in one batch, sorted by kind (what others
refer to first), then by references, namespace and name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from kctl.api.objects import Obj, dig
from kctl.gitops.inventory import Entry
from kctl.gitops.targets import CRDS, Target, kinds_of

RANKS = (
    "Namespace",
    "CustomResourceDefinition",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "CSIDriver",
    "IngressClass",
    "ResourceQuota",
    "LimitRange",
    "ClusterRole",
    "ClusterRoleBinding",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "",  # every other kind
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
RANK = {kind: rank for rank, kind in enumerate(RANKS)}
POD_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"),
        ("spec", "template", "spec"),
    ),
}


class Reference(NamedTuple):
    """What an object needs: the kind, the name ("" namespace for cluster scope), and the field that says so."""

    kind: str
    namespace: str
    name: str
    path: str


def stages(targets: Iterable[Target]) -> list[list[Target]]:
    """Return the targets in batches; a batch needs the ones before it to be ready."""
    ordered = _by_reference(sorted(targets, key=sort_key))
    depth: dict[int, int] = {}
    gates = _gates(ordered)
    for index, target in enumerate(ordered):
        needed = [gates[gate] for gate in _gates_of(target) if gate in gates and gates[gate] != index]
        depth[index] = 1 + max((depth.get(other, 0) for other in needed), default=-1)
    levels = sorted(set(depth.values()))
    return [[target for index, target in enumerate(ordered) if depth[index] == level] for level in levels]


def sort_key(target: Target) -> tuple[int, str, str, str, str]:
    """Order by kind, then namespace and name."""
    kind = target.object["kind"]
    rank = RANK.get(kind, RANK[""]) if _is_built_in(target) else RANK[""]
    return rank, kind, target.kind.group, target.key.namespace, target.key.name


def prune_key(entry: Entry) -> tuple[int, str, str, str]:
    """Order what is pruned; read backwards, so that what others refer to goes last."""
    return RANK.get(entry.kind, RANK[""]), entry.resource, entry.namespace, entry.name


def _is_built_in(target: Target) -> bool:
    group = target.kind.group
    return "." not in group or group.endswith(".k8s.io")


def _gates(ordered: Sequence[Target]) -> dict[tuple[str, str], int]:
    """Return what must be ready before others can be taken, by what the others ask for."""
    found: dict[tuple[str, str], int] = {}
    for index, target in enumerate(ordered):
        if target.resource == "namespaces":
            found["Namespace", target.key.name] = index
        elif target.resource == CRDS:
            for kind in kinds_of(target.object):
                found["kind", f"{kind.group}/{kind.kind}"] = index
    return found


def _gates_of(target: Target) -> Iterator[tuple[str, str]]:
    if target.key.namespace:
        yield "Namespace", target.key.namespace
    yield "kind", f"{target.kind.group}/{target.kind.kind}"


def _by_reference(ordered: list[Target]) -> list[Target]:
    """Move what others refer to before them, keeping the order otherwise; cycles stay as they are."""
    index = {(target.object["kind"], *target.key): target for target in ordered}
    done: dict[int, None] = {}
    result: list[Target] = []
    for start in ordered:
        stack = [(start, iter(references(start)))]
        if id(start) in done:
            continue
        done[id(start)] = None
        while stack:
            target, needs = stack[-1]
            for need in needs:
                found = index.get((need.kind, need.namespace, need.name))
                if found is not None and id(found) not in done:
                    done[id(found)] = None
                    stack.append((found, iter(references(found))))
                    break
            else:
                result.append(target)
                stack.pop()
    return result


def references(target: Target) -> list[Reference]:
    """Return what the object refers to, as far as the field says it must exist."""
    obj, namespace = target.object, target.key.namespace
    kind = obj["kind"]
    found: list[Reference] = []
    template = POD_TEMPLATES.get(kind)
    if template and _is_built_in(target):
        found += _pod_references(dig(obj, *template, default={}), namespace, ".".join(template))
    reader = OTHERS.get(kind)
    if reader and _is_built_in(target):
        found += reader(obj, namespace)
    return [found_one for found_one in found if found_one.name and all(isinstance(text, str) for text in found_one)]


def _pod_references(spec: Any, namespace: str, path: str) -> Iterator[Reference]:
    if not isinstance(spec, dict):
        return
    yield Reference(
        "ServiceAccount", namespace, dig(spec, "serviceAccountName", default=""), f"{path}.serviceAccountName"
    )
    yield Reference("PriorityClass", "", dig(spec, "priorityClassName", default=""), f"{path}.priorityClassName")
    yield Reference("RuntimeClass", "", dig(spec, "runtimeClassName", default=""), f"{path}.runtimeClassName")
    for n, secret in enumerate(_items(spec, "imagePullSecrets")):
        yield Reference("Secret", namespace, dig(secret, "name", default=""), f"{path}.imagePullSecrets[{n}]")
    for n, volume in enumerate(_items(spec, "volumes")):
        at = f"{path}.volumes[{n}]"
        yield from _volume_references(volume, namespace, at)
        for m, source in enumerate(_items(dig(volume, "projected", default={}), "sources")):
            yield from _volume_references(source, namespace, f"{at}.projected.sources[{m}]")
    for field in ("initContainers", "containers"):
        for n, container in enumerate(_items(spec, field)):
            yield from _environment_references(container, namespace, f"{path}.{field}[{n}]")


def _volume_references(volume: Any, namespace: str, path: str) -> Iterator[Reference]:
    yield Reference("ConfigMap", namespace, dig(volume, "configMap", "name", default=""), f"{path}.configMap")
    secret = dig(volume, "secret", "secretName", default="") or dig(volume, "secret", "name", default="")
    yield Reference("Secret", namespace, secret, f"{path}.secret")
    claim = dig(volume, "persistentVolumeClaim", "claimName", default="")
    yield Reference("PersistentVolumeClaim", namespace, claim, f"{path}.persistentVolumeClaim")


def _environment_references(container: Any, namespace: str, path: str) -> Iterator[Reference]:
    for n, source in enumerate(_items(container, "envFrom")):
        at = f"{path}.envFrom[{n}]"
        yield Reference("ConfigMap", namespace, dig(source, "configMapRef", "name", default=""), at)
        yield Reference("Secret", namespace, dig(source, "secretRef", "name", default=""), at)
    for n, variable in enumerate(_items(container, "env")):
        at = f"{path}.env[{n}].valueFrom"
        yield Reference("ConfigMap", namespace, dig(variable, "valueFrom", "configMapKeyRef", "name", default=""), at)
        yield Reference("Secret", namespace, dig(variable, "valueFrom", "secretKeyRef", "name", default=""), at)


def _items(value: Any, field: str) -> list[Any]:
    found = value.get(field) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _binding(obj: Obj, namespace: str) -> Iterator[Reference]:
    kind = dig(obj, "roleRef", "kind", default="")
    name = dig(obj, "roleRef", "name", default="")
    yield Reference(kind, namespace if kind == "Role" else "", name, "roleRef")
    for n, subject in enumerate(_items(obj, "subjects")):
        if dig(subject, "kind") == "ServiceAccount":
            where = dig(subject, "namespace", default=namespace)
            yield Reference("ServiceAccount", where, dig(subject, "name", default=""), f"subjects[{n}]")


def _claim(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("StorageClass", "", dig(obj, "spec", "storageClassName", default=""), "spec.storageClassName")
    yield Reference("PersistentVolume", "", dig(obj, "spec", "volumeName", default=""), "spec.volumeName")


def _volume(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("StorageClass", "", dig(obj, "spec", "storageClassName", default=""), "spec.storageClassName")


def _stateful(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("Service", namespace, dig(obj, "spec", "serviceName", default=""), "spec.serviceName")


def _autoscaler(obj: Obj, namespace: str) -> Iterator[Reference]:
    ref = dig(obj, "spec", "scaleTargetRef", default={})
    yield Reference(dig(ref, "kind", default=""), namespace, dig(ref, "name", default=""), "spec.scaleTargetRef")


def _ingress(obj: Obj, namespace: str) -> Iterator[Reference]:
    yield Reference("IngressClass", "", dig(obj, "spec", "ingressClassName", default=""), "spec.ingressClassName")
    service = dig(obj, "spec", "defaultBackend", "service", "name", default="")
    yield Reference("Service", namespace, service, "spec.defaultBackend")
    for n, rule in enumerate(_items(dig(obj, "spec", default={}), "rules")):
        for m, path in enumerate(_items(dig(rule, "http", default={}), "paths")):
            name = dig(path, "backend", "service", "name", default="")
            yield Reference("Service", namespace, name, f"spec.rules[{n}].http.paths[{m}].backend")


OTHERS: dict[str, Callable[[Obj, str], Iterator[Reference]]] = {
    "RoleBinding": _binding,
    "ClusterRoleBinding": _binding,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "StatefulSet": _stateful,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
}
