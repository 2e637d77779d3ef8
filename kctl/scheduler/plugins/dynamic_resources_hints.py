"""Queueing hints of DynamicResources: which change of claims, classes or slices may help which pod.

In and out as :mod:`kctl.scheduler.hints`, whose table names these functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import deviceclaims as dra
from kctl.api.objects import Key, Obj, key_of
from kctl.scheduler.extension import No

if TYPE_CHECKING:
    from kctl.scheduler.cluster import Cluster
    from kctl.scheduler.hints import Event
    from kctl.scheduler.podinfo import PodInfo

RESOURCES = (dra.CLAIMS, dra.CLASSES, dra.SLICES)
"""What the plugin reads."""
DEVICE_CLAIM_ADD, DEVICE_CLAIM_UPDATE = "device claim add", "device claim update"
CLASS_ADD, CLASS_UPDATE = "device class add", "device class update"
SLICE_ADD, SLICE_UPDATE = "resource slice add", "resource slice update"
POD_CLAIMS = "pod generated claims"
KINDS = {
    dra.CLAIMS: (DEVICE_CLAIM_ADD, DEVICE_CLAIM_UPDATE),
    dra.CLASSES: (CLASS_ADD, CLASS_UPDATE),
    dra.SLICES: (SLICE_ADD, SLICE_UPDATE),
}


def device_event(resource: str, old: Obj | None, new: Obj | None) -> str:
    """Name what happened to an object, "" where no pod waits for it.

    A claim that is gone has freed its devices before: it is protected while it is allocated.
    """
    if new is None:
        return ""
    added, updated = KINDS[resource]
    return added if old is None else updated


def has_its_claims(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """Say whether the pod itself now has all its claims (isSchedulableAfterPodChange)."""
    from kctl.scheduler.plugins.dynamic_resources import claims_of

    changed = event.new_pod
    return changed is not None and changed.uid == pod.uid and not isinstance(claims_of(changed, cluster), No)


def frees_or_serves(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """Say whether a claim was deallocated, or is the pod's own and changed (isSchedulableAfterClaimChange)."""
    from kctl.scheduler.plugins.dynamic_resources import claims_of

    old, new = event.old_obj, event.new_obj
    if new is None or isinstance(claims_of(pod, cluster), No):
        return False
    if old is not None and dra.allocation_of(old) is not None and dra.allocation_of(new) is None:
        return True
    key = key_of(new)
    is_own = key in {Key(pod.namespace, name) for name in dra.claim_names(pod.obj)}
    return is_own and (old is None or (old.get("status") or {}) != (new.get("status") or {}))
