"""garbage-collector-controller: objects whose owners are gone go too.

In: an object, the state of its owners, and, when it is being deleted in the foreground or
orphans its dependents, those. Out: deletions, and patches of owner references and finalizers.

Background, foreground and orphaning deletion are upstream's attemptToDeleteItem,
processDeletingDependentsItem and attemptToOrphan. Upstream asks the server again before it
believes that an owner is gone; here the caches have seen every write that this process made,
and a deletion names the uid it means. Owners and dependents of custom resources are not
followed yet: an owner of a kind that is not built in counts as there.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from kctl.api.objects import Key, Obj, is_deleting, key_of
from kctl.api.registry import builtin
from kctl.client.cache import META, OWNERS, Caches, Index
from kctl.client.client import Propagation
from kctl.runtime.actions import Action, Delete, Patch
from kctl.runtime.controller import Controller, Decision, KeysOf, Watch

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
SOLID, ABSENT, WAITING = "solid", "absent", "waiting"
IGNORED = frozenset(("events", "events.events.k8s.io"))
"""As upstream's DefaultIgnoredResources."""


class Seen(NamedTuple):
    """An object, the state of each owner it names, and who names it as owner."""

    resource: str
    obj: Obj
    owners: tuple[tuple[Obj, str], ...]
    dependents: tuple[tuple[str, Obj], ...]


