"""The door to a log on files: directories in, a Store out.

One directory a replica: 1, 3 or 5 of them. Which directories belong to a cluster is for the
caller to remember; which of them are members is in the log itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kctl.api.clock import EPOCH
from kctl.api.errors import UsageError
from kctl.store.api import Consistency, Retention
from kctl.store.lock import WAIT
from kctl.store.sqlite import SqliteStore

Wrap = Callable[[Any], Any]
"""Puts something around every replica (a ``kctl.store.core.Replica``), such as a fault."""


def open_store(
    directories: Sequence[str | os.PathLike[str]],
    *,
    create: bool = False,
    cluster_id: str = "",
    now: float = EPOCH,
    wait: float = WAIT,
    consistency: Consistency = "linearizable",
    retention: Retention | None = None,
    wrap: Wrap | None = None,
) -> SqliteStore:
    """Open the log whose replicas lie in these directories; ``create`` makes a new one where none is.

    ``consistency`` is that of reads: ``linearizable`` refuses without a majority (NoQuorum),
    ``serializable`` then answers from the newest replica, which ``freshness()`` tells. ``wait`` is
    how many seconds a write waits for another process; ``retention`` what history commits keep
    (None: all of it). Raises NoStore, NoQuorum, Diverged, NetworkFileSystem, WrongFormat, Corrupt,
    Unreadable, UsageError.
    """
    places = [Path(directory) for directory in directories]
    if len(places) != 1:
        raise UsageError(f"{len(places)} replicas are not a number this version keeps", hint="name one directory")
    return SqliteStore.open(places[0], create=create, cluster_id=cluster_id, now=now, wait=wait)
