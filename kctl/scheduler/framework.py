"""The scheduling cycle: decide for one pod.

In: a :class:`~kctl.scheduler.cluster.Cluster` and a pod. Out: an :class:`Outcome`: the node, or why there
is none, with everything needed to explain it. Nothing is written and nothing is assumed here. The order of
the steps and their arithmetic are kube-scheduler's; all nodes are filtered and scored, where upstream
samples clusters of 100 nodes or more, unless the profile asks for the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.scheduler import ties
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import (
    NOT_FOUND,
    SKIP,
    Bind,
    Checks,
    Cycle,
    Filter,
    No,
    NormalizeScore,
    PostFilter,
    Preemption,
    PreEnqueue,
    PreFilter,
    PreFilterExtensions,
    PreScore,
    QueueSort,
    Refused,
    Reservation,
    Reserve,
    Score,
    Skip,
)
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo

if TYPE_CHECKING:
    from kctl.runtime.actions import Action


class Outcome(NamedTuple):
    """The decision for one pod."""

    pod: PodInfo
    node: str = ""
    reason: str = ""
    message: str = ""
    considered: tuple[str, ...] = ()
    """All nodes, in scheduling order."""
    refusals: dict[str, No] = {}  # noqa: RUF012 never written to
    absent: No | None = None
    """Why the nodes that were not looked at are out (PreFilter named others, or refused the pod)."""
    feasible: tuple[str, ...] = ()
    scores: dict[str, list[int]] = {}  # noqa: RUF012 weighted, in order of ``feasible``
    totals: tuple[int, ...] = ()
    best: tuple[str, ...] = ()
    plugins: frozenset[str] = frozenset()
    """The plugins that refused; an event that one of them registered may help."""
    preemption: Preemption | None = None


MIN_NODES = 100
"""Sampling finds at least so many feasible nodes (minFeasibleNodesToFind)."""


class Framework:
    """A profile: plugins in their order, with weights.

    ``points`` names the plugins of each extension point in order; without it every plugin runs wherever it
    can, in the order given. ``percentage`` is how many of the nodes have to be found feasible (None: all).
    """

    def __init__(
        self,
        plugins: Sequence[Any],
        weights: Mapping[str, int],
        points: Mapping[str, Sequence[str]] | None = None,
        *,
        name: str = "default-scheduler",
        percentage: int | None = None,
        pick: ties.Ties = ties.first,
    ) -> None:
        self.name = name
        self.plugins = tuple(plugins)
        self.by_name: dict[str, Any] = {plugin.name: plugin for plugin in plugins}
        self.weights = weights
        self.percentage = percentage
        self.pick = pick
        """Chooses among the best nodes."""

        def at(point: str, extends: Any) -> list[Any]:
            chosen = plugins if points is None else [self.by_name[n] for n in points[point] if n in self.by_name]
            return [plugin for plugin in chosen if isinstance(plugin, extends)]

        self.sort_key = at("queueSort", QueueSort)[0].sort_key
        self.binding = at("bind", Bind)[0].binding
        self.pre_enqueue: list[PreEnqueue] = at("preEnqueue", PreEnqueue)
        self.pre_filters: list[PreFilter] = at("preFilter", PreFilter)
        self.filters: list[Filter] = at("filter", Filter)
        self.extensions: list[PreFilterExtensions] = at("preFilter", PreFilterExtensions)
        self.post_filters: list[PostFilter] = at("postFilter", PostFilter)
        self.reservers: list[Reserve] = at("reserve", Reserve)
        prepares = at("preScore", PreScore)
        self.scorers: list[tuple[Score, PreScore | None, NormalizeScore | None]] = [
            (p, p if p in prepares else None, p if isinstance(p, NormalizeScore) else None) for p in at("score", Score)
        ]

    @property
    def bind_timeout(self) -> float:
        """How long pods wait for their volumes."""
        found: float = getattr(self.by_name.get("VolumeBinding"), "bind_timeout", 0.0)
        return found

    @property
    def samples(self) -> bool:
        """Say whether the cycle stops looking once it has found enough nodes."""
        return self.percentage is not None or not self.scorers

    # -- the cycle

    def gated(self, pod: PodInfo, cluster: Cluster) -> Outcome | None:
        """Return the outcome of a pod that may not be queued, as RunPreEnqueuePlugins."""
        for plugin in self.pre_enqueue:
            no = plugin.pre_enqueue(pod, cluster)
            if no is not None:
                return Outcome(pod, reason="SchedulingGated", message=no.reasons[0], plugins=frozenset({no.plugin}))
        return None

    def schedule(self, cluster: Cluster, pod: PodInfo) -> Outcome:
        """Decide for one pod, as schedulingCycle without assuming anything."""
        cluster.snapshot()
        nodes = cluster.order()
        if not nodes:
            return Outcome(pod, reason="Unschedulable", message="no nodes available to schedule pods")
        cycle = Cycle(cluster, pod)
        skipped: set[str] = set()
        only, no = self.run_pre_filters(cycle, skipped)
        if no is not None:
            return self.unschedulable(cycle, Refused(nodes, {}, no, pod_refused=True), skipped)
        absent = None
        candidates = nodes
        if only is not None:
            names, plugins = only
            candidates = [node for node in nodes if node.name in names]
            listed = " ".join(sorted(plugins))
            absent = No(min(plugins), (f"node(s) didn't satisfy plugin(s) [{listed}]",), True)
        filters = [f.filter for f in self.filters if f.name not in skipped]
        chosen = self._nominated(cycle, filters, candidates)
        if chosen is not None:
            return Outcome(pod, chosen.name, considered=names_of(nodes), feasible=(chosen.name,), best=(chosen.name,))
        refusals: dict[str, No] = {}
        if self.samples:
            feasible = self._sample(cycle, filters, candidates, refusals)
        else:
            feasible = self.run_filters(cycle, filters, candidates, refusals)
        wrong = next((no for no in refusals.values() if no.is_error), None)
        if wrong is not None:
            return self._failed(cycle, nodes, wrong)
        if not feasible:
            return self.unschedulable(cycle, Refused(nodes, refusals, absent), skipped)
        return self._select(cycle, nodes, feasible, refusals, absent)

    def run_pre_filters(
        self, cycle: Cycle, skipped: set[str]
    ) -> tuple[tuple[frozenset[str], set[str]] | None, No | None]:
        """Return the only nodes to look at with the plugins that said so, and a refusal; either may be None."""
        only: frozenset[str] | None = None
        by: set[str] = set()
        refusal: No | None = None
        for plugin in self.pre_filters:
            said = plugin.pre_filter(cycle)
            if isinstance(said, Skip):
                skipped.add(plugin.name)
            elif isinstance(said, No):
                if said.unresolvable:
                    return None, said
                refusal = refusal or said
            elif said is not None:
                only = said if only is None else only & said
                by.add(plugin.name)
                if not only:
                    listed = " ".join(sorted(by))
                    why = f"node(s) didn't satisfy plugin(s) [{listed}] simultaneously"
                    return None, No(
                        plugin.name, (why if len(by) > 1 else f"node(s) didn't satisfy plugin {listed}",), True
                    )
        if refusal is not None:
            return None, refusal
        return (None if only is None else (only, by)), None

    def _nominated(self, cycle: Cycle, filters: Checks, candidates: Sequence[NodeInfo]) -> NodeInfo | None:
        """Return the node preemption made room on, if the pod fits there now (evaluateNominatedNode)."""
        name = cycle.pod.nominated
        if not name:
            return None
        for node in candidates:
            if node.name == name and self.refuse(cycle, filters, node) is None:
                return node
        return None

    def run_filters(
        self,
        cycle: Cycle,
        filters: Checks,
        nodes: Sequence[NodeInfo],
        refusals: dict[str, No],
    ) -> list[NodeInfo]:
        """Return the nodes that pass; put the first refusal of each other node into ``refusals``."""
        feasible = []
        nominated = cycle.cluster.nominated
        for node in nodes:
            if nominated and node.name in nominated:
                no = self.refuse(cycle, filters, node)
            else:
                for check in filters:
                    no = check(cycle, node)
                    if no is not None:
                        break
                else:
                    no = None
            if no is None:
                feasible.append(node)
            else:
                refusals[node.name] = no
        return feasible

    def _sample(
        self, cycle: Cycle, filters: Checks, nodes: Sequence[NodeInfo], refusals: dict[str, No]
    ) -> list[NodeInfo]:
        """Find some feasible nodes, beginning where the last cycle left off (findNodesThatPassFilters).

        What is looked at is what upstream looks at with parallelism 1: up to the node after the last one wanted.
        """
        cluster, wanted = cycle.cluster, self.wanted(len(nodes))
        start = cluster.next_start
        feasible: list[NodeInfo] = []
        for n in range(len(nodes)):
            node = nodes[(start + n) % len(nodes)]
            found = self.run_filters(cycle, filters, (node,), refusals)
            if found and len(feasible) == wanted:
                break
            feasible += found
        cluster.next_start = (start + len(feasible) + len(refusals)) % len(cluster.order())
        return feasible

    def wanted(self, nodes: int) -> int:
        """Return how many feasible nodes are enough (numFeasibleNodesToFind)."""
        if not self.scorers:
            return 1
        if nodes < MIN_NODES or self.percentage is None:
            return nodes
        percentage = self.percentage or max(50 - nodes // 125, 5)
        return max(nodes * percentage // 100, MIN_NODES)

    def refuse(self, cycle: Cycle, filters: Checks, node: NodeInfo) -> No | None:
        """Filter one node with the pods nominated to it, and without (RunFilterPluginsWithNominatedPods)."""
        pod = cycle.pod
        guests = [
            guest
            for guest in cycle.cluster.nominated.get(node.name, {}).values()
            if guest.priority >= pod.priority and guest.key != pod.key
        ]
        if guests:
            trial, crowded = cycle.clone(), node.clone()
            for guest in guests:
                crowded.add_pod(guest)
                self.add_pod(trial, guest, crowded)
            no = first_refusal(trial, filters, crowded)
            if no is not None:
                return no
        return first_refusal(cycle, filters, node)

    def add_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Tell plugins that a pod is now on the node (RunPreFilterExtensionAddPod)."""
        for plugin in self.extensions:
            plugin.add_pod(cycle, pod, node)

    def remove_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Tell plugins that a pod is no longer on the node (RunPreFilterExtensionRemovePod)."""
        for plugin in self.extensions:
            plugin.remove_pod(cycle, pod, node)

    def reserve(self, cluster: Cluster, pod: PodInfo, node: str) -> list[Reservation]:
        """Promise a pod that has its node what it will have to wait for (RunReservePlugins)."""
        found = [plugin.reserve(cluster, pod, node) for plugin in self.reservers]
        return [reservation for reservation in found if reservation is not None]

    # -- scoring

    def _select(
        self,
        cycle: Cycle,
        nodes: Sequence[NodeInfo],
        feasible: list[NodeInfo],
        refusals: dict[str, No],
        absent: No | None,
    ) -> Outcome:
        """Score the feasible nodes and take one of the best (one alone is not scored)."""
        names = tuple(node.name for node in feasible)
        if len(feasible) == 1:
            return Outcome(cycle.pod, names[0], "", "", names_of(nodes), refusals, absent, names, best=names)
        scores = self.run_scores(cycle, feasible)
        totals = tuple(map(sum, zip(*scores.values(), strict=True))) if scores else (0,) * len(feasible)
        top = max(totals)
        best = tuple(name for name, total in zip(names, totals, strict=True) if total == top)
        node = self.pick(cycle.pod.uid, best)
        return Outcome(cycle.pod, node, "", "", names_of(nodes), refusals, absent, names, scores, totals, best)

    def run_scores(self, cycle: Cycle, nodes: list[NodeInfo]) -> dict[str, list[int]]:
        """Return the weighted scores by plugin, in order of ``nodes``."""
        scores: dict[str, list[int]] = {}
        for plugin, prepare, normalise in self.scorers:
            if prepare is not None and prepare.pre_score(cycle, nodes) is SKIP:
                continue
            rate = plugin.score
            raw = [rate(cycle, node) for node in nodes]
            if normalise is not None:
                raw = normalise.normalize(cycle, raw, nodes)
            weight = self.weights.get(plugin.name, 1)
            scores[plugin.name] = raw if weight == 1 else [weight * score for score in raw]
        return scores

    # -- failing

    def _failed(self, cycle: Cycle, nodes: Sequence[NodeInfo], wrong: No) -> Outcome:
        """Return the outcome of a pod that a filter cannot judge (an error of RunFilterPlugins)."""
        message = f'running "{wrong.plugin}" filter plugin: {", ".join(wrong.reasons)}'
        names = names_of(nodes)
        plugins = frozenset({wrong.plugin})
        return Outcome(cycle.pod, "", "SchedulerError", message, names, absent=wrong, plugins=plugins)

    def unschedulable(self, cycle: Cycle, refused: Refused, skipped: set[str]) -> Outcome:
        """Return why no node fits, after PostFilter plugins had their word."""
        cycle.data["skipped"] = skipped
        message = fit_error(refused)
        plugins = {no.plugin for no in refused.refusals.values()}
        if refused.absent is not None and len(refused.refusals) < len(refused.nodes):
            plugins.add(refused.absent.plugin)
        preemption, why = self._post_filter(cycle, refused)
        return Outcome(
            cycle.pod,
            reason="Unschedulable",
            message=f"{message} {why}" if why else message,
            considered=names_of(refused.nodes),
            refusals=refused.refusals,
            absent=refused.absent,
            plugins=frozenset(plugins),
            preemption=preemption,
        )

    def _post_filter(self, cycle: Cycle, refused: Refused) -> tuple[Preemption | None, str]:
        """Run PostFilter plugins and join what they say; success silences them all."""
        said = []
        actions: tuple[Action, ...] = ()
        last: Preemption | None = None
        for plugin in self.post_filters:
            last = plugin.post_filter(self, cycle, refused)
            if last.node:
                return last, ""
            said.append(last.message)
            actions += last.actions
            if last.message == NOT_FOUND:
                break
        if last is not None and actions != last.actions:
            last = last._replace(actions=actions)
        return last, ", ".join(said)


def names_of(nodes: Sequence[NodeInfo]) -> tuple[str, ...]:
    """Return the nodes' names."""
    return tuple(node.name for node in nodes)


def first_refusal(cycle: Cycle, filters: Checks, node: NodeInfo) -> No | None:
    """Return the first refusal of the node."""
    for check in filters:
        no = check(cycle, node)
        if no is not None:
            return no
    return None


def fit_error(refused: Refused) -> str:
    """Write the message of a FitError: counts per reason, sorted as text."""
    total = len(refused.nodes)
    head = f"0/{total} nodes are available:"
    if refused.pod_refused and refused.absent is not None:
        return f"{head} {', '.join(refused.absent.reasons)}."
    counts: dict[str, int] = {}
    for no in refused.refusals.values():
        for reason in no.reasons:
            counts[reason] = counts.get(reason, 0) + 1
    missing = total - len(refused.refusals)
    if refused.absent is not None and missing:
        for reason in refused.absent.reasons:
            counts[reason] = counts.get(reason, 0) + missing
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"{head} {listed}." if listed else head
