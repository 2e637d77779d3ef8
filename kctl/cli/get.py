"""``kctl get``: objects as tables or documents, as kubectl."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

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
@click.option("--subresource", default="", metavar="NAME", help="This part of the objects named: status, scale.")
@click.option("--raw", default="", metavar="PATH", help="What the API server answers at a path.")
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
def command(settings: Settings, /, resources: tuple[str, ...], **given: Any) -> int:
    """List objects of a kind, several kinds, or a category such as all."""
    from kctl.cli.session import open_reader
    from kctl.cli.targets import Choice

    asked = Asked(**{name: given.pop(name) for name in Asked._fields})
    options.refuse_kustomize(given["kustomize"])
    choice = Choice(given["paths"], given["recursive"], None, given["ignore_not_manifest"], asked.namespace)
    if asked.is_watched and asked.output is not None:
        refuse_expression(asked.output)
    with open_reader(settings) as opened:
        if given["raw"]:
            return _raw(opened, given["raw"], asked.show_secrets)
        plane = opened if given["at"] is None else past_of(opened, given["at"], asked.is_watched)
        return _show(plane, selections(plane, resources, choice, asked.scope), asked)


class Asked(NamedTuple):
    """The options that say what to list and how to show it, under their names on the command line."""

    namespace: str | None
    all_namespaces: bool
    selector: str
    field_selector: str
    subresource: str
    output: str | None
    no_headers: bool
    show_labels: bool
    label_columns: tuple[str, ...]
    show_kind: bool
    sort_by: str
    show_managed_fields: bool
    ignore_not_found: bool
    show_secrets: bool
    watch: bool
    watch_only: bool
    output_watch_events: bool

    @property
    def is_watched(self) -> bool:
        """Whether to go on with what changes."""
        return self.watch or self.watch_only

    @property
    def scope(self) -> str:
        """The namespace to list, "" for all."""
        return "" if self.all_namespaces else self.namespace or "default"

    @property
    def shape(self) -> Shape:
        """How objects are shown."""
        from kctl.cli.following import Shape

        return Shape(
            self.output,
            self.all_namespaces,
            self.show_labels,
            self.show_secrets,
            self.show_managed_fields,
            self.output_watch_events,
            tuple(label for given in self.label_columns for label in given.split(",") if label),
            self.show_kind,
            self.subresource,
        )


def _raw(plane: ControlPlane, path: str, secrets: bool) -> int:
    from kctl.cli import output, raw

    output.write(raw.get(plane, path, secrets=secrets))
    return 0


def _show(plane: ControlPlane, chosen: list[tuple[Selection, str]], asked: Asked) -> int:
    """Print what was chosen, then what changes where that is wanted; return the exit code."""
    from kctl.cli import following, sorting

    found: list[tuple[Kind, list[Obj]]] = []
    failures = []
    for selection, where in chosen:
        items, errors = fetch(plane, selection, where, asked.selector, asked.field_selector, asked.subresource)
        found.append((selection.kind, sorting.by_path(items, asked.sort_by) if asked.sort_by else items))
        failures += [error for error in errors if not (asked.ignore_not_found and "NotFound" in error)]
    if not asked.watch_only:
        is_single = len(chosen) == 1 and len(chosen[0][0].names) == 1
        _print(plane, found, asked.shape, is_single=is_single, show_headers=not asked.no_headers)
    is_empty = not any(items for _, items in found)
    if is_empty and not failures and asked.output is None and not asked.ignore_not_found:
        is_global = asked.all_namespaces or not chosen[0][0].kind.namespaced
        print("No resources found" + ("" if is_global else f" in {asked.scope} namespace."), file=sys.stderr)
    if asked.is_watched and not failures:
        listed = [(*one, items) for one, (_, items) in zip(chosen, found, strict=True)]
        following.show_changes(plane, listed, asked.selector, asked.field_selector, asked.shape)
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
    plane: ControlPlane, selection: Selection, scope: str, labels: str, fields: str, subresource: str = ""
) -> tuple[list[Obj], list[str]]:
    """Return the objects of a selection, and a line for each that is not there."""
    from kctl.api.errors import StatusError, UsageError

    kind = selection.kind
    namespace = scope if kind.namespaced else ""
    if not selection.names:
        if subresource:
            raise UsageError("subresource can only be used when a single resource is specified")
        listing = plane.client.list(kind.resource, namespace, label_selector=labels, field_selector=fields)
        return list(listing.items), []
    items, errors = [], []
    for name in selection.names:
        try:
            where = namespace or ("default" if kind.namespaced else "")
            items.append(_get(plane, kind, where, name, subresource))
        except StatusError as error:
            errors.append(f"Error from server ({error.reason}): {error.message}")
    return items, errors


def _get(plane: ControlPlane, kind: Kind, namespace: str, name: str, subresource: str) -> Obj:
    if not subresource:
        return plane.client.get(kind.resource, namespace, name)
    from kctl.apiserver.request import Request

    found = plane.server.handle(Request("get", kind, namespace, name, subresource))
    assert isinstance(found, dict)  # noqa: S101 - a get of one object
    return found


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
                printer_of(plane.server, kind, shape.subresource),
                items,
                plane.now,
                wide=shape.output == "wide",
                with_namespace=shape.with_namespace and kind.namespaced,
                with_labels=shape.with_labels,
                label_columns=shape.label_columns,
                name_prefix=full_name(kind, "") if len(found) > 1 or shape.with_kind else "",
                show_headers=show_headers,
            )
