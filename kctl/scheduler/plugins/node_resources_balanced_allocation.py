"""NodeResourcesBalancedAllocation: cpu and memory should fill up evenly.

The formula is that of Kubernetes 1.36: what counts is whether the pod makes the node more or less
even, not how even it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.scheduler.extension import MAX_SCORE, SKIP, Cycle, Skip
from kctl.scheduler.nodeinfo import NodeInfo


class NodeResourcesBalancedAllocation:
    """Scores by how even the used shares of cpu and memory become."""

    name = "NodeResourcesBalancedAllocation"

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Step aside for pods that ask for neither cpu nor memory."""
        asked = cycle.pod.requests
        return None if asked.cpu or asked.memory else SKIP

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Compare the balance with the pod to the balance without it."""
        asked = cycle.pod.requests
        before = balance(node.cpu, node.allocatable_cpu, node.memory, node.allocatable_memory)
        after = balance(node.cpu + asked.cpu, node.allocatable_cpu, node.memory + asked.memory, node.allocatable_memory)
        half = MAX_SCORE // 2
        change = half + after - before
        # Go divides towards zero; the change is never negative, half of it is at most 75.
        return half + change // 2 if change >= 0 else half - (-change // 2)


def balance(cpu: int, cpu_capacity: int, memory: int, memory_capacity: int) -> int:
    """Return 100 for equal shares, less by their standard deviation (balancedResourceScorer)."""
    if not cpu_capacity or not memory_capacity:
        return MAX_SCORE
    deviation = abs((min(cpu / cpu_capacity, 1.0) - min(memory / memory_capacity, 1.0)) / 2)
    return int((1 - deviation) * MAX_SCORE)
