"""Reading one SQLite file: every function takes a connection and checks what it returns.

A row goes out only when its hash fits; a listing of a whole resource also only when the hashes
add up to the sum the log keeps for it, so that a missing object is noticed like a wrong one.
Each call reads one snapshot: the caller opens a read transaction around several statements.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from kctl.store import chain
from kctl.store.api import KV, Change, Entry, Head, Page
from kctl.store.errors import Compacted, Corrupt, FutureRevision

COLUMNS = "kv.rev, kv.key, kv.del, kv.create_rev, kv.prev, kv.h, kv.value"
ENTRY = "idx, first_rev, last_rev, term, kind, arg, now, cause, request_id, ops_hash, state, hash"
LAST_KEY = "\U0010ffff"
# S608 below: the texts put together are the constants above, never input.

Row = tuple[int, str, int, int, int, bytes, bytes | None]


class Tail(NamedTuple):
    """The end of the log and the sum over all live rows."""

    head: Head
    state: bytes


def meta(db: sqlite3.Connection) -> dict[str, str]:
    """Return the file's own facts: cluster, compacted, base_prev."""
    return dict(db.execute("SELECT k, v FROM meta"))


def tail(db: sqlite3.Connection) -> Tail:
    """Return the end of the log, its last entry checked against the one before."""
    found = db.execute(f"SELECT {ENTRY} FROM entry ORDER BY idx DESC LIMIT 2").fetchall()  # noqa: S608
    if not found:
        raise Corrupt("the log has no entry")
    prev = found[1][11] if len(found) > 1 else bytes.fromhex(meta(db)["base_prev"])
    check_entry(found[0], prev)
    return tail_of(found[0])


def tail_of(entry: tuple[object, ...]) -> Tail:
    """Return the tail that an entry row makes."""
    idx, _, last, term, _, _, now, _, _, _, state, digest = entry
    return Tail(Head(idx, last, term, digest, now), state)  # type: ignore[arg-type]


def check_entry(entry: tuple[object, ...], prev: bytes) -> None:
    """Raise Corrupt when an entry's hash does not follow from the one before it."""
    idx, first, last, term, kind, arg, now, cause, request_id, ops, state, digest = entry
    want = chain.entry_hash(
        prev,
        index=idx,  # type: ignore[arg-type]
        first=first,  # type: ignore[arg-type]
        last=last,  # type: ignore[arg-type]
        term=term,  # type: ignore[arg-type]
        kind=kind,  # type: ignore[arg-type]
        arg=arg,  # type: ignore[arg-type]
        now=now,  # type: ignore[arg-type]
        cause=cause,  # type: ignore[arg-type]
        request_id=request_id or b"",  # type: ignore[arg-type]
        ops=ops,  # type: ignore[arg-type]
        state=state,  # type: ignore[arg-type]
    )
    if want != digest:
        raise Corrupt(f"entry {idx} of the log is damaged: its hash does not fit")


def check_row(row: Row) -> None:
    """Raise Corrupt when a stored state does not fit its hash."""
    rev, key, deleted, create, prev, h, value = row
    if chain.row_hash(rev, key, create, prev, value) != h or bool(deleted) != (value is None):
        raise Corrupt(f"revision {rev} ({key}) of the log is damaged: its hash does not fit")


def readable(revision: int | None, head: Head, compacted: int) -> int:
    """Return the revision to read at; Compacted, FutureRevision."""
    if revision is None:
        return head.revision
    if revision > head.revision:
        raise FutureRevision(revision, head.revision)
    if revision < compacted:
        raise Compacted(revision, compacted)
    return revision


def state_of(db: sqlite3.Connection, key: str, revision: int, *, current: bool) -> KV | None:
    """Return one key's state at a revision; when current, the two indexes must agree on it."""
    query = f"SELECT {COLUMNS} FROM kv WHERE key = ? AND rev <= ? ORDER BY rev DESC LIMIT 1"  # noqa: S608
    row: Row | None = db.execute(query, (key, revision)).fetchone()
    alive = row is not None and not row[2]
    if current:
        live = db.execute("SELECT rev FROM live WHERE key = ?", (key,)).fetchone()
        if (live[0] if live else None) != (row[0] if row is not None and alive else None):
            raise Corrupt(f"the index of current objects is damaged at {key}")
    if row is None:
        return None
    check_row(row)
    return _kv(row) if alive else None


