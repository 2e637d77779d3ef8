"""Scoring a node by what is allocatable and requested of some resources.

In: the resources that count with their weights, a node, what the pod asks for of each. Out: pairs of requested
and allocatable, and points from 0 to 100, in the integer arithmetic of kube-scheduler's
resourceAllocationScorer. Integer quotients go towards zero, as in Go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kctl.scheduler.extension import MAX_SCORE
from kctl.scheduler.nodeinfo import NodeInfo

Resources = tuple[tuple[str, int], ...]
Shape = tuple[tuple[int, int], ...]
"""Points of a broken line: utilization in percent and score from 0 to 10, by utilization."""
CPU_AND_MEMORY: Resources = (("cpu", 1), ("memory", 1))
MAX_CUSTOM_SCORE = 10


class Use(NamedTuple):
    """One resource of a node that counts for the pod."""

    allocated: int
    requested: int
    """What is allocated and what the pod asks for."""
    allocatable: int
    weight: int


def uses(node: NodeInfo, asked: Mapping[str, int], resources: Resources, *, nonzero: bool) -> list[Use]:
    """Return the resources the node has, with the pod; extended ones only if the pod asks for them.

    With ``nonzero`` containers that leave cpu or memory open count with a default.
    """
    found = []
    for name, weight in resources:
        wanted = asked.get(name, 0)
        allocated, allocatable = amounts(node, name, nonzero=nonzero)
        if allocatable and (wanted or name in PLAIN):
            found.append(Use(allocated, allocated + wanted, allocatable, weight))
    return found


PLAIN = ("cpu", "memory", "ephemeral-storage")


def amounts(node: NodeInfo, name: str, *, nonzero: bool) -> tuple[int, int]:
    """Return what is allocated and what is allocatable of a resource."""
    if name == "cpu":
        return (node.nonzero_cpu if nonzero else node.cpu), node.allocatable_cpu
    if name == "memory":
        return (node.nonzero_memory if nonzero else node.memory), node.allocatable_memory
    if name == "ephemeral-storage":
        return node.ephemeral, node.allocatable_ephemeral
    return node.scalar.get(name, 0), node.allocatable_scalar.get(name, 0)


def least_allocated(found: Sequence[Use]) -> int:
    """Return the weighted mean of what stays free, in percent (leastResourceScorer)."""
    return _mean([(left(use.requested, use.allocatable), use.weight) for use in found])


def most_allocated(found: Sequence[Use]) -> int:
    """Return the weighted mean of what is used, in percent (mostResourceScorer)."""
    points = [(min(use.requested, use.allocatable) * MAX_SCORE // use.allocatable, use.weight) for use in found]
    return _mean(points)


def by_shape(shape: Shape) -> Callable[[Sequence[Use]], int]:
    """Return what scores by a function of utilization (requestedToCapacityRatioScorer).

    Resources that get no points do not count in the mean.
    """
    line = tuple((utilization, score * (MAX_SCORE // MAX_CUSTOM_SCORE)) for utilization, score in shape)

    def score(found: Sequence[Use]) -> int:
        total = weights = 0
        for use in found:
            utilization = min(use.requested * MAX_SCORE // use.allocatable, MAX_SCORE)
            points = on_line(line, utilization)
            if points > 0:
                total += points * use.weight
                weights += use.weight
        return round_half_up(total / weights) if weights else 0

    return score


def on_line(line: Shape, at: int) -> int:
    """Return the value of a broken line (BuildBrokenLinearFunction)."""
    before = line[0]
    for point in line:
        if at <= point[0]:
            rise = (point[1] - before[1]) * (at - before[0])
            return before[1] + (int_quotient(rise, point[0] - before[0]) if point is not before else 0)
        before = point
    return line[-1][1]


def left(used: int, capacity: int) -> int:
    """Return the free share in percent, 0 when overcommitted."""
    return 0 if used > capacity else (capacity - used) * MAX_SCORE // capacity


def int_quotient(a: int, b: int) -> int:
    """Divide as Go does: towards zero."""
    return a // b if (a >= 0) == (b > 0) else -(-a // b)


def round_half_up(value: float) -> int:
    """Round a number that is not negative as Go's math.Round: halves go up."""
    whole = int(value)
    return whole + 1 if value - whole >= 0.5 else whole


def _mean(points: Sequence[tuple[int, int]]) -> int:
    weights = sum(weight for _, weight in points)
    return sum(score * weight for score, weight in points) // weights if weights else 0
