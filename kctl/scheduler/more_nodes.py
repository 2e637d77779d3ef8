"""One more node: like one there is, larger, or with other labels, as a change to try.

In: the nodes and a pod. Out: changes in groups; those of a group differ in the zone only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kctl.api.objects import Obj
from kctl.scheduler.nodeinfo import LIKE, ZONE, NodeInfo
from kctl.scheduler.plugins.spread_constraints import HOSTNAME
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.remedies import Change, is_condition, missing_labels, with_capacity
from kctl.scheduler.requests import Requests


def more_nodes(
    nodes: Iterable[NodeInfo], pod: PodInfo, *, most: int = 6, devices: Callable[[NodeInfo], object] | None = None
) -> list[list[Change]]:
    """Return one more node for each kind of node there is, and last those that there are not, but would hold the pod.

    What stands together differs in nothing but the zone. ``devices`` tells nodes apart by what devices they have.
    """
    kinds: dict[tuple[object, ...], dict[str, NodeInfo]] = {}
    for node in nodes:
        size = (node.allocatable_cpu, node.allocatable_memory, tuple(sorted(node.allocatable_scalar.items())))
        kinds.setdefault((*size, _own_taints(node), devices(node) if devices else None), {}).setdefault(
            node.zone(), node
        )
    found = [[_clone(node) for node in list(zones.values())[:most]] for zones in list(kinds.values())[:most]]
    every = [node for zones in kinds.values() for node in zones.values()]
    largest = max(every, key=lambda node: (node.allocatable_cpu, node.allocatable_memory), default=None)
    if largest is not None:
        lacks = _lacks(largest, pod.requests)
        if lacks:
            found.append([_clone(largest, lacks)])
        others = missing_labels(pod.spec, largest)
        found += [[_clone(largest, lacks, labels)] for labels in others if HOSTNAME not in labels]
    return found


def _own_taints(node: NodeInfo) -> tuple[tuple[str | None, str | None], ...]:
    return tuple((t.get("key"), t.get("value")) for t in node.hard_taints if not is_condition(t))


def _lacks(node: NodeInfo, asked: Requests) -> dict[str, int]:
    """Return how much the empty node is short of each resource."""
    have = {
        "cpu": node.allocatable_cpu,
        "memory": node.allocatable_memory,
        "ephemeral-storage": node.allocatable_ephemeral,
        **node.allocatable_scalar,
    }
    wanted = {"cpu": asked.cpu, "memory": asked.memory, "ephemeral-storage": asked.ephemeral, **asked.scalar}
    return {name: value - have.get(name, 0) for name, value in wanted.items() if value > have.get(name, 0)}


def _clone(
    node: NodeInfo, more: Mapping[str, int] | None = None, labelled: Mapping[str, str | None] | None = None
) -> Change:
    """Return the change that brings one more node like this one, empty and ready.

    It is larger where ``more`` says so, and has other labels where ``labelled`` does.
    """
    name = f"{node.name}-more"
    old = node.node or {}
    given = {**node.labels, **(labelled or {})}
    labels = {key: value for key, value in given.items() if value is not None}
    if HOSTNAME in node.labels:
        labels[HOSTNAME] = name
    taints = [t for t in (old.get("spec") or {}).get("taints") or () if not is_condition(t)]
    meta: Obj = {"name": name, "annotations": {LIKE: node.name}, **({"labels": labels} if labels else {})}
    status = {field: (old.get("status") or {}).get(field) or {} for field in ("capacity", "allocatable")}
    made: Obj = {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": {"taints": taints} if taints else {}}
    made["status"] = status
    if more:
        made = with_capacity(made, more)
    have = made["status"]["allocatable"]
    size = [f"{have[n]}{' ' + n if n == 'cpu' else ''}" for n in ("cpu", "memory") if n in have]
    size += [f"{have[n]} {n}" for n in sorted(more or ()) if n not in ("cpu", "memory")]
    if labels.get(ZONE):
        size.append(f"zone {labels[ZONE]}")
    size += [
        f"without {key}" if value is None else f"{key}={value}"
        for key, value in sorted((labelled or {}).items())
        if key != ZONE or value is None
    ]
    like = "one more node" if more else f"one more node like {node.name}"
    cost = 9 if more else 8 if labelled else 7
    return Change("newNode", name, f"with {like} ({', '.join(size)})", cost, lambda _: made)