class GarbageCollector(Controller):
    """Deletes dependents of deleted owners."""

    name = "garbage-collector-controller"
    user = "system:serviceaccount:kube-system:generic-garbage-collector"
    level = 70
    writes = ("*",)

    def __init__(self) -> None:
        self._dependents: list[tuple[str, Index, Mapping[Hashable, object]]] = []
        """Of each resource the index of dependents, and what it holds: most objects are nobody's owner."""
        resources = collected_resources()
        self.watches = tuple(Watch(resource, self._keys_in(resource), OWNERS | META) for resource in resources)

    def prepare(self, caches: Caches) -> None:
        """Register the index of dependents by the uid of each owner."""
        for resource in collected_resources():
            index = caches[resource].index("dependents", _owner_uids, on=OWNERS, alike=True)
            self._dependents.append((resource, index, index.found))

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the object and those around it."""
        resource, _, name = key.name.partition("/")
        obj = caches[resource].get(Key(key.namespace, name))
        if obj is None:
            return None
        refs = obj["metadata"].get("ownerReferences") or ()
        owners = tuple((ref, state_of(ref, obj, caches)) for ref in refs)
        waits = _is_held_by(obj, FOREGROUND) or _is_held_by(obj, ORPHAN)
        looks_down = waits or any(state == WAITING for _, state in owners)
        dependents = tuple(self._dependents_of(obj["metadata"]["uid"])) if looks_down else ()
        return Seen(resource, obj, owners, dependents)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what becomes of the object; see :func:`decide`."""
        return Decision(tuple(decide(seen)))

    def _dependents_of(self, uid: str) -> list[tuple[str, Obj]]:
        """Return every object that names the uid as an owner."""
        found = [(resource, index) for resource, index, known in self._dependents if uid in known]
        return [(resource, obj) for resource, index in found for obj in index.get(uid)]

    def _keys_in(self, resource: str) -> KeysOf:
        """Return the function that maps a change in ``resource`` to the objects it concerns."""

        def keys(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
            if new is None:
                return self._keys_of_gone(old, caches) if old is not None else []
            meta = new["metadata"]
            before: dict[str, Any] = old["metadata"] if old is not None else {}
            if meta is before:
                return []
            found: list[Key] = []
            if meta.get("deletionTimestamp"):
                if _is_held_by(new, FOREGROUND) or _is_held_by(new, ORPHAN):
                    found.append(_key(resource, new))
                    if not before.get("deletionTimestamp") or before.get("finalizers") != meta.get("finalizers"):
                        found += [_key(res, dep) for res, dep in self._dependents_of(meta["uid"])]
            elif meta.get("ownerReferences") != before.get("ownerReferences") and any(
                state_of(ref, new, caches) != SOLID for ref in meta.get("ownerReferences") or ()
            ):
                found.append(_key(resource, new))
            if before.get("ownerReferences") and before["ownerReferences"] != meta.get("ownerReferences"):
                found += _waiting_owners(before["ownerReferences"], new, caches)
            return found

        return keys

    def _keys_of_gone(self, obj: Obj, caches: Caches) -> list[Key]:
        """Return the dependents of an object that is gone, and the owners that waited for it."""
        found = [_key(resource, dep) for resource, dep in self._dependents_of(obj["metadata"]["uid"])]
        return found + _waiting_owners(obj["metadata"].get("ownerReferences") or [], obj, caches)


def decide(seen: Seen) -> list[Action]:
    """Say what becomes of an object and its references."""
    obj = seen.obj
    if _is_held_by(obj, ORPHAN):
        uid = obj["metadata"]["uid"]
        freed: list[Action] = [_without_owners(res, dep, {uid}) for res, dep in seen.dependents]
        return [*freed, _without_finalizer(seen.resource, obj, ORPHAN)]
    if _is_held_by(obj, FOREGROUND):
        blocked = any(_blocks(dependent, obj) for _, dependent in seen.dependents)
        return [] if blocked else [_without_finalizer(seen.resource, obj, FOREGROUND)]
    if is_deleting(obj) or not seen.owners:
        return []
    return _attempt_to_delete(seen)


def _attempt_to_delete(seen: Seen) -> list[Action]:
    """Delete the object unless an owner is left, as attemptToDeleteItem."""
    obj, meta = seen.obj, seen.obj["metadata"]
    states = {state for _, state in seen.owners}
    if SOLID in states:
        gone = {ref["uid"] for ref, state in seen.owners if state != SOLID}
        return [_without_owners(seen.resource, obj, gone)] if gone else []
    actions: list[Action] = []
    policy: Propagation = "Background"
    finalizers = meta.get("finalizers") or ()
    if WAITING in states and seen.dependents:
        policy = "Foreground"
        if any(_is_held_by(dependent, FOREGROUND) for _, dependent in seen.dependents):
            # A dependent waits for us as we would wait for it: stop blocking, or nothing ever goes.
            refs = [{**ref, "blockOwnerDeletion": False} for ref in meta["ownerReferences"]]
            actions.append(Patch(seen.resource, key_of(obj), {"metadata": {"ownerReferences": refs}}))
    elif ORPHAN in finalizers:
        policy = "Orphan"
    elif FOREGROUND in finalizers:
        policy = "Foreground"
    return [*actions, Delete(seen.resource, key_of(obj), meta["uid"], None, policy)]


def _is_held_by(obj: Obj, finalizer: str) -> bool:
    return is_deleting(obj) and finalizer in (obj["metadata"].get("finalizers") or ())


def _blocks(dependent: Obj, owner: Obj) -> bool:
    """Say whether the dependent keeps its owner from going, as blockingDependents."""
    uid = owner["metadata"]["uid"]
    refs = dependent["metadata"].get("ownerReferences") or ()
    return any(ref["uid"] == uid and ref.get("blockOwnerDeletion") for ref in refs)


def _without_owners(resource: str, obj: Obj, uids: set[str]) -> Patch:
    refs = [ref for ref in obj["metadata"].get("ownerReferences") or () if ref["uid"] not in uids]
    return Patch(resource, key_of(obj), {"metadata": {"ownerReferences": refs or None, "uid": obj["metadata"]["uid"]}})


def _without_finalizer(resource: str, obj: Obj, finalizer: str) -> Patch:
    left = [name for name in obj["metadata"]["finalizers"] if name != finalizer]
    return Patch(resource, key_of(obj), {"metadata": {"finalizers": left or None, "uid": obj["metadata"]["uid"]}})


def state_of(ref: Obj, obj: Obj, caches: Caches) -> str:
    """Say whether an owner is there, gone, or waits in the foreground for its dependents to go."""
    kind = builtin().by_kind(ref["apiVersion"], ref["kind"])
    if kind is None:
        return SOLID
    namespace = obj["metadata"].get("namespace") or ""
    if kind.namespaced and not namespace:
        return SOLID  # cluster-scoped objects cannot have namespaced owners; upstream leaves them alone
    resource = builtin().storage(kind.resource).resource
    owner = caches[resource].get(Key(namespace if kind.namespaced else "", ref["name"]))
    if owner is None or owner["metadata"]["uid"] != ref["uid"]:
        return ABSENT
    return WAITING if _is_held_by(owner, FOREGROUND) else SOLID


@lru_cache(maxsize=1)
def collected_resources() -> tuple[str, ...]:
    """Return the built-in resources that can be deleted, but those upstream ignores."""
    registry = builtin()
    found = {registry.storage(kind.resource).resource for kind in registry.all() if "delete" in kind.verbs}
    return tuple(sorted(found - IGNORED))


def _owner_uids(obj: Obj) -> tuple[str, ...]:
    refs = obj["metadata"].get("ownerReferences")
    return tuple(dict.fromkeys(ref["uid"] for ref in refs)) if refs else ()


def _key(resource: str, obj: Obj) -> Key:
    key = key_of(obj)
    return Key(key.namespace, f"{resource}/{key.name}")


def _waiting_owners(refs: list[Obj], obj: Obj, caches: Caches) -> list[Key]:
    found = []
    for ref in refs:
        if state_of(ref, obj, caches) == WAITING:
            kind = builtin().by_kind(ref["apiVersion"], ref["kind"])
            if kind is not None:
                resource = builtin().storage(kind.resource).resource
                namespace = (obj["metadata"].get("namespace") or "") if kind.namespaced else ""
                found.append(Key(namespace, f"{resource}/{ref['name']}"))
    return found
