"""Reading one SQLite file: every function takes a connection and checks what it returns.

A row goes out only when its hash fits, a change only when the hashes of its entry's rows do, and
whether a key exists only when two indexes agree on it. Listings stand in ``listing``. Each call
reads one snapshot: the caller opens a read transaction around several statements.
"""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple

from kctl.store import chain
from kctl.store.api import KV, Change, Entry, Head
from kctl.store.errors import NONSENSE, Compacted, Corrupt, FutureRevision

COLUMNS = "kv.rev, kv.key, kv.del, kv.create_rev, kv.prev, kv.h, kv.value"
ENTRY = "idx, first_rev, last_rev, term, kind, arg, now, cause, request_id, ops_hash, state, hash"
# S608 below: the texts put together are the constants above, never input.

Row = tuple[int, str, int, int, int, bytes, bytes | None]


class Tail(NamedTuple):
    """The end of the log and the sum over all live rows."""

    head: Head
    state: bytes


def end(db: sqlite3.Connection, base_prev: bytes) -> tuple[Tail, bytes | None]:
    """Return the end of the log, its last entry checked against the one before, and what that knows of peers."""
    found = db.execute(f"SELECT {ENTRY}, peers FROM entry ORDER BY idx DESC LIMIT 2").fetchall()  # noqa: S608
    if not found:
        raise Corrupt("the log has no entry")
    check_entry(found[0][:12], found[1][11] if len(found) > 1 else base_prev)
    return tail_of(found[0][:12]), found[0][12]


def tail_of(entry: tuple[object, ...]) -> Tail:
    """Return the tail that an entry row makes."""
    idx, _, last, term, _, _, now, _, _, _, state, digest = entry
    return Tail(Head(idx, last, term, digest, now), state)  # type: ignore[arg-type]


def check_entry(entry: tuple[object, ...], prev: bytes) -> None:
    """Raise Corrupt when an entry's hash does not follow from the one before it."""
    try:
        fits = _fits(entry, prev)
    except NONSENSE:
        fits = False
    if not fits:
        raise Corrupt(f"entry {entry[0]} of the log is damaged: its hash does not fit")


def _fits(entry: tuple[object, ...], prev: bytes) -> bool:
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
    return want == digest


def check_row(row: Row) -> None:
    """Raise Corrupt when a stored state does not fit its hash."""
    rev, key, deleted, create, prev, h, value = row
    try:
        fits = chain.row_hash(rev, key, create, prev, value) == h and bool(deleted) == (value is None)
    except NONSENSE:
        fits = False
    if not fits:
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


def state_of(db: sqlite3.Connection, key: str) -> KV | None:
    """Return one key's current state; both indexes must agree on it."""
    query = f"SELECT {COLUMNS} FROM kv WHERE key = ? ORDER BY rev DESC LIMIT 1"  # noqa: S608
    row: Row | None = db.execute(query, (key,)).fetchone()
    is_there = row is not None and not row[2]
    live = db.execute("SELECT rev FROM live WHERE key = ?", (key,)).fetchone()
    if (live[0] if live else None) != (row[0] if row is not None and is_there else None):
        raise _damaged_at(key)
    if row is None:
        return None
    check_row(row)
    if row[1] != key:
        raise _damaged_at(key)
    return kv_of(row) if is_there else None


def past_state(db: sqlite3.Connection, key: str, at: int) -> KV | None:
    """Return one key's state at a past revision; the state after it must say that it replaced this one."""
    query = f"SELECT {COLUMNS} FROM kv WHERE key = ? AND rev <= ? ORDER BY rev DESC LIMIT 1"  # noqa: S608
    row: Row | None = db.execute(query, (key, at)).fetchone()
    query = f"SELECT {COLUMNS} FROM kv WHERE key = ? AND rev > ? ORDER BY rev LIMIT 1"  # noqa: S608
    after: Row | None = db.execute(query, (key, at)).fetchone()
    for found in (row, after):
        if found is not None:
            check_row(found)
            if found[1] != key:
                raise _damaged_at(key)
    is_there = row is not None and not row[2]
    if after is not None:
        replaced = after[4]
    else:
        live = db.execute("SELECT rev FROM live WHERE key = ?", (key,)).fetchone()
        replaced = live[0] if live else 0
    if replaced != (row[0] if row is not None and is_there else 0):
        raise _damaged_at(key)
    return kv_of(row) if row is not None and is_there else None


