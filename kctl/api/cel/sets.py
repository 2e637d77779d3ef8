"""Sets: lists asked as sets (cel-go's ext.Sets)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.cel.values import contains, cost_size, no_overload

DECLARATIONS = """
sets.contains: (list<A>, list<A>) bool
sets.equivalent: (list<A>, list<A>) bool
sets.intersects: (list<A>, list<A>) bool
"""


def _has_all(holder: Any, items: Any) -> bool:
    if not isinstance(holder, list) or not isinstance(items, list):
        raise no_overload()
    return all(contains(item, holder) for item in items)


def _equivalent(a: Any, b: Any) -> bool:
    return _has_all(a, b) and _has_all(b, a)


def _intersects(a: Any, b: Any) -> bool:
    if not isinstance(a, list) or not isinstance(b, list):
        raise no_overload()
    return any(contains(item, b) for item in a)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sets.contains": _has_all,
    "sets.equivalent": _equivalent,
    "sets.intersects": _intersects,
}


def _product(args: list[Any], result: Any) -> int:
    return 1 + cost_size(args[0]) * cost_size(args[1])


COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "sets.contains": _product,
    "sets.intersects": _product,
    "sets.equivalent": lambda args, _: 1 + 2 * cost_size(args[0]) * cost_size(args[1]),
}
