"""Where the time of a command goes: by room of kctl, as a tree of who calls whom, by function.

In: a folder and a command. Out: a report. The command runs in this process and is looked at once in
a millisecond of its CPU time (or as often as the system's timer ticks), which makes nothing look dearer than
it is; what is seen in a library or in Python itself counts for the room that called it. Shares are to
be read, not seconds.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from time import process_time
from types import FrameType

EVERY = 0.001
"""Seconds of CPU between two looks."""
SHOWN = 0.01
"""Branches of the tree with a smaller share are left out."""
DEPTH = 9
ROWS = 25
HIDDEN = ("kctl:", "cli:", "plane:")
"""Rooms at the root of the tree whose frames say nothing: everything happens below them."""


class Branch:
    """A place in the tree of calls, and how often the command was seen at or below it."""

    def __init__(self) -> None:
        self.seen = 0
        self.below: dict[str, Branch] = {}


class Samples:
    """What was seen of a running command."""

    def __init__(self) -> None:
        self.number = 0
        self.rooms: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self.root = Branch()

    def take(self, _: int, frame: FrameType | None) -> None:
        """Look at the stack; the handler of the timer's signal."""
        self.number += 1
        calls = [place for place in map(place_of, stack(frame)) if place]
        if not calls:
            self.rooms["outside kctl"] += 1
            return
        self.rooms[calls[0].partition(": ")[0]] += 1
        self.functions[calls[0]] += 1
        branch = self.root
        branch.seen += 1
        for place in reversed(calls):
            if not place.startswith(HIDDEN):
                branch = branch.below.setdefault(place, Branch())
                branch.seen += 1


def stack(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield the frames from the innermost out."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def place_of(frame: FrameType) -> str:
    """Return ``room: file function`` of a frame of kctl, "" for any other."""
    room = room_of(frame.f_code.co_filename)
    return f"{room}: {Path(frame.f_code.co_filename).stem} {frame.f_code.co_name}" if room else ""


def room_of(file: str) -> str:
    """Return the room a source file is in (``api.patch``), "" for what is not kctl."""
    parts = Path(file).parts
    if "kctl" not in parts:
        return ""
    rest = parts[len(parts) - parts[::-1].index("kctl") :]
    return ".".join(rest[:-1]) or "kctl"


def profile(args: list[str], folder: Path) -> str:
    """Run one command of kctl in ``folder``, in this process, and return the report."""
    from kctl.cli.main import run

    os.chdir(folder)
    gc.disable()  # as the command itself
    samples = Samples()
    begun = process_time()
    signal.signal(signal.SIGPROF, samples.take)
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            code = run(args)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if code:
        raise SystemExit(f"{' '.join(args)} failed with {code}")
    return report(samples, process_time() - begun)


def report(samples: Samples, cpu: float) -> str:
    """Write the shares of rooms, of the branches of the tree, and of functions."""
    number = samples.number or 1
    lines = [f"{cpu:.2f} s of CPU, {samples.number} looks", "", "share  room (its own time)"]
    lines += [f"{seen / number:5.1%}  {room}" for room, seen in samples.rooms.most_common(16)]
    lines += ["", "share  who calls whom (with what is below)", *tree(samples.root, number)]
    lines += ["", "share  function (its own time)"]
    lines += [f"{seen / number:5.1%}  {place}" for place, seen in samples.functions.most_common(ROWS)]
    return "\n".join(lines)


def tree(branch: Branch, number: int, depth: int = 0) -> Iterator[str]:
    """Yield a line for each branch that matters."""
    if depth == DEPTH:
        return
    for place, below in sorted(branch.below.items(), key=lambda item: (-item[1].seen, item[0])):
        if below.seen >= SHOWN * number:
            yield f"{below.seen / number:5.1%}  {'  ' * depth}{place}"
            yield from tree(below, number, depth + 1)


if __name__ == "__main__":
    sys.stdout.write(profile(sys.argv[2:], Path(sys.argv[1])) + "\n")
