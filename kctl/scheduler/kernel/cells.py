"""Nodes that pods of a class cannot tell apart but by room: one cell, filtered and scored once.

In: the rules of a class, what it makes of node objects, how many nodes of each cell have room. Out: for each cell
that a pod may go to, the sum of the weighted scores that are the same for all of its nodes: taints, preferred
node affinity, spreading, affinity. total(node) = base(node) + T[cell(node)].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kctl.scheduler.extension import MAX_SCORE, Cycle
from kctl.scheduler.kernel.landscape import Landscape, Static
from kctl.scheduler.kernel.recipe import Recipe
from kctl.scheduler.kernel.rules import Rules
from kctl.scheduler.shape import SPREAD, TERMS


class Cell:
    """Nodes with the same rating, topology values and counts of their own."""

    __slots__ = ("heap", "ignored", "index", "numbers", "rating", "size", "values")

    def __init__(self, index: int, group: tuple[Any, ...], numbers: tuple[int | None, ...], ignored: bool) -> None:
        self.index = index
        self.rating: int = group[0]
        self.values: tuple[Any, ...] = group[1:]
        self.numbers = numbers
        self.ignored = ignored
        self.size = 0
        """How many of its nodes have room."""
        self.heap: list[int] = []


class Cells:
    """The cells of one class, and what their nodes get beside their base."""

    def __init__(self, recipe: Recipe, landscape: Landscape, cycle: Cycle, static: Static, rules: Rules) -> None:
        self.rules = rules
        self.static = static
        self._cycle = cycle
        self._spread_weight = recipe.weights[SPREAD]
        self._terms_weight = recipe.weights[TERMS]
        columns: list[Sequence[Any]] = [static.of or [0] * len(landscape.nodes)]
        columns += [values for _, values in rules.keys]
        name = (id(static) if static.of else 0, *(key for key, _ in rules.keys))
        self._name, self._landscape = name, landscape
        self.group_of, self._groups = landscape.groups(name, columns)
        """The number of each node's group: its rating and topology values."""
        self.known: dict[tuple[int, tuple[int | None, ...]], Cell] = {}
        self.all: list[Cell] = []
        self.hosts = rules.hosts
        self.changes = 0
        """Grows when a cell gets its first node with room or loses its last."""
        self._live: tuple[int, list[Cell]] = (-1, [])
        self._weights: tuple[Any, ...] = ()
        self._logs: list[float] = []
        self.is_one = rules.is_empty and static.of is None

    def of(self, node: int) -> Cell:
        """Return the cell of a node by the counts of now."""
        numbers = tuple(
            [
                None if present[node] is None else counter.counts.get(counter.values[node], 0)
                for counter, present in self.hosts
            ]
        )
        key = (self.group_of[node], numbers)
        cell = self.known.get(key)
        return cell if cell is not None else self._make(key)

    def _make(self, key: tuple[int, tuple[int | None, ...]]) -> Cell:
        group, at = self._groups[key[0]], self.rules.ignored
        cell = self.known[key] = Cell(len(self.all), group, key[1], at >= 0 and group[at + 1])
        self.all.append(cell)
        return cell

    @property
    def group_array(self) -> Any:
        """The groups as somebody has kept them, None when nobody has."""
        return self._landscape.arrays.get(self._name)

    def keep_group_array(self, groups: Any) -> None:
        """Keep the groups in another form for all classes that share them."""
        self._landscape.arrays[self._name] = groups

    def begun(self) -> tuple[list[Cell], list[int]] | None:
        """Return the cell of each group without counts of its own, and the nodes that have some.

        None where nodes lack labels, which makes cells of their own.
        """
        touched: dict[int, None] = {}
        for counter, present in self.hosts:
            places = self._landscape.places_of(present)
            if places is None:
                return None
            touched.update({n if isinstance(n, int) else places[n]: None for n in counter.counts})
        return [self._untouched(group) for group in range(len(self._groups))], list(touched)

    def first_of_each(self) -> list[Cell]:
        """Return the cell of each node now, for a class that begins."""
        if not self.hosts:
            by_group: dict[int, Cell] = {}
            for node, group in enumerate(self.group_of):
                if group not in by_group:
                    by_group[group] = self.of(node)
            return [by_group[group] for group in self.group_of]
        untouched = all(not counter.counts for counter, _ in self.hosts)
        if untouched and all(None not in present for _, present in self.hosts):
            cells = {group: self._untouched(group) for group in set(self.group_of)}
            return [cells[group] for group in self.group_of]
        return [self.of(node) for node in range(len(self.group_of))]

    def _untouched(self, group: int) -> Cell:
        numbers = (0,) * len(self.hosts)
        cell = self.known.get((group, numbers))
        return cell if cell is not None else self._make((group, numbers))

    def open(self) -> tuple[list[Cell], list[int]]:
        """Return the cells that a pod may go to, with what their nodes get beside their base."""
        rules = self.rules
        changes, cells = self._live
        if changes != self.changes:
            cells = [cell for cell in self.all if cell.size]
            self._live = (self.changes, cells)
        if rules.has_filters:
            cells = self._passing(cells)
        if len(cells) < 2:
            return cells, [0] * len(cells)
        points = self._rated(cells) if self.static.of is not None else [0] * len(cells)
        if rules.soft:
            spread = self._spread(cells)
            weight = self._spread_weight
            points = [a + weight * b for a, b in zip(points, spread, strict=True)]
        if rules.attracted:
            self._add_attraction(cells, points)
        return cells, points

    # -- filters

    def _passing(self, cells: list[Cell]) -> list[Cell]:
        """Return the cells that hard spreading and required affinity let through."""
        rules = self.rules
        for hard in rules.hard:
            counter, by_node, at = hard.slot
            most = hard.limit + counter.lowest(hard.min_domains)
            counts = counter.counts
            if by_node:
                cells = [c for c in cells if (n := c.numbers[at]) is not None and n <= most]
            else:
                cells = [c for c in cells if (v := c.values[at]) is not None and counts.get(v, 0) <= most]
        for counter, by_node, at in rules.repelled:
            counts = counter.counts
            if not counts:
                continue
            if by_node:
                cells = [c for c in cells if not (n := c.numbers[at]) or n <= 0]
            else:
                cells = [c for c in cells if c.values[at] is None or counts.get(c.values[at], 0) <= 0]
        if rules.affinity:
            begins = rules.first_may_begin and not any(slot.counter.counts for slot in rules.affinity)
            cells = [c for c in cells if self._affinity_holds(c, begins)]
        return cells

    def _affinity_holds(self, cell: Cell, begins: bool) -> bool:
        met = True
        for counter, by_node, at in self.rules.affinity:
            if by_node:
                number = cell.numbers[at]
            else:
                value = cell.values[at]
                number = None if value is None else counter.counts.get(value, 0)
            if number is None:
                return False
            met = met and number > 0
        return met or begins

    # -- scores

    def _rated(self, cells: list[Cell]) -> list[int]:
        """Return the weighted points of taints and preferred node affinity."""
        points = [0] * len(cells)
        for n, (plugin, _, weight) in enumerate(self.static.scores):
            raw = [self.static.ratings[cell.rating][n] for cell in cells]
            found = plugin.normalize(self._cycle, raw, ())
            points = [a + weight * b for a, b in zip(points, found, strict=True)]
        return points

    def _logarithms(self, cells: list[Cell]) -> list[float]:
        """Return the weight of each soft constraint: by the number of its values among feasible nodes."""
        rules = self.rules
        rated = [cell for cell in cells if not cell.ignored] if rules.ignored >= 0 else cells
        nodes = sum([cell.size for cell in rated])
        state = (nodes, self.changes, tuple([cell.index for cell in cells]) if rules.has_filters else 0)
        if state != self._weights:
            self._weights = state
            sizes = [nodes if s.is_host else len({c.values[s.group] or "" for c in rated}) for s in rules.soft]
            self._logs = [math.log(size + 2) for size in sizes]
        return self._logs

    def _spread(self, cells: list[Cell]) -> list[int]:
        """Return the points of PodTopologySpread, in the arithmetic of its score and normalize."""
        logs = self._logarithms(cells)
        raw = [0.0] * len(cells)
        for (slot, _, _, extra), log in zip(self.rules.soft, logs, strict=True):
            counts, at = slot.counter.counts, slot.at
            if slot.by_node:
                numbers = [cell.numbers[at] for cell in cells]
                raw = [r if n is None else r + (n * log + extra) for r, n in zip(raw, numbers, strict=True)]
            else:
                values = [cell.values[at] for cell in cells]
                parts = {value: counts.get(value, 0) * log + extra for value in values}
                raw = [r if v is None else r + parts[v] for r, v in zip(raw, values, strict=True)]
        scores = [whole + 1 if r - (whole := int(r)) >= 0.5 else whole for r in raw]
        if self.rules.ignored >= 0:
            return self._without_ignored(cells, scores)
        high = max(scores)
        if not high:
            return [MAX_SCORE] * len(scores)
        reach = high + min(scores)
        return [MAX_SCORE * (reach - score) // high for score in scores]

    @staticmethod
    def _without_ignored(cells: list[Cell], scores: list[int]) -> list[int]:
        rated = [score for score, cell in zip(scores, cells, strict=True) if not cell.ignored]
        low, high = min(rated, default=0), max(rated, default=0)
        return [
            0 if cell.ignored else MAX_SCORE * (high + low - score) // high if high else MAX_SCORE
            for score, cell in zip(scores, cells, strict=True)
        ]

    def _add_attraction(self, cells: list[Cell], points: list[int]) -> None:
        """Add the points of InterPodAffinity's preferred terms."""
        raw = [0] * len(cells)
        for counter, by_node, at in self.rules.attracted:
            counts = counter.counts
            if not counts:
                continue
            for n, cell in enumerate(cells):
                if by_node:
                    raw[n] += cell.numbers[at] or 0
                else:
                    raw[n] += counts.get(cell.values[at], 0)
        low, high = min(raw), max(raw)
        if low == high:
            return
        weight = self._terms_weight
        for n, score in enumerate(raw):
            points[n] += weight * int(MAX_SCORE * ((score - low) / (high - low)))
