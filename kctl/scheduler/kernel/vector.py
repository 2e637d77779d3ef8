"""The kernel in NumPy: for many classes by turns, where each pod finds many nodes changed.

In: the same views and cells as the heaps of ``row.py``. Out: the same nodes. A view is an array that is refreshed at
once wherever nodes have changed; a class is an array of cells; the best node is the first maximum of their
sum. Imported only when a queue is long enough to pay for it.

Doubles are exact here: quotients of integers below 2**53 (percentages of allocatable amounts) are rounded down
right as long as the dividend is below 2**53 and the divisor below 2**46; larger nodes are left to the plain arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import Cycle
from kctl.scheduler.kernel.cells import Cell, Cells
from kctl.scheduler.kernel.landscape import Landscape, Static
from kctl.scheduler.kernel.view import judge, more_filters, more_scores
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import BALANCE, ROOM

Array = Any
"""An ndarray."""
NOWHERE = -(1 << 14)
"""The base of a node without room: below every sum."""
CLOSED = -(1 << 28)
FEW = 6
"""So many nodes are judged one by one."""
LARGEST = 1 << 46


class Columns:
    """What nodes have and what their pods take, as arrays."""

    def __init__(self, cluster: Cluster, landscape: Landscape) -> None:
        nodes = landscape.nodes
        self.nodes = nodes
        self.cpus = self._of([node.allocatable_cpu or 1 for node in nodes])
        self.memories = self._of([node.allocatable_memory or 1 for node in nodes])
        self.storages = self._of([node.allocatable_ephemeral for node in nodes])
        self.odd = [n for n, node in enumerate(nodes) if not node.allocatable_cpu or not node.allocatable_memory]
        """Nodes without cpu or memory, which count by other rules."""
        self.is_exact = all(max(n.allocatable_cpu, n.allocatable_memory) * 100 < LARGEST << 7 for n in nodes)
        self.rows = np.zeros((7, len(nodes)))
        self.pods, self.cpu, self.memory, self.storage, self.nonzero_cpu, self.nonzero_memory, self.before = self.rows
        self.stamps: Array = np.zeros(len(nodes), dtype=np.int64)
        """The position in the log after each node's last change."""
        self._position = -1
        self.catch_up(cluster)

    @staticmethod
    def _of(values: list[int]) -> Array:
        return np.array(values, dtype=np.float64)

    def catch_up(self, cluster: Cluster) -> int:
        """Take over the nodes that have changed; return the position up to which this is so."""
        dirty = cluster.dirty
        end = dirty.first + len(dirty.lines)
        if self._position == end:
            return end
        since = self._position - dirty.first
        if self._position < 0 or since < 0:
            places: Any = range(len(self.nodes))
        else:
            places = dirty.lines[since:]
        for place in places:
            self._take(place, self.nodes[place], end)
        self._position = end
        return end

    def _take(self, place: int, node: NodeInfo, end: int) -> None:
        cpus, memories = node.allocatable_cpu or 1, node.allocatable_memory or 1
        self.pods[place] = node.allowed_pods - len(node.pods)
        self.cpu[place] = node.cpu
        self.memory[place] = node.memory
        self.storage[place] = node.ephemeral
        self.nonzero_cpu[place] = node.nonzero_cpu
        self.nonzero_memory[place] = node.nonzero_memory
        uneven = (min(node.cpu / cpus, 1.0) - min(node.memory / memories, 1.0)) / 2
        self.before[place] = int((1 - abs(uneven)) * 100)
        self.stamps[place] = end


