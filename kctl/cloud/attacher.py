"""The local cloud's external-attacher: an attachment is complete, and gone, some seconds after it was asked for.

In: VolumeAttachments of its driver. Out: ``status.attached`` ``attach_seconds`` after the attachment was made, and the
attacher's finalizer taken off ``detach_seconds`` after it was deleted. Both latencies are assumptions.
"""

from __future__ import annotations

from kctl.api import volumes as vol
from kctl.api.clock import parse_time
from kctl.api.objects import Key, Obj, dig, is_deleting
from kctl.client.cache import Caches
from kctl.runtime.actions import Update, update_status
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

ATTACHMENTS = "volumeattachments.storage.k8s.io"
FINALIZER = f"external-attacher/{vol.LOCAL_DRIVER.replace('.', '-')}"


class Attacher(Controller):
    """Completes attachments."""

    name = "csi-attacher"
    user = "system:serviceaccount:kube-system:csi-attacher"
    component = f"{vol.LOCAL_DRIVER}_csi-attacher"
    level = 27
    batch = 256
    writes = (ATTACHMENTS,)

    def __init__(self, attach_seconds: float, detach_seconds: float) -> None:
        self._attach_seconds = attach_seconds
        self._detach_seconds = detach_seconds
        self.watches = (Watch(ATTACHMENTS, keys_of_self),)

    def observe(self, caches: Caches, key: Key) -> Obj | None:
        """Read an attachment of this driver."""
        found = caches[ATTACHMENTS].get(key)
        return found if found is not None and dig(found, "spec", "attacher") == vol.LOCAL_DRIVER else None

    def decide(self, seen: Obj, now: float) -> Decision:
        """Attach, or detach, when its time has come."""
        meta = seen["metadata"]
        finalizers = meta.get("finalizers") or []
        if is_deleting(seen):
            if FINALIZER not in finalizers:
                return Decision()
            gone_at = parse_time(meta["deletionTimestamp"]) + self._detach_seconds
            if now < gone_at:
                return Decision(wake_at=gone_at)
            return Decision((_with_finalizers(seen, [one for one in finalizers if one != FINALIZER]),))
        if FINALIZER not in finalizers:
            return Decision((_with_finalizers(seen, [*finalizers, FINALIZER]),))
        if dig(seen, "status", "attached"):
            return Decision()
        done_at = parse_time(meta["creationTimestamp"]) + self._attach_seconds
        if now < done_at:
            return Decision(wake_at=done_at)
        return Decision((update_status(ATTACHMENTS, seen, {"attached": True}),))


def _with_finalizers(attachment: Obj, finalizers: list[str]) -> Update:
    return Update(ATTACHMENTS, {**attachment, "metadata": {**attachment["metadata"], "finalizers": finalizers}})
