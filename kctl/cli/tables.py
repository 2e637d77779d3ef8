"""Tables as text: kubectl's own look, and tabulate for grids a person compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api.objects import Obj, labels_of
from kctl.api.printers import Cell, Printer


def plain(headers: Sequence[str], rows: Iterable[Sequence[object]], *, show_headers: bool = True) -> str:
    """Return the table as kubectl prints it: three spaces between columns."""
    lines = [list(headers)] if show_headers else []
    lines += [[_cell(cell) for cell in row] for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    out = []
    for line in lines:
        padded = [text.ljust(width) for text, width in zip(line[:-1], widths, strict=False)]
        out.append("   ".join([*padded, line[-1]]))
    return "\n".join(out) + "\n"


def grid(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the table with a rule under its head, for wide comparisons."""
    from tabulate import tabulate

    cells = [[_cell(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=list(headers), tablefmt="simple", disable_numparse=True) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("\n", " ")


def _line(value: Cell) -> Cell:
    """Return what kubectl prints of a cell: nothing for null, of a text with several lines the first."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    end = min((value.index(letter) for letter in "\f\n\r" if letter in value), default=len(value))
    return value if end == len(value) else f"{value[:end]}..."


def objects(
    printer: Printer,
    items: Sequence[Obj],
    now: float,
    *,
    wide: bool = False,
    with_namespace: bool = False,
    with_labels: bool = False,
    label_columns: Sequence[str] = (),
    name_prefix: str = "",
    show_headers: bool = True,
) -> str:
    """Return the listing of objects of one kind under the kind's own columns."""
    shown = [n for n, column in enumerate(printer.columns) if wide or column.priority == 0]
    headers = [printer.columns[n].name.upper() for n in shown]
    named = next((n for n in shown if printer.columns[n].format == "name"), -1)
    rows: list[list[Cell]] = []
    for obj in sorted(items, key=printer.order) if printer.order else items:
        cells = [_line(cell) for cell in printer.cells(obj, now)]
        row = [f"{name_prefix}{cells[n]}" if name_prefix and n == named else cells[n] for n in shown]
        if with_namespace:
            row.insert(0, obj["metadata"].get("namespace", ""))
        row += [labels_of(obj).get(label, "") for label in label_columns]
        if with_labels:
            row.append(",".join(f"{k}={v}" for k, v in sorted(labels_of(obj).items())) or "<none>")
        rows.append(row)
    if with_namespace:
        headers.insert(0, "NAMESPACE")
    headers += [label.rpartition("/")[2].upper() for label in label_columns]
    if with_labels:
        headers.append("LABELS")
    return plain(headers, rows, show_headers=show_headers)
