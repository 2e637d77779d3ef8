"""Why is this object as it is? The chain from what a person wrote to the fact that blocks it.

In: a plane and an object. Out: a document with the owners above it, who wrote it, how it is,
what is below it, its events, and for a pod that has no node the scheduler's view of every node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import health
from kctl.api.errors import StatusError
from kctl.api.objects import Obj, controller_of, dig, key_of
from kctl.client.client import Client
from kctl.gitops.inventory import API_VERSION
from kctl.plan import claims, leaves, mending, residual
from kctl.plan.ownership import ref_of
from kctl.plan.tree import Family, node
from kctl.plane.plane import ControlPlane

if TYPE_CHECKING:
    from kctl.plan.ledger import Write

MOST_HELPED = 20
MOST_MENDED = 3
"""So many blockers are tried to be lifted, each in a fork."""


def explain(plane: ControlPlane, resource: str, obj: Obj) -> Obj:
    """Return the Explanation document of an object."""
    client = plane.client
    waits = claims.blocker(client, resource, obj, Told(client).warning)
    state = waits or claims.first_consumer(client, resource, obj) or health.of(resource, obj)
    family = Family(client)
    tree = node(resource, obj, family)
    blocked = unschedulable(family, resource, obj) if waits is None else []
    if resource == "pods" and obj["spec"].get("nodeName"):
        blocked = [obj]
    return {
        "apiVersion": API_VERSION,
        "kind": "Explanation",
        "object": ref_of(obj).text,
        "namespace": key_of(obj).namespace,
        "health": state.state,
        "reason": state.reason,
        "message": state.message,
        "owners": [ref_of(owner).text for owner in owners(plane, obj)],
        "written": writers(obj),
        "history": [write.data() for write in writes(plane, resource, obj)],
        "blockers": blockers(plane, obj),
        "applied": source(client, resource, obj),
        "children": tree["children"],
        "events": events(client, obj),
        "scheduling": scheduling(plane, *blocked),
    }


def writes(plane: ControlPlane, resource: str, obj: Obj) -> list[Write]:
    """Return the writes of the object that the log still knows."""
    from kctl.plan import ledger

    try:
        kind = plane.server.registry.storage(resource)
        return ledger.of_log(plane, kind, obj)
    except (KeyError, StatusError):
        return []


def blockers(plane: ControlPlane, obj: Obj) -> list[Obj]:
    """Return the entries of the third layer whose chain leads through the object."""
    name, namespace = ref_of(obj).text, key_of(obj).namespace
    found = [blocker.data() for blocker in residual.blockers(plane.client)]
    own = [e for e in found if namespace in (e["namespace"], "") and name in leaves.chain(plane, e)]
    return [
        {**entry, "remedies": mending.remedies(plane, entry) if n < MOST_MENDED else []}
        for n, entry in enumerate(leaves.with_leaves(plane, own))
    ]


def owners(plane: ControlPlane, obj: Obj) -> list[Obj]:
    """Return the chain of controlling owners, nearest first, as far as they exist."""
    found: list[Obj] = []
    while (ref := controller_of(obj)) is not None:
        kind = plane.server.registry.by_kind(ref["apiVersion"], ref["kind"])
        if kind is None:
            break
        try:
            obj = plane.client.get(kind.resource, key_of(obj).namespace if kind.namespaced else "", ref["name"])
        except StatusError:
            break
        found.append(obj)
    return found


def writers(obj: Obj) -> list[Obj]:
    """Return who wrote the object: the managers of its fields with the last time each wrote."""
    return [
        {
            "manager": entry.get("manager", ""),
            "operation": entry.get("operation", ""),
            "subresource": entry.get("subresource", ""),
            "time": entry.get("time", ""),
        }
        for entry in obj["metadata"].get("managedFields") or ()
    ]


def source(client: Client, resource: str, obj: Obj) -> str:
    """Return ``file:line`` of the manifest that last brought the object, "" when none did."""
    key = key_of(obj)
    rendered = {found["metadata"]["name"]: found for found in client.list("renderedsets.kctl.dev").items}
    intents = client.list("intents.kctl.dev").items
    for intent in sorted(intents, key=lambda found: -int(found["metadata"]["resourceVersion"])):
        objects = (rendered.get(intent["spec"]["renderedSet"]) or {}).get("spec", {}).get("objects") or ()
        for item in objects:
            if item["resource"] == resource and key_of(item["object"]) == key:
                return f"{item['file']}:{item['line']}"
    return ""


class Told:
    """What Events say, by the object they are about; each namespace is read once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._found: dict[str, dict[str, list[Obj]]] = {}

    def about(self, obj: Obj) -> list[Obj]:
        """Return the events about the object, oldest first."""
        namespace = key_of(obj).namespace or "default"
        found = self._found.get(namespace)
        if found is None:
            found = self._found[namespace] = {}
            for event in self._client.list("events", namespace).items:
                found.setdefault(dig(event, "involvedObject", "uid", default=""), []).append(event)
        uid = obj["metadata"].get("uid", "")
        return _entries(sorted(found.get(uid, ()), key=_when)) if uid else []

    def warning(self, obj: Obj) -> tuple[str, str] | None:
        """Return reason and message of the last Warning about the object."""
        found = [entry for entry in self.about(obj) if entry["type"] == "Warning"]
        return (found[-1]["reason"], found[-1]["message"]) if found else None


def events(client: Client, obj: Obj) -> list[Obj]:
    """Return the events about the object, oldest first."""
    return Told(client).about(obj)


def _when(event: Obj) -> tuple[str, int]:
    return event.get("lastTimestamp") or "", int(event["metadata"]["resourceVersion"])


def _entries(found: list[Obj]) -> list[Obj]:
    return [
        {
            "type": event.get("type", ""),
            "reason": event.get("reason", ""),
            "message": event.get("message", ""),
            "count": event.get("count", 1),
            "firstTimestamp": event.get("firstTimestamp", ""),
            "lastTimestamp": event.get("lastTimestamp", ""),
            "component": dig(event, "source", "component", default=""),
        }
        for event in found
    ]


def unschedulable(family: Family, resource: str, obj: Obj) -> list[Obj]:
    """Return one pod per reason among the object's pods that no node takes."""
    pods = [obj] if resource == "pods" else []
    level = [obj]
    while level:
        below = [found for parent in level for found in family.children(parent)]
        pods += [child for kind, child in below if kind == "pods"]
        level = [child for kind, child in below if kind != "pods"]
    first: dict[str, Obj] = {}
    for pod in sorted((pod for pod in pods if not pod["spec"].get("nodeName")), key=key_of):
        state = health.of("pods", pod)
        if state.reason in ("Unschedulable", "SchedulingGated"):
            first.setdefault(state.message, pod)
    return list(first.values())


def scheduling(plane: ControlPlane, *pods: Obj) -> list[Obj]:
    """Return the scheduler's decision for pods, with their names, every obstacle of every node, and what would help.

    Of many pods the first ones are told what would help.
    """
    from kctl.plane.placing import MOST_REMEDIES, Picture

    if not pods:
        return []
    picture = Picture(plane)
    out = []
    for n, pod in enumerate(pods):
        decision = picture.explain(pod, most=MOST_REMEDIES if n < MOST_HELPED else 0)
        out.append({"pod": pod["metadata"]["name"], "namespace": key_of(pod).namespace, **decision})
    return out
