"""New logs from old states: out of a snapshot, or out of what is left when a majority is lost.

Both make a new cluster: another id, and revisions that go on a million above the old ones with
all before them compacted, so that whoever watched the old log sees that it must list anew
instead of waiting for a revision that means something else now.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from kctl.api.errors import Refused, UsageError
from kctl.store import chain, config, facts, history, replica, rows, snapshot
from kctl.store.api import KV, Head
from kctl.store.errors import Corrupt, StoreError
from kctl.store.facts import ID, Facts
from kctl.store.filesystem import refuse_network
from kctl.store.lock import WAIT, WriterLock
from kctl.store.replica import FILE, LOCK

BUMP = 1_000_000
OLD = "log.db.lost"


class Recovered(NamedTuple):
    """What a recovery made: the new head, from which revision, and the keys whose state was lost."""

    head: Head
    revision: int
    objects: int
    lost: tuple[str, ...]


def restore(
    source: Path,
    folders: Sequence[str | os.PathLike[str]],
    *,
    replace: bool = False,
    cluster_id: str = "",
    wait: float = WAIT,
) -> Head:
    """Make a new log from a snapshot in folders that hold none.

    Refused when one does, unless ``replace``: its files are kept as ``log.db.lost`` then.
    """
    places = [Path(folder) for folder in folders]
    header, items = snapshot.read(source)
    for place in places:
        if (place / FILE).exists() and not replace:
            raise Refused(f"there is a log in {place} already", hint="name an empty folder, or remove that log")
    found = list(items)
    if len(found) != header.objects:
        raise Corrupt(f"{source} is damaged: {header.objects} objects are announced, {len(found)} are there")
    cause = f"restored from revision {header.head.revision} of {header.cluster}"
    return _make(places, header.head, found, cause, cluster_id, wait)


def recover(
    source: str | os.PathLike[str],
    folders: Sequence[str | os.PathLike[str]],
    *,
    accept_loss: bool,
    cluster_id: str = "",
    wait: float = WAIT,
) -> Recovered:
    """Make a new log in folders from what one replica still has; its old files are kept as ``log.db.lost``.

    For when a majority is gone for good: what only the others had is lost. Refused without
    ``accept_loss``. States of the source that are damaged are left out and named.
    """
    place = Path(source)
    head, found, lost, cluster = _salvage(place / FILE)
    if not accept_loss:
        raise Refused(
            f"recovering from revision {head.revision} gives up whatever the other replicas had beyond it",
            hint="say that the loss is accepted (--accept-loss)",
        )
    cause = f"recovered from revision {head.revision} of {cluster}"
    made = _make([Path(folder) for folder in folders], head, found, cause, cluster_id, wait)
    return Recovered(made, head.revision, len(found), tuple(lost))


def _salvage(path: Path) -> tuple[Head, list[KV], list[str], str]:
    """Return what is whole in a file: its head, current objects, and the keys of states that are not."""
    db = replica.connect(path, write=False)
    try:
        cluster, base_prev = _identity(db)
        head = _last_whole(db, base_prev)
        newest: dict[str, rows.Row] = {}
        lost: set[str] = set()
        for row in db.execute(f"SELECT {rows.COLUMNS} FROM kv NOT INDEXED ORDER BY rev"):  # noqa: S608
            try:
                rows.check_row(row)
                newest[row[1]] = row
            except (Corrupt, TypeError, ValueError, AttributeError):
                lost.add(str(row[1]))
        found = [rows.kv_of(newest[key]) for key in sorted(newest) if not newest[key][2]]
        top = max((row[0] for row in newest.values()), default=0)
        return head._replace(revision=max(head.revision, top)), found, sorted(lost), cluster
    except sqlite3.Error as error:
        raise replica.explain(error, path) from error
    finally:
        db.close()


def _identity(db: sqlite3.Connection) -> tuple[str, bytes]:
    try:
        found = facts.read(db)
        return found.cluster, found.base_prev
    except StoreError:
        return "an unknown cluster", b""


def _last_whole(db: sqlite3.Connection, base_prev: bytes) -> Head:
    """Return the head that the newest entry makes whose hash fits the one before it."""
    found = db.execute(f"SELECT {rows.ENTRY} FROM entry ORDER BY idx DESC").fetchall()  # noqa: S608
    for n, entry in enumerate(found):
        try:
            rows.check_entry(entry, found[n + 1][11] if n + 1 < len(found) else base_prev)
            return rows.tail_of(entry).head
        except (Corrupt, TypeError, ValueError):
            continue
    raise Corrupt("no entry of the log is whole", hint="restore a snapshot")


def _make(places: Sequence[Path], old: Head, items: Sequence[KV], cause: str, cluster_id: str, wait: float) -> Head:
    """Write a log that begins with a state into every folder."""
    if len(places) not in config.SIZES:
        raise UsageError(f"{len(places)} replicas are not a number that can be kept", hint="name 1, 3 or 5 folders")
    cluster = cluster_id or os.urandom(16).hex()
    ids = [os.urandom(ID // 2).hex() for _ in places]
    members = config.first(zip(ids, map(str, places), strict=True))._replace(since=old.index + 1)
    head, entry, kv = beginning(old, items, cause, cluster)
    with ExitStack() as stack:
        for place in sorted(places, key=os.path.realpath):
            replica.prepare(place)
            refuse_network(place)
            lock = WriterLock(place / LOCK, wait)
            stack.callback(lock.close)
            stack.enter_context(lock)
        for name, place in zip(ids, places, strict=True):
            own = Facts(cluster, name, members, head.revision, old.hash, head.term, head.term, frozenset(ids))
            replica.draft(place / FILE, _fill(own, entry, kv))
        for place in places:
            _keep_old(place)
            replica.put_in_place(place / FILE)
    return head


def beginning(
    old: Head, items: Iterable[KV], cause: str, cluster: str
) -> tuple[Head, tuple[Any, ...], list[tuple[Any, ...]]]:
    """Return head, entry and rows of a log that begins with a state."""
    kv = []
    total = 0
    for key, value, create, revision in sorted(items, key=lambda item: item.mod_revision):
        h = chain.row_hash(revision, key, create, 0, value)
        total += chain.number(h)
        kv.append((revision, key, 0, create, 0, h, value))
    index, first, last, term = old.index + 1, old.revision + 1, old.revision + BUMP, old.term + 1
    state = chain.digest(total)
    digest = chain.entry_hash(
        old.hash,
        index=index,
        first=first,
        last=last,
        term=term,
        kind=chain.CONFIG_ENTRY,
        arg=cluster,
        now=old.now,
        cause=cause,
        request_id=b"",
        ops=chain.NO_OPS,
        state=state,
    )
    entry = (index, first, last, term, chain.CONFIG_ENTRY, cluster, old.now, cause, None, chain.NO_OPS, state, digest)
    return Head(index, last, term, digest, old.now), (*entry, None), kv


def _fill(own: Facts, entry: tuple[Any, ...], kv: list[tuple[Any, ...]]) -> Callable[[sqlite3.Connection], None]:
    def fill(db: sqlite3.Connection) -> None:
        facts.write(db, own)
        db.execute(history.ENTRY_INSERT, entry)
        db.executemany(history.KV_INSERT, kv)
        history.index(db)

    return fill


def _keep_old(place: Path) -> None:
    """Keep what was there under another name: a recovery may have to be done again."""
    for suffix in ("", "-wal"):
        was = place / f"{FILE}{suffix}"
        if was.exists():
            was.replace(place / f"{OLD}{suffix}")
