"""Equal pods, decided about once: where one pod of a class may go, kept true as nodes change.

In: the first pod of a class, the cluster, the plugins. Out: the node for the next pod of that class,
bit for bit what the framework's plain way over all nodes gives. Plugins' own ``filter`` and
``score`` are called, for the nodes that changed since the last pod of the class; nodes that are
alike in all that counts share a :class:`Bucket`, and only buckets are compared. Which pods may
come here is decided in :mod:`kctl.scheduler.kernel`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from kctl.scheduler import ties
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import MAX_SCORE, Checks, Cycle, No
from kctl.scheduler.nodeinfo import NodeInfo, State
from kctl.scheduler.plugins.pod_topology_spread import has_keys
from kctl.scheduler.plugins.resource_scores import round_half_up
from kctl.scheduler.plugins.spread_constraints import HOSTNAME, Constraint, count_matching

Counts = tuple[int, ...]


class Scorer(NamedTuple):
    """A plugin whose score of a node depends on the pod's class and that node alone."""

    plugin: Any
    weight: int
    normalizes: bool


class Group(NamedTuple):
    """The topology of a node: its value per constraint (for the host, "" for any), None where it has none."""

    values: tuple[str | None, ...]
    ignored: bool
    """The node lacks a key that the pod's own constraints name: it gets no points for spreading."""


class Bucket:
    """Feasible nodes with the same topology, matching pods and raw scores."""

    __slots__ = ("fixed", "group", "hosts", "nodes", "raw", "size")

    def __init__(self, group: Group, hosts: Counts, raw: Counts, fixed: int) -> None:
        self.group = group
        self.hosts = hosts
        self.raw = raw
        self.fixed = fixed
        """The weighted scores that are not normalised, added up."""
        self.nodes: list[int] = []
        """A heap of positions; those that have left are dropped when they come up."""
        self.size = 0


class Spread(NamedTuple):
    """The soft constraints of a class; ``own`` when they are the pod's and not the system's."""

    constraints: tuple[Constraint, ...] = ()
    own: bool = False
    weight: int = 1


class Rules(NamedTuple):
    """What a class is judged by."""

    checks: Checks
    scorers: tuple[Scorer, ...]
    spread: Spread
    order: tuple[str, ...]
    """Every plugin that scores, in the order of the profile."""
    by_state: bool = False
    """The checks and scorers look at nothing of a node but its state: nodes in one state are judged once."""


class Judgement(NamedTuple):
    """What a class thinks of a node: a refusal, or its raw scores."""

    no: No | None
    raw: Counts = ()


