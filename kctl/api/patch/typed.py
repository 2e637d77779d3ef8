"""Structured merge and diff: what an object sets, what changed, two objects as one.

In: plain values and the :mod:`shape` of their kind. Out: sets of fields (:mod:`fieldsets`) and
merged values that share whatever did not change. As sigs.k8s.io/structured-merge-diff/typed:
ToFieldSet, Compare, Merge, RemoveItems. Who owns what is decided in :mod:`managed`.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.api.errors import go_value
from kctl.api.patch.fieldsets import LEAF as NOTHING_BELOW
from kctl.api.patch.fieldsets import MEMBER, Fields, is_member, printed
from kctl.api.patch.shape import DEDUCED, KEYED, LEAF, MAP, SET, BadItem, Shape

Inline = dict[str, Any]
"""Fields that are always there in upstream's Go types (structs, and lists without omitempty)."""


def kind_at(shape: Shape, value: Any) -> int:
    """Return how a value is treated: deduced from the value itself where there is no schema."""
    if shape.kind == DEDUCED:
        return MAP if isinstance(value, dict) else LEAF
    return shape.kind


class Reader:
    """Walks an applied object once: collects the fields it sets and everything wrong with it."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def fields(self, shape: Shape, value: Any, path: str = "") -> Fields:
        """Return the fields below a value (typed.TypedValue.ToFieldSet)."""
        kind = kind_at(shape, value)
        if kind == MAP:
            if isinstance(value, dict):
                return self._map(shape, value, path)
            if value is not None:
                self._error(path, f"expected map, got {_go(value)}")
        elif kind in (KEYED, SET):
            if isinstance(value, list):
                return self._list(shape, value, path)
            if value is not None:
                self._error(path, f"expected list, got {_go(value)}")
        elif value is not None:
            self._check_leaf(shape, value, path)
        return {}

    def _map(self, shape: Shape, value: dict[str, Any], path: str) -> Fields:
        out: Fields = {}
        for name, child in value.items():
            below = shape.field(name)
            if below is None:
                self._error(f"{path}.{name}", "field not declared in schema")
                continue
            kind = kind_at(below, child)
            if kind == LEAF:
                if child is not None and below.node is not None:
                    self._check_leaf(below, child, f"{path}.{name}")
                out[f"f:{name}"] = {}
                continue
            found = self.fields(below, child, f"{path}.{name}")
            if not shape.is_declared(name):
                out[f"f:{name}"] = {MEMBER: {}, **found} if found else {}
            elif found or child is None or (kind == MAP and not child):
                out[f"f:{name}"] = found
        return out

    def _list(self, shape: Shape, value: list[Any], path: str) -> Fields:
        out: Fields = {}
        for n, item in enumerate(value):
            try:
                element = shape.element_of(item)
            except BadItem as error:
                self._error(f"{path}[{n}]" if shape.kind == SET else path, f"element {n}: {error}")
                continue
            if element in out:
                self._error(path, f"duplicate entries for key {printed(element)}")
                continue
            below = self.fields(shape.items, item, path + printed(element)) if shape.kind == KEYED else {}
            out[element] = {MEMBER: {}, **below} if below else {}
        return out

    def _check_leaf(self, shape: Shape, value: Any, path: str) -> None:
        if shape.container:
            if not isinstance(value, dict if shape.container == "map" else list):
                self._error(path, f"expected {shape.container}, got {_go(value)}")
            return
        want = shape.scalar
        if want == "string":
            fits = isinstance(value, str)
        elif want == "boolean":
            fits = isinstance(value, bool)
        else:
            fits = not want or (isinstance(value, int | float) and not isinstance(value, bool))
        if not fits:
            word = "numeric (int or float)" if want == "numeric" else want
            self._error(path, f"expected {word}, got {_go(value)}")

    def _error(self, path: str, message: str) -> None:
        self.errors.append(f"{path}: {message}")


def _go(value: Any) -> str:
    """Write a value of the wrong type as the server does; the inside of a composite is ours."""
    if isinstance(value, dict | list):
        return f"&value.valueUnstructured{{Value:{json.dumps(value)}}}"
    return f"&value.valueUnstructured{{Value:{go_value(value)}}}"


def fields_of(shape: Shape, value: Any) -> Fields:
    """Return the fields a valid object sets."""
    return Reader().fields(shape, value)


class Changes:
    """What differs between two objects, as three sets (typed.TypedValue.Compare)."""

    __slots__ = ("added", "modified", "removed")

    def __init__(self) -> None:
        self.added: Fields = {}
        self.modified: Fields = {}
        self.removed: Fields = {}

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)

    def put(self, element: str, below: Changes) -> None:
        """Take in what changed below a path element."""
        if below.added:
            self.added[element] = below.added
        if below.modified:
            self.modified[element] = below.modified
        if below.removed:
            self.removed[element] = below.removed


def compare(shape: Shape, old: Any, new: Any, inline: Inline | None = None) -> Changes:
    """Return what changed between two values that are both there."""
    out = Changes()
    if old is new:
        return out
    if isinstance(old, dict) and isinstance(new, dict):
        _compare_maps(shape, old, new, inline, out)
    elif isinstance(old, list) and isinstance(new, list):
        _compare_lists(shape, old, new, out)
    return out


_NOTHING = object()


def _compare_maps(shape: Shape, old: dict[str, Any], new: dict[str, Any], inline: Inline | None, out: Changes) -> None:
    for name, right in new.items():
        left = old.get(name, _NOTHING)
        if left is right or left == right:
            continue
        _compare_field(shape, name, left, right, inline, out)
    for name, left in old.items():
        if name not in new:
            _compare_field(shape, name, left, _NOTHING, inline, out)


def _compare_field(shape: Shape, name: str, left: Any, right: Any, inline: Inline | None, out: Changes) -> None:
    element = f"f:{name}"
    below = shape.field(name)
    if below is None:
        return
    always = inline.get(name) if inline is not None else None
    if always is not None and (left is _NOTHING or right is _NOTHING):
        other = left if right is _NOTHING else right
        if not other and (other != [] or kind_at(below, other) != LEAF):
            return  # the zero value, which was there all the time; [] is not null
        if below.container:
            empty: Any = [] if below.container == "list" else {}
            left, right = (empty if side is _NOTHING else side for side in (left, right))
    if left is _NOTHING:
        out.added[element] = whole(below, right)
    elif right is _NOTHING:
        out.removed[element] = whole(below, left)
    else:
        _compare_both(below, element, left, right, always, out)


def _compare_both(below: Shape, element: str, left: Any, right: Any, inline: Inline | None, out: Changes) -> None:
    """Compare two different values at one place."""
    kind = kind_at(below, left if left is not None else right)
    if kind == LEAF or (not left and not right) or not _fits(kind, left) or not _fits(kind, right):
        if below.kind == DEDUCED and isinstance(left, dict) and left and not isinstance(right, dict):
            out.removed[element] = {k: v for k, v in whole(below, left).items() if k != MEMBER}
        elif below.kind == DEDUCED and isinstance(right, dict) and right and not isinstance(left, dict):
            out.added[element] = {k: v for k, v in whole(below, right).items() if k != MEMBER}
        out.modified[element] = NOTHING_BELOW
        return
    found = Changes()
    if kind == MAP:
        _compare_maps(below, left or {}, right or {}, inline, found)
    else:
        _compare_lists(below, left or [], right or [], found)
    out.put(element, found)


def _fits(kind: int, value: Any) -> bool:
    return value is None or isinstance(value, dict if kind == MAP else list)


def whole(shape: Shape, value: Any) -> Fields:
    """Return the node of a value that is all there on one side only: itself and all below."""
    kind = kind_at(shape, value)
    if kind == MAP and isinstance(value, dict) and value:
        out: Fields = {MEMBER: NOTHING_BELOW}
        for name, child in value.items():
            below = shape.field(name)
            if below is not None:
                out[f"f:{name}"] = whole(below, child)
        return out
    if kind in (KEYED, SET) and isinstance(value, list) and value:
        out = {MEMBER: NOTHING_BELOW}
        for element, items in _by_element(shape, value).items():
            out[element] = whole(shape.items, items[0]) if len(items) == 1 and kind == KEYED else NOTHING_BELOW
        return out
    return NOTHING_BELOW


def _by_element(shape: Shape, value: list[Any]) -> dict[str, list[Any]]:
    """Return the items by path element; those that have none are owned by nobody."""
    out: dict[str, list[Any]] = {}
    for item in value:
        try:
            out.setdefault(shape.element_of(item), []).append(item)
        except BadItem:
            continue
    return out


def _compare_lists(shape: Shape, old: list[Any], new: list[Any], out: Changes) -> None:
    left, right = _by_element(shape, old), _by_element(shape, new)
    for element in left.keys() | right.keys():
        a, b = left.get(element, []), right.get(element, [])
        if len(a) <= 1 and len(b) <= 1:
            _compare_item(shape, element, a[0] if a else _NOTHING, b[0] if b else _NOTHING, out)
        elif len(a) >= 2 and len(b) >= 2:
            if a != b:
                out.modified[element] = NOTHING_BELOW
        elif len(a) >= 2:
            out.removed[element] = {}
            if b:
                out.added[element] = whole(shape.items, b[0])
        else:
            out.added[element] = {}
            if a:
                out.removed[element] = whole(shape.items, a[0])


def _compare_item(shape: Shape, element: str, left: Any, right: Any, out: Changes) -> None:
    if left is _NOTHING:
        out.added[element] = whole(shape.items, right) if shape.kind == KEYED else {}
    elif right is _NOTHING:
        out.removed[element] = whole(shape.items, left) if shape.kind == KEYED else {}
    elif left is not right and left != right:
        _compare_both(shape.items, element, left, right, None, out)


def merge(shape: Shape, live: Any, applied: Any) -> Any:
    """Return ``live`` with ``applied`` laid over it; ``live`` itself when that changes nothing."""
    kind = kind_at(shape, applied)
    if kind == MAP and isinstance(live, dict) and isinstance(applied, dict):
        return _merge_maps(shape, live, applied)
    if kind in (KEYED, SET) and isinstance(live, list) and isinstance(applied, list):
        return _merge_lists(shape, live, applied)
    if kind in (MAP, KEYED, SET) and applied is None and live:
        return live  # null takes nothing away from what others may have set; pruning does
    return live if live == applied and type(live) is type(applied) else applied


def _merge_maps(shape: Shape, live: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    out = live
    for name, right in applied.items():
        left = live.get(name, _NOTHING)
        if left is right:
            continue
        below = shape.field(name)
        new = right if left is _NOTHING or below is None else merge(below, left, right)
        if new is not left:
            if out is live:
                out = dict(live)
            out[name] = new
    return out


def _merge_lists(shape: Shape, live: list[Any], applied: list[Any]) -> list[Any]:
    """Merge two lists by their items' path elements, in the order structured-merge-diff gives them."""
    theirs = [_element(shape, item) for item in live]
    ours = [_element(shape, item) for item in applied]
    at_live = dict(zip(reversed(theirs), reversed(live), strict=True))
    at_applied = dict(zip(ours, applied, strict=True))
    out: list[Any] = []
    shared = [element for element in ours if element in at_live]
    shared.reverse()  # the next one is at the end
    done: set[str] = set()

    def take(element: str) -> None:
        done.add(element)
        if element in at_live and shape.kind == KEYED:
            out.append(merge(shape.items, at_live[element], at_applied[element]))
        else:
            out.append(at_applied[element])
        if shared and shared[-1] == element:
            shared.pop()

    left = right = 0
    while left < len(theirs) or right < len(ours):
        if left < len(theirs):
            element = theirs[left]
            if right < len(ours):
                if element == ours[right]:
                    take(element)
                    left, right = left + 1, right + 1
                    continue
                if element in at_applied and shared and shared[-1] != element:
                    left += 1  # shared, but not the one whose turn it is
                    continue
            if element not in at_applied:
                out.append(live[left])
                left += 1
                continue
            if element in done:
                left += 1
        if right < len(ours):
            if ours[right] not in done:
                take(ours[right])
            right += 1
    if len(out) == len(live) and all(a is b or (shape.kind == SET and a == b) for a, b in zip(out, live, strict=True)):
        return live
    return out


