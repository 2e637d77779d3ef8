"""The door to a log on files: directories in, a Store out.

One directory a replica: 1, 3 or 5 of them. Which directories belong to a cluster is for the
caller to remember; which of them are members is in the log itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from kctl.api.clock import EPOCH
from kctl.store.api import Consistency, Retention
from kctl.store.group import Wrap
from kctl.store.lock import WAIT
from kctl.store.sqlite import SqliteStore


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
    Unreadable, UsageError. ``wrap`` puts something around every replica that takes part in a turn
    (a ``kctl.store.core.Replica``), such as a fault.
    """
    return SqliteStore.open(
        *directories,
        create=create,
        cluster_id=cluster_id,
        now=now,
        wait=wait,
        consistency=consistency,
        retention=retention,
        wrap=wrap,
    )
