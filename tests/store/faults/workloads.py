"""What the log is asked to do while something is about to fail.

In: a world, the watched disk, who notes (a Witness, or Notes in a file). Every workload is the same each time.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from kctl.store import replica
from kctl.store.core import NotDurable
from kctl.store.errors import OutcomeUnknown
from tests.store.faults.witness import Noted, Put
from tests.store.faults.world import World

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


def _write(world: World, witness: Noted, name: str, count: int) -> None:
    """Commit a few entries in a store of their own."""
    with closing(world.open()) as store:
        for n in range(count):
            witness.commit(store, f"{name}{n}", puts(n + 7 * (ord(name) - 96)))


def small_write_ahead_logs(frames: int = FRAMES) -> int:
    """Let checkpoints happen soon; return how it was."""
    before, replica.CHECKPOINT_FRAMES = replica.CHECKPOINT_FRAMES, frames
    return before
