"""What is to be done about a claim: find it a volume, bind it, hand it to a provisioner, or call it lost.

In: a :class:`ClaimSeen`. Out: a Decision. The rules and words are those of syncUnboundClaim and syncBoundClaim.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from kctl.api import volumes as vol
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, annotations_of, dig
from kctl.api.resourcelist import compare
from kctl.runtime.actions import Action, Emit, Update, update_status
from kctl.runtime.controller import Decision

CLAIMS = "persistentvolumeclaims"
VOLUMES = "persistentvolumes"
MIGRATED = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/azure-file": "file.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
    "kubernetes.io/vsphere-volume": "csi.vsphere.vmware.com",
}
"""In-tree provisioners that CSI drivers have replaced."""


class ClaimSeen(NamedTuple):
    """A claim with the volume it names, else with all it might get, its class, and a default one it might take.

    ``waiting`` are the pods with this claim that have no node.
    """

    claim: Obj
    volume: Obj | None = None
    candidates: tuple[Obj, ...] = ()
    storage_class: Obj | None = None
    default: Obj | None = None
    waiting: tuple[str, ...] = ()


def decide_claim(seen: ClaimSeen, now: float, period: float) -> Decision:
    """Bring a claim a step further; ``period`` is how often open claims are looked at anew."""
    if vol.BIND_COMPLETED in annotations_of(seen.claim):
        return _bound(seen)
    if seen.claim["spec"].get("volumeName"):
        return _named(seen, now, period)
    found = match(seen)
    if found is not None:
        return _when_due(seen.claim, found, now, period) or bind(found, seen.claim)
    return _without_volume(seen, now, period)


def match(seen: ClaimSeen) -> Obj | None:
    """Return the volume the claim gets; of those that suit, one with as few access modes as can be (findByClaim)."""
    wanted = vol.modes(seen.claim)
    groups: dict[tuple[str, ...], list[Obj]] = {}
    for volume in seen.candidates:
        found = vol.modes(volume)
        if wanted <= found:
            groups.setdefault(vol.listed_modes(found), []).append(volume)
    delayed = vol.is_delayed(seen.claim, seen.storage_class)
    for group in sorted(groups, key=lambda modes: (len(modes), modes)):
        best = vol.best_match(seen.claim, groups[group], delayed=delayed)
        if best is not None:
            return best
    return None


def _when_due(claim: Obj, cause: Obj, now: float, period: float) -> Decision | None:
    """Return a wait for the next look at open claims, None when it is time for the claim.

    ``cause`` is what the claim would profit from. What is as old as the claim it found at once; so it does with a
    volume that was bound to it by its uid, which wakes it.
    """
    if dig(cause, "spec", "claimRef", "uid"):
        return None
    since = dig(cause, "status", "lastPhaseTransitionTime") or cause["metadata"].get("creationTimestamp")
    created = claim["metadata"].get("creationTimestamp")
    if not since or not created or parse_time(since) <= parse_time(created):
        return None
    due = math.ceil(parse_time(since) / period) * period if period else now
    return Decision(wake_at=due) if now < due else None


def _named(seen: ClaimSeen, now: float, period: float) -> Decision:
    """Bind the claim to the volume it asks for, if it may have it."""
    claim, volume = seen.claim, seen.volume
    if volume is None:
        return pending(claim)
    wait = _when_due(claim, volume, now, period)
    if wait is not None:
        return wait
    name = volume["metadata"]["name"]
    if not volume["spec"].get("claimRef"):
        why = mismatch(volume, claim)
        if not why:
            return bind(volume, claim)
        return pending(
            claim,
            Emit(claim, "Warning", "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}', once=True),
        )
    if vol.is_bound_to(volume, claim):
        return bind(volume, claim)
    if vol.BOUND_BY_CONTROLLER in annotations_of(claim):
        return Decision()
    text = f'volume "{name}" already bound to a different claim.'
    return pending(claim, Emit(claim, "Warning", "FailedBinding", text, once=True))


def mismatch(volume: Obj, claim: Obj) -> str:
    """Return why a volume that a claim names does not suit it, "" when it does (checkVolumeSatisfyClaim)."""
    if compare(vol.capacity(volume), vol.requested(claim)) < 0:
        return "requested PV is too small"
    if vol.class_name(volume) != vol.class_name(claim):
        return "storageClassName does not match"
    if vol.attributes_class(volume) != vol.attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if vol.volume_mode(volume) != vol.volume_mode(claim):
        return "incompatible volumeMode"
    return "" if vol.modes(claim) <= vol.modes(volume) else "incompatible accessMode"


def bind(volume: Obj, claim: Obj) -> Decision:
    """Take the next step of a binding: the volume, its phase and the claim, the claim's status."""
    promised = vol.bound_to_claim(volume, claim)
    if promised is not volume:
        return Decision((Update(VOLUMES, promised),))
    actions: list[Action] = []
    if dig(volume, "status", "phase") != "Bound":
        actions.append(phase(volume, "Bound"))
    bound = bound_claim(claim, volume)
    if bound is not claim:
        return Decision((*actions, Update(CLAIMS, bound)))
    status = claim.get("status") or {}
    wanted = {**status, "phase": "Bound", "accessModes": volume["spec"].get("accessModes")}
    if status.get("phase") != "Bound":
        wanted["capacity"] = volume["spec"].get("capacity")
        if vol.attributes_class(volume):
            wanted["currentVolumeAttributesClassName"] = vol.attributes_class(volume)
    if wanted != status:
        actions.append(update_status(CLAIMS, claim, wanted))
    return Decision(tuple(actions))