def _element(shape: Shape, item: Any) -> str:
    try:
        return shape.element_of(item)
    except BadItem:
        return f"i:{id(item)}"


def remove(shape: Shape, value: Any, fields: Fields) -> Any:
    """Return the value without the items of a set; None where nothing is left (RemoveItems)."""
    kind = kind_at(shape, value)
    if kind == MAP and isinstance(value, dict) and value:
        kept: dict[str, Any] = {}
        for name, child in value.items():
            node = fields.get(f"f:{name}")
            if node is None:
                kept[name] = child
            elif not is_member(node):
                below = shape.field(name)
                kept[name] = child if below is None else remove(below, child, node)
        return kept or None
    if kind in (KEYED, SET) and isinstance(value, list) and value:
        items = []
        for item in value:
            node = fields.get(_element(shape, item))
            if node is None:
                items.append(item)
            elif not is_member(node):
                items.append(remove(shape.items, item, node))
        return items or None
    return value if kind == LEAF else None


def named(shape: Shape | None, fields: Fields) -> Fields:
    """Return the set with every declared field on its paths as a member (EnsureNamedFieldsAreMembers)."""
    out: Fields = {}
    for element, node in fields.items():
        if not node or element == MEMBER:
            out[element] = node
            continue
        name = element[2:]
        if element[0] == "f":
            below = None if shape is None else shape.field(name)
            declared = shape is not None and shape.kind == MAP and shape.is_declared(name)
        else:
            below, declared = None if shape is None else shape.items, False
        inner = named(below, node)
        out[element] = {MEMBER: {}, **inner} if declared and MEMBER not in inner else inner
    return out


def settle(shape: Shape, value: Any, live: Any = None) -> Any:
    """Return the value as a Go type reads it: nulls gone, and zero where a map's value is null.

    ``live`` is what it was before; what is shared with it is settled already.
    """
    if value is live:
        return value
    kind = kind_at(shape, value)
    if kind == MAP and isinstance(value, dict):
        before = live if isinstance(live, dict) else {}
        out: dict[str, Any] = {}
        changed = False
        for name, child in value.items():
            below = shape.field(name)
            if child is None:
                zero = None if below is None or shape.is_declared(name) else below.zero()
                changed = True
                if zero is not None:
                    out[name] = zero
                continue
            out[name] = new = child if below is None else settle(below, child, before.get(name))
            changed = changed or new is not child
        return out if changed else value
    if kind == KEYED and isinstance(value, list):
        items = [settle(shape.items, item) for item in value if item is not None]
        return items if any(a is not b for a, b in zip(items, value, strict=False)) else value
    return value
