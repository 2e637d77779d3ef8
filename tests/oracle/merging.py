"""A strategic merge patch by hand, for kinds whose patches the server refuses."""

from __future__ import annotations

from typing import Any


def merged(old: Any, patch: Any) -> Any:
    """Return what a strategic merge patch makes of a value, for lists keyed by name."""
    if isinstance(patch, dict):
        out = dict(old) if isinstance(old, dict) else {}
        for key, value in patch.items():
            if value is None:
                out.pop(key, None)
            else:
                out[key] = merged(out.get(key), value)
        return out
    if isinstance(patch, list) and patch and all(isinstance(item, dict) and "name" in item for item in patch):
        items = {item["name"]: item for item in old or ()}
        for item in patch:
            items[item["name"]] = merged(items.get(item["name"]), item)
        return list(items.values())
    return patch
