"""Kubernetes' library of lists: order, extremes, sums, positions; and those of newer releases."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from kctl.api.cel import values
from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.values import Duration, cost_size, no_overload

COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
SUMMABLE = ("int", "uint", "double", "duration")
DECLARATIONS = "\n".join(
    [
        "isSorted: " + "; ".join(f"list<{kind}>.() bool" for kind in COMPARABLE),
        "min: " + "; ".join(f"list<{kind}>.() {kind}" for kind in COMPARABLE),
        "max: " + "; ".join(f"list<{kind}>.() {kind}" for kind in COMPARABLE),
        "sum: " + "; ".join(f"list<{kind}>.() {kind}" for kind in SUMMABLE),
        "indexOf: list<A>.(A) int",
        "lastIndexOf: list<A>.(A) int",
        "distinct: list<A>.() list<A>",
        "flatten: list<list<A>>.() list<A>; list<dyn>.() list<dyn>; list<dyn>.(int) list<dyn>",
        "reverse: list<A>.() list<A>",
        "slice: list<A>.(int, int) list<A>",
        "sort: " + "; ".join(f"list<{kind}>.() list<{kind}>" for kind in COMPARABLE),
        "first: list<A>.() optional<A>",
        "last: list<A>.() optional<A>",
        "lists.range: (int) list<int>",
        "includes: list<A>.(A) bool",
    ]
)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise no_overload()
    return value


def is_sorted(value: Any) -> bool:
    """Say whether no item is greater than the next."""
    items = _list(value)
    return all(values.compare(a, b) <= 0 for a, b in pairwise(items))


def _extreme(sign: int, word: str) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        items = _list(value)
        if not items:
            raise EvaluationError(f"{word} called on empty list")
        found = items[0]
        for item in items[1:]:
            if values.compare(item, found) * sign > 0:
                found = item
        return found

    return function


def total(value: Any) -> Any:
    """Return the sum of the items, 0 for none."""
    items = _list(value)
    if not items:
        return 0
    found = items[0]
    if type(found) not in (int, values.UInt, float, Duration):
        raise no_overload()
    for item in items[1:]:
        found = values.add(found, item)
    return found


def index_of(value: Any, sought: Any) -> int:
    """Return the position of the first equal item, -1 for none."""
    return next((n for n, item in enumerate(_list(value)) if values.equal(item, sought)), -1)


def last_index_of(value: Any, sought: Any) -> int:
    """Return the position of the last equal item, -1 for none."""
    items = _list(value)
    return next((n for n in range(len(items) - 1, -1, -1) if values.equal(items[n], sought)), -1)


def distinct(value: Any) -> list[Any]:
    """Return the items without those equal to an earlier one."""
    found: list[Any] = []
    for item in _list(value):
        if not any(values.equal(item, one) for one in found):
            found.append(item)
    return found


def flatten(value: Any, depth: Any = 1) -> list[Any]:
    """Return the items of the lists in a list."""
    if type(depth) is not int:
        raise no_overload()
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    out: list[Any] = []
    for item in _list(value):
        if isinstance(item, list) and depth > 0:
            out += flatten(item, depth - 1)
        else:
            out.append(item)
    return out


def part(value: Any, start: Any, end: Any) -> list[Any]:
    """Return the items from one position up to another."""
    items = _list(value)
    if type(start) is not int or type(end) is not int:
        raise no_overload()
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def sort(value: Any) -> list[Any]:
    """Return the items in order."""
    from functools import cmp_to_key

    return sorted(_list(value), key=cmp_to_key(values.compare))


def numbers(count: Any) -> list[int]:
    """Return the numbers below ``count``."""
    if type(count) is not int:
        raise no_overload()
    if count > MOST:
        raise EvaluationError("too large a range")
    return list(range(count))


MOST = 1_000_000


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "isSorted": is_sorted,
    "min": _extreme(-1, "min"),
    "max": _extreme(1, "max"),
    "sum": total,
    "indexOf": index_of,
    "lastIndexOf": last_index_of,
    "distinct": distinct,
    "flatten": flatten,
    "reverse": lambda value: _list(value)[::-1],
    "slice": part,
    "sort": sort,
    "first": lambda value: values.Optional(value[0]) if _list(value) else values.NONE,
    "last": lambda value: values.Optional(value[-1]) if _list(value) else values.NONE,
    "lists.range": numbers,
    "includes": lambda value, sought: index_of(value, sought) >= 0,
}


def _once(args: list[Any], result: Any) -> int:
    return cost_size(args[0])


COSTS: dict[str, Callable[[list[Any], Any], int]] = dict.fromkeys(
    ("isSorted", "min", "max", "sum", "indexOf", "lastIndexOf", "distinct", "flatten", "reverse", "sort"), _once
)
