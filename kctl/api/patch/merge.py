"""JSON merge patch (RFC 7386)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def patch(target: Any, changes: Any) -> Any:
    """Return ``target`` with the merge patch laid over it; null takes a field out.

    What does not change is shared with ``target``.
    """
    if not isinstance(changes, Mapping):
        return changes
    out = dict(target) if isinstance(target, Mapping) else {}
    for name, value in changes.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = patch(out.get(name), value)
    return out
