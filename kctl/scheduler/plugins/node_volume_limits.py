"""NodeVolumeLimits: no more volumes of a CSI driver on a node than its CSINode allows."""

from __future__ import annotations

from kctl.api import volumes as vol
from kctl.api.objects import Obj
from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.volume_restrictions import missing
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.volumes import Volumes, is_for_pod

NAME = "NodeVolumeLimits"
EXCEEDED = No(NAME, ("node(s) exceed max volume count",))
Found = dict[str, str]
"""Driver by unique name of a volume."""


class NodeVolumeLimits:
    """Counts the volumes of pods and attachments on a node by driver; one volume of several pods once."""

    name = NAME

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Step aside for a pod without claims."""
        return None if cycle.pod.claims else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node whose limit the pod's new volumes would exceed."""
        volumes = cycle.cluster.volumes
        new: Found | None = cycle.data.get(self.name)
        if new is None:
            found = volumes_of(cycle.pod, volumes)
            if isinstance(found, No):
                return found
            new = cycle.data[self.name] = found
        limits = limits_of(volumes.csi_node(node.name)) if new else {}
        if not limits:
            return None
        there: Found = {}
        for pod in node.pods.values():
            known = volumes_of(pod, volumes, is_new=False)
            there.update(known if isinstance(known, dict) else {})
        for attachment in volumes.attached(node.name):
            there.update(attached_volume(attachment, volumes))
        for driver, limit in limits.items():
            wanted = sum(of == driver and name not in there for name, of in new.items())
            if wanted and wanted + sum(of == driver for of in there.values()) > limit:
                return EXCEEDED
        return None


def volumes_of(pod: PodInfo, volumes: Volumes, *, is_new: bool = True) -> Found | No:
    """Return the pod's CSI volumes; a claim that is not there is a refusal of a new pod, else passed over."""
    found: Found = {}
    for name, is_ephemeral in pod.claims:
        claim = volumes.claim(pod.namespace, name)
        if claim is None:
            if is_new:
                return missing(NAME, name)
            continue
        if is_ephemeral and not is_for_pod(claim, pod):
            continue
        driver, handle = driver_of(claim, volumes)
        if driver:
            found[f"{driver}/{handle}"] = driver
    return found


def driver_of(claim: Obj, volumes: Volumes) -> tuple[str, str]:
    """Return the CSI driver of a claim and what it calls the volume, "" where there is none.

    A claim without a volume counts for the driver that its class would have make one.
    """
    meta = claim["metadata"]
    bound = claim["spec"].get("volumeName")
    volume = volumes.volume(bound) if bound else None
    if volume is not None:
        source = volume["spec"].get("csi") or {}
        return source.get("driver") or "", source.get("volumeHandle") or ""
    storage_class = volumes.storage_class(vol.class_name(claim))
    return (storage_class or {}).get("provisioner") or "", f"claim {meta['namespace']}/{meta['name']}"


def attached_volume(attachment: Obj, volumes: Volumes) -> Found:
    """Return the volume that an attachment holds on its node."""
    spec = attachment["spec"]
    volume = volumes.volume((spec.get("source") or {}).get("persistentVolumeName") or "")
    source = ((volume or {}).get("spec") or {}).get("csi")
    return {f"{source['driver']}/{source['volumeHandle']}": source["driver"]} if source else {}


def limits_of(csi_node: Obj | None) -> dict[str, int]:
    """Return how many volumes of each driver a node takes."""
    drivers = ((csi_node or {}).get("spec") or {}).get("drivers") or ()
    counts = {driver["name"]: (driver.get("allocatable") or {}).get("count") for driver in drivers}
    return {name: count for name, count in counts.items() if count is not None}