class PodClass:
    """The nodes as pods of one class see them."""

    def __init__(self, cycle: Cycle, rules: Rules) -> None:
        cluster = cycle.cluster
        self.rules = rules
        self.cycle = cycle
        self.epoch = cluster.epoch
        self.position = cluster.log.end
        self.nodes: Sequence[NodeInfo] = cluster.order()
        self.place_of = {node.name: n for n, node in enumerate(self.nodes)}
        self.buckets: dict[tuple[Group, Counts, Counts], Bucket] = {}
        self.refusals: dict[int, No] = {}
        constraints = rules.spread.constraints
        self.kinds = list({c.identity: c for c in constraints}.values())
        """One constraint for each different selector."""
        self.kind_of = [self.kinds.index(next(k for k in self.kinds if k.identity == c.identity)) for c in constraints]
        self.hosts = [k for k, c in zip(self.kind_of, constraints, strict=True) if c.topology_key == HOSTNAME]
        self.groups, self.counted = self._topology()
        self.matching = self._count_all()
        self.sums: list[dict[str, int]] = [{} for _ in constraints]
        """Matching pods per constraint and value, over all nodes that count."""
        self.present: list[dict[str, int]] = [{} for _ in constraints]
        """Feasible nodes per constraint and value."""
        self.points: list[int] = []
        """The points for spreading of the last decision, by bucket."""
        self.rated = 0
        self.feasible = 0
        for n, counts in enumerate(self.matching):
            if any(counts):
                self._add_to_sums(n, counts, 1)
        self.where: list[Bucket | None] = [None] * len(self.nodes)
        judged: dict[State, Judgement] = {}
        for n in range(len(self.nodes)):
            self._judge(n, judged)

    # -- what is known of a node

    def _topology(self) -> tuple[list[Group], list[tuple[tuple[int, str], ...]]]:
        """Return the topology of every node, and the constraints for which it counts.

        Classes whose constraints name the same keys and include every node share that.
        """
        constraints, pod = self.rules.spread.constraints, self.cycle.pod
        includes_all = pod.required_node_affinity is None and not any(c.honor_taints for c in constraints)
        shared = self.cycle.cluster.topologies if includes_all else {}
        place = (self.epoch, self.rules.spread.own, *(c.topology_key for c in constraints))
        found = shared.get(place)
        if found is None:
            if any(epoch != self.epoch for epoch, *_ in shared):
                shared.clear()
            found = shared[place] = ([self._group(node) for node in self.nodes], [self._counted(n) for n in self.nodes])
        return found

    def _count_all(self) -> list[list[int]]:
        """Return the matching pods of every node; none where nobody has the labels that all of them would have."""
        carriers, namespace = self.cycle.cluster.carriers, self.cycle.pod.namespace
        if all(any(not carriers.get((namespace, *label)) for label in kind.exact) for kind in self.kinds):
            return [[0] * len(self.kinds) for _ in self.nodes]
        return [self._count_pods(node) for node in self.nodes]

    def _group(self, node: NodeInfo) -> Group:
        constraints = self.rules.spread.constraints
        ignored = self.rules.spread.own and not has_keys(node, constraints)
        values = [node.labels.get(c.topology_key) for c in constraints]
        pairs = zip(values, constraints, strict=True)
        return Group(tuple("" if c.topology_key == HOSTNAME and v is not None else v for v, c in pairs), ignored)

    def _counted(self, node: NodeInfo) -> tuple[tuple[int, str], ...]:
        """Return the constraints, with the node's value, for which its pods count beyond the node."""
        if self.rules.spread.own and not has_keys(node, self.rules.spread.constraints):
            return ()
        return tuple(
            (n, node.labels.get(c.topology_key, ""))
            for n, c in enumerate(self.rules.spread.constraints)
            if c.topology_key != HOSTNAME and c.includes(self.cycle.pod, node)
        )

    def _count_pods(self, node: NodeInfo) -> list[int]:
        cycle = self.cycle
        return [count_matching(cycle.cluster, node, kind, cycle.pod.namespace) for kind in self.kinds]

    def _add_to_sums(self, place: int, counts: Sequence[int], sign: int) -> None:
        for n, value in self.counted[place]:
            sums = self.sums[n]
            sums[value] = sums.get(value, 0) + sign * counts[self.kind_of[n]]

    def _judgement(self, node: NodeInfo, judged: dict[State, Judgement] | None) -> Judgement:
        """Filter and score one node; ``judged`` knows what was said of nodes in the same state."""
        state = node.state() if judged is not None and self.rules.by_state else None
        if judged is not None and state is not None:
            found = judged.get(state)
            if found is None:
                found = judged[state] = self._judgement(node, None)
            return found
        cycle = self.cycle
        for check in self.rules.checks:
            no = check(cycle, node)
            if no is not None:
                return Judgement(no)
        return Judgement(None, tuple([scorer.plugin.score(cycle, node) for scorer in self.rules.scorers]))

    def _judge(self, place: int, judged: dict[State, Judgement] | None = None) -> None:
        """Filter and score one node, and put it into its bucket."""
        bucket = self.where[place]
        no, raw = self._judgement(self.nodes[place], judged)
        if no is not None:
            self.refusals[place] = no
            if bucket is not None:
                self._leave(place, bucket)
                self._count_feasible(place, -1)
            return
        matching = self.matching[place]
        key = (self.groups[place], tuple([matching[k] for k in self.hosts]), raw)
        found = self.buckets.get(key)
        if found is not None and found is bucket:
            return
        if bucket is not None:
            self._leave(place, bucket)
        else:
            self.refusals.pop(place, None)
            self._count_feasible(place, 1)
        if found is None:
            fixed = sum(s.weight * r for s, r in zip(self.rules.scorers, raw, strict=True) if not s.normalizes)
            found = self.buckets[key] = Bucket(*key, fixed)
        found.size += 1
        heapq.heappush(found.nodes, place)
        self.where[place] = found

    def _leave(self, place: int, bucket: Bucket) -> None:
        self.where[place] = None
        bucket.size -= 1
        if not bucket.size:
            del self.buckets[bucket.group, bucket.hosts, bucket.raw]

    def _count_feasible(self, place: int, sign: int) -> None:
        self.feasible += sign
        if self.groups[place].ignored:
            return
        self.rated += sign
        labels = self.nodes[place].labels
        for n, constraint in enumerate(self.rules.spread.constraints):
            if constraint.topology_key == HOSTNAME:
                continue
            value = labels.get(constraint.topology_key, "")
            present = self.present[n]
            left = present.get(value, 0) + sign
            if left:
                present[value] = left
            else:
                del present[value]

    # -- keeping it true

    def catch_up(self, cluster: Cluster) -> bool:
        """Take in what happened since the last pod; False when too much did, and the class is void."""
        changes = cluster.log.since(self.position) if self.epoch == cluster.epoch else None
        if changes is None:
            return False
        self.position = cluster.log.end
        namespace = self.cycle.pod.namespace
        touched: dict[int, None] = {}
        for change in changes:
            place = self.place_of.get(change.node)
            if place is None:
                continue  # the node does not exist; that it comes moves the epoch
            touched[place] = None
            if change.by and change.namespace == namespace:
                for k, kind in enumerate(self.kinds):
                    if not kind.counts_none and kind.matches(change.labels):
                        self._count(place, k, change.by)
        for place in touched:
            self._judge(place)
        return True

    def _count(self, place: int, kind: int, by: int) -> None:
        self.matching[place][kind] += by
        for n, value in self.counted[place]:
            if self.kind_of[n] == kind:
                self.sums[n][value] = self.sums[n].get(value, 0) + by

    # -- choosing

    def choose(self, uid: str = "", pick: ties.Ties = ties.first) -> str:
        """Return the node that is picked of the best in scheduling order, "" when none is feasible."""
        if not self.feasible:
            return ""
        buckets = list(self.buckets.values())
        totals = self.totals(buckets)
        top = max(totals)
        if pick is not ties.first:
            best = {id(bucket) for bucket, total in zip(buckets, totals, strict=True) if total == top}
            return pick(uid, [self.nodes[n].name for n, bucket in enumerate(self.where) if id(bucket) in best])
        place = min(self._first(b) for b, total in zip(buckets, totals, strict=True) if total == top)
        return self.nodes[place].name

    def _first(self, bucket: Bucket) -> int:
        heap, where = bucket.nodes, self.where
        while where[heap[0]] is not bucket:
            heapq.heappop(heap)
        return heap[0]

    def totals(self, buckets: Sequence[Bucket]) -> list[int]:
        """Return the total of each bucket's nodes."""
        totals = [bucket.fixed for bucket in buckets]
        for n, scorer in enumerate(self.rules.scorers):
            if scorer.normalizes:
                points = self.normalized(n, scorer, buckets)
                totals = [a + scorer.weight * b for a, b in zip(totals, points, strict=True)]
        if self.rules.spread.constraints:
            weight = self.rules.spread.weight
            self.points = self.spread(buckets)
            totals = [a + weight * b for a, b in zip(totals, self.points, strict=True)]
        return totals

    def normalized(self, n: int, scorer: Scorer, buckets: Sequence[Bucket]) -> list[int]:
        """Return a plugin's points for each bucket."""
        points: list[int] = scorer.plugin.normalize(self.cycle, [bucket.raw[n] for bucket in buckets], ())
        return points

    def spread(self, buckets: Sequence[Bucket]) -> list[int]:
        """Return the points of PodTopologySpread for each bucket, in the arithmetic of its score and normalize."""
        constraints = self.rules.spread.constraints
        weights = [
            math.log((self.rated if c.topology_key == HOSTNAME else len(self.present[n])) + 2)
            for n, c in enumerate(constraints)
        ]
        raw: list[int] = []
        for bucket in buckets:
            score = 0.0
            at = 0
            if not bucket.group.ignored:
                for n, constraint in enumerate(constraints):
                    is_host = constraint.topology_key == HOSTNAME
                    value = bucket.group.values[n]
                    if value is not None:
                        count = bucket.hosts[at] if is_host else self.sums[n].get(value, 0)
                        score += count * weights[n] + (constraint.max_skew - 1)
                    at += is_host
            raw.append(round_half_up(score))
        rated = [score for score, bucket in zip(raw, buckets, strict=True) if not bucket.group.ignored]
        low, high = min(rated, default=0), max(rated, default=0)
        return [
            0 if bucket.group.ignored else MAX_SCORE * (high + low - score) // high if high else MAX_SCORE
            for score, bucket in zip(raw, buckets, strict=True)
        ]
