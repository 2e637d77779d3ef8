"""``python -m tests.benchmarks [--smoke | --large | --profile SCENARIO]``: CPU and memory of whole commands.

The smoke run takes the best of a few small commands. The full run adds single requests, the large
scenarios, once each, and says where the time of the largest commands goes; ``--large`` leaves out the
small ones, ``--profile`` only profiles one scenario. Seconds depend on the machine, so a budget fails only
when it is missed by :data:`SLACK`.
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

from tests.benchmarks.scenarios import SCENARIOS, Scenario, prepare

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT.parent / "shared" / "corpus" / "microservices-demo"
KCTL = [sys.executable, "-m", "kctl"]
SLACK = 2.5
PROFILED = ("mixed", "fleet", "giant")
"""The scenarios of which the full run says where their time goes."""


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
    environ = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(args)} failed with {process.returncode}: {errors.decode()}")
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
    print(HEADER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for budget in budgets(manifests):
            costs = []
            for _ in range(rounds):
                if budget.is_cold:
                    shutil.rmtree(folder / ".kctl", ignore_errors=True)
                costs.append(measure(list(budget.args), folder))
            cpu, memory = min(cost.cpu for cost in costs), min(cost.memory for cost in costs)
            kept = told(budget, Cost(cpu, memory)) and kept
    return kept


HEADER = f"{'what':<45} {'CPU s':>8} {'budget':>7} {'ratio':>6} {'MB':>6}"


def told(budget: Budget, cost: Cost) -> bool:
    """Print a line about a cost and return whether the budget is kept within the slack."""
    cpu, memory = cost
    ratio = cpu / budget.cpu if budget.cpu else 0.0
    flag = "" if ratio <= 1 and (not budget.memory or memory <= budget.memory) else "  over budget"
    print(f"{budget.name:<45} {cpu:>8.3f} {budget.cpu:>7.3f} {ratio:>6.2f} {memory:>6.0f}{flag}", flush=True)
    return ratio <= SLACK and (not budget.memory or memory <= budget.memory * SLACK)


def run_large() -> bool:
    """Apply every scenario once and print what it and what follows it cost."""
    kept = True
    print(f"\n{HEADER}")
    apply = ["apply", "-f", "m"]
    a_pod: dict[str, float] = {}
    for name, scenario in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            prepare(scenario, folder)
            cost = measure(apply, folder)
            a_pod[name] = cost.cpu / scenario.pods * 1000
            kept = told(Budget(scenario.name, (), scenario.cpu, scenario.memory), cost) and kept
            if name == "mixed":
                kept = told(Budget("  applied again, unchanged", (), 1.0), measure(apply, folder)) and kept
            if name == "fleet":
                kept = told(Budget("  converged again, by the mark", (), 0.3), measure(["converge"], folder)) and kept
                told(Budget("  converged again, --full", (), 0.0), measure(["converge", "--full"], folder))
    growth = a_pod["large-fleet"] / a_pod["small-fleet"]
    small, large = (f"{a_pod[name]:.2f} ms" for name in ("small-fleet", "large-fleet"))
    print(f"a pod among 20,000 costs {growth:.2f} of one among 5,000 (at most 1.15): {small}, {large}")
    return kept


def run_requests() -> None:
    """Print what single requests cost."""
    from tests.benchmarks.requests import costs

    print()
    for found in costs():
        print(f"{found.name:<45} {found.cost:>8.1f} {found.budget:>7.0f} {found.cost / found.budget:>6.2f}")


def run_profile(scenario: Scenario) -> None:
    """Print where the time goes when a scenario is applied."""
    print(f"\nwhere the time of this goes: {scenario.name}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(scenario, folder)
        command = [sys.executable, "-m", "tests.benchmarks.profiling", str(folder), "apply", "-f", "m"]
        subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--smoke", action="store_true", help="few rounds; fail when a budget is missed by far")
    parser.add_argument("--large", action="store_true", help="only the large scenarios, and their profiles")
    parser.add_argument("--profile", choices=sorted(SCENARIOS), help="say where the time of a scenario goes")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if options.profile:
        run_profile(SCENARIOS[options.profile])
        raise SystemExit(0)
    kept = options.large or run(3 if options.smoke else 10)
    if not options.smoke:
        if not options.large:
            run_requests()
        run_large()
        for name in PROFILED:
            run_profile(SCENARIOS[name])
    if options.smoke and not kept:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
