"""``kctl diff A..B``: the fields that differ between two revisions, object by object.

In: two revisions. Out: changes as the reports list them. A write always changes resourceVersion
and managedFields, so these are left out; events and leases only come with ``everything``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.objects import Key, Obj
from kctl.gitops import fielddiff
from kctl.gitops.fielddiff import ABSENT, FieldChange

if TYPE_CHECKING:
    from kctl.api.schema import Node
    from kctl.plane.plane import ControlPlane

FLEETING = ("leases.coordination.k8s.io", "events", "events.events.k8s.io")
BOOKKEEPING = "kctl.dev"
"""The group of intents, rendered sets and inventories."""
SERVER = ("uid", "generation", "creationTimestamp", "deletionTimestamp")


class Difference(NamedTuple):
    """One object at both revisions; None where it was not there."""

    resource: str
    key: Key
    before: Obj | None
    after: Obj | None

    @property
    def change(self) -> str:
        """Return created, deleted, replaced (by another of its name) or changed."""
        if self.before is None:
            return "created"
        if self.after is None:
            return "deleted"
        is_same = self.before["metadata"].get("uid") == self.after["metadata"].get("uid")
        return "changed" if is_same else "replaced"

    def fields(self, *, secrets: bool = False) -> list[FieldChange]:
        """Return the fields that differ, none for an object that is only on one side."""
        if self.before is None or self.after is None:
            return []
        return field_changes(self.before, self.after, schema_of(self.after), secrets=secrets)

    def data(self, *, secrets: bool = False) -> Obj:
        """Return the difference as reports list it."""
        from kctl.cli.writing import name_of

        obj = self.after or self.before or {}
        return {
            "object": name_of(obj),
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "namespace": self.key.namespace,
            "name": self.key.name,
            "change": self.change,
            "fields": [field.data() for field in self.fields(secrets=secrets)],
        }


class _Holder:
    """A schema with one property: what lets a status be compared like any other field."""

    additional = items = None
    list_map_keys = ()
    merge_key = ""

    def __init__(self, name: str, node: Node) -> None:
        self.properties = {name: node}


def schema_of(obj: Obj) -> Node | None:
    """Return the schema of an object's kind."""
    from kctl.api import schema
    from kctl.api.registry import builtin

    kind = builtin().by_kind(obj["apiVersion"], obj["kind"])
    return schema.of(kind) if kind is not None else None


def field_changes(before: Obj, after: Obj, node: Node | None, *, secrets: bool = False) -> list[FieldChange]:
    """Return every field that differs, status and generation too."""
    meta = [
        FieldChange(f"metadata.{name}", before["metadata"].get(name, ABSENT), after["metadata"].get(name, ABSENT))
        for name in SERVER
        if before["metadata"].get(name) != after["metadata"].get(name)
    ]
    found = fielddiff.changes(before, after, node, secrets=secrets)
    return sorted(meta + found + _status_changes(before, after, node), key=lambda change: change.path.split(".")[0])


def _status_changes(before: Obj, after: Obj, node: Node | None) -> list[FieldChange]:
    status = node.properties.get("status") if node is not None else None
    holder: Any = _Holder("_", status) if status is not None else None
    old, new = ({"_": obj["status"]} if "status" in obj else {} for obj in (before, after))
    found = fielddiff.changes(old, new, holder)
    return [change._replace(path=f"status{change.path.removeprefix('_')}") for change in found]


def between(plane: ControlPlane, first: int, last: int, *, everything: bool = False) -> list[Difference]:
    """Return what differs between two revisions, by kind and name; ``first`` may be the later one."""
    from kctl.apiserver.encoding import PLACE
    from kctl.cli import past

    low, high = sorted((past.check(plane, first), past.check(plane, last)))
    names = {change.key for change in _until(plane, low, high) if not change.key.startswith(PLACE)}
    found = []
    for name in names:
        _, resource, namespace, rest = name.split("/", 3)
        if resource in FLEETING and not everything:
            continue
        before, after = (_read(plane, name, revision) for revision in (first, last))
        if before is None and after is None:
            continue
        difference = Difference(resource, Key(namespace, rest), before, after)
        if difference.change != "changed" or difference.fields(secrets=True):
            found.append(difference)
    return sorted(found, key=lambda difference: (difference.key.namespace, difference.resource, difference.key.name))


def _until(plane: ControlPlane, low: int, high: int) -> Any:
    for change in plane.store.changes(low):
        if change.revision > high:
            return
        yield change


def _read(plane: ControlPlane, name: str, revision: int) -> Obj | None:
    kv = plane.store.get(name, revision=revision)
    return None if kv is None else plane.server.storage.decode(kv.value)


def show(plane: ControlPlane, first: int, last: int, form: str | None, *, secrets: bool = False) -> int:
    """Print what differs, kctl's own bookkeeping of sets apart; return 1 when anything does."""
    from kctl.cli import layers
    from kctl.cli.output import document, write

    found = [one for one in between(plane, first, last) if one.resource.partition(".")[2] != BOOKKEEPING]
    entries = [difference.data(secrets=secrets) for difference in found]
    if form in ("json", "yaml"):
        body = {"apiVersion": "kctl.dev/v1", "kind": "Diff", "from": first, "to": last, "objects": entries}
        write(document(body, form))
    elif form == "name":
        write("".join(f"{entry['object']}\n" for entry in entries))
    else:
        write("".join(f"{line}\n" for line in layers.intent_lines(entries, show_diff=True)))
    return 1 if found else 0
