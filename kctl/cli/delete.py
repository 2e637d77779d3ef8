"""``kctl delete``: delete objects, and wait until they are gone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Key
    from kctl.api.registry import Kind
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
    from kctl.cli.run import run
    from kctl.cli.session import open_existing

    options.refuse_kustomize(kustomize)
    if bool(paths) == bool(resources):
        raise UsageError("name what to delete: by file (-f), or by type and name")
    grace = 1 if at_once else grace_period if grace_period >= 0 else None
    failures = 0
    with open_existing(settings) as plane:
        if paths:
            targets = _from_files(plane, paths, recursive, ignore_not_manifest, namespace)
        else:
            targets = _from_args(
                plane, resources, "" if all_namespaces else namespace or "default", selector, everything
            )
        for kind, key in targets:
            failures += _delete(plane, kind, key, CASCADES[cascade], grace, dry_run, ignore_not_found, output)
        if dry_run == "none":
            plane.commit()
            if wait and targets:
                run(plane)
    return 1 if failures else 0


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


def _delete(
    plane: ControlPlane,
    kind: Kind,
    key: Key,
    propagation: Propagation,
    grace: int | None,
    dry_run: str,
    lenient: bool,
    output: str | None,
) -> int:
    """Delete one object and say so; return 1 when that failed."""
    from kctl.api.errors import StatusError
    from kctl.cli.output import write
    from kctl.cli.select import full_name

    name = full_name(kind, key.name)
    try:
        if dry_run != "client":
            plane.client.delete(kind.resource, key, grace=grace, propagation=propagation, dry_run=dry_run == "server")
    except StatusError as error:
        if error.reason == "NotFound" and lenient:
            return 0
        print(f"Error from server ({error.reason}): {error.message}", file=sys.stderr)
        return 1
    suffix = {"none": "", "client": " (dry run)", "server": " (server dry run)"}[dry_run]
    if output == "name":
        write(f"{name}\n")
    else:
        kind_text = name.rpartition("/")[0]
        where = f" from {key.namespace} namespace" if key.namespace else ""
        write(f'{kind_text} "{key.name}" deleted{where}{suffix}\n')
    return 0
