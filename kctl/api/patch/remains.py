"""What is left of a strategic merge patch when it has been carried out.

In: the object, the patch, the kind's schema. Out: the patch as upstream quotes it in a refusal of
what it made: its library takes out of the patch, on the way, the directives it has carried out, lists
that had an order, and nulls of what was not there (k8s.io/apimachinery/pkg/util/strategicpatch).
"""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj
from kctl.api.patch.strategic import DELETE, ORDER, PATCH, RETAIN, below, go_type, strategies, without_nulls
from kctl.api.schema.node import Node


def of(target: Obj, change: Obj, node: Node | None) -> Obj:
    """Return what is left of the patch of a map (strategicpatch.mergeMap)."""
    if PATCH in change:
        return {name: value for name, value in change.items() if name != PATCH or value != "replace"}
    ordered = {name.removeprefix(ORDER) for name in change if name.startswith(ORDER)}
    out: Obj = {}
    for name, value in change.items():
        if name == RETAIN or name.startswith(ORDER) or name in ordered:
            continue
        field = name.removeprefix(DELETE)
        out[name] = _member(target, field, value, below(node, field), deletes=field != name)
    return out


def _member(target: Obj, name: str, value: Any, node: Node | None, *, deletes: bool) -> Any:
    old = target.get(name)
    if value is None or (name in target and go_type(old) == go_type(value)):
        if isinstance(value, dict) and isinstance(old, dict) and "replace" not in strategies(node):
            return of(old, value, node)
        if isinstance(value, list) and isinstance(old, list) and node is not None and "merge" in strategies(node):
            return [_item(old, item, node) for item in value]
        return value
    return value if deletes else _taken(without_nulls(value), top=True)


def _item(old: list[Any], item: Any, node: Node) -> Any:
    """Return what is left of an item of a list that merges by its key."""
    if not isinstance(item, dict) or PATCH in item or not node.merge_key:
        return item
    key = node.merge_key
    there = next((have for have in old if isinstance(have, dict) and have.get(key) == item.get(key)), None)
    return item if there is None else of(there, item, node.items)


def _taken(value: Any, *, top: bool = False) -> Any:
    """Return a value that nothing was there for; the list that is the value itself keeps its items."""
    if isinstance(value, dict):
        directed = PATCH in value
        return value if directed else {name: _taken(child) for name, child in value.items() if not _directed(child)}
    if isinstance(value, list):
        return [_taken(item) for item in value if top or not _directed(item)]
    return value


def _directed(value: Any) -> bool:
    return isinstance(value, dict) and PATCH in value
