"""``kctl rollout``: watch, list, undo, restart, pause and resume rollouts, as kubectl."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from kctl.api.objects import Obj, annotations_of, evolve, key_of
from kctl.cli import options, targets, writing
from kctl.cli.session import Settings
from kctl.cli.verbs import Verbs

if TYPE_CHECKING:
    from kctl.cli.revisions import Revision
    from kctl.cli.rollout_status import Progress
    from kctl.plane.plane import ControlPlane

RESTARTED = "kubectl.kubernetes.io/restartedAt"
ARGUMENT = "TYPE NAME | TYPE/NAME"
Change = Callable[["ControlPlane", Obj], Obj]
"""Returns the strategic merge patch for an object; KctlError says why not."""


@click.group("rollout", cls=Verbs, short_help="Watch, undo, restart, pause and resume rollouts.")
def command() -> None:
    """Manage the rollouts of Deployments, DaemonSets and StatefulSets."""


@command.command("status")
@options.resources(ARGUMENT, required=False)
@click.option(
    "-w", "--watch/--no-watch", default=True, help="Run the control plane until the rollout is done (default)."
)
@click.option("--revision", type=int, default=0, metavar="N", help="Fail when another revision is rolled out.")
@click.option("--timeout", default="0s", metavar="DURATION", help="Virtual time after which to give up; 0s for 1h.")
@targets.options
@click.pass_obj
def status(
    settings: Settings, resources: tuple[str, ...], watch: bool, revision: int, timeout: str, choice: targets.Choice
) -> int:
    """Say how far a rollout is, until it is done."""
    from kctl.api.errors import KctlError, UsageError
    from kctl.cli.session import open_existing, open_reader
    from kctl.plane.plane import HORIZON, parse_duration

    if not resources and not choice.paths:
        raise UsageError("required resource not specified")
    if revision < 0:
        raise UsageError(f"revision must be a positive integer: {revision}")
    with open_existing(settings) if watch else open_reader(settings) as plane:
        found = targets.find(plane, resources, choice, bare=True)
        for missing in found.missing:
            raise missing
        if len(found.targets) != 1:
            raise KctlError(
                "rollout status is only supported on individual resources and resource collections - "
                f"{len(found.targets)} resources were found"
            )
        target = found.targets[0]
        now = progress(plane, target.object, revision)
        click.echo(now.text)
        if now.is_done or not watch:
            return 0
        return follow(plane, target, now, revision, parse_duration(timeout) or HORIZON)


def progress(plane: ControlPlane, obj: Obj, revision: int) -> Progress:
    """Return how far the rollout of an object is as things stand."""
    from kctl.api import selectors
    from kctl.api.objects import labels_of
    from kctl.cli import rollout_status

    pods: list[Obj] = []
    if obj["kind"] == "Deployment":
        selector = selectors.from_label_selector(obj["spec"]["selector"])
        items = plane.client.list("pods", obj["metadata"]["namespace"]).items
        pods = [pod for pod in items if selector.matches(labels_of(pod))]
    return rollout_status.of(obj, pods, revision=revision)


def follow(plane: ControlPlane, target: targets.Target, last: Progress, revision: int, within: float) -> int:
    """Run the control plane and print each step of the rollout; fail when it does not get done."""
    from kctl.api.errors import KctlError
    from kctl.cli import rollout_status
    from kctl.cli.run import run

    run(plane, within=within, keep=True)
    said = last.text
    for event in plane.converger.trace:
        if event.resource != target.kind.resource or key_of(event.object) != target.key:
            continue
        if event.type == "DELETED":
            raise KctlError("object has been deleted")
        step = rollout_status.of(event.object, revision=revision)
        if step.text != said:
            click.echo(step.text)
            said = step.text
        if step.is_done:
            return 0
    now = progress(plane, plane.client.get(target.kind.resource, *target.key), revision)
    if now.text != said:
        click.echo(now.text)
    if now.is_done:
        return 0
    raise KctlError("timed out waiting for the condition")


@command.command("history")
@options.resources(ARGUMENT, required=False)
@click.option("--revision", type=int, default=0, metavar="N", help="Show this revision's pod template.")
@targets.options
@options.output("json", "yaml", "name")
@click.pass_obj
def history(
    settings: Settings, resources: tuple[str, ...], revision: int, choice: targets.Choice, output: str | None
) -> int:
    """List the revisions of rollouts, or show one."""
    from kctl.api.errors import UsageError
    from kctl.cli.session import open_reader

    if not resources and not choice.paths:
        raise UsageError("required resource not specified")
    if revision < 0:
        raise UsageError("revision must be a positive integer: " + str(revision))
    how = writing.How(output=output)
    said = writing.Said(how)
    with open_reader(settings) as plane:
        found = targets.find(plane, resources, choice, bare=True)
        writing.each(found, said, lambda target: show_history(plane, target, revision, said))
    writing.emit(said)
    return 1 if said.errors else 0


def show_history(plane: ControlPlane, target: targets.Target, number: int, said: writing.Said) -> None:
    """Say the history of one object, or one revision of it."""
    from kctl.api.errors import KctlError
    from kctl.cli import pod_template, revisions

    found = revisions.load(plane.client, target.object)
    if number:
        found = [revision for revision in found if revision.number == number]
        if not found:
            raise KctlError("unable to find the specified revision")
    if said.how.output in ("json", "yaml"):
        for revision in found:
            said.did(revision.holder, "")
    elif number:
        template = pod_template.text(with_cause(found[0]))
        said.did(target.object, f"with revision #{number}\n{template}")
    else:
        said.did(target.object, f"\n{revisions.table(found, target.kind.kind)}")


def with_cause(revision: Revision) -> Obj:
    """Return a revision's template with its change cause among the annotations."""
    from kctl.cli.revisions import CHANGE_CAUSE

    if not revision.cause:
        return revision.template
    return evolve(revision.template, {"metadata": {"annotations": {CHANGE_CAUSE: revision.cause}}})


