"""The log in SQLite files: one replica in a folder, or three or five in folders of their own.

Readers take no lock: they read a snapshot that a majority shows. A writer takes its turn:
compares the head, appends one entry in one SQLite transaction on every replica (one fsync each),
records the head as acknowledged and returns. A process that dies at any moment leaves the entry
on each replica whole or not at all.

Here is what a Store can do; who decides stands in ``core``, who acts in ``turn``, ``group`` and
``participant``, what a file is in ``replica``, how it is read and checked in ``rows``, what an
entry writes in ``write``, the hashes in ``chain``. Not here: changing the members, see
``membership``; rebuilding them, see ``repair``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from kctl.api.clock import EPOCH
from kctl.store import chain, rows, write
from kctl.store.api import (
    KV,
    Change,
    Consistency,
    Entry,
    Freshness,
    Head,
    Level,
    Member,
    Page,
    Problem,
    Retention,
    Watch,
    Write,
)
from kctl.store.core import Turn
from kctl.store.errors import NONSENSE, FutureRevision, HeadMoved, StoreError
from kctl.store.filesystem import refuse_network
from kctl.store.group import Group, Wrap
from kctl.store.listing import Start
from kctl.store.lock import WAIT
from kctl.store.participant import Known, Participant
from kctl.store.replica import FILE, HEAD, LOCK, explained
from kctl.store.turn import Proposal
from kctl.store.write import Batch, Prepared

__all__ = ["FILE", "HEAD", "LOCK", "SqliteStore"]


class SqliteStore:
    """A Store in folders; made by :func:`kctl.store.open.open_store`."""

    def __init__(self, group: Group, retention: Retention | None = None) -> None:
        self.group = group
        self._retention = retention
        with group.seen() as found:
            self.cluster_id = found.serving[0][1].facts.cluster

    @classmethod
    def open(
        cls,
        *folders: str | os.PathLike[str],
        create: bool = False,
        cluster_id: str = "",
        now: float = EPOCH,
        wait: float = WAIT,
        consistency: Consistency = "linearizable",
        retention: Retention | None = None,
        wrap: Wrap | None = None,
    ) -> SqliteStore:
        """Open the log in folders; see :func:`kctl.store.open.open_store`."""
        places = [Path(folder) for folder in folders]
        if create:
            from kctl.store import create as create_

            create_.create(places, cluster_id or os.urandom(16).hex(), now, wait)
        for place in places:
            refuse_network(place)
        group = Group(places, wait, wrap, consistency)
        try:
            return cls(group, retention)
        except BaseException:
            group.close()
            raise

    def close(self) -> None:
        """Close all files; the last writer to close moves the write-ahead log into the file."""
        self.group.close()

    def head(self) -> Head:
        """Return the end of the log."""
        return self.group.read(_head)

    def get(self, key: str, *, revision: int | None = None) -> KV | None:
        """Return the state of a key at a revision."""

        def answer(one: Participant, known: Known) -> KV | None:
            head = known.tail.head
            at = rows.readable(revision, head, known.facts.compacted)
            if at == head.revision:
                return rows.state_of(one.reader(), key)
            return rows.past_state(one.reader(), key, at)

        return self.group.read(answer)

    def list(self, prefix: str, *, revision: int | None = None, limit: int = 0, after: str = "") -> Page:
        """Return the keys under a prefix at a revision, proved complete."""

        def answer(one: Participant, known: Known) -> Page:
            tail, facts = known.tail, known.facts
            at = rows.readable(revision, tail.head, facts.compacted)
            if at == tail.head.revision:
                return one.lists.page(one.reader(), tail, prefix, limit=limit, after=after)
            start = Start(facts.compacted, facts.base_prev)
            return one.lists.past_page(one.reader(), tail, start, prefix, at, limit=limit, after=after)

        return self.group.read(answer)

    def changes(self, after: int) -> Iterator[Change]:
        """Yield every stored state above a revision."""

        def answer(one: Participant, known: Known) -> list[Change]:
            head, facts = known.tail.head, known.facts
            rows.readable(after, head, facts.compacted)
            return rows.changes(one.reader(), after, facts.compacted, facts.base_prev, head)

        return iter(self.group.read(answer))

    def entries(self, after: int = -1) -> Iterator[Entry]:
        """Yield the entries above an index."""
        return iter(self.group.read(lambda one, known: rows.entries(one.reader(), after, known.facts.base_prev)))

    def compacted(self) -> int:
        """Return the lowest revision that can be read."""
        return self.group.read(lambda _, known: known.facts.compacted)

    def hint(self, name: str) -> bytes | None:
        """Return a local note: of the first replica that has it."""
        with self.group.seen() as found:
            for one, _ in found.serving:
                note = rows.hint(one.reader(), name)
                if note is not None:
                    return note
        return None

    def set_hint(self, name: str, value: bytes | None) -> None:
        """Write a local note; the same note again writes nothing."""
        if self.hint(name) != value:
            self.group.note(name, value)

    def watch(self, prefix: str, after: int) -> Watch:
        """Return the changes under a prefix from a revision on."""
        from kctl.store.watch import PolledWatch

        return PolledWatch(self, prefix, after)

    def freshness(self) -> Freshness:
        """Say whether a majority confirms what is read, and how old it is when none does."""
        with self.group.seen() as found:
            one, known = found.serving[0]
            changed = 0.0 if found.is_confirmed else one.changed()
            return Freshness(known.tail.head, found.is_confirmed, changed, tuple(found.absent))

    def members(self) -> Sequence[Member]:
        """Return the replicas and how each of them stands, in order of id."""
        from kctl.store import health

        return health.members(self.group)

    def verify(self, level: Level = "rows") -> Sequence[Problem]:
        """Check the replicas against their hashes and each other; nothing is repaired."""
        from kctl.store import health

        return health.verify(self.group, level)

    def repair(self) -> Sequence[str]:
        """Bring every replica to the log's head, the damaged and lost ones in new files; say what was done."""
        from kctl.store import repair

        return repair.repair(self.group)

    def snapshot(self, out: Path) -> Head:
        """Write the state as one portable file."""
        from kctl.store import snapshot

        return snapshot.write(self, out)

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
        batch = Batch(chain.KV_ENTRY, "", revision, now, cause, request_id)
        made: list[Head] = []

        def evaluate(leader: Any, turn: Turn) -> Proposal[Prepared] | None:
            tail = leader.known.tail
            if request_id:
                done = rows.head_of_request(leader.writer, request_id)
                if done is not None:
                    made.append(done)
                    return None
            if tail.head != expect:
                raise HeadMoved(tail.head)
            try:
                prepared = write.states(leader.writer, tail, leader.current(), turn.term, ordered, batch, turn.peers())
            except (sqlite3.Error, *NONSENSE) as error:
                raise explained(error, leader.path) from error
            made.append(prepared.tail.head)
            return Proposal(prepared, prepared.tail.head.index)

        self.group.take(evaluate)
        if self._retention is not None:
            return self._trim(made[-1])
        return made[-1]

    def compact(self, revision: int) -> Head:
        """Forget what is older than a revision, as an entry of its own."""
        made: list[Head] = []
        forgot: list[int] = []

        def evaluate(leader: Any, turn: Turn) -> Proposal[Prepared] | None:
            tail, old = leader.known.tail, leader.known.facts.compacted
            head = tail.head
            if revision > head.revision:
                raise FutureRevision(revision, head.revision)
            made.append(head)
            if revision <= old:
                return None
            batch = Batch(chain.COMPACT_ENTRY, str(revision), head.revision, head.now)
            prepared = write.plain(tail, turn.term, batch, turn.peers())._replace(compact=revision)
            made.append(prepared.tail.head)
            forgot.append(revision)
            return Proposal(prepared, prepared.tail.head.index)

        self.group.take(evaluate)
        if forgot:
            self.group.give_back()
        return made[-1]

    def _trim(self, head: Head) -> Head:
        """Compact what the retention gives up, when there is half as much again as it keeps."""
        from kctl.store.retention import due

        keep = self._retention
        assert keep is not None  # noqa: S101 - asked by who checked it

        def answer(one: Participant, known: Known) -> int:
            db = one.reader()
            return due(
                keep, known.tail.head, known.facts.compacted, lambda: rows.oldest(db), lambda at: rows.before(db, at)
            )

        try:
            revision = self.group.read(answer)
            return self.compact(revision) if revision else head
        except StoreError:
            return head  # the entry is acknowledged; history is given up after a later one


def _head(one: Participant, known: Known) -> Head:
    return known.tail.head
