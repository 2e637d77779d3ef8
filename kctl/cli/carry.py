"""What apply and sync share: their flags; plan, write the intent, converge, report."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from kctl.api.objects import Obj
from kctl.cli import options as common

if TYPE_CHECKING:
    from kctl.api.structural import Unknown
    from kctl.cli.session import Opened
    from kctl.cli.whatif import Play
    from kctl.gitops.apply import Options, Plan
    from kctl.gitops.manifests import Manifest
    from kctl.plan.tale import Tale
    from kctl.plane.plane import ControlPlane, Outcome

F = TypeVar("F", bound=Callable[..., Any])
ATTEMPTS = 20


class How(NamedTuple):
    """The flags that say how to apply, and what to print; ``timeout`` in seconds of virtual time."""

    prune: bool
    prune_confirm: bool
    recreate: bool
    force_conflicts: bool
    field_manager: str
    validate: Unknown
    dry_run: str
    timeout: float
    no_diff: bool
    show_secrets: bool
    output: str | None

    @property
    def is_dry(self) -> bool:
        """Say whether nothing is to be written."""
        return self.dry_run != "none"

    def options(self, namespace: str | None) -> Options:
        """Return the flags that the plan depends on."""
        from kctl.gitops.apply import Options

        return Options(
            namespace=namespace or "",
            force=self.force_conflicts,
            prune=self.prune,
            prune_confirm=self.prune_confirm,
            recreate=self.recreate,
            validate=self.validate,
            secrets=self.show_secrets,
            field_manager=self.field_manager,
        )


def options(function: F, *, prune: Callable[[Any], Any] = common.prune) -> F:
    """Add the flags of :class:`How`; the command gets them as ``how``."""

    @functools.wraps(function)
    def called(*args: Any, **given: Any) -> Any:
        from kctl.cli.run import duration

        flags = {name: given.pop(name) for name in How._fields}
        return function(*args, how=How(**{**flags, "timeout": duration(flags["timeout"])}), **given)

    for option in (
        common.output("json", "yaml", "name"),
        common.show_secrets,
        common.no_diff,
        common.timeout,
        common.dry_run,
        common.validate,
        common.field_manager,
        common.force_conflicts,
        common.recreate,
        common.prune_confirm,
        prune,
    ):
        called = option(called)
    return cast("F", called)


class Job(NamedTuple):
    """What to apply as: the set's name, where it comes from, what the plan depends on."""

    set_name: str
    source: Obj
    options: Options


Set = tuple[Sequence["Manifest"], Job]
"""Manifests, and what they are applied as."""


def plan(plane: ControlPlane, manifests: Sequence[Manifest], job: Job) -> Plan:
    """Return what the apply would do; ManifestErrors with everything that is refused."""
    from kctl.api.errors import KctlError
    from kctl.gitops import apply
    from kctl.store.errors import HeadMoved

    for _ in range(ATTEMPTS):
        try:
            return _linted(
                plane,
                apply.plan(
                    plane.client,
                    manifests,
                    set_name=job.set_name,
                    registry=plane.server.registry,
                    fork=plane.server.fork,
                    options=job.options,
                ),
            )
        except HeadMoved:  # another process compacted what was about to be read
            plane.refresh()
    raise KctlError("other processes keep writing to this cluster", hint="run it again")


def _linted(plane: ControlPlane, planned: Plan) -> Plan:
    """Return the plan with what lints remark, among its warnings and as data."""
    from kctl.plan import lints

    found = lints.check(plane.client, [target for stage in planned.stages for target in stage])
    warnings = (*planned.warnings, *map(str, found))
    return planned._replace(warnings=warnings, lints=tuple(finding.data() for finding in found))


def carry_out(
    opened: Opened,
    manifests: Sequence[Manifest],
    job: Job,
    how: How,
    *,
    chance: Obj | None = None,
    play: Play | None = None,
) -> int:
    """Plan, write the intent durably, converge and print the report; return the exit code."""
    from kctl.cli.run import code_of, tell

    if how.is_dry:
        return _print_plan(plan(opened.plane, manifests, job), how)
    report = report_of(opened, manifests, job, how.timeout, play=play)
    if chance is not None:
        report = {**report, "chance": chance}
    tell(report, how.output, show_diff=not how.no_diff)
    return code_of(report)


