"""device-taint-eviction-controller: pods leave devices with NoExecute taints that their claims do not tolerate.

In: pods that have claims and a node, the claims, the slices their devices stand in. Out: for a pod whose claim does
not tolerate a taint, or has tolerated it for its seconds: the event, the condition DisruptionTarget, the delete.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.deviceclaims import (
    CLAIMS,
    SLICES,
    allocation_of,
    claim_of,
    has_claims,
    is_reserved_for,
    not_owner,
    reserved_for,
)
from kctl.api.devicetaints import Place, driving_away, leaves_at, place_of
from kctl.api.objects import Key, Obj, dig, is_deleting, key_of
from kctl.client.cache import SPEC, STATUS, Cache, Caches, Index
from kctl.controllers.tainteviction import leave
from kctl.runtime.actions import Emit
from kctl.runtime.controller import Controller, Decision, Watch

TARGET = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "DeletionByDeviceTaintManager",
    "message": "Device Taint manager: deleting due to NoExecute taint",
}


class Seen(NamedTuple):
    """A pod with a node, what was allocated for the claims it may use, and the taints of these pools' devices."""

    pod: Obj
    allocations: tuple[Obj, ...]
    taints: dict[Place, dict[str, list[Obj]]]
    was_to_go: bool


class DeviceTaintEvictionController(Controller):
    """Evicts pods from tainted devices; its keys are pods."""

    name = "device-taint-eviction-controller"
    user = "system:serviceaccount:kube-system:device-taint-eviction-controller"
    level = 24
    writes = ("pods", "events")

    def __init__(self) -> None:
        self._to_go: set[Key] = set()
        """Pods whose eviction waits for its time."""
        self.watches = (
            Watch("pods", _keys_of_pod, SPEC | STATUS, where=_is_placed),
            Watch(CLAIMS, _keys_of_claim),
            Watch(SLICES, _keys_of_slice),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of slices and of claims by pool."""
        _slices(caches[SLICES])
        _claims(caches[CLAIMS])
        caches["pods"]

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a pod that has its node; of one that is gone or going nothing is said."""
        pod = caches["pods"].get(key)
        was_to_go = key in self._to_go
        self._to_go.discard(key)
        if pod is None or is_deleting(pod) or not pod["spec"].get("nodeName"):
            return None
        found = tuple(_allocations(pod, caches[CLAIMS]))
        pools = {(one["driver"], one["pool"]) for allocation in found for one in _results(allocation)}
        slices = _slices(caches[SLICES])
        taints = {pool: driving_away(slices.get(pool)) for pool in sorted(pools)}
        if due_at(found, taints, 0.0) is not None:
            self._to_go.add(key)
        return Seen(pod, found, taints, was_to_go)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Evict the pod when it is due."""
        due = due_at(seen.allocations, seen.taints, now)
        if due is None:
            return Decision((_event(seen.pod, "Cancelling deletion"),)) if seen.was_to_go else Decision()
        if due > now:
            return Decision(wake_at=due)
        return Decision((_event(seen.pod, "Marking for deletion"), *leave(seen.pod, TARGET, now)))


def due_at(allocations: Iterable[Obj], taints: dict[Place, dict[str, list[Obj]]], now: float) -> float | None:
    """Return when the pod has to go, None for never (podEvictionTime)."""
    times = [leaves_at(allocation, lambda pool: taints.get(pool, {}), now) for allocation in allocations]
    return min((time for time in times if time is not None), default=None)


def _allocations(pod: Obj, claims: Cache) -> Iterable[Obj]:
    """Find what was allocated for the claims of the pod that are its own, and reserved for it."""
    for entry in pod["spec"].get("resourceClaims") or ():
        named = claim_of(pod, entry)
        claim = claims.get(Key(key_of(pod).namespace, named.name)) if named.name else None
        allocation = allocation_of(claim) if claim is not None else None
        if claim is None or allocation is None or (named.is_generated and not_owner(pod, claim)):
            continue
        if is_reserved_for(pod, claim):
            yield allocation


def _results(allocation: Obj | None) -> list[Obj]:
    return dig(allocation or {}, "devices", "results", default=None) or []


def _event(pod: Obj, message: str) -> Emit:
    meta = pod["metadata"]
    metadata = {"name": meta["name"], "namespace": meta.get("namespace", ""), "uid": meta.get("uid", "")}
    about = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    return Emit(about, "Normal", "DeviceTaintManagerEviction", message)


# -- what wakes it


def _slices(slices: Cache) -> Index:
    return slices.index("pools", lambda one: (place_of(one),))


def _claims(claims: Cache) -> Index:
    return claims.index(
        "pools", lambda claim: tuple({(one["driver"], one["pool"]) for one in _results(allocation_of(claim))})
    )


def _consumers(claim: Obj | None) -> Iterable[Key]:
    """Return the pods a claim is reserved for."""
    if claim is None:
        return ()
    namespace = key_of(claim).namespace
    pods = (one for one in reserved_for(claim) if one.get("resource") == "pods" and not one.get("apiGroup"))
    return [Key(namespace, one["name"]) for one in pods]


def _is_placed(old: Obj | None, new: Obj | None) -> bool:
    """Say whether a pod has claims and a node, as it is or was last."""
    pod = new or old
    return pod is not None and has_claims(pod) and bool(pod["spec"].get("nodeName"))


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake a pod that has come to its node, or knows its claims now; let one that is gone go."""
    pod = new or old
    if pod is None or not _is_placed(old, new):
        return ()
    if old is not None and new is not None and _facts(old) == _facts(new):
        return ()
    return (key_of(pod),)


def _facts(pod: Obj) -> tuple[object, ...]:
    return pod["spec"].get("nodeName"), (pod.get("status") or {}).get("resourceClaimStatuses"), is_deleting(pod)


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the consumers of a claim that was allocated, given back, or has others now."""
    return list(dict.fromkeys((*_consumers(old), *_consumers(new))))


def _keys_of_slice(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake who has devices of the pool when its taints, or its generation, may have changed."""
    before, after = (driving_away([one]) if one is not None else {} for one in (old, new))
    if not before and not after and _generation(old) == _generation(new):
        return ()
    pools = {place_of(one) for one in (old, new) if one is not None}
    claims = _claims(caches[CLAIMS])
    return list(dict.fromkeys(key for pool in sorted(pools) for claim in claims.get(pool) for key in _consumers(claim)))


def _generation(offer: Obj | None) -> object:
    return dig(offer or {}, "spec", "pool", "generation", default=None)
