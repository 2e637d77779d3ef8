"""Be a writer whose replicas lie on file systems that were mounted for it: full ones, read-only ones.

``python -m tests.store.faults.mounted ROOT REPLICAS SCRIPT`` runs the shell lines of SCRIPT in a mount
namespace of its own (``unshare -m``), then writes and reads; notes go to ROOT/notes and what became of the
calls, as JSON, to standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from kctl.store.api import Store
from kctl.store.errors import NoQuorum, OutcomeUnknown, StoreError
from tests.store.faults.witness import Notes
from tests.store.faults.world import World

ROOT = Path(__file__).resolve().parents[3]
SIZE = 8000
COMMITS = 30


def may_mount() -> bool:
    """Return whether this process may have mounts of its own."""
    try:
        done = subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False, capture_output=True
        )
    except OSError:
        return False
    return done.returncode == 0


def run(world: World, script: str) -> dict[str, int]:
    """Write under some mounts; return how often what happened."""
    me = f"{sys.executable} -m tests.store.faults.mounted {world.root} {world.replicas}"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["unshare", "-m", "sh", "-ec", f"{script}\nexec {me}"]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _read(world: World, store: Store) -> int:
    """Return how many objects are shown: by a majority, else by whoever has the newest log."""
    try:
        return len(store.list("/pods/").items)
    except NoQuorum:
        with closing(world.open(consistency="serializable")) as newest:
            return len(newest.list("/pods/").items)


def main() -> None:
    """Write and read; see above."""
    world = World(Path(sys.argv[1]), int(sys.argv[2]))
    notes, counts = Notes(world.root / "notes"), Counter[str]()
    for part in range(3):
        try:
            store = world.open()
        except NoQuorum:
            counts["opened without a majority"] += 1
            store = world.open(consistency="serializable")
        with closing(store):
            for n in range(part * COMMITS // 3, (part + 1) * COMMITS // 3):
                try:
                    notes.commit(store, f"a{n}", [(f"/pods/a/p{n}", f"{n}" * SIZE)])
                    counts["acknowledged"] += 1
                except OutcomeUnknown:
                    counts["unknown"] += 1
                except StoreError as error:
                    counts[f"refused: {type(error).__name__}"] += 1
                counts["read"] += _read(world, store) > 0
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
