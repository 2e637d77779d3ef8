"""``kctl get``: objects as tables or documents, as kubectl."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kctl.api.objects import Obj
    from kctl.api.registry import Kind
    from kctl.cli.following import Shape
    from kctl.cli.select import Selection
    from kctl.cli.targets import Choice
    from kctl.plane.plane import ControlPlane


@click.command("get", short_help="List objects.")
@options.resources("TYPE[,TYPE] [NAME...] | TYPE/NAME...", required=False)
@options.filenames()
@options.namespace
@options.all_namespaces
@options.selector
@click.option("--field-selector", default="", metavar="SELECTOR", help="Only objects with these fields.")
@options.output("wide", "json", "yaml", "name", expressions=("jsonpath=", "custom-columns="))
@options.no_headers
@click.option("--show-labels", is_flag=True, help="Add a column with all labels.")
@click.option("-L", "--label-columns", multiple=True, metavar="LABEL,...", help="Add a column for each label.")
@click.option("--show-kind", is_flag=True, help="Put the kind before each name.")
@click.option("--sort-by", default="", metavar="JSONPATH", help="Sort by what stands at this path.")
@click.option("--show-managed-fields", is_flag=True, help="Keep managedFields in documents.")
@options.ignore_not_found
@options.show_secrets
@click.option("--at", metavar="REV|COMMIT", help="As it was at this revision (see kctl log).")
@click.option("-w", "--watch", is_flag=True, help="Go on with what other processes change, until Ctrl-C.")
@click.option("--watch-only", is_flag=True, help="Only what changes.")
@click.option("--output-watch-events", is_flag=True, help="Say ADDED, MODIFIED or DELETED with each change.")
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
    output: str | None,
    no_headers: bool,
    show_labels: bool,
    label_columns: tuple[str, ...],
    show_kind: bool,
    sort_by: str,
    show_managed_fields: bool,
    ignore_not_found: bool,
    show_secrets: bool,
    at: str | None,
    watch: bool,
    watch_only: bool,
    output_watch_events: bool,
) -> int:
    """List objects of a kind, several kinds, or a category such as all."""
    from kctl.cli import following, sorting
    from kctl.cli.session import open_reader
    from kctl.cli.targets import Choice

    options.refuse_kustomize(kustomize)
    choice = Choice(paths, recursive, None, ignore_not_manifest, namespace)
    if (watch or watch_only) and output is not None:
        refuse_expression(output)
    with open_reader(settings) as opened:
        plane = opened if at is None else past_of(opened, at, watch or watch_only)
        scope = "" if all_namespaces else namespace or "default"
        chosen = selections(plane, resources, choice, scope)
        found: list[tuple[Kind, list[Obj]]] = []
        failures = []
        for selection, where in chosen:
            items, errors = fetch(plane, selection, where, selector, field_selector)
            found.append((selection.kind, sorting.by_path(items, sort_by) if sort_by else items))
            failures += [error for error in errors if not (ignore_not_found and "NotFound" in error)]
        labels = tuple(label for given in label_columns for label in given.split(",") if label)
        shape = following.Shape(
            output,
            all_namespaces,
            show_labels,
            show_secrets,
            show_managed_fields,
            output_watch_events,
            labels,
            show_kind,
        )
        if not watch_only:
            is_single = len(chosen) == 1 and len(chosen[0][0].names) == 1
            _print(plane, found, shape, is_single=is_single, show_headers=not no_headers)
        is_empty = not any(items for _, items in found)
        if is_empty and not failures and output is None and not ignore_not_found:
            is_global = all_namespaces or not chosen[0][0].kind.namespaced
            print("No resources found" + ("" if is_global else f" in {scope} namespace."), file=sys.stderr)
        if (watch or watch_only) and not failures:
            listed = [(*one, items) for one, (_, items) in zip(chosen, found, strict=True)]
            following.show_changes(plane, listed, selector, field_selector, shape)
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def selections(
    plane: ControlPlane, resources: tuple[str, ...], choice: Choice, scope: str
) -> list[tuple[Selection, str]]:
    """Return what types and names choose in the namespace ``scope``, or the manifests of ``-f`` in theirs."""
    from kctl.api.errors import UsageError
    from kctl.cli import select, targets

    if not choice.paths:
        return [(found, scope) for found in select.parse(plane.server.registry, resources)]
    if resources:
        raise UsageError("when paths are given with -f, no names may be given as arguments")
    named: dict[tuple[Kind, str], list[str]] = {}
    for kind, key in targets.from_files(plane, choice):
        named.setdefault((kind, key.namespace), []).append(key.name)
    return [(select.Selection(kind, tuple(names)), where) for (kind, where), names in named.items()]


def document(shown: list[Obj], output: str, *, single: bool, show_headers: bool) -> str:
    """Return objects as a document, or as an expression writes them."""
    from kctl.cli import output as out

    if "=" not in output:
        return out.listing(shown, output, single=single)
    from kctl.cli import expressions

    form, _, text = output.partition("=")
    if f"{form}=" == expressions.COLUMNS:
        return expressions.columns(text)(shown, show_headers)
    return expressions.template(text)(shown[0] if single else out.list_of(shown))


def refuse_expression(output: str) -> None:
    """Refuse to follow changes through an expression."""
    from kctl.api.errors import UsageError

    form, equals, _ = output.partition("=")
    if equals:
        raise UsageError(f"-o {form} and --watch cannot go together")


def past_of(plane: ControlPlane, place: str, is_watched: bool) -> ControlPlane:
    """Return the cluster as it was at a revision."""
    from kctl.api.errors import UsageError
    from kctl.cli import past

    if is_watched:
        raise UsageError("--at and --watch cannot go together: the past does not change")
    return past.at(plane, past.revision_of(plane, place))


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


def _print(
    plane: ControlPlane, found: Sequence[tuple[Kind, list[Obj]]], shape: Shape, *, is_single: bool, show_headers: bool
) -> None:
    """Print what was found as documents, names or tables; ``is_single`` when one object alone was named."""
    from kctl.cli import output as out
    from kctl.cli.select import full_name

    if shape.output not in (None, "wide", "name"):
        shown = [
            out.presentable(item, managed_fields=shape.show_managed_fields, secrets=shape.show_secrets)
            for _, items in found
            for item in items
        ]
        if shown or not is_single:
            out.write(document(shown, shape.output, single=is_single, show_headers=show_headers))
    elif shape.output == "name":
        names = (full_name(kind, item["metadata"]["name"]) for kind, items in found for item in items)
        out.write("".join(f"{name}\n" for name in names))
    else:
        out.write("\n".join(_tables(plane, found, shape, show_headers)))


def _tables(
    plane: ControlPlane, found: Sequence[tuple[Kind, list[Obj]]], shape: Shape, show_headers: bool
) -> Iterator[str]:
    """Yield a table for each kind of which there is any object."""
    from kctl.apiserver.table import printer_of
    from kctl.cli import tables
    from kctl.cli.select import full_name

    for kind, items in found:
        if items:
            yield tables.objects(
                printer_of(plane.server, kind),
                items,
                plane.now,
                wide=shape.output == "wide",
                with_namespace=shape.with_namespace and kind.namespaced,
                with_labels=shape.with_labels,
                label_columns=shape.label_columns,
                name_prefix=full_name(kind, "") if len(found) > 1 or shape.with_kind else "",
                show_headers=show_headers,
            )