@command.command("undo")
@options.resources(ARGUMENT, required=False)
@click.option("--to-revision", type=int, default=0, metavar="N", help="The revision to go back to; 0 for the last one.")
@targets.options
@writing.options("kctl-rollout")
@click.pass_obj
def undo(
    settings: Settings, resources: tuple[str, ...], to_revision: int, choice: targets.Choice, how: writing.How
) -> int:
    """Go back to an earlier revision."""

    def act(plane: ControlPlane, target: targets.Target, said: writing.Said) -> None:
        said.did(target.object, undone(plane, target, to_revision, how))

    return _write(settings, resources, choice, how, act)


def undone(plane: ControlPlane, target: targets.Target, to: int, how: writing.How) -> str:
    """Roll one object back and return what kubectl says of it."""
    from kctl.api.errors import KctlError
    from kctl.cli import pod_template, revisions

    obj = target.object
    if obj["kind"] not in ("Deployment", "DaemonSet", "StatefulSet"):
        raise KctlError(f'no rollbacker has been implemented for "{revisions.qualified(obj)}"')
    if to < 0:
        raise KctlError(f"unable to find specified revision {to} in history")
    wanted = revisions.choose(obj, revisions.load(plane.client, obj), to)
    if how.is_local:
        return pod_template.text(wanted.template).rstrip("\n")
    if obj["kind"] == "Deployment" and obj["spec"].get("paused"):
        name = obj["metadata"]["name"]
        raise KctlError(
            "you cannot rollback a paused deployment; resume it first with "
            f"'kctl rollout resume deployment/{name}' and try again"
        )
    if revisions.is_current(obj, wanted):
        return f"skipped rollback (current template already matches revision {to})"
    type_, patch = revisions.restoring(obj, wanted)
    client = writing.client_of(plane, how)
    client.patch(target.kind.resource, target.key, patch, type=type_, dry_run=how.is_dry)
    return "rolled back"


@command.command("restart")
@options.resources(ARGUMENT, required=False)
@targets.options
@writing.options("kctl-rollout")
@click.pass_obj
def restart(settings: Settings, resources: tuple[str, ...], choice: targets.Choice, how: writing.How) -> int:
    """Replace all pods, as a rollout does."""
    return _change(settings, resources, choice, how, restarting, "restarted")


