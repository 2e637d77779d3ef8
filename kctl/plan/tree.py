"""The health tree: what people wrote, and below it what controllers made of it.

In: a client. Out: nodes as data. Pods stay together by owner and state, so that the tree of
ten thousand pods is as short as that of ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kctl.api import health
from kctl.api.objects import Key, Obj, controller_uid, key_of, printed_name
from kctl.client.client import Client
from kctl.gitops import inventory
from kctl.plan import claims, residual
from kctl.plan.ownership import ref_of

CHILDREN = ("replicasets.apps", "jobs.batch", "pods")


class Family:
    """The objects of the kinds that have owners, by the uid of their controller."""

    def __init__(self, client: Client) -> None:
        self._by_owner: dict[str, list[tuple[str, Obj]]] = {}
        for resource in CHILDREN:
            for obj in client.list(resource).items:
                owner = controller_uid(obj)
                if owner:
                    self._by_owner.setdefault(owner, []).append((resource, obj))

    def children(self, obj: Obj) -> list[tuple[str, Obj]]:
        """Return the (resource, object) pairs that the object controls."""
        return self._by_owner.get(obj["metadata"].get("uid", ""), [])


class Target(NamedTuple):
    """An object by resource and key."""

    resource: str
    key: Key


def status(client: Client, targets: Sequence[Target], family: Family | None = None) -> Obj:
    """Return the Status document: a node per target, blockers, and whether all is Current."""
    family = family or Family(client)
    nodes = []
    for target in targets:
        obj = find(client, target)
        if obj is None:
            state = finished(client, target) or MISSING
            nodes.append({"object": _named(target), "namespace": target.key.namespace, **state, "children": []})
        else:
            nodes.append(node(target.resource, obj, family) | _waiting(client, target.resource, obj))
    left = [blocker.data() for blocker in residual.blockers(client)]
    return {
        "apiVersion": inventory.API_VERSION,
        "kind": "Status",
        "current": not left and all(is_current(found) for found in nodes),
        "objects": nodes,
        "blockers": left,
    }


def _waiting(client: Client, resource: str, obj: Obj) -> Obj:
    state = claims.first_consumer(client, resource, obj)
    return {"health": state.state, "reason": state.reason, "message": state.message} if state else {}


MISSING: Obj = {"health": "Missing", "reason": "NotFound", "message": "it was applied and is not there"}


def finished(client: Client, target: Target) -> Obj | None:
    """Return how a Job ended that its ttlSecondsAfterFinished has removed; None for what is gone otherwise.

    Its events outlive it: the job controller says at the end whether it completed, or why it failed.
    """
    if target.resource != "jobs.batch":
        return None
    last: Obj | None = None
    for event in client.list("events", target.key.namespace).items:
        about = event.get("involvedObject") or {}
        if (about.get("kind"), about.get("name")) != ("Job", target.key.name):
            continue
        if event.get("reason") == "Completed" or (event.get("type") == "Warning" and event["reason"] in FAILURES):
            last = event
    if last is None or not _has_ttl(client, target):
        return None
    why = f"{last.get('message', '')}, and its ttlSecondsAfterFinished removed it"
    return {
        "health": "Current" if last["reason"] == "Completed" else "Failed",
        "reason": last["reason"],
        "message": why,
    }


FAILURES = ("BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy")


def _has_ttl(client: Client, target: Target) -> bool:
    """Say whether the manifest that was applied last lets the Job be removed."""
    for found in sorted(client.list("renderedsets.kctl.dev").items, key=_age, reverse=True):
        for item in found["spec"].get("objects") or ():
            obj = item["object"]
            if item["resource"] == target.resource and key_of(obj)._replace(namespace=_scope(obj)) == target.key:
                return obj["spec"].get("ttlSecondsAfterFinished") is not None
    return False


def _scope(obj: Obj) -> str:
    return str(obj["metadata"].get("namespace") or "default")


def _age(obj: Obj) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _named(target: Target) -> str:
    """Return how a line names an object that is not there."""
    from kctl.api.registry import builtin

    try:
        kind = builtin().storage(target.resource)
    except KeyError:
        return f"{target.resource}/{target.key.name}"
    return printed_name(kind.kind, kind.group, target.key.name)


def find(client: Client, target: Target) -> Obj | None:
    """Return the object, None when it is not there."""
    return inventory.read_at(client, target.resource, target.key)


def node(resource: str, obj: Obj, family: Family) -> Obj:
    """Return the tree below one object."""
    state = health.of(resource, obj)
    children = family.children(obj)
    others = [
        (kind, child)
        for kind, child in children
        if kind != "pods" and not (kind == "replicasets.apps" and _is_history(child, family))
    ]
    below = [node(kind, child, family) for kind, child in sorted(others, key=lambda found: key_of(found[1]))]
    below += _pods([child for kind, child in children if kind == "pods"])
    return {
        "object": ref_of(obj).text,
        "namespace": key_of(obj).namespace,
        "health": state.state,
        "reason": state.reason,
        "message": state.message,
        "children": below,
    }


def _is_history(rs: Obj, family: Family) -> bool:
    """Say whether a ReplicaSet is kept for rollbacks only."""
    return not rs["spec"].get("replicas") and not family.children(rs)


def _pods(pods: Iterable[Obj]) -> list[Obj]:
    """Return a node per state of the pods; one pod alone is named."""
    groups: dict[health.Health, list[Obj]] = {}
    for pod in pods:
        groups.setdefault(health.of("pods", pod), []).append(pod)
    out = []
    for state, found in sorted(groups.items()):
        names = sorted(pod["metadata"]["name"] for pod in found)
        out.append(
            {
                "object": f"pod/{names[0]}" if len(names) == 1 else f"{len(names)} pods",
                "namespace": key_of(found[0]).namespace,
                "health": state.state,
                "reason": state.reason,
                "message": state.message,
                "pods": names,
                "nodes": sorted({pod["spec"]["nodeName"] for pod in found if pod["spec"].get("nodeName")}),
                "children": [],
            }
        )
    return out


def is_current(found: Obj) -> bool:
    """Say whether a node and everything below it is Current; what is not simulated is not judged."""
    return found["health"] in ("Current", "Unknown") and all(is_current(child) for child in found["children"])


def applied(client: Client) -> list[Target]:
    """Return what the inventories say was applied, in order of namespace, resource and name."""
    targets = {
        Target(entry.resource, entry.key)
        for found in client.list(inventory.RESOURCE).items
        for entry in inventory.entries(found)
    }
    return sorted(targets, key=lambda target: (target.key.namespace, target.resource, target.key.name))
