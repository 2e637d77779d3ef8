"""The ledger of writes: who wrote what, when, because of what.

After the fact, from the log: for one object each state that an instant ended with, whose fields changed, the cause of the
entry, and the owner's write it answers. Field managers are programs, as upstream's; which controller of
kube-controller-manager it was follows from the part that changed. During a run, from the writes themselves:
:class:`Ledger` knows the loop and the key it was at. Not here: intermediate states of an instant, which no log keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.clock import rfc3339
from kctl.api.objects import Key, Obj, annotations_of, controller_of, key_of, printed_name
from kctl.client.client import WatchEvent
from kctl.gitops import fielddiff
from kctl.plan.ownership import ref_of

if TYPE_CHECKING:
    from typing import Self

    from kctl.api.registry import Kind
    from kctl.plane.plane import ControlPlane

MANAGER, SCHEDULER = "kube-controller-manager", "kube-scheduler"
MIRROR = "kubernetes.io/config.mirror"
OF_OWNER: Mapping[str, str] = {
    "CronJob": "cronjob-controller",
    "DaemonSet": "daemonset-controller",
    "Deployment": "deployment-controller",
    "Job": "job-controller",
    "ReplicaSet": "replicaset-controller",
    "ReplicationController": "replication-controller",
    "StatefulSet": "statefulset-controller",
}
"""Who makes and scales what a workload owns, and writes the workload's status."""
OF_RESOURCE: Mapping[str, str] = {
    "endpoints": "endpoints-controller",
    "endpointslices.discovery.k8s.io": "endpointslice-controller",
    "horizontalpodautoscalers.autoscaling": "horizontal-pod-autoscaler",
    "namespaces": "namespace-controller",
    "nodes": "node-lifecycle-controller",
    "persistentvolumeclaims": "persistentvolume-binder",
    "persistentvolumes": "persistentvolume-binder",
    "poddisruptionbudgets.policy": "disruption-controller",
    "resourcequotas": "resourcequota-controller",
    "serviceaccounts": "serviceaccount-controller",
    "volumeattachments.storage.k8s.io": "attachdetach-controller",
}
QUIET = frozenset({"metadata.generation", "status.observedGeneration"})
TIMES = ("lastTransitionTime", "lastUpdateTime", "lastProbeTime", "lastHeartbeatTime", "observedGeneration")


class Write(NamedTuple):
    """What became of one object in one entry of the log."""

    revision: int
    at: float
    cause: str
    """The cause of the entry: apply, converge, a request."""
    by: tuple[str, ...]
    what: str
    """created, changed or deleted."""
    because: str
    changes: tuple[Obj, ...]

    def data(self) -> Obj:
        """Return the row."""
        return {
            "revision": self.revision,
            "time": rfc3339(self.at),
            "cause": self.cause,
            "by": list(self.by),
            "what": self.what,
            "because": self.because,
            "changes": list(self.changes),
        }


class State(NamedTuple):
    """An object at a revision, None when it was deleted, with the entry of the log that has it."""

    revision: int
    entry: Any
    obj: Obj | None


def of_log(plane: ControlPlane, kind: Kind, obj: Obj) -> list[Write]:
    """Return the writes of an object that the log still knows, oldest first."""
    owner = controller_of(obj)
    above = plane.server.registry.by_kind(owner["apiVersion"], owner["kind"]) if owner else None
    keys = {_place(kind, key_of(obj)): "own"}
    if owner is not None and above is not None:
        keys[_place(above, Key(key_of(obj).namespace, owner["name"]))] = "owner"
    states = _states(plane, keys)
    owners = [state for role, state in states if role == "owner"]
    out: list[Write] = []
    last: Obj | None = None
    for state in (state for role, state in states if role == "own"):
        out.append(_write(kind, state, last, owners))
        last = state.obj
    return out


def _place(kind: Kind, key: Key) -> str:
    return f"/{kind.resource}/{key.namespace}/{key.name}"


def _states(plane: ControlPlane, keys: Mapping[str, str]) -> list[tuple[str, State]]:
    """Return the states of some keys in order of revision, each with its key's role."""
    store = plane.store
    after = store.compacted()
    entries = [entry for entry in store.entries() if entry.first <= entry.last]
    found: list[tuple[str, State]] = []
    position = 0
    for place, role in keys.items() if after else ():
        kv = store.get(place, revision=after)
        if kv is not None and entries:
            found.append((role, State(kv.mod_revision, entries[0], plane.server.storage.decode(kv.value))))
    for change in store.changes(after):
        while position < len(entries) - 1 and entries[position].last < change.revision:
            position += 1
        known = keys.get(change.key)
        if known is not None and entries:
            obj = None if change.value is None else plane.server.storage.decode(change.value)
            found.append((known, State(change.revision, entries[position], obj)))
    return found


