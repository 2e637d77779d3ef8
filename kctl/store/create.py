"""Making a new log in one, three or five folders.

The files are written whole under another name, then put in place one by one. A process that dies
between two of them leaves drafts that name their cluster; whoever creates next finishes them.
Until a majority is in place nothing can have been written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from kctl.api.errors import UsageError
from kctl.store import config, facts, replica
from kctl.store.errors import StoreError
from kctl.store.facts import ID, Facts
from kctl.store.filesystem import refuse_network
from kctl.store.lock import WriterLock
from kctl.store.replica import FILE, LOCK


def create(folders: Sequence[Path], cluster_id: str, now: float, wait: float) -> None:
    """Make a log with a replica in each folder, unless there is one; UsageError unless they are 1, 3 or 5."""
    if all((folder / FILE).exists() for folder in folders):
        return
    if len(folders) not in config.SIZES:
        raise UsageError(f"{len(folders)} replicas are not a number that can be kept", hint="name 1, 3 or 5 folders")
    if len({os.path.realpath(folder) for folder in folders}) != len(folders):
        raise UsageError("a folder is named twice", hint="name one folder a replica")
    for folder in folders:
        if not _is_begun(folders):
            replica.prepare(folder)
        refuse_network(folder)
    with ExitStack() as stack:
        for folder in sorted(folders, key=os.path.realpath):
            if folder.exists():
                lock = WriterLock(folder / LOCK, wait)
                stack.callback(lock.close)
                stack.enter_context(lock)
        if not _is_begun(folders):
            _make(folders, cluster_id, now)
        elif len(folders) > 1:
            _finish(folders)


def _is_begun(folders: Sequence[Path]) -> bool:
    return any((folder / FILE).exists() for folder in folders)


def _make(folders: Sequence[Path], cluster_id: str, now: float) -> None:
    ids = [facts.first_replica(cluster_id)] if len(folders) == 1 else [os.urandom(ID // 2).hex() for _ in folders]
    members = config.first(zip(ids, map(str, folders), strict=True))
    for name, folder in zip(ids, folders, strict=True):
        found = Facts(cluster_id, name, members, view=frozenset(ids))
        replica.draft(folder / FILE, replica.begin_log(found, now))
    for folder in folders:
        replica.put_in_place(folder / FILE)


def _finish(folders: Sequence[Path]) -> None:
    """Put drafts in place that belong to the cluster whose making was interrupted."""
    there = [found for folder in folders if (found := _facts(folder / FILE)) is not None]
    for folder in folders:
        path = folder / FILE
        if path.exists() or not path.with_name(f"{FILE}.new").exists():
            continue
        draft = _facts(path.with_name(f"{FILE}.new"))
        if draft is not None and any(
            (draft.cluster, draft.config) == (found.cluster, found.config) and draft.replica in found.config.voters
            for found in there
        ):
            replica.put_in_place(path)


def _facts(path: Path) -> Facts | None:
    if not path.exists():
        return None
    try:
        db = replica.connect(path, write=False)
    except StoreError:
        return None
    try:
        return facts.read(db)
    except (StoreError, sqlite3.Error):
        return None
    finally:
        db.close()
