"""What an entry writes: computed once, from the leader's file, then written to every replica alike.

In: a file and a batch. Out: a Prepared: the rows of every table and the new head. The states that
a batch replaces are checked against their hashes and both indexes first, because their hashes
go into the sums that all replicas will keep: damage must not spread by arithmetic.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from kctl.store import chain, rows
from kctl.store.api import Head, Write
from kctl.store.config import Config
from kctl.store.core import Peer
from kctl.store.errors import Corrupt
from kctl.store.rows import Tail


class Batch(NamedTuple):
    """What an entry says besides its rows."""

    kind: int
    arg: str
    revision: int
    now: float
    cause: str = ""
    request_id: bytes = b""


class Prepared(NamedTuple):
    """An entry ready to be written behind ``before`` on any replica that ends there."""

    before: Head
    tail: Tail
    entry: tuple[Any, ...]
    kv: list[tuple[Any, ...]] = []  # noqa: RUF012 - a NamedTuple's default, never changed
    current: list[tuple[str, int]] = []  # noqa: RUF012
    gone: list[tuple[str]] = []  # noqa: RUF012
    sums: list[tuple[str, int, bytes]] = []  # noqa: RUF012
    peers: tuple[Peer, ...] = ()
    compact: int = -1
    config: Config | None = None


def states(
    db: sqlite3.Connection, tail: Tail, term: int, writes: Sequence[Write], batch: Batch, peers: Sequence[Peer]
) -> Prepared:
    """Prepare an entry that writes states; ``writes`` are in order of revision."""
    before = _before(db, [write.key for write in writes])
    kv: list[tuple[Any, ...]] = []
    current, gone, hashes = [], [], []
    sums: dict[str, list[int]] = {}
    row_hash, number = chain.row_hash, chain.number
    for key, value, revision, create in writes:
        prev, old = before.get(key) or (0, b"")
        h = row_hash(revision, key, create, prev, value)
        hashes.append(h)
        resource = key[1 : key.index("/", 1)]
        change = sums.get(resource)
        if change is None:
            change = sums[resource] = [0, 0]
        if prev:
            change[0] -= 1
            change[1] -= number(old)
        if value is None:
            kv.append((revision, key, 1, create, prev, h, None))
            gone.append((key,))
        else:
            kv.append((revision, key, 0, create, prev, h, value))
            change[0] += 1
            change[1] += number(h)
            current.append((key, revision))
    total = number(tail.state) + sum(change[1] for change in sums.values())
    prepared = _entry(tail, term, batch, chain.ops_hash(hashes), chain.digest(total), peers)
    return prepared._replace(kv=kv, current=current, gone=gone, sums=_new_sums(db, sums))


def plain(tail: Tail, term: int, batch: Batch, peers: Sequence[Peer]) -> Prepared:
    """Prepare an entry that writes no state: a compaction or a configuration."""
    return _entry(tail, term, batch, chain.NO_OPS, tail.state, peers)


def _entry(tail: Tail, term: int, batch: Batch, ops: bytes, state: bytes, peers: Sequence[Peer]) -> Prepared:
    old = tail.head
    index, first = old.index + 1, old.revision + 1
    kind, arg, last, now, cause, request_id = batch
    digest = chain.entry_hash(
        old.hash,
        index=index,
        first=first,
        last=last,
        term=term,
        kind=kind,
        arg=arg,
        now=now,
        cause=cause,
        request_id=request_id,
        ops=ops,
        state=state,
    )
    row = (index, first, last, term, kind, arg, now, cause, request_id or None, ops, state, digest)
    known = tuple(peers) if len(peers) > 1 else ()
    blob = encode_peers(known, digest) if known else None
    return Prepared(old, Tail(Head(index, last, term, digest, now), state), (*row, blob), peers=known)


def _before(db: sqlite3.Connection, keys: list[str]) -> dict[str, tuple[int, bytes] | None]:
    """Return revision and hash of the current states of keys; Corrupt when they or an index are damaged."""
    if not keys:
        return {}
    listed = json.dumps(keys, ensure_ascii=False)
    query = (
        f"SELECT {rows.COLUMNS}, live.key FROM json_each(?) AS wanted CROSS JOIN live ON live.key = wanted.value "  # noqa: S608
        "LEFT JOIN kv ON kv.rev = live.rev"
    )
    found: dict[str, tuple[int, bytes] | None] = {}
    for row in db.execute(query, (listed,)):
        if row[0] is not None:
            rows.check_row(row[:7])
        if row[1] != row[7] or row[2]:
            raise Corrupt(f"the index of current objects is damaged at {row[7]}")
        found[row[1]] = (row[0], row[5])
    newest = "SELECT wanted.value, (SELECT max(rev) FROM kv WHERE kv.key = wanted.value) FROM json_each(?) AS wanted"
    for key, rev in db.execute(newest, (listed,)).fetchall():
        have = found.get(key)
        if rev == (have[0] if have else None):
            continue
        if have is not None or not db.execute("SELECT del FROM kv WHERE rev = ?", (rev,)).fetchone()[0]:
            raise Corrupt(f"the index of current objects is damaged at {key}")
    return found


def _new_sums(db: sqlite3.Connection, changes: dict[str, list[int]]) -> list[tuple[str, int, bytes]]:
    out = []
    for name in sorted(changes):
        count, total = changes[name]
        old = db.execute("SELECT count, state FROM resource WHERE name = ?", (name,)).fetchone()
        if old is not None:
            count, total = count + old[0], total + chain.number(old[1])
        out.append((name, count, chain.digest(total)))
    return out


def apply(db: sqlite3.Connection, prepared: Prepared) -> None:
    """Write an entry and its rows inside the open transaction; compaction and facts are the caller's."""
    if prepared.kv:
        db.executemany("INSERT INTO kv VALUES (?, ?, ?, ?, ?, 0, ?, ?)", prepared.kv)
    if prepared.current:
        db.executemany("INSERT OR REPLACE INTO live VALUES (?, ?)", prepared.current)
    if prepared.gone:
        db.executemany("DELETE FROM live WHERE key = ?", prepared.gone)
    if prepared.sums:
        db.executemany("INSERT OR REPLACE INTO resource VALUES (?, ?, ?)", prepared.sums)
    db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", prepared.entry)


