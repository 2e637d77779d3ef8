"""Placed pods by kind: what pods alike look like to others, and how many of them are where.

In: pods that come to nodes and go. Out: for each :class:`Kind` the number of its pods by node, and, told at once,
whoever counts pods of some kinds (the kernel's counters). A kind exists while it has pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from kctl.scheduler.podinfo import Traits

Label = tuple[str, str, str]
"""A namespace, a key and a value."""


TERMS: Label = ("", "", "")
"""Stands for all kinds with affinity terms, which speak of other pods; no label has an empty key."""


class Watcher(Protocol):
    """Counts pods of the kinds it gives a weight."""

    label: Label | None
    """A label of all pods it counts; None when they may have any."""

    def weigh(self, kind: Kind) -> int:
        """Return what one pod of the kind counts, 0 for nothing."""
        ...

    def add(self, node: int, by: int) -> None:
        """Take in that the sum over the node's pods changed."""
        ...


class Kind:
    """Pods with the same traits, on their way out or not."""

    __slots__ = ("labels", "namespace", "places", "terminating", "traits", "watchers")

    def __init__(self, traits: Traits, terminating: bool) -> None:
        self.traits = traits
        self.namespace = traits.namespace
        self.labels = traits.labels
        self.terminating = terminating
        self.places: dict[str, int] = {}
        """Its pods by name of the node."""
        self.watchers: dict[Watcher, int] = {}


class Kinds:
    """The kinds that have pods, and who counts them."""

    def __init__(self) -> None:
        self.all: dict[Kind, None] = {}
        self.by_label: dict[Label, dict[Kind, None]] = {}
        self.by_label[TERMS] = {}
        self.terms_version = 0
        """Grows when a kind with affinity terms comes."""
        self._watchers: dict[Label | None, dict[Watcher, None]] = {}

    def register(self, kind: Kind) -> None:
        """Begin to count a kind's pods."""
        self.all[kind] = None
        interested = list(self._watchers.get(None, ()))
        for name, value in kind.labels.items():
            label = (kind.namespace, name, value)
            self.by_label.setdefault(label, {})[kind] = None
            interested += self._watchers.get(label, ())
        if kind.traits.has_affinity:
            self.by_label[TERMS][kind] = None
            self.terms_version += 1
            interested += self._watchers.get(TERMS, ())
        for watcher in interested:
            weight = watcher.weigh(kind)
            if weight:
                kind.watchers[watcher] = weight

    def drop(self, kind: Kind) -> None:
        """Forget a kind that has no pods."""
        del self.all[kind]
        for name, value in kind.labels.items():
            label = (kind.namespace, name, value)
            found = self.by_label[label]
            del found[kind]
            if not found:
                del self.by_label[label]
        self.by_label[TERMS].pop(kind, None)
        kind.watchers.clear()

    def watch(self, watcher: Watcher, place_of: Mapping[str, int]) -> None:
        """Tell the watcher of all pods there are, and of those that come and go from now on."""
        self._watchers.setdefault(watcher.label, {})[watcher] = None
        kinds: Iterable[Kind] = self.all if watcher.label is None else self.by_label.get(watcher.label, ())
        for kind in kinds:
            weight = watcher.weigh(kind)
            if not weight:
                continue
            kind.watchers[watcher] = weight
            for name, count in kind.places.items():
                node = place_of.get(name)
                if node is not None:
                    watcher.add(node, weight * count)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell the watcher no more."""
        watchers = self._watchers.get(watcher.label, {})
        if watchers.pop(watcher, self) is self:
            return
        if not watchers:
            del self._watchers[watcher.label]
        for kind in self.all if watcher.label is None else self.by_label.get(watcher.label, ()):
            kind.watchers.pop(watcher, None)

    def unwatch_all(self) -> None:
        """Tell nobody any more."""
        if self._watchers:
            self._watchers.clear()
            for kind in self.all:
                kind.watchers.clear()

    def with_terms(self) -> Iterable[Kind]:
        """Return the kinds with affinity terms."""
        return self.by_label[TERMS]

    def might_match(self, namespace: str, labels: Iterable[tuple[str, str]]) -> bool:
        """Say whether each of the labels is carried by some pod of the namespace."""
        return all((namespace, *label) in self.by_label for label in labels)
