"""Lists of keys, each proved to be all there is.

The log keeps count and sum of the hashes of the live rows per resource, and these sums add up to
the state that the last entry names. A list of the present goes out when what was found of a
resource adds up to its sum; parts of a resource (a namespace, a page) are cut from the whole.
A list of the past is that of the present with the changes since then taken back, each of them
proved by the entry that wrote it.

A process checks a resource once per head; what it found stays for the next page.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from hashlib import blake2b
from typing import NamedTuple

from kctl.store import chain, rows
from kctl.store.api import KV, Page
from kctl.store.errors import Corrupt
from kctl.store.rows import COLUMNS, Row, Tail, check_row, kv_of
from kctl.store.write import Sums, sums_of

LAST_KEY = "\U0010ffff"
# S608 below: the texts put together are constants, never input.


class Place(NamedTuple):
    """Where the state of a key lies."""

    key: str
    rev: int


class Start(NamedTuple):
    """Where the history of a file starts."""

    compacted: int
    base_prev: bytes


class Listing:
    """The lists of one file, and what of them has been checked at which head."""

    def __init__(self) -> None:
        self._hash = b""
        self._sums: Sums = {}
        self._whole: dict[str, list[Place]] = {}
        self._past: tuple[bytes, int, str, list[Place]] | None = None

    def page(self, db: sqlite3.Connection, tail: Tail, prefix: str, *, limit: int, after: str) -> Page:
        """Return the keys under a prefix as they are now."""
        at = tail.head.revision
        if not limit and not after and prefix.endswith("/") and prefix.count("/") <= 2:
            return Page(self._everything(db, tail, prefix), at, False)
        found, more = _cut(self._places(db, tail, prefix), prefix, limit, after)
        return Page(_fetch(db, found), at, more)

    def past_page(
        self, db: sqlite3.Connection, tail: Tail, start: Start, prefix: str, at: int, *, limit: int, after: str
    ) -> Page:
        """Return the keys under a prefix as they were at a past revision."""
        if self._past is None or self._past[:3] != (tail.head.hash, at, prefix):
            then = {place.key: place.rev for place in self._places(db, tail, prefix) if place.key.startswith(prefix)}
            for row in reversed(rows.changed(db, at, *start, tail.head)):
                if row[1].startswith(prefix):
                    if row[4]:
                        then[row[1]] = row[4]
                    else:
                        then.pop(row[1], None)
            self._past = (tail.head.hash, at, prefix, [Place(key, then[key]) for key in sorted(then)])
        found, more = _cut(self._past[3], prefix, limit, after)
        return Page(_fetch(db, found), at, more)

    def sums(self, db: sqlite3.Connection, tail: Tail) -> Sums:
        """Return count and sum per resource; Corrupt when they do not add up to the state."""
        if self._hash != tail.head.hash:
            sums = sums_of(db, tail)
            self._sums, self._whole, self._hash = sums, {}, tail.head.hash
        return self._sums

    def _everything(self, db: sqlite3.Connection, tail: Tail, prefix: str) -> list[KV]:
        """Return a whole resource, or all of them, in one query."""
        sums = self.sums(db, tail)
        # Which key led to a row need not be compared: rows that fit their hashes and add up to the
        # sum are the live ones, all of them. In order of revision every page is read once.
        query = (
            "SELECT kv.rev, kv.key, kv.create_rev, kv.prev, kv.h, kv.value FROM "
            "(SELECT rev FROM live WHERE key >= ? AND key < ? ORDER BY rev) AS current "
            "CROSS JOIN kv ON kv.rev = current.rev"
        )
        total = 0
        number = int.from_bytes
        out = []
        for rev, key, create, prev, h, value in db.execute(query, (prefix, prefix + LAST_KEY)):
            digest = blake2b(f"{rev}\0{create}\0{prev}\0V{key}\0".encode(), digest_size=32)  # as chain.row_hash
            digest.update(value)
            if digest.digest() != h:
                raise Corrupt(f"revision {rev} ({key}) of the log is damaged: its hash does not fit")
            total += number(h, "big")
            out.append(KV(key, value, create, rev))
        _check_sum(prefix, len(out), total, [one for name, one in sums.items() if f"/{name}/".startswith(prefix)])
        out.sort()  # by key, which is unique
        return out

    def _places(self, db: sqlite3.Connection, tail: Tail, prefix: str) -> list[Place]:
        """Return the current places of all resources that a prefix touches."""
        sums = self.sums(db, tail)
        touched = [name for name in sums if f"/{name}/".startswith(prefix) or prefix.startswith(f"/{name}/")]
        if prefix.count("/") >= 2 and chain.resource_of(prefix) not in touched:
            touched.append(chain.resource_of(prefix))
        found: list[Place] = []
        for name in sorted(touched, key=lambda one: f"/{one}/"):
            if name not in self._whole:
                self._whole[name] = _whole(db, name, sums.get(name, (0, bytes(32))))
            found += self._whole[name]
        return found


def _whole(db: sqlite3.Connection, name: str, logged: tuple[int, bytes]) -> list[Place]:
    query = (
        "SELECT live.key, kv.rev, kv.h FROM live CROSS JOIN kv ON kv.rev = live.rev "
        "WHERE live.key >= ? AND live.key < ? ORDER BY live.key"
    )
    found = db.execute(query, (f"/{name}/", f"/{name}/{LAST_KEY}")).fetchall()
    _check_sum(f"/{name}/", len(found), sum(chain.number(h) for _, _, h in found), [logged])
    return [Place(key, rev) for key, rev, _ in found]


def _check_sum(prefix: str, count: int, total: int, logged: list[tuple[int, bytes]]) -> None:
    """Raise Corrupt when what was found is not what the sums say."""
    want = sum(number for number, _ in logged)
    if count != want or chain.digest(total) != chain.digest(sum(chain.number(state) for _, state in logged)):
        raise Corrupt(f"the list of {prefix} is damaged: {count} objects were found, {want} are logged")


def _cut(places: list[Place], prefix: str, limit: int, after: str) -> tuple[list[Place], bool]:
    start = bisect_right(places, after, key=lambda place: place.key) if after else 0
    found: list[Place] = []
    for place in places[start:]:
        if place.key.startswith(prefix):
            if limit and len(found) == limit:
                return found, True
            found.append(place)
    return found, False


def _fetch(db: sqlite3.Connection, places: list[Place]) -> list[KV]:
    """Return the states at places, each checked to be the one that was meant."""
    out = []
    for key, rev in places:
        row: Row | None = db.execute(f"SELECT {COLUMNS} FROM kv WHERE rev = ?", (rev,)).fetchone()  # noqa: S608
        if row is None:
            raise Corrupt(f"revision {rev} ({key}) of the log is missing")
        check_row(row)
        if row[1] != key or row[2]:
            raise Corrupt(f"the index of objects is damaged at {key}")
        out.append(kv_of(row))
    return out
