"""What a profile asks of the kernel, read off its plugins' shapes.

In: a framework. Out: who filters and scores by what, with the weights of the profile. A plugin without a shape, or
with a word that the kernel has no way to keep, is listed as ``others``: only pods that it steps aside for
are the kernel's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.scheduler.framework import Framework
from kctl.scheduler.shape import BALANCE, IMAGES, LABELS, PODS, ROOM, SPREAD, TAINTS, TERMS, ZERO, Shape

NO_SHAPE = Shape()


class NodeScore(NamedTuple):
    """A plugin whose score depends on the node object, normalised over the feasible nodes."""

    plugin: Any
    prepare: Any
    weight: int


class Recipe:
    """The plugins of a profile by what their answers depend on."""

    def __init__(self, framework: Framework) -> None:
        self.framework = framework
        self.node_filters: list[Any] = []
        """By taints or labels."""
        self.pod_filters: list[Any] = []
        """By what the node's pods have, asked again when they change."""
        self.others: list[Any] = []
        self.state_scores: list[NodeScore] = []
        """By what the node's pods have, not normalised."""
        self.room: Any = None
        self.spread_filter: Any = None
        self.terms_filter: Any = None
        self.node_scores: list[NodeScore] = []
        self.weights = {ROOM: 0, BALANCE: 0, SPREAD: 0, TERMS: 0, IMAGES: 0}
        self.scorers: dict[str, Any] = {}
        """The plugin that scores by each of these words."""
        self.known_scores = self.known_filters = True
        for one in framework.filters:
            self._filter(one, shape_of(one).filters)
        for plugin, prepare, normalise in framework.scorers:
            self._score(plugin, prepare, normalise, shape_of(plugin).scores)

    def _filter(self, plugin: Any, word: str) -> None:
        if hasattr(plugin, "pre_filter") and plugin not in self.framework.pre_filters:
            self.known_filters = False
        if word in (TAINTS, LABELS):
            self.node_filters.append(plugin)
        elif word == PODS:
            self.pod_filters.append(plugin)
            self.room = plugin if plugin.name == "NodeResourcesFit" else self.room
        elif word == ROOM:
            self.room = plugin
        elif word == SPREAD:
            self.spread_filter = plugin
        elif word == TERMS:
            self.terms_filter = plugin
        else:
            self.others.append(plugin)

    def _score(self, plugin: Any, prepare: Any, normalise: Any, word: str) -> None:
        weight = self.framework.weights.get(plugin.name, 1)
        if word in (SPREAD, TERMS) and prepare is None:
            self.known_scores = False
        elif word in self.weights:
            self.weights[word] = weight
            self.scorers[word] = plugin
        elif word in (TAINTS, LABELS) and normalise is not None:
            self.node_scores.append(NodeScore(plugin, prepare, weight))
        elif word == PODS and normalise is None:
            self.state_scores.append(NodeScore(plugin, prepare, weight))
        elif word != ZERO:
            self.known_scores = False

    @property
    def is_covered(self) -> bool:
        """Say whether the kernel knows how the profile scores and picks."""
        framework = self.framework
        return self.known_filters and self.known_scores and self.room is not None and not framework.samples


def shape_of(plugin: Any) -> Shape:
    """Return what a plugin says of itself."""
    found: Shape = getattr(plugin, "shape", NO_SHAPE)
    return found
