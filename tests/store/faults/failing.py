"""Disks that fail for a while, on one replica or on several: who may still write, and what is left afterwards.

In: a world, which replicas fail, how (ENOSPC, EIO, EROFS), from which step on and for how many.
Out: what became of the writes; a Violation when something acknowledged is lost afterwards,
something refused is found, or a majority that is whole refused to write.
"""

from __future__ import annotations

import errno
import random
import shutil
from collections import Counter
from contextlib import closing, suppress
from typing import NamedTuple

from kctl.store.api import Retention, Store
from kctl.store.errors import OutcomeUnknown, StoreError
from tests.store.faults.disk import Disk, Step
from tests.store.faults.witness import Violation, Witness
from tests.store.faults.workloads import puts
from tests.store.faults.world import World

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EROFS": errno.EROFS}
CHANGES = {
    "ENOSPC": ("create", "write", "mkdir", "rename", "link"),
    "EIO": ("write", "sync", "truncate"),
    "EROFS": ("create", "write", "truncate", "delete", "rename", "link", "mkdir", "sync"),
}
COMMITS = 12


class Figures(NamedTuple):
    """Runs, and what became of their writes."""

    runs: int
    acknowledged: int
    refused: int
    unknown: int


class Fault:
    """Fails the steps on some replicas, from one step on, for a number of them (0: for good)."""

    def __init__(self, world: World, replicas: tuple[int, ...], error: str, start: int, steps: int) -> None:
        self._folders = tuple(f"{world.folders[n - 1]}/" for n in replicas)
        self._error, self._start, self._steps = error, start, steps
        self._count = 0
        self.is_over = False

    def watch(self, step: Step) -> int | None:
        """Fail a step, or let it pass."""
        if self.is_over or step.kind not in CHANGES[self._error] or not f"{step.path}/".startswith(self._folders):
            return None
        self._count += 1
        if self._count < self._start or (self._steps and self._count >= self._start + self._steps):
            return None
        return ERRORS[self._error]


def run(world: World, replicas: tuple[int, ...], error: str, starts: range, *, seed: int) -> Figures:
    """Let some replicas fail from each of several steps on; the world itself stays as it is."""
    counts: Counter[str] = Counter()
    dice = random.Random(seed)
    place = world.root.with_name(world.root.name + "-failing")
    for start in starts:
        steps = dice.choice((0, 0, 1, 3, 10))
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(world.root, place)
        try:
            _run(world.at(place), replicas, error, start, steps, counts)
        except (Violation, StoreError) as problem:
            said = f"{error} on replicas {replicas} from change {start} on, {steps or 'all'} of them"
            raise Violation(f"{said}: {type(problem).__name__}: {problem}") from problem
    shutil.rmtree(place, ignore_errors=True)
    return Figures(len(starts), counts["acknowledged"], counts["refused"], counts["unknown"])


def _run(world: World, replicas: tuple[int, ...], error: str, start: int, steps: int, counts: Counter[str]) -> None:
    fault = Fault(world, replicas, error, start, steps)
    witness = Witness()
    may_fail = len(replicas) * 2 > world.replicas
    with Disk(world.root, fault.watch).watched():
        for part in range(3):  # opened anew: some faults show only then
            try:
                store = world.open(retention=Retention(revisions=4) if part else None)
            except StoreError:
                if not may_fail:
                    raise
                continue
            with closing(store):
                for n in range(part * COMMITS // 3, (part + 1) * COMMITS // 3):
                    _write(world, store, witness, n, counts, may_fail=may_fail)
        fault.is_over = True
    if may_fail:
        world.repair()  # who failed a sync is not trusted again without it
    with closing(world.open()) as store:
        witness.judge(store)
        witness.repeat(store)
        witness.judge(store)
    world.repair()
    if problems := world.verify():
        raise Violation(f"verify finds {problems} after repair")


def _write(world: World, store: Store, witness: Witness, n: int, counts: Counter[str], *, may_fail: bool) -> None:
    try:
        with suppress(StoreError):
            witness.saw(store)  # what nobody knows of is settled before a compaction forgets it
        witness.commit(store, f"a{n}", puts(n))
        counts["acknowledged"] += 1
    except OutcomeUnknown:
        if not may_fail:
            raise
        counts["unknown"] += 1
    except StoreError:
        if not may_fail:
            raise
        counts["refused"] += 1
