"""What an apply makes of one object, as data: the first layer of every report."""

from __future__ import annotations

from typing import NamedTuple

from kctl.api import schema
from kctl.api.objects import Obj, printed_name
from kctl.gitops import fielddiff
from kctl.gitops.inventory import Entry
from kctl.gitops.targets import Target


class Change(NamedTuple):
    """What becomes of one object. ``change`` is created, configured, unchanged or pruned."""

    file: str
    line: int
    resource: str
    api_version: str
    kind: str
    namespace: str
    name: str
    change: str
    fields: tuple[fielddiff.FieldChange, ...] = ()
    before: Obj | None = None
    after: Obj | None = None

    @property
    def object(self) -> str:
        """How one line names it: ``deployment.apps/web``."""
        return printed_name(self.kind, self.resource.partition(".")[2], self.name)

    def data(self) -> Obj:
        """Return the change as the report's ``intent`` lists it."""
        out: Obj = {
            "file": self.file,
            "line": self.line,
            "object": self.object,
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "change": self.change,
            "fields": [field.data() for field in self.fields],
        }
        return out


def what_became(before: Obj | None, after: Obj) -> str:
    """Say in one word what an apply did, as kubectl says it: created, configured or unchanged."""
    if before is None:
        return "created"
    is_same = before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion")
    return "unchanged" if is_same else "configured"


def change_of(target: Target, before: Obj | None, after: Obj, *, secrets: bool = False) -> Change:
    """Return what an apply made of an object."""
    change = what_became(before, after)
    fields: list[fielddiff.FieldChange] = []
    if change == "configured":
        fields = fielddiff.changes(before, after, schema.of(target.kind), secrets=secrets)
    manifest, obj = target.manifest, target.object
    return Change(
        manifest.file,
        manifest.line,
        target.resource,
        obj["apiVersion"],
        obj["kind"],
        *target.key,
        change,
        tuple(fields),
        before,
        after,
    )


def pruned(entry: Entry, before: Obj | None) -> Change:
    """Return the change of an object that is pruned."""
    return Change("", 0, entry.resource, entry.api_version, entry.kind, *entry.key, "pruned", (), before, None)
