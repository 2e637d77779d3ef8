"""What the log is asked to do while something is about to fail.

In: a world, the watched disk, who notes (a Witness, or Notes in a file). Every workload is the same each time.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from kctl.store import membership, replica
from kctl.store.core import NotDurable
from kctl.store.errors import OutcomeUnknown
from tests.store.faults.witness import Noted, Put, put
from tests.store.faults.world import World, exit_of, fork

FRAMES = 24
"""The write-ahead log moves into the file after so many frames, so that a short workload sees it happen."""


def puts(n: int) -> list[Put]:
    """Return the writes of attempt ``n``: of a few keys, sometimes large, sometimes gone."""
    pod = None if n % 5 == 4 else f"v{n}" * (400 if n % 6 == 2 else 5)
    return [(f"/pods/a/p{n % 3}", pod), (f"/nodes//n{n % 7}", f"{n}")]


def plain(world: World, witness: Noted) -> None:
    """Write, forget history, write on, open again."""
    with closing(world.open()) as store:
        for n in range(8):
            head = witness.commit(store, f"a{n}", puts(n))
        witness.compact(store, head.revision - 5)
    with closing(world.open()) as store:
        for n in range(8, 11):
            witness.commit(store, f"a{n}", puts(n))


class Deaf:
    """A replica whose commit does not happen, and who cannot tell."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def follow(self, leader: Any, term: int, view: frozenset[str]) -> None:
        """Follow the leader itself."""
        self._inner.follow(getattr(leader, "_inner", leader), term, view)

    def commit(self) -> None:
        """Undo, and say that nobody knows."""
        self._inner.end()
        raise NotDurable("the commit failed", is_unsure=True)


def only(place: Path) -> Callable[[Any], Any]:
    """Return what lets every replica but one fail to commit."""
    return lambda replica: replica if replica.place == str(place) else Deaf(replica)


def changing(world: World, witness: Noted) -> None:
    """Write while replicas come and go: views change, some catch up, copy, or take back what only they had."""
    _write(world, witness, "a", 3)
    with world.without(3):
        _write(world, witness, "b", 2)
    _write(world, witness, "c", 1)
    with world.without(1), closing(world.open()) as store:
        head = witness.commit(store, "d0", puts(3))
        witness.compact(store, head.revision - 3)
        witness.commit(store, "d1", puts(4))
    _write(world, witness, "e", 1)
    with closing(world.open(wrap=only(world.folders[0]))) as store, suppress(OutcomeUnknown):
        witness.commit(store, "f", puts(5))
    with world.without(1):
        _write(world, witness, "g", 2)
    _write(world, witness, "h", 2)


def born(world: World, witness: Noted) -> None:
    """Make the log itself, then write: who dies while making it leaves nothing that is in the way."""
    world.create()
    _write(world, witness, "a", 2)


def joined(world: World, witness: Noted) -> None:
    """Let a newcomer take a voter's place, then let two voters leave."""
    _write(world, witness, "a", 2)
    with closing(world.open()) as store:
        first, second, third = (member.id for member in store.members())
        witness.commit(store, "b", puts(1))
        membership.replace(store.group, first, world.spare)
        witness.saw(store)
        witness.commit(store, "c", puts(2))
    with closing(world.open()) as store:
        witness.commit(store, "d", puts(3))
        membership.remove(store.group, second, third)
        witness.saw(store)
        witness.commit(store, "e", puts(4))
    _write(world, witness, "f", 2)


def mended(world: World, witness: Noted) -> None:
    """Lose one replica of several, or the index of the only one, and repair it."""
    keeper = world.open()  # who holds the files open, so that the last entries stay in the write-ahead logs
    keeper.head()
    _write(world, witness, "a", 4)
    witness.hurt()
    if world.replicas > 1:
        for path in sorted(world.folders[1].iterdir()):
            path.unlink()
    else:
        hurt_index(world.folders[0])
    if not world.repair():
        raise AssertionError("there was something to repair")
    with closing(world.open()) as store:
        witness.mended(store)
    keeper.close()
    _write(world, witness, "c", 2)


def hurt_index(folder: Path) -> None:
    """Take one key out of the index of current objects: what is left of it in the rows can be repaired."""
    db = sqlite3.connect(folder / replica.FILE)
    db.execute("PRAGMA synchronous=FULL")
    db.execute("DELETE FROM live WHERE key = (SELECT min(key) FROM live)")
    db.commit()
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.close()


def of(replicas: int) -> Callable[[World, Noted], None]:
    """Return the workload for so many replicas."""
    return plain if replicas == 1 else changing


def _write(world: World, witness: Noted, name: str, count: int) -> None:
    """Commit a few entries in a store of their own."""
    with closing(world.open()) as store:
        for n in range(count):
            witness.commit(store, f"{name}{n}", puts(n + 7 * (ord(name) - 96)))


def grown(world: World, witness: Noted) -> None:
    """Make a log of some dozens of pages, with history, and leave."""
    with closing(world.open()) as store:
        for n in range(12):
            batch: list[Put] = [(f"/pods/ns{k % 3}/p{k}", f"{n}-{k}" * 40) for k in range(n, n + 8)]
            head = witness.commit(store, f"g{n}", [*batch, (f"/nodes//n{n}", None if n % 3 == 2 else f"{n}" * 300)])
            if n == 4:
                witness.compact(store, head.revision - 9)


def unfinished(world: World) -> None:
    """Write in a process that is killed, so that its last entries are in the write-ahead log alone."""

    def body() -> None:
        store = world.open()
        for n in range(4):
            put(store, [(f"/pods/ns0/u{n}", "u" * 50)], cause=f"u{n}")
        os.kill(os.getpid(), signal.SIGKILL)

    _, status = os.waitpid(fork(body), 0)
    if exit_of(status) != -signal.SIGKILL:
        raise AssertionError(f"the process ended with {exit_of(status)}")


def small_write_ahead_logs(frames: int = FRAMES) -> int:
    """Let checkpoints happen soon; return how it was."""
    before, replica.CHECKPOINT_FRAMES = replica.CHECKPOINT_FRAMES, frames
    return before
