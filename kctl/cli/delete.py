"""``kctl delete``: delete objects, and wait until they are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Key
    from kctl.api.registry import Kind
    from kctl.cli.writing import Said
    from kctl.client.client import Propagation
    from kctl.plane.plane import ControlPlane

CASCADES: dict[str, Propagation] = {"background": "Background", "foreground": "Foreground", "orphan": "Orphan"}


@click.command("delete", short_help="Delete objects by file, name or label.")
@options.resources("[TYPE [NAME...] | TYPE/NAME...]", required=False)
@options.filenames()
@options.namespace
@options.all_namespaces
@options.selector
@click.option("--all", "everything", is_flag=True, help="All objects of the kinds named.")
@click.option(
    "--cascade",
    type=click.Choice(tuple(CASCADES)),
    default="background",
    show_default=True,
    help="What becomes of what the objects own.",
)
@click.option("--grace-period", type=int, default=-1, help="Seconds a pod has to end; -1 for its own.")
@click.option("--now", "at_once", is_flag=True, help="The same as --grace-period=1.")
@options.ignore_not_found
@click.option("--wait/--no-wait", default=True, help="Run the control plane until they are gone (default).")
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
    everything: bool,
    cascade: str,
    grace_period: int,
    at_once: bool,
    ignore_not_found: bool,
    wait: bool,
    dry_run: str,
    output: str | None,
) -> int:
    """Delete objects and run the control plane until they are gone."""
    from kctl.api.errors import UsageError
    from kctl.cli.session import open_existing
    from kctl.cli.writing import How, carry_out

    options.refuse_kustomize(kustomize)
    if bool(paths) == bool(resources):
        raise UsageError("name what to delete: by file (-f), or by type and name")
    grace = 1 if at_once else grace_period if grace_period >= 0 else None
    scope = "" if all_namespaces else namespace or "default"
    ask = Ask(CASCADES[cascade], grace, ignore_not_found)
    with open_existing(settings) as plane:

        def delete(said: Said) -> None:
            if paths:
                targets = _from_files(plane, paths, recursive, ignore_not_manifest, namespace)
            else:
                targets = _from_args(plane, resources, scope, selector, everything)
            for kind, key in targets:
                _delete(plane, kind, key, ask, said)

        return carry_out(plane, How(dry_run=dry_run, output=output, wait=wait, cause="delete"), delete)


class Ask(NamedTuple):
    """How objects are deleted."""

    propagation: Propagation
    grace: int | None
    ignore_not_found: bool


def _from_files(
    plane: ControlPlane, paths: tuple[str, ...], recursive: bool, lenient: bool, namespace: str | None
) -> list[tuple[Kind, Key]]:
    from kctl.api.errors import KctlError
    from kctl.api.objects import Key
    from kctl.cli.manifests import load

    found = []
    for manifest in load(plane, paths, recursive=recursive, ignore_not_manifest=lenient):
        obj = manifest.object
        kind = plane.server.registry.by_kind(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise KctlError(f"{manifest.place()}: no matches for kind {obj['kind']!r} in version {obj['apiVersion']!r}")
        scope = (obj["metadata"].get("namespace") or namespace or "default") if kind.namespaced else ""
        found.append((kind, Key(scope, obj["metadata"]["name"])))
    return found


def _from_args(
    plane: ControlPlane, resources: tuple[str, ...], scope: str, labels: str, everything: bool
) -> list[tuple[Kind, Key]]:
    from kctl.api.errors import UsageError
    from kctl.api.objects import Key, key_of
    from kctl.cli import select

    found = []
    for kind, names in select.parse(plane.server.registry, resources):
        namespace = scope if kind.namespaced else ""
        if names:
            found += [(kind, Key(namespace or ("default" if kind.namespaced else ""), name)) for name in names]
        elif labels or everything:
            items = plane.client.list(kind.resource, namespace, label_selector=labels).items
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
        said.line(f'{name.rpartition("/")[0]} "{key.name}" deleted{where}{SUFFIX[how.dry_run]}')
