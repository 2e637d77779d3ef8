"""Who owns which field: server-side apply, and the managedFields of every other write.

In: the live object, what a request applies or has made of it, the kind's schema, who asks. Out:
the object with its managedFields; a Conflict that names the owners where an apply meets fields of
others. The rules are those of k8s.io/apimachinery/pkg/util/managedfields (the chain of managers in
fieldmanager.go) on top of structured-merge-diff, which is :mod:`typed`.

Not here: converting between versions of a kind. Entries of another version are taken as they are,
which is right wherever the versions agree on the path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from kctl.api import errors
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj
from kctl.api.patch import fieldsets, refusals, shape, typed
from kctl.api.patch.always import inline_of
from kctl.api.patch.fieldsets import Fields
from kctl.api.patch.outline import Drawn, Memo, outline
from kctl.api.patch.shape import Shape
from kctl.api.patch.timeless import beside
from kctl.api.schema.node import Node

MAX_UPDATERS = 10
ANCIENT = "ancient-changes"
BEFORE_FIRST_APPLY = "before-first-apply"
KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

UNTRACKED: Fields = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        "f:clusterName": {},
        "f:creationTimestamp": {},
        "f:generation": {},
        "f:managedFields": {},
        "f:name": {},
        "f:namespace": {},
        "f:resourceVersion": {},
        "f:selfLink": {},
        "f:uid": {},
    },
}
"""What nobody owns (managedfields/internal/stripmeta.go)."""

Path = tuple[str, ...]
RESET: dict[str, tuple[Path, ...]] = {
    "": (("status",),),
    "status": (("spec",),),
    "CertificateSigningRequest": (("spec",), ("status",)),
    "Deployment/status": (("spec",), ("metadata", "labels")),
}
"""What the strategies of the built-in kinds take from the live object whatever is written, for a
kind and subresource or for all kinds (GetResetFields of the registry's strategies)."""


class Id(NamedTuple):
    """What makes two writes the same manager's; an applier is the same in every version."""

    manager: str
    operation: str
    version: str
    subresource: str


class Owner(NamedTuple):
    """One entry of managedFields."""

    fields: Fields
    version: str
    time: str


Owners = dict[Id, Owner]


def owners_of(obj: Obj | None) -> Owners:
    """Read managedFields; nothing when any entry cannot be understood, as upstream falls back."""
    found: Owners = {}
    for entry in (obj or {}).get("metadata", {}).get("managedFields") or ():
        try:
            operation, version = entry["operation"], entry["apiVersion"]
            fields = entry.get("fieldsV1") or {}
        except (KeyError, TypeError, AttributeError):
            return {}
        if operation not in ("Apply", "Update") or entry.get("fieldsType") != "FieldsV1":
            return {}
        id_ = _id(entry.get("manager", ""), operation, version, entry.get("subresource", ""))
        found[id_] = Owner(fields, version, entry.get("time") or "")
    return found


def _id(manager: str, operation: str, version: str, subresource: str) -> Id:
    return Id(manager, operation, "" if operation == "Apply" else version, subresource)


def apply(
    live: Obj | None,
    applied: Obj,
    node: Node | None,
    *,
    manager: str,
    api_version: str,
    now: float,
    force: bool = False,
    subresource: str = "",
    reset: Iterable[Path] | None = None,
) -> Obj:
    """Apply a configuration on the live object (None: it is created) as ``manager``.

    Returns the merged object before defaulting, with its managedFields; the live object itself when
    nothing at all would change. ``reset`` names fields that this request cannot write (default:
    by subresource). Raises Conflict, BadRequest, and an error of code 500 without a reason where the
    configuration does not fit the schema, as upstream does.
    """
    what = shape.of(node)
    if (applied.get("metadata") or {}).get("managedFields") is not None:
        raise errors.bad_request("metadata.managedFields must be nil")
    if applied.get("apiVersion") != api_version:
        raise errors.bad_request(
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {applied.get('apiVersion')}, expected: {api_version}"
        )
    reader = typed.Reader()
    fields = reader.fields(what, applied)
    if reader.errors:
        raise refusals.untyped(applied, api_version, reader.errors)
    for path in _resets(what, applied, subresource, reset):
        fields = fieldsets.without(fields, tuple(f"f:{name}" for name in path))
        applied = _without(applied, path) if live is not None else applied
    work = _Apply(live, applied, what, _id(manager, "Apply", api_version, subresource), api_version, now, fields)
    out = work.unchanged() or work.merged(force=force)
    return _with_last_applied(out, applied) if manager == KUBECTL else out


class _Apply:
    """One apply request on its way."""

    def __init__(
        self, live: Obj | None, applied: Obj, what: Shape, me: Id, version: str, now: float, fields: Fields
    ) -> None:
        self.live = live
        self.applied = applied
        self.what = what
        self.me = me
        self.version = version
        self.now = now
        self.set = fields
        self.fields = fieldsets.difference(fields, UNTRACKED)
        self.owners = owners_of(live)

    def unchanged(self) -> Obj | None:
        """Return the live object when its owner applies the same again and all of it is still so."""
        mine = self.owners.get(self.me)
        if self.live is None or mine is None or mine.version != self.version or mine.fields != self.fields:
            return None
        return self.live if typed.merge(self.what, self.live, self.applied) is self.live else None

    def merged(self, *, force: bool) -> Obj:
        """Merge, prune, settle who owns what, and return the object."""
        live = self.live if self.live is not None else {}
        if not self.owners and self.live is not None:
            self._adopt(self.live)
        before = dict(self.owners)
        last = before.pop(self.me, None)
        merged = typed.merge(self.what, live, self.applied)
        everyone = [owner.fields for owner in before.values()]
        given_up = fieldsets.difference(last.fields, self.fields) if last is not None else {}
        if last is not None and given_up:
            merged = prune(self.what, merged, last.fields, [*everyone, self.set])
        changes = typed.compare(self.what, live, merged, inline_of(live or self.applied, self.what.node))
        taken = fieldsets.union(changes.modified, changes.added)
        conflicts = _conflicts(before, taken)
        if conflicts and not force:
            conflicts = self._not_excused(conflicts)
            if conflicts:
                raise refusals.conflict(conflicts)
        lost = fieldsets.union(taken, changes.removed)
        after = _taken_from(before, lost) if lost else before
        unchanged = merged is live or merged == live
        if self.fields:
            kept = unchanged and self.live is not None
            time = (last.time if last else "") if kept else _time(self.now, self.me.subresource)
            after[self.me] = Owner(self.fields, self.version, time)
        merged = live if unchanged else typed.settle(self.what, merged, live)
        return with_owners(merged, cap(after), self.live)

    def _adopt(self, live: Obj) -> None:
        """Give what nobody owns to a manager of its own, so that applying takes nothing unnoticed."""
        found = typed.compare(self.what, {}, live, inline_of(live, self.what.node))
        fields = fieldsets.difference(fieldsets.union(found.added, found.modified), UNTRACKED)
        for path in _resets(self.what, live, self.me.subresource, None):
            fields = fieldsets.without(fields, tuple(f"f:{name}" for name in path))
        if fields:
            id_ = _id(BEFORE_FIRST_APPLY, "Update", self.version, self.me.subresource)
            self.owners[id_] = Owner(fields, self.version, rfc3339(self.now))

    def _not_excused(self, conflicts: dict[Id, Fields]) -> dict[Id, Fields]:
        """Take out what ``kubectl apply`` set client-side: kubectl itself may take that over."""
        excused = self._client_side()
        if self.me.manager != KUBECTL or not excused:
            return conflicts
        left = {id_: fieldsets.difference(fields, excused) for id_, fields in conflicts.items()}
        return {id_: fields for id_, fields in left.items() if fields}

    def _client_side(self) -> Fields:
        """Return the fields of the last-applied annotation that still have its values."""
        live = self.live or {}
        text = (live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
        if not text:
            return {}
        try:
            last = json.loads(text)
        except ValueError:
            return {}
        if not isinstance(last, dict) or last.get("apiVersion") != self.version:
            return {}
        reader = typed.Reader()
        fields = reader.fields(self.what, last)
        if reader.errors:
            return {}
        differs = typed.compare(self.what, last, live)
        changed = fieldsets.union(fieldsets.union(differs.modified, differs.added), differs.removed)
        return fieldsets.difference(fields, changed)


def prune(what: Shape, merged: Obj, last: Fields, managed: list[Fields]) -> Obj:
    """Take out what the applier had set and nobody else owns (merge.Updater.prune)."""
    mine = typed.named(what, last)
    pruned = typed.remove(what, merged, mine) or {}
    everyone: Fields = {}
    for fields in managed:
        everyone = fieldsets.union(everyone, fields)
    there = typed.named(what, typed.fields_of(what, merged))
    kept = fieldsets.union(typed.named(what, typed.fields_of(what, pruned)), typed.named(what, everyone))
    pruned = typed.remove(what, merged, fieldsets.difference(there, kept)) or {}
    gone = fieldsets.difference(there, typed.named(what, typed.fields_of(what, pruned)))
    out: Obj = typed.remove(what, merged, fieldsets.intersection(gone, mine)) or {}
    return out


def updated(
    old: Obj | None,
    new: Obj,
    node: Node | None,
    *,
    manager: str,
    api_version: str,
    now: float,
    subresource: str = "",
    operation: str = "Update",
    reset: Iterable[Path] | None = None,
    memo: Memo | None = None,
    drawn: Drawn | None = None,
) -> Obj:
    """Return the new object with managedFields that say what this write changed.

    ``old`` is None for a create. A write may hand over managedFields of its own, and ``[]`` forgets
    them all; an object without any stays without until it is applied. The old list itself comes
    back when no ownership changes. With a ``memo``, writes alike share their managedFields.
    """
    by = _id(manager or "unknown", operation, api_version, subresource)
    forgets = new.get("metadata", {}).get("managedFields") in ([], [{}])
    if memo is None or reset is not None or forgets:
        return _updated(old, new, node, by, api_version, now, reset)
    outlined = drawn or outline(shape.of(node), old if old is not None else {}, new)
    if outlined is None:
        return _updated(old, new, node, by, api_version, now, None)
    how = _how(by, new, old, now)
    before = (old or {}).get("metadata", {}).get("managedFields")
    given = new["metadata"].get("managedFields") if "metadata" in new else None

    def make() -> list[Obj] | None:
        return (_updated(old, new, node, by, api_version, now, None).get("metadata") or {}).get("managedFields")

    def once() -> list[Obj] | None:
        if given is not None and given is not before:
            return make()
        return beside(memo).updated(before, outlined, (*how[:2], *how[3:]), how[2], make)

    return _with_entries(new, memo.updated(before, given, outlined, how, once) or [])


def how_of(new: Obj, *, manager: str, api_version: str, now: float, subresource: str) -> tuple[Any, ...]:
    """Return what of an update, beside its outline, says who owns what after it; for :class:`Memo`."""
    return _how(_id(manager or "unknown", "Update", api_version, subresource), new, new, now)


def _how(by: Id, new: Obj, old: Obj | None, now: float) -> tuple[Any, ...]:
    return by, by.version, _time(now, by.subresource), new.get("apiVersion"), new.get("kind"), old is None


def _updated(
    old: Obj | None, new: Obj, node: Node | None, me: Id, api_version: str, now: float, reset: Iterable[Path] | None
) -> Obj:
    """Do what :func:`updated` says."""
    subresource = me.subresource
    owners = _decoded(old, new, subresource)
    if not owners and old is not None:
        return with_owners(new, owners, old)
    live = old if old is not None else {}
    what = shape.of(node)
    changes = typed.compare(what, live, new, inline_of(new, what.node))
    taken = fieldsets.union(changes.modified, changes.added)
    lost = fieldsets.union(taken, changes.removed)
    for path in _resets(what, new, subresource, reset):
        elements = tuple(f"f:{name}" for name in path)
        taken, lost = fieldsets.without(taken, elements), fieldsets.without(lost, elements)
    mine = fieldsets.difference(taken, UNTRACKED)
    after = _taken_from(owners, lost) if lost else owners
    if mine:
        had = after.get(me)
        fields = fieldsets.union(mine, had.fields) if had is not None else mine
        after[me] = Owner(fields, api_version, _time(now, subresource))
    elif after is owners or after == owners:
        return with_owners(new, owners, old)
    return with_owners(new, cap(after), old)


def _time(now: float, subresource: str) -> str:
    """Return the time of an entry; scaling loses it on the way to the scaled object (scalehandler.go)."""
    return "" if subresource == "scale" else rfc3339(now)


def _decoded(old: Obj | None, new: Obj, subresource: str) -> Owners:
    """Return the owners a write starts from: its own when it names some, else the live object's."""
    if subresource:
        return owners_of(old)
    given = new.get("metadata", {}).get("managedFields")
    if given is not None and (given == [] or given == [{}]):
        return {}
    live = (old or {}).get("metadata", {}).get("managedFields")
    if given is not live and not all(map(_is_readable, given or ())):
        return owners_of(old)
    return owners_of(new) or owners_of(old)


def _is_readable(entry: Any) -> bool:
    """Say whether the fields of an entry that a client sent are a set of fields."""
    return not isinstance(entry, dict) or fieldsets.readable(entry.get("fieldsV1") or {})


def _resets(what: Shape, obj: Obj, subresource: str, reset: Iterable[Path] | None) -> tuple[Path, ...]:
    """Return what this request cannot write; for custom resources only the caller knows."""
    if reset is not None:
        return tuple(reset)
    if what.node is None:
        return ()
    kind = str(obj.get("kind", ""))
    return RESET.get(f"{kind}/{subresource}" if subresource else kind) or RESET.get(subresource, ())


def _without(obj: Obj, path: Path) -> Obj:
    """Return an object without one field."""
    if path[0] not in obj:
        return obj
    out = {name: value for name, value in obj.items() if name != path[0]}
    if len(path) > 1 and isinstance(obj[path[0]], dict):
        out[path[0]] = _without(obj[path[0]], path[1:])
    return out


def _taken_from(owners: Owners, lost: Fields) -> Owners:
    """Return the owners without the fields that were changed or removed; who owns nothing is gone."""
    out: Owners = {}
    for id_, owner in owners.items():
        left = fieldsets.difference(owner.fields, lost)
        if left is owner.fields:
            out[id_] = owner
        elif left:
            out[id_] = owner._replace(fields=left)
    return out


def _conflicts(owners: Owners, taken: Fields) -> dict[Id, Fields]:
    found = {id_: fieldsets.intersection(owner.fields, taken) for id_, owner in owners.items()} if taken else {}
    return {id_: fields for id_, fields in found.items() if fields}


def cap(owners: Owners) -> Owners:
    """Merge the oldest updaters when there are more than ten (managedfields/internal/capmanagers.go)."""
    updaters = [id_ for id_ in owners if id_.operation == "Update"]
    if len(updaters) <= MAX_UPDATERS:
        return owners
    out = dict(owners)
    updaters.sort(key=lambda id_: (_seconds(out[id_].time), refusals.identifier(id_)))
    first: dict[str, Id] = {}
    length = len(updaters)
    for id_ in updaters:
        if length <= MAX_UPDATERS:
            break
        owner = out[id_]
        if owner.version not in first:
            first[owner.version] = id_
            continue
        bucket = _id(ANCIENT, "Update", owner.version, "")
        if bucket not in out:
            out[bucket] = out.pop(first[owner.version])
        out[bucket] = Owner(fieldsets.union(owner.fields, out[bucket].fields), owner.version, owner.time)
        del out[id_]
        length -= 1
    return out


def _seconds(time: str) -> float:
    try:
        return parse_time(time) if time else 0.0
    except ValueError:
        return 0.0


def with_owners(obj: Obj, owners: Owners, before: Obj | None) -> Obj:
    """Return the object with these owners, in upstream's order; entries that are as before are shared."""
    old = (before or {}).get("metadata", {}).get("managedFields") or []
    known = {_id(e.get("manager", ""), e["operation"], e["apiVersion"], e.get("subresource", "")): e for e in old}
    entries = [_entry(id_, owner, known.get(id_)) for id_, owner in owners.items()]
    if len(entries) > 1:
        entries.sort(key=_order)
    if len(entries) == len(old) and all(a is b for a, b in zip(entries, old, strict=True)):
        entries = old
    return _with_entries(obj, entries)


def _with_entries(obj: Obj, entries: list[Obj]) -> Obj:
    metadata = obj.get("metadata") or {}
    if metadata.get("managedFields") is entries or (not entries and "managedFields" not in metadata):
        return obj
    rest = {name: value for name, value in metadata.items() if name != "managedFields"}
    return {**obj, "metadata": {**rest, "managedFields": entries} if entries else rest}


def _entry(id_: Id, owner: Owner, old: Obj | None) -> Obj:
    if (
        old is not None
        and old.get("time", "") == owner.time
        and old["apiVersion"] == owner.version
        and (old.get("fieldsV1") is owner.fields or old.get("fieldsV1") == owner.fields)
    ):
        return old
    entry: Obj = {"manager": id_.manager, "operation": id_.operation, "apiVersion": owner.version}
    if owner.time:
        entry["time"] = owner.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = fieldsets.in_order(owner.fields)
    if id_.subresource:
        entry["subresource"] = id_.subresource
    return entry


def _order(entry: Obj) -> tuple[Any, ...]:
    """Order appliers before updaters, then by time, manager, version, subresource."""
    time = _seconds(entry.get("time", ""))
    return entry["operation"], time, entry["manager"], entry["apiVersion"], entry.get("subresource", "")


def _with_last_applied(out: Obj, applied: Obj) -> Obj:
    """Keep ``kubectl apply``'s own annotation in step where the object has it (lastappliedupdater.go)."""
    metadata = out.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if LAST_APPLIED not in annotations:
        return out
    text = json.dumps(applied, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    if annotations[LAST_APPLIED] == text:
        return out
    return {**out, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: text}}}
