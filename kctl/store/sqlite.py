"""The log in one SQLite file.

A folder holds ``log.db`` (with ``-wal`` and ``-shm`` beside it while in use), ``writer.lock``
and ``head``. Readers take no lock: they open the file read-only and read a snapshot. A writer
takes the lock, compares the head, appends one entry in one SQLite transaction (one fsync),
records the head as acknowledged and returns. A process that dies at any moment leaves the
entry there whole or not at all.

Here is the order of steps; what a file is stands in ``replica``, how it is read and checked in
``rows``, the hashes in ``chain``. Not here: more than one replica.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kctl.api.clock import EPOCH
from kctl.store import chain, replica, rows
from kctl.store.api import KV, Change, Entry, Freshness, Head, Level, Member, Page, Problem, Watch, Write
from kctl.store.errors import FutureRevision, HeadMoved, NoStore, OutcomeUnknown, RolledBack, StoreError
from kctl.store.filesystem import refuse_network
from kctl.store.lock import WAIT, WriterLock
from kctl.store.sidecar import HeadFile

FILE, LOCK, HEAD = "log.db", "writer.lock", "head"


class SqliteStore:
    """A Store in a folder; made by :meth:`open`."""

    def __init__(self, folder: Path, reader: sqlite3.Connection, wait: float) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._reader = reader
        self._writer: sqlite3.Connection | None = None
        self._lock = WriterLock(folder / LOCK, wait)
        self._checked = rows.Reads()
        self._identity = replica.identity(self._path)
        with self._reading() as db:
            self.cluster_id = rows.meta(db)["cluster"]
        self._acknowledged = HeadFile(folder / HEAD, self.cluster_id)

    @classmethod
    def open(
        cls,
        folder: str | os.PathLike[str],
        *,
        create: bool = False,
        cluster_id: str = "",
        now: float = EPOCH,
        wait: float = WAIT,
    ) -> SqliteStore:
        """Open the log in a folder; with ``create`` make folder and log when they are not there.

        A new log's identity is random unless given. ``wait`` is how many seconds a commit waits
        for another writer. Raises NoStore, NetworkFileSystem, WrongFormat, Corrupt, Unreadable.
        """
        place = Path(folder)
        path = place / FILE
        if create:
            replica.prepare(place)
        refuse_network(place)
        if create and not path.exists():
            with WriterLock(place / LOCK, wait) as lock:
                if not path.exists():
                    (place / HEAD).unlink(missing_ok=True)  # of a log that was removed on purpose
                    replica.make(path, cluster_id or os.urandom(16).hex(), now)
            lock.close()
        reader = replica.connect(path, write=False)
        try:
            return cls(place, reader, wait)
        except BaseException:
            reader.close()
            raise

    def close(self) -> None:
        """Close all files; the last writer to close moves the write-ahead log into the file."""
        self._reader.close()
        self._drop_writer()
        self._lock.close()
        self._acknowledged.close()

    def head(self) -> Head:
        """Return the end of the log."""
        with self._reading() as db:
            return rows.tail(db).head

    def get(self, key: str, *, revision: int | None = None) -> KV | None:
        """Return the state of a key at a revision."""
        with self._reading() as db:
            head = rows.tail(db).head
            at = rows.readable(revision, head, _compacted(db))
            return rows.state_of(db, key, at, current=at == head.revision)

    def list(self, prefix: str, *, revision: int | None = None, limit: int = 0, after: str = "") -> Page:
        """Return the keys under a prefix at a revision; a whole resource is proved complete."""
        with self._reading() as db:
            tail = rows.tail(db)
            at = rows.readable(revision, tail.head, _compacted(db))
            current = tail if at == tail.head.revision else None
            return rows.page(db, prefix, at, limit=limit, after=after, current=current, reads=self._checked)

    def changes(self, after: int) -> Iterator[Change]:
        """Yield every stored state above a revision."""
        with self._reading() as db:
            rows.readable(after, rows.tail(db).head, _compacted(db))
            return iter(list(rows.changes(db, after)))

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Yield the entries above an index."""
        with self._reading() as db:
            return iter(rows.entries(db, after))

    def compacted(self) -> int:
        """Return the lowest revision that can be read."""
        with self._reading() as db:
            return _compacted(db)

    def hint(self, name: str) -> bytes | None:
        """Return a local note."""
        with self._reading() as db:
            found = db.execute("SELECT value FROM hint WHERE name = ?", (name,)).fetchone()
            return found[0] if found else None

    def watch(self, prefix: str, after: int) -> Watch:
        """Return the changes under a prefix from a revision on."""
        from kctl.store.watch import PolledWatch

        return PolledWatch(self, prefix, after)

    def freshness(self) -> Freshness:
        """One file that can be read is all there is."""
        return Freshness(self.head(), True)

    def members(self) -> Sequence[Member]:
        """Return the one replica."""
        head = self.head()
        size = sum(path.stat().st_size for path in self._folder.glob(f"{FILE}*"))
        return [
            Member(self.cluster_id, str(self._folder), "voter", "ok", "", head.index, head.revision, head.term, 0, size)
        ]

    def verify(self, level: Level = "rows") -> Sequence[Problem]:
        """Check the file against its hashes."""
        from kctl.store.verify import verify

        return [Problem(str(self._folder), "row", text) for text in verify(self._folder)]

    def snapshot(self, out: Path) -> Head:
        """Write the state as one portable file."""
        from kctl.store import snapshot

        return snapshot.write(self, out)

    def set_hint(self, name: str, value: bytes | None) -> None:
        """Write a local note; the same note again writes nothing."""
        if self.hint(name) == value:
            return
        with self._writing() as db:
            if value is None:
                db.execute("DELETE FROM hint WHERE name = ?", (name,))
            else:
                db.execute("INSERT OR REPLACE INTO hint VALUES (?, ?)", (name, value))

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
        ordered = chain.in_order(expect, writes, revision)
        with self._writing() as db:
            if request_id:
                query = f"SELECT {rows.ENTRY} FROM entry WHERE request_id = ?"  # noqa: S608
                done = db.execute(query, (request_id,)).fetchone()
                if done is not None:
                    return rows.tail_of(done).head
            tail = rows.tail(db)
            if tail.head != expect:
                raise HeadMoved(tail.head)
            state, ops = _put(db, ordered, tail.state)
            return _append(db, tail.head, (chain.KV_ENTRY, "", revision, now, cause), request_id, ops, state)

    def compact(self, revision: int) -> Head:
        """Forget what is older than a revision, as an entry of its own."""
        with self._writing() as db:
            tail = rows.tail(db)
            old = _compacted(db)
            if revision > tail.head.revision:
                raise FutureRevision(revision, tail.head.revision)
            if revision <= old:
                return tail.head
            _forget(db, old, revision)
            row = (chain.COMPACT_ENTRY, str(revision), tail.head.revision, tail.head.now, "")
            head = _append(db, tail.head, row, b"", chain.NO_OPS, tail.state)
        with self._lock, suppress(sqlite3.Error):  # the history is gone already; its space can wait
            replica.give_back(self._write_connection())
        return head

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Hold one snapshot of the file."""
        self._refuse_replaced()
        db = self._reader
        try:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise replica.explain(error, self._path) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the writer lock and one transaction that is durable at the end, or undone."""
        self._refuse_replaced()
        with self._lock:
            try:
                db = self._write_connection()
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise replica.explain(error, self._path) from error
            try:
                self._refuse_rolled_back(db)
                yield db
                head = rows.tail(db).head
            except BaseException as error:
                self._undo(db)
                if isinstance(error, sqlite3.Error):
                    raise replica.explain(error, self._path) from error
                raise
            self._finish(db, head)

    def _finish(self, db: sqlite3.Connection, head: Head) -> None:
        """Make the transaction durable, then say so beside the file, then tidy up."""
        try:
            db.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo(db)
            found = replica.explain(error, self._path, committing=True)
            if isinstance(found, OutcomeUnknown):
                self._drop_writer()  # after a failed fsync nothing this connection cached is trusted
            raise found from error
        try:
            self._acknowledged.write(head)
            replica.checkpoint(db, self._path)
        except (OSError, sqlite3.Error, StoreError):
            pass  # the entry is durable; both are done again after the next one

    def _undo(self, db: sqlite3.Connection) -> None:
        if db.in_transaction:
            try:
                db.execute("ROLLBACK")
            except sqlite3.Error:
                self._drop_writer()

    def _write_connection(self) -> sqlite3.Connection:
        self._refuse_replaced()
        if self._writer is None:
            self._writer = replica.connect(self._path, write=True)
        return self._writer

    def _drop_writer(self) -> None:
        if self._writer is not None:
            with suppress(sqlite3.Error):  # what it held is gone either way
                self._writer.close()
            self._writer = None

    def _refuse_replaced(self) -> None:
        """Refuse to go on with a file that has another one in its place now."""
        if replica.identity(self._path) != self._identity:
            raise NoStore(f"the log in {self._folder} was replaced while in use", hint="run the command again")

    def _refuse_rolled_back(self, db: sqlite3.Connection) -> None:
        """Refuse to write on a log that is older than what was acknowledged."""
        said = self._acknowledged.read()
        if said is None:
            return
        head = rows.tail(db).head
        found = db.execute("SELECT hash FROM entry WHERE idx = ?", (said.index,)).fetchone()
        if said.index > head.index or (found is not None and found[0] != said.hash):
            raise RolledBack(head.revision, said.revision, self._acknowledged.path)


