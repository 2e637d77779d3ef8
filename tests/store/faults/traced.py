"""kill -9 at system calls, by strace: every call that changes a file, also those no library shows.

In: a world and a workload. Out: figures as :mod:`kills` has them. Needs strace (Debian: ``apt install
strace``); a call is some 0.3 s, so this is for the long pass and a few points of the short one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.store.faults import witness, workloads
from tests.store.faults.disk import Disk
from tests.store.faults.kills import Figures, judge
from tests.store.faults.witness import Notes
from tests.store.faults.world import World

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename", "flock", "openat", "fcntl")
ROOT = Path(__file__).resolve().parents[3]


def is_there() -> bool:
    """Return whether strace is installed and may trace."""
    command = shutil.which("strace")
    return (
        command is not None
        and subprocess.run([command, "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0
    )


def run(world: World, name: str, *, every: int, start: int = 1) -> Figures:
    """Kill a workload at every n-th call of every kind; recover with every quorum."""
    place = world.root.with_name(world.root.name + "-traced")
    steps = deaths = recoveries = 0
    for call in CALLS:
        count = _count(world, place, name, call)
        steps += count
        for at in range(min(start, count), count + 1, every) if count else ():
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(world.root, place / "w")
            code = _trace(place, world.replicas, name, f"inject={call}:signal=KILL:when={at}", place / "trace")
            if code not in (-signal.SIGKILL, 128 + signal.SIGKILL, 0):
                raise AssertionError(f"the process to be killed at {call} {at} ended with {code}")
            known = witness.read(place / "notes")
            recoveries += judge(world.at(place / "w"), known, f"killed at {call} {at}", world.quorums())
            deaths += 1
    shutil.rmtree(place, ignore_errors=True)
    return Figures(steps, deaths, recoveries)


def _count(world: World, place: Path, name: str, call: str) -> int:
    """Return how many calls of a kind the workload makes, those before it begins left out."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(world.root, place / "w")
    trace = place / "trace"
    if _trace(place, world.replicas, name, f"trace={call}", trace):
        raise AssertionError(f"the workload failed under strace: {call}")
    return len(re.findall(rf"^(?:\d+ +)?{call}\(", trace.read_text(), re.MULTILINE))


def _trace(place: Path, replicas: int, name: str, expression: str, out: Path) -> int:
    """Run the workload under strace; only calls on files of the log count."""
    files = [f"{place / 'w' / f'r{n}' / file}" for n in range(1, replicas + 1) for file in FILES]
    paths = [option for path in files for option in ("-P", path)]
    command = ["strace", "-f", "-qq", "-o", str(out), "-e", expression, *paths]
    victim = [sys.executable, "-m", "tests.store.faults.traced", str(place), str(replicas), name]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*command, *victim], check=False, cwd=ROOT, env=environ, capture_output=True).returncode


FILES = ("", "log.db", "log.db-wal", "log.db.new", "log.db.new-wal", "head", "writer.lock")


def main() -> None:
    """Be the victim: PLACE REPLICAS WORKLOAD."""
    place, replicas, name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    workloads.small_write_ahead_logs()
    world, notes = World(place / "w", replicas), Notes(place / "notes")
    with Disk(world.root, world.fails).watched():  # for the outages that belong to the workload
        getattr(workloads, name)(world, notes)


if __name__ == "__main__":
    main()
