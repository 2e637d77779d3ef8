"""NodeResourcesBalancedAllocation: cpu and memory should fill up evenly.

The formula is that of Kubernetes 1.36: what counts is whether the pod makes the node more or less
even, not how even it is. The arguments may name other resources.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kctl.scheduler.extension import MAX_SCORE, SKIP, Cycle, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.resource_scores import PLAIN, Resources, int_quotient, uses
from kctl.scheduler.requests import Amounts, Requests
from kctl.scheduler.shape import BALANCE, PODS, Shape

HALF = MAX_SCORE // 2


class NodeResourcesBalancedAllocation:
    """Scores by how even the used shares of the resources become."""

    name = "NodeResourcesBalancedAllocation"

    def __init__(self, *, resources: tuple[str, ...] = ("cpu", "memory")) -> None:
        self._names = resources
        self._resources: Resources = tuple((name, 1) for name in resources)
        self._is_plain = resources == ("cpu", "memory")
        self.shape = Shape(scores=BALANCE if self._is_plain else PODS)

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Step aside for pods that ask for none of the resources."""
        asked = cycle.pod.requests
        if self._is_plain:
            return None if asked.cpu or asked.memory else SKIP
        return None if any(amounts_of(asked).get(name) for name in self._names) else SKIP

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Compare the balance with the pod to the balance without it."""
        asked = cycle.pod.requests
        if self._is_plain:
            if not asked.cpu and not asked.memory:
                return 0
            before = balance(node.cpu, node.allocatable_cpu, node.memory, node.allocatable_memory)
            cpu, memory = node.cpu + asked.cpu, node.memory + asked.memory
            after = balance(cpu, node.allocatable_cpu, memory, node.allocatable_memory)
        else:
            found = uses(node, amounts_of(asked), self._resources, nonzero=False)
            before = evenness([use.allocated / use.allocatable for use in found])
            after = evenness([use.requested / use.allocatable for use in found])
        return HALF + int_quotient(HALF + after - before, 2)


def amounts_of(asked: Requests) -> Amounts:
    """Return the requests by name."""
    return {**dict(zip(PLAIN, (asked.cpu, asked.memory, asked.ephemeral), strict=True)), **asked.scalar}


def balance(cpu: int, cpu_capacity: int, memory: int, memory_capacity: int) -> int:
    """Return 100 for equal shares, less by their standard deviation (balancedResourceScorer)."""
    if not cpu_capacity or not memory_capacity:
        return MAX_SCORE
    deviation = abs((min(cpu / cpu_capacity, 1.0) - min(memory / memory_capacity, 1.0)) / 2)
    return int((1 - deviation) * MAX_SCORE)


def evenness(shares: Sequence[float]) -> int:
    """Return :func:`balance` for any number of shares, in the order of upstream's sums."""
    shares = [min(share, 1.0) for share in shares]
    deviation = 0.0
    if len(shares) == 2:
        deviation = abs((shares[0] - shares[1]) / 2)
    elif len(shares) > 2:
        total = squares = 0.0
        for share in shares:
            total += share
        mean = total / len(shares)
        for share in shares:
            squares += (share - mean) * (share - mean)
        deviation = math.sqrt(squares / len(shares))
    return int((1 - deviation) * MAX_SCORE)