def forget(db: sqlite3.Connection, old: int, revision: int) -> bytes | None:
    """Remove states that nobody may read any more and the entries before the new base.

    Returns the hash before the new base, None when the base stays. What was replaced is named by
    what replaced it, so the cost goes with the changes since the last compaction and not with
    the number of objects.
    """
    between = (old, revision)
    db.execute("DELETE FROM kv WHERE rev IN (SELECT prev FROM kv WHERE rev > ? AND rev <= ? AND prev > 0)", between)
    db.execute("DELETE FROM kv WHERE rev > ? AND rev <= ? AND del = 1", between)
    base = db.execute("SELECT max(idx) FROM entry WHERE last_rev <= ?", (revision,)).fetchone()[0]
    before = db.execute("SELECT hash FROM entry WHERE idx = ?", (base - 1,)).fetchone()
    if before is None:
        return None
    db.execute("DELETE FROM entry WHERE idx < ?", (base,))
    found: bytes = before[0]
    return found


def encode_peers(peers: Iterable[Peer], entry: bytes) -> bytes:
    """Return what an entry knows of the replicas, under a hash of its own: it is not part of the chain."""
    text = ",".join(f"{p.replica}:{p.promised}:{p.log_term}:{p.last}" for p in peers).encode()
    return blake2b(text, key=entry, digest_size=8).digest() + text


def decode_peers(blob: bytes | None, entry: bytes) -> tuple[Peer, ...]:
    """Return what an entry knows of the replicas; ValueError when that is damaged."""
    if blob is None:
        return ()
    digest, text = blob[:8], blob[8:]
    if blake2b(text, key=entry, digest_size=8).digest() != digest:
        raise ValueError("what the last entry knows of the replicas is damaged")
    parts = (part.split(":") for part in text.decode().split(","))
    return tuple(Peer(replica, int(promised), int(term), int(last)) for replica, promised, term, last in parts)