def _write(kind: Kind, state: State, last: Obj | None, owners: list[State]) -> Write:
    entry, obj = state.entry, state.obj
    if obj is None:
        return Write(state.revision, entry.now, entry.cause, (), "deleted", "", ())
    changes = changed(last, obj) if last is not None else []
    parts = {"status" if change["path"].startswith("status") else "spec" for change in changes}
    by = tuple(_named(program, sub, kind, obj) for program, sub in _writers(last, obj, entry.now))
    if kind.resource == "pods" and _node(obj) and not _node(last) and MIRROR not in annotations_of(obj):
        by = (*by, SCHEDULER)  # who binds leaves no trace among the fields' managers
    because = ""
    if any(name.startswith(MANAGER) for name in by) and (last is None or "spec" in parts):
        because = _because(state, owners)
    return Write(
        state.revision, entry.now, entry.cause, by, "created" if last is None else "changed", because, tuple(changes)
    )


def _node(pod: Obj | None) -> str:
    return str(((pod or {}).get("spec") or {}).get("nodeName") or "")


def _writers(last: Obj | None, obj: Obj, at: float) -> list[tuple[str, str]]:
    """Return the field managers, with their subresources, that wrote since the last state."""

    def entries(of: Obj | None) -> dict[tuple[str, str, str], Obj]:
        found = ((of or {}).get("metadata") or {}).get("managedFields") or ()
        return {(e.get("manager", ""), e.get("operation", ""), e.get("subresource", "")): e for e in found}

    before, when = entries(last), rfc3339(at)
    return [
        (manager, subresource)
        for (manager, operation, subresource), entry in entries(obj).items()
        if before.get((manager, operation, subresource)) != entry or (last is None and entry.get("time") == when)
    ]


def _named(program: str, subresource: str, kind: Kind, obj: Obj) -> str:
    """Return who wrote: a controller where the program is their manager, and what it wrote says which."""
    if program != MANAGER:
        return program
    owner = (controller_of(obj) or {}).get("kind", "")
    name = OF_OWNER.get(kind.kind if subresource == "status" or not owner else owner) or OF_RESOURCE.get(kind.resource)
    return f"{program} ({name})" if name else program


def _because(state: State, owners: list[State]) -> str:
    """Return the owner's last write that was not of its status alone, with its revision."""
    last: State | None = None
    before: Obj | None = None
    for owner in owners:
        if owner.revision >= state.revision and last is not None:
            break
        if owner.obj is not None and (before is None or before.get("spec") != owner.obj.get("spec")):
            last = owner
        before = owner.obj
    if last is None or last.obj is None:
        return ""
    when = "in the same instant" if last.entry.index == state.entry.index else f"at revision {last.revision}"
    return f"{ref_of(last.obj).text} {when}"


def changed(before: Obj | None, after: Obj | None) -> list[Obj]:
    """Return the fields that differ, those of the status too; times that only follow other fields are left out."""
    found = fielddiff.changes(before, after)
    old, new = ({"status": _by_type((obj or {}).get("status"))} for obj in (before, after))
    found += fielddiff.changes({"now": old["status"]}, {"now": new["status"]})
    out = [{**change.data(), "path": _renamed(change.path)} for change in found]
    return [change for change in out if change["path"] not in QUIET and not change["path"].endswith(TIMES)]


def _renamed(path: str) -> str:
    return f"status{path[3:]}" if path == "now" or path.startswith("now.") else path


def _by_type(status: object) -> object:
    """Return a status whose conditions are a map, so that each is compared with itself."""
    if not isinstance(status, dict) or not isinstance(status.get("conditions"), list):
        return status or {}
    return {**status, "conditions": {c.get("type", ""): c for c in status["conditions"] if isinstance(c, dict)}}


class Row(NamedTuple):
    """One write of a run, by the loop that made it, while it was at a key."""

    at: float
    loop: str
    key: Key | None
    what: str
    object: str
    event: WatchEvent

    def data(self) -> Obj:
        """Return the row with what changed."""
        event = self.event
        old, new = event.old, None if event.type == "DELETED" else event.object
        return {
            "time": rfc3339(self.at),
            "controller": self.loop,
            "key": "" if self.key is None else str(self.key),
            "what": self.what,
            "namespace": key_of(event.object).namespace,
            "object": self.object,
            "changes": changed(old, new) if old is not None and new is not None else [],
        }


class Ledger:
    """The writes of the runs made while a ``with`` block lasts, in order; Events are left out."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._rows: list[Row] = []
        self._stops: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        registry = self._plane.server.registry
        storage = self._plane.server.storage
        for resource in sorted({kind.resource for kind in registry.all()} - {"events", "events.events.k8s.io"}):
            self._stops.append(storage.subscribe(resource, self._take))
        return self

    def __exit__(self, *_: object) -> None:
        for stop in self._stops:
            stop()

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def _take(self, announced: Any) -> None:
        if self._plane.server.storage.is_forked:
            return
        loop, key = self._plane.converger.manager.acting()
        what = {"ADDED": "created", "DELETED": "deleted"}.get(announced.type, "changed")
        event = WatchEvent(announced.type, announced.resource, announced.object, announced.old)
        obj = event.object
        group = event.resource.partition(".")[2]
        name = printed_name(obj.get("kind") or event.resource, group, key_of(obj).name)
        self._rows.append(Row(self._plane.now, loop, key, what, name, event))

    def data(self) -> list[Obj]:
        """Return the rows."""
        return [row.data() for row in self._rows]
