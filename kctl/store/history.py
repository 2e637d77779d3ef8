"""Making one file's log that of another: replay, take back, copy.

In: two connections with open transactions, the leader's only read. Every row that crosses is
checked against its hash and every entry against the chain, so damage never travels; what the
follower has at the end adds up to the state that the last entry names. Damage in the leader's
file is a LeaderFailed, damage in the follower's is healed by copying everything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kctl.store import chain, config, rows, write
from kctl.store.core import LeaderFailed, Span, Way, common_entry, way
from kctl.store.errors import NONSENSE, Corrupt
from kctl.store.facts import Facts
from kctl.store.rows import Row

ENTRY = rows.ENTRY
KV_INSERT = "INSERT INTO kv VALUES (?, ?, ?, ?, ?, 0, ?, ?)"
ENTRY_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def span(db: sqlite3.Connection, facts: Facts) -> Span:
    """Return which part of its history a file still has."""
    base, last = db.execute("SELECT min(idx), max(idx) FROM entry").fetchone()
    if base is None:
        raise Corrupt("the log has no entry")
    whole = db.execute("SELECT max(idx) FROM entry WHERE first_rev <= ?", (facts.compacted,)).fetchone()[0]
    special = db.execute("SELECT max(idx) FROM entry WHERE kind != ?", (chain.KV_ENTRY,)).fetchone()[0]
    whole = base if whole is None else whole
    return Span(base, last, whole, max(whole, base if special is None else special))


def follow(leader: sqlite3.Connection, leads: Facts, mine: sqlite3.Connection, own: Facts) -> Facts:
    """Give the file ``mine`` the log of ``leader``; return the facts that follow from it.

    Promises, view and id stay the follower's own.
    """
    try:
        ahead = span(leader, leads)
    except sqlite3.Error as error:
        raise LeaderFailed(Corrupt(str(error))) from error
    except Corrupt as error:
        raise LeaderFailed(error) from error
    try:
        behind = span(mine, own)
        common = common_entry(
            lambda n: _hash(mine, n),
            lambda n: _hash(leader, n),
            max(ahead.base, behind.base),
            min(ahead.last, behind.last),
        )
        how = way(behind, ahead, common)
    except (Corrupt, *NONSENSE):
        how, common = Way.COPY, -1
    if how is Way.TRUNCATE or how is Way.REPLAY:
        mine.execute("SAVEPOINT follow")
        try:
            if how is Way.TRUNCATE:
                _take_back(mine, common)
            found = _replay(leader, mine, common, own)
            mine.execute("RELEASE follow")
            return _joined(found, leads)
        except (Corrupt, sqlite3.DatabaseError, *NONSENSE) as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            mine.execute("ROLLBACK TO follow")
            mine.execute("RELEASE follow")
            how = Way.COPY
    if how is Way.COPY:
        copy(leader, leads, mine)
    return _joined(own._replace(compacted=leads.compacted, base_prev=leads.base_prev, config=leads.config), leads)


def _joined(own: Facts, leads: Facts) -> Facts:
    distrusts = (own.distrusts | leads.distrusts) & frozenset(leads.config.members)
    return own._replace(cluster=leads.cluster, distrusts=distrusts)


def _hash(db: sqlite3.Connection, index: int) -> bytes:
    found = db.execute("SELECT hash FROM entry WHERE idx = ?", (index,)).fetchone()
    if found is None:
        raise Corrupt(f"entry {index} of the log is missing")
    digest: bytes = found[0]
    return digest


def _take_back(db: sqlite3.Connection, common: int) -> None:
    """Undo the entries behind ``common``, newest state first."""
    last, state = db.execute("SELECT last_rev, state FROM entry WHERE idx = ?", (common,)).fetchone()
    sums = _Sums(db)
    for rev, key, deleted, prev, h in db.execute(
        "SELECT rev, key, del, prev, h FROM kv WHERE rev > ? ORDER BY rev DESC", (last,)
    ).fetchall():
        if not deleted:
            db.execute("DELETE FROM live WHERE key = ?", (key,))
            sums.add(key, -1, -chain.number(h))
        if prev:
            old = db.execute("SELECT h FROM kv WHERE rev = ?", (prev,)).fetchone()
            if old is None:
                raise Corrupt(f"revision {prev} of the log is missing")
            db.execute("INSERT INTO live VALUES (?, ?)", (key, prev))
            sums.add(key, 1, chain.number(old[0]))
        db.execute("DELETE FROM kv WHERE rev = ?", (rev,))
    db.execute("DELETE FROM entry WHERE idx > ?", (common,))
    sums.store(state)


def _replay(leader: sqlite3.Connection, db: sqlite3.Connection, common: int, own: Facts) -> Facts:
    """Write the leader's entries behind ``common``, one by one."""
    prev = _hash(db, common)
    for entry in _entries(leader, common, prev):
        kind, arg = entry[4:6]
        if kind == chain.KV_ENTRY:
            _replay_states(leader, db, entry)
        if kind == chain.COMPACT_ENTRY:
            base_prev = write.forget(db, own.compacted, int(arg))
            own = own._replace(compacted=int(arg), base_prev=base_prev or own.base_prev)
        elif kind == chain.CONFIG_ENTRY:
            own = own._replace(config=config.decode(arg))
        db.execute(ENTRY_INSERT, entry)
    return own


