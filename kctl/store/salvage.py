"""Putting a log together from replicas that are damaged in different places.

In: files that end at the same entry. Out: in another file, every entry and every row that any of
them still has whole. What is whole is known by the hashes, and that nothing is missing by those
of the entries, so the result is the log that was committed or an error.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from kctl.store import history, rows
from kctl.store.core import LeaderFailed
from kctl.store.errors import NONSENSE, Corrupt
from kctl.store.facts import Facts
from kctl.store.rows import Row

UNREADABLE = (sqlite3.Error, Corrupt, *NONSENSE)


def assemble(sources: Sequence[sqlite3.Connection], facts: Facts, mine: sqlite3.Connection) -> None:
    """Fill a file with the log of several; LeaderFailed when none has a part of it whole."""
    entries = list(_entries(sources, facts.base_prev))
    if not entries:
        raise LeaderFailed(Corrupt("no replica has the first entry of the log whole"))
    found: dict[int, Row] = {}
    named: set[int] = set()
    for source in sources:
        for row in _all(source, f"SELECT {rows.COLUMNS} FROM kv NOT INDEXED"):  # noqa: S608
            _keep(found, row)
        named |= {rev for (rev,) in _all(source, "SELECT rev FROM kv INDEXED BY kv_key WHERE key >= ''")}
    for rev in sorted(named - found.keys()):  # behind a page that a scan cannot pass
        for source in sources:
            for row in _all(source, f"SELECT {rows.COLUMNS} FROM kv WHERE rev = {int(rev)}"):  # noqa: S608
                _keep(found, row)
    history.fill(mine, entries, [found[rev] for rev in sorted(found)], facts.compacted)


def _entries(sources: Sequence[sqlite3.Connection], prev: bytes) -> Iterator[tuple[Any, ...]]:
    """Yield the chain from the base on, each entry from the first file that has it whole."""
    query = f"SELECT {rows.ENTRY}, peers FROM entry"  # noqa: S608
    every = [{entry[0]: entry for entry in _all(source, query)} for source in sources]
    numbers = sorted({number for entries in every for number in entries if isinstance(number, int)})
    for number in numbers:
        for entries in every:
            entry = entries.get(number)
            if entry is not None and _fits(entry, prev):
                prev = entry[11]
                yield entry
                break


def _fits(entry: tuple[Any, ...], prev: bytes) -> bool:
    try:
        rows.check_entry(entry[:12], prev)
    except Corrupt:
        return False
    return True


def _keep(found: dict[int, Row], row: tuple[Any, ...]) -> None:
    try:
        rows.check_row(row)
        found.setdefault(row[0], row)
    except UNREADABLE:
        pass


def _all(source: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield what a query finds up to where the file cannot be read."""
    try:
        yield from source.execute(query)
    except sqlite3.Error:
        return
