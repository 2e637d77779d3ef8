"""``kctl get -w``: what changes while other processes work; ends with Ctrl-C.

The head of the store is looked at a few times a second, which is one row; only when it moved
are the changes read. Rows stand below the columns of the table they continue.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.objects import Key, Obj, labels_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kctl.api.printers import Printer
    from kctl.api.registry import Kind
    from kctl.cli.select import Selection
    from kctl.plane.plane import ControlPlane

INTERVAL = 0.2


class Followed:
    """The changes of one selection: its kind, the names, the namespace and the labels asked for."""

    def __init__(self, plane: ControlPlane, selection: Selection, scope: str, labels: str, fields: str) -> None:
        from kctl.apiserver import fields as matching

        self._plane = plane
        self.kind = selection.kind
        self._names = selection.names
        self._scope = scope if selection.kind.namespaced else ""
        self._matches = matching.matcher(selection.kind, labels, fields)
        self._watch = plane.server.watch(selection.kind.resource, plane.server.revision)

    def changes(self) -> Iterator[tuple[str, Obj]]:
        """Yield the changes since the last call; an object that no longer matches is deleted."""
        for event in self._watch.events():
            obj = self._plane.server.in_version(self.kind, event.object)
            if not self._concerns(obj):
                continue
            is_in = event.type != "DELETED" and self._fits(obj)
            was_in = event.old is not None and self._fits(event.old)
            if is_in or was_in:
                yield ("DELETED" if not is_in else "MODIFIED" if was_in else "ADDED"), obj

    def _concerns(self, obj: Obj) -> bool:
        key = Key(obj["metadata"].get("namespace") or "", obj["metadata"]["name"])
        return (not self._scope or key.namespace == self._scope) and (not self._names or key.name in self._names)

    def _fits(self, obj: Obj) -> bool:
        return self._matches is None or self._matches(obj)


def follow(
    plane: ControlPlane,
    followed: Sequence[Followed],
    show: Callable[[Kind, str, Obj], None],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Show every change that other processes make, until interrupted."""
    try:
        while True:
            if plane.store.head().index != plane.server.storage.head.index:
                plane.refresh()
                plane.clock.set(plane.server.storage.head.now)
                for one in followed:
                    for type_, obj in one.changes():
                        show(one.kind, type_, obj)
            wait(INTERVAL)
    except KeyboardInterrupt:
        return


class Shape(NamedTuple):
    """How objects are shown: ``-o``, the columns, whether Secrets and managedFields are."""

    output: str | None = None
    with_namespace: bool = False
    with_labels: bool = False
    show_secrets: bool = False
    show_managed_fields: bool = False
    with_events: bool = False
    label_columns: tuple[str, ...] = ()
    with_kind: bool = False
    subresource: str = ""


class Rows:
    """The rows of one kind, in the columns of the table they continue."""

    def __init__(self, printer: Printer, shape: Shape, prefix: str, items: Sequence[Obj], now: float) -> None:
        self._printer = printer
        self._shape = shape
        self._prefix = prefix
        shown = [column.name for column in printer.columns if self._is_shown(column.priority)]
        heads = (["NAMESPACE"] if shape.with_namespace else []) + shown
        heads += [label.rpartition("/")[2].upper() for label in shape.label_columns]
        heads += ["LABELS"] if shape.with_labels else []
        rows = [heads, *(self.cells(obj, now) for obj in items)]
        self._widths = [max(len(row[n]) for row in rows) for n in range(len(heads))]

    def _is_shown(self, priority: int) -> bool:
        return self._shape.output == "wide" or priority == 0

    def cells(self, obj: Obj, now: float) -> list[str]:
        """Return what the table shows of an object."""
        out = [obj["metadata"].get("namespace", "")] if self._shape.with_namespace else []
        for column, cell in zip(self._printer.columns, self._printer.cells(obj, now), strict=True):
            if self._is_shown(column.priority):
                text = "" if cell is None else str(cell).split("\n", maxsplit=1)[0]
                out.append(self._prefix + text if column.format == "name" else text)
        out += [labels_of(obj).get(label, "") for label in self._shape.label_columns]
        if self._shape.with_labels:
            out.append(",".join(f"{k}={v}" for k, v in sorted(labels_of(obj).items())) or "<none>")
        return out

    def line(self, obj: Obj, now: float) -> str:
        """Return a row; a cell wider than its column pushes the rest to the right."""
        cells = self.cells(obj, now)
        padded = [cell.ljust(width) for cell, width in zip(cells[:-1], self._widths, strict=False)]
        return "   ".join([*padded, cells[-1]]) + "\n"


def show_changes(
    plane: ControlPlane,
    chosen: Sequence[tuple[Selection, str, Sequence[Obj]]],
    labels: str,
    fields: str,
    shape: Shape,
    *,
    only: Callable[[Obj], bool] | None = None,
) -> None:
    """Print every change of what was listed, each in its namespace, until interrupted; ``only`` leaves some out."""
    from kctl.apiserver.table import printer_of
    from kctl.cli import output as out
    from kctl.cli.select import full_name

    rows = {}
    for selection, _, items in chosen:
        kind = selection.kind
        prefix = full_name(kind, "") if len(chosen) > 1 or shape.with_kind else ""
        of_kind = shape._replace(with_namespace=shape.with_namespace and kind.namespaced)
        rows[kind.resource] = Rows(printer_of(plane.server, kind), of_kind, prefix, items, plane.now)

    def show(kind: Kind, type_: str, obj: Obj) -> None:
        if only is not None and not only(obj):
            return
        event = f"{type_:<8}   " if shape.with_events else ""
        if shape.output == "name":
            out.write(f"{event}{full_name(kind, obj['metadata']['name'])}\n")
        elif shape.output in ("json", "yaml"):
            shown = out.presentable(obj, managed_fields=shape.show_managed_fields, secrets=shape.show_secrets)
            if shape.with_events:
                shown = {"type": type_, "object": shown}
            out.write(("---\n" if shape.output == "yaml" else "") + out.document(shown, shape.output))
        else:
            out.write(event + rows[kind.resource].line(obj, plane.now))
        sys.stdout.flush()

    follow(plane, [Followed(plane, selection, scope, labels, fields) for selection, scope, _ in chosen], show)