class VectorView:
    """One number per node, for pods with the same requests."""

    def __init__(self, columns: Columns, landscape: Landscape, cycle: Cycle, static: Static, few: int = FEW) -> None:
        recipe = landscape.recipe
        has_images = bool(cycle.cluster.images)
        self.nodes = landscape.nodes
        self._few = min(FEW, few)
        self.columns = columns
        self.judge = judge(recipe, cycle, has_images=has_images)
        self.is_plain = (
            columns.is_exact
            and more_filters(recipe, cycle) is None
            and more_scores(recipe, cycle, has_images=has_images) is None
        )
        self.mask = None if static.mask is None else np.frombuffer(static.mask, dtype=np.bool_)
        self.base: Array = np.full(len(self.nodes), NOWHERE, dtype=np.int16)
        asked = cycle.pod.requests
        self._asked = (asked.cpu, asked.memory, asked.ephemeral, asked.scored_cpu, asked.scored_memory)
        self._weights = (recipe.weights[ROOM], recipe.weights[BALANCE] if asked.cpu or asked.memory else 0)
        self.position = -1
        self.changes = 0
        """Grows when a node fills up or has room again."""

    def refresh(self, cluster: Cluster) -> int:
        """Judge the nodes again that have changed; return how many."""
        columns, before = self.columns, self.position
        end = self.position = columns.catch_up(cluster)
        if before == end:
            return 0
        base = self.base
        if before >= 0 and end - before <= self._few:
            dirty = cluster.dirty
            places = set(dirty.lines[before - dirty.first :])
            for place in places:
                self._set(place)
            return len(places)
        every = before < 0
        chosen = None if every else np.flatnonzero(columns.stamps > before)
        if chosen is not None and len(chosen) * 4 > len(base) * 3:
            chosen, every = None, True
        if self.is_plain:
            fresh = self._rate(chosen)
            old = base if every else base[chosen]
            if ((fresh < 0) != (old < 0)).any():
                self.changes += 1
            if every:
                self.base = fresh
            else:
                base[chosen] = fresh
            for place in columns.odd:
                self._set(place)
        else:
            for place in range(len(base)) if chosen is None else chosen.tolist():
                self._set(place)
        return len(base) if chosen is None else len(chosen)

    def _set(self, place: int) -> None:
        """Judge one node."""
        rated = -1 if self.mask is not None and not self.mask[place] else self.judge(self.nodes[place])
        if rated < 0:
            rated = NOWHERE
        if (rated < 0) != (self.base[place] < 0):
            self.changes += 1
        self.base[place] = rated

    def _rate(self, chosen: Array | None) -> Array:
        """Judge the chosen nodes, or all of them, at once."""
        c = self.columns
        cpu, memory, ephemeral, scored_cpu, scored_memory = self._asked
        room, balance = self._weights
        rows, cpus, memories = c.rows, c.cpus, c.memories
        storages, mask = c.storages, self.mask
        if chosen is not None:
            rows, cpus, memories = rows[:, chosen], cpus[chosen], memories[chosen]
            storages = storages[chosen] if ephemeral else storages
            mask = None if mask is None else mask[chosen]
        pods, used_cpu, used_memory, used_storage, nonzero_cpu, nonzero_memory, before = rows
        fits = pods > 0
        more_cpu: Array = used_cpu + cpu
        more_memory: Array = used_memory + memory
        if cpu:
            fits &= more_cpu <= cpus
        if memory:
            fits &= more_memory <= memories
        if ephemeral:
            fits &= used_storage + ephemeral <= storages
        if mask is not None:
            fits &= mask
        least = percent_left(nonzero_cpu, scored_cpu, cpus)
        least += percent_left(nonzero_memory, scored_memory, memories)
        least >>= 1
        if room != 1:
            least *= room
        if balance:
            uneven = np.minimum(more_cpu / cpus, 1.0)
            uneven -= np.minimum(more_memory / memories, 1.0)
            uneven /= 2
            np.abs(uneven, out=uneven)
            np.subtract(1, uneven, out=uneven)
            uneven *= 100
            change = uneven.astype(np.int32)
            change -= before.astype(np.int32)
            change += 50
            change >>= 1
            change += 50
            if balance != 1:
                change *= balance
            least += change
        least[~fits] = NOWHERE
        return least.astype(np.int16)


def percent_left(used: Array, more: int, capacity: Array) -> Array:
    """Return what is left free in whole percent, 0 where more than all is used."""
    free = capacity - used
    free -= more
    np.maximum(free, 0, out=free)
    free *= 100
    free /= capacity
    return free.astype(np.int32)


