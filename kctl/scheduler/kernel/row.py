"""The nodes as pods of one class see them, best first: a heap of nodes per cell.

In: a view, cells, the log of nodes whose room has changed. Out: the place of the best node for the next pod of the
class; among equals the first in scheduling order. A heap holds one number per node, higher bases first, then
lower places; what is no longer true is dropped when it comes up.
"""

from __future__ import annotations

import heapq

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.kernel.cells import Cell, Cells
from kctl.scheduler.kernel.view import View

SHIFT = 24
PLACES = (1 << SHIFT) - 1
HIGHEST = 1 << 20
"""Above every base."""


class Row:
    """The nodes of one class in heaps."""

    def __init__(self, cluster: Cluster, view: View, cells: Cells) -> None:
        self.view = view
        self.cells = cells
        self._position = cluster.dirty.end
        self._moves = [counter.moved.end if counter.moved is not None else 0 for counter, _ in cells.hosts]
        view.refresh(cluster)
        self.blocked: set[int] = set()
        self.cell_of: list[Cell] = cells.first_of_each()
        self._codes = [-1] * len(view.base)
        """What stands for each node in the heap of its cell; -1 for one without room."""
        for node, base in enumerate(view.base):
            if base >= 0:
                code = self._codes[node] = (HIGHEST - base) << SHIFT | node
                self.cell_of[node].heap.append(code)
        for cell in cells.all:
            cell.size = len(cell.heap)
            heapq.heapify(cell.heap)

    def catch_up(self, cluster: Cluster) -> int:
        """Take in what has changed since the last pod; return how many nodes that were."""
        self.view.refresh(cluster)
        dirty = cluster.dirty
        since = self._position - dirty.first
        if since < 0:
            return -1
        places = dirty.lines[since:]
        self._position = dirty.first + len(dirty.lines)
        for n, (counter, _) in enumerate(self.cells.hosts):
            moved = counter.moved
            if moved is None:
                continue
            since = self._moves[n] - moved.first
            if since < 0:
                return -1
            if since < len(moved.lines):
                places += moved.lines[since:]
                self._moves[n] = moved.end
                counter.forget_moves()
        if len(places) > 1:
            places = list(set(places))
        for place in places:
            self._put(place)
        return len(places)

    def block(self, nodes: set[int]) -> None:
        """Treat these nodes, and no others, as if they had no room."""
        changed = nodes ^ self.blocked
        self.blocked = nodes
        for node in changed:
            self._put(node)

    def _put(self, node: int) -> None:
        """Put a node where it belongs now."""
        base = self.view.base[node] if node not in self.blocked else -1
        code = (HIGHEST - base) << SHIFT | node if base >= 0 else -1
        old = self._codes[node]
        before = self.cell_of[node]
        cell = self.cells.of(node) if self.cells.hosts else before
        if cell is before and code == old:
            return
        if old >= 0:
            before.size -= 1
            if not before.size:
                self.cells.changes += 1
        if code >= 0:
            if not cell.size:
                self.cells.changes += 1
            cell.size += 1
            heapq.heappush(cell.heap, code)
            if len(cell.heap) > 4 * cell.size + 64:
                self._rebuild(cell)
        self._codes[node] = code
        self.cell_of[node] = cell

    def _rebuild(self, cell: Cell) -> None:
        """Drop from a heap what is no longer true."""
        codes, cell_of = self._codes, self.cell_of
        cell.heap = [c for c in dict.fromkeys(cell.heap) if codes[c & PLACES] == c and cell_of[c & PLACES] is cell]
        heapq.heapify(cell.heap)

    def cell_at(self, node: int) -> Cell:
        """Return the cell of a node."""
        return self.cell_of[node]

    def roomy(self) -> list[int]:
        """Return the places of nodes that only other pods' places rule out, if anything does."""
        return [node for node, base in enumerate(self.view.base) if base >= 0]

    def choose(self) -> int:
        """Return the place of the best node, -1 when no pod of the class may go anywhere."""
        cells, points = self.cells.open()
        best = -1
        codes, cell_of = self._codes, self.cell_of
        for cell, more in zip(cells, points, strict=True):
            heap = cell.heap
            code = heap[0]
            while codes[code & PLACES] != code or cell_of[code & PLACES] is not cell:
                heapq.heappop(heap)
                code = heap[0]
            code -= more << SHIFT
            if best == -1 or code < best:
                best = code
        return best & PLACES if best != -1 else -1

    def ties(self, place: int) -> list[int]:
        """Return all nodes as good as the best one, in scheduling order."""
        cells, points = self.cells.open()
        total = self.view.base[place] + points[cells.index(self.cell_of[place])]
        wanted = {id(cell): total - more for cell, more in zip(cells, points, strict=True)}
        base = self.view.base
        codes = self._codes
        return [n for n, cell in enumerate(self.cell_of) if codes[n] >= 0 and wanted.get(id(cell)) == base[n]]
