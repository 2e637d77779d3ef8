"""The local cloud's external-provisioner: volumes are made for claims that ask its driver, and deleted after them.

In: claims handed over by the volume binder (with a node, where their class waits for one), and released volumes. Out: a disk
of the cloud (``volumes.cloud.kctl.dev``), which takes ``create_seconds``, and its PersistentVolume ``pvc-<uid>`` bound to the
node's zone; both go ``delete_seconds`` after the claim, once nothing is attached. Disks are for one node at a time, as block
storage of the large clouds is: claims that want more are refused. Latencies are assumptions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kctl.api import volumes as vol
from kctl.api.clock import parse_time, rfc3339
from kctl.api.names import uid
from kctl.api.objects import Key, Obj, annotations_of, dig, is_deleting, key_of, labels_of
from kctl.client.cache import Cache, Caches, Index
from kctl.runtime.actions import Action, Create, Delete, Emit, Update, update_status
from kctl.runtime.controller import Controller, Decision, Watch

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
CLASSES = "storageclasses.storage.k8s.io"
ATTACHMENTS = "volumeattachments.storage.k8s.io"
DISKS = "volumes.cloud.kctl.dev"
ZONE = "topology.kubernetes.io/zone"
FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer"
DELETION_TIMED_BY = "lastPhaseTransitionTime"


class ClaimSeen(NamedTuple):
    """A claim for this driver, its class and node, its disk as far as there is one, and the zones there are."""

    claim: Obj
    storage_class: Obj
    node: Obj | None
    disk: Obj | None
    zones: tuple[str, ...]


class VolumeSeen(NamedTuple):
    """A volume of this driver, its disk, and whether it is attached."""

    volume: Obj
    disk: Obj | None
    is_attached: bool


class Provisioner(Controller):
    """Makes and deletes volumes."""

    name = "csi-provisioner"
    user = "system:serviceaccount:kube-system:csi-provisioner"
    component = f"{vol.LOCAL_DRIVER}_csi-provisioner"
    level = 26
    batch = 256
    reads = (CLASSES, "nodes", ATTACHMENTS)
    writes = (VOLUMES, CLAIMS, DISKS, "events")

    def __init__(self, create_seconds: float, delete_seconds: float) -> None:
        self._create_seconds = create_seconds
        self._delete_seconds = delete_seconds
        self.watches = (
            Watch(CLAIMS, _keys_of_claim),
            Watch(VOLUMES, _keys_of_volume),
            Watch(DISKS, _keys_of_disk),
            Watch(ATTACHMENTS, _keys_of_attachment),
            Watch("nodes", _keys_of_node, 0),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of claims by node and of attachments by volume."""
        by_selected(caches[CLAIMS])
        by_volume(caches[ATTACHMENTS])

    def observe(self, caches: Caches, key: Key) -> Any | None:
        """Read a claim that waits for this driver, or a volume of it that is released."""
        if not key.namespace:
            return self._volume(caches, key)
        claim = caches[CLAIMS].get(key)
        if claim is None or not is_asked(claim):
            return None
        storage_class = caches[CLASSES].get(Key("", vol.class_name(claim)))
        if storage_class is None or caches[VOLUMES].get(Key("", volume_name(claim))) is not None:
            return None
        selected = annotations_of(claim).get(vol.SELECTED_NODE)
        if selected is None and vol.is_delayed(claim, storage_class):
            return None
        node = caches["nodes"].get(Key("", selected)) if selected else None
        disk = caches[DISKS].get(Key("", volume_name(claim)))
        zones = tuple(sorted({zone for found in caches["nodes"] if (zone := labels_of(found).get(ZONE))}))
        return ClaimSeen(claim, storage_class, node, disk, zones)

    def _volume(self, caches: Caches, key: Key) -> VolumeSeen | None:
        volume = caches[VOLUMES].get(key)
        if volume is None or annotations_of(volume).get(vol.PROVISIONED_BY) != vol.LOCAL_DRIVER:
            return None
        is_attached = by_volume(caches[ATTACHMENTS]).count(key.name) > 0
        return VolumeSeen(volume, caches[DISKS].get(key), is_attached)

    def decide(self, seen: ClaimSeen | VolumeSeen, now: float) -> Decision:
        """Provision for a claim, or delete after one."""
        return self._delete(seen, now) if isinstance(seen, VolumeSeen) else self._provision(seen, now)

    def _provision(self, seen: ClaimSeen, now: float) -> Decision:
        claim, node = seen.claim, seen.node
        selected = annotations_of(claim).get(vol.SELECTED_NODE)
        if selected and node is None and seen.disk is None:
            return _reschedule(claim, f'error getting selected node "{selected}": node "{selected}" not found')
        why = refusal(claim)
        if why:
            text = f'failed to provision volume with StorageClass "{vol.class_name(claim)}": {why}'
            return Decision((Emit(claim, "Warning", "ProvisioningFailed", text, once=True),))
        if seen.disk is None:
            text = f'External provisioner is provisioning volume for claim "{key_of(claim)}"'
            disk = new_disk(claim, zone_of(seen))
            return Decision((Emit(claim, "Normal", "Provisioning", text, once=True), Create(DISKS, disk)))
        ready_at = parse_time(seen.disk["metadata"]["creationTimestamp"]) + self._create_seconds
        if now < ready_at:
            return Decision(wake_at=ready_at)
        name = volume_name(claim)
        actions: list[Action] = []
        if dig(seen.disk, "status", "state") != "available":
            actions.append(update_status(DISKS, seen.disk, {"state": "available", "since": rfc3339(now)}))
        actions.append(Create(VOLUMES, new_volume(claim, seen.storage_class, seen.disk)))
        actions.append(
            Emit(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}", once=True)
        )
        return Decision(tuple(actions))

    def _delete(self, seen: VolumeSeen, now: float) -> Decision:
        volume = seen.volume
        phase = dig(volume, "status", "phase")
        if phase not in ("Released", "Failed") or volume["spec"].get("persistentVolumeReclaimPolicy") != "Delete":
            return Decision()
        if seen.is_attached:
            return Decision()
        since = parse_time(dig(volume, "status", DELETION_TIMED_BY) or volume["metadata"]["creationTimestamp"])
        if now < since + self._delete_seconds:
            return Decision(wake_at=since + self._delete_seconds)
        actions: list[Action] = []
        if seen.disk is not None:
            actions.append(Delete(DISKS, key_of(seen.disk), seen.disk["metadata"]["uid"]))
        left = [one for one in volume["metadata"].get("finalizers") or () if one != FINALIZER]
        if left != (volume["metadata"].get("finalizers") or []):
            meta = {**volume["metadata"], "finalizers": left}
            actions.append(Update(VOLUMES, {**volume, "metadata": meta}))
        if not is_deleting(volume):
            actions.append(Delete(VOLUMES, key_of(volume), volume["metadata"]["uid"]))
        return Decision(tuple(actions))


