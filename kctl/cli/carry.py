"""What apply and sync share: plan, write the intent, converge, report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.objects import Obj

if TYPE_CHECKING:
    from kctl.cli.session import Opened
    from kctl.gitops.apply import Options, Plan
    from kctl.gitops.manifests import Manifest
    from kctl.plane.plane import ControlPlane

ATTEMPTS = 20


class Job(NamedTuple):
    """What to apply as: the set's name, where it comes from, the flags, the virtual time it has."""

    set_name: str
    source: Obj
    options: Options
    within: float
    dry_run: bool = False


def plan(plane: ControlPlane, manifests: Sequence[Manifest], job: Job) -> Plan:
    """Return what the apply would do; ManifestErrors with everything that is refused."""
    from kctl.gitops import apply

    return apply.plan(
        plane.client,
        manifests,
        set_name=job.set_name,
        registry=plane.server.registry,
        fork=plane.server.fork,
        options=job.options,
    )


def carry_out(
    opened: Opened, manifests: Sequence[Manifest], job: Job, output: str | None, *, show_diff: bool = True
) -> int:
    """Plan, write the intent durably, converge and print the report; return the exit code."""
    from kctl.cli.run import finish, run

    plane = opened.plane
    planned = plan(plane, manifests, job)
    if job.dry_run:
        return _print_plan(planned, output, show_diff)
    if not opened.settle():
        planned = plan(plane, manifests, job)
    planned = _commit(plane, planned, manifests, job)
    outcome = run(plane, within=job.within)
    used = [(target.resource, target.object) for stage in planned.stages for target in stage]
    return finish(
        plane, outcome, output, intent=planned.data(), warnings=planned.warnings, used=used, show_diff=show_diff
    )


def _commit(plane: ControlPlane, planned: Plan, manifests: Sequence[Manifest], job: Job) -> Plan:
    """Make the intent durable; when another process wrote first, plan again on what it made."""
    from kctl.api.errors import KctlError
    from kctl.gitops import apply
    from kctl.store.errors import HeadMoved

    for _ in range(ATTEMPTS):
        apply.commit(plane.client, planned, source=job.source)
        try:
            plane.commit()
        except HeadMoved:
            plane.refresh()
            planned = plan(plane, manifests, job)
            continue
        return planned
    raise KctlError("other processes keep writing to this cluster", hint="run it again")


def _print_plan(planned: Plan, output: str | None, show_diff: bool) -> int:
    from kctl.cli import layers
    from kctl.cli.output import document, warn, write

    entries = planned.data()
    if output in ("json", "yaml"):
        changes = {"apiVersion": "kctl.dev/v1", "kind": "Changes", "intent": entries, "warnings": [*planned.warnings]}
        write(document(changes, output))
        return 0
    warn(planned.warnings)
    if output == "name":
        write("".join(f"{entry['object']}\n" for entry in entries))
    else:
        lines = layers.intent_lines(entries, show_diff=show_diff, suffix=" (dry run)")
        write("".join(f"{line}\n" for line in lines))
    return 0