class VectorRow:
    """The nodes of one class in an array of cells."""

    def __init__(self, cluster: Cluster, view: VectorView, cells: Cells) -> None:
        self.view = view
        self.cells = cells
        self.blocked: frozenset[int] = frozenset()
        """Always empty: nodes that are kept for others are taken out of heaps only."""
        self._moves = [counter.moved.end if counter.moved is not None else 0 for counter, _ in cells.hosts]
        view.refresh(cluster)
        self._cells: Array | None = None
        if not cells.is_one:
            self._cells = self._first()
        self._counted = -1
        self._count()

    def _first(self) -> Array:
        """Return the cell of each node now."""
        cells = self.cells
        begun = cells.begun()
        if begun is None:
            return np.array([cell.index for cell in cells.first_of_each()], dtype=np.int16)
        by_group, touched = begun
        groups = cells.group_array
        if groups is None:
            groups = np.array(cells.group_of, dtype=np.int32)
            cells.keep_group_array(groups)
        found = np.array([cell.index for cell in by_group], dtype=np.int16)[groups]
        for node in touched:
            found[node] = cells.of(node).index
        return found

    def _count(self) -> None:
        """Count the nodes with room of each cell anew, when that may have changed."""
        if self._counted == self.view.changes:
            return
        self._counted = self.view.changes
        cells = self.cells
        if self._cells is None:
            if not cells.all:
                cells.of(0)
            sizes = [int((self.view.base >= 0).sum())]
        else:
            sizes = np.bincount(self._cells[self.view.base >= 0], minlength=len(cells.all)).tolist()
        for cell, size in zip(cells.all, sizes, strict=True):
            if bool(cell.size) != bool(size):
                cells.changes += 1
            cell.size = size

    def catch_up(self, cluster: Cluster) -> int:
        """Take in what has changed since the last pod; return how many nodes that were."""
        dirty = self.view.refresh(cluster)
        for n, (counter, _) in enumerate(self.cells.hosts):
            moved = counter.moved
            if moved is None:
                continue
            since = self._moves[n] - moved.first
            if since < 0:
                return -1
            if since < len(moved.lines):
                for node in set(moved.lines[since:]):
                    self._move(node)
                self._moves[n] = moved.end
                counter.forget_moves()
        self._count()
        return dirty

    def _move(self, node: int) -> None:
        """Put a node into the cell where it belongs now."""
        if self._cells is None:
            return
        cells = self.cells
        before, cell = cells.all[self._cells[node]], cells.of(node)
        if cell is before:
            return
        self._cells[node] = cell.index
        if self.view.base[node] >= 0 and self._counted == self.view.changes:
            before.size -= 1
            cell.size += 1
            if not before.size or cell.size == 1:
                cells.changes += 1

    def block(self, nodes: set[int]) -> None:
        """Do nothing: see ``blocked``."""

    def cell_at(self, node: int) -> Cell:
        """Return the cell of a node."""
        return self.cells.all[0 if self._cells is None else self._cells[node]]

    def roomy(self) -> list[int]:
        """Return the places of nodes that only other pods' places rule out, if anything does."""
        found: list[int] = np.flatnonzero(self.view.base >= 0).tolist()
        return found

    def choose(self) -> int:
        """Return the place of the best node, -1 when no pod of the class may go anywhere."""
        base = self.view.base
        if self._cells is None:
            place = int(base.argmax())
            return place if base[place] >= 0 else -1
        cells, points = self.cells.open()
        if not cells:
            return -1
        total = self._table(cells, points).take(self._cells)
        total += base
        place = int(total.argmax())
        return place if total[place] >= 0 else -1

    def _table(self, cells: list[Cell], points: list[int]) -> Array:
        table = [CLOSED] * len(self.cells.all)
        for cell, more in zip(cells, points, strict=True):
            table[cell.index] = more
        return np.array(table, dtype=np.int32)

    def ties(self, place: int) -> list[int]:
        """Return all nodes as good as the best one, in scheduling order."""
        total: Array = self.view.base.astype(np.int32)
        if self._cells is not None:
            total += self._table(*self.cells.open()).take(self._cells)
        found: list[int] = np.flatnonzero(total == total[place]).tolist()
        return found
