"""persistentvolume-protection-controller: a bound volume is not deleted.

In: volumes. Out: the finalizer put on those that lack it, and taken off those being deleted
once they are not Bound.
"""

from __future__ import annotations

from kctl.api.objects import Key, Obj, is_deleting
from kctl.client.cache import Caches
from kctl.controllers.pvcprotection import with_finalizer, without_finalizer
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

VOLUMES = "persistentvolumes"
FINALIZER = "kubernetes.io/pv-protection"


class PVProtectionController(Controller):
    """Keeps volumes that are bound."""

    name = "persistentvolume-protection-controller"
    user = "system:serviceaccount:kube-system:pv-protection-controller"
    level = 65
    reads = (VOLUMES,)
    writes = (VOLUMES,)

    def __init__(self) -> None:
        self.watches = (Watch(VOLUMES, keys_of_self),)

    def observe(self, caches: Caches, key: Key) -> Obj | None:
        """Read the volume."""
        return caches[VOLUMES].get(key)

    def decide(self, seen: Obj, now: float) -> Decision:
        """Put the finalizer on, or take it off, as processPV."""
        if not is_deleting(seen):
            return with_finalizer(VOLUMES, seen, FINALIZER)
        if (seen.get("status") or {}).get("phase") == "Bound":
            return Decision()
        return without_finalizer(VOLUMES, seen, FINALIZER)
