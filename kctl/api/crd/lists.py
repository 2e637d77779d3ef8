"""Lists that may not say anything twice: sets, and maps by their keys.

As apiextensions-apiserver pkg/apiserver/schema/listtype ValidateListSetsAndMaps.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.api.errors import FieldError, duplicate
from kctl.api.objects import Obj


def check(value: Any, schema: Obj, path: str = "") -> list[FieldError]:
    """Return an error for every item that an earlier one of its list is equal to."""
    out: list[FieldError] = []
    if isinstance(value, list):
        out += _list(value, schema, path)
        items = schema.get("items")
        if isinstance(items, dict) and isinstance(items, dict):
            for n, item in enumerate(value):
                out += check(item, items, f"{path}[{n}]")
    elif isinstance(value, dict):
        properties = schema.get("properties") or {}
        additional = schema.get("additionalProperties")
        for name in sorted(value):
            below = properties.get(name)
            at = f"{path}.{name}" if path else name
            if below is None and isinstance(additional, dict):
                below, at = additional, f"{path}[{name}]"
            if below is not None:
                out += check(value[name], below, at)
    return out


def _list(value: list[Any], schema: Obj, path: str) -> list[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return _repeats(value, path)
    if kind == "map":
        keys = sorted(schema.get("x-kubernetes-list-map-keys") or ())
        found = [{key: item[key] for key in keys if key in item} if isinstance(item, dict) else {} for item in value]
        return _repeats(found, path)
    return []


def _repeats(values: list[Any], path: str) -> list[FieldError]:
    seen: set[str] = set()
    out = []
    for n, value in enumerate(values):
        text = json.dumps(value, sort_keys=True)
        if text in seen:
            out.append(duplicate(f"{path}[{n}]", value))
        seen.add(text)
    return out
