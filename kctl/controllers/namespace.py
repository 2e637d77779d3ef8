"""namespace-controller: take everything out of a namespace that is being deleted, then let it go.

In: a terminating Namespace and what is left in it. Out: deletions, the conditions that say what
it waits for, and at the end the namespace without its finalizer.

Pods go first and everything else only when the last of them is gone, as OrderedNamespaceDeletion.
Objects of custom resources are found through their definitions. Events are not looked at one by one: they
go as a collection, with the rest, and hold the namespace only where one of them has finalizers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, dig, is_deleting, key_of
from kctl.api.registry import builtin
from kctl.client.cache import Caches
from kctl.client.client import Client
from kctl.runtime.act import carry_out
from kctl.runtime.actions import Action, Delete, DeleteCollection, Patch, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = "kubernetes"
EVENTS = "events"
"""What holds nothing back and nobody follows, for there are many."""
GRACE = 5.0
"""As upstream's namespaceDeletionGracePeriod: seconds before the contents are touched."""
FINE = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}
"""Reason and message of each condition while nothing is wrong."""


class Seen(NamedTuple):
    """The namespace and what is left in it, by resource."""

    namespace: Obj
    left: tuple[tuple[str, tuple[Obj, ...]], ...]


class NamespaceController(Controller):
    """Empties and finalizes terminating namespaces."""

    name = "namespace-controller"
    user = "system:serviceaccount:kube-system:namespace-controller"
    level = 80
    reads = ("namespaces", DEFINITIONS)
    writes = ("namespaces", "*")

    def __init__(self) -> None:
        contents = (Watch(resource, keys_of_content, alike=True) for resource in _followed())
        self.watches = (Watch("namespaces", keys_of_self), *contents)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the namespace if it is terminating, and everything in it."""
        namespace = caches["namespaces"].get(key)
        if namespace is None or not is_deleting(namespace):
            return None
        resources = [*_followed(), *_custom_resources(caches)]
        found = ((resource, tuple(caches[resource].in_namespace(key.name))) for resource in resources)
        return Seen(namespace, tuple((resource, objects) for resource, objects in found if objects))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Delete what is left; see :func:`decide`."""
        return decide(seen, now)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; a namespace that is to go stays while Events with finalizers are left in it."""
        *others, last = decision.actions
        if not isinstance(last, Update):
            super().act(client, decision, now)
            return
        carry_out(client, others, now=now, component=self.name)
        name = last.obj["metadata"]["name"]
        held = client.list(EVENTS, name).items
        carry_out(client, _wait_for(last.obj, held, now) if held else (last,), now=now, component=self.name)


def _wait_for(namespace: Obj, events: list[Obj], now: float) -> tuple[Action, ...]:
    """Return the write that says which Events the namespace waits for, where that is new."""
    before = dig(namespace, "status", "conditions", default=[])
    conditions = conditions_of(before, ((EVENTS, events),), now)
    return () if conditions == before else (_told(namespace, conditions),)


def _told(namespace: Obj, conditions: list[Obj]) -> Patch:
    return Patch("namespaces", key_of(namespace), {"status": {"conditions": conditions}}, "merge", "status")


def decide(seen: Seen, now: float) -> Decision:
    """Say what the deletion of the namespace does next, as namespacedResourcesDeleter.Delete."""
    namespace = seen.namespace
    status = namespace.get("status") or {}
    if FINALIZER not in (namespace["spec"].get("finalizers") or ()):
        return Decision()
    if status.get("phase") != "Terminating":
        return Decision(
            (Patch("namespaces", key_of(namespace), {"status": {"phase": "Terminating"}}, "merge", "status"),)
        )
    start = parse_time(namespace["metadata"]["deletionTimestamp"]) + GRACE
    if now < start:
        return Decision((), start)
    pods = tuple((resource, objects) for resource, objects in seen.left if resource == "pods")
    left = pods or seen.left
    deletions = tuple(_delete(left))
    events = () if pods else (DeleteCollection(EVENTS, namespace["metadata"]["name"], "Background"),)
    if deletions:
        at = next((n for n, action in enumerate(deletions) if _comes_after_events(action.resource)), len(deletions))
        return Decision((*deletions[:at], *events, *deletions[at:]))
    if left:
        conditions = conditions_of(status.get("conditions") or [], left, now)
        if conditions == status.get("conditions"):
            return Decision()
        return Decision((*events, _told(namespace, conditions)))
    finalizers = [name for name in namespace["spec"]["finalizers"] if name != FINALIZER]
    spec = {**namespace["spec"], "finalizers": finalizers}
    return Decision((*events, Update("namespaces", {**namespace, "spec": spec}, "finalize")))


def _comes_after_events(resource: str) -> bool:
    known = _followed()
    return resource not in known or (resource != "pods" and resource > EVENTS)


def _delete(left: Iterable[tuple[str, tuple[Obj, ...]]]) -> Iterable[Delete]:
    """Yield the deletion of everything that is not being deleted already."""
    for resource, objects in left:
        for obj in objects:
            if not is_deleting(obj):
                yield Delete(resource, key_of(obj), obj["metadata"].get("uid", ""), None, "Background")


def conditions_of(before: list[Obj], left: Iterable[tuple[str, Sequence[Obj]]], now: float) -> list[Obj]:
    """Return the five conditions, as NamespaceConditionUpdater: what remains and which finalizers hold it."""
    counts: dict[str, int] = {}
    finalizers: dict[str, int] = {}
    for resource, objects in left:
        counts[resource if "." in resource else f"{resource}."] = len(objects)
        for obj in objects:
            for finalizer in obj["metadata"].get("finalizers") or ():
                finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    trouble = {}
    if counts:
        text = ", ".join(sorted(f"{name} has {number} resource instances" for name, number in counts.items()))
        trouble["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {text}")
    if finalizers:
        text = ", ".join(sorted(f"{name} in {number} resource instances" for name, number in finalizers.items()))
        trouble["NamespaceFinalizersRemaining"] = (
            "SomeFinalizersRemain",
            f"Some content in the namespace has finalizers remaining: {text}",
        )
    known = {found["type"]: found for found in before}
    out = [found for found in before if found["type"] not in FINE]
    for type_, fine in FINE.items():
        reason, message = trouble.get(type_, fine)
        status = "True" if type_ in trouble else "False"
        old = known.get(type_)
        since = old["lastTransitionTime"] if old and old["status"] == status else rfc3339(now)
        out.append({"type": type_, "status": status, "lastTransitionTime": since, "reason": reason, "message": message})
    return out


@lru_cache(maxsize=1)
def namespaced_resources() -> tuple[str, ...]:
    """Return the resources whose objects live in namespaces and can be deleted, pods first."""
    registry = builtin()
    found = {
        registry.storage(kind.resource).resource
        for kind in registry.all()
        if kind.namespaced and "delete" in kind.verbs
    }
    return ("pods", *sorted(found - {"pods"}))


def _followed() -> tuple[str, ...]:
    """Return the resources of which every object is looked at."""
    return tuple(resource for resource in namespaced_resources() if resource != EVENTS)


def _custom_resources(caches: Caches) -> list[str]:
    """Return the namespaced resources that definitions bring."""
    specs = [definition["spec"] for definition in caches[DEFINITIONS].all()]
    return [f"{spec['names']['plural']}.{spec['group']}" for spec in specs if spec.get("scope") == "Namespaced"]


def keys_of_content(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map an object that goes or is gone to its namespace when that is waiting for it."""
    obj = new or old
    if obj is None or (new is not None and not is_deleting(new)):
        return ()
    key = Key("", obj["metadata"].get("namespace") or "")
    namespace = caches["namespaces"].get(key)
    return (key,) if namespace is not None and is_deleting(namespace) else ()
