"""Any other kind: every field by its name, as kubectl describes kinds it has no own form for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from kctl.api.objects import Obj
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page

VERBATIM = {"data", "binaryData", "stringData", "labels", "annotations", "matchLabels", "selector", "nodeSelector"}
"""Maps whose keys are people's own words."""
HIDDEN = {"managedFields", "name", "namespace", "labels", "annotations", "selfLink"}


def describe(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return every field of an object, and the events about it."""
    page = Page()
    layout.events(page, events, now)
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
    return "\n".join([*head, *_fields(rest, 0)]) + "\n" + page.text()


def _map(title: str, values: dict[str, str] | None, sign: str) -> list[str]:
    items = sorted((values or {}).items())
    if not items:
        return [f"{title + ':':<14}<none>"]
    return [f"{title + ':' if n == 0 else '':<14}{key}{sign}{value}" for n, (key, value) in enumerate(items)]


def _fields(value: dict[str, Any], depth: int, *, verbatim: bool = False) -> Iterator[str]:
    """Yield a map's fields, nested maps and lists indented, as PrintUnstructuredContent does."""
    pad = "  " * depth
    for name, found in value.items():
        title = name if verbatim else _title(name)
        if isinstance(found, dict):
            yield f"{pad}{title}:" if found else f"{pad}{title}:  <none>"
            yield from _fields(found, depth + 1, verbatim=name in VERBATIM)
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
