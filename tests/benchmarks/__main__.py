"""``python -m tests.benchmarks [--smoke | --large [--whole] | --only NAME | --profile NAME]``: what commands cost.

The smoke run takes the best of a few small commands. The full run adds single requests, the scenarios,
once each, and says where the time of the largest commands goes. ``--large`` prints the table of fleets: a
tenth of the largest, one giant Deployment, a rolling update, Services, an ordered StatefulSet, the end
of a namespace and of a zone, and whether twice the objects take twice the time; with ``--whole`` also 150,000
pods, which takes minutes. ``--only`` measures one scenario, ``--profile`` says where its time goes.
Seconds are those of the processor, user and system, with the peak of memory; they depend on the machine, so a
budget fails only when it is missed by :data:`SLACK`.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.scenarios import APPLY, LARGE, SCENARIOS, WHOLE, Scenario, fleet, prepare

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


def measure(args: list[str], folder: Path, codes: tuple[int, ...] = (0,)) -> Cost:
    """Run one command in ``folder`` and return its cost; it must exit with 0, or one of ``codes``."""
    command = [*KCTL, *args]
    environ = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        errors = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
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


def run_scenario(scenario: Scenario) -> tuple[float, bool]:
    """Apply a scenario, take its further steps, and print what each cost; return the first cost, and if all was kept."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(scenario, folder)
        cost = measure(list(APPLY), folder)
        kept = told(Budget(scenario.name, (), scenario.cpu, scenario.memory), cost)
        for step in scenario.steps:
            if step.before is not None:
                step.before(folder)
            found = measure(list(step.args), folder, step.codes)
            kept = told(Budget(step.name, (), step.cpu, step.memory), found) and kept
    return cost.cpu, kept


def run_scenarios(scenarios: Mapping[str, Scenario]) -> bool:
    """Apply every scenario once and print what it and what follows it cost."""
    print(f"\n{HEADER}")
    kept = [run_scenario(scenario)[1] for scenario in scenarios.values()]
    return all(kept)


def run_doubling() -> bool:
    """Print what twice the objects cost; at most a fifth more each."""
    one, two = (run_scenario(fleet(count))[0] for count in (75, 150))
    growth = two / one / 2
    print(f"twice the objects take {two / one:.2f} times as long (at most 2.40)")
    return growth <= 1.2


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
    every = {**SCENARIOS, **LARGE, **WHOLE}
    parser.add_argument("--large", action="store_true", help="only the table of fleets")
    parser.add_argument("--whole", action="store_true", help="with --large: 150,000 pods too, which takes minutes")
    parser.add_argument("--only", choices=sorted(every), help="measure one scenario")
    parser.add_argument("--profile", choices=sorted(every), help="say where the time of a scenario goes")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if options.profile:
        run_profile(every[options.profile])
    elif options.only:
        print(HEADER)
        run_scenario(every[options.only])
    elif options.large:
        run_scenarios(LARGE | (WHOLE if options.whole else {}))
        run_doubling()
    else:
        run_all(is_smoke=options.smoke)


def run_all(*, is_smoke: bool) -> None:
    """Measure small commands, single requests and the scenarios; the smoke run fails when a budget is missed by far."""
    kept = run(3 if is_smoke else 10)
    if not is_smoke:
        run_requests()
        run_scenarios(SCENARIOS)
        for name in PROFILED:
            run_profile(SCENARIOS[name])
    elif not kept:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
