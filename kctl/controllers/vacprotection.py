"""volumeattributesclass-protection-controller: a class in use is not deleted.

In: VolumeAttributesClasses, the claims and volumes that name them. Out: the finalizer put on classes that lack it, and
taken off those being deleted once nobody names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, dig, is_deleting
from kctl.client.cache import Cache, Caches, Index
from kctl.controllers.pvcprotection import with_finalizer, without_finalizer
from kctl.runtime.controller import Controller, Decision, KeysOf, Watch, keys_of_self

CLASSES = "volumeattributesclasses.storage.k8s.io"
CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
FINALIZER = "kubernetes.io/vac-protection"
Names = Callable[[Obj], tuple[str, ...]]


class Seen(NamedTuple):
    """A class, and whether anybody names it."""

    found: Obj
    is_used: bool


class VACProtectionController(Controller):
    """Keeps VolumeAttributesClasses that are in use."""

    name = "volumeattributesclass-protection-controller"
    user = "system:serviceaccount:kube-system:volumeattributesclass-protection-controller"
    level = 65
    writes = (CLASSES,)

    def __init__(self) -> None:
        self.watches = (
            Watch(CLASSES, keys_of_self),
            Watch(CLAIMS, _keys_of(_named_by_claim)),
            Watch(VOLUMES, _keys_of(_named_by_volume)),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of claims and volumes by class."""
        _users(caches[CLAIMS], _named_by_claim)
        _users(caches[VOLUMES], _named_by_volume)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a class and look for who names it."""
        found = caches[CLASSES].get(key)
        if found is None:
            return None
        users = _users(caches[CLAIMS], _named_by_claim).count(key.name)
        return Seen(found, bool(users or _users(caches[VOLUMES], _named_by_volume).count(key.name)))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Put the finalizer on, or take it off."""
        if not is_deleting(seen.found):
            return with_finalizer(CLASSES, seen.found, FINALIZER)
        return Decision() if seen.is_used else without_finalizer(CLASSES, seen.found, FINALIZER)


def _named_by_claim(claim: Obj) -> tuple[str, ...]:
    status = claim.get("status") or {}
    names = (
        vol.attributes_class(claim),
        status.get("currentVolumeAttributesClassName"),
        dig(status, "modifyVolumeStatus", "targetVolumeAttributesClassName"),
    )
    return tuple(dict.fromkeys(name for name in names if name))


def _named_by_volume(volume: Obj) -> tuple[str, ...]:
    name = vol.attributes_class(volume)
    return (name,) if name else ()


def _users(cache: Cache, names: Names) -> Index:
    return cache.index("volume attributes class", names)


def _keys_of(names: Names) -> KeysOf:
    """Wake the classes that an object no longer names."""

    def keys(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        before = names(old) if old is not None else ()
        after = names(new) if new is not None else ()
        return [Key("", name) for name in before if name not in after]

    return keys
