"""persistentvolume-binder-controller: claims get their volumes, and volumes are reclaimed.

In: claims, volumes, storage classes and the pods that wait for claims. Out: both sides of each binding with their
phases, the hand-off to provisioners, and what becomes of volumes whose claim is gone. What is decided stands in
:mod:`kctl.controllers.pvbinder_claims` and :mod:`kctl.controllers.pvbinder_volumes`; each write is guarded by the
version it was decided on, and the next follows from it. Upstream looks at open claims anew every sync period; here a
claim for which something appeared later than itself waits for the next of these moments, and nothing happens otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, annotations_of, condition, key_of
from kctl.client.cache import SPEC, STATUS, Cache, Caches, Index, by_claim
from kctl.controllers.pvbinder_claims import CLAIMS, VOLUMES, ClaimSeen, decide_claim
from kctl.controllers.pvbinder_volumes import VolumeSeen, decide_volume
from kctl.runtime.controller import Controller, Decision, Watch

CLASSES = "storageclasses.storage.k8s.io"


class PersistentVolumeBinder(Controller):
    """Binds claims and volumes."""

    name = "persistentvolume-binder-controller"
    user = "system:serviceaccount:kube-system:persistent-volume-binder"
    component = "persistentvolume-controller"
    level = 25
    """Before the scheduler: what can be bound at once is bound when its pod is tried."""
    batch = 512
    in_order = True
    reads = (CLASSES,)
    writes = (CLAIMS, VOLUMES, "events")

    def __init__(self) -> None:
        self.watches = (
            Watch(CLAIMS, _keys_of_claim),
            Watch(VOLUMES, _keys_of_volume),
            Watch(CLASSES, _keys_of_class),
            Watch("pods", _keys_of_pod, SPEC | STATUS, where=vol.have_claims),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of volumes and claims by each other and by class."""
        claimed(caches[VOLUMES])
        unclaimed(caches[VOLUMES])
        open_claims(caches[CLAIMS])
        by_claim(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Any | None:
        """Read a claim with the volumes it may get, or a volume with its claim."""
        if not key.namespace:
            volume = caches[VOLUMES].get(key)
            if volume is None:
                return None
            owner = vol.claim_key(volume)
            return VolumeSeen(volume, caches[CLAIMS].get(owner) if owner else None)
        claim = caches[CLAIMS].get(key)
        return None if claim is None else self._claim_seen(caches, claim)

    def _claim_seen(self, caches: Caches, claim: Obj) -> ClaimSeen:
        key, named = key_of(claim), claim["spec"].get("volumeName")
        volume = caches[VOLUMES].get(Key("", named)) if named else None
        if named or vol.BIND_COMPLETED in annotations_of(claim):
            return ClaimSeen(claim, volume)
        wanted = vol.class_name(claim)
        volumes = caches[VOLUMES]
        candidates = [*claimed(volumes).get(key), *unclaimed(volumes).get(wanted)]
        classes = caches[CLASSES]
        default = None if vol.has_class(claim) else classes.get(Key("", vol.default_class(classes)))
        waiting = [pod["metadata"]["name"] for pod in by_claim(caches["pods"]).get(key) if waits(pod)]
        return ClaimSeen(claim, None, tuple(candidates), classes.get(Key("", wanted)), default, tuple(waiting))

    def decide(self, seen: ClaimSeen | VolumeSeen, now: float) -> Decision:
        """Bind, hand off, release or reclaim; one step at a time."""
        if isinstance(seen, VolumeSeen):
            return decide_volume(seen, now)
        return decide_claim(seen, now, self.flags.pvclaimbinder_sync_period)


def waits(pod: Obj) -> bool:
    """Say whether the scheduler has found no node for the pod yet."""
    scheduled = condition(pod, "PodScheduled")
    return not pod["spec"].get("nodeName") and scheduled is not None and scheduled.get("status") == "False"


def claimed(volumes: Cache) -> Index:
    """Return the index of volumes by the claim they are bound to or kept for."""
    return volumes.index("claim", _claim_values, on=SPEC)


def unclaimed(volumes: Cache) -> Index:
    """Return the index of volumes that are nobody's by their class."""
    return volumes.index("unclaimed of class", lambda v: () if v["spec"].get("claimRef") else (vol.class_name(v),))


def open_claims(claims: Cache) -> Index:
    """Return the index of claims that are not bound by their class, or the volume they name."""
    return claims.index("open", _open_values)


def _claim_values(volume: Obj) -> tuple[Key, ...]:
    key = vol.claim_key(volume)
    return (key,) if key else ()


def _open_values(claim: Obj) -> tuple[tuple[str, str], ...]:
    if vol.BIND_COMPLETED in annotations_of(claim):
        return ()
    named = claim["spec"].get("volumeName")
    return (("volume", named),) if named else (("class", vol.class_name(claim)),)


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the claim, and the volumes that are bound to it or that it names."""
    claim = new or old
    if claim is None:
        return ()
    key = key_of(claim)
    named = [Key("", found["spec"]["volumeName"]) for found in (old, new) if found and found["spec"].get("volumeName")]
    volumes = [key_of(volume) for volume in claimed(caches[VOLUMES]).get(key)]
    return dict.fromkeys([key, *named, *volumes])


def _keys_of_volume(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the volume, its claim, and the open claims that may get it."""
    keys: list[Key] = []
    claims = open_claims(caches[CLAIMS])
    for volume in (old, new):
        if volume is None:
            continue
        keys.append(key_of(volume))
        owner = vol.claim_key(volume)
        name = volume["metadata"]["name"]
        bound = caches[CLAIMS].index("volume name", _volume_name).get(name)
        found = [*claims.get(("volume", name)), *bound]
        if owner is None and volume is new:
            found += claims.get(("class", vol.class_name(volume)))
        keys += [key_of(claim) for claim in found]
        if owner is not None:
            keys.append(owner)
    return dict.fromkeys(keys)


def _volume_name(claim: Obj) -> tuple[str, ...]:
    named = claim["spec"].get("volumeName")
    return (named,) if named else ()


def _keys_of_class(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the open claims of a class, those without one when it is a default."""
    if new is None:
        return ()
    found = list(open_claims(caches[CLAIMS]).get(("class", new["metadata"]["name"])))
    if vol.is_default(new):
        found += open_claims(caches[CLAIMS]).get(("class", ""))
    return [key_of(claim) for claim in found]


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the claims of a pod that begins to wait for a node."""
    if new is None or new["spec"].get("nodeName") or not waits(new) or (old is not None and waits(old)):
        return ()
    namespace = key_of(new).namespace
    return [Key(namespace, name) for name in vol.claims_of(new)]
