"""persistentvolumeclaim-protection-controller: a claim in use is not deleted.

In: claims and the pods that name them. Out: the finalizer put on claims that lack it, and taken
off those being deleted as soon as no bound pod names them.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, controller_uid, is_deleting, key_of
from kctl.api.volumes import claims_of, have_claims
from kctl.client.cache import META, SPEC, Caches, by_claim
from kctl.runtime.actions import Patch
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

CLAIMS = "persistentvolumeclaims"
FINALIZER = "kubernetes.io/pvc-protection"


class Seen(NamedTuple):
    """A claim, and whether a pod uses it."""

    claim: Obj
    is_used: bool


class PVCProtectionController(Controller):
    """Keeps claims that are in use."""

    name = "persistentvolumeclaim-protection-controller"
    user = "system:serviceaccount:kube-system:pvc-protection-controller"
    level = 65
    reads = (CLAIMS, "pods")
    writes = (CLAIMS,)

    def __init__(self) -> None:
        self.watches = (Watch(CLAIMS, keys_of_self), Watch("pods", _keys_of_pod, META | SPEC, where=have_claims))

    def prepare(self, caches: Caches) -> None:
        """Register the index of pods by claim."""
        by_claim(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the claim and look for pods that use it."""
        claim = caches[CLAIMS].get(key)
        if claim is None:
            return None
        return Seen(claim, any(uses(pod, claim) for pod in by_claim(caches["pods"]).get(key)))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Put the finalizer on, or take it off, as processPVC."""
        if is_deleting(seen.claim):
            return Decision() if seen.is_used else without_finalizer(CLAIMS, seen.claim, FINALIZER)
        return with_finalizer(CLAIMS, seen.claim, FINALIZER)


def uses(pod: Obj, claim: Obj) -> bool:
    """Say whether a bound pod holds on to the claim, as podUsesPVC; a claim of its own only until it is done."""
    if not pod["spec"].get("nodeName"):
        return False
    name = claim["metadata"]["name"]
    meta = pod["metadata"]
    is_shut_down = is_deleting(pod) and meta.get("deletionGracePeriodSeconds") == 0
    for volume in pod["spec"].get("volumes") or ():
        if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name:
            return True
        is_own = volume.get("ephemeral") is not None and f"{meta['name']}-{volume['name']}" == name
        if is_own and not is_shut_down and controller_uid(claim) == meta.get("uid"):
            return True
    return False


def with_finalizer(resource: str, obj: Obj, finalizer: str) -> Decision:
    """Return what adds the finalizer where it is missing."""
    there = obj["metadata"].get("finalizers") or []
    return Decision() if finalizer in there else _finalizers(resource, obj, [*there, finalizer])


def without_finalizer(resource: str, obj: Obj, finalizer: str) -> Decision:
    """Return what takes the finalizer off where it is."""
    there = obj["metadata"].get("finalizers") or []
    if finalizer not in there:
        return Decision()
    return _finalizers(resource, obj, [found for found in there if found != finalizer])


def _finalizers(resource: str, obj: Obj, finalizers: list[str]) -> Decision:
    meta: Obj = {"finalizers": finalizers or None, "resourceVersion": obj["metadata"].get("resourceVersion")}
    return Decision((Patch(resource, key_of(obj), {"metadata": meta}),))


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map a pod that is gone or shut down to its claims."""
    pod = new or old
    if pod is None or (new is not None and new["metadata"].get("deletionGracePeriodSeconds") != 0):
        return ()
    return tuple(Key(key_of(pod).namespace, name) for name in claims_of(pod))
