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
        field = name.removeprefix(DELETE)
        _merge_member(out, field, value, below(node, field), deletes=field != name)
    return out


def _merge_member(out: Obj, name: str, value: Any, node: Node | None, *, deletes: bool) -> None:
    """Merge one field of a patch; ``deletes`` when it came as ``$deleteFromPrimitiveList``."""
    if value is None:
        out.pop(name, None)
        return
    if name in out and go_type(out[name]) == go_type(value):
        merged = _merge_field(out[name], value, node, deletes=deletes)
    elif deletes:
        return
    else:
        merged = _taken(value)
    if merged is GONE:
        out.pop(name, None)
    else:
        out[name] = merged


def _directed(change: Obj) -> Obj:
    """Carry out ``$patch`` of a map."""
    directive = change[PATCH]
    if directive == "replace":
        return {name: without_nulls(value) for name, value in change.items() if name != PATCH and value is not None}
    if directive == "delete":
        return {}
    raise _unknown(directive, change)


def below(node: Node | None, name: str) -> Node | None:
    """Return the schema of a map's member."""
    if node is None:
        return None
    found = node.properties.get(name)
    return found if found is not None else node.additional


def strategies(node: Node | None) -> list[str]:
    """Return how the schema wants a field merged."""
    return node.patch_strategy.split(",") if node is not None else []


def _merge_field(old: Any, new: Any, node: Node | None, *, deletes: bool = False) -> Any:
    """Merge two values of the same type."""
    if isinstance(new, dict):
        return without_nulls(new) if "replace" in strategies(node) else _merge_map(old, new, node)
    if isinstance(new, list):
        return _merge_list(old, new, node, deletes) if deletes or "merge" in strategies(node) else without_nulls(new)
    return new


GONE = object()
"""What is left of a map with a ``$patch`` where nothing was to be patched: nothing."""


def _taken(value: Any) -> Any:
    """Return a value that nothing was there for: without maps that hold a directive, as removeDirectives."""
    if isinstance(value, dict):
        if PATCH in value:
            return GONE
        members = ((name, _taken(child)) for name, child in value.items() if child is not None)
        return {name: child for name, child in members if child is not GONE}
    if isinstance(value, list):
        return [item for item in map(_taken, value) if item is not GONE]
    return value


