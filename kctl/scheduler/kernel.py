"""The fast way of the scheduling cycle: pods alike are decided about from what is known of their class.

In: the cluster and a pod. Out: a :class:`Placed`, or None when the plain way of the framework has to
decide: the first pod of a class, pods whose fate hangs on other pods' places in ways that
:mod:`kctl.scheduler.equivalence` does not keep (hard spreading, affinity between pods, nominations),
and pods that fit nowhere. The plain way is the specification; a property test holds the two equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from kctl.api.objects import Key, Obj, controller_of
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.equivalence import Bucket, PodClass, Rules, Scorer, Spread
from kctl.scheduler.extension import SKIP, Cycle
from kctl.scheduler.framework import Framework, Outcome, names_of
from kctl.scheduler.plugins import pod_topology_spread
from kctl.scheduler.plugins.spread_constraints import OWNERS, constraints_of, default_constraints
from kctl.scheduler.podinfo import PodInfo, reports_resources

CLASSES = 128
"""So many classes are kept; the one not used for longest goes first."""
ELSEWHERE = ("PodTopologySpread", "InterPodAffinity")
"""Scores that depend on more than the node: the first is kept by the class, the second keeps pods out."""
BY_STATE = frozenset(
    (
        "DynamicResources",
        "ImageLocality",
        "NodeResourcesBalancedAllocation",
        "NodeResourcesFit",
        "NodeUnschedulable",
        "TaintToleration",
    )
)
"""Plugins that look at nothing of a node but what :meth:`NodeInfo.state` has."""


class Placed(NamedTuple):
    """A decision made the fast way; ``recall`` writes it as the plain way would have."""

    pod: PodInfo
    node: str
    recall: Callable[[], Outcome]


class Known(NamedTuple):
    """A class and what its constraints were made from."""

    state: PodClass
    made_from: tuple[Any, ...]


class Kernel:
    """The classes of one cluster."""

    def __init__(self, framework: Framework) -> None:
        self._framework = framework
        self._classes: dict[tuple[Any, ...], Known | None] = {}
        self._signatures: dict[int, tuple[Obj, str]] = {}

    def schedule(self, cluster: Cluster, pod: PodInfo) -> Placed | None:
        """Decide for one pod; None leaves it to the plain way."""
        framework = self._framework
        if not framework.is_default or framework.samples:
            return None
        if cluster.nominated or cluster.affinity_nodes or pod.has_affinity or pod.nominated:
            return None
        if pod.claims or pod.disks or reports_resources(pod.obj):
            return None
        key = self._class_of(pod)
        if key not in self._classes and not _has_siblings(cluster, pod):
            self._remember(key, None)
            return None
        cluster.snapshot()
        state = self._state(cluster, pod, key)
        if state is None:
            return None
        node = state.choose(pod.uid, framework.pick)
        return Placed(pod, node, recorded(state, pod, node)) if node else None

    def _class_of(self, pod: PodInfo) -> tuple[Any, ...]:
        """Return what makes pods alike to all plugins."""
        owner = controller_of(pod.obj)
        return (
            pod.namespace,
            tuple(sorted(pod.labels.items())),
            (owner["apiVersion"], owner["kind"], owner["name"]) if owner else None,
            self._signature(pod.spec),
        )

    def _signature(self, spec: Obj) -> str:
        """Write a spec without its volumes, which no plugin reads and whose names may differ.

        Pods made in one call share their spec, so it is written once.
        """
        found = self._signatures.get(id(spec))
        if found is not None and found[0] is spec:
            return found[1]
        plain = {name: value for name, value in spec.items() if name != "volumes"}
        for name in ("containers", "initContainers"):
            if spec.get(name):
                plain[name] = [{k: v for k, v in c.items() if k != "volumeMounts"} for c in spec[name]]
        text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
        if len(self._signatures) >= CLASSES:
            self._signatures.clear()
        self._signatures[id(spec)] = (spec, text)
        return text

    def _remember(self, key: tuple[Any, ...], known: Known | None) -> None:
        self._classes.pop(key, None)
        self._classes[key] = known
        if len(self._classes) > CLASSES:
            del self._classes[next(iter(self._classes))]

    def _state(self, cluster: Cluster, pod: PodInfo, key: tuple[Any, ...]) -> PodClass | None:
        """Return the class brought up to date, None when its pods cannot be decided about this way."""
        known = self._classes.get(key)
        made_from = self._constraints_made_from(cluster, pod)
        if known is not None and known.made_from == made_from and known.state.catch_up(cluster):
            return known.state
        state = self._build(cluster, PodInfo(pod.obj))
        if state is not None:
            self._remember(key, Known(state, made_from))
        return state

    @staticmethod
    def _constraints_made_from(cluster: Cluster, pod: PodInfo) -> tuple[Any, ...]:
        """Return what default constraints depend on beside the pod: services, and its owner's selector."""
        if pod.spec.get("topologySpreadConstraints"):
            return ()
        selector = (_owner(cluster, pod) or {}).get("spec", {}).get("selector")
        return (cluster.caches["services"].changes, selector)

    def _build(self, cluster: Cluster, pod: PodInfo) -> PodClass | None:
        framework = self._framework
        cycle = Cycle(cluster, pod)
        skipped: set[str] = set()
        only, no = framework.run_pre_filters(cycle, skipped)
        if only is not None or no is not None or pod_topology_spread.NAME in cycle.data:
            return None
        scorers = []
        for plugin, prepare, normalise in framework.scorers:
            if plugin.name in ELSEWHERE or (prepare is not None and prepare.pre_score(cycle, ()) is SKIP):
                continue
            scorers.append(Scorer(plugin, framework.weights.get(plugin.name, 1), normalise is not None))
        filters = [f for f in framework.filters if f.name not in skipped]
        by_state = {f.name for f in filters} | {s.plugin.name for s in scorers} <= BY_STATE
        own = bool(pod.spec.get("topologySpreadConstraints"))
        constraints = constraints_of(pod, "ScheduleAnyway") if own else default_constraints(cluster, pod)
        spread = Spread(tuple(constraints), own, framework.weights.get(pod_topology_spread.NAME, 1))
        order = tuple(plugin.name for plugin, _, _ in framework.scorers)
        return PodClass(cycle, Rules([f.filter for f in filters], tuple(scorers), spread, order, by_state))


