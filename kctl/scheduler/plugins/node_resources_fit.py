"""NodeResourcesFit: room for the pod's requests; more room left is better (LeastAllocated)."""

from __future__ import annotations

from kctl.scheduler.extension import MAX_SCORE, Cycle, No
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.requests import Requests


class NodeResourcesFit:
    """Filters by resources and pod count, scores by what stays free of cpu and memory."""

    name = "NodeResourcesFit"

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node without room, naming everything that is short."""
        asked = cycle.pod.requests
        if (
            len(node.pods) < node.allowed_pods
            and asked.cpu + node.cpu <= node.allocatable_cpu
            and asked.memory + node.memory <= node.allocatable_memory
            and asked.ephemeral + node.ephemeral <= node.allocatable_ephemeral
            and not asked.scalar
        ):
            return None
        short = insufficient(asked, node)
        if not short:
            return None
        return No(self.name, tuple(reason for reason, _ in short), any(never for _, never in short))

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Return the mean share of cpu and memory left free, in integer percent (leastResourceScorer)."""
        asked = cycle.pod.requests
        parts = []
        if node.allocatable_cpu:
            parts.append(left(node.nonzero_cpu + asked.scored_cpu, node.allocatable_cpu))
        if node.allocatable_memory:
            parts.append(left(node.nonzero_memory + asked.scored_memory, node.allocatable_memory))
        return sum(parts) // len(parts) if parts else 0


def left(used: int, capacity: int) -> int:
    """Return the free share in percent, 0 when overcommitted."""
    return 0 if used > capacity else (capacity - used) * MAX_SCORE // capacity


def insufficient(asked: Requests, node: NodeInfo) -> list[tuple[str, bool]]:
    """Return what is short and whether even the empty node would not do, as fitsRequest."""
    short = []
    if len(node.pods) + 1 > node.allowed_pods:
        short.append(("Too many pods", False))
    resources = (
        ("cpu", asked.cpu, node.cpu, node.allocatable_cpu),
        ("memory", asked.memory, node.memory, node.allocatable_memory),
        ("ephemeral-storage", asked.ephemeral, node.ephemeral, node.allocatable_ephemeral),
        *(
            (name, value, node.scalar.get(name, 0), node.allocatable_scalar.get(name, 0))
            for name, value in asked.scalar.items()
        ),
    )
    for name, wanted, used, capacity in resources:
        if wanted > 0 and wanted > capacity - used:
            short.append((f"Insufficient {name}", wanted > capacity))
    return short