def page(
    db: sqlite3.Connection, prefix: str, at: int, *, limit: int, after: str, current: Tail | None, reads: Reads
) -> Page:
    """Return the keys under a prefix; ``current`` is the tail when ``at`` is its revision."""
    low, high = max(prefix, after), prefix + LAST_KEY
    bound = limit + 1 if limit else -1
    if current is not None:
        query = (
            f"SELECT {COLUMNS}, live.key FROM live CROSS JOIN kv ON kv.rev = live.rev "  # noqa: S608
            "WHERE live.key >= ? AND live.key < ? AND live.key > ? ORDER BY live.key LIMIT ?"
        )
        found = db.execute(query, (low, high, after, bound)).fetchall()
    else:
        query = (
            f"SELECT {COLUMNS}, latest.key FROM (SELECT key, max(rev) AS rev FROM kv WHERE key >= ? AND key < ? "  # noqa: S608
            "AND key > ? AND rev <= ? GROUP BY key) AS latest CROSS JOIN kv ON kv.rev = latest.rev "
            "WHERE kv.del = 0 ORDER BY latest.key LIMIT ?"
        )
        found = db.execute(query, (low, high, after, at, bound)).fetchall()
    for row in found:
        check_row(row[:7])
        if row[1] != row[7]:
            raise Corrupt(f"the index of objects is damaged at {row[7]}")
    resource = chain.whole_resource(prefix)
    if current is not None and resource is not None and not limit and not after:
        reads.check_complete(db, current, resource, found)
    more = bool(limit) and len(found) > limit
    return Page([_kv(row) for row in (found[:limit] if more else found)], at, more)


def changes(db: sqlite3.Connection, after: int) -> Iterator[Change]:
    """Yield every stored state above a revision."""
    rows = db.execute(f"SELECT {COLUMNS} FROM kv WHERE rev > ? ORDER BY rev", (after,)).fetchall()  # noqa: S608
    for row in rows:
        check_row(row)
        yield Change(row[1], row[6], row[0], row[3])


def entries(db: sqlite3.Connection, after: int) -> list[Entry]:
    """Return the entries above an index."""
    query = "SELECT idx, first_rev, last_rev, term, kind, now, cause, hash FROM entry WHERE idx > ? ORDER BY idx"
    return [Entry(*row) for row in db.execute(query, (after,))]


class Reads:
    """What has been checked already, so that a process checks the sums once per head."""

    def __init__(self) -> None:
        self._hash = b""
        self._sums: dict[str, tuple[int, bytes]] = {}

    def sums(self, db: sqlite3.Connection, tail: Tail) -> dict[str, tuple[int, bytes]]:
        """Return count and sum per resource; Corrupt when they do not add up to the state."""
        if self._hash != tail.head.hash:
            sums = {name: (count, state) for name, count, state in db.execute("SELECT * FROM resource")}
            total = sum(chain.number(state) for _, state in sums.values())
            if chain.digest(total) != tail.state:
                raise Corrupt("the sums per resource are damaged: they do not add up to the log's state")
            self._sums, self._hash = sums, tail.head.hash
        return self._sums

    def check_complete(self, db: sqlite3.Connection, tail: Tail, resource: str, found: list[Row]) -> None:
        """Raise Corrupt when a listing is not all there is of a resource."""
        count, state = self.sums(db, tail).get(resource, (0, bytes(32)))
        if count != len(found) or chain.digest(sum(chain.number(row[5]) for row in found)) != state:
            raise Corrupt(f"the list of {resource} is damaged: {len(found)} objects were found, {count} are logged")


def _kv(row: Row) -> KV:
    rev, key, _, create, _, _, value = row[:7]
    return KV(key, value or b"", create, rev)
