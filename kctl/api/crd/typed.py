"""Values of custom resources as CEL sees them: by their schema, not by how JSON writes them.

In: a JSON value and its structural schema. Out: the value for an expression: times and durations are
what their texts mean, numbers are doubles where the schema says so, sets are without order. As
UnstructuredToVal of k8s.io/apiserver pkg/cel/common. What needs nothing of this is shared as it is.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.text import read_duration, read_time
from kctl.api.cel.values import UniqueList
from kctl.api.objects import Obj

FORMATS = ("date-time", "date", "duration", "byte")


def is_plain(schema: Obj) -> bool:
    """Say whether values of a schema are for CEL what they are in JSON."""
    if schema.get("type") == "number" or schema.get("x-kubernetes-list-type") in ("set", "map"):
        return False
    if schema.get("type") == "string" and schema.get("format") in FORMATS:
        return False
    below = [schema.get("items"), schema.get("additionalProperties"), *(schema.get("properties") or {}).values()]
    return all(is_plain(one) for one in below if isinstance(one, dict))


def value_of(value: Any, schema: Obj | None) -> Any:
    """Return a value as an expression sees it."""
    if value is None or schema is None:
        return value
    if isinstance(value, dict):
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        rest = additional if isinstance(additional, dict) else None
        return {name: value_of(child, properties.get(name, rest)) for name, child in value.items()}
    if isinstance(value, list):
        items = schema.get("items")
        found = [value_of(item, items if isinstance(items, dict) else None) for item in value]
        kind = schema.get("x-kubernetes-list-type")
        if kind == "set":
            return UniqueList(found, ())
        if kind == "map":
            return UniqueList(found, tuple(schema.get("x-kubernetes-list-map-keys") or ()))
        return found
    if isinstance(value, bool):
        return value
    if schema.get("type") == "number" and isinstance(value, int):
        return float(value)
    if isinstance(value, float) and schema.get("type") == "integer" and value == int(value):
        return int(value)
    if isinstance(value, str) and schema.get("type") == "string":
        return _text(value, schema.get("format"))
    return value


def _text(value: str, format_: str | None) -> Any:
    """Return a text as its format has it; one that is not in it stays (validation says so elsewhere)."""
    try:
        if format_ == "date-time":
            return read_time(value.replace("t", "T").replace("z", "Z"))
        if format_ == "date":
            return read_time(f"{value}T00:00:00Z")
        if format_ == "duration":
            return read_duration(value)
        if format_ == "byte":
            return b64decode(value, validate=True)
    except (ValueError, EvaluationError):
        pass
    return value
