"""A decision that another process took, taken again on what the log says the cluster was then.

In: a plane and a pod that has a node. Out: the decision as :meth:`ControlPlane.scheduling` gives it, with the revision
it was taken at; None when the log no longer goes back so far, or what comes out is not what happened.
The log has the last state of each object in an instant, not the order in which pods of one instant were placed:
the orders the scheduler may have had are tried, and an answer counts only if it is the pod's own node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from kctl.api import volumes as vol
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, annotations_of, key_of
from kctl.store.errors import Compacted

if TYPE_CHECKING:
    from kctl.client.cache import Cache, Caches
    from kctl.plane.plane import ControlPlane
    from kctl.store.api import Entry


class Bound(NamedTuple):
    """A pod whose binding is in the log: the state in which it has its node first."""

    revision: int
    key: Key
    obj: Obj


def decided(plane: ControlPlane, pod: Obj) -> Obj | None:
    """Return the decision that put the pod on its node."""
    if not pod["spec"].get("nodeName"):
        return None
    try:
        found = _instant(plane, key_of(pod), pod["metadata"].get("uid", ""))
        if found is None:
            return None
        own, others, entry = found
        for order in (_by_revision(own), _by_name(own)):
            decision = _again(plane, own, [other for other in others if order(other)], entry)
            if decision["node"] == pod["spec"]["nodeName"]:
                return {**decision, "revision": own.revision}
    except (Compacted, StatusError):
        return None
    return None


def _by_revision(own: Bound) -> Callable[[Bound], bool]:
    return lambda other: other.revision < own.revision


def _by_name(own: Bound) -> Callable[[Bound], bool]:
    def rank(bound: Bound) -> tuple[int, str, Key]:
        meta = bound.obj["metadata"]
        return (-(bound.obj["spec"].get("priority") or 0), meta.get("creationTimestamp") or "", bound.key)

    return lambda other: rank(other) < rank(own)


def _instant(plane: ControlPlane, key: Key, uid: str) -> tuple[Bound, list[Bound], Entry] | None:
    """Return the pod's binding, the others of the same entry of the log, and that entry."""
    own = next((b for b in _bindings(plane, plane.store.compacted()) if b.key == key and _uid(b.obj) == uid), None)
    if own is None:
        return None
    entry = next((e for e in plane.store.entries() if e.first <= own.revision <= e.last), None)
    if entry is None or entry.first - 1 < plane.store.compacted():
        return None
    others = [b for b in _bindings(plane, entry.first - 1) if b.revision <= entry.last and b.key != key]
    return own, others, entry


def _bindings(plane: ControlPlane, after: int) -> Iterator[Bound]:
    """Yield each pod's first state with a node, from a revision on."""
    known = {
        _uid(obj) for obj in plane.server.storage.at("pods", after).values() if (obj.get("spec") or {}).get("nodeName")
    }
    for change in plane.store.changes(after):
        if change.value is None or not change.key.startswith("/pods/"):
            continue
        obj = plane.server.storage.decode(change.value)
        if obj["spec"].get("nodeName") and _uid(obj) not in known:
            known.add(_uid(obj))
            yield Bound(change.revision, key_of(obj), obj)


def _uid(obj: Obj) -> str:
    return str(obj["metadata"].get("uid", ""))


def _again(plane: ControlPlane, own: Bound, before_it: Iterable[Bound], entry: Entry) -> Obj:
    from kctl.plane.placing import framework_of
    from kctl.scheduler.explain import explain

    return explain(_caches(plane, own, before_it, entry), own.obj, framework_of(plane, own.obj))


def _caches(plane: ControlPlane, own: Bound, placed: Iterable[Bound], entry: Entry) -> Caches:
    """Return caches of the cluster at the end of an entry, but of pods those before it and some placed in it.

    The pod's claims are as they were before the scheduler chose: a pod is bound when its volumes are.
    """
    from kctl.client.cache import Caches

    since = {bound.key: bound.obj for bound in placed}
    claims = {Key(own.key.namespace, name) for name in vol.claims_of(own.obj)}

    def fill(cache: Cache) -> None:
        is_pods = cache.resource == "pods"
        objects = plane.server.storage.at(cache.resource, entry.first - 1 if is_pods else entry.last)
        if is_pods:
            objects = {**objects, **since}
        elif cache.resource == "persistentvolumeclaims":
            objects = {key: _undecided(obj) if key in claims else obj for key, obj in objects.items()}
        elif cache.resource == "persistentvolumes":
            objects = {key: obj for key, obj in objects.items() if not _is_made_for(obj, claims)}
        cache.replace(objects.values(), entry.last)

    return Caches(fill)


def _undecided(claim: Obj) -> Obj:
    """Return a claim for which a node was chosen as it was before that; any other as it is."""
    notes = annotations_of(claim)
    if vol.SELECTED_NODE not in notes:
        return claim
    kept = {name: text for name, text in notes.items() if name not in (vol.SELECTED_NODE, vol.BIND_COMPLETED)}
    spec = {name: value for name, value in claim["spec"].items() if name != "volumeName"}
    meta = {**claim["metadata"], "annotations": kept}
    return {**claim, "metadata": meta, "spec": spec, "status": {"phase": "Pending"}}


def _is_made_for(volume: Obj, claims: set[Key]) -> bool:
    """Say whether a volume was made for one of the claims."""
    return vol.PROVISIONED_BY in annotations_of(volume) and vol.claim_key(volume) in claims
