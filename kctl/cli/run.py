"""What every command that converges does at its end: the report, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from kctl.cli import output as out

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.plan.tale import Tale
    from kctl.plane.plane import ControlPlane
    from kctl.runtime.converge import Outcome

NOT_CONVERGED = 3


def run(
    plane: ControlPlane,
    *,
    within: float | None = None,
    advance: float | None = None,
    keep: bool = False,
    told: Tale | None = None,
    wall: float | None = None,
) -> Outcome:
    """Run the control plane; on a terminal say on stderr how far it is, and at the end how long it took.

    With ``keep`` every change of the run is kept for the caller; a report needs none. ``told`` is who is told of them.
    ``wall`` is how many seconds of real time it may take.
    """
    from kctl.plan.tale import Tale
    from kctl.plane.plane import HORIZON

    within = HORIZON if within is None else within
    listener = told if told is not None or keep else Tale(lambda: plane.client.list("replicasets.apps").items)
    if not sys.stderr.isatty():
        return plane.run(within=within, advance=advance, listener=listener, out_of_time=_out_of(wall))
    from kctl.cli.progress import Reporter

    with Reporter(sys.stderr) as reporter:
        return plane.run(
            within=within, advance=advance, progress=reporter.report, listener=listener, out_of_time=_out_of(wall)
        )


def _out_of(wall: float | None) -> Callable[[], str] | None:
    """Return what says that so many seconds of real time are over, None when there is no limit."""
    if wall is None:
        return None
    import time

    end = time.monotonic() + wall
    return lambda: f"{wall:g} s of real time were spent" if time.monotonic() > end else ""


def duration(text: str) -> float:
    """Return the seconds of a duration that lies ahead; UsageError when it is none."""
    from kctl.api.errors import UsageError
    from kctl.plane.plane import parse_duration

    seconds = parse_duration(text)
    if seconds < 0:
        raise UsageError(f"{text!r} is not a duration to wait: it is negative")
    return seconds


def finish(
    plane: ControlPlane,
    outcome: Outcome,
    form: str | None,
    *,
    intent: Sequence[Obj] = (),
    warnings: Iterable[str] = (),
    used: Sequence[tuple[str, Obj]] | None = None,
    show_diff: bool = True,
) -> int:
    """Print the Report of a run as text, JSON or YAML and return the exit code."""
    from kctl.plan import report

    built = report.build(
        plane, outcome, intent=intent, warnings=warnings, used=report.written_by_people(plane) if used is None else used
    )
    tell(built, form, show_diff=show_diff)
    return code_of(built)


def code_of(built: Obj) -> int:
    """Return the exit code that a Report stands for: with expectations, whether all of them hold."""
    if built.get("expectations"):
        return 0 if all(entry["holds"] for entry in built["expectations"]) else 1
    return 0 if built["verdict"] == "Converged" else NOT_CONVERGED


def tell(built: Obj, form: str | None, *, show_diff: bool = True) -> None:
    """Print a Report as text, JSON or YAML, or the names of the objects in it."""
    if form in ("json", "yaml"):
        out.write(out.document(built, form))
    elif form == "name":
        out.warn(built["warnings"])
        out.write("".join(f"{entry['object']}\n" for entry in built["intent"]))
    else:
        from kctl.cli import layers

        out.write(layers.text(built, show_diff=show_diff))
