"""The third layer: what is not as desired once nothing moves any more, and why.

Leaves only: a Deployment that waits for pods is told by its pods' reason. Equal reasons of one
owner are counted together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from kctl.api import health
from kctl.api.objects import Obj, annotations_of, is_deleting, key_of
from kctl.client.client import Client
from kctl.gitops.applied import sets
from kctl.gitops.intent import FINISHED
from kctl.plan import drains
from kctl.plan.claims import Claims
from kctl.plan.ownership import Owners, Ref, ref_of
from kctl.plan.placement import displaced

INCONCLUSIVE = frozenset({"ContainerCreating", "ContainersNotReady", "LoadBalancerPending", "NotReady", "Progressing"})
"""Reasons that say that, not why: a Warning event of the object knows more."""


class Blocker(NamedTuple):
    """Objects of one owner that are not as desired for one reason."""

    namespace: str
    object: str
    owner: str
    reason: str
    message: str
    size: int

    def data(self) -> Obj:
        """Return the entry of the report."""
        return {
            "namespace": self.namespace,
            "object": self.object,
            "owner": self.owner,
            "reason": self.reason,
            "message": self.message,
            "count": self.size,
        }


class _Warnings:
    """The last Warning about each object; Events are read when somebody asks, which is seldom."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._last: dict[str, tuple[str, str, str]] | None = None

    def last(self, obj: Obj) -> tuple[str, str] | None:
        """Return reason and message of the last Warning about an object."""
        if self._last is None:
            self._last = self._read()
        found = self._last.get(obj["metadata"]["uid"])
        return found[1:] if found is not None else None

    def _read(self) -> dict[str, tuple[str, str, str]]:
        last: dict[str, tuple[str, str, str]] = {}
        for event in self._client.list("events", field_selector="type=Warning").items:
            uid = (event.get("involvedObject") or {}).get("uid", "")
            when = event.get("lastTimestamp") or ""
            if uid not in last or last[uid][0] <= when:
                last[uid] = (when, event.get("reason", ""), event.get("message", ""))
        return last


def blockers(client: Client) -> list[Blocker]:
    """Return why the cluster is not as desired; empty when it is."""
    pods = client.list("pods").items
    nodes = client.list("nodes").items
    replicasets = client.list("replicasets.apps").items
    jobs = client.list("jobs.batch").items
    owners = Owners([*replicasets, *jobs, *pods])
    warnings = _Warnings(client)
    found: list[tuple[Ref, Ref, str, str]] = []
    blocked: set[Ref] = set()
    by_name = {node["metadata"]["name"]: node for node in nodes}
    claims = Claims(client, warnings.last)
    gone = {ref_of(pod): why for pod in pods if (why := displaced(pod, by_name) or claims.blocker(pod)) is not None}
    for resource, objects in (
        ("pods", pods),
        ("nodes", nodes),
        ("services", client.list("services").items),
        ("namespaces", [ns for ns in client.list("namespaces").items if is_deleting(ns)]),
    ):
        found += _of(resource, objects, owners, warnings, blocked, gone)
    failed = [rs for rs in replicasets if health.of("replicasets.apps", rs).state == "Failed"]
    for resource, objects in (
        ("replicasets.apps", failed),
        ("deployments.apps", client.list("deployments.apps").items),
        ("statefulsets.apps", client.list("statefulsets.apps").items),
        ("daemonsets.apps", client.list("daemonsets.apps").items),
        ("jobs.batch", jobs),
    ):
        waiting = [obj for obj in objects if owners.top(obj) not in blocked]
        found += _of(resource, waiting, owners, warnings, blocked)
    found += [(ref_of(claim), ref_of(claim), reason, message) for claim, reason, message in claims.waiting()]
    found += _intents(client)
    found += drains.waiting(client)
    return _grouped(found)


def gone(client: Client, applied: Iterable[tuple[str, Obj]], left: Iterable[Obj]) -> list[Obj]:
    """Return entries for what was applied just now and is not there any more, though nobody said so.

    ``applied`` are (resource, object) pairs, ``left`` the entries there are: what was refused stands there.
    Not meant to stay are Jobs with a time to live and hooks that are cleaned up.
    """
    told = {(entry["namespace"], entry["object"]) for entry in left if entry["reason"] in ("Refused", "NotApplied")}
    if any(name.startswith("intent.kctl.dev/") for _, name in told):
        return []
    asked: dict[str, list[Obj]] = {}
    for resource, obj in applied:
        if not _may_leave(resource, obj):
            asked.setdefault(resource, []).append(obj)
    refs: list[Ref] = []
    for resource, objects in asked.items():
        found = client.find_many(resource, [key_of(obj) for obj in objects])
        refs += [ref_of(obj) for obj, there in zip(objects, found, strict=True) if there is None]
    message = "it was applied, and something has deleted it since"
    return [
        Blocker(ref.namespace, ref.text, ref.text, "Gone", message, 1).data()
        for ref in sorted(refs)
        if (ref.namespace, ref.text) not in told
    ]


def _may_leave(resource: str, obj: Obj) -> bool:
    """Say whether an object is meant to go once it has done its work."""
    if resource == "jobs.batch" and (obj.get("spec") or {}).get("ttlSecondsAfterFinished") is not None:
        return True
    return any(name.endswith("hook-delete-policy") for name in annotations_of(obj))


def _of(
    resource: str,
    objects: Iterable[Obj],
    owners: Owners,
    warnings: _Warnings,
    blocked: set[Ref],
    displaced: Mapping[Ref, health.Health] = MappingProxyType({}),
) -> list[tuple[Ref, Ref, str, str]]:
    found = []
    for obj in objects:
        state = (displaced.get(ref_of(obj)) if displaced else None) or health.of(resource, obj)
        if state.state == "Current":
            continue
        reason, message = state.reason, state.message
        if reason in INCONCLUSIVE:
            reason, message = warnings.last(obj) or (reason, message)
        top = owners.top(obj)
        blocked.add(top)
        found.append((ref_of(obj), top, reason, message))
    return found


def _intents(client: Client) -> list[tuple[Ref, Ref, str, str]]:
    """Return what of the applied sets was refused, or has not been carried out yet."""
    found = []
    for applied in sets(client):
        source = Ref("", f"intent.kctl.dev/{applied.name}")
        if applied.phase not in FINISHED:
            why = f": the next wave waits for {', '.join(applied.waits_for)}" if applied.waits_for else ""
            found.append((source, source, "NotApplied", f"the set has not been carried out to its end yet{why}"))
        for result in applied.results:
            if result["change"] == "failed":
                ref = ref_of({**result, "metadata": {"namespace": result["namespace"], "name": result["name"]}})
                found.append((ref, ref, "Refused", f"{result['file']}:{result['line']}: {result['message']}"))
    return found


def _grouped(found: Iterable[tuple[Ref, Ref, str, str]]) -> list[Blocker]:
    groups: dict[tuple[Ref, str, str], list[Ref]] = {}
    for ref, owner, reason, message in found:
        groups.setdefault((owner, reason, message), []).append(ref)
    out = [
        Blocker(owner.namespace, min(refs).text, owner.text, reason, message, len(refs))
        for (owner, reason, message), refs in groups.items()
    ]
    return sorted(out)
