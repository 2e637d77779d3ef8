"""Where every field of a document stands, and how a field's path is looked up.

A *tree* runs beside a document's value: for a mapping ``{key: place}``, for a sequence
``[place, ...]``, where a place is the mark of the key (or item) alone for a scalar, and the
pair of mark and subtree for a mapping or sequence. The marks are PyYAML's own, kept as they
come: nothing is computed until somebody asks for a line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

Step = str | int


class Mark(Protocol):
    """A place in a text; both numbers count from 0."""

    line: int
    column: int


class Place(NamedTuple):
    """A place in a file as people count: from 1."""

    line: int
    column: int


Tree = dict[str, Any] | list[Any]


class Positions:
    """The places of the fields of one object.

    ``load`` returns the tree of the object's document when it is first needed; a document that
    came out of the cache is parsed once more only to say where an error stands. ``within``
    leads from the document to the object (an item of a List).
    """

    __slots__ = ("_load", "_start", "_tree", "_within")

    def __init__(self, start: Place, load: Callable[[], Tree | None], within: Sequence[Step] = ()) -> None:
        self._start = start
        self._load: Callable[[], Tree | None] | None = load
        self._tree: Tree | None = None
        self._within = tuple(within)

    def inside(self, *steps: Step) -> Positions:
        """Return the positions of a part of the object."""
        return Positions(self.find(steps), self._loaded, (*self._within, *steps))

    def place(self, path: str) -> Place:
        """Return where ``spec.containers[0].image`` stands, or the closest field around it."""
        return self.find(steps_of(path))

    def find(self, steps: Sequence[Step]) -> Place:
        """Return where the field at ``steps`` stands, or the closest field around it."""
        tree: Any = self._loaded()
        found: Mark | None = None
        outside = len(self._within)
        for n, step in enumerate((*self._within, *steps)):
            entry: Any = None
            if isinstance(tree, dict):
                entry = tree.get(str(step))
            elif isinstance(tree, list) and isinstance(step, int) and 0 <= step < len(tree):
                entry = tree[step]
            if entry is None:
                break
            mark, tree = entry if isinstance(entry, tuple) else (entry, None)
            if n >= outside:
                found = mark
        return Place(found.line + 1, found.column + 1) if found is not None else self._start

    def _loaded(self) -> Tree | None:
        if self._load is not None:
            self._tree, self._load = self._load(), None
        return self._tree


def steps_of(path: str) -> list[Step]:
    """Split a field path as field.Path writes it: ``data[a.b]``, ``spec.ports[0].name``."""
    steps: list[Step] = []
    rest = path
    while rest:
        if rest[0] == "[":
            inner, _, rest = rest[1:].partition("]")
            inner = inner.strip("\"'")
            steps.append(int(inner) if inner.isdecimal() and inner.isascii() else inner)
            rest = rest.removeprefix(".")
            continue
        cut = min((at for at in (rest.find("."), rest.find("[")) if at >= 0), default=len(rest))
        if cut:
            steps.append(rest[:cut])
        rest = rest[cut:].removeprefix(".")
    return steps
