"""Numbers of placed pods by topology value, kept true as pods come and go.

In: what a pod counts, told by :class:`~kctl.scheduler.kinds.Kinds` at once. Out: the count of each value. Where no
two nodes share a value, the nodes whose count moved are noted, because a class of pods has them in cells
by count; otherwise classes look the counts of their cells up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kctl.scheduler.cluster import Journal
from kctl.scheduler.kinds import Kind, Kinds, Label


class Counter:
    """Counts pods that a function gives a weight, by topology value."""

    __slots__ = ("counts", "key", "label", "levels", "moved", "total", "users", "values", "weigh")

    def __init__(
        self, values: Sequence[Any], weigh: Callable[[Kind], int], label: Label | None, *, by_node: bool
    ) -> None:
        self.values = values
        """The value under which the pods of each node count; None where they do not."""
        self.weigh = weigh
        self.label = label
        self.counts: dict[Any, int] = {}
        """By value, without zeros."""
        self.total = 0
        self.moved: Journal | None = Journal() if by_node else None
        """The nodes whose count changed, for values that no two nodes share."""
        self.levels: dict[int, int] | None = None
        """How many values have each count, where somebody asks for the lowest."""
        self.users = 0
        self.key: Any = None
        """What the kernel knows it by."""

    def add(self, node: int, by: int) -> None:
        """Take in that the node's pods count so much more."""
        value = self.values[node]
        if value is None:
            return
        counts = self.counts
        old = counts.get(value, 0)
        new = old + by
        if new:
            counts[value] = new
        else:
            counts.pop(value, None)
        self.total += by
        if self.moved is not None:
            self.moved.lines.append(node)
        levels = self.levels
        if levels is not None:
            left = levels[old] - 1
            if left:
                levels[old] = left
            else:
                del levels[old]
            levels[new] = levels.get(new, 0) + 1

    def forget_moves(self) -> None:
        """Drop the moves that everybody has taken in, or the oldest."""
        moved = self.moved
        if moved is not None and self.users == 1:
            moved.first = moved.end
            moved.lines.clear()
        elif moved is not None:
            moved.trim()

    def watching(self, kinds: Kinds) -> dict[Kind, None]:
        """Return the kinds that are counted, for tests."""
        return {kind: None for kind in kinds.all if self in kind.watchers}

    def keep_levels(self) -> None:
        """Begin to keep how many values have each count."""
        if self.levels is None:
            values = {value for value in self.values if value is not None}
            levels: dict[int, int] = {}
            for value in values:
                count = self.counts.get(value, 0)
                levels[count] = levels.get(count, 0) + 1
            self.levels = levels

    def lowest(self, min_domains: int) -> int:
        """Return the lowest count of any value; 0 with fewer values than that."""
        levels = self.levels or {}
        if sum(levels.values()) < min_domains:
            return 0
        return min(levels)
