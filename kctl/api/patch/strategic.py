"""Strategic merge patch: lists merge by the keys the schema names, directives say the rest.

In: the object, the patch, the kind's schema (``merge_key``, ``patch_strategy``). Out: the patched
object, which shares what did not change. Directives: ``$patch: replace|delete`` in a map or a list
item, ``$setElementOrder/FIELD``, ``$deleteFromPrimitiveList/FIELD``, ``$retainKeys``. Rules and
messages of k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kctl.api.errors import StatusError, bad_request
from kctl.api.objects import Obj
from kctl.api.schema.node import Node

PATCH = "$patch"
RETAIN = "$retainKeys"
ORDER = "$setElementOrder/"
DELETE = "$deleteFromPrimitiveList/"


def patch(target: Obj, change: Obj, node: Node | None) -> Obj:
    """Return what the patch makes of the object.

    Raises errors of code 500 without a reason for directives that make no sense, and BadRequest for
    a ``$retainKeys`` that does not fit the patch, as upstream.
    """
    return _merge_map(target, change, node)


def _merge_map(target: Obj, change: Obj, node: Node | None) -> Obj:
    """Merge a patch into a map (strategicpatch.mergeMap)."""
    if PATCH in change:
        return _directed(change)
    out = dict(target)
    if RETAIN in change:
        change = _retain(out, change)
    for field in [name for name in change if name.startswith(ORDER)]:
        change = _ordered(out, change, field, node)
    for name, value in change.items():
        if name.startswith(DELETE):
            _delete_from(out, name.removeprefix(DELETE), value)
        elif value is None:
            out.pop(name, None)
        else:
            out[name] = _merge_field(out[name], value, _below(node, name)) if name in out else _plain(value)
    return out


def _directed(change: Obj) -> Obj:
    """Carry out ``$patch`` of a map."""
    directive = change[PATCH]
    if directive == "replace":
        rest = {name: value for name, value in change.items() if name != PATCH}
        return {name: _plain(value) for name, value in rest.items() if value is not None}
    if directive == "delete":
        return {}
    raise _unknown(directive, change)


def _below(node: Node | None, name: str) -> Node | None:
    if node is None:
        return None
    found = node.properties.get(name)
    return found if found is not None else node.additional


def _merge_field(old: Any, new: Any, node: Node | None) -> Any:
    strategies = node.patch_strategy.split(",") if node is not None else []
    if isinstance(old, dict) and isinstance(new, dict):
        return _plain(new) if "replace" in strategies else _merge_map(old, new, node)
    if isinstance(old, list) and isinstance(new, list) and "merge" in strategies and node is not None:
        return _merge_list(old, new, node)
    return _plain(new)


def _plain(value: Any) -> Any:
    """Return a value that nothing was there for: without directives and nulls."""
    if isinstance(value, dict):
        if value.get(PATCH) == "delete":
            return {}
        return {
            name: _plain(child)
            for name, child in value.items()
            if child is not None and name not in (PATCH, RETAIN) and not name.startswith((ORDER, DELETE))
        }
    if isinstance(value, list):
        return [_plain(item) for item in value if not (isinstance(item, dict) and PATCH in item)]
    return value


def _retain(out: Obj, change: Obj) -> Obj:
    """Drop what ``$retainKeys`` does not name; return the patch without it."""
    keep = change[RETAIN]
    rest = {name: value for name, value in change.items() if name != RETAIN}
    if not isinstance(keep, list):
        raise bad_request("invalid patch format of retainKeys")
    for name, value in rest.items():
        if value is not None and name not in keep and not name.startswith((ORDER, DELETE)):
            raise bad_request("invalid patch format of retainKeys")
    for name in [name for name in out if name not in keep]:
        del out[name]
    return rest


def _delete_from(out: Obj, name: str, gone: Any) -> None:
    """Carry out ``$deleteFromPrimitiveList``."""
    if not isinstance(gone, list):
        raise bad_request("invalid patch format of primitive list")
    old = out.get(name)
    if isinstance(old, list):
        out[name] = [item for item in old if item not in gone]


def _ordered(out: Obj, change: Obj, field: str, node: Node | None) -> Obj:
    """Carry out ``$setElementOrder`` together with the patch of its list; return the rest of the patch."""
    name = field.removeprefix(ORDER)
    order = change[field]
    new = change.get(name)
    rest = {other: value for other, value in change.items() if other not in (field, name)}
    if not isinstance(order, list) or not isinstance(new, list | None):
        raise bad_request("invalid patch format of setElementOrder list")
    below = _below(node, name)
    key = below.merge_key if below is not None else ""
    same = _sameness(key)
    if new is not None:
        _check_order(new, order, same)
    gone = [item for item in change.get(DELETE + name) or [] if not key]
    old = out.get(name)
    if not isinstance(old, list):
        if new is None:
            return rest
        merged = _plain(new)
    elif new is None:
        merged = old
    elif below is not None:
        merged = _merge_list(old, new, below)
    else:
        merged = _plain(new)
    merged = [item for item in merged if item not in gone]
    out[name] = _in_order(merged, order, old if isinstance(old, list) else [], same)
    return rest


Same = Callable[[Any, Any], bool]


def _sameness(key: str) -> Same:
    """Return the function that says whether two items are the same one."""
    if not key:
        return lambda one, two: bool(one == two)
    return lambda one, two: isinstance(one, dict) and isinstance(two, dict) and one.get(key) == two.get(key)


def _check_order(new: list[Any], order: list[Any], same: Same) -> None:
    """Refuse a patch whose items come in another order than it asks for."""
    at = 0
    for item in new:
        if isinstance(item, dict) and item.get(PATCH) in ("delete", "replace"):
            continue
        while at < len(order) and not same(order[at], item):
            at += 1
        if at == len(order):
            raise _failed(
                f"The order in patch list:\n{go_text(new)}\n doesn't match $setElementOrder list:\n{go_text(order)}\n"
            )
        at += 1


def _merge_list(old: list[Any], new: list[Any], node: Node) -> list[Any]:
    """Merge a list of maps by its merge key, or a list of scalars as a set (strategicpatch.mergeSlice)."""
    key = node.merge_key
    same = _sameness(key)
    if not key:
        merged = list(old)
        merged += [item for item in new if item not in old]
        return _in_order(list(_unique(merged)), new, old, same)
    old, new = _special(old, new, key)
    merged = list(old)
    for item in new:
        if not isinstance(item, dict) or item.get(key) is None:
            raise _no_key(item, key)
        at = next((n for n, have in enumerate(merged) if same(have, item)), None)
        if at is None:
            merged.append(_plain(item))
        else:
            merged[at] = _merge_map(merged[at], item, node.items)
    return _in_order(merged, new, old, same)


def _unique(items: list[Any]) -> list[Any]:
    out: list[Any] = []
    for item in items:
        if item not in out:
            out.append(item)
    return out


def _special(old: list[Any], new: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """Carry out ``$patch`` of list items; return the list and the patch that are left."""
    same = _sameness(key)
    left: list[Any] = []
    replace = False
    for item in new:
        directive = item.get(PATCH) if isinstance(item, dict) else None
        if directive is None:
            left.append(item)
        elif directive == "delete":
            if item.get(key) is None:
                raise _no_key(item, key)
            old = [have for have in old if not same(have, item)]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _failed("merging lists cannot yet be specified in the patch")
        else:
            raise _unknown(directive, item)
    return ([_plain(item) for item in left], []) if replace else (old, left)


def _in_order(merged: list[Any], order: list[Any], server: list[Any], same: Same) -> list[Any]:
    """Put the items the patch names in its order and the others in the server's, then weave them."""
    ours = [item for item in merged if _place(order, item, same) >= 0]
    theirs = [item for item in merged if _place(order, item, same) < 0]
    ours.sort(key=lambda item: _place(order, item, same))
    theirs.sort(key=lambda item: _place(server, item, same))
    out: list[Any] = []
    left, right = 0, 0
    while left < len(theirs) or right < len(ours):
        if right == len(ours):
            out.append(theirs[left])
            left += 1
            continue
        before = -1 if left == len(theirs) else _place(server, theirs[left], same)
        after = _place(server, ours[right], same)
        if left < len(theirs) and 0 <= before < after:
            out.append(theirs[left])
            left += 1
        else:
            out.append(ours[right])
            right += 1
    return out


def _place(order: list[Any], item: Any, same: Same) -> int:
    return next((n for n, other in enumerate(order) if same(other, item)), -1)


def _failed(message: str) -> StatusError:
    return StatusError(500, "", message)


def _unknown(directive: Any, where: Obj) -> StatusError:
    return _failed(f"unknown patch type: {go_text(directive)} in map: {go_text(where)}")


def _no_key(item: Any, key: str) -> StatusError:
    return _failed(f"map: {go_text(item)} does not contain declared merge key: {key}")


def go_text(value: Any) -> str:
    """Write a value as Go's ``%v`` does: ``map[image:n name:a]``."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{go_text(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(go_text, value)) + "]"
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else json.dumps(value)