def is_asked(claim: Obj) -> bool:
    """Say whether a claim waits for this driver to make its volume."""
    asked = annotations_of(claim).get(vol.STORAGE_PROVISIONER)
    return asked == vol.LOCAL_DRIVER and not claim["spec"].get("volumeName") and not is_deleting(claim)


def volume_name(claim: Obj) -> str:
    """Return the name of the volume made for a claim."""
    return f"pvc-{claim['metadata']['uid']}"


def refusal(claim: Obj) -> str:
    """Return why the driver does not make a volume for the claim, "" when it does."""
    several = vol.modes(claim) & {"ReadWriteMany", "ReadOnlyMany"}
    if not several or vol.volume_mode(claim) == "Block":
        return ""
    listed = ", ".join(vol.listed_modes(several))
    return f"rpc error: code = InvalidArgument desc = a disk is for one node at a time, not {listed}"


def _reschedule(claim: Obj, why: str) -> Decision:
    """Give a claim back to the scheduler, which has to choose another node."""
    annotations = {name: value for name, value in annotations_of(claim).items() if name != vol.SELECTED_NODE}
    given_back = {**claim, "metadata": {**claim["metadata"], "annotations": annotations}}
    return Decision((Update(CLAIMS, given_back), Emit(claim, "Warning", "ProvisioningFailed", why, once=True)))


