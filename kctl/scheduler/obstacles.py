"""What stands between a pod and each node: every filter's refusal, with its numbers and names.

In: a cycle whose PreFilter plugins have run, and a node. Out: :class:`Obstacle` values. The scheduler itself stops at
the first filter that refuses a node; whoever looks for a remedy has to know all of them, and what the message
of upstream leaves out: which taint, how much is missing, which label.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kctl.api.objects import Obj
from kctl.api.tolerations import tolerates
from kctl.scheduler.extension import Cycle, No
from kctl.scheduler.match import node_selector
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins import dynamic_resources, inter_pod_affinity, pod_topology_spread, volume_binding
from kctl.scheduler.volumes import reaches

CORDON = "node.kubernetes.io/unschedulable"


class Obstacle(NamedTuple):
    """One thing that keeps the pod off a node. ``kind`` says how to read ``what``; equal ones have one remedy."""

    plugin: str
    kind: str
    what: tuple[str, ...] = ()
    short: int = 0
    """How much is missing of a resource, in the unit the scheduler counts it in."""
    reason: str = ""

    @property
    def identity(self) -> tuple[str, tuple[str, ...]]:
        """What the obstacle is, without how much is missing."""
        return self.kind, self.what


def of_node(cycle: Cycle, filters: Sequence[Any], node: NodeInfo) -> list[Obstacle]:
    """Return everything that keeps the pod off the node; ``filters`` are the plugins that have a say."""
    found: list[Obstacle] = []
    for plugin in filters:
        no = plugin.filter(cycle, node)
        if no is not None:
            found += _read(cycle, plugin.name, no, node)
    return list({obstacle.identity: obstacle for obstacle in reversed(found)}.values())[::-1]


def _read(cycle: Cycle, plugin: str, no: No, node: NodeInfo) -> Iterator[Obstacle]:
    reason = ", ".join(no.reasons)
    match plugin:
        case "NodeUnschedulable":
            yield Obstacle(plugin, "cordoned", reason=reason)
        case "TaintToleration":
            yield from _taints(cycle, plugin, reason, node)
        case "NodeAffinity":
            yield Obstacle(plugin, "affinity", tuple(unmatched(cycle.pod.spec, node)), reason=reason)
        case "NodePorts":
            taken = [port for port in cycle.pod.ports if node.has_conflict((port,))]
            yield Obstacle(plugin, "port", tuple(f"{p.port}/{p.protocol}" for p in taken), reason=reason)
        case "NodeResourcesFit":
            yield from _resources(cycle, plugin, no, node)
        case "InterPodAffinity":
            yield from _affinity(cycle, plugin, no, node)
        case "PodTopologySpread":
            yield from _spread(cycle, plugin, reason, node)
        case "VolumeBinding" if volume_binding.NODE_CONFLICT in no.reasons:
            yield from _unreachable(cycle, plugin, no, node)
        case "DynamicResources" if no == dynamic_resources.CANNOT:
            yield Obstacle(plugin, "device", *_devices(cycle, node))
        case "DynamicResources":
            yield Obstacle(plugin, "device", no.reasons, reason=reason)
        case _:
            yield Obstacle(plugin, "volume" if plugin.startswith("Volume") else "other", no.reasons, reason=reason)


def _taints(cycle: Cycle, plugin: str, reason: str, node: NodeInfo) -> Iterator[Obstacle]:
    for taint in node.hard_taints:
        if any(tolerates(toleration, taint) for toleration in cycle.pod.tolerations):
            continue
        if taint.get("key") == CORDON:
            yield Obstacle("NodeUnschedulable", "cordoned", reason=reason)
            continue
        what = (taint.get("key") or "", taint.get("value") or "", taint.get("effect") or "")
        yield Obstacle(plugin, "taint", what, reason=reason)


def _resources(cycle: Cycle, plugin: str, no: No, node: NodeInfo) -> Iterator[Obstacle]:
    """Read a refusal of NodeResourcesFit; what is missing is counted here, the message has no numbers."""
    asked = cycle.pod.requests
    free = free_of(node)
    wanted = {"cpu": asked.cpu, "memory": asked.memory, "ephemeral-storage": asked.ephemeral, **asked.scalar}
    for reason in no.reasons:
        name = reason.removeprefix("Insufficient ")
        if name == reason:
            yield Obstacle(plugin, "pods", reason=reason)
        else:
            yield Obstacle(plugin, "resource", (name,), wanted.get(name, 0) - free.get(name, 0), reason)


def _affinity(cycle: Cycle, plugin: str, no: No, node: NodeInfo) -> Iterator[Obstacle]:
    """Read a refusal of InterPodAffinity, with the topology keys of the terms that refuse."""
    reason = ", ".join(no.reasons)
    pod = cycle.pod
    if no == inter_pod_affinity.AFFINITY:
        keys = tuple(dict.fromkeys(term.topology_key for term in pod.affinity))
        yield Obstacle(plugin, "podAffinity", keys, reason=reason)
    elif no == inter_pod_affinity.ANTI_AFFINITY:
        counts = getattr(cycle.data.get(inter_pod_affinity.NAME), "anti_affinity", {})
        keys = tuple(
            dict.fromkeys(
                term.topology_key
                for term in pod.anti_affinity
                if counts.get((term.topology_key, node.labels.get(term.topology_key)), 0) > 0
            )
        )
        yield Obstacle(plugin, "podAntiAffinity", keys, reason=reason)
    else:
        yield Obstacle(plugin, "existingPodAntiAffinity", reason=reason)


def _unreachable(cycle: Cycle, plugin: str, no: No, node: NodeInfo) -> Iterator[Obstacle]:
    """Read a refusal of VolumeBinding for the place of bound volumes: which volume is where."""
    volumes = cycle.cluster.volumes
    for claim in cycle.data[volume_binding.NAME].bound:
        name = claim["spec"]["volumeName"]
        volume = volumes.volume(name)
        if volume is not None and not reaches(volume, node):
            what = f"volume {name} of claim {claim['metadata']['name']} is {place_of(volume)}"
            yield Obstacle(plugin, "volume", (name,), reason=f"{volume_binding.NODE_CONFLICT}: {what}")
    others = tuple(reason for reason in no.reasons if reason != volume_binding.NODE_CONFLICT)
    if others:
        yield Obstacle(plugin, "volume", others, reason=", ".join(others))


def place_of(volume: Obj) -> str:
    """Say where a volume can be used."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required") or {}
    terms = [
        " and ".join(
            f"{one['key']} {one['operator']} {', '.join(one.get('values') or ())}".strip()
            for one in (*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ()))
        )
        for term in required.get("nodeSelectorTerms") or ()
    ]
    return "where " + " or ".join(terms).replace(" In ", " is ")


