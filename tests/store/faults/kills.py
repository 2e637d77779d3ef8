"""kill -9 at a step of a workload, in a process of its own, and what is recovered afterwards.

In: a world, a workload, at which steps. Out: how many deaths and recoveries; a Violation
that names the step. The steps are those :mod:`disk` sees; :mod:`traced` does the same at every
system call that changes a file.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from kctl.store.errors import StoreError
from tests.store.faults import witness
from tests.store.faults.disk import Disk, Step
from tests.store.faults.witness import Noted, Notes, Violation
from tests.store.faults.world import World, exit_of, fork

Workload = Callable[[World, Noted], None]


class Figures(NamedTuple):
    """Steps of the workload, deaths, recoveries."""

    steps: int
    deaths: int
    recoveries: int


def live(world: World, workload: Workload, notes: Path, at: int) -> None:
    """Be the process: do the work, die at step ``at`` (0: count the steps and note the number)."""
    count = 0

    def step(step: Step) -> int | None:
        nonlocal count
        if (bad := world.fails(step)) or step.kind == "open":
            return bad
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return None

    with Disk(world.root, step).watched():
        workload(world, Notes(notes))
    if not at:
        notes.with_name("steps").write_text(str(count))


def run(world: World, workload: Workload, *, seed: int, every: int = 1) -> Figures:
    """Kill at every n-th step; recover with every quorum. The world is made and stays as it was."""
    place = world.root.with_name(world.root.name + "-kill")
    steps = _die(world, place, workload, 0)
    points = range(random.Random(seed).randint(1, every), steps + 1, every)
    recoveries = sum(_die(world, place, workload, at) for at in points)
    return Figures(steps, len(points), recoveries)


def _die(world: World, place: Path, workload: Workload, at: int) -> int:
    """Let one process die and judge what it left; return the recoveries, or for 0 the steps there are."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(world.root, place / "w")
    notes = place / "notes"
    try:
        _, status = os.waitpid(fork(lambda: live(world.at(place / "w"), workload, notes, at)), 0)
        if exit_of(status) != (-signal.SIGKILL if at else 0):
            raise AssertionError(f"the process to be killed at step {at} ended with {exit_of(status)}")
        if not at:
            return int((place / "steps").read_text())
        return judge(world.at(place / "w"), witness.read(notes), f"killed at step {at}", world.quorums())
    finally:
        shutil.rmtree(place, ignore_errors=True)


def judge(world: World, known: witness.Witness, said: str, quorums: Iterable[tuple[int, ...]]) -> int:
    """Recover a copy with every quorum; return how many there were."""
    count = 0
    for quorum in quorums:
        count += 1
        copy = world.root.with_name("copy")
        shutil.copytree(world.root, copy)
        try:
            world.at(copy).judge_with(quorum, known.copy())
        except (Violation, StoreError) as error:
            raise Violation(f"{said}, replicas {quorum}: {type(error).__name__}: {error}") from error
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    return count
