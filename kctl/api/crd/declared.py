"""The types of a schema, as rules in CEL see them, with how large their values may be.

As SchemaDeclType of k8s.io/apiserver pkg/cel/common: where the schema sets no limit, the size of a
request does. A place whose schema says too little has no type, and no rule.
"""

from __future__ import annotations

from typing import Any

from kctl.api.cel.names import escape
from kctl.api.cel.types import BOOL, DOUBLE, INT, STRING, Type, list_of, map_of
from kctl.api.objects import Obj

REQUEST = 3 * 1024 * 1024
"""The size of the largest request."""
TEXTS = {
    "byte": ("bytes", REQUEST - 2),
    "duration": ("duration", 32),
    "date": ("timestamp", 12),
    "date-time": ("timestamp", 22),
}
ROOT: Obj = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}},
}


def type_of(schema: Obj, *, is_root: bool = False) -> Type | None:
    """Return the declared type of a place in a schema, None for what has no type."""
    if schema.get("x-kubernetes-int-or-string"):
        return Type("dyn", "dyn", limit=REQUEST - 2, min_size=1)
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, is_root=is_root)
    if kind == "array":
        return _list(schema)
    if kind == "string":
        return _text(schema)
    simple = {"boolean": (BOOL, 4), "integer": (INT, 1), "number": (DOUBLE, 1)}.get(str(kind))
    if simple is None:
        return None
    return Type("simple", simple[0].name, min_size=simple[1])


def _list(schema: Obj) -> Type | None:
    items = schema.get("items")
    if not isinstance(items, dict):
        return None
    item = type_of(items, is_root=bool(items.get("x-kubernetes-embedded-resource")))
    if item is None:
        return None
    limit = schema.get("maxItems")
    return list_of(item, limit=max(limit, 0) if limit is not None else (REQUEST - 2) // (item.min_size + 1))


def _object(schema: Obj, *, is_root: bool) -> Type | None:
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        value = type_of(additional, is_root=bool(additional.get("x-kubernetes-embedded-resource")))
        if value is None:
            return None
        limit = schema.get("maxProperties")
        most = max(limit, 0) if limit is not None else (REQUEST - 2) // (value.min_size + 6)
        return map_of(STRING, value, limit=most)
    properties: dict[str, Any] = schema.get("properties") or {}
    if is_root or schema.get("x-kubernetes-embedded-resource"):
        meta = (properties.get("metadata") or {}).get("properties") or {}
        own = {**ROOT["metadata"], "properties": {**ROOT["metadata"]["properties"], **meta}}
        properties = {**ROOT, **properties, "metadata": own}
    required = set(schema.get("required") or ())
    fields: dict[str, Type] = {}
    size = 2
    for name, child in properties.items():
        found = type_of(child, is_root=bool(child.get("x-kubernetes-embedded-resource")))
        if found is None:
            continue
        escaped = escape(name)
        if escaped is not None:
            fields[escaped] = found
        if name in required and child.get("default") is None:
            size += len(name) + found.min_size + 4
    return Type("object", "object", fields=fields, min_size=size)


def _text(schema: Obj) -> Type:
    name, most = TEXTS.get(schema.get("format") or "", ("string", REQUEST - 2))
    limit = schema.get("maxLength")
    if limit is not None and name in ("string", "bytes"):
        most = max(limit, 0) * (4 if name == "string" else 1)
    elif schema.get("enum") and name == "string":
        most = max(len(str(one).encode()) for one in schema["enum"]) + 2
    return Type("simple", name, limit=most, min_size=2)
