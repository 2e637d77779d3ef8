"""``kctl events``: events in the order they happened."""

from __future__ import annotations

import click

from kctl.cli import options
from kctl.cli.session import Settings


@click.command("events", short_help="List events.")
@options.namespace
@options.all_namespaces
@click.option("--for", "about", default=None, metavar="TYPE/NAME", help="Only events about this object.")
@click.option("--types", default=None, metavar="TYPES", help="Only these types: Normal, Warning.")
@options.no_headers
@options.output("json", "yaml")
@click.pass_obj
def command(
    settings: Settings,
    namespace: str | None,
    all_namespaces: bool,
    about: str | None,
    types: str | None,
    no_headers: bool,
    output: str | None,
) -> None:
    """List events, oldest first."""
    import sys

    from kctl.api import printers
    from kctl.cli import select, tables
    from kctl.cli.output import listing, presentable, write
    from kctl.cli.session import open_reader

    with open_reader(settings) as plane:
        scope = "" if all_namespaces else namespace or "default"
        found = list(plane.client.list("events", scope).items)
        if about:
            kind, names = select.parse(plane.server.registry, [about])[0]
            found = [
                event
                for event in found
                if event["involvedObject"].get("kind") == kind.kind and event["involvedObject"].get("name") in names
            ]
        if types:
            wanted = {word.strip().lower() for word in types.split(",")}
            found = [event for event in found if event.get("type", "").lower() in wanted]
        found.sort(key=lambda event: (event.get("lastTimestamp") or "", event["metadata"]["resourceVersion"].zfill(20)))
        if output:
            write(listing([presentable(event) for event in found], output, single=False))
        elif not found:
            print("No events found." if all_namespaces else f"No events found in {scope} namespace.", file=sys.stderr)
        else:
            printer = printers.of("events")
            text = tables.objects(printer, found, plane.now, with_namespace=all_namespaces, show_headers=not no_headers)
            write(text)
