"""persistentvolume-expander-controller: claims that want to grow are left to an external resizer.

In: bound claims that ask for more than they have. Out: an Event that says who is waited for; no in-tree plugin that
could expand a volume is left in 1.36.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.objects import Key, Obj, dig
from kctl.api.resourcelist import compare
from kctl.client.cache import Caches
from kctl.runtime.actions import Emit
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

CLAIMS = "persistentvolumeclaims"
WAITING = "didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC"


class Seen(NamedTuple):
    """A bound claim and its volume."""

    claim: Obj
    volume: Obj


class PersistentVolumeExpander(Controller):
    """Says that growing is somebody else's business."""

    name = "persistentvolume-expander-controller"
    user = "system:serviceaccount:kube-system:expand-controller"
    component = "volume_expand"
    level = 45
    reads = ("persistentvolumes",)
    writes = ("events",)

    def __init__(self) -> None:
        self.watches = (Watch(CLAIMS, keys_of_self),)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a bound claim with its volume."""
        claim = caches[CLAIMS].get(key)
        if claim is None or dig(claim, "status", "phase") != "Bound":
            return None
        volume = caches["persistentvolumes"].get(Key("", claim["spec"].get("volumeName") or ""))
        if volume is None or dig(volume, "spec", "claimRef", "uid") != claim["metadata"].get("uid"):
            return None
        return Seen(claim, volume)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Speak when the claim asks for more than it has."""
        if compare(vol.requested(seen.claim), str(dig(seen.claim, "status", "capacity", "storage", default="0"))) <= 0:
            return Decision()
        return Decision((Emit(seen.claim, "Normal", "ExternalExpanding", WAITING, once=True),))
