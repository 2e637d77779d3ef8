"""What differs between two states of an object, field by field.

In: the object before and after, both as the API server holds them (so after defaulting, with
canonical quantities). Out: a list of changes; items of lists are named by what identifies them
(``containers[name=web].image``). What the server itself keeps (status, managedFields,
resourceVersion, generation, uid, times) is left out, and a Secret's values are masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kctl.api.objects import LAST_APPLIED, Obj
from kctl.api.schema.node import Node

SERVER_FIELDS = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
MASK, MASK_BEFORE, MASK_AFTER = "***", "*** (before)", "*** (after)"


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""In the place of a value that is not there."""


class FieldChange(NamedTuple):
    """One field that differs; ABSENT stands for no value."""

    path: str
    before: Any
    after: Any

    def data(self) -> Obj:
        """Return ``{path, from, to}``; a side without a value is left out."""
        out: Obj = {"path": self.path}
        if self.before is not ABSENT:
            out["from"] = self.before
        if self.after is not ABSENT:
            out["to"] = self.after
        return out


def changes(
    before: Obj | None, after: Obj | None, node: Node | None = None, *, secrets: bool = False
) -> list[FieldChange]:
    """Return what differs; ``node`` is the kind's schema, ``secrets`` shows a Secret's values."""
    old, new = comparable(before), comparable(after)
    if not secrets:
        old, new = masked(old, new)
    return list(_changes("", old, new, node))


def comparable(obj: Obj | None) -> Obj:
    """Return the object without what the server keeps for itself."""
    if not obj:
        return {}
    out = {name: value for name, value in obj.items() if name != "status"}
    meta = out.get("metadata")
    if isinstance(meta, dict):
        out["metadata"] = {name: value for name, value in meta.items() if name not in SERVER_FIELDS}
    return out


def masked(before: Obj, after: Obj) -> tuple[Obj, Obj]:
    """Mask a Secret's values as kubectl diff does: what differs is said, not how."""
    if not _is_secret(before) and not _is_secret(after):
        return before, after
    for field in ("data", "stringData"):
        before, after = _mask_field(before, after, (field,))
    return _mask_field(before, after, ("metadata", "annotations"), only=LAST_APPLIED)


def _is_secret(obj: Obj) -> bool:
    return obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"


def _mask_field(before: Obj, after: Obj, path: tuple[str, ...], only: str = "") -> tuple[Obj, Obj]:
    old, new = _at(before, path), _at(after, path)
    hidden_old, hidden_new = dict(old), dict(new)
    for key in {*old, *new}:
        if only and key != only:
            continue
        is_changed = key in old and key in new and old[key] != new[key]
        if key in old:
            hidden_old[key] = MASK_BEFORE if is_changed else MASK
        if key in new:
            hidden_new[key] = MASK_AFTER if is_changed else MASK
    return _with(before, path, hidden_old), _with(after, path, hidden_new)


def _at(obj: Obj, path: tuple[str, ...]) -> Mapping[str, Any]:
    value: Any = obj
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _with(obj: Obj, path: tuple[str, ...], value: Obj) -> Obj:
    if not value:
        return obj
    inner = value if len(path) == 1 else _with(obj[path[0]], path[1:], value)
    return {**obj, path[0]: inner}


def _changes(path: str, before: Any, after: Any, node: Node | None) -> Iterator[FieldChange]:
    if before is after or before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after}):
            child = (node.properties.get(name) or node.additional) if node is not None else None
            yield from _changes(_join(path, name), before.get(name, ABSENT), after.get(name, ABSENT), child)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_changes(path, before, after, node)
    else:
        yield FieldChange(path, before, after)


def _list_changes(path: str, before: list[Any], after: list[Any], node: Node | None) -> Iterator[FieldChange]:
    item = node.items if node is not None else None
    keys = _keys(before, after, node)
    if keys:
        old, new = _by_key(before, keys), _by_key(after, keys)
        moved = [name for name in new if name in old] != [name for name in old if name in new]
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _changes(f"{path}[{name}]", old.get(name, ABSENT), new.get(name, ABSENT), item)
        if moved:
            yield FieldChange(path, [f"[{name}]" for name in old], [f"[{name}]" for name in new])
    elif len(before) == len(after) and all(isinstance(part, dict) for part in (*before, *after)):
        for index, (left, right) in enumerate(zip(before, after, strict=True)):
            yield from _changes(f"{path}[{index}]", left, right, item)
    else:
        yield FieldChange(path, before, after)


def _keys(before: list[Any], after: list[Any], node: Node | None) -> tuple[str, ...]:
    """Return the fields that identify the items, () where the list is compared as a whole."""
    candidates: list[tuple[str, ...]] = []
    if node is not None:
        if node.list_map_keys:
            candidates.append(tuple(node.list_map_keys))
        if node.merge_key:
            candidates.append((node.merge_key,))
    candidates.append(("name",))
    for keys in candidates:
        if all(_identifies(part, keys) for part in (before, after)):
            return keys
    return ()


def _identifies(items: Sequence[Any], keys: tuple[str, ...]) -> bool:
    if not all(isinstance(item, dict) and keys[0] in item for item in items):
        return False
    return len(_by_key(items, keys)) == len(items)


def _by_key(items: Sequence[Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {",".join(f"{key}={item[key]}" for key in keys if key in item): item for item in items}


def _join(path: str, name: str) -> str:
    if "." in name or "/" in name:
        return f"{path}[{name}]"
    return f"{path}.{name}" if path else name
