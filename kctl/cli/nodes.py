"""``kctl nodes``: how full the nodes are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from kctl.api.objects import Obj


@click.command("nodes", short_help="Show how full the nodes are.")
@options.no_headers
@options.output("wide", "json", "yaml", "name")
@click.pass_obj
def command(settings: Settings, no_headers: bool, output: str | None) -> int:
    """Show what the pods on each node request beside what it has, its zone, its troubles and taints.

    Of devices it says how many of each driver are allocated to claims. With -o wide also limits and what is left.
    """
    from kctl.cli.output import document, write
    from kctl.cli.session import open_reader
    from kctl.plan import nodefill

    with open_reader(settings) as plane:
        records = nodefill.records(plane.client)
    if output in ("json", "yaml"):
        write(document({"apiVersion": "kctl.dev/v1", "kind": "NodeFillList", "items": records}, output))
    elif output == "name":
        write("".join(f"node/{record['name']}\n" for record in records))
    elif records:
        write(_table(records, wide=output == "wide", headers=not no_headers))
    else:
        click.echo("No resources found", err=True)
    return 0


def _table(records: list[Obj], *, wide: bool, headers: bool) -> str:
    from kctl.cli import tables

    head = [
        "NAME",
        "STATUS",
        "ZONE",
        "PODS",
        "CPU",
        "MEMORY",
        *(["CPU LIMITS", "MEMORY LIMITS", "OTHER"] if wide else []),
    ]
    has_devices = any("devices" in record for record in records)
    head += ["DEVICES"] if has_devices else []
    rows = []
    for record in records:
        row = [
            record["name"],
            ",".join([record["status"], *(c for c in record["conditions"] if not c.startswith("Ready="))]),
            record["zone"] or "<none>",
            f"{record['pods']}/{record['allocatable'].get('pods', '?')}",
            _of(record, "requests", "cpu"),
            _of(record, "requests", "memory"),
        ]
        if wide:
            others = [name for name in record["requests"] if name not in ("cpu", "memory")]
            row += [_of(record, "limits", "cpu"), _of(record, "limits", "memory")]
            row.append(" ".join(f"{name} {_of(record, 'requests', name)}" for name in others) or "<none>")
        if has_devices:
            each = (f"{one['driver']} {one['allocated']}/{one['count']}" for one in record.get("devices", ()))
            row.append(", ".join(each) or "<none>")
        rows.append([*row, ",".join(record["taints"]) or "<none>"])
    return tables.plain([*head, "TAINTS"], rows, show_headers=headers)


def _of(record: Obj, field: str, name: str) -> str:
    """Return ``1200m/4 (30%)``."""
    from kctl.plan.nodefill import percent

    asked, there = record[field].get(name, "0"), record["allocatable"].get(name, "0")
    return f"{asked}/{there} ({percent(asked, there)}%)"
