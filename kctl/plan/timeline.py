"""What happened at which virtual time, one row for all pods of a workload that did the same at once.

In: changes with their times, from a run or from the log. Out: rows in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kctl.api.objects import Obj, condition, dig, is_condition_true
from kctl.client.client import WatchEvent
from kctl.plan.consequence import load_balancer_addresses, rollout_ends
from kctl.plan.ownership import Owners, Ref, ref_of
from kctl.plan.podfacts import Facts, Followed, facts_of
from kctl.plane.plane import ControlPlane

TOLD = (
    "pods",
    "replicasets.apps",
    "deployments.apps",
    "statefulsets.apps",
    "jobs.batch",
    "persistentvolumeclaims",
    "nodes",
    "services",
    "scenarios.sim.kctl.dev",
    "volumeattachments.storage.k8s.io",
)
IDENTITIES = "statefulset.apps/"
"""Whose pods are told by name."""
FEW = 3
"""So many are, at most."""


class Row(NamedTuple):
    """At ``at`` seconds ``times`` things of ``owner`` did ``what``."""

    at: float
    namespace: str
    owner: str
    what: str
    times: int
    names: tuple[str, ...] = ()
    """Which pods, where each is somebody: those of a StatefulSet, if they are few."""

    def data(self) -> Obj:
        """Return the row as the report lists it."""
        row: Obj = {
            "virtualSeconds": self.at,
            "namespace": self.namespace,
            "owner": self.owner,
            "what": self.what,
            "count": self.times,
        }
        return {**row, "names": list(self.names)} if self.names else row


class Diary:
    """What happened, while it happens."""

    def __init__(self) -> None:
        self._counts: dict[tuple[float, Ref, str], int] = {}
        self._claims: dict[str, Ref] = {}
        self._names: dict[tuple[float, Ref, str], list[str]] = {}

    def pod(self, owner: Ref, facts: tuple[Facts, Facts], at: float, name: str = "") -> None:
        """Take a change of a pod in; ``name`` is its own."""
        if facts[0] != facts[1]:
            has_identity = owner.text.startswith(IDENTITIES)
            for what in _pod(*facts):
                self._note(at, owner, what)
                if has_identity:
                    names = self._names.setdefault((at, owner, what), [])
                    if len(names) <= FEW:
                        names.append(name)

    def other(self, event: WatchEvent, at: float) -> None:
        """Take a change of something else in."""
        if event.resource == "persistentvolumeclaims" and (volume := dig(event.object, "spec", "volumeName")):
            self._claims[volume] = ref_of(event.object)
        if event.resource in TOLD:
            about = self._about(event)
            for what in happenings(event.resource, event.old, None if event.type == "DELETED" else event.object):
                self._note(at, about, what)

    def _about(self, event: WatchEvent) -> Ref:
        """Return who a change is about: of an attachment the claim whose volume it is, if that is known."""
        volume = dig(event.object, "spec", "source", "persistentVolumeName")
        if event.resource == "volumeattachments.storage.k8s.io" and volume:
            return self._claims.get(volume, Ref("", f"persistentvolume/{volume}"))
        return ref_of(event.object)

    def _note(self, at: float, owner: Ref, what: str) -> None:
        key = (at, owner, what)
        self._counts[key] = self._counts.get(key, 0) + 1

    def rows(self, started: float) -> list[Row]:
        """Return the rows; times count from ``started``."""
        counts: dict[tuple[float, Ref, str], int] = {}
        names: dict[tuple[float, Ref, str], list[str]] = {}
        for known, count in self._counts.items():
            key = (round(known[0] - started, 3), *known[1:])
            counts[key] = counts.get(key, 0) + count
            names.setdefault(key, []).extend(self._names.get(known, ()))
        out = [
            Row(at, owner.namespace, owner.text, what, count, _few(names[at, owner, what], count))
            for (at, owner, what), count in counts.items()
        ]
        return sorted(out, key=lambda row: row.at)  # stable: within an instant, in the order things happened


def _few(names: list[str], count: int) -> tuple[str, ...]:
    return tuple(sorted(names)) if len(names) == count <= FEW else ()


def rows(trace: Sequence[WatchEvent], times: Sequence[float], started: float) -> list[Row]:
    """Return the rows of a trace; times count from ``started``."""
    owners = Owners(event.object for event in trace)
    diary, followed = Diary(), Followed()
    for event, at in zip(trace, times, strict=True):
        if event.resource == "pods":
            name = event.object["metadata"]["name"]
            diary.pod(owners.top(event.object), followed.change(event), at, name)
        else:
            diary.other(event, at)
    return diary.rows(started)


def happenings(resource: str, old: Obj | None, new: Obj | None) -> Iterator[str]:
    """Yield what a change of one object means to a person."""
    if resource == "pods":
        yield from _pod(facts_of(old), facts_of(new))
    elif resource in ("replicasets.apps", "deployments.apps", "statefulsets.apps"):
        yield from _scale(old, new)
        if resource == "deployments.apps" and new is not None:
            yield from _rollout(old, new)
    elif resource == "jobs.batch":
        yield from _job(old, new)
    elif resource == "persistentvolumeclaims":
        if dig(new, "status", "phase") == "Bound" and dig(old, "status", "phase") != "Bound":
            yield f"bound to {dig(new, 'spec', 'volumeName', default='a volume')}"
    elif resource == "nodes":
        yield from _node(old, new)
    elif resource == "scenarios.sim.kctl.dev":
        yield from _scenario(old, new)
    elif resource == "volumeattachments.storage.k8s.io":
        yield from _attachment(old, new)
    elif (before := load_balancer_addresses(old)) != (after := load_balancer_addresses(new)):
        yield f"load balancer {', '.join(after)}" if after else f"load balancer {', '.join(before)} gone"


def _pod(old: Facts, new: Facts) -> Iterator[str]:
    if not new.is_there:
        yield "pods gone"
        return
    if not old.is_there:
        yield "pods created"
    if new.is_deleting:
        if not old.is_deleting:
            yield "pods terminating"
        return
    if new.node and not old.node:
        yield "pods scheduled"
    if new.phase != old.phase and new.phase in ("Running", "Succeeded", "Failed"):
        yield f"pods {new.phase.lower()}"
    yield from _flag(old.is_ready, new.is_ready, "pods ready", "pods not ready")
    if new.trouble and new.trouble != old.trouble:
        yield f"pods {new.trouble}"


def _rollout(old: Obj | None, new: Obj) -> Iterator[str]:
    """Yield how a rollout goes, as its Progressing condition says, and that it was paused or resumed."""
    yield from rollout_ends(old, new)
    was, is_ = (bool(dig(obj, "spec", "paused")) for obj in (old, new))
    yield from _flag(was, is_, "paused", "resumed")
    failed, fails = (is_condition_true(obj, "ReplicaFailure") if obj is not None else False for obj in (old, new))
    if fails and not failed:
        yield f"pods refused: {(condition(new, 'ReplicaFailure') or {}).get('reason', '')}"


def _job(old: Obj | None, new: Obj | None) -> Iterator[str]:
    for type_, word in (("Complete", "completed"), ("Failed", "failed"), ("Suspended", "suspended")):
        if new is not None and is_condition_true(new, type_) and not (old and is_condition_true(old, type_)):
            reason = (condition(new, type_) or {}).get("reason", "")
            yield f"{word}: {reason}" if type_ == "Failed" else word


def _node(old: Obj | None, new: Obj | None) -> Iterator[str]:
    """Yield how a node fares: whether it is heard of, takes pods, and what taints drive pods away."""
    if new is None:
        yield "gone"
        return
    yield from _flag(_is_ready(old), _is_ready(new), "ready", "not ready")
    was, is_ = (bool(dig(obj, "spec", "unschedulable")) for obj in (old, new))
    yield from _flag(was, is_, "cordoned", "uncordoned")
    before, after = _driving(old), _driving(new)
    yield from (f"tainted {name}" for name in sorted(after - before))
    yield from (f"no longer tainted {name}" for name in sorted(before - after))


def _driving(node: Obj | None) -> set[str]:
    taints = dig(node, "spec", "taints", default=())
    return {f"{taint.get('key')}:NoExecute" for taint in taints if taint.get("effect") == "NoExecute"}


def _scenario(old: Obj | None, new: Obj | None) -> Iterator[str]:
    """Yield what a scenario did, and what it waits for."""
    if dig(new, "status", "startedAt") and not dig(old, "status", "startedAt"):
        yield "the clock starts"
    log = dig(new, "status", "log", default=[])
    for entry in log[len(dig(old, "status", "log", default=[])) :]:
        yield f"{entry['what']}: {entry['error']}" if entry.get("error") else entry["what"]
    before = {_refused(entry) for entry in dig(old, "status", "draining", default=[])} - {""}
    for entry in dig(new, "status", "draining", default=[]):
        text = _refused(entry)
        if text and text not in before:
            yield text


def _refused(entry: Obj) -> str:
    pods = [found["name"] for found in entry.get("waiting") or ()]
    return f"the drain of node/{entry['node']} waits for {', '.join(pods)}" if pods else ""


def _attachment(old: Obj | None, new: Obj | None) -> Iterator[str]:
    """Yield where a volume is attached."""
    obj = new or old
    node = dig(obj, "spec", "nodeName")
    was, is_ = (bool(dig(state, "status", "attached")) for state in (old, new))
    yield from _flag(was, is_, f"attached to {node}", f"detached from {node}")


def _is_ready(obj: Obj | None) -> bool:
    return obj is not None and is_condition_true(obj, "Ready")


def _flag(was: bool, is_: bool, yes: str, no: str) -> Iterator[str]:
    if is_ and not was:
        yield yes
    if was and not is_ and no:
        yield no


def _scale(old: Obj | None, new: Obj | None) -> Iterator[str]:
    before, after = (dig(obj, "spec", "replicas", default=0) for obj in (old, new))
    if new is not None and before != after:
        yield f"scaled {before} -> {after}"


def history(plane: ControlPlane) -> Iterator[tuple[list[WatchEvent], float]]:
    """Yield what the log still knows, entry by entry: the last state of each object it changed, and when.

    Raises Compacted when nothing but the present is left.
    """
    store = plane.store
    entries = [entry for entry in store.entries() if entry.first <= entry.last]
    last: dict[str, Obj] = {}
    position = 0
    events: list[WatchEvent] = []
    for change in store.changes(store.compacted()):
        while position < len(entries) - 1 and entries[position].last < change.revision:
            if events:
                yield events, entries[position].now
            events = []
            position += 1
        resource = change.key.split("/", 2)[1]
        if resource not in TOLD:
            continue
        old = last.get(change.key)
        if change.value is None:
            if old is not None:
                events.append(WatchEvent("DELETED", resource, last.pop(change.key), old))
        else:
            new = last[change.key] = plane.server.storage.decode(change.value)
            events.append(WatchEvent("ADDED" if old is None else "MODIFIED", resource, new, old))
    if events:
        yield events, entries[position].now
