"""The Report as Markdown, as it goes into a comment on a pull request.

The same layers as the text has, under headings; field changes are folded away in a ``diff`` block.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api.objects import Obj
from kctl.cli import layers

MARKS = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>#|~"})


def text(report: Obj, *, title: str, show_diff: bool = True) -> str:
    """Return the report; names and messages of the cluster cannot become markup."""
    parts = [f"## {_plain(title)}: {_plain(_verdict(report))}"]
    changed = [entry for entry in report["intent"] if entry["change"] != "unchanged"]
    if report["intent"]:
        parts.append(_heading("Intent", _intent(report["intent"], changed)))
    if show_diff and any(entry.get("fields") for entry in changed):
        parts.append(_fields(changed))
    layers_below = (
        ("Consequence", (line for record in report["consequence"] for line in layers.record_lines(record))),
        ("Residual", map(_blocker, report["residual"])),
        ("Depends on chance", layers.chance_lines(report)),
        *layers.scenario_lines(report),
        ("Warnings", report["warnings"]),
        ("Not simulated", map(layers.gap_line, report["notSimulated"])),
    )
    for heading, lines in layers_below:
        listed = _list(lines)
        if listed:
            parts.append(_heading(heading, listed))
    return "\n\n".join(parts) + "\n"


def _blocker(entry: Obj) -> str:
    """Return one entry of the third layer in a line."""
    return "; ".join(line.strip() for line in layers.blocker_lines(entry))


def changes(entries: Sequence[Obj], *, title: str) -> str:
    """Return what differs of some objects."""
    parts = [f"## {_plain(title)}: {len(entries)} objects differ", "\n".join(_intent(entries, entries))]
    if any(entry.get("fields") for entry in entries):
        parts.append(_fields(entries))
    return "\n\n".join(parts) + "\n"


def _verdict(report: Obj) -> str:
    from click import unstyle

    return unstyle(layers.verdict_text(report))


def _plain(line: str) -> str:
    """Return a line whose characters mean themselves."""
    return " ".join(line.split()).translate(MARKS)


def _heading(title: str, lines: Iterable[str]) -> str:
    return "\n".join([f"### {title}", "", *lines])


def _intent(intent: Sequence[Obj], changed: Sequence[Obj]) -> list[str]:
    unchanged = len(intent) - len(changed)
    if not changed:
        return [f"Nothing changes ({unchanged} unchanged)."] if intent else ["Nothing differs."]
    rows = [
        f"| {_plain(layers.in_namespace(entry['namespace'], entry['object']))} | {entry['change']} | {_place(entry)} |"
        for entry in changed
    ]
    more = ["", f"{unchanged} unchanged."] if unchanged else []
    return ["| object | change | place |", "|---|---|---|", *rows, *more]


def _place(entry: Obj) -> str:
    return _plain(f"{entry['file']}:{entry['line']}") if entry.get("file") else ""


def _fields(changed: Iterable[Obj]) -> str:
    """Return the field changes in a block that opens on a click."""
    from click import unstyle

    lines = []
    for entry in changed:
        fields = [unstyle(line) for field in entry.get("fields", ()) for line in layers.field_lines(field)]
        if fields:
            lines += [f"@@ {layers.in_namespace(entry['namespace'], entry['object'])} @@"]
            lines += [" ".join(line.split("\n")).replace("~ ", "! ", 1) for line in fields]
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in _ticks(line)), default=0))
    return "\n".join(["<details><summary>Fields</summary>", "", f"{fence}diff", *lines, fence, "", "</details>"])


def _ticks(line: str) -> list[str]:
    """Return the runs of backticks in a line."""
    return "".join(char if char == "`" else " " for char in line).split()


def _list(lines: Iterable[str]) -> list[str]:
    from click import unstyle

    return [f"- {_plain(unstyle(line))}" for line in lines]
