"""A volume driver that refuses on purpose: the sidecars of :mod:`kctl.cloud` behind what a scenario says of them.

In: a source of faults. Out: the same controllers, which meet errors in making, attaching, detaching, deleting and growing
volumes, and say so as the real sidecars do: in Events of claims, in the status of attachments. They try again
after a while; that is waited for when the fault is known to pass. One that stays is told once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kctl.api import volumes as vol
from kctl.api.clock import rfc3339
from kctl.api.objects import Obj, dig, is_deleting
from kctl.cloud.attacher import ATTACHMENTS, Attacher
from kctl.cloud.provisioner import ClaimSeen, Provisioner
from kctl.cloud.resizer import Resizer, Seen
from kctl.runtime.actions import Emit, update_status
from kctl.runtime.controller import Decision

if TYPE_CHECKING:
    from kctl.runtime.faults import Fault, Faults

RETRY = 5.0
"""A round figure between the first and the longest delay of the real sidecars, which double theirs."""


def _said(fault: Fault) -> str:
    """Return an error of a driver in the words of its RPC client."""
    return f"rpc error: code = {fault.code} desc = {fault.message}"


class FaultyProvisioner(Provisioner):
    """Makes and deletes volumes, or fails to."""

    def __init__(self, create_seconds: float, delete_seconds: float, faults: Faults) -> None:
        super().__init__(create_seconds, delete_seconds)
        self._faults = faults

    def decide(self, seen: Any, now: float) -> Decision:
        """Meet a fault where the driver would be called, or go on as usual."""
        decision = super().decide(seen, now)
        about = seen.claim if isinstance(seen, ClaimSeen) else seen.volume
        begins = any(type(action).__name__ in ("Create", "Delete") for action in decision.actions)
        is_call = begins and (not isinstance(seen, ClaimSeen) or seen.disk is None)
        if not is_call:
            return decision
        fault = self._faults.fault("create_volume" if isinstance(seen, ClaimSeen) else "delete_volume", about, now)
        if fault is None:
            return decision
        if isinstance(seen, ClaimSeen):
            text = f'failed to provision volume with StorageClass "{vol.class_name(about)}": {_said(fault)}'
            event = Emit(about, "Warning", "ProvisioningFailed", text, once=not fault.transient)
        else:
            event = Emit(about, "Warning", "VolumeFailedDelete", _said(fault), once=not fault.transient)
        return Decision((event,), now + RETRY, periodic=not fault.transient)


class FaultyAttacher(Attacher):
    """Completes attachments, or fails to."""

    def __init__(self, attach_seconds: float, detach_seconds: float, faults: Faults) -> None:
        super().__init__(attach_seconds, detach_seconds)
        self._faults = faults

    def decide(self, seen: Obj, now: float) -> Decision:
        """Meet a fault where the driver would be called, or go on as usual."""
        decision = super().decide(seen, now)
        is_going = is_deleting(seen)
        attaches = any(getattr(action, "subresource", "") == "status" for action in decision.actions)
        if not decision.actions or not (is_going or attaches):
            return decision
        fault = self._faults.fault("detach_volume" if is_going else "attach_volume", seen, now)
        if fault is None:
            return decision
        field = "detachError" if is_going else "attachError"
        status: Obj = {"attached": False, **(seen.get("status") or {})}
        error = {"message": _said(fault), "time": rfc3339(now)}
        known = dig(status, field, "message") == error["message"]
        actions = () if known else (update_status(ATTACHMENTS, seen, {**status, field: error}),)
        return Decision(actions, now + RETRY, periodic=not fault.transient)


class FaultyResizer(Resizer):
    """Grows volumes, or fails to."""

    def __init__(self, resize_seconds: float, faults: Faults) -> None:
        super().__init__(resize_seconds)
        self._faults = faults

    def decide(self, seen: Seen, now: float) -> Decision:
        """Meet a fault where the driver would be called, or go on as usual."""
        decision = super().decide(seen, now)
        grows = any(getattr(action, "resource", "") == "persistentvolumes" for action in decision.actions)
        fault = self._faults.fault("expand_volume", seen.claim, now) if grows else None
        if fault is None:
            return decision
        name = seen.volume["metadata"]["name"]
        text = f'resize volume "{name}" by resizer "{vol.LOCAL_DRIVER}" failed: {_said(fault)}'
        return Decision(
            (Emit(seen.claim, "Warning", "VolumeResizeFailed", text, once=not fault.transient),),
            now + RETRY,
            periodic=not fault.transient,
        )
