"""``python -m tests.benchmarks.soak [--applies 10000] [--every N] [--replicas N]``: a cluster applied to again and again.

In: nothing. Out: a line per thousand applies with the median of their CPU time and wall time and
the size of the state folder, and the last thousand beside the second. Every apply is a whole
command, driven in this process: it opens the folder, changes one thing, converges and closes.
What it changes goes in turn: a value, an image (a rollout), a number of replicas, an object that
comes or goes. History that nobody compacts would make the folder grow without end.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

from tests.benchmarks.scenarios import CLUSTER, CONFIG_MAP, DEPLOYMENT, SERVICE

COLLECT = 50
"""Applies between two collections of garbage: a real command ends and needs none."""
SLACK = 1.25
"""How much more the last thousand may cost, and how much larger the folder may be."""


class Stretch(NamedTuple):
    """What a number of applies in a row cost: medians of milliseconds, and bytes at the end."""

    applies: int
    cpu: float
    wall: float
    size: int


def manifests(n: int) -> dict[str, str]:
    """Return the files as they are before apply ``n``."""
    deployment = DEPLOYMENT.format(n=0, replicas=1 + n // 3 % 4, cpu="100m", memory="64Mi")
    files = {
        "app.yaml": deployment.replace("example.com/app:0", f"example.com/app:{n // 5}"),
        "service.yaml": SERVICE.format(n=0),
        "config.yaml": CONFIG_MAP.format(n=0).replace("value-0", f"value-{n}"),
    }
    if n % 4 < 2:
        files["extra.yaml"] = CONFIG_MAP.format(n=1)
    return files


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def apply(n: int, place: Path) -> tuple[float, float]:
    """Write the files of apply ``n``, run the command, return its CPU and wall seconds."""
    from kctl.cli.main import run

    folder = place / "m"
    for path in folder.iterdir():
        path.unlink()
    for name, text in manifests(n).items():
        (folder / name).write_text(text, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    cpu, wall = process_time(), perf_counter()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["apply", "-f", "m", "--prune"])
    cost = process_time() - cpu, perf_counter() - wall
    if code != 0:
        raise SystemExit(f"apply {n} ended with {code}:\n{out.getvalue()}{err.getvalue()}")
    return cost


def soak(applies: int, every: int, replicas: int) -> list[Stretch]:
    """Apply again and again in a fresh folder; print a line per stretch and return them."""
    from kctl.cli.main import run

    found: list[Stretch] = []
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "m").mkdir()
        (place / "kctl.yaml").write_text(CLUSTER.format(nodes=3), encoding="utf-8")
        os.chdir(place)
        try:
            if replicas > 1:
                run(["init", "--replicas", str(replicas)])
            costs: list[tuple[float, float]] = []
            for n in range(applies):
                costs.append(apply(n, place))
                if n % COLLECT == 0:
                    gc.collect()
                if len(costs) == every:
                    cpu, wall = (median(column) * 1000 for column in zip(*costs, strict=True))
                    found.append(Stretch(n + 1, cpu, wall, size_of(place / ".kctl")))
                    costs = []
                    print("{:>8} {:>9.1f} {:>9.1f} {:>12,}".format(*found[-1]), flush=True)
        finally:
            os.chdir(home)
    return found


def main() -> None:
    """Run the soak; exit 1 when the last stretch is worse than the second by more than the slack."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak")
    parser.add_argument("--applies", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=1000, help="applies per line")
    parser.add_argument("--replicas", type=int, default=1, help="copies of the log")
    options = parser.parse_args()
    gc.disable()  # as a command does
    print(f"{'applies':>8} {'CPU ms':>9} {'wall ms':>9} {'bytes':>12}")
    found = soak(options.applies, options.every, options.replicas)
    if len(found) < 3:
        raise SystemExit(0)
    second, last = found[1], found[-1]
    cpu, size = last.cpu / second.cpu, last.size / second.size
    print(
        f"last {options.every} as of the second {options.every}: CPU {cpu:.2f}, wall {last.wall / second.wall:.2f}, size {size:.2f}"
    )
    raise SystemExit(int(cpu > SLACK or size > SLACK))


if __name__ == "__main__":
    main()
