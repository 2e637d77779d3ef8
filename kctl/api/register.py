"""The register: what kctl simulates, what it only accepts, and what it refuses.

In comes a kind, or an object; out comes what is known of it, and which of the things it uses
have no computed consequence. Every report carries that as ``notSimulated``. The facts are data
in :mod:`kctl.api.register_kinds`, :mod:`kctl.api.register_fields` and :mod:`kctl.api.register_devices`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from kctl.api import schema
from kctl.api.objects import Obj
from kctl.api.register_devices import FIELDS as OF_DEVICES
from kctl.api.register_fields import FIELDS
from kctl.api.register_kinds import CUSTOM, DEVIATIONS, KINDS
from kctl.api.registry import Kind
from kctl.api.schema import Node

SIMULATED = "simulated"
CARRIED = "carried"
ACCEPTED = "accepted"
REFUSED = "refused"

STATES = {"=": SIMULATED, ".": CARRIED, "~": ACCEPTED, "x": REFUSED}

OUTSIDE = frozenset({"apiVersion", "kind", "metadata", "status"})
"""Fields of whole objects that are the API server's business."""


class Entry(NamedTuple):
    """One kind or field in the register; ``path`` is "" for a kind, and lists have ``[]`` in it."""

    path: str
    state: str
    note: str


class Field(NamedTuple):
    """What is known of a field; it is not worth a word at its default."""

    state: str
    note: str
    default: str


def state_of(kind: Kind) -> str:
    """Return simulated, accepted or refused."""
    return entry_of(kind).state


def entry_of(kind: Kind) -> Entry:
    """Return what is known of a kind; for one that is not built in, that nothing computes it."""
    return _kinds().get(kind.resource) or custom()


def custom() -> Entry:
    """Return what is known of every kind that is not built in."""
    return Entry("", ACCEPTED, CUSTOM)


def field_of(definition: str, field: str) -> Field | None:
    """Return what is known of a field of a definition (``core.v1.PodSpec``), None for nothing."""
    return _fields().get(definition, {}).get(field)


def fields_of(definition: str) -> dict[str, Field] | None:
    """Return what is known of all fields of a definition, None when it is not in the register."""
    return _fields().get(definition)


def not_simulated(kind: Kind, obj: Obj) -> list[Entry]:
    """Return what the object uses that has no computed consequence, sorted by path.

    For an accepted kind that is the kind alone; its fields add nothing to it.
    """
    entry = entry_of(kind)
    if entry.state != SIMULATED:
        return [entry]
    node = schema.of(kind)
    if node is None:
        return []
    found: dict[str, Entry] = {}
    _walk(node, obj, "", found)
    return [found[path] for path in sorted(found)]


def deviations() -> list[Entry]:
    """Return where kctl departs from upstream's defaults, whatever the manifests say."""
    rows = (line.partition(": ") for line in DEVIATIONS.strip().splitlines())
    return [Entry(topic, ACCEPTED, note) for topic, _, note in rows]


def _walk(node: Node, value: Any, path: str, found: dict[str, Entry]) -> None:
    """Go along the simulated fields and note the accepted and refused ones that are set."""
    if isinstance(value, list):
        if node.items is not None:
            for item in value:
                _walk(node.items, item, f"{path}[]", found)
        return
    known = _fields().get(node.name)
    if known is None or not isinstance(value, dict):
        return
    for name, child in value.items():
        field = known.get(name)
        below = f"{path}.{name}" if path else name
        if field is None or child in (None, "", [], {}):
            continue
        if field.state == SIMULATED:
            _walk(node.properties[name], child, below, found)
        elif field.state != CARRIED and not (field.default and str(child) == field.default):
            found[below] = Entry(below, field.state, field.note)


@cache
def _kinds() -> dict[str, Entry]:
    """Read :data:`kctl.api.register_kinds.KINDS`."""
    found = {}
    for line in KINDS.strip().splitlines():
        sign, _, rest = line.partition(" ")
        resource, _, note = rest.partition(": ")
        found[resource] = Entry("", STATES[sign], note)
    return found


@cache
def _fields() -> dict[str, dict[str, Field]]:
    """Read :data:`kctl.api.register_fields.FIELDS`."""
    found: dict[str, dict[str, Field]] = {}
    known: dict[str, Field] = {}
    for line in f"{FIELDS.strip()}\n{OF_DEVICES.strip()}".splitlines():
        if not line.startswith(" "):
            known = found[line] = {}
            continue
        sign, _, rest = line.strip().partition(" ")
        names, _, note = rest.partition(": ")
        for word in names.split():
            name, _, default = word.partition("!")
            known[name] = Field(STATES[sign], note, default)
    return found