def _damaged_at(key: str) -> Corrupt:
    return Corrupt(f"the index of current objects is damaged at {key}")


def changed(db: sqlite3.Connection, after: int, compacted: int, base_prev: bytes, head: Head) -> list[Row]:
    """Return every stored state above a revision, proved to be all there are by the entries that wrote them."""
    entries_ = _entries_above(db, after, base_prev, head)
    if not entries_:
        return []
    start = entries_[0][1]
    first = start if start > compacted else after + 1
    every: list[Row] = db.execute(f"SELECT {COLUMNS} FROM kv WHERE rev >= ? ORDER BY rev", (first,)).fetchall()  # noqa: S608
    for row in every:
        check_row(row)
    n = 0
    for idx, start, last, _, kind, _, _, _, _, ops, _, _ in entries_:
        hashes = []
        while n < len(every) and every[n][0] <= last:
            hashes.append(every[n][5])
            n += 1
        if kind == chain.KV_ENTRY and start > compacted and chain.ops_hash(hashes) != ops:
            raise Corrupt(f"the writes of entry {idx} are not the ones that were committed")
    return [row for row in every if row[0] > after]


def _entries_above(db: sqlite3.Connection, after: int, base_prev: bytes, head: Head) -> list[tuple[Any, ...]]:
    """Return the entries that end above a revision, oldest first, each checked against the one before it."""
    found: list[tuple[Any, ...]] = []
    for entry in db.execute(f"SELECT {ENTRY} FROM entry ORDER BY idx DESC"):  # noqa: S608
        if found:
            check_entry(found[-1], entry[11])
            if found[-1][0] != entry[0] + 1 or found[-1][1] != entry[2] + 1:
                raise Corrupt(f"an entry is missing before entry {found[-1][0]}")
        if entry[2] <= after:
            break
        found.append(entry)
    else:
        if found:
            check_entry(found[-1], base_prev)
    if (found[0][2] if found else after) != max(head.revision, after):
        raise Corrupt("entries of the log are missing")
    found.reverse()
    return found


def changes(db: sqlite3.Connection, after: int, compacted: int, base_prev: bytes, head: Head) -> list[Change]:
    """Return every stored state above a revision as changes."""
    return [Change(row[1], row[6], row[0], row[3]) for row in changed(db, after, compacted, base_prev, head)]


def entries(db: sqlite3.Connection, after: int, base_prev: bytes) -> list[Entry]:
    """Return the entries above an index, the chain checked from the one before them on."""
    query = f"SELECT {ENTRY} FROM entry WHERE idx >= ? ORDER BY idx"  # noqa: S608
    found = []
    prev = before = None
    for row in db.execute(query, (after,)):
        idx, first, last, term, kind, _, now, cause, _, _, _, digest = row
        if prev is None and (after < 0 or idx > after):
            prev = base_prev  # nothing is left before it
        if prev is not None:
            check_entry(row, prev)
        if before is not None and (idx != before + 1):
            raise Corrupt(f"an entry is missing between {before} and {idx}")
        prev, before = digest, idx
        if idx > after:
            found.append(Entry(idx, first, last, term, kind, now, cause, digest))
    return found


def head_of_request(db: sqlite3.Connection, request_id: bytes) -> Head | None:
    """Return the head that a request made, None when it is not in the log."""
    row = db.execute(f"SELECT {ENTRY} FROM entry WHERE request_id = ?", (request_id,)).fetchone()  # noqa: S608
    return tail_of(row).head if row is not None else None


def hint(db: sqlite3.Connection, name: str) -> bytes | None:
    """Return a local note."""
    found = db.execute("SELECT value FROM hint WHERE name = ?", (name,)).fetchone()
    return found[0] if found else None


def oldest(db: sqlite3.Connection) -> float:
    """Return the time of the oldest entry that is left."""
    return float(db.execute("SELECT now FROM entry ORDER BY idx LIMIT 1").fetchone()[0])


def before(db: sqlite3.Connection, now: float) -> int:
    """Return the last revision of the entries before a time, 0 when there are none."""
    return int(db.execute("SELECT max(last_rev) FROM entry WHERE now < ?", (now,)).fetchone()[0] or 0)


def kv_of(row: Row) -> KV:
    """Return the state that a row stores."""
    return KV(row[1], row[6] or b"", row[3], row[0])
