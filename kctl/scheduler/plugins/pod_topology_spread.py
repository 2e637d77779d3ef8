"""PodTopologySpread: matching pods spread evenly over the values of a topology key.

Hard constraints (DoNotSchedule) filter, soft ones (ScheduleAnyway) score. A pod without constraints of
its own gets defaults (the system's, soft over hosts and zones, or those of the arguments) if a
service or its controller selects it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kctl.api.objects import Obj
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import MAX_SCORE, SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.resource_scores import round_half_up
from kctl.scheduler.plugins.spread_constraints import (
    DEFAULTS,
    HOSTNAME,
    Constraint,
    constraints_of,
    count_matching,
    default_constraints,
)
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.shape import SPREAD, Shape

if TYPE_CHECKING:
    from kctl.scheduler.hints import Event

NAME = "PodTopologySpread"
UNEVEN = No(NAME, ("node(s) didn't match pod topology spread constraints",))
UNLABELLED = No(NAME, ("node(s) didn't match pod topology spread constraints (missing required label)",), True)


class HardState:
    """Matching pods per constraint and topology value, over eligible nodes."""

    __slots__ = ("constraints", "counts")

    def __init__(self, constraints: Sequence[Constraint], counts: list[dict[str, int]]) -> None:
        self.constraints = constraints
        self.counts = counts

    def clone(self) -> HardState:
        """Return a copy whose counts can change."""
        return HardState(self.constraints, [dict(counts) for counts in self.counts])

    def minimum(self, n: int) -> int:
        """Return the lowest count of any value; 0 with fewer values than minDomains."""
        counts = self.counts[n]
        if len(counts) < self.constraints[n].min_domains:
            return 0
        return min(counts.values())


class SoftState:
    """What scoring by soft constraints needs."""

    __slots__ = ("constraints", "counts", "ignored", "weights")

    def __init__(
        self, constraints: Sequence[Constraint], counts: list[dict[str, int]], weights: list[float], ignored: set[str]
    ) -> None:
        self.constraints = constraints
        self.counts = counts
        self.weights = weights
        self.ignored = ignored


class PodTopologySpread:
    """Filters by hard constraints, scores by soft ones."""

    name = NAME
    shape = Shape(filters=SPREAD, scores=SPREAD)

    def __init__(self, *, defaults: tuple[Obj, ...] | None = None) -> None:
        self._defaults = DEFAULTS if defaults is None else defaults
        self._is_system = defaults is None

    def constraints(self, cluster: Cluster, pod: PodInfo, when: str) -> list[Constraint]:
        """Return the constraints that hold for a pod, its own or else the defaults."""
        if pod.spec.get("topologySpreadConstraints"):
            return constraints_of(pod, when)
        return default_constraints(cluster, pod, self._defaults, when)

    def needs_keys(self, pod: PodInfo) -> bool:
        """Say whether nodes without a key of the soft constraints get no points: not by the system's defaults."""
        return bool(pod.spec.get("topologySpreadConstraints")) or not self._is_system

    def hint(self, cluster: Cluster, pod: PodInfo, event: Event) -> bool | None:
        """Ask the default constraints, where the arguments have hard ones, whether an event may help."""
        if self._is_system or pod.spec.get("topologySpreadConstraints"):
            return None
        from kctl.scheduler.hints import spread_changed, topology_changed

        constraints = self.constraints(cluster, pod, "DoNotSchedule")
        return spread_changed(constraints, pod, event) if event.pods else topology_changed(constraints, event)

    def pre_filter(self, cycle: Cycle) -> Skip | None:
        """Count matching pods per topology value."""
        constraints = self.constraints(cycle.cluster, cycle.pod, "DoNotSchedule")
        if not constraints:
            return SKIP
        counts: list[dict[str, int]] = [{} for _ in constraints]
        for node in cycle.cluster.order():
            if not has_keys(node, constraints):
                continue
            for n, constraint in enumerate(constraints):
                if constraint.includes(cycle.pod, node):
                    value = node.labels[constraint.topology_key]
                    found = count_matching(cycle.cluster, node, constraint, cycle.pod.namespace)
                    counts[n][value] = counts[n].get(value, 0) + found
        cycle.data[self.name] = HardState(constraints, counts)
        return None

    def add_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Count a pod in."""
        self._update(cycle, pod, node, 1)

    def remove_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Count a pod out; upstream does not ask here whether it had been counted (terminating pods are not)."""
        self._update(cycle, pod, node, -1)

    def _update(self, cycle: Cycle, pod: PodInfo, node: NodeInfo, delta: int) -> None:
        state: HardState | None = cycle.data.get(self.name)
        if state is None or pod.namespace != cycle.pod.namespace or not has_keys(node, state.constraints):
            return
        for n, constraint in enumerate(state.constraints):
            if constraint.matches(pod.labels) and constraint.includes(cycle.pod, node):
                value = node.labels[constraint.topology_key]
                state.counts[n][value] = state.counts[n].get(value, 0) + delta

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node whose domain would exceed the allowed skew."""
        state: HardState = cycle.data[self.name]
        for n, constraint in enumerate(state.constraints):
            value = node.labels.get(constraint.topology_key)
            if value is None:
                return UNLABELLED
            itself = 1 if constraint.matches(cycle.pod.labels) else 0
            if state.counts[n].get(value, 0) + itself - state.minimum(n) > constraint.max_skew:
                return UNEVEN
        return None

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Count matching pods per topology value of the feasible nodes."""
        pod, cluster = cycle.pod, cycle.cluster
        need_keys = self.needs_keys(pod)
        constraints = self.constraints(cluster, pod, "ScheduleAnyway")
        if not constraints:
            return SKIP
        counts, ignored = domains(constraints, nodes, need_keys=need_keys)
        sizes = [
            len(nodes) - len(ignored) if c.topology_key == HOSTNAME else len(counts[n])
            for n, c in enumerate(constraints)
        ]
        spread = [(n, c) for n, c in enumerate(constraints) if c.topology_key != HOSTNAME]
        for node in cluster.order() if spread else ():
            if need_keys and not has_keys(node, constraints):
                continue
            for n, constraint in spread:
                value = node.labels.get(constraint.topology_key, "")
                if value in counts[n] and constraint.includes(pod, node):
                    counts[n][value] += count_matching(cluster, node, constraint, pod.namespace)
        weights = [math.log(size + 2) for size in sizes]
        cycle.data["soft " + self.name] = SoftState(constraints, counts, weights, ignored)
        return None

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Add the weighted counts of the node's domains; fewer is better, see :meth:`normalize`."""
        state: SoftState = cycle.data["soft " + self.name]
        if node.name in state.ignored:
            return 0
        score = 0.0
        for n, constraint in enumerate(state.constraints):
            value = node.labels.get(constraint.topology_key)
            if value is None:
                continue
            if constraint.topology_key == HOSTNAME:
                count = count_matching(cycle.cluster, node, constraint, cycle.pod.namespace)
            else:
                count = state.counts[n][value]
            score += count * state.weights[n] + (constraint.max_skew - 1)
        return round_half_up(score)

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Reverse the scale; nodes without the keys get nothing."""
        state: SoftState = cycle.data["soft " + self.name]
        rated = [score for score, node in zip(scores, nodes, strict=True) if node.name not in state.ignored]
        low, high = min(rated, default=0), max(rated, default=0)
        return [
            0 if node.name in state.ignored else MAX_SCORE * (high + low - score) // high if high else MAX_SCORE
            for score, node in zip(scores, nodes, strict=True)
        ]


def has_keys(node: NodeInfo, constraints: Sequence[Constraint]) -> bool:
    """Say whether the node has every topology key."""
    labels = node.labels
    return all(constraint.topology_key in labels for constraint in constraints)


def domains(
    constraints: Sequence[Constraint], nodes: Sequence[NodeInfo], *, need_keys: bool
) -> tuple[list[dict[str, int]], set[str]]:
    """Return the topology values of the feasible nodes, with zero counts, and the nodes without keys."""
    counts: list[dict[str, Any]] = [{} for _ in constraints]
    ignored = set()
    for node in nodes:
        if need_keys and not has_keys(node, constraints):
            ignored.add(node.name)
            continue
        for n, constraint in enumerate(constraints):
            if constraint.topology_key != HOSTNAME:
                counts[n][node.labels.get(constraint.topology_key, "")] = 0
    return counts, ignored
