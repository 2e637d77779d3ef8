"""``kctl describe``: an object in full, as kubectl describes kinds it has no own form for."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any

import click

from kctl.api.objects import Obj
from kctl.cli import options
from kctl.cli.session import Settings

HIDDEN = {"managedFields", "name", "namespace", "labels", "annotations", "selfLink"}


@click.command("describe", short_help="Show objects in detail.")
@options.resources("TYPE[,TYPE] [NAME...] | TYPE/NAME...")
@options.namespace
@options.all_namespaces
@options.selector
@options.show_secrets
@click.pass_obj
def command(
    settings: Settings,
    resources: tuple[str, ...],
    namespace: str | None,
    all_namespaces: bool,
    selector: str,
    show_secrets: bool,
) -> int:
    """Show every field of objects, and the events about them."""
    from kctl.cli import select
    from kctl.cli.get import fetch
    from kctl.cli.output import presentable, write
    from kctl.cli.session import open_reader
    from kctl.plan import why

    with open_reader(settings) as plane:
        scope = "" if all_namespaces else namespace or "default"
        blocks, failures = [], []
        for selection in select.parse(plane.server.registry, resources):
            items, errors = fetch(plane, selection, scope, selector, "")
            failures += errors
            for item in items:
                shown = presentable(item, secrets=show_secrets)
                blocks.append(_text(shown, why.events(plane.client, item), plane.now))
        write("\n\n".join(blocks))
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


def _text(obj: Obj, events: list[Obj], now: float) -> str:
    meta = obj["metadata"]
    lines = [("Name", meta["name"])]
    if "namespace" in meta:
        lines.append(("Namespace", meta["namespace"]))
    head = [f"{name + ':':<14}{value}" for name, value in lines]
    head += _map("Labels", meta.get("labels"), "=") + _map("Annotations", meta.get("annotations"), ": ")
    rest = {
        "API Version": obj["apiVersion"],
        "Kind": obj["kind"],
        "Metadata": {name: value for name, value in meta.items() if name not in HIDDEN},
        **{name: value for name, value in obj.items() if name not in ("apiVersion", "kind", "metadata")},
    }
    return "\n".join([*head, *_fields(rest, 0), *_events(events, now)]) + "\n"


def _map(title: str, values: dict[str, str] | None, sign: str) -> list[str]:
    items = sorted((values or {}).items())
    if not items:
        return [f"{title + ':':<14}<none>"]
    return [f"{title + ':' if n == 0 else '':<14}{key}{sign}{value}" for n, (key, value) in enumerate(items)]


def _fields(value: dict[str, Any], depth: int) -> Iterator[str]:
    """Yield a map's fields, nested maps and lists indented, as PrintUnstructuredContent does."""
    pad = "  " * depth
    for name, found in value.items():
        title = _title(name)
        if isinstance(found, dict):
            yield f"{pad}{title}:" if found else f"{pad}{title}:  <none>"
            yield from _fields(found, depth + 1)
        elif isinstance(found, list):
            yield f"{pad}{title}:"
            for item in found:
                if isinstance(item, dict):
                    yield from _item(item, depth + 1)
                else:
                    yield f"{pad}  {item}"
        else:
            yield f"{pad}{title}:  {_scalar(found)}"


def _item(item: dict[str, Any], depth: int) -> Iterator[str]:
    lines = list(_fields(item, depth))
    pad = "  " * depth
    for n, line in enumerate(lines):
        yield f"{pad}- {line.removeprefix(pad)}" if n == 0 else f"  {line}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "<nil>" if value is None else str(value)


def _title(name: str) -> str:
    """Write ``clusterIPs`` as ``Cluster IPs``; map keys that are no field names stay."""
    if not name[:1].isalpha() or not name.isalnum():
        return name
    words, word = [], name[0].upper()
    for before, letter in itertools.pairwise(name):
        if letter.isupper() and not before.isupper():
            words.append(word)
            word = letter
        else:
            word += letter
    return " ".join([*words, word])


def _events(events: list[Obj], now: float) -> list[str]:
    from kctl.api.printers import since
    from kctl.cli import tables

    if not events:
        return ["Events:  <none>"]
    rows = [
        [
            event["type"],
            event["reason"],
            since(event["lastTimestamp"], now) + (f" (x{event['count']})" if event["count"] > 1 else ""),
            event["component"],
            event["message"],
        ]
        for event in events
    ]
    table = tables.plain(["Type", "Reason", "Age", "From", "Message"], rows)
    return ["Events:", *(f"  {line}" for line in table.splitlines())]
