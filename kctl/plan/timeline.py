"""What happened at which virtual time, one row for all pods of a workload that did the same at once.

In: changes with their times, from a run or from the log. Out: rows in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kctl.api.objects import Obj, dig, is_condition_true, is_deleting
from kctl.client.client import WatchEvent
from kctl.plan.consequence import load_balancer_addresses
from kctl.plan.ownership import Owners, Ref, ref_of
from kctl.plane.plane import ControlPlane

TOLD = ("pods", "replicasets.apps", "deployments.apps", "nodes", "services")


class Row(NamedTuple):
    """At ``at`` seconds ``times`` things of ``owner`` did ``what``."""

    at: float
    namespace: str
    owner: str
    what: str
    times: int

    def data(self) -> Obj:
        """Return the row as the report lists it."""
        return {
            "virtualSeconds": self.at,
            "namespace": self.namespace,
            "owner": self.owner,
            "what": self.what,
            "count": self.times,
        }


def rows(trace: Sequence[WatchEvent], times: Sequence[float], started: float) -> list[Row]:
    """Return the rows of a trace; times count from ``started``."""
    owners = Owners(event.object for event in trace)
    counts: dict[tuple[float, Ref, str], int] = {}
    for event, at in zip(trace, times, strict=True):
        if event.resource not in TOLD:
            continue
        new = None if event.type == "DELETED" else event.object
        owner = owners.top(event.object) if event.resource == "pods" else ref_of(event.object)
        for what in happenings(event.resource, event.old, new):
            key = (round(at - started, 3), owner, what)
            counts[key] = counts.get(key, 0) + 1
    out = [Row(at, owner.namespace, owner.text, what, count) for (at, owner, what), count in counts.items()]
    return sorted(out, key=lambda row: row.at)  # stable: within an instant, in the order things happened


def happenings(resource: str, old: Obj | None, new: Obj | None) -> Iterator[str]:
    """Yield what a change of one object means to a person."""
    if resource == "pods":
        yield from _pod(old, new)
    elif resource in ("replicasets.apps", "deployments.apps"):
        yield from _scale(old, new)
    elif resource == "nodes":
        yield from _flag(old, new, "Ready", "ready", "not ready")
    elif (before := load_balancer_addresses(old)) != (after := load_balancer_addresses(new)):
        yield f"load balancer {', '.join(after)}" if after else f"load balancer {', '.join(before)} gone"


def _pod(old: Obj | None, new: Obj | None) -> Iterator[str]:
    if new is None:
        yield "pods gone"
        return
    if old is None:
        yield "pods created"
    if is_deleting(new):
        if old is None or not is_deleting(old):
            yield "pods terminating"
        return
    if dig(new, "spec", "nodeName") and not dig(old, "spec", "nodeName"):
        yield "pods scheduled"
    phase = dig(new, "status", "phase")
    if phase != dig(old, "status", "phase") and phase in ("Running", "Succeeded", "Failed"):
        yield f"pods {phase.lower()}"
    yield from _flag(old, new, "Ready", "pods ready", "pods not ready")


def _flag(old: Obj | None, new: Obj | None, condition: str, yes: str, no: str) -> Iterator[str]:
    was = old is not None and is_condition_true(old, condition)
    is_ = new is not None and is_condition_true(new, condition)
    if is_ and not was:
        yield yes
    if was and not is_ and new is not None:
        yield no


def _scale(old: Obj | None, new: Obj | None) -> Iterator[str]:
    before, after = (dig(obj, "spec", "replicas", default=0) for obj in (old, new))
    if new is not None and before != after:
        yield f"scaled {before} -> {after}"


def history(plane: ControlPlane) -> tuple[list[WatchEvent], list[float]]:
    """Return what the log still knows as a trace: per entry the last state of each object it changed.

    Raises Compacted when nothing but the present is left.
    """
    store = plane.store
    entries = [entry for entry in store.entries() if entry.first <= entry.last]
    trace: list[WatchEvent] = []
    times: list[float] = []
    last: dict[str, Obj] = {}
    position = 0
    for change in store.changes(store.compacted()):
        while position < len(entries) - 1 and entries[position].last < change.revision:
            position += 1
        resource = change.key.split("/", 2)[1]
        if resource not in TOLD:
            continue
        old = last.get(change.key)
        if change.value is None:
            if old is None:
                continue
            trace.append(WatchEvent("DELETED", resource, last.pop(change.key), old))
        else:
            new = plane.server.storage.decode(change.value)
            last[change.key] = new
            trace.append(WatchEvent("ADDED" if old is None else "MODIFIED", resource, new, old))
        times.append(entries[position].now)
    return trace, times