def _devices(cycle: Cycle, node: NodeInfo) -> tuple[tuple[str, ...], int, str]:
    """Count the devices a pod wants and those a node has: what is short, how much of it, and both in words."""
    reason = dynamic_resources.CANNOT.reasons[0]
    counts = dynamic_resources.shortage(cycle, node)
    if not counts:
        return (reason,), 0, reason
    told = [
        f"{one.wanted} of class {one.cls} wanted, {one.free} of {one.matching} free"
        + (f" ({one.tainted} more tainted)" if one.tainted else "")
        if one.matching
        else f"none of class {one.cls}"
        for one in counts
    ]
    what = (reason, *(f"{one.cls} {one.wanted} {one.free} {one.matching} {one.tainted}" for one in counts))
    return what, sum(max(one.wanted - one.free, 0) for one in counts), f"{reason}: {', '.join(told)}"


def _spread(cycle: Cycle, plugin: str, reason: str, node: NodeInfo) -> Iterator[Obstacle]:
    """Read a refusal of PodTopologySpread: per constraint the skew that the pod would make here."""
    state = cycle.data.get(pod_topology_spread.NAME)
    if not isinstance(state, pod_topology_spread.HardState):
        yield Obstacle(plugin, "spread", reason=reason)
        return
    for n, constraint in enumerate(state.constraints):
        value = node.labels.get(constraint.topology_key)
        if value is None:
            yield Obstacle(plugin, "missingTopologyLabel", (constraint.topology_key,), reason=reason)
            continue
        itself = 1 if constraint.matches(cycle.pod.labels) else 0
        skew = state.counts[n].get(value, 0) + itself - state.minimum(n)
        if skew > constraint.max_skew:
            yield Obstacle(plugin, "spread", (constraint.topology_key,), skew, reason)


def free_of(node: NodeInfo) -> dict[str, int]:
    """Return what is not requested yet of each resource of a node; negative where it is overcommitted."""
    return {
        "cpu": node.allocatable_cpu - node.cpu,
        "memory": node.allocatable_memory - node.memory,
        "ephemeral-storage": node.allocatable_ephemeral - node.ephemeral,
        **{name: value - node.scalar.get(name, 0) for name, value in node.allocatable_scalar.items()},
    }


def unmatched(spec: Obj, node: NodeInfo) -> Iterator[str]:
    """Yield what of nodeSelector and required node affinity the node does not meet, ``key=value`` where one is named."""
    for key, value in sorted((spec.get("nodeSelector") or {}).items()):
        if node.labels.get(key) != value:
            yield f"{key}={value}"
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is not None and not node_selector(required)(node.name, node.labels):
        yield from sorted({printed_term(term) for term in required.get("nodeSelectorTerms") or ()})


def printed_term(term: Obj) -> str:
    """Write a NodeSelectorTerm as ``kubectl`` writes selectors."""
    parts = []
    for found in (*(term.get("matchExpressions") or ()), *(term.get("matchFields") or ())):
        values = found.get("values") or ()
        listed = ",".join(values)
        match found["operator"]:
            case "In":
                parts.append(f"{found['key']}={listed}" if len(values) == 1 else f"{found['key']} in ({listed})")
            case "NotIn":
                parts.append(f"{found['key']} notin ({listed})")
            case "Exists":
                parts.append(found["key"])
            case "DoesNotExist":
                parts.append(f"!{found['key']}")
            case other:
                parts.append(f"{found['key']} {'>' if other == 'Gt' else '<'} {listed}")
    return " and ".join(parts) or "nothing (an empty term)"