def without_nulls(value: Any) -> Any:
    """Return a value as it came, but for the nulls in its maps, which upstream's converter reads as nothing."""
    if isinstance(value, dict):
        return {name: without_nulls(child) for name, child in value.items() if child is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


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


def _ordered(out: Obj, change: Obj, field: str, node: Node | None) -> Obj:
    """Carry out ``$setElementOrder`` together with the patch of its list; return the rest of the patch.

    As strategicpatch.mergePatchIntoOriginal, in its order of refusals.
    """
    name = field.removeprefix(ORDER)
    order = change[field]
    rest = {other: value for other, value in change.items() if other not in (field, name)}
    for there, value in ((True, order), (name in out, out.get(name)), (name in change, change.get(name))):
        if there and not isinstance(value, list):
            raise _other_type([], value)
    old, new = out.get(name, []), change.get(name, [])
    listed = below(node, name)
    if node is not None and listed is None and node.properties:
        struct = node.name.rpartition(".")[2]
        raise _failed(f"unable to find api field in struct {struct} for the json field {json.dumps(name)}")
    key = listed.merge_key if listed is not None else ""
    if order and new:
        _check_order(new, order, key)
    if name not in out and name not in change:
        return rest
    if name not in change:
        merged = old
    else:
        merged = _merge_field(old, new, listed) if name in out else _taken(new)
    if key:
        for item in merged:
            _key_of(item, key)
    _one_type(old, new)
    out[name] = _in_order(merged, order, old, _sameness(key))
    return rest


Same = Callable[[Any, Any], bool]


def _sameness(key: str) -> Same:
    """Return the function that says whether two items are the same one."""
    if not key:
        return lambda one, two: bool(one == two)
    return lambda one, two: isinstance(one, dict) and isinstance(two, dict) and one.get(key) == two.get(key)


def _key_of(item: Any, key: str) -> Any:
    """Return what an item is known by; refused when it has none."""
    if not isinstance(item, dict):
        raise _other_type({}, item)
    if key not in item:
        raise _no_key(item, key)
    return item[key]


def _check_order(new: list[Any], order: list[Any], key: str) -> None:
    """Refuse a patch whose items come in another order than it asks for (validatePatchWithSetOrderList)."""
    if key:
        for item in new:
            if not isinstance(item, dict):
                raise _other_type({}, item)
    left = [item for item in new if not (isinstance(item, dict) and item.get(PATCH) == "delete" and key)]
    at = n = 0
    while at < len(left) and n < len(order):
        if isinstance(left[at], dict) and PATCH in left[at]:
            at += 1
            continue
        same = _key_of(left[at], key) == _key_of(order[n], key) if key else left[at] == order[n]
        at += same
        n += 1
    if at < len(left):
        raise _failed(
            f"The order in patch list:\n{go_text(new)}\n doesn't match $setElementOrder list:\n{go_text(order)}\n"
        )


def _one_type(old: list[Any], new: list[Any]) -> str:
    """Return Go's name of the type that all items have (strategicpatch.sliceElementType)."""
    types = [go_type(item) for item in (*old, *new)]
    if not types:
        raise _failed("no elements in any of the given slices")
    if types[0] == LIST:
        raise StatusError(422, "Invalid", "the server rejected our request due to an error in our request")
    if any(other != types[0] for other in types):
        raise _failed(f"list element types are not identical: {go_text([old, new])}")
    return types[0]


def _merge_list(old: list[Any], new: list[Any], node: Node | None, deletes: bool) -> list[Any]:
    """Merge a list of maps by its merge key, or a list of scalars as a set (strategicpatch.mergeSlice)."""
    if not old and not new:
        return old
    key = node.merge_key if node is not None else ""
    same = _sameness(key)
    if _one_type(old, new) != MAP:
        if deletes:
            return [item for item in old if item not in new]
        merged = [*old, *(item for item in new if item not in old)]
        return _in_order(list(_unique(merged)), new, old, same)
    if not key:
        raise _failed("cannot merge lists without merge key for struct")
    old, new = _special(old, new, key)
    merged = list(old)
    for item in new:
        _key_of(item, key)
        at = next((n for n, have in enumerate(merged) if same(have, item)), None)
        if at is None:
            merged.append(without_nulls(item))
        else:
            merged[at] = _merge_map(merged[at], item, node.items if node is not None else None)
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
            _key_of(item, key)
            old = [have for have in old if not same(have, item)]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _failed("merging lists cannot yet be specified in the patch")
        else:
            raise _unknown(directive, item)
    return ([without_nulls(item) for item in left], []) if replace else (old, left)


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
    return _failed(f"unknown patch type: {_as_text(directive)} in map: {go_text(where)}")


def _other_type(wanted: Any, found: Any) -> StatusError:
    actual = "%!s(<nil>)" if found is None else go_type(found)
    return _failed(f"expected a {go_type(wanted)}, but received a {actual}")


MAP, LIST = "map[string]interface {}", "[]interface {}"


def go_type(value: Any) -> str:
    """Name the type that a JSON value has in Go."""
    if isinstance(value, dict | list):
        return MAP if isinstance(value, dict) else LIST
    if value is None:
        return "<nil>"
    if isinstance(value, bool | str):
        return "bool" if isinstance(value, bool) else "string"
    return "int64" if isinstance(value, int) else "float64"


def _as_text(value: Any) -> str:
    """Write a value as Go's ``%s`` does, which names the type of what is no text."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "map[" + " ".join(f"{name}:{_as_text(value[name])}" for name in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_as_text, value)) + "]"
    return "%!s(<nil>)" if value is None else f"%!s({go_type(value)}={go_text(value)})"


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
