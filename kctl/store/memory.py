"""The log in memory: the model that every other backend is compared with.

It keeps every state of every key in plain lists and computes the same hashes as the files do,
so that equal histories have equal heads on all backends. Nothing survives the process.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kctl.api.clock import EPOCH
from kctl.store import chain
from kctl.store.api import KV, Change, Entry, Freshness, Head, Level, Member, Page, Problem, Retention, Watch, Write
from kctl.store.errors import Compacted, FutureRevision, HeadMoved


class _Row(NamedTuple):
    key: str
    value: bytes | None
    revision: int
    create_revision: int
    hash: bytes


class MemoryStore:
    """A Store that lives as long as the process."""

    def __init__(self, *, cluster_id: str = "memory", now: float = EPOCH, retention: Retention | None = None) -> None:
        self.cluster_id = cluster_id
        self._retention = retention
        self._head = Head(0, 0, 0, chain.genesis(cluster_id, now), now)
        self._entries = [Entry(0, 1, 0, 0, chain.CONFIG_ENTRY, now, "created", self._head.hash)]
        self._requests: dict[bytes, Head] = {}
        self._states: dict[str, list[_Row]] = {}
        self._log: list[_Row] = []
        self._state = 0
        self._keys: list[str] | None = []
        self._compacted = 0
        self._hints: dict[str, bytes] = {}

    @classmethod
    def restored(cls, source: Path, *, cluster_id: str) -> MemoryStore:
        """Make a new log from a snapshot, as :func:`kctl.store.restore.restore` does in folders."""
        from kctl.store import snapshot
        from kctl.store.restore import beginning

        header, items = snapshot.read(source)
        cause = f"restored from revision {header.head.revision} of {header.cluster}"
        head, entry, rows = beginning(header.head, items, cause, cluster_id)
        store = cls(cluster_id=cluster_id, now=head.now)
        for revision, key, _, create, _, digest, value in rows:
            store._take(_Row(key, value, revision, create, digest))
        index, first, last, term, kind, _, now, _, _, _, _, digest, _ = entry
        store._head, store._compacted = head, head.revision
        store._entries = [Entry(index, first, last, term, kind, now, cause, digest)]
        return store

    def head(self) -> Head:
        """Return the end of the log."""
        return self._head

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
        """Append one entry; see :meth:`kctl.store.api.Store.commit`."""
        done = self._requests.get(request_id)
        if done is not None:
            return done
        if expect != self._head:
            raise HeadMoved(self._head)
        rows = [self._row(write) for write in chain.in_order(expect, writes, revision)]
        for row in rows:
            self._take(row)
        ops = chain.ops_hash(row.hash for row in rows)
        self._append(chain.KV_ENTRY, "", revision, now, cause, request_id, ops)
        if request_id:
            self._requests[request_id] = self._head
        return self._trimmed() if self._retention is not None else self._head

    def _trimmed(self) -> Head:
        """Compact what the retention gives up."""
        from kctl.store.retention import due

        assert self._retention is not None  # noqa: S101 - asked by who checked it
        entries = self._entries
        revision = due(
            self._retention,
            self._head,
            self._compacted,
            lambda: entries[0].now,
            lambda at: max((entry.last for entry in entries if entry.now < at), default=0),
        )
        return self.compact(revision) if revision else self._head

    def _row(self, write: Write) -> _Row:
        states = self._states.get(write.key)
        prev = states[-1].revision if states and states[-1].value is not None else 0
        digest = chain.row_hash(write.revision, write.key, write.create_revision, prev, write.value)
        return _Row(*write, digest)

    def _take(self, row: _Row) -> None:
        states = self._states.get(row.key)
        if states is None:
            states = self._states[row.key] = []
            self._keys = None
        if states and states[-1].value is not None:
            self._state -= chain.number(states[-1].hash)
        if row.value is not None:
            self._state += chain.number(row.hash)
        states.append(row)
        self._log.append(row)

    def _append(
        self, kind: int, arg: str, revision: int, now: float, cause: str, request_id: bytes, ops: bytes
    ) -> None:
        old = self._head
        digest = chain.entry_hash(
            old.hash,
            index=old.index + 1,
            first=old.revision + 1,
            last=revision,
            term=old.term,
            kind=kind,
            arg=arg,
            now=now,
            cause=cause,
            request_id=request_id,
            ops=ops,
            state=chain.digest(self._state),
        )
        self._head = Head(old.index + 1, revision, old.term, digest, now)
        self._entries.append(Entry(old.index + 1, old.revision + 1, revision, old.term, kind, now, cause, digest))

    def get(self, key: str, *, revision: int | None = None) -> KV | None:
        """Return the state of a key at a revision."""
        return self._at(key, self._readable(revision))

    def list(self, prefix: str, *, revision: int | None = None, limit: int = 0, after: str = "") -> Page:
        """Return the keys under a prefix at a revision."""
        at = self._readable(revision)
        if self._keys is None:
            self._keys = sorted(self._states)
        start = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
        items: list[KV] = []
        for n in range(start, len(self._keys)):
            key = self._keys[n]
            if not key.startswith(prefix):
                break
            found = self._at(key, at)
            if found is not None:
                if limit and len(items) == limit:
                    return Page(items, at, True)
                items.append(found)
        return Page(items, at, False)

    def _at(self, key: str, revision: int) -> KV | None:
        states = self._states.get(key, ())
        n = bisect_right(states, revision, key=_revision)
        row = states[n - 1] if n else None
        if row is None or row.value is None:
            return None
        return KV(row.key, row.value, row.create_revision, row.revision)

    def _readable(self, revision: int | None) -> int:
        if revision is None:
            return self._head.revision
        if revision > self._head.revision:
            raise FutureRevision(revision, self._head.revision)
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)
        return revision

    def changes(self, after: int) -> Iterator[Change]:
        """Yield every stored state above a revision."""
        self._readable(after)
        start = bisect_right(self._log, after, key=_revision)
        return iter([Change(*row[:4]) for row in self._log[start:]])

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Yield the entries above an index."""
        return iter([entry for entry in self._entries if entry.index > after])

    def compact(self, revision: int) -> Head:
        """Forget what is older than a revision."""
        if revision > self._head.revision:
            raise FutureRevision(revision, self._head.revision)
        if revision <= self._compacted:
            return self._head
        self._compacted = revision
        kept = {key: _compact(rows, revision) for key, rows in self._states.items()}
        self._states = {key: rows for key, rows in kept.items() if rows}
        self._keys = None
        self._log = sorted((row for rows in self._states.values() for row in rows), key=_revision)
        base = max(n for n, entry in enumerate(self._entries) if entry.last <= revision)
        self._entries = self._entries[base:]
        oldest = self._entries[0].index
        self._requests = {id_: head for id_, head in self._requests.items() if head.index >= oldest}
        self._append(chain.COMPACT_ENTRY, str(revision), self._head.revision, self._head.now, "", b"", chain.NO_OPS)
        return self._head

    def compacted(self) -> int:
        """Return the lowest revision that can be read."""
        return self._compacted

    def hint(self, name: str) -> bytes | None:
        """Return a local note."""
        return self._hints.get(name)

    def set_hint(self, name: str, value: bytes | None) -> None:
        """Write a local note."""
        if value is None:
            self._hints.pop(name, None)
        else:
            self._hints[name] = value

    def watch(self, prefix: str, after: int) -> Watch:
        """Return the changes under a prefix from a revision on."""
        from kctl.store.watch import PolledWatch

        return PolledWatch(self, prefix, after)

    def freshness(self) -> Freshness:
        """Memory is never old."""
        return Freshness(self._head, True)

    def members(self) -> Sequence[Member]:
        """Return the process itself."""
        head = self._head
        return [Member("memory", "", "voter", "ok", "", head.index, head.revision, head.term, 0)]

    def verify(self, level: Level = "rows") -> Sequence[Problem]:
        """Memory is taken to be whole."""
        return []

    def snapshot(self, out: Path) -> Head:
        """Write the state as one portable file."""
        from kctl.store import snapshot

        return snapshot.write(self, out)

    def close(self) -> None:
        """Nothing to let go of."""


def _revision(row: _Row) -> int:
    return row.revision


def _compact(rows: list[_Row], revision: int) -> list[_Row]:
    """Keep what is above the revision, and the state at it unless that is a deletion."""
    n = bisect_right(rows, revision, key=_revision)
    start = n - 1 if n and rows[n - 1].value is not None else n
    return rows[start:]
