"""Watching a log by asking it: what is new since the last time, in whole entries.

Polling costs one look at the head when nothing is new. Who waits between two polls, and how
long, is the caller's business: nothing sleeps here.
"""

from __future__ import annotations

from kctl.store.api import Batch, Store


class PolledWatch:
    """The changes under a prefix above a revision; begins anew anywhere a bookmark stood."""

    def __init__(self, store: Store, prefix: str, after: int) -> None:
        store.changes(after)  # refuses what is compacted or has not happened
        self._store = store
        self._prefix = prefix
        self._after = after
        self._seen = b""

    def poll(self) -> Batch | None:
        """Return what is new, None when nothing is; Compacted when it fell behind."""
        head = self._store.head()
        if head.hash == self._seen:
            return None
        self._seen = head.hash
        if head.revision <= self._after:
            return None
        changes = [c for c in self._store.changes(self._after) if c.revision <= head.revision]
        self._after = head.revision
        return Batch([c for c in changes if c.key.startswith(self._prefix)], head.revision)