def _owner(cluster: Cluster, pod: PodInfo) -> Obj | None:
    """Return the workload that controls the pod, where its kind is one that services' constraints know."""
    ref = controller_of(pod.obj)
    resource = OWNERS.get((ref["apiVersion"], ref["kind"])) if ref else None
    return cluster.caches[resource].get(Key(pod.namespace, ref["name"])) if ref and resource else None


def _has_siblings(cluster: Cluster, pod: PodInfo) -> bool:
    """Say whether more pods like this one are to be expected, so that knowing their class pays at once."""
    replicas = (_owner(cluster, pod) or {}).get("spec", {}).get("replicas")
    return replicas is not None and int(replicas) > 1


def recorded(state: PodClass, pod: PodInfo, node: str) -> Callable[[], Outcome]:
    """Return what writes the decision just made, also after the class has moved on."""
    where = list(state.where)
    refusals = dict(state.refusals)
    buckets = list(state.buckets.values())
    rules, nodes = state.rules, state.nodes
    columns = _columns(state, buckets)

    def recall() -> Outcome:
        places = [n for n, bucket in enumerate(where) if bucket is not None]
        names = tuple(nodes[n].name for n in places)
        refused = {nodes[n].name: refusals[n] for n in sorted(refusals)}
        if len(places) == 1:
            return Outcome(pod, names[0], "", "", names_of(nodes), refused, None, names, best=names)
        row_of = {id(bucket): n for n, bucket in enumerate(buckets)}
        rows = [row_of[id(where[n])] for n in places]
        points = columns()
        scores = {name: [points[name][row] for row in rows] for name in rules.order if name in points}
        totals = tuple(map(sum, zip(*scores.values(), strict=True))) if scores else (0,) * len(places)
        top = max(totals)
        best = tuple(name for name, total in zip(names, totals, strict=True) if total == top)
        return Outcome(pod, node, "", "", names_of(nodes), refused, None, names, scores, totals, best)

    return recall


def _columns(state: PodClass, buckets: list[Bucket]) -> Callable[[], dict[str, list[int]]]:
    """Return what works out the weighted points by plugin; spreading, which moves on, is worked out now."""
    rules = state.rules
    spread = [rules.spread.weight * p for p in state.points] if rules.spread.constraints else None

    def columns() -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for n, scorer in enumerate(rules.scorers):
            raw = state.normalized(n, scorer, buckets) if scorer.normalizes else [b.raw[n] for b in buckets]
            out[scorer.plugin.name] = [scorer.weight * score for score in raw]
        if spread is not None:
            out[pod_topology_spread.NAME] = spread
        return out

    return columns
