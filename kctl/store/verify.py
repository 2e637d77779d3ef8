"""Check a whole log file against its hashes.

In: a folder. Out: what does not fit, as sentences; an empty list means that every row, entry,
index and sum is what was committed. Nothing is repaired here.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from kctl.store import chain, replica, rows
from kctl.store.errors import Corrupt, StoreError
from kctl.store.sidecar import HeadFile
from kctl.store.sqlite import FILE, HEAD


def verify(folder: str | os.PathLike[str]) -> list[str]:
    """Return every problem of the log in a folder; raises StoreError when it cannot be opened."""
    place = Path(folder)
    db = replica.connect(place / FILE, write=False)
    problems: list[str] = []
    try:
        db.execute("BEGIN")
        for check in (_pages, _entries, _rows_and_states, _indexes, _sums):
            try:
                problems += check(db)
            except (StoreError, sqlite3.Error, TypeError, ValueError) as error:
                problems.append(str(error))
        problems += _acknowledged(db, place)
    except sqlite3.Error as error:
        problems.append(str(replica.explain(error, place / FILE)))
    finally:
        db.close()
    return problems


def _pages(db: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in db.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


def _entries(db: sqlite3.Connection) -> list[str]:
    """Follow the chain from the base to the head."""
    prev = bytes.fromhex(rows.meta(db)["base_prev"])
    problems = []
    before: Any = None
    for entry in db.execute(f"SELECT {rows.ENTRY} FROM entry ORDER BY idx"):  # noqa: S608
        try:
            rows.check_entry(entry, prev)
        except Corrupt as error:
            problems.append(error.message)
        if before is not None and (entry[0] != before[0] + 1 or entry[1] != before[2] + 1):
            problems.append(f"an entry is missing between {before[0]} and {entry[0]}")
        prev, before = entry[11], entry
    return problems


def _rows_and_states(db: sqlite3.Connection) -> list[str]:
    """Check every row, and that folding the rows gives the state every entry names."""
    problems = []
    compacted = int(rows.meta(db)["compacted"])
    entries = db.execute("SELECT idx, first_rev, last_rev, kind, ops_hash, state FROM entry ORDER BY idx").fetchall()
    found: Any = db.execute(f"SELECT {rows.COLUMNS} FROM kv ORDER BY rev")  # noqa: S608
    live: dict[str, int] = {}
    total = 0
    row = next(found, None)
    for idx, first, last, kind, ops, state in entries:
        hashes = []
        while row is not None and row[0] <= last:
            try:
                rows.check_row(row)
            except Corrupt as error:
                problems.append(error.message)
            total -= live.pop(row[1], 0)
            if not row[2]:
                live[row[1]] = chain.number(row[5])
                total += live[row[1]]
            if row[0] >= first:  # older ones are of entries that compaction took
                hashes.append(row[5])
            row = next(found, None)
        if kind == chain.KV_ENTRY and first > compacted and chain.ops_hash(hashes) != ops:
            problems.append(f"the writes of entry {idx} are not the ones that were committed")
        if last >= compacted and chain.digest(total) != state:
            problems.append(f"the state after entry {idx} is not the one that was committed")
    if row is not None:
        problems.append(f"revision {row[0]} belongs to no entry")
    return problems


def _indexes(db: sqlite3.Connection) -> list[str]:
    """Compare the index of current objects with the newest row of every key, key by key."""
    newest = dict(db.execute("SELECT key, max(rev) FROM kv NOT INDEXED GROUP BY key"))
    gone = {rev for (rev,) in db.execute("SELECT rev FROM kv WHERE del = 1")}
    want = {key: rev for key, rev in newest.items() if rev not in gone}
    have = dict(db.execute("SELECT key, rev FROM live"))
    bad = sorted(key for key in want.keys() | have.keys() if want.get(key) != have.get(key))
    for key, rev in want.items():
        found = db.execute("SELECT rev FROM live WHERE key = ?", (key,)).fetchone()
        if key not in bad and (found is None or found[0] != rev):
            bad.append(key)
    return [f"the index of current objects is damaged at {key}" for key in bad]


def _sums(db: sqlite3.Connection) -> list[str]:
    """Compare count and sum per resource with the live rows."""
    tail = rows.tail(db)
    want = rows.Reads().sums(db, tail)
    have: dict[str, list[int]] = {}
    for key, h in db.execute("SELECT live.key, kv.h FROM live CROSS JOIN kv ON kv.rev = live.rev"):
        sums = have.setdefault(chain.resource_of(key), [0, 0])
        sums[0] += 1
        sums[1] += chain.number(h)
    bad = [
        name
        for name in sorted(want.keys() | have.keys())
        if (have.get(name, [0, 0])[0], chain.digest(have.get(name, [0, 0])[1])) != want.get(name, (0, bytes(32)))
    ]
    return [f"the sum of {name} is not that of its objects" for name in bad]


def _acknowledged(db: sqlite3.Connection, place: Path) -> list[str]:
    said = HeadFile(place / HEAD, rows.meta(db)["cluster"]).read()
    if said is None:
        return []
    found = db.execute("SELECT max(idx), max(last_rev) FROM entry").fetchone()
    if found[0] is None or said.index > found[0]:
        return [f"the log ends at revision {found[1]}, but revision {said.revision} was acknowledged"]
    return []
