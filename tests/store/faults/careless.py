"""Broken variants of the store on files: each takes one precaution away, and the suite must notice.

In: the name of a mutant and a folder to work in. Out: the Violation that the part of the suite
which is there for it raises. Those of the commit rule itself are in :mod:`mutants`.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from kctl.store import listing, participant, replica, rows, sidecar
from kctl.store.errors import StoreError
from kctl.store.lock import WriterLock
from tests.store.faults import clients, cuts, damage, workloads
from tests.store.faults.mutants import Patches
from tests.store.faults.witness import Violation, Witness, put
from tests.store.faults.world import World


class Mutant(NamedTuple):
    """What is broken, and the part of the suite that notices."""

    patches: Patches
    run: Callable[[Path], object]


def cut(place: Path) -> object:
    """Let the power go."""
    return cuts.run(World(place / "w").create(), workloads.plain, seed=1)


def crowd(place: Path) -> object:
    """Let several processes write, again and again; say so when there is no order."""
    for seed in range(3000):
        try:
            found = clients.run(
                World(place / f"w{seed}", 3).create(), seed=seed, clients=6, lives=6, calls=12, kill=seed % 2 > 0
            )
        except (AssertionError, StoreError) as error:
            raise Violation(f"seed {seed}: {error}") from error
        if found.verdict.order is None:
            raise Violation(f"seed {seed}: no order explains {found.operations} operations")
    return None


def rot(place: Path) -> object:
    """Damage every page."""
    world = World(place / "w").create()
    workloads.grown(world, Witness())
    content = damage.content(world, "log.db")
    for seed in range(20):
        damage.run(world, "log.db", damage.damages(content, damage.KINDS, random.Random(seed)))
        damage.run(world, "log.db", damage.bits(content, 200, random.Random(seed)))
    return None


def again(place: Path) -> object:
    """Repeat a request whose answer was lost."""
    world, witness = World(place / "w").create(), Witness()
    with closing(world.open()) as store:
        first = store.head()
        witness.commit(store, "a", [("/pods/a/x", "1")])
        try:
            put(store, [("/pods/a/x", "1")], cause="a", expect=first)
            put(store, [("/pods/a/x", "1")], cause="a")
        except StoreError as error:
            raise Violation(f"the repetition failed: {error}") from error
        witness.judge(store)
    return None


def back(place: Path) -> object:
    """Put yesterday's file in the place of the only replica."""
    world, witness = World(place / "w").create(), Witness()
    with closing(world.open()) as store:
        witness.commit(store, "a", [("/pods/a/x", "1")])
    shutil.copy(world.folders[0] / "log.db", place / "yesterday")
    with closing(world.open()) as store:
        witness.commit(store, "b", [("/pods/a/x", "2")])
    shutil.copy(place / "yesterday", world.folders[0] / "log.db")
    try:
        with closing(world.open()) as store:
            witness.commit(store, "c", [("/pods/a/x", "3")])
    except StoreError:
        return None  # noticed, as it must be
    raise AssertionError("unreachable: the witness knows another entry")


def mend(replicas: int) -> Callable[[Path], object]:
    """Return what lets the power go while a replica is repaired."""

    def run(place: Path) -> object:
        try:
            return cuts.run(World(place / "w", replicas).create(), workloads.mended, seed=1, every=replicas)
        except StoreError as error:
            raise Violation(f"{type(error).__name__}: {error}") from error

    return run


def swap(place: Path) -> object:
    """Put a copy in the place of a folder that is in use; what is acknowledged must be in what is there."""
    world, witness = World(place / "w").create(), Witness()
    with closing(world.open()) as store:
        witness.commit(store, "a", [("/pods/a/x", "1")])
    shutil.copytree(world.folders[0], place / "copy")
    with closing(world.open()) as store:
        store.set_hint("opened", b"to be written")
        shutil.rmtree(world.folders[0])
        shutil.copytree(place / "copy", world.folders[0])
        with suppress(StoreError):
            witness.commit(store, "b", [("/pods/a/x", "2")])
    try:
        with closing(world.open()) as store:
            witness.judge(store)
    except StoreError as error:
        raise Violation(f"{type(error).__name__}: {error}") from error
    return None


_settings, _open = replica._settings, replica._open


def _level(name: str) -> Callable[..., None]:
    def settings(db: sqlite3.Connection, path: Path, *, write: bool) -> None:
        _settings(db, path, write=write)
        db.execute(f"PRAGMA synchronous={name}")

    return settings


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _yes(*_: Any) -> bool:
    return True


class _Free(sqlite3.Connection):
    """A connection whose writers do not keep each other out when they begin."""

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        return super().execute("BEGIN" if sql == "BEGIN IMMEDIATE" else sql, *args)


def _open_free(path: Path, query: str) -> sqlite3.Connection:
    uri = path.absolute().as_uri() + query
    return sqlite3.connect(uri, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False, factory=_Free)


STORE: dict[str, Mutant] = {
    "a commit that does not wait for the disk (synchronous=NORMAL)": Mutant(
        [(replica, "_settings", _level("NORMAL"))], cut
    ),
    "no fsync at all (synchronous=OFF)": Mutant([(replica, "_settings", _level("OFF"))], cut),
    "no request ids": Mutant([(rows, "head_of_request", _nothing)], again),
    "no head file beside the log": Mutant([(sidecar.HeadFile, "read", _nothing)], back),
    "neither a lock file nor SQLite keeps writers apart": Mutant(
        [(WriterLock, "_try", _yes), (replica, "_open", _open_free)], crowd
    ),
    "a file that was replaced in use is written on": Mutant(
        [(participant.Participant, "_check_identity", _nothing)], swap
    ),
    "the only file is replaced before it has its last entries": Mutant([(replica, "drain", _nothing)], mend(1)),
    "no sums prove that a list is complete": Mutant([(listing, "_check_sum", _nothing)], rot),
    "no hash of rows is looked at": Mutant([(rows, "check_row", _nothing)], rot),
}
