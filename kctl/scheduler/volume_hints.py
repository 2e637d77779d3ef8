"""Queueing hints of the plugins for volumes: which change of storage, or which pod's end, may help which pod.

In and out as :mod:`kctl.scheduler.hints`, whose table names these functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import volumes as vol
from kctl.api.objects import Obj, annotations_of, key_of
from kctl.api.resourcelist import compare
from kctl.scheduler.plugins.node_volume_limits import limits_of
from kctl.scheduler.plugins.volume_binding import volume_limit
from kctl.scheduler.plugins.volume_restrictions import conflict
from kctl.scheduler.plugins.volume_zone import topologies
from kctl.scheduler.volumes import ATTACHMENTS, CAPACITIES, CLAIMS, CLASSES, CSI_NODES, DRIVERS, VOLUMES

if TYPE_CHECKING:
    from kctl.scheduler.cluster import Cluster
    from kctl.scheduler.hints import Event
    from kctl.scheduler.podinfo import PodInfo

CLAIM_ADD, CLAIM_UPDATE = "claim add", "claim update"
VOLUME_ADD, VOLUME_UPDATE = "volume add", "volume update"
CLASS_ADD, CLASS_UPDATE = "storage class add", "storage class update"
CSI_NODE_ADD, CSI_NODE_UPDATE = "csi node add", "csi node update"
DRIVER_UPDATE = "csi driver update"
CAPACITY_ADD, CAPACITY_UPDATE = "storage capacity add", "storage capacity update"
ATTACHMENT_DELETE = "volume attachment delete"
KINDS = {
    CLAIMS: (CLAIM_ADD, CLAIM_UPDATE, ""),
    VOLUMES: (VOLUME_ADD, VOLUME_UPDATE, ""),
    CLASSES: (CLASS_ADD, CLASS_UPDATE, ""),
    CSI_NODES: (CSI_NODE_ADD, CSI_NODE_UPDATE, ""),
    DRIVERS: ("", DRIVER_UPDATE, ""),
    CAPACITIES: (CAPACITY_ADD, CAPACITY_UPDATE, ""),
    ATTACHMENTS: ("", "", ATTACHMENT_DELETE),
}
"""What some plugin wants to know of each resource: its objects coming, changing, going."""
MIGRATED = "storage.alpha.kubernetes.io/migrated-plugins"


def storage_events(resource: str, old: Obj | None, new: Obj | None) -> tuple[str, ...]:
    """Name what happened to an object, as far as a plugin wants to know."""
    added, updated, deleted = KINDS[resource]
    kind = added if old is None else deleted if new is None else updated
    return (kind,) if kind else ()


def names_claim(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeBinding, NodeVolumeLimits: it is a claim of the pod that came or changed."""
    return event.new_obj is not None and _has_claim(pod, event.new_obj, ephemeral_too=True)


def names_shared_claim(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeRestrictions, VolumeZone: it is a claim of the pod, not of an ephemeral volume."""
    return event.new_obj is not None and _has_claim(pod, event.new_obj, ephemeral_too=False)


def _has_claim(pod: PodInfo, claim: Obj, *, ephemeral_too: bool) -> bool:
    key = key_of(claim)
    names = [name for name, is_ephemeral in pod.claims if ephemeral_too or not is_ephemeral]
    return key.namespace == pod.namespace and key.name in names


def frees_disk(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeRestrictions: the pod that is gone had a disk or a claim that this one wants."""
    gone = event.old_pod
    if gone is None or gone.namespace != pod.namespace:
        return False
    shared = {name for name, is_ephemeral in pod.claims if not is_ephemeral}
    return conflict(pod, gone) or any(name in shared for name, is_ephemeral in gone.claims if not is_ephemeral)


def frees_volume(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeVolumeLimits: the pod that is gone had volumes on a node, or was about to."""
    gone = event.old_pod
    return gone is not None and bool(gone.node_name or gone.nominated) and bool(gone.claims)


def allows_more(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeVolumeLimits: the limit of some driver on a node went up or away."""
    before, after = limits_of(event.old_obj), limits_of(event.new_obj)
    return any(name not in after or after[name] > limit for name, limit in before.items())


def was_attached(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeVolumeLimits: a volume of the pod is no longer attached where it was."""
    name = (((event.old_obj or {}).get("spec") or {}).get("source") or {}).get("persistentVolumeName")
    claims = [cluster.volumes.claim(pod.namespace, claim) for claim, _ in pod.claims]
    return bool(name) and any(claim["spec"].get("volumeName") == name for claim in claims if claim is not None)


def is_elsewhere(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeZone: the volume is new, or its place labels changed."""
    if event.new_obj is None:
        return False
    return event.old_obj is None or topologies(event.old_obj) != topologies(event.new_obj)


def waits_for_consumers(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeZone: the new class binds when its first consumer comes."""
    return (event.new_obj or {}).get("volumeBindingMode") == vol.WAIT_FOR_FIRST_CONSUMER


def provisions_elsewhere(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeBinding: the class is new, or makes volumes in other places."""
    old, new = event.old_obj, event.new_obj or {}
    return old is None or old.get("allowedTopologies") != new.get("allowedTopologies")


def migrates(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeBinding: a node's drivers are new, or take over other in-tree plugins."""
    if event.old_obj is None or event.new_obj is None:
        return True
    return annotations_of(event.old_obj).get(MIGRATED) != annotations_of(event.new_obj).get(MIGRATED)


def stops_counting(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeBinding: the driver of an inline volume no longer tells its capacity."""
    old, new = event.old_obj or {}, event.new_obj or {"metadata": {"name": ""}}
    was = bool((old.get("spec") or {}).get("storageCapacity"))
    now_is = bool((new.get("spec") or {}).get("storageCapacity"))
    inline = [(volume.get("csi") or {}).get("driver") for volume in pod.spec.get("volumes") or ()]
    return was and not now_is and new["metadata"]["name"] in inline


def holds_more(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """VolumeBinding: there is a new pool of storage, or one promises larger volumes."""
    if event.old_obj is None or event.new_obj is None:
        return True
    before, after = volume_limit(event.old_obj), volume_limit(event.new_obj)
    return bool(after) and (not before or compare(after, before) > 0)
