"""What is to be done about a volume: its phase, and its reclaiming once its claim is gone.

In: a :class:`VolumeSeen`. Out: a Decision. The rules and words are those of syncVolume. Recycling makes no pod: it takes
:data:`RECYCLE_SECONDS`, an assumption.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, annotations_of, dig, is_deleting, key_of
from kctl.controllers.pvbinder_claims import MIGRATED, VOLUMES, phase
from kctl.runtime.actions import Delete, Emit, Update
from kctl.runtime.controller import Decision

RECYCLE_SECONDS = 10.0
RECYCLABLE = ("hostPath", "nfs")
"""Sources that upstream's plugins can scrub."""


class VolumeSeen(NamedTuple):
    """A volume, and the claim of the name that it refers to."""

    volume: Obj
    claim: Obj | None


def decide_volume(seen: VolumeSeen, now: float) -> Decision:
    """Bring a volume a step further."""
    volume, claim = seen
    ref = volume["spec"].get("claimRef") or {}
    if not ref.get("uid"):
        return _in_phase(volume, "Available")
    if claim is None or claim["metadata"].get("uid") != ref["uid"]:
        return _released(volume, now)
    bound = claim["spec"].get("volumeName")
    if not bound:
        return Decision()  # the claim's own sync binds it
    if bound == volume["metadata"]["name"]:
        return _in_phase(volume, "Bound")
    if vol.PROVISIONED_BY in annotations_of(volume) and policy(volume) == "Delete":
        return _released(volume, now)
    return Decision((unbound(volume),))


def policy(volume: Obj) -> str:
    """Return the volume's reclaim policy."""
    return str(volume["spec"].get("persistentVolumeReclaimPolicy") or "Retain")


def _in_phase(volume: Obj, wanted: str) -> Decision:
    return Decision() if dig(volume, "status", "phase") == wanted else Decision((phase(volume, wanted),))


def unbound(volume: Obj) -> Update:
    """Return the action that undoes a binding; one made by the user keeps the claim's name (unbindVolume)."""
    annotations = dict(annotations_of(volume))
    spec = dict(volume["spec"])
    if annotations.pop(vol.BOUND_BY_CONTROLLER, None) is not None:
        spec.pop("claimRef", None)
    else:
        spec["claimRef"] = {name: value for name, value in spec["claimRef"].items() if name != "uid"}
    meta = {name: value for name, value in volume["metadata"].items() if name != "annotations"}
    return Update(
        VOLUMES, {**volume, "metadata": {**meta, **({"annotations": annotations} if annotations else {})}, "spec": spec}
    )


def _released(volume: Obj, now: float) -> Decision:
    """Release a volume whose claim is gone, then do as its policy says (reclaimVolume)."""
    if dig(volume, "status", "phase") not in ("Released", "Failed"):
        return Decision((phase(volume, "Released"),))
    if policy(volume) == "Delete":
        return _delete(volume)
    if policy(volume) == "Recycle":
        return _recycle(volume, now)
    return Decision()


def _delete(volume: Obj) -> Decision:
    """Delete a volume, unless that is an external provisioner's to do."""
    if is_external(annotations_of(volume).get(vol.PROVISIONED_BY)) or is_deleting(volume):
        return Decision()
    path = dig(volume, "spec", "hostPath", "path")
    if path is None:
        name = volume["metadata"]["name"]
        text = f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
        return _failed(volume, "VolumeFailedDelete", text)
    if not re.search("/tmp/.+", str(path)):  # noqa: S108 upstream's rule, no file of ours
        text = f"host_path deleter only supports /tmp/.+ but received provided {path}"
        return _failed(volume, "VolumeFailedDelete", text)
    return Decision((Delete(VOLUMES, key_of(volume), volume["metadata"]["uid"]),))


def is_external(provisioner: str | None) -> bool:
    """Say whether a provisioner outside of the controller manager made the volume."""
    return bool(provisioner) and (not str(provisioner).startswith("kubernetes.io/") or provisioner in MIGRATED)


def _recycle(volume: Obj, now: float) -> Decision:
    """Scrub a volume and make it available again."""
    if not any(source in volume["spec"] for source in RECYCLABLE):
        return _failed(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")
    since = dig(volume, "status", "lastPhaseTransitionTime")
    done = (parse_time(since) if since else now) + RECYCLE_SECONDS
    if now < done:
        return Decision(wake_at=done)
    return Decision((Emit(volume, "Normal", "VolumeRecycled", "Volume recycled"), unbound(volume)))


def _failed(volume: Obj, reason: str, text: str) -> Decision:
    if dig(volume, "status", "phase") == "Failed":
        return Decision()
    return Decision((phase(volume, "Failed", text), Emit(volume, "Warning", reason, text)))
