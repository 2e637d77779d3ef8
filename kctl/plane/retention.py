"""How much history a cluster keeps, and when the rest goes.

In: the entries of the log. Out: the revision to compact to. Kept are the last ``revisions`` (0: all) and,
however many they wrote, what the last ``commands`` did, so that there is always something to roll
back to; with ``age`` nothing older than that in virtual time, the last command apart. Looked at when
a command that writes ends, and done when there is half as much again, so that its cost is spread.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kctl.store.api import Entry, Head, Store

FOLLOWS = ("converge", "advance")
"""Entries that belong to the command before them."""
KEPT = 5_000
COMMANDS = 20


class History(NamedTuple):
    """How much is kept; ``age`` in seconds, 0 for any."""

    revisions: int = KEPT
    commands: int = COMMANDS
    age: float = 0.0


def is_due(history: History, kept: int) -> bool:
    """Say whether it is time to look, when so many revisions are kept."""
    return 0 < history.revisions < kept * 2 // 3


def oldest_kept(history: History, entries: Iterable[Entry]) -> int:
    """Return the oldest revision to keep, 0 for all there is."""
    begun: list[tuple[int, float]] = []
    last, now = 0, 0.0
    for entry in entries:
        if entry.cause not in FOLLOWS and entry.first <= entry.last:
            begun.append((entry.first - 1, entry.now))
        last, now = max(last, entry.last), entry.now
    if not begun:
        return 0
    by_number = last - history.revisions
    by_command = begun[-history.commands][0] if 0 < history.commands <= len(begun) else begun[-1][0]
    if history.commands > len(begun):
        by_command = 0
    oldest = min(by_number, by_command)
    if history.age:
        young = next((revision for revision, time in begun if time >= now - history.age), begun[-1][0])
        oldest = max(oldest, min(young, begun[-1][0]))
    return max(0, oldest)


def compact(store: Store, history: History) -> Head | None:
    """Compact a log to what its history keeps, when that is worth an entry; return the new head then."""
    oldest = oldest_kept(history, store.entries())
    if oldest - store.compacted() >= max(1, history.revisions // 3):
        return store.compact(oldest)
    return None
