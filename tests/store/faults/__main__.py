"""``python -m tests.store.faults [--long] [--seed N] [--only PART ...]``: all faults, and the figures.

The short pass takes some minutes, the long one hours: other seeds, every step, every page, every
system call. A failure names its seed; the exit code is 1 when there was one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from kctl.store.errors import StoreError
from tests.store.faults import clients, cuts, damage, failing, kills, protocol, traced, workloads
from tests.store.faults.careless import STORE
from tests.store.faults.disk import reachable
from tests.store.faults.mutants import PROTOCOL, broken
from tests.store.faults.witness import Violation, Witness
from tests.store.faults.world import World, scratch

Part = Callable[[int, bool], Iterator[str]]
SIZES = (1, 3, 5)


def lives(seed: int, long: bool) -> Iterator[str]:
    """The protocol over simulated replicas."""
    for replicas, count in zip(SIZES, (20_000, 100_000, 20_000) if long else (100, 400, 60), strict=True):
        found = protocol.run(range(seed, seed + count), 40, replicas)
        yield (
            f"{replicas} replicas: {found.seeds} seeds x {found.steps // found.seeds} steps, {found.acknowledged} acknowledged, "
            f"{found.unknown} unknown, {found.refused} refused, {found.deaths} deaths, {found.reads} reads, "
            f"{found.changes_of_members} changes of members; {found.choices} choices of a log checked"
        )


class Case(NamedTuple):
    """A workload on so many replicas, and which of its steps the short pass looks at."""

    replicas: int
    name: str
    every: int

    def world(self, place: Path) -> World:
        """Return the log the workload starts with."""
        if self.name == "born":
            (place / "w").mkdir()
            return World(place / "w", self.replicas)
        return World(place / "w", self.replicas, is_whole=self.name == "joined").create()


CASES = (
    Case(1, "plain", 3),
    Case(3, "changing", 30),
    Case(1, "mended", 6),
    Case(3, "mended", 30),
    Case(3, "born", 20),
    Case(3, "joined", 30),
)


def power(seed: int, long: bool) -> Iterator[str]:
    """Power cuts."""
    for case in CASES:
        with scratch() as place:
            found = cuts.run(
                case.world(place), getattr(workloads, case.name), seed=seed, every=1 if long else case.every
            )
        yield (
            f"{case.replicas} replicas, {case.name}: {found.operations} operations, {found.images} images, "
            f"{found.recoveries} recoveries"
        )


def deaths(seed: int, long: bool) -> Iterator[str]:
    """kill -9 at every step."""
    for case in CASES:
        with scratch() as place:
            found = kills.run(
                case.world(place), getattr(workloads, case.name), seed=seed, every=1 if long else case.every
            )
        yield (
            f"{case.replicas} replicas, {case.name}: {found.deaths} of {found.steps} steps x quorums = "
            f"{found.recoveries} recoveries"
        )


def calls(seed: int, long: bool) -> Iterator[str]:
    """kill -9 at system calls, by strace."""
    if not traced.is_there():
        yield "left out: strace is not installed or may not trace"
        return
    for replicas, name, every in ((1, "plain", 60), (3, "changing", 200)):
        with scratch() as place:
            world = World(place / "w", replicas).create()
            found = traced.run(world, name, every=1 if long else every, start=1 if long else 1 + seed % every)
        yield f"{replicas} replicas, {name}: {found.deaths} of {found.steps} calls x quorums = {found.recoveries} recoveries"


def crowds(seed: int, long: bool) -> Iterator[str]:
    """Linearizability of two to eight processes under kill -9."""
    for replicas in SIZES:
        operations = dead = unknown = tried = 0
        seconds = 0.0
        for n in range(200 if long else 3):
            with scratch() as place:
                world = World(place / "w", replicas).create()
                found = clients.run(world, seed=seed + n, clients=(2, 4, 8)[n % 3], lives=150 if long else 50)
                if found.verdict.order is None:
                    raise Violation(
                        f"seed {seed + n}, {replicas} replicas: no order explains {found.operations} operations"
                    )
            operations, dead, unknown = operations + found.operations, dead + found.kills, unknown + found.unknown
            tried, seconds = tried + found.verdict.tried, seconds + found.seconds
        yield (
            f"{replicas} replicas: {operations} operations linearizable, {dead} kills, {unknown} without an answer; "
            f"checked in {seconds:.2f} s, {tried} states"
        )


def disks(seed: int, long: bool) -> Iterator[str]:
    """ENOSPC, EIO, EROFS on one replica and on two."""
    for replicas, failed in ((1, (1,)), (3, (1,)), (3, (1, 3)), (5, (2, 4)), (5, (1, 3, 5))):
        for error in failing.ERRORS:
            with scratch() as place:
                world = World(place / "w", replicas).create()
                found = failing.run(world, failed, error, range(1, 120, 1 if long else 20), seed=seed)
            yield (
                f"{error} on {len(failed)} of {replicas}: {found.runs} runs, {found.acknowledged} acknowledged, "
                f"{found.refused} refused, {found.unknown} unknown"
            )


def rot(seed: int, long: bool) -> Iterator[str]:
    """Flipped bits, garbage, zeroed, random and swapped pages."""
    for replicas in (1, 3):
        for is_open in (False, True):
            with scratch() as place:
                world = World(place / "w", replicas).create()
                workloads.grown(world, Witness())
                if is_open:
                    workloads.unfinished(world)
                for name in damage.files(world):
                    yield _rot(world, name, seed, long)


def _rot(world: World, name: str, seed: int, long: bool) -> str:
    content, dice = damage.content(world, name), random.Random(seed)
    kinds = damage.KINDS if long or world.replicas == 1 else tuple(dice.sample(damage.KINDS, 2))
    found = damage.run(world, name, damage.damages(content, kinds, dice))
    more = damage.run(world, name, damage.bits(content, 5000 if long else 60, dice))
    both = damage.Figures(*(a + b for a, b in zip(found, more, strict=True)))
    return (
        f"{world.replicas} replicas, {name}: {both.damages} damages, {both.by_reads} noticed by reads, "
        f"{both.by_verify} by verify alone, {both.unnoticed} of bytes nobody uses, {both.healed} healed; wrong answers: 0"
    )


def mutants(seed: int, long: bool) -> Iterator[str]:
    """Broken variants."""
    caught = 0
    for name, patches in PROTOCOL.items():
        begun = time.perf_counter()
        with broken(patches):
            caught += (said := _caught(lambda: protocol.until(5000))) is not None
        yield f"{time.perf_counter() - begun:6.2f} s  {name}: {said or 'NOT CAUGHT'}"
    for name, mutant in STORE.items():
        begun = time.perf_counter()
        with scratch() as place, broken(mutant.patches):
            caught += (said := _caught(lambda run=mutant.run, place=place: run(place))) is not None  # type: ignore[misc]
        yield f"{time.perf_counter() - begun:6.2f} s  {name}: {said or 'NOT CAUGHT'}"
    total = len(PROTOCOL) + len(STORE)
    if caught < total:
        raise Violation(f"only {caught} of {total} mutants were killed")
    yield f"mutants killed: {caught} of {total}"


def _caught(run: Callable[[], object]) -> str | None:
    try:
        run()
    except Violation as error:
        return str(error).splitlines()[0][:100]
    return None


PARTS: dict[str, Part] = {
    "protocol": lives,
    "power": power,
    "kill": deaths,
    "calls": calls,
    "processes": crowds,
    "disks": disks,
    "damage": rot,
    "mutants": mutants,
}


def main() -> int:
    """Run the parts; print a line per figure, and at the end what was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.store.faults")
    parser.add_argument("--long", action="store_true", help="hours instead of minutes")
    parser.add_argument("--seed", type=int, default=0, help="where the seeds begin")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), metavar="PART", help=", ".join(PARTS))
    options = parser.parse_args()
    if not reachable():
        sys.exit("this Python's SQLite hides the functions that are watched")
    workloads.small_write_ahead_logs()
    failed = 0
    for name in options.only:
        begun = time.perf_counter()
        print(f"{name}: {(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)
        try:
            for line in PARTS[name](options.seed, options.long):
                print(f"  {line}", flush=True)
        except (Violation, StoreError) as error:
            failed += 1
            print(f"  FAILED: {error}", flush=True)
        print(f"  {time.perf_counter() - begun:.1f} s", flush=True)
    print(f"seed {options.seed}: {len(options.only) - failed} of {len(options.only)} parts passed", end="")
    print("; acknowledged writes lost: 0" if not failed else "")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
