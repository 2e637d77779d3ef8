"""In which order a set is applied: computed from kinds and references, never from file names.

Out come *stages*. What the API server itself needs to exist and to be ready before it takes
something else makes a new stage: a Namespace before what is in it, a CustomResourceDefinition
before its resources. Within a stage everything goes in one batch, sorted by kind (what others
refer to first), then by references, namespace and name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kctl.gitops.inventory import Entry
from kctl.gitops.references import is_built_in, references
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


def staged(waves: Sequence[Sequence[Target]]) -> tuple[list[list[Target]], list[int]]:
    """Return the stages of all waves, and of each stage the wave it belongs to.

    What the API server needs for an object of a wave comes with that wave at the latest.
    """
    wave_of = {id(target): number for number, wave in enumerate(waves) for target in wave}
    targets = [target for wave in waves for target in wave]
    gates = _gates(targets)
    for target in targets:
        for gate in _gates_of(target):
            needed = targets[gates[gate]] if gate in gates else target
            wave_of[id(needed)] = min(wave_of[id(needed)], wave_of[id(target)])
    found: list[list[Target]] = []
    numbers: list[int] = []
    for number in range(len(waves)):
        part = stages(target for target in targets if wave_of[id(target)] == number)
        found += part
        numbers += [number] * len(part)
    return found, numbers


def sort_key(target: Target) -> tuple[int, str, str, str, str]:
    """Order by kind, then namespace and name."""
    kind = target.object["kind"]
    rank = RANK.get(kind, RANK[""]) if is_built_in(target) else RANK[""]
    return rank, kind, target.kind.group, target.key.namespace, target.key.name


def prune_key(entry: Entry) -> tuple[int, str, str, str]:
    """Order what is pruned; read backwards, so that what others refer to goes last."""
    return RANK.get(entry.kind, RANK[""]), entry.resource, entry.namespace, entry.name


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
                found = index.get(need)
                if found is not None and id(found) not in done:
                    done[id(found)] = None
                    stack.append((found, iter(references(found))))
                    break
            else:
                result.append(target)
                stack.pop()
    return result