def bound_claim(claim: Obj, volume: Obj) -> Obj:
    """Return the claim bound to the volume, the same object when it is already (bindClaimToVolume)."""
    name = volume["metadata"]["name"]
    if claim["spec"].get("volumeName") == name:
        return vol.annotated(claim, {vol.BIND_COMPLETED: "yes"})
    named = {**claim, "spec": {**claim["spec"], "volumeName": name}}
    return vol.annotated(named, {vol.BIND_COMPLETED: "yes", vol.BOUND_BY_CONTROLLER: "yes"})


def phase(volume: Obj, wanted: str, message: str = "") -> Update:
    """Return the action that brings a volume into a phase."""
    status = {k: v for k, v in (volume.get("status") or {}).items() if k != "message"}
    return update_status(VOLUMES, volume, {**status, "phase": wanted, **({"message": message} if message else {})})


def pending(claim: Obj, *events: Emit) -> Decision:
    """Keep a claim pending, and say why."""
    status = claim.get("status") or {}
    kept = {k: v for k, v in status.items() if k not in ("accessModes", "capacity")} | {"phase": "Pending"}
    return Decision((*events, *(() if kept == status else (update_status(CLAIMS, claim, kept),))))


def _bound(seen: ClaimSeen) -> Decision:
    """Keep a binding whole, or call the claim lost."""
    claim, volume = seen.claim, seen.volume
    if not claim["spec"].get("volumeName"):
        text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return _lost(claim, "ClaimLost", text)
    if volume is None:
        return _lost(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
    ref = volume["spec"].get("claimRef")
    if not ref or ref.get("uid") == claim["metadata"].get("uid"):
        return bind(volume, claim)
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    return _lost(claim, "ClaimMisbound", text)


def _lost(claim: Obj, reason: str, text: str) -> Decision:
    status = claim.get("status") or {}
    if status.get("phase") == "Lost":
        return Decision()
    kept = {k: v for k, v in status.items() if k not in ("accessModes", "capacity")} | {"phase": "Lost"}
    return Decision((update_status(CLAIMS, claim, kept), Emit(claim, "Warning", reason, text)))


def _without_volume(seen: ClaimSeen, now: float, period: float) -> Decision:
    """Give a claim without a volume the default class, let it wait for its pod, or have a volume made."""
    claim = seen.claim
    if seen.default is not None:
        named = {**claim["spec"], "storageClassName": seen.default["metadata"]["name"]}
        wait = _when_due(claim, seen.default, now, period)
        return wait or Decision((Update(CLAIMS, {**claim, "spec": named}),))
    is_selected = vol.SELECTED_NODE in annotations_of(claim)
    if vol.is_delayed(claim, seen.storage_class) and not is_selected:
        return pending(claim, first_consumer(claim, seen.waiting))
    if vol.class_name(claim):
        return _provision(seen, now, period)
    text = "no persistent volumes available for this claim and no storage class is set"
    return pending(claim, Emit(claim, "Normal", "FailedBinding", text, once=True))


def first_consumer(claim: Obj, waiting: tuple[str, ...]) -> Emit:
    """Say that the claim waits for a pod, or with its pods for a node (emitEventForUnboundDelayBindingClaim)."""
    reason, text = "WaitForFirstConsumer", "waiting for first consumer to be created before binding"
    if waiting:
        pods = f"pod {waiting[0]}" if len(waiting) == 1 else f"pods {','.join(waiting)}"
        reason, text = "WaitForPodScheduled", f"waiting for {pods} to be scheduled"
    return Emit(claim, "Normal", reason, text, once=True)


def _provision(seen: ClaimSeen, now: float, period: float) -> Decision:
    """Name the claim to its provisioner (provisionClaimOperationExternal), or say that there is none."""
    claim, found = seen.claim, seen.storage_class
    if found is None:
        text = f'storageclass.storage.k8s.io "{vol.class_name(claim)}" not found'
        return Decision((Emit(claim, "Warning", "ProvisioningFailed", text, once=True),))
    wait = _when_due(claim, found, now, period)
    if wait is not None:
        return wait
    asked = str(found.get("provisioner") or "")
    if asked.startswith("kubernetes.io/") and asked not in MIGRATED:
        text = f"no volume plugin matched name: {asked}"
        return Decision((Emit(claim, "Warning", "ProvisioningFailed", text, once=True),))
    provisioner = MIGRATED.get(asked, asked)
    text = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )
    event = Emit(claim, "Normal", "ExternalProvisioning", text, once=True)
    there = annotations_of(claim)
    if there.get(vol.STORAGE_PROVISIONER) == provisioner:
        return Decision((event,))
    given = {**there, vol.STORAGE_PROVISIONER: provisioner, vol.BETA_STORAGE_PROVISIONER: provisioner}
    return Decision((Update(CLAIMS, {**claim, "metadata": {**claim["metadata"], "annotations": given}}), event))