def _entries(leader: sqlite3.Connection, common: int, prev: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield the leader's entries behind ``common``, each checked against the one before."""
    query = f"SELECT {ENTRY}, peers FROM entry WHERE idx > ? ORDER BY idx"  # noqa: S608
    for entry in _read(leader, query, (common,)):
        try:
            rows.check_entry(entry[:12], prev)
        except Corrupt as error:
            raise LeaderFailed(error) from error
        prev = entry[11]
        yield entry


def _read(leader: sqlite3.Connection, query: str, values: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    try:
        yield from leader.execute(query, values)
    except sqlite3.Error as error:
        raise LeaderFailed(Corrupt(f"the log is damaged: {error}")) from error


def _replay_states(leader: sqlite3.Connection, db: sqlite3.Connection, entry: tuple[Any, ...]) -> None:
    found = list(_rows(leader, entry[1], entry[2]))
    if chain.ops_hash(row[5] for row in found) != entry[9]:
        raise LeaderFailed(Corrupt(f"the writes of entry {entry[0]} are not the ones that were committed"))
    sums = _Sums(db)
    for _, key, deleted, _, prev, h, _ in found:
        if prev:
            old = db.execute("SELECT h FROM kv WHERE rev = ?", (prev,)).fetchone()
            if old is None:
                raise Corrupt(f"revision {prev} of the log is missing")
            sums.add(key, -1, -chain.number(old[0]))
        if not deleted:
            sums.add(key, 1, chain.number(h))
    db.executemany(KV_INSERT, found)
    db.executemany("INSERT OR REPLACE INTO live VALUES (?, ?)", [(row[1], row[0]) for row in found if not row[2]])
    db.executemany("DELETE FROM live WHERE key = ?", [(row[1],) for row in found if row[2]])
    sums.store(entry[10])


def _rows(leader: sqlite3.Connection, first: int, last: int) -> Iterator[Row]:
    """Yield the leader's states in a range of revisions, each checked."""
    query = f"SELECT {rows.COLUMNS} FROM kv WHERE rev >= ? AND rev <= ? ORDER BY rev"  # noqa: S608
    for row in _read(leader, query, (first, last)):
        try:
            rows.check_row(row)
        except Corrupt as error:
            raise LeaderFailed(error) from error
        yield row


class _Sums:
    """The sums per resource of one file while states come and go."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._found = {
            name: [count, chain.number(state)] for name, count, state in db.execute("SELECT * FROM resource")
        }

    def add(self, key: str, count: int, number: int) -> None:
        """Count a state in or out."""
        sums = self._found.setdefault(chain.resource_of(key), [0, 0])
        sums[0] += count
        sums[1] += number

    def store(self, state: bytes) -> None:
        """Write the sums; Corrupt when they do not add up to the state they should."""
        if chain.digest(sum(total for _, total in self._found.values())) != state:
            raise Corrupt("the states of the log do not add up to what was committed")
        rows_ = [(name, count, chain.digest(total)) for name, (count, total) in sorted(self._found.items())]
        self._db.executemany("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", rows_)


def copy(leader: sqlite3.Connection, leads: Facts, mine: sqlite3.Connection) -> None:
    """Replace everything in the file ``mine`` by what ``leader`` has, checked on the way.

    Both indexes and the sums are made anew from the rows, so damage in the leader's stays behind.
    """
    entries = list(_entries(leader, -1, leads.base_prev))
    if not entries:
        raise LeaderFailed(Corrupt("the log has no entry"))
    fill(mine, entries, _rows(leader, 0, entries[-1][2]), leads.compacted)


def fill(db: sqlite3.Connection, entries: Sequence[tuple[Any, ...]], found: Iterable[Row], compacted: int) -> None:
    """Put a whole log into a file instead of what it has; LeaderFailed unless its rows are those of its entries."""
    for table in ("entry", "kv", "live", "resource"):
        db.execute(f"DELETE FROM {table}")  # noqa: S608
    db.executemany(ENTRY_INSERT, entries)
    db.executemany(KV_INSERT, found)
    for idx, first, last, _, kind, _, _, _, _, ops, *_ in entries:
        if kind == chain.KV_ENTRY and first > compacted and first <= last:
            hashes = db.execute("SELECT h FROM kv WHERE rev >= ? AND rev <= ? ORDER BY rev", (first, last))
            if chain.ops_hash(h for (h,) in hashes) != ops:
                raise LeaderFailed(Corrupt(f"the writes of entry {idx} are not the ones that were committed"))
    index(db)
    total = sum(chain.number(state) for (state,) in db.execute("SELECT state FROM resource"))
    if chain.digest(total) != entries[-1][10]:
        raise LeaderFailed(Corrupt("the states of the log do not add up to what was committed"))


def index(db: sqlite3.Connection) -> None:
    """Make the index of current objects and the sums anew from the rows."""
    db.execute(
        "INSERT INTO live SELECT key, rev FROM (SELECT key, max(rev) AS rev, del FROM kv GROUP BY key) WHERE del = 0"
    )
    sums: dict[str, list[int]] = {}
    for key, h in db.execute("SELECT live.key, kv.h FROM live CROSS JOIN kv ON kv.rev = live.rev"):
        one = sums.setdefault(chain.resource_of(key), [0, 0])
        one[0] += 1
        one[1] += chain.number(h)
    rows_ = [(name, number, chain.digest(total)) for name, (number, total) in sorted(sums.items())]
    db.executemany("INSERT INTO resource VALUES (?, ?, ?)", rows_)
