"""What-ifs on the command line: ``--scenario``, ``--what-if``, ``--expect``, ``--junit``, ``--timeline``.

In: the options. Out: a checked scenario, its errors with their places; a run that is watched; what it adds to
the text of a report.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.api.scenario.model import Scenario
    from kctl.gitops.manifests import Manifest
    from kctl.plan.witness import Witness
    from kctl.plane.plane import ControlPlane, Outcome

F = TypeVar("F", bound=Callable[..., Any])


class Asked(NamedTuple):
    """What was asked about."""

    scenario: str | None = None
    what_ifs: tuple[str, ...] = ()
    expect: tuple[str, ...] = ()
    junit: str | None = None
    timeline: bool = False

    @property
    def is_any(self) -> bool:
        """Say whether there is anything to play or to judge."""
        return bool(self.scenario or self.what_ifs or self.expect)


scenario: Callable[[Any], Any] = click.option(
    "--scenario", metavar="FILE", type=click.Path(), help="Play a Scenario (sim.kctl.dev/v1)."
)


def options(function: F) -> F:
    """Add the options; the command gets them as ``what``."""

    @functools.wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        asked = Asked(**{name: given.pop(name) for name in Asked._fields})
        return function(*args, what=asked, **given)

    for option in (
        click.option("--timeline", is_flag=True, help="Tell step by step what happens at which virtual time."),
        click.option("--junit", metavar="FILE", type=click.Path(), help="Write the expectations as JUnit XML."),
        click.option("--expect", multiple=True, metavar="EXPR", help="What is to hold; exit 1 when it does not."),
        click.option(
            "--what-if",
            "what_ifs",
            multiple=True,
            metavar="WHAT",
            help="What goes wrong: node:n2=die@30s, image:app:v2=fail, zone:b=die@1m+10m, scale:deploy/web=40 ...",
        ),
        scenario,
    ):
        called = option(called)
    return cast("F", called)


class Play:
    """A scenario that is to be played in planes."""

    def __init__(self, asked: Asked, namespace: str | None = None) -> None:
        from kctl.plan import whatif

        self._manifest = None if asked.scenario is None else _read(asked.scenario)
        base = self._manifest.object if self._manifest is not None else None
        self.scenario: Scenario = whatif.compose(base, asked.what_ifs, asked.expect, namespace=namespace or "")

    def begin(self, plane: ControlPlane, *, is_draft: bool = False) -> Witness:
        """Have the plane play it from its next run on; return who is to be told of that run.

        With ``is_draft`` it becomes durable with what is written next.
        """
        from kctl.api.errors import UsageError
        from kctl.gitops.manifests import located
        from kctl.plan import whatif

        errors = whatif.misfits(plane, self.scenario)
        if errors and self._manifest is not None:
            known = len(self._manifest.object.get("events") or ())
            own = [error for error in errors if int(error.field[7:-1]) < known]
            if own:
                raise located(self._manifest, own, "Scenario")
        if errors:
            raise UsageError("; ".join(f"{error.value}: {error.detail}" for error in errors))
        whatif.put(plane, self.scenario, commit=not is_draft)
        return whatif.watched(plane, self.scenario)

    def within(self, seconds: float) -> float:
        """Return how much time a run gets that has ``seconds`` besides the scenario's own."""
        return seconds + self.scenario.ends()

    def told(self, plane: ControlPlane, witness: Witness, report: Obj, started: float) -> Obj:
        """Return the report with what became of the scenario."""
        from kctl.plan import whatif

        return whatif.added(plane, self.scenario, witness, report, started)

    def on_present(self, plane: ControlPlane, within: float) -> Obj:
        """Play it on the cluster as it is and return the report."""
        from kctl.cli.run import run
        from kctl.plan import report

        witness = self.begin(plane)
        outcome: Outcome = run(plane, within=self.within(within), told=witness)
        return self.told(plane, witness, report.build(plane, outcome), outcome.started)


def _read(path: str) -> Manifest:
    """Read a Scenario from a file; its errors have file and line."""
    from pathlib import Path

    from kctl.api.scenario import reading
    from kctl.gitops import manifests

    found = manifests.load_one(Path(path), manifests.SCENARIO, "a scenario")
    errors = reading.read(found.object)[1]
    if errors:
        raise manifests.located(found, errors, "Scenario")
    return found


def lines(report: Obj) -> list[tuple[str, list[str]]]:
    """Return what a scenario adds to the text of a report: titles with their lines."""
    parts = []
    told = report.get("scenario")
    if told and told["events"]:
        head = f"Scenario {told['name']}, from +{told['virtualSeconds']:g}s on"
        parts.append((head, [_event(entry) for entry in told["events"]]))
    if report.get("expectations"):
        parts.append(("Expectations", [_expectation(entry) for entry in report["expectations"]]))
    return parts


def _event(entry: Obj) -> str:
    text = f"+{entry['at']:g}s {entry['what']}"
    return click.style(f"{text}: {entry['error']}", fg="red") if entry["error"] else text


def _expectation(entry: Obj) -> str:
    if entry["holds"]:
        return f"{click.style('holds', fg='green')}: {entry['text']}"
    return f"{click.style('FAILED', fg='red', bold=True)}: {entry['text']} ({entry['found']})"


def failed(reports: Sequence[Obj]) -> bool:
    """Say whether an expectation does not hold."""
    return any(not entry["holds"] for report in reports for entry in report.get("expectations") or ())


def write_junit(path: str, reports: Sequence[Obj]) -> None:
    """Write the expectations to a file; KctlError when that cannot be done."""
    from pathlib import Path

    from kctl.api.errors import KctlError
    from kctl.plan import junit

    try:
        Path(path).write_text(junit.text(reports), encoding="utf-8")
    except OSError as error:
        raise KctlError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None
