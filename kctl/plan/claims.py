"""Claims that wait for a volume, and what they wait for: leaves of the blockers of pods.

In: the claims, volumes, classes and pods there are. Out: per claim the reason it is not bound, unless it only waits for its
first pod; and per pod that cannot go on for want of its claims, the claim and its reason. Claims for devices are among them
while the scheduler keeps the pod out of its queue: upstream says so in a log only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.deviceclaims import CLAIMS as DEVICE_CLAIMS
from kctl.api.deviceclaims import claim_of, has_claims, not_found, not_owner
from kctl.api.errors import StatusError
from kctl.api.health import Health
from kctl.api.objects import Key, Obj, annotations_of, condition, dig, is_deleting, key_of
from kctl.client.client import Client

Said = Callable[[Obj], tuple[str, str] | None]
"""Returns the last Warning about an object: its reason and message."""


class Waiting(NamedTuple):
    """A claim that is not bound: the reason in a word, and in words."""

    claim: Obj
    reason: str
    message: str


class Claims:
    """The claims of a cluster at the end of a run."""

    def __init__(self, client: Client, said: Said) -> None:
        self._claims = {key_of(claim): claim for claim in client.list("persistentvolumeclaims").items}
        is_open = any(dig(claim, "status", "phase") != "Bound" for claim in self._claims.values())
        self._classes = _named(client.list("storageclasses.storage.k8s.io").items) if is_open else {}
        self._volumes = _named(client.list("persistentvolumes").items) if is_open else {}
        self._client = client
        self._said = said
        self._told: set[Key] = set()

    def waiting(self) -> list[Waiting]:
        """Return the claims that wait for something else than their first pod, less those that a pod told of."""
        found = [(claim, self._why(claim)) for key, claim in sorted(self._claims.items()) if key not in self._told]
        return [Waiting(claim, *why) for claim, why in found if why is not None]

    def blocker(self, pod: Obj) -> Health | None:
        """Return why a pod that has not started waits for a claim; None when it does not."""
        if dig(pod, "status", "phase") not in (None, "Pending") or is_deleting(pod):
            return None
        if has_claims(pod):
            waits = self._devices(pod)
            if waits is not None:
                return waits
        for name in vol.claims_of(pod):
            key = Key(key_of(pod).namespace, name)
            claim = self._claims.get(key)
            why = None if claim is None else self._why(claim)
            if why is not None:
                self._told.add(key)
                return Health("InProgress", why[0], f"persistentvolumeclaim/{name}: {why[1]}")
        return None

    def _devices(self, pod: Obj) -> Health | None:
        """Return which claim for devices a pod waits for that the scheduler has not taken in: it tells nobody."""
        if pod["spec"].get("nodeName") or condition(pod, "PodScheduled") is not None:
            return None
        for entry in pod["spec"]["resourceClaims"]:
            named = claim_of(pod, entry)
            if named.problem:
                return Health("InProgress", *(self._said(pod) or ("NoResourceClaim", named.problem)))
            try:
                claim = self._client.get(DEVICE_CLAIMS, key_of(pod).namespace, named.name or "")
            except StatusError:
                return Health("InProgress", "NoResourceClaim", not_found(named.name or ""))
            if is_deleting(claim):
                return Health("InProgress", "NoResourceClaim", f'resourceclaim "{named.name}" is being deleted')
            why = not_owner(pod, claim) if named.is_generated else ""
            if why:
                return Health("InProgress", "NoResourceClaim", why)
        return None

    def _why(self, claim: Obj) -> tuple[str, str] | None:
        """Return why a claim is not bound, None when it is or waits for its first pod."""
        phase, named = dig(claim, "status", "phase"), claim["spec"].get("volumeName")
        if phase == "Lost":
            return "ClaimLost", f'its volume "{named}" does not exist any more'
        if phase == "Bound" or is_deleting(claim):
            return None
        if named:
            return self._why_not(claim, named)
        wanted = vol.class_name(claim)
        if not wanted:
            return "NoVolume", "no volume fits it, and it names no StorageClass that makes one"
        found = self._classes.get(wanted)
        if found is None:
            return "NoStorageClass", f'no volume fits it, and StorageClass "{wanted}" does not exist'
        if vol.is_delayed(claim, found) and vol.SELECTED_NODE not in annotations_of(claim):
            return None
        provisioner = found.get("provisioner") or ""
        if provisioner == vol.NO_PROVISIONER:
            return "NoVolume", f'no volume fits it, and StorageClass "{wanted}" makes none'
        if provisioner != vol.LOCAL_DRIVER:
            return "NoProvisioner", f'nobody here runs {provisioner}, the provisioner of StorageClass "{wanted}"'
        return self._said(claim) or ("Provisioning", "its volume is being made")

    def _why_not(self, claim: Obj, named: str) -> tuple[str, str]:
        """Return why a claim does not get the volume it names."""
        volume = self._volumes.get(named)
        if volume is None:
            return "NoVolume", f'the volume "{named}" it asks for does not exist'
        owner = vol.claim_key(volume)
        if owner is not None and not vol.is_bound_to(volume, claim):
            return "VolumeTaken", f'the volume "{named}" it asks for belongs to claim {owner}'
        return self._said(claim) or ("Unbound", f'it is being bound to volume "{named}"')


def blocker(client: Client, resource: str, obj: Obj, said: Said) -> Health | None:
    """Return what a pod or a claim waits for when that is a volume; None when it is not."""
    if resource == "pods":
        return Claims(client, said).blocker(obj) if vol.claims_of(obj) or has_claims(obj) else None
    if resource != "persistentvolumeclaims":
        return None
    found = (one for one in Claims(client, said).waiting() if key_of(one.claim) == key_of(obj))
    return next((Health("InProgress", one.reason, one.message) for one in found), None)


def first_consumer(client: Client, resource: str, obj: Obj) -> Health | None:
    """Return the health of a claim that is as it should be without a volume until a pod uses it, None of all others."""
    if resource != "persistentvolumeclaims" or dig(obj, "status", "phase") != "Pending" or is_deleting(obj):
        return None
    if obj["spec"].get("volumeName") or vol.SELECTED_NODE in annotations_of(obj) or not vol.class_name(obj):
        return None
    try:
        found = client.get("storageclasses.storage.k8s.io", "", vol.class_name(obj))
    except StatusError:
        return None
    if not vol.is_delayed(obj, found):
        return None
    return Health("Current", "WaitForFirstConsumer", "it waits for the first pod that uses it to have a node")


def _named(objects: Iterable[Obj]) -> dict[str, Obj]:
    return {obj["metadata"]["name"]: obj for obj in objects}
