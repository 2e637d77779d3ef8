"""``kctl delete``: delete objects, and wait until they are gone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import options
from kctl.cli import targets as targeting
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Key
    from kctl.api.registry import Kind
    from kctl.cli.writing import Said
    from kctl.client.client import Propagation
    from kctl.plane.plane import ControlPlane

IMMEDIATE = (
    "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
    "The resource may continue to run on the cluster indefinitely."
)
CASCADES: dict[str, Propagation] = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


@click.command("delete", short_help="Delete objects by file, name or label.")
@options.resources("[TYPE [NAME...] | TYPE/NAME...]", required=False)
@options.filenames()
@options.namespace
@options.all_namespaces
@options.selector
@click.option("--field-selector", default="", metavar="SELECTOR", help="Only objects with these fields.")
@click.option("--all", "everything", is_flag=True, help="All objects of the kinds named.")
@click.option(
    "--cascade",
    type=click.Choice(tuple(CASCADES)),
    default="background",
    show_default=True,
    help="What becomes of what the objects own.",
)
@click.option("--grace-period", type=int, default=-1, help="Seconds a pod has to end; -1 for its own.")
@click.option("--force", is_flag=True, help="With --grace-period=0: let pods go without waiting for their end.")
@click.option("--now", "at_once", is_flag=True, help="The same as --grace-period=1.")
@options.ignore_not_found
@click.option("--wait/--no-wait", default=True, help="Run the control plane until they are gone (default).")
@click.option("--timeout", default="0s", metavar="DURATION", help="Virtual time after which to give up; 0s for 1h.")
@options.dry_run
@options.output("name")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    paths: tuple[str, ...],
    recursive: bool,
    kustomize: str | None,
    ignore_not_manifest: bool,
    namespace: str | None,
    all_namespaces: bool,
    selector: str,
    field_selector: str,
    everything: bool,
    cascade: str,
    grace_period: int,
    force: bool,
    at_once: bool,
    ignore_not_found: bool,
    wait: bool,
    timeout: str,
    dry_run: str,
    output: str | None,
) -> int:
    """Delete objects and run the control plane until they are gone."""
    from kctl.api.errors import UsageError
    from kctl.cli.run import NOT_CONVERGED
    from kctl.cli.session import open_existing
    from kctl.cli.writing import How, carry_out
    from kctl.plane.plane import parse_duration

    options.refuse_kustomize(kustomize)
    if bool(paths) == bool(resources):
        raise UsageError("name what to delete: by file (-f), or by type and name")
    ask = Ask(CASCADES[cascade], grace_of(grace_period, force=force, at_once=at_once), ignore_not_found)
    choice = targeting.Choice(
        paths, recursive, None, ignore_not_manifest, namespace, all_namespaces, selector, field_selector, everything
    )
    within = parse_duration(timeout) or None
    if ask.grace == 0:
        print(IMMEDIATE, file=sys.stderr)
    with open_existing(settings) as plane:
        named: list[tuple[Kind, Key]] = []

        def delete(said: Said) -> None:
            named[:] = targeting.from_files(plane, choice) if paths else _from_args(plane, resources, choice)
            for kind, key in named:
                _delete(plane, kind, key, ask, said)

        code = carry_out(plane, How(dry_run=dry_run, output=output, wait=wait, cause="delete", within=within), delete)
        held = _held(plane, named) if wait and dry_run == "none" else []
        for line in held:
            print(line, file=sys.stderr)
        return code or (NOT_CONVERGED if held else 0)


def _held(plane: ControlPlane, named: list[tuple[Kind, Key]]) -> list[str]:
    """Return a line for each object that is being deleted still, where kubectl would go on waiting."""
    from kctl.api.errors import KctlError
    from kctl.cli.select import full_name

    lines = []
    for kind, key in named:
        try:
            obj = plane.client.get(kind.resource, key.namespace, key.name)
        except KctlError:  # gone, with its definition at times
            continue
        if obj["metadata"].get("deletionTimestamp"):
            holders = [*obj["metadata"].get("finalizers", ()), *obj.get("spec", {}).get("finalizers", ())]
            why = f", held by {', '.join(holders)}" if holders else ""
            lines.append(f"{full_name(kind, key.name)} is marked as deleted and still there{why}")
    return lines


class Ask(NamedTuple):
    """How objects are deleted."""

    propagation: Propagation
    grace: int | None
    ignore_not_found: bool


def grace_of(seconds: int, *, force: bool, at_once: bool) -> int | None:
    """Return how long a pod has to end, None for its own time, as kubectl reads these flags."""
    from kctl.api.errors import UsageError

    if at_once:
        if seconds != -1:
            raise UsageError("--now and --grace-period cannot be specified together")
        return 1
    if force and seconds < 0:
        return 0
    if force and seconds > 0:
        raise UsageError("--force and --grace-period greater than 0 cannot be specified together")
    if seconds == 0 and not force:
        return 1  # without --force nobody skips the kubelet
    return seconds if seconds >= 0 else None


def _from_args(plane: ControlPlane, resources: tuple[str, ...], choice: targeting.Choice) -> list[tuple[Kind, Key]]:
    from kctl.api.errors import UsageError
    from kctl.api.objects import Key, key_of
    from kctl.cli import select

    found = []
    scope = "" if choice.all_namespaces else choice.namespace or "default"
    for kind, names in select.parse(plane.server.registry, resources):
        namespace = scope if kind.namespaced else ""
        if names:
            found += [(kind, Key(namespace or ("default" if kind.namespaced else ""), name)) for name in names]
        elif choice.selector or choice.field_selector or choice.everything:
            items = plane.client.list(
                kind.resource, namespace, label_selector=choice.selector, field_selector=choice.field_selector
            ).items
            found += [(kind, key_of(item)) for item in items]
        else:
            raise UsageError("resource(s) were provided, but no name was specified: give names, -l or --all")
    return found


def _delete(plane: ControlPlane, kind: Kind, key: Key, ask: Ask, said: Said) -> None:
    """Delete one object, and say so or why not."""
    from kctl.api.errors import StatusError
    from kctl.cli.select import full_name
    from kctl.cli.writing import SUFFIX

    name, how = full_name(kind, key.name), said.how
    try:
        if not how.is_local:
            plane.client.delete(kind.resource, key, grace=ask.grace, propagation=ask.propagation, dry_run=how.is_dry)
    except StatusError as error:
        if error.reason != "NotFound" or not ask.ignore_not_found:
            said.failed(f"Error from server ({error.reason}): {error.message}")
        return
    if how.output == "name":
        said.line(name)
    else:
        where = f" from {key.namespace} namespace" if key.namespace else ""
        what = "force deleted" if ask.grace == 0 else "deleted"
        said.line(f'{name.rpartition("/")[0]} "{key.name}" {what}{where}{SUFFIX[how.dry_run]}')