def carry_out_sets(opened: Opened, sets: Sequence[Set], how: How) -> int:
    """Carry several sets out, one after the other; what moves from one to another is not pruned."""
    from kctl.cli.run import code_of

    if len(sets) == 1 or how.is_dry:
        return max(carry_out(opened, manifests, job, how) for manifests, job in sets)
    reports = []
    for manifests, job in moving(opened.plane, sets):
        reports.append(report_of(opened, manifests, job, how.timeout))
        opened = opened._replace(folder=None)  # the first has settled it
    tell_all(reports, how.output, show_diff=not how.no_diff)
    return max(map(code_of, reports))


def tell_all(reports: Sequence[Obj], form: str | None, *, show_diff: bool) -> None:
    """Print Reports, as data one document: of several sets a ReportList."""
    from kctl.cli.output import document, write
    from kctl.cli.run import tell

    if len(reports) > 1 and form in ("json", "yaml"):
        write(document({"apiVersion": "kctl.dev/v1", "kind": "ReportList", "items": list(reports)}, form))
        return
    for report in reports:
        tell(report, form, show_diff=show_diff)


def moving(plane: ControlPlane, sets: Sequence[Set]) -> list[Set]:
    """Return the sets, each told what the others bring."""
    from kctl.gitops.inventory import entry_of
    from kctl.gitops.targets import resolve

    brought = frozenset(
        entry_of(target).identity
        for manifests, job in sets
        for target in resolve(manifests, plane.server.registry, namespace=job.options.namespace)
    )
    return [(found, job._replace(options=job.options._replace(elsewhere=brought))) for found, job in sets]


def report_of(
    opened: Opened, manifests: Sequence[Manifest], job: Job, within: float | None = None, *, play: Play | None = None
) -> Obj:
    """Plan, write the intent durably, converge and return the Report; ``play`` goes on meanwhile."""
    from kctl.plan import report

    witness = play.begin(opened.plane, is_draft=opened.folder is not None) if play is not None else None
    if play is not None and within is not None:
        within = play.within(within)
    planned, outcome = carried_out(opened, manifests, job, within, told=witness)
    used = [(target.resource, target.object) for stage in planned.stages for target in stage]
    remarks: Obj = {"warnings": planned.warnings, "lints": planned.lints}
    built = report.build(opened.plane, outcome, intent=planned.data(), used=used, **remarks)
    if play is None or witness is None:
        return built
    return play.told(opened.plane, witness, built, outcome.started)


def carried_out(
    opened: Opened, manifests: Sequence[Manifest], job: Job, within: float | None = None, *, told: Tale | None = None
) -> tuple[Plan, Outcome]:
    """Plan, write the intent durably and converge; return what was planned and how it ended."""
    from kctl.cli.run import run

    plane = opened.plane
    planned = plan(plane, manifests, job)
    if not opened.settle():
        planned = plan(plane, manifests, job)
    planned = _commit(plane, planned, manifests, job)
    return planned, run(plane, within=within, told=told)


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


def _print_plan(planned: Plan, how: How) -> int:
    from kctl.cli import layers
    from kctl.cli.output import document, warn, write

    entries = planned.data()
    if how.output in ("json", "yaml"):
        told = {"intent": entries, "warnings": [*planned.warnings], "lints": [*planned.lints]}
        changes = {"apiVersion": "kctl.dev/v1", "kind": "Changes", **told}
        write(document(changes, how.output))
        return 0
    warn(planned.warnings)
    if how.output == "name":
        write("".join(f"{entry['object']}\n" for entry in entries))
    else:
        lines = layers.intent_lines(entries, show_diff=not how.no_diff, suffix=" (dry run)")
        write("".join(f"{line}\n" for line in lines))
    return 0
