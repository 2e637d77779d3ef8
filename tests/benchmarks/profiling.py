"""Where the time of a command goes: by room of kctl, then the costliest functions.

cProfile makes calls look dearer than they are; shares are to be read, not seconds.
"""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import sys
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

ROWS = 30


def profile(args: list[str], folder: Path) -> str:
    """Run one command of kctl in ``folder``, in this process, and return the report."""
    from kctl.cli.main import run

    os.chdir(folder)
    watch = cProfile.Profile()
    with redirect_stdout(io.StringIO()):
        code = watch.runcall(run, args)
    if code:
        raise SystemExit(f"{' '.join(args)} failed with {code}")
    return report(pstats.Stats(watch))


def report(stats: pstats.Stats) -> str:
    """Write the shares of rooms and functions."""
    rooms: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for (file, line, name), (_, count, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        rooms[room_of(file)] += own
        place = f"{room_of(file)}: {Path(file).name}:{line} {name}"
        functions[place] += own
        calls[place] += count
    total = sum(rooms.values()) or 1.0
    lines = [f"{total:.2f} s under the profiler", "", "share  room"]
    lines += [f"{own / total:5.1%}  {room}" for room, own in rooms.most_common(12)]
    lines += ["", "share  calls      function (its own time)"]
    lines += [f"{own / total:5.1%}  {calls[place]:>9}  {place}" for place, own in functions.most_common(ROWS)]
    return "\n".join(lines)


def room_of(file: str) -> str:
    """Return the room a source file is in; what is not kctl is "python"."""
    parts = Path(file).parts
    if "kctl" not in parts:
        return "python"
    rest = parts[len(parts) - parts[::-1].index("kctl") :]
    return ".".join(rest[:2]) if len(rest) > 2 else ".".join(rest[:1])


if __name__ == "__main__":
    sys.stdout.write(profile(sys.argv[2:], Path(sys.argv[1])) + "\n")
