"""The nodes as objects, as long as none comes, goes or changes: what classes of pods share about them.

In: the nodes in scheduling order. Out: topology values per key, and for each way pods look at node objects
(tolerations, selectors, affinity) which nodes are out and how the others rate, worked out by the
plugins themselves, once for nodes that are alike in what the plugin reads.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.kernel.recipe import NodeScore, Recipe, shape_of
from kctl.scheduler.match import untolerated
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.shape import TAINTS


class Declined(Exception):
    """The pod is not one that the kernel can decide about."""


class Topology(NamedTuple):
    """The values of one label key, None where a node has none; ``is_unique``: no two nodes share one."""

    values: list[str | None]
    is_unique: bool
    is_full: bool
    """No node lacks the label."""
    places: list[int | None]
    """The place of each node that has the label."""


class Static(NamedTuple):
    """What pods of one look make of node objects."""

    mask: bytearray | None
    """1 for nodes that pass; None when all do."""
    of: list[int] | None
    """The rating of each node; None when all have the first."""
    ratings: list[tuple[int, ...]]
    """Raw scores, in order of ``scores``."""
    scores: list[NodeScore]


class Landscape:
    """Facts about the nodes of one epoch."""

    def __init__(self, cluster: Cluster, recipe: Recipe) -> None:
        self.epoch = cluster.epoch
        self._retainted = cluster.retainted.end
        self.recipe = recipe
        self.nodes: Sequence[NodeInfo] = cluster.order()
        self.place_of = {node.name: node.place for node in self.nodes}
        self._topologies: dict[str, Topology] = {}
        self._statics: dict[str, Static] = {}
        self._groups: dict[Hashable, tuple[list[int], list[Any]]] = {}
        self.arrays: dict[Hashable, Any] = {}
        """Groups as arrays, kept for who works with arrays."""
        self._tainted: tuple[list[int], list[NodeInfo]] | None = None
        self.is_plain = not any(n.hard_taints or n.soft_taints or n.unschedulable for n in self.nodes)

    def stands(self, cluster: Cluster) -> bool:
        """Say whether what was found holds although nodes have other taints now; no pod known sees a difference."""
        changed = cluster.retainted.since(self._retainted)
        if changed == []:
            return True
        self._retainted = cluster.retainted.end
        if changed is None:
            return False
        known = [json.loads(look)[0] or () for look in self._statics]
        for node, hard, soft in changed:
            if soft != node.soft_taints:
                return False
            if any(untolerated(hard, some) != untolerated(node.hard_taints, some) for some in known):
                return False
        self._tainted = None
        self.is_plain = self.is_plain and not any(node.hard_taints for node, _, _ in changed)
        return True

    def topology(self, key: str) -> Topology:
        """Return the nodes' values of a label."""
        found = self._topologies.get(key)
        if found is None:
            values = [node.labels.get(key) for node in self.nodes]
            present = [value for value in values if value is not None]
            places = [None if value is None else n for n, value in enumerate(values)]
            is_full = len(present) == len(values)
            found = self._topologies[key] = Topology(values, len(set(present)) == len(present), is_full, places)
        return found

    def places_of(self, values: Sequence[Any]) -> dict[Any, int] | None:
        """Return the place of the node with each of these values of a label; None when a node lacks the label."""
        for key, topology in self._topologies.items():
            if topology.values is values and topology.is_full:
                found: dict[Any, int] | None = self.arrays.get(("places", key))
                if found is None:
                    found = self.arrays["places", key] = {value: n for n, value in enumerate(values)}
                return found
        return None

    def groups(self, key: Hashable, columns: Sequence[Sequence[Any]]) -> tuple[list[int], list[tuple[Any, ...]]]:
        """Number the different rows of columns: the number for each node, and the rows by number."""
        found = self._groups.get(key)
        if found is None:
            numbers: dict[tuple[Any, ...], int] = {}
            of = [numbers.setdefault(row, len(numbers)) for row in zip(*columns, strict=True)]
            found = self._groups[key] = (of, list(numbers))
        return found

    def static(self, cycle: Cycle) -> tuple[Static, str]:
        """Return what the pod makes of node objects, with the text that names its way to look."""
        look = look_of(cycle.pod)
        found = self._statics.get(look)
        if found is None:
            found = self._statics[look] = self._make(cycle)
        return found, look

    def _make(self, cycle: Cycle) -> Static:
        mask: bytearray | None = None
        for plugin in self.recipe.node_filters:
            passed = self._filter(cycle, plugin)
            if passed is not None:
                mask = passed if mask is None else bytearray(a & b for a, b in zip(mask, passed, strict=True))
        scores, columns = [], []
        for score in self.recipe.node_scores:
            column = self._score(cycle, score)
            if column is not None:
                scores.append(score)
                columns.append(column)
        if not scores:
            return Static(mask, None, [()], [])
        numbers: dict[tuple[int, ...], int] = {}
        of = [numbers.setdefault(row, len(numbers)) for row in zip(*columns, strict=True)]
        return Static(mask, of if len(numbers) > 1 else None, list(numbers), scores)

    def _filter(self, cycle: Cycle, plugin: Any) -> bytearray | None:
        """Ask a plugin about all nodes; None when it lets all pass."""
        prepare = getattr(plugin, "pre_filter", None)
        said = prepare(cycle) if prepare is not None else None
        if isinstance(said, Skip):
            return None
        if isinstance(said, No):
            raise Declined
        if shape_of(plugin).filters == TAINTS:
            if self.is_plain:
                return None
            of, heads = self._taint_groups()
            passed = [plugin.filter(cycle, head) is None for head in heads]
            return None if all(passed) else bytearray(passed[n] for n in of)
        found = bytearray(plugin.filter(cycle, node) is None for node in self.nodes)
        if isinstance(said, frozenset):
            for node in self.nodes:
                found[node.place] &= node.name in said
        return None if all(found) else found

    def _score(self, cycle: Cycle, score: NodeScore) -> list[int] | None:
        """Ask a plugin to rate all nodes; None when it rates them alike."""
        plugin, prepare, _ = score
        if prepare is not None and prepare.pre_score(cycle, ()) is SKIP:
            return None
        if shape_of(plugin).scores == TAINTS:
            if self.is_plain:
                return None
            of, heads = self._taint_groups()
            rated = [plugin.score(cycle, head) for head in heads]
            return [rated[n] for n in of] if any(rated) else None
        return [plugin.score(cycle, node) for node in self.nodes]

    def _taint_groups(self) -> tuple[list[int], list[NodeInfo]]:
        """Number the different sets of taints: the number for each node, and a node of each."""
        if self._tainted is None:
            heads: dict[str, NodeInfo] = {}
            numbers: dict[str, int] = {}
            of = []
            for node in self.nodes:
                text = json.dumps((node.unschedulable, node.hard_taints, node.soft_taints))
                heads.setdefault(text, node)
                of.append(numbers.setdefault(text, len(numbers)))
            self._tainted = (of, list(heads.values()))
        return self._tainted


def look_of(pod: PodInfo) -> str:
    """Write all of a pod that plugins compare with node objects."""
    spec = pod.spec
    affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    return json.dumps((spec.get("tolerations"), spec.get("nodeSelector"), affinity), sort_keys=True)
