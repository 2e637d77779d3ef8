"""What the log is asked to do while something is about to fail.

In: a world, the watched disk, who notes (a Witness, or Notes in a file). Every workload is the same each time.
"""

from __future__ import annotations

from contextlib import closing

from kctl.store import replica
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


def small_write_ahead_logs(frames: int = FRAMES) -> int:
    """Let checkpoints happen soon; return how it was."""
    before, replica.CHECKPOINT_FRAMES = replica.CHECKPOINT_FRAMES, frames
    return before
