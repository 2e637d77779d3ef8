"""One replica on disk: what ``kctl.store.core.Replica`` asks for, done with one SQLite file.

A folder holds ``log.db`` (with ``-wal`` and ``-shm`` beside it while in use), ``writer.lock`` and
``head``. Readers take no lock: they open the file read-only and read a snapshot. Writers hold the
lock and a transaction that keeps others out; the file is opened for them when first needed.

What the end of the log looks like is read again only when somebody else wrote (SQLite's
``data_version``). Not here: which replicas there are and whose word counts.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from kctl.store import facts as facts_
from kctl.store import replica, rows, write
from kctl.store.api import Head
from kctl.store.core import LeaderFailed, NotDurable, Standing
from kctl.store.errors import NONSENSE, Corrupt, OutcomeUnknown, ReadOnlyStore, StoreError
from kctl.store.facts import Facts
from kctl.store.listing import Listing
from kctl.store.lock import WriterLock
from kctl.store.replica import FILE, HEAD, LOCK
from kctl.store.rows import Tail
from kctl.store.sidecar import Acknowledged, HeadFile
from kctl.store.write import Current, Prepared

ROWS_A_CHECK = 200
"""After how many rows the length of the write-ahead log is looked at: well below its limit in frames."""


class Known(NamedTuple):
    """The end of a log and the facts of its file, as one transaction saw them."""

    tail: Tail
    facts: Facts
    standing: Standing


class Participant:
    """The replica in a folder. Nothing is opened until it is asked something."""

    def __init__(self, folder: Path, wait: float, *, is_alone: bool = True) -> None:
        self.folder = folder
        self._is_alone = is_alone
        self.place = str(folder)
        self.path = folder / FILE
        self._file = str(self.path)
        self.lock = WriterLock(folder / LOCK, wait)
        self.lists = Listing()
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._identity = (0, 0)
        self._seen: tuple[int, Known] | None = None
        self._written: tuple[int, Known] | None = None
        self._head_file: HeadFile | None = None
        self._rows = ROWS_A_CHECK
        self._is_old = False
        self._is_unsynced = False
        self._current: Current | None = None

    # Reading

    def look(self) -> Known:
        """Begin to read: hold a snapshot until :meth:`rest` and say how the log stands in it."""
        db = self.reader()
        try:
            if not db.in_transaction:
                db.execute("BEGIN")
            version = db.execute("PRAGMA data_version").fetchone()[0]
            if self._seen is None or self._seen[0] != version:
                db.execute("COMMIT")
                said = self._head_of(db)  # before the snapshot, or a commit in between would look like a loss
                db.execute("BEGIN")
                found = self._known(db, said)
                self._seen = (db.execute("PRAGMA data_version").fetchone()[0], found)
        except BaseException as error:
            self.rest()
            raise replica.explained(error, self.path) from error
        return self._seen[1]

    def reader(self) -> sqlite3.Connection:
        """Return the connection that reads; NoStore when the file was removed or replaced in use."""
        self._check_identity()
        if self._reader is None:
            self._reader = replica.connect(self.path, write=False)
            self._identity = replica.identity(self._file)
        return self._reader

    def rest(self) -> None:
        """Let go of the snapshot; never fails."""
        if self._reader is not None and self._reader.in_transaction:
            with suppress(sqlite3.Error):
                self._reader.execute("COMMIT")

    def _head_of(self, db: sqlite3.Connection) -> Acknowledged | None:
        return self._heads(facts_.read(db).cluster).read()

    def _known(self, db: sqlite3.Connection, said: Acknowledged | None) -> Known:
        found = facts_.read(db)
        tail, blob = rows.end(db, found.base_prev)
        try:
            peers = write.decode_peers(blob, tail.head.hash)
        except ValueError:
            peers = ()  # verify tells; nothing is believed of it here
        head = tail.head
        lost = _lost(db, head, said)
        standing = Standing(
            found.replica,
            found.cluster,
            found.config,
            found.promised,
            found.log_term,
            found.view,
            head.index,
            head.hash,
            lost,
            found.distrusts,
            peers,
        )
        return Known(tail, found, standing)

    def _heads(self, cluster: str) -> HeadFile:
        if self._head_file is None or not self._head_file.is_of(cluster):
            self._head_file = HeadFile(self.folder / HEAD, cluster)
        return self._head_file

    def check(self) -> None:
        """Raise NoStore when there is no log to write to; an open one is looked at when the turn begins."""
        if self._identity == (0, 0) and not self.path.exists():
            raise replica.missing(self.path)

    def hold(self) -> None:
        """Take the lock file; NoStore when there is no log, ReadOnlyStore, Locked."""
        self.check()
        try:
            self.lock.__enter__()
        except ReadOnlyStore:
            self._check_identity()  # the log may be gone with its folder
            raise

    def acknowledged(self, cluster: str) -> int:
        """Return the revision that the head file says was acknowledged, 0 when it says nothing."""
        said = self._heads(cluster).read()
        return said.revision if said is not None else 0

    def _check_identity(self) -> None:
        """Refuse to go on with a file that has another one in its place; with peers, open that one.

        What it is worth is for the other replicas to say; alone, nobody could tell.
        """
        if self._identity == (0, 0) or replica.identity(self._file) == self._identity:
            return
        if self._is_alone:
            raise replica.replaced(self.folder)
        self._drop_files()

    # From here on: what a turn asks for

    def begin(self) -> Standing:
        """Open a transaction that keeps other writers out, and say how the log stands."""
        try:
            self._check_identity()
            db = self._writer or self._open_writer()
            db.execute("BEGIN IMMEDIATE")
            (version,) = db.execute("PRAGMA data_version").fetchone()
            if self._written is None or self._written[0] != version:
                self._written = (version, self._known(db, self._head_of(db)))
        except (sqlite3.Error, *NONSENSE) as error:
            raise replica.explained(error, self.path) from error
        return self._written[1].standing

    @property
    def writer(self) -> sqlite3.Connection:
        """Return the connection whose transaction is open."""
        if self._writer is None:
            raise Corrupt(f"{self.path} is not open to be written")
        return self._writer

    @property
    def known(self) -> Known:
        """Return how the log stands in the open transaction."""
        if self._written is None:
            raise Corrupt(f"{self.path} is not open to be written")
        return self._written[1]

    def current(self) -> Current:
        """Return what is known of the log's present states in the open transaction; its sums are checked once."""
        tail = self.known.tail
        if self._current is None or self._current.hash != tail.head.hash:
            with self.explained():
                found = write.sums_of(self.writer, tail)
                if not self._is_alone:
                    write.check_counts(self.writer, found)
            self._current = Current(tail.head.hash, found)
        return self._current

    def promise(self, term: int) -> None:
        """Write the promise and commit the open transaction with it."""
        self._note(self.known.facts._replace(promised=term))
        self.commit()

    def follow(self, leader: Participant, term: int, view: frozenset[str]) -> None:
        """Take over the leader's log and note term and view."""
        own = self.known.facts
        is_follower = leader.path != self.path
        if is_follower:
            from kctl.store import history

            with self.explained():
                own = history.follow(leader.writer, leader.known.facts, self.writer, own)
        self._note(own._replace(log_term=term, view=view))
        if is_follower:
            self._know(self._known(self.writer, None))
            if self.known.standing.hash != leader.known.standing.hash:
                raise LeaderFailed(Corrupt("a follower does not end where its leader does"))

    def append(self, entry: Prepared) -> None:
        """Write an entry behind the log inside the open transaction."""
        known = self.known
        if known.tail.head != entry.before:
            raise Corrupt(f"{self.path} does not end where the entry begins")
        try:
            found = known.facts
            if entry.compact >= 0:
                base_prev = write.forget(self.writer, found.compacted, entry.compact)
                found = found._replace(compacted=entry.compact, base_prev=base_prev or found.base_prev)
                self._rows = ROWS_A_CHECK
            write.apply(self.writer, entry)
            self._rows += len(entry.kv) + 1
            if entry.config is not None:
                members = frozenset(entry.config.members)
                found = found._replace(config=entry.config, distrusts=found.distrusts & members)
        except sqlite3.Error as error:
            raise replica.explain(error, self.path) from error
        if found is not known.facts or self._is_old:
            self._note(found)
        head = entry.tail.head
        if self._current is not None and self._current.hash == entry.before.hash:
            self._current.add(entry)
        was = known.standing
        standing = Standing(
            was.replica,
            was.cluster,
            found.config,
            was.promised,
            was.log_term,
            was.view,
            head.index,
            head.hash,
            was.lost,
            found.distrusts,
            entry.peers,
        )
        self._know(Known(entry.tail, found, standing))

    def commit(self) -> None:
        """Make the open transaction durable and end it."""
        try:
            self.writer.execute("COMMIT")
        except sqlite3.Error as error:
            found = replica.explain(error, self.path, committing=True)
            is_unsure = isinstance(found, OutcomeUnknown)
            self.end()
            self._written = None
            if is_unsure:
                self._is_unsynced = True
                replica.note_unsynced(self.path)
                with suppress(StoreError):  # else whoever writes next does it
                    self._sync_again()  # before closing, which moves the write-ahead log into the file
                self._drop_writer()  # after a failed fsync nothing this connection cached is trusted
            raise NotDurable(found.message, is_unsure=is_unsure) from found

    def acknowledge(self) -> None:
        """Note beside the log that its end is on a majority; move the write-ahead log when it has grown."""
        found = self._written
        if found is None or self._writer is None:
            return
        try:
            self._heads(found[1].facts.cluster).write(found[1].tail.head)
            if self._rows >= ROWS_A_CHECK:
                frames = replica.checkpoint(self._writer, self.path)
                self._rows = min(ROWS_A_CHECK - 1, frames * ROWS_A_CHECK // replica.CHECKPOINT_FRAMES)
        except (OSError, sqlite3.Error, StoreError):
            pass  # the entry is durable; both are done again after the next one

    def distrust(self, replicas: Collection[str]) -> None:
        """Durably note replicas that are not to be counted until they are rebuilt."""
        self.begin()
        self._note(self.known.facts._replace(distrusts=self.known.facts.distrusts | frozenset(replicas)))
        self.commit()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say what SQLite's errors mean inside."""
        try:
            yield
        except (sqlite3.Error, *NONSENSE) as error:
            raise replica.explained(error, self.path) from error

    def note(self, name: str, value: bytes | None) -> None:
        """Durably write a local note in a transaction of its own; the lock is held."""
        self.begin()
        with self.explained():
            if value is None:
                self.writer.execute("DELETE FROM hint WHERE name = ?", (name,))
            else:
                self.writer.execute("INSERT OR REPLACE INTO hint VALUES (?, ?)", (name, value))
        self.commit()

    def end(self) -> None:
        """Undo what is open, if anything is."""
        if self._writer is not None and self._writer.in_transaction:
            self._written = None
            try:
                self._writer.execute("ROLLBACK")
            except sqlite3.Error:
                self._drop_writer()

    def _note(self, found: Facts) -> None:
        """Write the facts inside the open transaction; a file of an older format takes on the present one."""
        known = self.known
        try:
            facts_.write(self.writer, found)
            if self._is_old:
                replica.stamp(self.writer)
                self._is_old = False
        except sqlite3.Error as error:
            raise replica.explain(error, self.path) from error
        standing = known.standing._replace(
            config=found.config,
            promised=found.promised,
            log_term=found.log_term,
            view=found.view,
            distrusts=found.distrusts,
        )
        self._know(Known(known.tail, found, standing))

    def _know(self, known: Known) -> None:
        if self._written is not None:
            self._written = (self._written[0], known)

    def _open_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            if self._is_unsynced or replica.is_unsynced(self.path):
                self._sync_again()
            self._writer = replica.connect(self.path, write=True)
            self._is_old = replica.is_old(self._writer)
            self._identity = replica.identity(self._file)
        return self._writer

    def _sync_again(self) -> None:
        replica.sync_again(self.path)
        self._is_unsynced = False

    def _drop_writer(self) -> None:
        self._written = None
        if self._writer is not None:
            with suppress(sqlite3.Error):  # what it held is gone either way
                self._writer.close()
            self._writer = None

    def give_back(self) -> None:
        """Return free pages to the file system when there are many; the lock is held."""
        with suppress(sqlite3.Error, StoreError):  # the history is gone already; its space can wait
            self._check_identity()
            replica.give_back(self._open_writer())

    def size(self) -> int:
        """Return the bytes of the log's files, 0 when there are none."""
        total = 0
        for name in (FILE, f"{FILE}-wal"):
            with suppress(OSError):
                total += (self.folder / name).stat().st_size
        return total

    def changed(self) -> float:
        """Return when the log last changed by the machine's clock, 0.0 when that is unknown."""
        found = 0.0
        for name in (FILE, f"{FILE}-wal", HEAD):
            with suppress(OSError):
                found = max(found, os.stat(self.folder / name).st_mtime)  # noqa: PTH116
        return found

    def close(self) -> None:
        """Close all files; the last writer to close moves the write-ahead log into the file."""
        self._drop_files()
        self.lock.close()

    def mend_head(self) -> bool:
        """Write a damaged head file anew; say whether it was. The log's end is on a majority."""
        known = self.look()
        try:
            heads = self._heads(known.facts.cluster)
            if known.standing.lost or not heads.is_damaged():
                return False
            heads.close()
            heads.write(known.tail.head)
            return True
        finally:
            self.rest()

    def rebuilt(self) -> None:
        """Open the file that was put in place of the former one when next asked."""
        self._drop_files()

    def _drop_files(self) -> None:
        self._seen = None
        self._identity = (0, 0)
        if self._reader is not None:
            with suppress(sqlite3.Error):
                self._reader.close()
            self._reader = None
        self._drop_writer()
        if self._head_file is not None:
            self._head_file.close()
            self._head_file = None


def _lost(db: sqlite3.Connection, head: Head, said: Acknowledged | None) -> int:
    """Return the entry that was acknowledged and is not in the log, 0 when none is missing."""
    if said is None:
        return 0
    if said.index > head.index:
        return said.index
    entry = db.execute("SELECT hash FROM entry WHERE idx = ?", (said.index,)).fetchone()
    return said.index if entry is not None and entry[0] != said.hash else 0
