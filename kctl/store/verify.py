"""Check a whole log file against its hashes.

In: a folder. Out: what does not fit; an empty list means that every row, entry, index and sum is
what was committed. Nothing is repaired here.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kctl.store import chain, facts, replica, rows, write
from kctl.store.api import Level, Problem
from kctl.store.ddl import DDL
from kctl.store.errors import NONSENSE, Corrupt, StoreError
from kctl.store.facts import Facts
from kctl.store.listing import Listing
from kctl.store.replica import FILE, HEAD
from kctl.store.sidecar import HeadFile

Check = Callable[[sqlite3.Connection, Facts], list[str]]


def verify(folder: str | os.PathLike[str], level: Level = "full") -> list[Problem]:
    """Return every problem of the log in a folder; raises StoreError when it cannot be opened."""
    place = Path(folder)
    db = replica.connect(place / FILE, write=False)
    problems: list[Problem] = []
    try:
        db.execute("BEGIN")
        found = facts.read(db)
        for kind, check in CHECKS[level]:
            try:
                problems += [Problem(str(place), kind, text) for text in check(db, found)]
            except (StoreError, sqlite3.Error, *NONSENSE) as error:
                problems.append(Problem(str(place), kind, str(error)))
        problems += [Problem(str(place), "forgetful", text) for text in _acknowledged(db, found, place)]
    except StoreError as error:
        problems.append(Problem(str(place), "meta", error.message))
    except sqlite3.Error as error:
        problems.append(Problem(str(place), "unreadable", str(replica.explain(error, place / FILE))))
    finally:
        db.close()
    return problems


def _pages(db: sqlite3.Connection, found: Facts) -> list[str]:
    lines = [row[0] for row in db.execute("PRAGMA integrity_check")]
    return [] if lines == ["ok"] else lines


def _schema(db: sqlite3.Connection, found: Facts) -> list[str]:
    """Compare what the file says its tables and indexes are with what they are made as."""
    pattern = sqlite3.connect(":memory:")
    try:
        pattern.executescript(DDL)
        want, have = _declared(pattern), _declared(db)
    finally:
        pattern.close()
    changed = sorted(name for name in want if have.get(name) != want[name])
    return [
        *(f"the {want[name][0]} {name} is missing or another" for name in changed),
        *(f"there is a {have[name][0]} {name} that is not kctl's" for name in sorted(have.keys() - want.keys())),
    ]


def _declared(db: sqlite3.Connection) -> dict[str, tuple[str, str, str]]:
    declared = db.execute("SELECT name, type, tbl_name, ifnull(sql, '') FROM sqlite_master")
    return {name: (kind, table, " ".join(sql.split())) for name, kind, table, sql in declared}


def _tail(db: sqlite3.Connection, found: Facts) -> list[str]:
    rows.end(db, found.base_prev)
    return []


def _entries(db: sqlite3.Connection, found: Facts) -> list[str]:
    """Follow the chain from the base to the head."""
    prev = found.base_prev
    problems = []
    before: Any = None
    for *entry, peers in db.execute(f"SELECT {rows.ENTRY}, peers FROM entry ORDER BY idx"):  # noqa: S608
        try:
            rows.check_entry(tuple(entry), prev)
        except Corrupt as error:
            problems.append(error.message)
        if before is not None and (entry[0] != before[0] + 1 or entry[1] != before[2] + 1):
            problems.append(f"an entry is missing between {before[0]} and {entry[0]}")
        try:
            write.decode_peers(peers, entry[11])
        except NONSENSE:
            problems.append(f"what entry {entry[0]} knows of the replicas is damaged")
        if before is not None and db.execute("SELECT hash FROM entry WHERE idx = ?", (entry[0],)).fetchone() is None:
            problems.append(f"entry {entry[0]} cannot be found by its number")
        prev, before = entry[11], entry
    forgotten = db.execute("SELECT arg FROM entry WHERE kind = ? ORDER BY idx DESC LIMIT 1", (chain.COMPACT_ENTRY,))
    last = forgotten.fetchone()
    if last is not None and int(last[0]) > found.compacted:
        problems.append(f"revision {last[0]} was compacted, but the file says {found.compacted}")
    return problems


def _rows_and_states(db: sqlite3.Connection, facts_: Facts) -> list[str]:
    """Check every row, and that folding the rows gives the state every entry names."""
    problems = []
    compacted = facts_.compacted
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


def _indexes(db: sqlite3.Connection, found: Facts) -> list[str]:
    """Compare the index of current objects with the newest row of every key, key by key."""
    newest = dict(db.execute("SELECT key, max(rev) FROM kv NOT INDEXED GROUP BY key"))
    gone = {rev for (rev,) in db.execute("SELECT rev FROM kv WHERE del = 1")}
    want = {key: rev for key, rev in newest.items() if rev not in gone}
    have = dict(db.execute("SELECT key, rev FROM live"))
    bad = sorted(key for key in want.keys() | have.keys() if want.get(key) != have.get(key))
    for key, rev in want.items():
        seen = db.execute("SELECT rev FROM live WHERE key = ?", (key,)).fetchone()
        past = db.execute("SELECT max(rev) FROM kv WHERE key = ?", (key,)).fetchone()
        if key not in bad and (seen is None or seen[0] != rev or past[0] != rev):
            bad.append(key)
    return [f"the index of current objects is damaged at {key}" for key in bad]


def _sums(db: sqlite3.Connection, found: Facts) -> list[str]:
    """Compare count and sum per resource with the live rows."""
    want = Listing().sums(db, rows.end(db, found.base_prev)[0])
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


def _acknowledged(db: sqlite3.Connection, found: Facts, place: Path) -> list[str]:
    file = HeadFile(place / HEAD, found.cluster)
    said = file.read()
    if said is None:
        return ["the head file is damaged"] if file.is_damaged() else []
    last = db.execute("SELECT max(idx), max(last_rev) FROM entry").fetchone()
    if last[0] is None or said.index > last[0]:
        return [f"the log ends at revision {last[1]}, but revision {said.revision} was acknowledged"]
    same = db.execute("SELECT hash FROM entry WHERE idx = ?", (said.index,)).fetchone()
    if same is not None and same[0] != said.hash:
        return [f"the log tells another history than the one acknowledged at revision {said.revision}"]
    return []


TAIL: list[tuple[str, Check]] = [("entry", _tail)]
ROWS: list[tuple[str, Check]] = [("entry", _entries), ("row", _rows_and_states), ("sum", _sums)]
CHECKS: dict[Level, list[tuple[str, Check]]] = {
    "tail": TAIL,
    "rows": ROWS,
    "full": [("pages", _pages), ("schema", _schema), *ROWS, ("index", _indexes)],
}
