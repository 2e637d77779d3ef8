"""``kctl why``: the causal chain of one object."""

from __future__ import annotations

import click

from kctl.api.objects import Obj
from kctl.cli import options
from kctl.cli.session import Settings

MOST_WRITES, MOST_FIELDS, LINE = 8, 6, 160


@click.command("why", short_help="Explain why an object is as it is.")
@options.resources("TYPE/NAME | TYPE NAME", required=False)
@options.namespace
@options.output("json", "yaml", "wide")
@click.pass_obj
def command(settings: Settings, resources: tuple[str, ...], namespace: str | None, output: str | None) -> int:
    """Say how an object is and why: who wrote it, what it made, what blocks it.

    For a pod that has no node, and for what owns one, the scheduler's view of every node follows, and the
    smallest changes with which the pod would be placed. -o wide has a row for every node and the commands that make the changes.
    """
    from kctl.api.errors import UsageError
    from kctl.cli import select
    from kctl.cli.output import document, write
    from kctl.cli.session import open_explaining
    from kctl.plan import why

    with open_explaining(settings) as plane:
        chosen = select.parse(plane.server.registry, resources)
        if len(chosen) != 1 or len(chosen[0].names) != 1:
            raise UsageError("name exactly one object, for example deploy/web")
        kind, (name,) = chosen[0]
        scope = (namespace or "default") if kind.namespaced else ""
        found = why.explain(plane, kind.resource, plane.client.get(kind.resource, scope, name))
        write(document(found, output) if output in ("json", "yaml") else _text(found, wide=output == "wide"))
    return 0


def _text(found: Obj, *, wide: bool) -> str:
    from kctl.cli import trees

    lines = trees.tree_lines(found)
    if found["applied"]:
        lines.append(f"applied from {found['applied']}")
    lines += [f"owned by {owner}" for owner in found["owners"]]
    for entry in found["written"]:
        part = f" ({entry['subresource']})" if entry["subresource"] else ""
        when = f" at {entry['time']}" if entry["time"] else ""  # whoever scales leaves none, as upstream
        lines.append(f"written by {entry['manager']}{part}{when}")
    if found["blockers"]:
        lines += ["", click.style("Blocked by", bold=True)]
        lines += [f"  {line}" for entry in found["blockers"] for line in _blocker(entry, wide=wide)]
    lines += _history(found["history"], wide=wide)
    if found["events"]:
        lines.append("")
        lines += [
            f"{event['lastTimestamp']} {event['type']} {event['reason']} ({event['component']}): {event['message']}"
            + (f" (x{event['count']})" if event["count"] > 1 else "")
            for event in found["events"]
        ]
    text = "\n".join(lines) + "\n"
    if found["scheduling"]:
        text += "\n" + trees.scheduling_text(found["scheduling"], wide=wide)
    return text


def _blocker(entry: Obj, *, wide: bool) -> list[str]:
    """Return a blocker with the chain that leads to it, and what would lift it."""
    from kctl.cli import layers, trees

    line, *more = layers.blocker_lines(entry)
    if len(entry["chain"]) > 1:
        more.append(layers.INDENT + " -> ".join(entry["chain"]))
    for remedy in entry["remedies"]:
        more.append(f"{layers.INDENT}{remedy['text']}")
        more += [f"{layers.INDENT}    {c}" for step in remedy["apply"] for c in trees.commands(step)] if wide else []
    return [line, *more]


def _history(writes: list[Obj], *, wide: bool) -> list[str]:
    """Return who wrote the object, what and because of what; of many writes the first and the last ones, unless wide."""
    if not writes:
        return []
    shown = writes if wide or len(writes) <= MOST_WRITES else [writes[0], *writes[1 - MOST_WRITES :]]
    lines = ["", click.style("History", bold=True)]
    for n, write in enumerate(shown):
        if n == 1 and len(shown) < len(writes):
            lines.append(f"  ... {len(writes) - len(shown)} more")
        by = f" by {', '.join(write['by'])}" if write["by"] else f" ({write['cause']})" if write["cause"] else ""
        why = f", because of {write['because']}" if write["because"] else ""
        lines.append(f"  {write['time']} revision {write['revision']} {write['what']}{by}{why}")
        lines += [f"      {_field(change)}" for change in write["changes"][:MOST_FIELDS]]
        if len(write["changes"]) > MOST_FIELDS:
            lines.append(f"      ... {len(write['changes']) - MOST_FIELDS} more fields")
    return lines


def _field(change: Obj) -> str:
    """Return a changed field in a line."""
    from kctl.cli import layers

    line = click.unstyle(layers.field_lines(change)[0])
    return line if len(line) <= LINE else f"{line[:LINE]}..."
