"""The Clock protocol, and times as Kubernetes writes them.

An instant is a ``float``: seconds since 1970-01-01T00:00:00Z. Only a Clock says what time
it is; nothing in kctl asks the machine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

EPOCH = 1767225600.0
"""2026-01-01T00:00:00Z, where the virtual time of a new cluster starts."""


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Return the current instant in seconds since 1970-01-01T00:00:00Z."""
        ...


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float = EPOCH) -> None:
        self._now = now

    def now(self) -> float:
        """Return the instant it was set to."""
        return self._now

    def set(self, now: float) -> None:
        """Move to ``now``; never backwards."""
        self._now = max(self._now, now)


@lru_cache(maxsize=4096)
def rfc3339(instant: float) -> str:
    """Write an instant as metav1.Time does, to the second: ``2026-01-01T00:00:00Z``."""
    return datetime.fromtimestamp(int(instant), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=4096)
def rfc3339_micro(instant: float) -> str:
    """Write an instant as metav1.MicroTime does: ``2026-01-01T00:00:00.000000Z``."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@lru_cache(maxsize=4096)
def parse_time(text: str) -> float:
    """Read an RFC 3339 time.

    Raises ValueError when ``text`` is not one.
    """
    return datetime.fromisoformat(text).timestamp()
