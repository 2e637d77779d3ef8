"""The page of a description: lines of cells, aligned as kubectl's tabwriter aligns them.

In: lines at a level of indentation. Out: text. Also the parts that several kinds have: labels,
annotations, times, tolerations, events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kctl.api.clock import parse_time
from kctl.api.objects import LAST_APPLIED, Obj
from kctl.api.printers import since

PADDING = 2
LONGEST_ANNOTATION = 140


class Page:
    """Collects lines; cells of neighbouring lines stand below each other."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = []

    def line(self, level: int, *cells: object) -> None:
        """Add a line of cells, indented by two blanks a level; the first cell's name has its colon already."""
        texts = [str(cell).replace("\n", " ") for cell in cells]
        self._lines.append(["  " * level + texts[0], *texts[1:]])

    def field(self, level: int, name: str, *values: object) -> None:
        """Add ``Name:  value``."""
        self.line(level, f"{name}:", *values)

    def listed(self, level: int, name: str, values: Sequence[str]) -> None:
        """Add a field with a value a line, ``<none>`` for none."""
        for n, value in enumerate(values or ["<none>"]):
            self.line(level, f"{name}:" if n == 0 else "", value)

    def table(self, level: int, headers: Sequence[str], rows: Iterable[Sequence[object]], *, rule: bool = True) -> None:
        """Add a table with a rule below its head."""
        self.line(level, *headers)
        if rule:
            self.line(level, *("-" * len(header) for header in headers))
        for row in rows:
            self.line(level, *row)

    def text(self) -> str:
        """Return the page, its cells aligned."""
        lines = [list(line) for line in self._lines]
        _align(lines, 0, 0, len(lines))
        return "".join("".join(line).rstrip(" ") + "\n" for line in lines)


def _align(lines: list[list[str]], column: int, start: int, end: int) -> None:
    """Pad a column within each run of neighbouring lines that have it, and the columns behind it."""
    at = start
    while at < end:
        if len(lines[at]) <= column + 1:
            at += 1
            continue
        stop = at
        while stop < end and len(lines[stop]) > column + 1:
            stop += 1
        width = max(len(lines[n][column]) for n in range(at, stop)) + PADDING
        for n in range(at, stop):
            lines[n][column] = lines[n][column].ljust(width)
        _align(lines, column + 1, at, stop)
        at = stop


def metadata(page: Page, obj: Obj, *, level: int = 0) -> None:
    """Add labels and annotations."""
    meta = obj.get("metadata") or {}
    page.listed(level, "Labels", pairs(meta.get("labels")))
    annotation_lines(page, level, meta.get("annotations"))


def pairs(values: dict[str, str] | None) -> list[str]:
    """Return a map as ``key=value``, sorted."""
    return [f"{key}={value}" for key, value in sorted((values or {}).items())]


def annotation_lines(page: Page, level: int, values: dict[str, str] | None) -> None:
    """Add annotations; long ones have their value on the lines below."""
    shown: list[str] = []
    for key, value in sorted((values or {}).items()):
        if key == LAST_APPLIED:
            continue
        value = value.rstrip("\n")
        if "\n" in value or len(key) + len(value) > LONGEST_ANNOTATION:
            shown += [f"{key}:", *(f"  {line[:LONGEST_ANNOTATION]}" for line in value.split("\n"))]
        else:
            shown.append(f"{key}: {value}")
    page.listed(level, "Annotations", shown)


def time_text(stamp: str | None) -> str:
    """Return a timestamp as RFC 1123 with a numeric zone, as kubectl prints it."""
    if not stamp:
        return "<unset>"
    from datetime import UTC, datetime

    return datetime.fromtimestamp(parse_time(stamp), UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")


def tolerations(page: Page, level: int, found: Sequence[Obj]) -> None:
    """Add tolerations, sorted by key."""
    page.listed(level, "Tolerations", [_toleration(one) for one in sorted(found, key=lambda one: one.get("key") or "")])


def _toleration(one: Obj) -> str:
    text = str(one.get("key") or "")
    if one.get("value"):
        text += f"={one['value']}"
    if one.get("effect"):
        text += f":{one['effect']}"
    if one.get("operator") == "Exists" and not one.get("value"):
        text += " op=Exists" if text else "op=Exists"
    seconds = one.get("tolerationSeconds")
    return text if seconds is None else f"{text} for {seconds}s"


def events(page: Page, found: Sequence[Obj], now: float) -> None:
    """Add the events about an object, oldest first; they are as :func:`kctl.plan.why.events` gives them."""
    if not found:
        page.field(0, "Events", "<none>")
        return
    page.line(0, "Events:")
    rows = [
        [event["type"], event["reason"], _interval(event, now), event["component"], event["message"].strip()]
        for event in found
    ]
    page.table(1, ["Type", "Reason", "Age", "From", "Message"], rows)


def _interval(event: dict[str, Any], now: float) -> str:
    last = since(event["lastTimestamp"], now)
    if event["count"] <= 1:
        return last
    return f"{last} (x{event['count']} over {since(event.get('firstTimestamp') or event['lastTimestamp'], now)})"
