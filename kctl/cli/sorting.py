"""``kctl get --sort-by``: objects in the order of what stands at a path, as kubectl's SortingPrinter.

In: objects and a JSONPath. Out: the objects sorted; what has nothing there comes first. Numbers,
amounts and times are compared as such, texts as people read them: web-2 before web-10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from kctl.api.errors import KctlError
from kctl.api.objects import Obj

PARTS = re.compile(r"[0-9]+|[^0-9]+")


def by_path(items: Sequence[Obj], expression: str) -> list[Obj]:
    """Return the objects sorted; KctlError when not one of them has the field."""
    from kctl.cli.jsonpath import compile_path, relaxed

    find = compile_path(expression)
    keyed = [(_key(find(item)), item) for item in items]
    if items and all(key == NOTHING for key, _ in keyed):
        path = "{" + relaxed(expression) + "}"
        raise KctlError(f'couldn\'t find any field with path "{path}" in the list of objects')
    return [item for _, item in sorted(keyed, key=lambda pair: pair[0])]


Key = tuple[int, Any]
NOTHING: Key = (0, 0)


def _key(found: list[Any]) -> Key:
    """Return what an object is compared by: its rank among kinds of values, then the value."""
    if not found or found[0] is None:
        return NOTHING
    value = found[0]
    if isinstance(value, bool | int | float):
        return (1, value)
    if not isinstance(value, str):
        raise KctlError(f"unsortable type: {'map' if isinstance(value, dict) else 'slice'}")
    return (1, amount) if (amount := _amount(value)) is not None else (2, _natural(value))


def _amount(text: str) -> Any:
    from kctl.api import quantity

    try:
        return quantity.parse(text)
    except ValueError:
        return None


def _natural(text: str) -> list[tuple[int, Any]]:
    """Return a text in parts, numbers among them as numbers (github.com/fvbommel/sortorder)."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in PARTS.findall(text)]