def zone_of(seen: ClaimSeen) -> str:
    """Return the zone of the new volume: the node's, else one of those the class allows, by the claim's uid."""
    if seen.node is not None:
        return labels_of(seen.node).get(ZONE, "")
    zones = [zone for zone in seen.zones if zone in allowed_zones(seen.storage_class, seen.zones)]
    if not zones:
        return ""
    return zones[int(uid("zone", seen.claim["metadata"]["uid"])[:8], 16) % len(zones)]


def allowed_zones(storage_class: Obj, zones: Iterable[str]) -> set[str]:
    """Return the zones in which a class makes volumes."""
    terms = storage_class.get("allowedTopologies") or ()
    if not terms:
        return set(zones)
    found = [one for term in terms for one in term.get("matchLabelExpressions") or () if one["key"] == ZONE]
    return {value for one in found for value in one.get("values") or ()} if found else set(zones)


def new_disk(claim: Obj, zone: str) -> Obj:
    """Return the cloud's own object for a volume."""
    meta = claim["metadata"]
    owner = {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    place = {"zone": zone} if zone else {}
    return {
        "apiVersion": "cloud.kctl.dev/v1",
        "kind": "Volume",
        "metadata": {"name": volume_name(claim)},
        "spec": {"provider": "local", "claim": owner, "size": vol.requested(claim), **place},
    }


def new_volume(claim: Obj, storage_class: Obj, disk: Obj) -> Obj:
    """Return the volume that is made for a claim."""
    meta, spec, name = claim["metadata"], claim["spec"], volume_name(claim)
    zone = dig(disk, "spec", "zone")
    terms = [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}]
    made: Obj = {
        "capacity": {"storage": vol.requested(claim)},
        "accessModes": spec.get("accessModes"),
        "volumeMode": vol.volume_mode(claim),
        "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
        "storageClassName": vol.class_name(claim),
        "claimRef": {
            "kind": "PersistentVolumeClaim",
            "apiVersion": "v1",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
        },
        "csi": {"driver": vol.LOCAL_DRIVER, "volumeHandle": name},
    }
    if zone:
        made["nodeAffinity"] = {"required": {"nodeSelectorTerms": terms}}
    if vol.volume_mode(claim) != "Block":
        made["csi"]["fsType"] = "ext4"
    if storage_class.get("mountOptions"):
        made["mountOptions"] = storage_class["mountOptions"]
    if vol.attributes_class(claim):
        made["volumeAttributesClassName"] = vol.attributes_class(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {vol.PROVISIONED_BY: vol.LOCAL_DRIVER}, "finalizers": [FINALIZER]},
        "spec": made,
    }


def by_selected(claims: Cache) -> Index:
    """Return the index of claims that wait for this driver by the node chosen for them."""
    return claims.index("awaited on node", _selected)


def _selected(claim: Obj) -> tuple[str, ...]:
    selected = annotations_of(claim).get(vol.SELECTED_NODE) if is_asked(claim) else None
    return (selected,) if selected else ()


def by_volume(attachments: Cache) -> Index:
    """Return the index of attachments by volume."""
    return attachments.index("volume", lambda found: (dig(found, "spec", "source", "persistentVolumeName"),))


def _keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake the claims whose chosen node is gone."""
    if new is not None or old is None:
        return []
    return [key_of(claim) for claim in by_selected(caches[CLAIMS]).get(old["metadata"]["name"])]


def _keys_of_claim(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    return (key_of(new),) if new is not None and is_asked(new) else ()


def _keys_of_volume(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    if new is None or annotations_of(new).get(vol.PROVISIONED_BY) != vol.LOCAL_DRIVER:
        return ()
    return (key_of(new),) if dig(new, "status", "phase") in ("Released", "Failed") else ()


def _keys_of_disk(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Wake the claim of a new disk."""
    if new is None or old is not None:
        return ()
    owner = new["spec"].get("claim") or {}
    return (Key(owner.get("namespace") or "", owner.get("name") or ""),)


def _keys_of_attachment(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Wake the volume that has been detached."""
    return () if new is not None or old is None else (Key("", dig(old, "spec", "source", "persistentVolumeName")),)
