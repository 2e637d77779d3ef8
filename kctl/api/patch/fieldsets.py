"""Sets of fields, in the form managedFields has them (FieldsV1), and their algebra.

A set is a dict from path element to the set below it. ``f:name`` is a field, ``k:{...}`` an item
of a list of maps by its keys, ``v:...`` an item of a set by its value, ``i:n`` an item by place.
A path is in the set when its node is empty, or holds ``.`` beside what is below it. So what is
stored needs no decoding, an unchanged set stays the same dict, and two sets are compared as
dicts. As sigs.k8s.io/structured-merge-diff fieldpath.Set.

The operations return an operand itself when it is the result, and never change one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import Any

Fields = dict[str, Any]

MEMBER = "."
PREFIXES = frozenset((MEMBER, "f:", "k:", "v:", "i:"))
"""What the names of path elements begin with."""
NUMBER = re.compile(r":-?[0-9]")
"""An element that holds a number."""
LEAF: Fields = {}
"""The node of a path with nothing below it; one for all, as no set is ever changed."""


def is_member(node: Fields) -> bool:
    """Say whether the path that leads to a node is in the set itself."""
    return not node or MEMBER in node


def readable(fields: Any) -> bool:
    """Say whether something that a client sent is a set of fields."""
    if not isinstance(fields, dict):
        return False
    return all(name[:2] in PREFIXES and readable(below) for name, below in fields.items())


def union(one: Fields, two: Fields) -> Fields:
    """Return what is in either set."""
    if one is two or not two:
        return one
    if not one:
        return two
    out = one
    for element, below in two.items():
        have = one.get(element)
        if have is None:
            new = below
        elif element == MEMBER:
            continue
        else:
            new = _union_node(have, below)
        if new is not have:
            if out is one:
                out = dict(one)
            out[element] = new
    return out


def _union_node(one: Fields, two: Fields) -> Fields:
    if one == two:
        return one
    if not one:
        return two if MEMBER in two else {MEMBER: {}, **two}
    if not two:
        return one if MEMBER in one else {MEMBER: {}, **one}
    return union(one, two)


def difference(one: Fields, two: Fields) -> Fields:
    """Return what is in the first set and not in the second."""
    out = one
    for element, below in two.items():
        have = one.get(element)
        if have is None or element == MEMBER:
            continue
        left = _difference_node(have, below)
        if left is not have:
            if out is one:
                out = dict(one)
            if left is None:
                del out[element]
            else:
                out[element] = left
    return out


def _difference_node(one: Fields, two: Fields) -> Fields | None:
    goes = is_member(two)
    if not one:
        return None if goes else one
    left = difference(one, two)
    if goes and MEMBER in left:
        left = {element: below for element, below in left.items() if element != MEMBER}
    return _closed(left, one)


def _closed(left: Fields, before: Fields) -> Fields | None:
    """Return a node whose children have changed: a lone ``.`` is a leaf, nothing is no node."""
    if left is before:
        return before
    if not left:
        return None
    return {} if len(left) == 1 and MEMBER in left else left


def intersection(one: Fields, two: Fields) -> Fields:
    """Return what is in both sets."""
    out: Fields = {}
    for element, below in two.items():
        have = one.get(element)
        if have is None or element == MEMBER:
            continue
        both = _intersection_node(have, below)
        if both is not None:
            out[element] = both
    return out


def _intersection_node(one: Fields, two: Fields) -> Fields | None:
    member = is_member(one) and is_member(two)
    below = intersection(one, two)
    if not below:
        return {} if member else None
    return {MEMBER: {}, **below} if member else below


def without(one: Fields, path: tuple[str, ...]) -> Fields:
    """Return the set without a path and all below it."""
    below = one.get(path[0])
    if below is None:
        return one
    rest = dict(one)
    left = _closed(without(below, path[1:]), below) if len(path) > 1 else None
    if left is below:
        return one
    if left is None:
        del rest[path[0]]
    else:
        rest[path[0]] = left
    return rest


def in_order(one: Fields) -> Fields:
    """Return the set with its elements sorted, as it is written; what is sorted already is shared."""
    changed: Fields = {}
    for element, node in one.items():
        if node:
            below = in_order(node)
            if below is not node:
                changed[element] = below
    elements = list(one)
    ordered = _sorted(elements)
    if not changed and elements == ordered:
        return one
    return {element: changed.get(element, one[element]) for element in ordered}


def _sorted(elements: list[str]) -> list[str]:
    """Return path elements in their order, as fieldpath.PathElement.Compare: numbers by what they are.

    >>> _sorted(['k:{"port":443}', 'k:{"port":80}'])
    ['k:{"port":80}', 'k:{"port":443}']
    """
    ordered = sorted(elements)
    if len(ordered) > 1 and ordered[-1][0] in "kvi" and any(NUMBER.search(element) for element in ordered):
        ordered.sort(key=_place)
    return ordered


def _place(element: str) -> tuple[Any, ...]:
    """Return what an element is compared by; of one kind are all that stand side by side, but for ``.``."""
    kind, colon, text = element.partition(":")
    if not colon or kind == "f":
        return ("",)
    value = json.loads(text)
    return (kind, *map(_rank, sorted(value.items()))) if kind == "k" else (kind, _rank(("", value)))


def _rank(item: tuple[str, Any]) -> tuple[str, int, Any]:
    name, value = item
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (name, 1, value if isinstance(value, str) else _go(value))
    return (name, 0, value)


def paths(one: Fields, above: str = "") -> Iterator[str]:
    """Yield every path of the set as conflicts print it: ``.spec.containers[name="c"].image``.

    In the order of fieldpath.Set.Iterate: the members of a level first, then what is below them.
    """
    elements = _sorted([element for element in one if element != MEMBER])
    for element in elements:
        if is_member(one[element]):
            yield above + printed(element)
    for element in elements:
        if one[element]:
            yield from paths(one[element], above + printed(element))


def printed(element: str) -> str:
    """Write a path element as fieldpath.PathElement.String."""
    kind, _, text = element.partition(":")
    if kind == "f":
        return f".{text}"
    if kind == "i":
        return f"[{text}]"
    value = json.loads(text)
    if kind == "v":
        return f"[={_go(value)}]"
    return "[" + ",".join(f"{name}={_go(value[name])}" for name in sorted(value)) + "]"


def _go(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def key_element(values: dict[str, Any]) -> str:
    """Return the path element of a list item by its keys, which are in alphabetical order."""
    return "k:{" + ",".join(f"{encode_basestring(name)}:{scalar(values[name])}" for name in values) + "}"


def value_element(value: Any) -> str:
    """Return the path element of an item of a set."""
    return f"v:{scalar(value)}"


def scalar(value: Any) -> str:
    """Write a value as JSON; nearly always a text or a number."""
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
