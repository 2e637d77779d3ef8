"""What a refused patch quotes: the object it made, as the text that upstream's libraries leave it in.

In: the object, its schema, and the patch. Out: JSON text. Go writes a struct in the order of its
fields; what a patch walked through became a map on the way, and Go writes maps sorted
(github.com/evanphx/json-patch, version 4).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from kctl.api.objects import Obj
from kctl.api.schema.goorder import ordered
from kctl.api.schema.node import Node

Path = tuple[str, ...]
TOP: Path = ()


def merge_path(change: Any, at: Path = TOP) -> Iterator[Path]:
    """Yield the places a merge patch walks through."""
    if isinstance(change, dict):
        yield at
        for name, below in change.items():
            yield from merge_path(below, (*at, name))


def operations_path(operations: Any) -> Iterator[Path]:
    """Yield the places the operations of a JSON patch walk through."""
    yield TOP
    for operation in operations if isinstance(operations, list) else ():
        for member in ("path", "from"):
            text = operation.get(member) if isinstance(operation, dict) else None
            if isinstance(text, str):
                steps = [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]
                yield from (tuple(steps[:n]) for n in range(1, len(steps)))


def text_of(obj: Obj, node: Node | None, touched: set[Path]) -> str:
    """Return the object as text; at the places in ``touched`` its fields are sorted."""
    text = json.dumps(_ordered(obj, node, touched, TOP), separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _ordered(value: Any, node: Node | None, touched: set[Path], at: Path) -> Any:
    if isinstance(value, list):
        below = node.items if node is not None else None
        return [_ordered(item, below, touched, (*at, str(n))) for n, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if at in touched:
        names = sorted(value)
    elif node is None:
        names = list(value)
    elif node.properties:
        names = ordered(node.name, value)
    elif node.additional is not None:
        names = sorted(value)
    else:
        names = list(value)
    return {name: _ordered(value[name], _below(node, name), touched, (*at, name)) for name in names}


def _below(node: Node | None, name: str) -> Node | None:
    if node is None:
        return None
    return node.properties.get(name) or node.additional
