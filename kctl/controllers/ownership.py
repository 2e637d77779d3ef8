"""Who controls what: adoption and release, and counts of the pods an owner has.

In: caches. Out: the actions that adopt or release (as upstream's ControllerRefManager), and a
fold of pods per controlling owner, so that an owner of ten thousand pods does not walk them
whenever one of them changes.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from kctl.api.objects import Obj, controller_uid, is_deleting, key_of, labels_of, owner_reference
from kctl.client.cache import LABELS, META, OWNERS, STATUS, Cache, Fold, Index
from kctl.controllers.pods import is_active, is_terminating, labels_key, ready_since
from kctl.runtime.actions import Patch

Labels = tuple[tuple[str, str], ...]


class Matcher(Protocol):
    """A label selector."""

    def matches(self, labels: dict[str, str]) -> bool:
        """Say whether the labels are selected."""
        ...


class Count(NamedTuple):
    """Pods of one owner that carry the same labels."""

    active: int = 0
    ready: int = 0
    terminating: int = 0


class Owned(NamedTuple):
    """The pods of one owner: counts by labels, and how many active ones are Ready since when."""

    by_labels: dict[Labels, Count]
    ready_since: dict[tuple[Labels, str], int]


NOTHING = Owned({}, {})
NO_PODS = Count()


def owned_pods(pods: Cache) -> Fold[Owned]:
    """Return the fold of pods by the uid of their controller."""
    return pods.census("owned", _shares, NOTHING, _step, on=LABELS | OWNERS | META | STATUS)


def orphans(cache: Cache) -> Index:
    """Return the index of objects without a controller by namespace."""
    return cache.index("orphans", _orphan_values, on=OWNERS, alike=True)


def _orphan_values(obj: Obj) -> tuple[str, ...]:
    return () if controller_uid(obj) else (obj["metadata"].get("namespace") or "",)


class _Share(NamedTuple):
    """What one pod adds to its owner's counts."""

    labels: Labels
    since: str | None
    terminating: bool


def _shares(pod: Obj) -> tuple[tuple[str, _Share], ...]:
    uid = controller_uid(pod)
    if not uid:
        return ()
    active = is_active(pod)
    terminating = not active and is_terminating(pod)
    if not active and not terminating:
        return ()
    return ((uid, _Share(labels_key(pod), ready_since(pod) if active else None, terminating)),)


def _step(owned: Owned, share: _Share, by: int) -> Owned:
    labels, since, terminating = share
    old = owned.by_labels.get(labels, NO_PODS)
    new = Count(
        old.active + by * (not terminating),
        old.ready + by * (since is not None),
        old.terminating + by * terminating,
    )
    by_labels = dict(owned.by_labels)
    if new == NO_PODS:
        del by_labels[labels]
    else:
        by_labels[labels] = new
    if since is None:
        return Owned(by_labels, owned.ready_since)
    times = dict(owned.ready_since)
    left = times.get((labels, since), 0) + by
    if left:
        times[labels, since] = left
    else:
        del times[labels, since]
    return Owned(by_labels, times)


def is_adoptable(owner: Obj, selector: Matcher, obj: Obj) -> bool:
    """Say whether ``owner`` takes an object that nobody controls, as ControllerRefManager.ClaimObject."""
    return (
        not is_deleting(owner) and not is_deleting(obj) and not controller_uid(obj) and selector.matches(labels_of(obj))
    )


def adopt(resource: str, owner: Obj, obj: Obj) -> Patch:
    """Return the action that makes ``owner`` the controller; it fails when ``obj`` has changed meanwhile."""
    references = [*(obj["metadata"].get("ownerReferences") or ()), owner_reference(owner)]
    return _set_references(resource, obj, references)


def release(resource: str, owner: Obj, obj: Obj) -> Patch:
    """Return the action that takes ``owner``'s reference off the object."""
    uid = owner["metadata"]["uid"]
    references = [ref for ref in obj["metadata"].get("ownerReferences") or () if ref["uid"] != uid]
    return _set_references(resource, obj, references)


def _set_references(resource: str, obj: Obj, references: list[Obj]) -> Patch:
    meta: Obj = {"ownerReferences": references or None}
    if obj["metadata"].get("resourceVersion"):
        meta["resourceVersion"] = obj["metadata"]["resourceVersion"]
    return Patch(resource, key_of(obj), {"metadata": meta})
