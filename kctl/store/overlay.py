"""A log on top of another that nothing is written to: what a plan is made in.

In: a store, and commits that are to go nowhere. Out: a Store that reads what the one below held
when the overlay was made, with what was committed to the overlay over it. It lives as long as
the process; the store below is only read, at one revision, so writers of other processes go on.

Not here: copying. A key is read from below until the overlay has a state of its own for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain as chained
from typing import NoReturn

from kctl.store.api import KV, Change, Entry, Freshness, Head, Page, Store, Write
from kctl.store.errors import Compacted, FutureRevision
from kctl.store.memory import MemoryStore


class OverlayStore(MemoryStore):
    """A Store whose commits are kept in memory, above another store's state."""

    def __init__(self, below: Store) -> None:
        head = below.head()
        super().__init__(cluster_id=below.cluster_id, now=head.now)
        self._head = head
        self._entries = []
        self._below = below
        self._pinned, self._base = head.revision, head.index
        self._first: dict[str, int] = {}

    def commit(
        self,
        expect: Head,
        writes: Sequence[Write],
        *,
        revision: int,
        now: float,
        cause: str = "",
        request_id: bytes = b"",
    ) -> Head:
        """Append one entry that nobody else will ever see."""
        head = super().commit(expect, writes, revision=revision, now=now, cause=cause, request_id=request_id)
        for write in writes:
            self._first.setdefault(write.key, write.revision)
        return head

    def get(self, key: str, *, revision: int | None = None) -> KV | None:
        """Return the state of a key at a revision."""
        at = self._readable(revision)
        if self._first.get(key, at + 1) <= at:
            return super().get(key, revision=at)
        return self._below.get(key, revision=min(at, self._pinned))

    def list(self, prefix: str, *, revision: int | None = None, limit: int = 0, after: str = "") -> Page:
        """Return the keys under a prefix at a revision."""
        at = self._readable(revision)
        below = self._below.list(prefix, revision=min(at, self._pinned), after=after).items
        found = [kv for kv in below if self._first.get(kv.key, at + 1) > at]
        found += super().list(prefix, revision=at, after=after).items
        found.sort(key=lambda kv: kv.key)
        more = bool(limit) and len(found) > limit
        return Page(found[:limit] if more else found, at, more)

    def changes(self, after: int) -> Iterator[Change]:
        """Yield every stored state above a revision, from below first."""
        at = self._readable(after)
        below = (change for change in self._below.changes(min(at, self._pinned)) if change.revision <= self._pinned)
        return chained(below, super().changes(max(at, self._pinned)))

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Yield the entries above an index, from below first."""
        below = (entry for entry in self._below.entries(after) if entry.index <= self._base)
        return chained(below, super().entries(after))

    def compact(self, revision: int) -> NoReturn:
        """Refuse: the history is not the overlay's to forget."""
        raise TypeError("an overlay is not compacted")

    def compacted(self) -> int:
        """Return the lowest revision that can be read."""
        return self._below.compacted()

    def hint(self, name: str) -> bytes | None:
        """Return a local note, the one from below until there is another."""
        return super().hint(name) or self._below.hint(name)

    def freshness(self) -> Freshness:
        """Say where what lies below comes from."""
        return self._below.freshness()

    def close(self) -> None:
        """Let go of the store below."""
        self._below.close()

    def _readable(self, revision: int | None) -> int:
        if revision is None:
            return self._head.revision
        if revision > self._head.revision:
            raise FutureRevision(revision, self._head.revision)
        if revision < self.compacted():
            raise Compacted(revision, self.compacted())
        return revision
