"""A pod's claims for devices: which ResourceClaim is meant, whose it is, and who may use it.

In: pods and ResourceClaims of resource.k8s.io. Out: answers as k8s.io/dynamic-resource-allocation/resourceclaim
gives them, in its words. Which devices a claim gets is not here: the scheduler decides that.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj, dig, key_of

CLAIMS = "resourceclaims.resource.k8s.io"
TEMPLATES = "resourceclaimtemplates.resource.k8s.io"
CLASSES = "deviceclasses.resource.k8s.io"
SLICES = "resourceslices.resource.k8s.io"
FINALIZER = "resource.kubernetes.io/delete-protection"
POD_CLAIM = "resource.kubernetes.io/pod-claim-name"
"""The annotation of a generated claim: for which of its pod's claims it was made."""
EXTENDED = "resource.kubernetes.io/extended-resource-claim"
"""The annotation of a claim that the scheduler made for a pod's extended resources."""
IMPLICIT = "deviceclass.resource.kubernetes.io/"
"""An extended resource of this prefix is backed by the DeviceClass of that name."""
MOST_RESERVED = 256
"""So many consumers a claim has at most."""


class Named(NamedTuple):
    """The ResourceClaim behind one of a pod's claims; ``problem`` says why there is none, "" for all is well.

    A ``name`` of None without a problem: no claim is needed.
    """

    name: str | None
    is_generated: bool = False
    problem: str = ""


def has_claims(pod: Obj) -> bool:
    """Say whether the pod asks for devices by claims."""
    return bool(pod["spec"].get("resourceClaims"))


def claim_of(pod: Obj, entry: Obj) -> Named:
    """Return the claim behind an entry of ``spec.resourceClaims``, as resourceclaim.Name."""
    if entry.get("resourceClaimName") is not None:
        return Named(entry["resourceClaimName"])
    key = key_of(pod)
    if entry.get("resourceClaimTemplateName") is None:
        return Named(
            None, problem=f"Pod {key}, spec.resourceClaim {entry['name']}: none of the supported fields are set"
        )
    for found in (pod.get("status") or {}).get("resourceClaimStatuses") or ():
        if found.get("name") == entry["name"]:
            return Named(found.get("resourceClaimName"), is_generated=True)
    return Named(None, is_generated=True, problem=f"Pod {key}: ResourceClaim not created yet")


def claim_names(pod: Obj) -> list[str]:
    """Return the names of the claims the pod uses, as far as they are known."""
    found = (claim_of(pod, entry).name for entry in pod["spec"].get("resourceClaims") or ())
    extended = dig(pod, "status", "extendedResourceClaimStatus", "resourceClaimName")
    return [name for name in (*found, extended) if name]


def not_owner(pod: Obj, claim: Obj) -> str:
    """Return why a generated claim is not the pod's own, "" when it is (resourceclaim.IsForPod)."""
    uid = pod["metadata"].get("uid")
    if any(ref.get("controller") and ref.get("uid") == uid for ref in claim["metadata"].get("ownerReferences") or ()):
        return ""
    return f"ResourceClaim {key_of(claim)} was not created for Pod {key_of(pod)} (Pod is not owner)"


def not_found(name: str) -> str:
    """Return what a client is told of a claim that does not exist."""
    return f'resourceclaim.resource.k8s.io "{name}" not found'


def allocation_of(claim: Obj) -> Obj | None:
    """Return what was allocated for a claim."""
    found: Obj | None = (claim.get("status") or {}).get("allocation")
    return found


def reserved_for(claim: Obj) -> list[Obj]:
    """Return the consumers of a claim."""
    return (claim.get("status") or {}).get("reservedFor") or []


def is_reserved_for(pod: Obj, claim: Obj) -> bool:
    """Say whether the pod is among the claim's consumers."""
    uid = pod["metadata"].get("uid")
    return any(consumer.get("uid") == uid for consumer in reserved_for(claim))


def consumer(pod: Obj) -> Obj:
    """Return the entry of ``status.reservedFor`` that stands for the pod."""
    return {"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
