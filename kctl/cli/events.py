"""``kctl events``: events in the order they happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kctl.cli import options
from kctl.cli.session import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from kctl.api.objects import Obj
    from kctl.plane.plane import ControlPlane


@click.command("events", short_help="List events.")
@options.namespace
@options.all_namespaces
@click.option("--for", "about", default=None, metavar="TYPE/NAME", help="Only events about this object.")
@click.option("--types", default=None, metavar="TYPES", help="Only these types: Normal, Warning.")
@click.option("-w", "--watch", "watching", is_flag=True, help="Then show the events that other processes cause.")
@options.no_headers
@options.output("json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    namespace: str | None,
    all_namespaces: bool,
    about: str | None,
    types: str | None,
    watching: bool,
    no_headers: bool,
    output: str | None,
) -> None:
    """List events, oldest first; with -w, go on with those that come."""
    import sys

    from kctl.api import printers
    from kctl.cli import select, tables
    from kctl.cli.output import listing, presentable, write
    from kctl.cli.session import open_reader

    with open_reader(settings) as plane:
        scope = "" if all_namespaces else namespace or "default"
        concerns = _filter(plane, about, types)
        found = [event for event in plane.client.list("events", scope).items if concerns(event)]
        found.sort(key=lambda event: (event.get("lastTimestamp") or "", event["metadata"]["resourceVersion"].zfill(20)))
        if output:
            write(listing([presentable(event) for event in found], output, single=False))
        elif not found and not watching:
            print("No events found." if all_namespaces else f"No events found in {scope} namespace.", file=sys.stderr)
        elif found:
            printer = printers.of("events")
            text = tables.objects(printer, found, plane.now, with_namespace=all_namespaces, show_headers=not no_headers)
            write(text)
        if watching:
            from kctl.cli import following

            sys.stdout.flush()
            shape = following.Shape(output=output, with_namespace=all_namespaces)
            events = select.parse(plane.server.registry, ["events"])[0]
            following.show_changes(plane, [(events, scope, found)], "", "", shape, only=concerns)


def _filter(plane: ControlPlane, about: str | None, types: str | None) -> Callable[[Obj], bool]:
    """Return what says whether an event was asked for."""
    from kctl.cli import select

    kind, names = select.parse(plane.server.registry, [about])[0] if about else (None, ())
    wanted = {word.strip().lower() for word in types.split(",")} if types else None

    def concerns(event: Obj) -> bool:
        ref = event["involvedObject"]
        if kind is not None and (ref.get("kind") != kind.kind or ref.get("name") not in names):
            return False
        return wanted is None or event.get("type", "").lower() in wanted

    return concerns
