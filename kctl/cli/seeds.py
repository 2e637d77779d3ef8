"""``--seeds N``: try with N seeds what is about to be done, and say what depends on chance.

Each seed gets an image of the cluster of its own; nothing that is done to it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from kctl.cli.session import Settings, open_imagined

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.plane.plane import ControlPlane

HELP = "Try it with N seeds and tell what depends on chance; plan then exits with 3 if any run does not converge."
MOST_NODES = 8

option: Callable[[Any], Any] = click.option(
    "--seeds", type=click.IntRange(1, 1000), metavar="N", help=HELP, is_eager=False
)


def chance(
    settings: Settings,
    seeds: int,
    attempt: Callable[[ControlPlane], Sequence[Obj]],
    opened: Callable[[Settings], ControlPlane] = open_imagined,
) -> Obj:
    """Return what depends on chance: ``attempt`` carries the work out on an image and returns its Reports."""
    from kctl.plan.chance import compare, ending

    endings = []
    for seed in range(settings.seed, settings.seed + seeds):
        with opened(settings._replace(seed=seed)) as plane:
            endings.append(ending(seed, plane, attempt(plane)))
    return compare(endings)


def check(seeds: int | None, paths: Sequence[str]) -> None:
    """Refuse what can be read only once."""
    from kctl.api.errors import UsageError

    if seeds and "-" in paths:
        raise UsageError("--seeds reads the manifests once for each seed: give files, not -")


def code_of(found: Obj) -> int:
    """Return the exit code: every run has to converge."""
    from kctl.cli.run import NOT_CONVERGED

    return 0 if set(found["verdicts"]) == {"Converged"} else NOT_CONVERGED


def lines(found: Obj) -> list[str]:
    """Return what depends on chance as text."""
    runs = len(found["seeds"])
    if len(found["verdicts"]) == 1 and not found["workloads"]:
        return [f"nothing: {runs} runs ended alike"]
    out = []
    if len(found["verdicts"]) > 1:
        told = (f"{verdict} in {len(seeds)}{_named(seeds, runs)}" for verdict, seeds in found["verdicts"].items())
        out.append(f"the verdict: {', '.join(told)} of {runs} runs")
    for workload in found["workloads"]:
        out += _workload(workload, runs)
    return out


def _workload(workload: Obj, runs: int) -> list[str]:
    from kctl.cli.layers import in_namespace

    name = in_namespace(workload["namespace"], workload["owner"])
    out = []
    is_one_pod = workload["owner"].startswith("pod/")
    if len(workload["pending"]) > 1:
        for found in workload["pending"]:
            if found["pods"]:
                seeds = found["seeds"]
                how_many = "" if is_one_pod else f"{found['pods']} "
                out.append(f"{name}: {how_many}pending in {len(seeds)}{_named(seeds, runs)} of {runs} runs")
    nodes = workload["nodes"]
    if nodes:
        shown = [f"{node} {n['least']} to {n['most']}" for node, n in list(nodes.items())[:MOST_NODES]]
        if is_one_pod:
            shown = list(nodes)[:MOST_NODES]
        more = f" and {len(nodes) - MOST_NODES} more nodes" if len(nodes) > MOST_NODES else ""
        out.append(f"{name}: on {', '.join(shown)}{more}")
    return out


def _named(seeds: Sequence[int], runs: int) -> str:
    """Name the seeds of the smaller part, so that such a run can be had again."""
    if len(seeds) * 2 > runs:
        return ""
    return f" (--seed {', '.join(map(str, seeds[:5]))}{', …' if len(seeds) > 5 else ''})"
