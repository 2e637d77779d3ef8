"""How much of a zone is lost, and how fast its nodes may get NoExecute taints.

In: the Ready conditions of nodes by zone, the flags. Out: the zone's state and its rate, as
ComputeZoneState and handleDisruption. A zone in which most nodes are lost is more likely cut off than
dead, so its pods are evicted more slowly or not at all; when every zone is lost it is the
controller that is cut off, and nobody is evicted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from kctl.api.objects import Obj, condition, labels_of
from kctl.client.cache import Cache, Fold, Index
from kctl.runtime.flags import Flags

State = Literal["Normal", "PartialDisruption", "FullDisruption"]
EXCLUDED = "node.kubernetes.io/exclude-disruption"
REGION, ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
OLD_REGION, OLD_ZONE = "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
NO_EXECUTE = frozenset((NOT_READY, UNREACHABLE))
FEW = 2
"""So many lost nodes are never a disruption of a zone."""


class Count(NamedTuple):
    """Nodes of a zone."""

    ready: int = 0
    lost: int = 0


def zone_of(node: Obj) -> str:
    """Return region and zone of a node as one name, as GetZoneKey."""
    labels = labels_of(node)
    region = labels.get(REGION) or labels.get(OLD_REGION) or ""
    zone = labels.get(ZONE) or labels.get(OLD_ZONE) or ""
    return f"{region}:{zone}" if region or zone else ""


def readiness(node: Obj) -> str:
    """Return the status of the node's Ready condition, "" when it has none."""
    found = condition(node, "Ready")
    return str(found.get("status", "")) if found else ""


def no_execute_keys(node: Obj) -> list[str]:
    """Return which of the managed NoExecute taints the node has."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return [taint["key"] for taint in taints if taint.get("effect") == "NoExecute" and taint["key"] in NO_EXECUTE]


def count_fold(nodes: Cache) -> Fold[Count]:
    """Return the fold of nodes by zone; those that are excluded from disruption checks do not count."""

    def shares(node: Obj) -> tuple[tuple[str, Count], ...]:
        if EXCLUDED in labels_of(node):
            return ()
        is_ready = readiness(node) == "True"
        return ((zone_of(node), Count(is_ready, not is_ready)),)

    def add(one: Count, other: Count) -> Count:
        return Count(one.ready + other.ready, one.lost + other.lost)

    def remove(one: Count, other: Count) -> Count:
        return Count(one.ready - other.ready, one.lost - other.lost)

    return nodes.tally("node-lifecycle zones", shares, Count(), add, remove)


def waiting_index(nodes: Cache) -> Index:
    """Return the index of nodes by the zone in whose queue for a NoExecute taint they are."""

    def values(node: Obj) -> tuple[str, ...]:
        return (zone_of(node),) if readiness(node) in ("False", "Unknown") and not no_execute_keys(node) else ()

    return nodes.index("node-lifecycle queue", values)


def tainted_index(nodes: Cache) -> Index:
    """Return the index of nodes with a managed NoExecute taint by zone."""
    return nodes.index("node-lifecycle tainted", lambda node: (zone_of(node),) if no_execute_keys(node) else ())


def state_of(count: Count, flags: Flags) -> State:
    """Return the state of a zone (ComputeZoneState)."""
    if not count.ready and count.lost:
        return "FullDisruption"
    if count.lost > FEW and count.lost / (count.lost + count.ready) >= flags.unhealthy_zone_threshold:
        return "PartialDisruption"
    return "Normal"


def is_all_lost(counts: dict[object, Count]) -> bool:
    """Say whether every zone is fully disrupted."""
    return bool(counts) and all(not count.ready and count.lost for count in counts.values())


def rate_of(count: Count, flags: Flags, *, is_all: bool) -> float:
    """Return how many nodes a second may be tainted in a zone (setLimiterInZone)."""
    if is_all:
        return 0.0
    if state_of(count, flags) != "PartialDisruption":
        return flags.node_eviction_rate
    is_large = count.ready + count.lost > flags.large_cluster_size_threshold
    return flags.secondary_node_eviction_rate if is_large else 0.0
