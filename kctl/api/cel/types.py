"""Types."""

from __future__ import annotations

from typing import Any


def optional(of: Any) -> Any:
    """Return the optional of a type."""
    return None
