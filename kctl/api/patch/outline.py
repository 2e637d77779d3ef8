"""What a write changes, as a value: writes with the same outline change who owns what alike.

In: two states of an object and their shape. Out: nested tuples that name the changed fields, without
their values. As :func:`typed.compare` sees it: equal outlines have equal Changes. Whatever is
unusual (values of the wrong type, items without a place) has no outline, None.
:class:`Memo` remembers the managedFields that followed from an outline, so that objects written
alike share them; whoever makes many writes keeps one.
"""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj
from kctl.api.patch.shape import DEDUCED, KEYED, LEAF, MAP, BadItem, Shape

Outline = tuple[Any, ...]
LIMIT = 4096
"""So many outcomes are remembered."""


class _Unusual(Exception):
    """There is no outline."""


def outline(shape: Shape, old: Obj, new: Obj) -> Outline | None:
    """Return the outline of a change of a whole object."""
    try:
        return _maps(shape, old, new)
    except (_Unusual, BadItem):
        return None


def _maps(shape: Shape, old: dict[str, Any], new: dict[str, Any]) -> Outline:
    out: list[Any] = []
    for name, right in new.items():
        left = old.get(name, _unusual)
        if left is right or left == right:
            continue
        below = shape.field(name)
        if below is None:
            continue
        if left is _unusual:
            out += ("+", name, _whole(below, right))
        else:
            out += ("~", name, _both(below, left, right))
    for name, left in old.items():
        if name not in new:
            below = shape.field(name)
            if below is not None:
                out += ("-", name, _whole(below, left))
    return tuple(out)


def _unusual() -> None:
    """Stand for a field that is not there."""


def _both(shape: Shape, left: Any, right: Any) -> Any:
    """Return the outline of two different values at one place."""
    kind = shape.kind
    if kind == LEAF:
        return 0
    if not left or not right:
        raise _Unusual
    if kind == MAP and isinstance(left, dict) and isinstance(right, dict):
        return _maps(shape, left, right)
    if kind == KEYED and isinstance(left, list) and isinstance(right, list):
        return _lists(shape, left, right)
    raise _Unusual


def _lists(shape: Shape, left: list[Any], right: list[Any]) -> Outline:
    element_of, items = shape.element_of, shape.items
    before = {element_of(item): item for item in left}
    after = {element_of(item): item for item in right}
    if len(before) != len(left) or len(after) != len(right):
        raise _Unusual
    out: list[Any] = []
    for element, item in after.items():
        was = before.get(element, _unusual)
        if was is _unusual:
            out += ("+", element, _whole(items, item))
        elif was is not item and was != item:
            out += ("~", element, _both(items, was, item))
    for element, item in before.items():
        if element not in after:
            out += ("-", element, _whole(items, item))
    return tuple(out)


def _whole(shape: Shape, value: Any) -> Any:
    """Return the outline of a value that is there on one side only."""
    kind = shape.kind
    if kind == DEDUCED:
        kind = MAP if isinstance(value, dict) else LEAF
    if kind == LEAF:
        return 2 if value == [] else bool(value)  # an empty list is not the zero value
    if not value:
        return None
    out: list[Any] = []
    if kind == MAP and isinstance(value, dict):
        for name, child in value.items():
            below = shape.field(name)
            if below is not None:
                out += (name, _whole(below, child))
        return tuple(out)
    if not isinstance(value, list):
        raise _Unusual
    for item in value:
        out += (shape.element_of(item), _whole(shape.items, item) if kind == KEYED else 0)
    return tuple(out)


class Memo:
    """managedFields by what they followed from.

    Lists of managedFields count as equal when they are the same one; they are kept here, so that
    none of them is mistaken for another made in its place.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], tuple[Any, Any, list[Obj] | None]] = {}

    def get(self, old: Any, given: Any, how: tuple[Any, ...]) -> tuple[Any, Any, list[Obj] | None] | None:
        """Return what is remembered: the two lists and, last, the outcome."""
        return self._found.get((id(old), id(given), how))

    def put(self, old: Any, given: Any, how: tuple[Any, ...], outcome: list[Obj] | None) -> None:
        """Remember an outcome."""
        if len(self._found) >= LIMIT:
            self._found.clear()
        self._found[id(old), id(given), how] = (old, given, outcome)
