"""The nodes as pods with the same requests see them: one number per node, refreshed where room has changed.

In: what a pod asks for and the nodes. Out: per node the weighted sum of the scores that are not normalised, or -1
where the pod does not fit. The arithmetic is that of NodeResourcesFit and NodeResourcesBalancedAllocation, written out
because it runs for every pod; plugins of other shapes are called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import SKIP, Cycle
from kctl.scheduler.kernel.landscape import Landscape, Static
from kctl.scheduler.kernel.recipe import Recipe
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.shape import BALANCE, IMAGES, ROOM

Judge = Callable[[NodeInfo], int]


def identity(cluster: Cluster, recipe: Recipe, pod: PodInfo, look: str) -> tuple[Any, ...]:
    """Return the same for pods that share a view."""
    asked = pod.requests
    images = pod.images if cluster.images else ()
    if recipe.state_scores:
        return (pod.traits,)
    return (look, tuple(asked.scalar.items()), asked[:3], asked[4:], pod.ports, images)


class View:
    """One number per node."""

    def __init__(self, cluster: Cluster, landscape: Landscape, cycle: Cycle, static: Static) -> None:
        self.nodes = landscape.nodes
        self.mask = static.mask
        self.judge = judge(landscape.recipe, cycle, has_images=bool(cluster.images))
        self.base: list[int] = [0] * len(self.nodes)
        self.position = -1

    def refresh(self, cluster: Cluster) -> None:
        """Judge the nodes again whose room has changed."""
        dirty = cluster.dirty
        end = dirty.first + len(dirty.lines)
        if self.position == end:
            return
        base, nodes, mask, rate = self.base, self.nodes, self.mask, self.judge
        since = self.position - dirty.first
        places = dirty.lines[since:] if since >= 0 and self.position >= 0 else None
        self.position = end
        if places is None or len(places) >= len(nodes):
            alike: dict[tuple[Any, ...], int] = {}
            for place, node in enumerate(nodes):
                base[place] = -1 if mask is not None and not mask[place] else self._judge_alike(node, alike)
            return
        for place in places if len(places) < 4 else set(places):
            if mask is None or mask[place]:
                base[place] = rate(nodes[place])

    def _judge_alike(self, node: NodeInfo, alike: dict[tuple[Any, ...], int]) -> int:
        """Judge a node, or take what was said of one like it."""
        if node.scalar or node.allocatable_scalar or node.ports or node.images:
            return self.judge(node)
        state = (
            node.allocatable_cpu,
            node.allocatable_memory,
            node.allocatable_ephemeral,
            node.allowed_pods,
            len(node.pods),
            node.cpu,
            node.memory,
            node.ephemeral,
            node.nonzero_cpu,
            node.nonzero_memory,
        )
        found = alike.get(state)
        if found is None:
            found = alike[state] = self.judge(node)
        return found


def judge(recipe: Recipe, cycle: Cycle, *, has_images: bool) -> Judge:
    """Return what gives a node its number."""
    cpu, memory, ephemeral, _, _, _, scored_cpu, scored_memory = cycle.pod.requests
    room, balance = recipe.weights[ROOM], recipe.weights[BALANCE] if cpu or memory else 0
    lets_pass = more_filters(recipe, cycle)
    more = more_scores(recipe, cycle, has_images=has_images)

    def rate(node: NodeInfo) -> int:
        if len(node.pods) >= node.allowed_pods:
            return -1
        cpus, memories = node.allocatable_cpu, node.allocatable_memory
        used_cpu, used_memory = node.cpu, node.memory
        if (cpu and cpu > cpus - used_cpu) or (memory and memory > memories - used_memory):
            return -1
        if ephemeral and ephemeral > node.allocatable_ephemeral - node.ephemeral:
            return -1
        if lets_pass is not None and not lets_pass(node):
            return -1
        total = 0 if more is None else more(node)
        free_cpu = cpus - node.nonzero_cpu - scored_cpu
        free_memory = memories - node.nonzero_memory - scored_memory
        least = free_cpu * 100 // cpus if cpus and free_cpu > 0 else 0
        if memories and free_memory > 0:
            least += free_memory * 100 // memories
        if not cpus or not memories:
            return total + room * least + balance * 75
        if balance:
            before = (min(used_cpu / cpus, 1.0) - min(used_memory / memories, 1.0)) / 2
            after = (min((used_cpu + cpu) / cpus, 1.0) - min((used_memory + memory) / memories, 1.0)) / 2
            change = 50 + int((1 - abs(after)) * 100) - int((1 - abs(before)) * 100)
            total += balance * (50 + change // 2)
        return total + room * (least // 2)

    return rate


def more_filters(recipe: Recipe, cycle: Cycle) -> Callable[[NodeInfo], bool] | None:
    """Return what filters nodes by extended resources and by plugins that look at the node's pods."""
    needs = [(name, wanted) for name, wanted in cycle.pod.requests.scalar.items() if wanted > 0]
    if recipe.room in recipe.pod_filters:
        needs = []  # the plugin looks at them itself
    checks = [plugin.filter for plugin in recipe.pod_filters if steps_in(plugin, cycle)]
    if not needs and not checks:
        return None

    def lets_pass(node: NodeInfo) -> bool:
        for name, wanted in needs:
            if wanted > node.allocatable_scalar.get(name, 0) - node.scalar.get(name, 0):
                return False
        return all(check(cycle, node) is None for check in checks)

    return lets_pass


def more_scores(recipe: Recipe, cycle: Cycle, *, has_images: bool) -> Judge | None:
    """Return what adds up the scores of plugins that look at images or the node's pods."""
    rates = [(plugin.score, weight) for plugin, prepare, weight in recipe.state_scores if scores_it(prepare, cycle)]
    if has_images and recipe.weights[IMAGES]:
        rates.append((recipe.scorers[IMAGES].score, recipe.weights[IMAGES]))
    if not rates:
        return None
    return lambda node: sum(weight * score(cycle, node) for score, weight in rates)


def scores_it(prepare: Any, cycle: Cycle) -> bool:
    """Say whether a scorer has something to say about the pod."""
    return prepare is None or prepare.pre_score(cycle, ()) is not SKIP


def steps_in(plugin: Any, cycle: Cycle) -> bool:
    """Say whether the plugin has something to say about the pod."""
    prepare = getattr(plugin, "pre_filter", None)
    return prepare is None or prepare(cycle) is not SKIP
