"""InterPodAffinity: pods that want to be near others, or far from them.

Required terms filter, in both directions for anti-affinity; preferred terms score, in both directions, and
required affinity of pods already placed draws too, with a weight of its own (1, unless the arguments say more).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.scheduler.extension import MAX_SCORE, SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import AffinityTerm, PodInfo
from kctl.scheduler.shape import TERMS, Shape

NAME = "InterPodAffinity"
AFFINITY = No(NAME, ("node(s) didn't match pod affinity rules",), True)
ANTI_AFFINITY = No(NAME, ("node(s) didn't match pod anti-affinity rules",))
EXISTING = No(NAME, ("node(s) didn't satisfy existing pods anti-affinity rules",))

Pairs = dict[tuple[str, str], int]
"""A number per topology key and value; never zero."""


class State:
    """Where required terms are met, counted."""

    __slots__ = ("affinity", "anti_affinity", "existing")

    def __init__(self, existing: Pairs, affinity: Pairs, anti_affinity: Pairs) -> None:
        self.existing = existing
        self.affinity = affinity
        self.anti_affinity = anti_affinity

    def clone(self) -> State:
        """Return a copy whose counts can change."""
        return State(dict(self.existing), dict(self.affinity), dict(self.anti_affinity))


class InterPodAffinity:
    """Filters by required terms, scores by preferred ones."""

    name = NAME
    shape = Shape(filters=TERMS, scores=TERMS)

    def __init__(self, *, hard_weight: int = 1, ignore_preferred: bool = False) -> None:
        self.hard_weight = hard_weight
        """What required affinity of placed pods weighs (hardPodAffinityWeight)."""
        self.ignore_preferred = ignore_preferred
        """Whether pods without wishes go anywhere, whatever placed pods wish (ignorePreferredTermsOfExistingPods)."""

    def pre_filter(self, cycle: Cycle) -> Skip | None:
        """Count where the pod's terms, and those of others about it, are met."""
        pod, cluster = cycle.pod, cycle.cluster
        state = State({}, {}, {})
        for node in cluster.affinity_nodes.values():
            if node.node is not None:
                for other in node.anti_affinity_pods.values():
                    self._existing(cycle, state, other, node, 1)
        if pod.affinity or pod.anti_affinity:
            for node in cluster.order():
                for other in node.pods.values():
                    self._own(cycle, state, other, node, 1)
        elif not state.existing:
            return SKIP
        cycle.data[self.name] = state
        return None

    def _existing(self, cycle: Cycle, state: State, other: PodInfo, node: NodeInfo, delta: int) -> None:
        namespaces = cycle.cluster.namespace_labels()
        for term in other.anti_affinity:
            if term.matches(cycle.pod, namespaces):
                count(state.existing, term, node, delta)

    def _own(self, cycle: Cycle, state: State, other: PodInfo, node: NodeInfo, delta: int) -> None:
        namespaces = cycle.cluster.namespace_labels()
        pod = cycle.pod
        if pod.affinity and all(term.matches(other, namespaces) for term in pod.affinity):
            for term in pod.affinity:
                count(state.affinity, term, node, delta)
        for term in pod.anti_affinity:
            if term.matches(other, namespaces):
                count(state.anti_affinity, term, node, delta)

    def add_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Count a pod in."""
        self._update(cycle, pod, node, 1)

    def remove_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Count a pod out."""
        self._update(cycle, pod, node, -1)

    def _update(self, cycle: Cycle, pod: PodInfo, node: NodeInfo, delta: int) -> None:
        state: State | None = cycle.data.get(self.name)
        if state is not None:
            self._existing(cycle, state, pod, node, delta)
            self._own(cycle, state, pod, node, delta)

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node by the pod's own affinity, its anti-affinity, and that of others, in this order."""
        state: State = cycle.data[self.name]
        if not self._affinity_holds(cycle, state, node):
            return AFFINITY
        labels = node.labels
        if state.anti_affinity:
            for term in cycle.pod.anti_affinity:
                value = labels.get(term.topology_key)
                if value is not None and state.anti_affinity.get((term.topology_key, value), 0) > 0:
                    return ANTI_AFFINITY
        if state.existing:
            for key, value in labels.items():
                if state.existing.get((key, value), 0) > 0:
                    return EXISTING
        return None

    def _affinity_holds(self, cycle: Cycle, state: State, node: NodeInfo) -> bool:
        """Say whether every required term is met here; the first of a group meets its own (satisfyPodAffinity)."""
        pod = cycle.pod
        met = True
        for term in pod.affinity:
            value = node.labels.get(term.topology_key)
            if value is None:
                return False
            if state.affinity.get((term.topology_key, value), 0) <= 0:
                met = False
        if met:
            return True
        namespaces = cycle.cluster.namespace_labels()
        return not state.affinity and all(term.matches(pod, namespaces) for term in pod.affinity)

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Sum up the weights that pods on all nodes give to topology values."""
        pod, cluster = cycle.pod, cycle.cluster
        wishes = bool(pod.preferred_affinity or pod.preferred_anti_affinity)
        if self.ignore_preferred and not wishes:
            return SKIP
        weights: dict[str, dict[str, int]] = {}
        for node in cluster.order() if wishes else cluster.affinity_nodes.values():
            if node.node is None or not node.labels:
                continue
            others = node.pods if wishes else node.affinity_pods
            for other in others.values():
                self._weigh(cycle, weights, other, node)
        if not weights:
            return SKIP
        cycle.data["score " + self.name] = weights
        return None

    def _weigh(self, cycle: Cycle, weights: dict[str, dict[str, int]], other: PodInfo, node: NodeInfo) -> None:
        """Take in what one placed pod and the incoming one wish of each other (processExistingPod)."""
        pod, namespaces = cycle.pod, cycle.cluster.namespace_labels()

        def take(terms: Iterable[AffinityTerm], subject: PodInfo, sign: int) -> None:
            for term in terms:
                value = node.labels.get(term.topology_key)
                if value is not None and term.matches(subject, namespaces):
                    column = weights.setdefault(term.topology_key, {})
                    column[value] = column.get(value, 0) + sign * (term.weight or self.hard_weight)

        take(pod.preferred_affinity, other, 1)
        take(pod.preferred_anti_affinity, other, -1)
        if other.has_affinity:
            if self.hard_weight:
                take(other.affinity, pod, 1)
            take(other.preferred_affinity, pod, 1)
            take(other.preferred_anti_affinity, pod, -1)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Add up the weights of the node's topology values."""
        weights: dict[str, dict[str, int]] = cycle.data["score " + self.name]
        return sum(column.get(node.labels[key], 0) for key, column in weights.items() if key in node.labels)

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Stretch the scores over 0..100."""
        low, high = min(scores), max(scores)
        if low == high:
            return [0] * len(scores)
        # In this order, as upstream: the quotient is a float first.
        return [int(MAX_SCORE * ((score - low) / (high - low))) for score in scores]


def count(pairs: Pairs, term: AffinityTerm, node: NodeInfo, delta: int) -> None:
    """Count a met term at the node's topology value, if it has one."""
    value = node.labels.get(term.topology_key)
    if value is None:
        return
    pair = (term.topology_key, value)
    left = pairs.get(pair, 0) + delta
    if left:
        pairs[pair] = left
    else:
        pairs.pop(pair, None)
