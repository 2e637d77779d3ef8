"""Pruning and defaulting: a custom resource as its schema has it.

In: a JSON value and a structural schema. Out: the value without what the schema does not name, with
defaults where something is missing, shared where nothing changes; and the paths of what went. As
apiextensions-apiserver pkg/apiserver/schema/{pruning,defaulting}.
"""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj

META = ("apiVersion", "kind", "metadata")
NOTHING: Obj = {}
KEEP = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
_ABSENT = object()


def prune(value: Any, schema: Obj, unknown: list[str] | None = None, *, root: bool = True) -> Any:
    """Return the value without unknown fields, whose paths are added to ``unknown``."""
    paths: list[str] = []
    out = _prune(value, schema, "", paths, root or bool(schema.get(EMBEDDED)))
    if unknown is not None:
        unknown.extend(sorted(paths))
    return out


def _prune(value: Any, schema: Obj | None, path: str, unknown: list[str], is_object: bool) -> Any:
    """Prune one place; ``is_object`` says that a whole object with its metadata stands here."""
    keeps = schema is not None and bool(schema.get(KEEP))
    if isinstance(value, dict):
        return _pruned_map(value, schema or NOTHING, path, unknown, is_object, keeps)
    if isinstance(value, list):
        items = (schema or NOTHING).get("items")
        if items is None and keeps:
            return value
        below = items if isinstance(items, dict) else None
        embedded = bool(below and below.get(EMBEDDED))
        new = [_prune(one, below, f"{path}[{n}]", unknown, embedded) for n, one in enumerate(value)]
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value


def _pruned_map(value: Obj, schema: Obj, path: str, unknown: list[str], is_object: bool, keeps: bool) -> Obj:
    out: Obj | None = None
    properties = schema.get("properties") or NOTHING
    additional = schema.get("additionalProperties")
    for name, child in value.items():
        if is_object and name in META:
            continue
        at = f"{path}.{name}" if path else name
        below = properties.get(name)
        if below is not None:
            new = _prune(child, below, at, unknown, bool(below.get(EMBEDDED)))
        elif additional is not None and additional is not False:
            inner = additional if isinstance(additional, dict) else None
            new = _prune(child, inner, at, unknown, bool(inner and inner.get(EMBEDDED)))
        elif keeps:
            continue
        else:
            unknown.append(at)
            new = _ABSENT
        if new is child:
            continue
        if out is None:
            out = dict(value)
        if new is _ABSENT:
            del out[name]
        else:
            out[name] = new
    return value if out is None else out


def default(value: Any, schema: Obj | None) -> Any:
    """Return the value with the schema's defaults, also where null stands and may not."""
    if schema is None:
        return value
    if isinstance(value, dict):
        return _default_map(value, schema)
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        new = [default(_instead_of_null(one, items), items) for one in value]
        return value if all(a is b for a, b in zip(new, value, strict=True)) else new
    return value


def _instead_of_null(value: Any, schema: Obj) -> Any:
    if value is None and not schema.get("nullable"):
        return schema.get("default")
    return value


def _default_map(value: Obj, schema: Obj) -> Obj:
    out: Obj | None = None
    properties = schema.get("properties") or NOTHING
    additional = schema.get("additionalProperties")
    for name, below in properties.items():
        given = below.get("default")
        if given is None:
            continue
        if name not in value or (value[name] is None and not below.get("nullable")):
            out = dict(value) if out is None else out
            out[name] = given
    for name, child in list((value if out is None else out).items()):
        below = properties.get(name)
        if below is not None:
            new = default(child, below)
        elif isinstance(additional, dict):
            new = default(_instead_of_null(child, additional), additional)
        else:
            continue
        if new is not child:
            out = dict(value) if out is None else out
            out[name] = new
    return value if out is None else out


def without_nulls(value: Any, schema: Obj | None) -> Any:
    """Return the value without nulls that are not allowed and that no default will replace."""
    if schema is None:
        return value
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return value
        all_ = [without_nulls(one, items) for one in value]
        return value if all(a is b for a, b in zip(all_, value, strict=True)) else all_
    if not isinstance(value, dict):
        return value
    out: Obj | None = None
    properties = schema.get("properties") or NOTHING
    additional = schema.get("additionalProperties")
    for name, child in value.items():
        below = properties.get(name)
        if below is None:
            below = additional if isinstance(additional, dict) else None
        if below is None:
            continue
        goes = child is None and not below.get("nullable") and below.get("default") is None
        new: Any = _ABSENT if goes else without_nulls(child, below)
        if new is child:
            continue
        out = dict(value) if out is None else out
        if new is _ABSENT:
            del out[name]
        else:
            out[name] = new
    return value if out is None else out
