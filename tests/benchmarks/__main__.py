"""``python -m tests.benchmarks [--smoke]``: CPU and memory of whole commands, best of some runs.

Seconds depend on the machine, so a budget fails only when it is missed by :data:`SLACK`.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT.parent / "shared" / "corpus" / "microservices-demo"
KCTL = [str(Path(sys.executable).with_name("kctl"))]
SLACK = 2.5


class Cost(NamedTuple):
    """CPU seconds (user and system) and peak memory in MB of one command."""

    cpu: float
    memory: float


class Budget(NamedTuple):
    """What a command may cost; ``memory`` 0 when there is no limit."""

    name: str
    args: tuple[str, ...]
    cpu: float
    memory: float = 0.0
    is_cold: bool = False


def measure(args: list[str], folder: Path) -> Cost:
    """Run one command in ``folder`` and return its cost; it must exit with 0."""
    command = [*KCTL, *args]
    environ = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        _, errors = process.stderr.read() if process.stderr else b"", b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(args)} failed with {process.returncode}: {_.decode()}{errors.decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def budgets(manifests: Path) -> list[Budget]:
    """Return the budgets of the smoke benchmark, in the order they are run."""
    apply = ("apply", "-f", str(manifests))
    return [
        Budget("kctl --help", ("--help",), 0.060),
        Budget(f"apply {manifests.name}, empty state", apply, 1.0, 100, is_cold=True),
        Budget(f"apply {manifests.name}, unchanged", apply, 0.4),
        Budget("get pods", ("get", "pods"), 0.150),
        Budget("diff, nothing changed", ("diff", "-f", str(manifests)), 0.4),
    ]


def run(rounds: int) -> bool:
    """Print a line per budget and return whether all are kept within the slack."""
    manifests = DEMO if DEMO.is_dir() else ROOT / "samples" / "web-shop"
    kept = True
    print(f"{'what':<45} {'CPU s':>7} {'budget':>7} {'ratio':>6} {'MB':>6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for budget in budgets(manifests):
            costs = []
            for _ in range(rounds):
                if budget.is_cold:
                    shutil.rmtree(folder / ".kctl", ignore_errors=True)
                costs.append(measure(list(budget.args), folder))
            cpu, memory = min(cost.cpu for cost in costs), min(cost.memory for cost in costs)
            ratio = cpu / budget.cpu
            is_kept = ratio <= SLACK and (not budget.memory or memory <= budget.memory * SLACK)
            kept = kept and is_kept
            flag = "" if ratio <= 1 and (not budget.memory or memory <= budget.memory) else "  over budget"
            print(f"{budget.name:<45} {cpu:>7.3f} {budget.cpu:>7.3f} {ratio:>6.2f} {memory:>6.0f}{flag}")
    return kept


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--smoke", action="store_true", help="few rounds; fail when a budget is missed by far")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kept = run(3 if options.smoke else 10)
    if options.smoke and not kept:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
