"""Optional values: made, asked, opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.values import NONE, Optional, no_overload

DECLARATIONS = """
optional.of: (A) optional<A>
optional.ofNonZeroValue: (A) optional<A>
optional.none: () optional<A>
hasValue: optional<A>.() bool
value: optional<A>.() A
or: optional<A>.(optional<A>) optional<A>
orValue: optional<A>.(A) A
optional.unwrap: (list<optional<A>>) list<A>
unwrapOpt: list<optional<A>>.() list<A>
"""


def _optional(value: Any) -> Optional:
    if type(value) is not Optional:
        raise no_overload()
    return value


def value_of(value: Any) -> Any:
    """Return what an optional holds; an error when that is nothing."""
    found = _optional(value)
    if not found.has_value:
        raise EvaluationError("optional.none() dereference")
    return found.value


def non_zero(value: Any) -> Optional:
    """Return an optional of a value that is not the zero of its type."""
    return Optional(value) if value not in (None, 0, "", b"", [], {}) or value is True else NONE


def unwrap(values: Any) -> list[Any]:
    """Return what the optionals of a list hold."""
    if not isinstance(values, list):
        raise no_overload()
    return [found.value for found in map(_optional, values) if found.has_value]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "optional.of": Optional,
    "optional.ofNonZeroValue": non_zero,
    "optional.none": lambda: NONE,
    "hasValue": lambda value: _optional(value).has_value,
    "value": value_of,
    "or": lambda value, other: value if _optional(value).has_value else _optional(other),
    "orValue": lambda value, other: value.value if _optional(value).has_value else other,
    "optional.unwrap": unwrap,
    "unwrapOpt": unwrap,
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {}
