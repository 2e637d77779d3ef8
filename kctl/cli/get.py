"""``kctl get``: objects as tables or documents, as kubectl."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj
    from kctl.api.registry import Kind
    from kctl.cli.select import Selection
    from kctl.plane.plane import ControlPlane


@click.command("get", short_help="List objects.")
@options.resources("TYPE[,TYPE] [NAME...] | TYPE/NAME...", required=False)
@options.namespace
@options.all_namespaces
@options.selector
@click.option("--field-selector", default="", metavar="SELECTOR", help="Only objects with these fields.")
@options.output("wide", "json", "yaml", "name")
@options.no_headers
@click.option("--show-labels", is_flag=True, help="Add a column with all labels.")
@click.option("--show-managed-fields", is_flag=True, help="Keep managedFields in documents.")
@options.ignore_not_found
@options.show_secrets
@click.option("--at", type=int, metavar="REV", help="As it was at this revision (see kctl log).")
@click.option("-w", "--watch", is_flag=True, help="Go on with what other processes change, until Ctrl-C.")
@click.option("--watch-only", is_flag=True, help="Only what changes.")
@click.option("--output-watch-events", is_flag=True, help="Say ADDED, MODIFIED or DELETED with each change.")
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    namespace: str | None,
    all_namespaces: bool,
    selector: str,
    field_selector: str,
    output: str | None,
    no_headers: bool,
    show_labels: bool,
    show_managed_fields: bool,
    ignore_not_found: bool,
    show_secrets: bool,
    at: int | None,
    watch: bool,
    watch_only: bool,
    output_watch_events: bool,
) -> int:
    """List objects of a kind, several kinds, or a category such as all."""
    from kctl.cli import output as out
    from kctl.cli import select
    from kctl.cli.session import open_reader

    with open_reader(settings) as opened:
        plane = opened if at is None else past_of(opened, at, watch or watch_only)
        chosen = select.parse(plane.server.registry, resources)
        scope = "" if all_namespaces else namespace or "default"
        found: list[tuple[Kind, list[Obj]]] = []
        failures = []
        for selection in chosen:
            items, errors = fetch(plane, selection, scope, selector, field_selector)
            found.append((selection.kind, items))
            failures += [error for error in errors if not (ignore_not_found and "NotFound" in error)]
        everything = [item for _, items in found for item in items]
        single = len(chosen) == 1 and len(chosen[0].names) == 1
        if watch_only:
            pass
        elif output in ("json", "yaml"):
            shown = [
                out.presentable(item, managed_fields=show_managed_fields, secrets=show_secrets) for item in everything
            ]
            if shown or not single:
                out.write(out.listing(shown, output, single=single))
        elif output == "name":
            for kind, items in found:
                out.write("".join(f"{select.full_name(kind, item['metadata']['name'])}\n" for item in items))
        else:
            _print_tables(plane, found, all_namespaces, output == "wide", show_labels, no_headers)
        if not everything and not failures and output is None and not ignore_not_found:
            is_global = all_namespaces or not chosen[0].kind.namespaced
            print("No resources found" + ("" if is_global else f" in {scope} namespace."), file=sys.stderr)
        if (watch or watch_only) and not failures:
            from kctl.cli import following

            shape = following.Shape(
                output, all_namespaces, show_labels, show_secrets, show_managed_fields, output_watch_events
            )
            listed = [(selection, items) for selection, (_, items) in zip(chosen, found, strict=True)]
            following.show_changes(plane, listed, scope, selector, field_selector, shape)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def past_of(plane: ControlPlane, revision: int, is_watched: bool) -> ControlPlane:
    """Return the cluster as it was at a revision."""
    from kctl.api.errors import UsageError
    from kctl.cli import past

    if is_watched:
        raise UsageError("--at and --watch cannot go together: the past does not change")
    return past.at(plane, revision)


def fetch(
    plane: ControlPlane, selection: Selection, scope: str, labels: str, fields: str
) -> tuple[list[Obj], list[str]]:
    """Return the objects of a selection, and a line for each that is not there."""
    from kctl.api.errors import StatusError

    kind = selection.kind
    namespace = scope if kind.namespaced else ""
    if not selection.names:
        listing = plane.client.list(kind.resource, namespace, label_selector=labels, field_selector=fields)
        return list(listing.items), []
    items, errors = [], []
    for name in selection.names:
        try:
            items.append(plane.client.get(kind.resource, namespace or ("default" if kind.namespaced else ""), name))
        except StatusError as error:
            errors.append(f"Error from server ({error.reason}): {error.message}")
    return items, errors


def _print_tables(
    plane: ControlPlane,
    found: list[tuple[Kind, list[Obj]]],
    all_namespaces: bool,
    wide: bool,
    labels: bool,
    no_headers: bool,
) -> None:
    from kctl.apiserver.table import printer_of
    from kctl.cli import output as out
    from kctl.cli import tables
    from kctl.cli.select import full_name

    several = len(found) > 1
    texts = []
    for kind, items in found:
        if not items:
            continue
        texts.append(
            tables.objects(
                printer_of(plane.server, kind),
                items,
                plane.now,
                wide=wide,
                with_namespace=all_namespaces and kind.namespaced,
                with_labels=labels,
                name_prefix=full_name(kind, "") if several else "",
                show_headers=not no_headers,
            )
        )
    out.write("\n".join(texts))