def _compacted(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT v FROM meta WHERE k = 'compacted'").fetchone()[0])


def _put(db: sqlite3.Connection, writes: list[Write], state: bytes) -> tuple[bytes, bytes]:
    """Write the rows of an entry; return the new state and the hash of the rows."""
    before = _live(db, [write.key for write in writes])
    sums: dict[str, list[int]] = {}
    hashes, fresh, gone, current = [], [], [], []
    for key, value, revision, create in writes:
        prev, old = before.get(key, (0, b""))
        h = chain.row_hash(revision, key, create, prev, value)
        hashes.append(h)
        fresh.append((revision, key, int(value is None), create, prev, h, value))
        change = sums.setdefault(chain.resource_of(key), [0, 0])
        if prev:
            change[0] -= 1
            change[1] -= chain.number(old)
        if value is None:
            gone.append((key,))
        else:
            change[0] += 1
            change[1] += chain.number(h)
            current.append((key, revision))
    db.executemany("INSERT INTO kv VALUES (?, ?, ?, ?, ?, 0, ?, ?)", fresh)
    db.executemany("INSERT OR REPLACE INTO live VALUES (?, ?)", current)
    db.executemany("DELETE FROM live WHERE key = ?", gone)
    _add_sums(db, sums)
    total = chain.number(state) + sum(change[1] for change in sums.values())
    return chain.digest(total), chain.ops_hash(hashes)


def _live(db: sqlite3.Connection, keys: list[str]) -> dict[str, tuple[int, bytes]]:
    """Return revision and hash of the keys that exist."""
    found: dict[str, tuple[int, bytes]] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        marks = ",".join("?" * len(part))
        query = (
            f"SELECT live.key, kv.rev, kv.h FROM live CROSS JOIN kv ON kv.rev = live.rev WHERE live.key IN ({marks})"  # noqa: S608
        )
        found.update((key, (rev, h)) for key, rev, h in db.execute(query, part))
    return found


def _add_sums(db: sqlite3.Connection, changes: dict[str, list[int]]) -> None:
    for name in sorted(changes):
        count, total = changes[name]
        old = db.execute("SELECT count, state FROM resource WHERE name = ?", (name,)).fetchone()
        if old is not None:
            count, total = count + old[0], total + chain.number(old[1])
        db.execute("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", (name, count, chain.digest(total)))


def _append(
    db: sqlite3.Connection,
    old: Head,
    row: tuple[int, str, int, float, str],
    request_id: bytes,
    ops: bytes,
    state: bytes,
) -> Head:
    """Write the entry row behind ``old`` and return the new head."""
    kind, arg, last, now, cause = row
    index, first = old.index + 1, old.revision + 1
    digest = chain.entry_hash(
        old.hash,
        index=index,
        first=first,
        last=last,
        term=old.term,
        kind=kind,
        arg=arg,
        now=now,
        cause=cause,
        request_id=request_id,
        ops=ops,
        state=state,
    )
    values = (index, first, last, old.term, kind, arg, now, cause, request_id or None, ops, state, digest)
    db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", values)
    return Head(index, last, old.term, digest, now)


def _forget(db: sqlite3.Connection, old: int, revision: int) -> None:
    """Remove states that nobody may read any more, and the entries before the new base.

    What was replaced is named by what replaced it, so the cost goes with the changes since the
    last compaction and not with the number of objects.
    """
    between = (old, revision)
    db.execute("DELETE FROM kv WHERE rev IN (SELECT prev FROM kv WHERE rev > ? AND rev <= ? AND prev > 0)", between)
    db.execute("DELETE FROM kv WHERE rev > ? AND rev <= ? AND del = 1", between)
    base = db.execute("SELECT max(idx) FROM entry WHERE last_rev <= ?", (revision,)).fetchone()[0]
    before = db.execute("SELECT hash FROM entry WHERE idx = ?", (base - 1,)).fetchone()
    if before is not None:
        db.execute("UPDATE meta SET v = ? WHERE k = 'base_prev'", (before[0].hex(),))
        db.execute("DELETE FROM entry WHERE idx < ?", (base,))
    db.execute("UPDATE meta SET v = ? WHERE k = 'compacted'", (str(revision),))
