"""What an entry writes: computed once, from the leader's file, then written to every replica alike.

In: a file and a batch. Out: a Prepared: the rows of every table and the new head. The states that
a batch replaces are checked against their hashes and both indexes first, because their hashes
go into the sums that all replicas will keep: damage must not spread by arithmetic. A single
replica has nobody to spread it to and is checked less: damage there shows in the next list.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain as flat
from typing import Any, NamedTuple

from kctl.store import chain
from kctl.store.api import Head, Write
from kctl.store.config import Config
from kctl.store.core import Peer
from kctl.store.errors import Corrupt
from kctl.store.rows import Tail

NOTHING = (0, b"")
_WHOLE = (
    "SELECT wanted.value, live.rev, (SELECT max(rev) FROM kv WHERE kv.key = wanted.value), kv.h, kv.key, "
    "kv.del, kv.create_rev, kv.prev, kv.value "
    "FROM json_each(?) AS wanted LEFT JOIN live ON live.key = wanted.value LEFT JOIN kv ON kv.rev = live.rev"
)
_LIGHT = (
    "SELECT live.key, live.rev, kv.h, kv.key "
    "FROM json_each(?) AS wanted CROSS JOIN live ON live.key = wanted.value LEFT JOIN kv ON kv.rev = live.rev"
)
_LIGHT_ONE = "SELECT live.key, live.rev, kv.h, kv.key FROM live LEFT JOIN kv ON kv.rev = live.rev WHERE live.key = ?"
_KV = "INSERT INTO kv VALUES (?, ?, ?, ?, ?, 0, ?, ?)"
AT_ONCE = 32
_KV_AT_ONCE = "INSERT OR FAIL INTO kv VALUES " + ", ".join(["(?, ?, ?, ?, ?, 0, ?, ?)"] * AT_ONCE)  # noqa: S608
"""Many rows a statement take a third less. FAIL: a conflict ends the transaction anyway, and SQLite
would keep a journal of the statement, in a file once it is long, to be able to take back its part."""
_LIVE = "INSERT OR REPLACE INTO live VALUES (?, ?)"
_GONE = "DELETE FROM live WHERE key = ?"
_RESOURCE = "INSERT OR REPLACE INTO resource VALUES (?, ?, ?)"
_APPEND = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

Sums = dict[str, tuple[int, bytes]]
"""Count and sum of the hashes of the live rows, by resource."""


class Current:
    """What a process knows of a log that ends at ``hash``: the sums, and the states it wrote or looked up.

    Worth nothing once somebody else wrote: then it is read again.
    """

    MOST = 20_000

    def __init__(self, hash_: bytes, sums: Sums) -> None:
        self.hash = hash_
        self.sums = sums
        self.states: dict[str, tuple[int, bytes]] = {}

    def learn(self, found: dict[str, tuple[int, bytes]]) -> None:
        """Take in what was looked up."""
        self.states.update(found)

    def add(self, prepared: Prepared) -> None:
        """Take in an entry that is written behind the log."""
        self.hash = prepared.tail.head.hash
        self.sums.update((name, (count, state)) for name, count, state in prepared.sums)
        if len(self.states) > self.MOST:
            self.states.clear()
        self.states.update((row[1], NOTHING if row[2] else (row[0], row[5])) for row in prepared.kv)


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
    db: sqlite3.Connection,
    tail: Tail,
    now: Current,
    term: int,
    writes: Sequence[Write],
    batch: Batch,
    peers: Sequence[Peer],
) -> Prepared:
    """Prepare an entry that writes states; ``writes`` are in order of revision, ``now`` is of the tail."""
    before = now.states
    unknown = [write.key for write in writes if write.key not in before]
    if unknown:
        now.learn(_whole(db, unknown) if len(peers) > 1 else _light(db, unknown))
    kv: list[tuple[Any, ...]] = []
    current, gone, hashes = [], [], []
    came: dict[str, list[bytes]] = {}
    went: dict[str, list[bytes]] = {}
    row_hash = chain.row_hash
    stem = "\0"
    for key, value, revision, create in writes:
        if not key.startswith(stem):
            resource = key[1 : key.index("/", 1)]
            stem = f"/{resource}/"
            new = came.setdefault(resource, [])
            replaced = went.setdefault(resource, [])
        prev, old = before[key]
        h = row_hash(revision, key, create, prev, value)
        hashes.append(h)
        if prev:
            replaced.append(old)
        if value is None:
            kv.append((revision, key, 1, create, prev, h, None))
            gone.append((key,))
        else:
            kv.append((revision, key, 0, create, prev, h, value))
            new.append(h)
            current.append((key, revision))
    moved, sums = _moved(now.sums, came, went)
    state = chain.digest(chain.number(tail.state) + moved)
    after, row, known = _entry(tail, term, batch, chain.ops_hash(hashes), state, peers)
    return Prepared(tail.head, after, row, kv, current, gone, sums, known)


def plain(tail: Tail, term: int, batch: Batch, peers: Sequence[Peer]) -> Prepared:
    """Prepare an entry that writes no state: a compaction or a configuration."""
    after, row, known = _entry(tail, term, batch, chain.NO_OPS, tail.state, peers)
    return Prepared(tail.head, after, row, peers=known)


def _entry(
    tail: Tail, term: int, batch: Batch, ops: bytes, state: bytes, peers: Sequence[Peer]
) -> tuple[Tail, tuple[Any, ...], tuple[Peer, ...]]:
    """Return the tail that an entry makes, its row, and what it knows of the replicas."""
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
    return Tail(Head(index, last, term, digest, now), state), (*row, blob), known


def _light(db: sqlite3.Connection, keys: list[str]) -> dict[str, tuple[int, bytes]]:
    """Return revision and hash of the current states of keys, checked as far as costs nothing."""
    found = dict.fromkeys(keys, NOTHING)
    if len(keys) == 1:
        listed = db.execute(_LIGHT_ONE, keys)
    else:
        listed = db.execute(_LIGHT, (json.dumps(keys, ensure_ascii=False),))
    for wanted, live, h, key in listed:
        if key != wanted:
            raise Corrupt(f"the index of current objects is damaged at {wanted}")
        found[key] = live, h
    return found


def _whole(db: sqlite3.Connection, keys: list[str]) -> dict[str, tuple[int, bytes]]:
    """Return revision and hash of the current states of keys; Corrupt when they or an index are damaged."""
    found: dict[str, tuple[int, bytes]] = {}
    row_hash = chain.row_hash
    listed = db.execute(_WHOLE, (json.dumps(keys, ensure_ascii=False),))
    for wanted, live, newest, h, key, deleted, create, prev, value in listed:
        if live is None:
            if newest is not None and not db.execute("SELECT del FROM kv WHERE rev = ?", (newest,)).fetchone()[0]:
                raise Corrupt(f"the index of current objects is damaged at {wanted}")
            found[wanted] = NOTHING
        elif newest != live or key != wanted or deleted:
            raise Corrupt(f"the index of current objects is damaged at {wanted}")
        elif row_hash(live, key, create, prev, value) != h:
            raise Corrupt(f"revision {live} ({key}) of the log is damaged: its hash does not fit")
        else:
            found[wanted] = live, h
    return found


def _moved(
    sums: Sums, came: dict[str, list[bytes]], went: dict[str, list[bytes]]
) -> tuple[int, list[tuple[str, int, bytes]]]:
    """Return by how much the sum over all rows changes, and the new sums of the resources that change."""
    whole = 0
    out = []
    for name in sorted(came):
        new, old = came[name], went[name]
        moved = sum(map(int.from_bytes, new)) - sum(map(int.from_bytes, old))
        whole += moved
        count, state = sums.get(name, (0, b""))
        out.append((name, count + len(new) - len(old), chain.digest(chain.number(state) + moved)))
    return whole, out


def sums_of(db: sqlite3.Connection, tail: Tail) -> Sums:
    """Return count and sum per resource; Corrupt when they do not add up to the state of the tail."""
    sums = {name: (count, state) for name, count, state in db.execute("SELECT * FROM resource")}
    if chain.digest(sum(chain.number(state) for _, state in sums.values())) != tail.state:
        raise Corrupt("the sums per resource are damaged: they do not add up to the log's state")
    return sums


def check_counts(db: sqlite3.Connection, sums: Sums) -> None:
    """Raise Corrupt when the counts, which no hash covers, are not those of the live rows."""
    if db.execute("SELECT count(*) FROM live").fetchone()[0] != sum(count for count, _ in sums.values()):
        raise Corrupt("the counts per resource are damaged: they are not those of the current objects")


def apply(db: sqlite3.Connection, prepared: Prepared) -> None:
    """Write an entry and its rows inside the open transaction; compaction and facts are the caller's."""
    _, _, entry, kv, current, gone, sums, *_ = prepared
    whole = len(kv) - len(kv) % AT_ONCE
    for start in range(0, whole, AT_ONCE):
        db.execute(_KV_AT_ONCE, tuple(flat.from_iterable(kv[start : start + AT_ONCE])))
    kv = kv[whole:]
    for statement, values in ((_KV, kv), (_LIVE, current), (_GONE, gone), (_RESOURCE, sums)):
        if len(values) == 1:
            db.execute(statement, values[0])
        elif values:
            db.executemany(statement, values)
    db.execute(_APPEND, entry)


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
