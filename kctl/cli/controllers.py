"""``kctl controllers``: what runs, and what it did in the last run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj

SHOWN = 5
"""So many kinds are named in a table."""


@click.command("controllers", short_help="List the control loops with what they did in the last run.")
@options.no_headers
@options.output("wide", "json", "yaml", "name")
@click.pass_obj
def command(settings: Settings, no_headers: bool, output: str | None) -> int:
    """List the control loops in the order they run: keys synced, objects written, refusals met, time taken.

    The counts are of the last run that wrote something here; Events are not counted. The time is the
    machine's. With -o wide also what each watches and may write, and the last refusal.
    """
    from kctl.cli.output import document, write
    from kctl.cli.session import load_cluster, open_reader
    from kctl.plane import tally

    with open_reader(settings) as plane:
        cluster = load_cluster(settings)
        plane.shape = plane.shape._replace(cloud=cluster.cloud, controllers=cluster.controllers)
        rows = tally.rows(plane)
    if output in ("json", "yaml"):
        listed = {"apiVersion": "kctl.dev/v1", "kind": "ControllerList", "items": rows}
        write(document(listed, output))
    elif output == "name":
        write("".join(f"{row['name']}\n" for row in rows))
    else:
        write(_table(rows, wide=output == "wide", headers=not no_headers))
    return 0


def _table(rows: list[Obj], *, wide: bool, headers: bool) -> str:
    from kctl.cli import tables

    head = ["NAME", "ENABLED", "SYNCS", "WRITES", "ERRORS", "TIME"]
    head += ["WATCHES", "MAY WRITE", "LAST ERROR"] if wide else []
    cells = []
    for row in rows:
        state = "crashed" if row["crashed"] else "yes" if row["enabled"] else "no"
        counts = [str(row[name]) for name in ("syncs", "writes", "errors")]
        line = [row["name"], state, *counts, f"{row['seconds'] * 1000:.0f}ms"]
        if wide:
            line += [_some(row["watches"]), _some(row["kinds"]), row["lastError"] or "<none>"]
        cells.append(line)
    return tables.plain(head, cells, show_headers=headers)


def _some(names: list[str]) -> str:
    """Return a few names; all are in ``-o json``."""
    short = [name.partition(".")[0] for name in names]
    return ",".join(short[:SHOWN]) + (f" +{len(short) - SHOWN}" if len(short) > SHOWN else "")
