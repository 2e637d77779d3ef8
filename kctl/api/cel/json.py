"""Values of CEL as JSON, for objects and patches that expressions make."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from kctl.api.cel.text import string_of
from kctl.api.cel.values import Duration, Optional, Timestamp, UInt, value_of_key


def json_of(value: Any) -> Any:
    """Return a value as JSON has it; optional values that are absent are null."""
    if isinstance(value, dict):
        return {str(value_of_key(key)): json_of(child) for key, child in value.items()}
    if isinstance(value, list):
        return [json_of(child) for child in value]
    kind = type(value)
    if kind is Duration or kind is Timestamp:
        return string_of(value)
    if kind is UInt:
        return int(value)
    if kind is bytes:
        return b64encode(value).decode()
    if kind is Optional:
        return json_of(value.value) if value.has_value else None
    return value