def restarting(plane: ControlPlane, obj: Obj) -> Obj:
    """Return the patch that makes a new template: it notes the (virtual) time."""
    from kctl.api.clock import rfc3339
    from kctl.api.errors import KctlError

    _require(obj, ("Deployment", "DaemonSet", "StatefulSet"), "restarting")
    if obj["spec"].get("paused"):
        raise KctlError("can't restart paused deployment (run rollout resume first)")
    now = rfc3339(plane.now)
    if annotations_of({"metadata": {}, **obj["spec"]["template"]}).get(RESTARTED) == now:
        raise KctlError(
            "if restart has already been triggered within the past second, please wait before attempting to "
            "trigger another"
        )
    return {"spec": {"template": {"metadata": {"annotations": {RESTARTED: now}}}}}


@command.command("pause")
@options.resources(ARGUMENT, required=False)
@targets.options
@writing.options("kctl-rollout")
@click.pass_obj
def pause(settings: Settings, resources: tuple[str, ...], choice: targets.Choice, how: writing.How) -> int:
    """Let changes of the template make no rollout until it is resumed."""
    return _change(settings, resources, choice, how, pausing, "paused")


def pausing(plane: ControlPlane, obj: Obj) -> Obj:
    """Return the patch that pauses."""
    from kctl.api.errors import KctlError

    _require(obj, ("Deployment",), "pausing")
    if obj["spec"].get("paused"):
        raise KctlError("is already paused")
    return {"spec": {"paused": True}}


@command.command("resume")
@options.resources(ARGUMENT, required=False)
@targets.options
@writing.options("kctl-rollout")
@click.pass_obj
def resume(settings: Settings, resources: tuple[str, ...], choice: targets.Choice, how: writing.How) -> int:
    """Let the rollout of a paused Deployment go on."""
    return _change(settings, resources, choice, how, resuming, "resumed")


def resuming(plane: ControlPlane, obj: Obj) -> Obj:
    """Return the patch that resumes."""
    from kctl.api.errors import KctlError

    _require(obj, ("Deployment",), "resuming")
    if not obj["spec"].get("paused"):
        raise KctlError("is not paused")
    return {"spec": {"paused": None}}


def _require(obj: Obj, kinds: tuple[str, ...], doing: str) -> None:
    from kctl.api.errors import KctlError

    if obj["kind"] not in kinds or not obj["apiVersion"].startswith("apps/"):
        raise KctlError(f"{doing} is not supported")


def _change(
    settings: Settings,
    resources: tuple[str, ...],
    choice: targets.Choice,
    how: writing.How,
    change: Change,
    operation: str,
) -> int:
    """Patch every object chosen; an error names the object, as kubectl's."""
    from kctl.api.errors import KctlError, StatusError

    def act(plane: ControlPlane, target: targets.Target, said: writing.Said) -> None:
        try:
            patch = change(plane, target.object)
        except KctlError as error:
            raise KctlError(f'{target.kind.resource} "{target.key.name}" {error.message}') from None
        obj = target.object
        if not how.is_local:
            client = writing.client_of(plane, how)
            try:
                obj = client.patch(target.kind.resource, target.key, patch, type="strategic", dry_run=how.is_dry)
            except StatusError as error:
                raise KctlError(f"failed to patch: {error.message}") from None
        said.did(obj, operation)

    return _write(settings, resources, choice, how, act)


def _write(
    settings: Settings,
    resources: tuple[str, ...],
    choice: targets.Choice,
    how: writing.How,
    act: Callable[[ControlPlane, targets.Target, writing.Said], None],
) -> int:
    from kctl.api.errors import UsageError
    from kctl.cli.session import open_existing

    if not resources and not choice.paths:
        raise UsageError("required resource not specified")
    with open_existing(settings) as plane:

        def step(said: writing.Said) -> None:
            found = targets.find(plane, resources, choice, bare=True)
            writing.each(found, said, lambda target: act(plane, target, said))

        return writing.carry_out(plane, how, step)
