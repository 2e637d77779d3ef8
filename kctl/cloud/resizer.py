"""The local cloud's external-resizer: volumes grow with what their claims ask for.

In: bound claims that ask for more than their volume has. Out: the volume's new capacity, ``resize_seconds`` after the
condition Resizing was put on the claim; then the condition FileSystemResizePending, until a kubelet that uses the volume
has grown its file system. The latency is an assumption.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, condition, dig, evolve, is_deleting, with_condition
from kctl.api.resourcelist import compare
from kctl.client.cache import Caches
from kctl.runtime.actions import Emit, Update, update_status
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
PENDING = "Waiting for user to (re-)start a pod to finish file system resize of volume on node."


class Seen(NamedTuple):
    """A bound claim and its volume."""

    claim: Obj
    volume: Obj


class Resizer(Controller):
    """Grows volumes."""

    name = "csi-resizer"
    user = "system:serviceaccount:kube-system:csi-resizer"
    component = f"external-resizer {vol.LOCAL_DRIVER}"
    level = 46
    reads = (VOLUMES,)
    writes = (CLAIMS, VOLUMES, "events")

    def __init__(self, resize_seconds: float) -> None:
        self._resize_seconds = resize_seconds
        self.watches = (Watch(CLAIMS, keys_of_self), Watch(VOLUMES, _keys_of_volume))

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a bound claim whose volume is this driver's."""
        claim = caches[CLAIMS].get(key)
        if claim is None or is_deleting(claim) or dig(claim, "status", "phase") != "Bound":
            return None
        volume = caches[VOLUMES].get(Key("", claim["spec"].get("volumeName") or ""))
        return Seen(claim, volume) if volume is not None and vol.is_attachable(volume) else None

    def decide(self, seen: Seen, now: float) -> Decision:
        """Take the next step: begin, grow the volume, leave the rest to the node."""
        claim, volume = seen
        wanted = vol.requested(claim)
        if compare(wanted, vol.capacity(volume)) > 0:
            return self._grow(claim, volume, wanted, now)
        resizing = condition(claim, "Resizing")
        if resizing is None or resizing.get("status") != "True":
            return Decision()
        status = claim["status"]
        kept = [one for one in status.get("conditions") or () if one["type"] != "Resizing"]
        if vol.volume_mode(claim) == "Block":
            status = {**status, "capacity": {**(status.get("capacity") or {}), "storage": wanted}}
        else:
            kept = with_condition(kept, _condition("FileSystemResizePending", now, PENDING))
        text = "Require file system resize of volume on node"
        return Decision(
            (
                update_status(CLAIMS, claim, {**status, "conditions": kept}),
                Emit(claim, "Normal", "FileSystemResizeRequired", text),
            )
        )

    def _grow(self, claim: Obj, volume: Obj, wanted: str, now: float) -> Decision:
        resizing = condition(claim, "Resizing")
        if resizing is None:
            status = claim["status"]
            conditions = with_condition(status.get("conditions") or (), _condition("Resizing", now, ""))
            name = volume["metadata"]["name"]
            return Decision(
                (
                    update_status(CLAIMS, claim, {**status, "conditions": conditions}),
                    Emit(claim, "Normal", "Resizing", f"External resizer is resizing volume {name}"),
                )
            )
        done_at = parse_time(resizing["lastTransitionTime"]) + self._resize_seconds
        if now < done_at:
            return Decision(wake_at=done_at)
        return Decision((Update(VOLUMES, evolve(volume, {"spec": {"capacity": {"storage": wanted}}})),))


def _keys_of_volume(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    owner = vol.claim_key(new) if new is not None and vol.is_attachable(new) else None
    return (owner,) if owner is not None else ()


def _condition(type_: str, now: float, message: str) -> Obj:
    made = {"type": type_, "status": "True", "lastProbeTime": None, "lastTransitionTime": rfc3339(now)}
    return {**made, "message": message} if message else made
