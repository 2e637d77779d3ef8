"""Claims and volumes: what scheduler, controllers and kubelets agree on about binding them.

In: PersistentVolumeClaims and PersistentVolumes. Out: whether one is bound to the other, which volume suits
a claim best, and the objects as they are once bound. The rules are those of
k8s.io/component-helpers/storage/volume. Nobody is waited for and nothing is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cmp_to_key
from typing import Any

from kctl.api import selectors
from kctl.api.objects import Key, Obj, annotations_of, dig, is_deleting, key_of, labels_of
from kctl.api.resourcelist import compare

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
IS_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
NO_PROVISIONER = "kubernetes.io/no-provisioner"
WAIT_FOR_FIRST_CONSUMER = "WaitForFirstConsumer"
LOCAL_DRIVER = "disk.csi.local.kctl.dev"
"""The CSI driver of the local cloud: the one whose sidecars are simulated."""
MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
"""Access modes in the order in which they are listed."""


def class_name(obj: Obj) -> str:
    """Return the storage class of a claim or volume, "" for none; the beta annotation goes first."""
    beta = annotations_of(obj).get(BETA_CLASS)
    return str(beta if beta is not None else obj["spec"].get("storageClassName") or "")


def has_class(claim: Obj) -> bool:
    """Say whether a claim says anything about its class, be it that it wants none."""
    return BETA_CLASS in annotations_of(claim) or claim["spec"].get("storageClassName") is not None


def is_fully_bound(claim: Obj) -> bool:
    """Say whether the binding of a claim is complete, as isPVCFullyBound."""
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def is_bound_to(volume: Obj, claim: Obj) -> bool:
    """Say whether the volume is the claim's, or kept for it, as IsVolumeBoundToClaim."""
    ref = volume["spec"].get("claimRef")
    if not ref or (ref.get("namespace"), ref.get("name")) != key_of(claim):
        return False
    return not ref.get("uid") or ref["uid"] == claim["metadata"].get("uid")


def claim_key(volume: Obj) -> Key | None:
    """Return the claim that a volume is bound to or kept for."""
    ref = volume["spec"].get("claimRef")
    return Key(ref.get("namespace") or "", ref.get("name") or "") if ref else None


def claim_name(pod: Obj, volume: Obj) -> str:
    """Return the name of the claim behind a pod's volume, "" when there is none behind it."""
    if volume.get("persistentVolumeClaim") is not None:
        return str(volume["persistentVolumeClaim"].get("claimName") or "")
    if volume.get("ephemeral") is not None:
        return f"{pod['metadata']['name']}-{volume['name']}"
    return ""


def has_claims(pod: Obj) -> bool:
    """Say whether a pod uses any claim; asked about every change of every pod."""
    for volume in pod["spec"].get("volumes") or ():
        if "persistentVolumeClaim" in volume or "ephemeral" in volume:
            return True
    return False


def have_claims(old: Obj | None, new: Obj | None) -> bool:
    """Say whether a pod uses any claim, before a change or after."""
    return (old is not None and has_claims(old)) or (new is not None and has_claims(new))


def claims_of(pod: Obj) -> list[str]:
    """Return the names of the claims a pod uses, each once, in the order of its volumes."""
    if not has_claims(pod):
        return []
    volumes = pod["spec"]["volumes"]
    return list(dict.fromkeys(name for volume in volumes if (name := claim_name(pod, volume))))


def requested(claim: Obj) -> str:
    """Return how much storage a claim asks for."""
    return str(dig(claim, "spec", "resources", "requests", "storage", default="0"))


def capacity(volume: Obj) -> str:
    """Return how much storage a volume has."""
    return str(dig(volume, "spec", "capacity", "storage", default="0"))


def by_size(claims: Iterable[Obj]) -> list[Obj]:
    """Return claims, the smallest request first."""
    return sorted(claims, key=cmp_to_key(_compare_requests))


def _compare_requests(a: Obj, b: Obj) -> int:
    return compare(requested(a), requested(b))


def modes(obj: Obj) -> frozenset[str]:
    """Return the access modes of a claim or volume."""
    return frozenset(obj["spec"].get("accessModes") or ())


def listed_modes(found: Collection[str]) -> tuple[str, ...]:
    """Return access modes in their usual order."""
    return tuple(mode for mode in MODES if mode in found)


def volume_mode(obj: Obj) -> str:
    """Return the volume mode of a claim or volume."""
    return str(obj["spec"].get("volumeMode") or "Filesystem")


def attributes_class(obj: Obj) -> str:
    """Return the VolumeAttributesClass of a claim or volume, "" for none."""
    return str(obj["spec"].get("volumeAttributesClassName") or "")


def best_match(
    claim: Obj,
    volumes: Iterable[Obj],
    *,
    reaches: Callable[[Obj], bool] | None = None,
    excluded: Collection[str] = (),
    delayed: bool = False,
) -> Obj | None:
    """Return the volume that suits a claim best, as FindMatchingVolume.

    One that is bound to the claim, else the smallest that is large enough (of several as small, the first).
    ``reaches`` says whether the scheduler's node can use a volume; without a node, ``delayed`` claims
    get only volumes that are kept for them.
    """
    wanted, wanted_class = requested(claim), class_name(claim)
    selector = claim["spec"].get("selector")
    matches: Any = selectors.from_label_selector(selector).matches if selector else None
    best: Obj | None = None
    for volume in volumes:
        if volume["metadata"]["name"] in excluded or not _is_usable(volume, claim, wanted):
            continue
        if volume["spec"].get("claimRef"):
            return volume if reaches is None or reaches(volume) else None
        if reaches is None and delayed:
            continue
        if dig(volume, "status", "phase") != "Available" or class_name(volume) != wanted_class:
            continue
        if matches is not None and not matches(labels_of(volume)):
            continue
        if reaches is not None and not (reaches(volume) and modes(claim) <= modes(volume)):
            continue
        if best is None or compare(capacity(best), capacity(volume)) > 0:
            best = volume
    return best


def _is_usable(volume: Obj, claim: Obj, wanted: str) -> bool:
    """Say whether a volume is nobody else's, large enough, of the same kind, and there to stay."""
    return (
        (not volume["spec"].get("claimRef") or is_bound_to(volume, claim))
        and compare(capacity(volume), wanted) >= 0
        and volume_mode(volume) == volume_mode(claim)
        and attributes_class(volume) == attributes_class(claim)
        and not is_deleting(volume)
    )


def bound_to_claim(volume: Obj, claim: Obj) -> Obj:
    """Return the volume bound to the claim, the same object when it is already, as GetBindVolumeToClaim."""
    meta, ref = claim["metadata"], volume["spec"].get("claimRef") or {}
    out = volume
    if (ref.get("name"), ref.get("namespace"), ref.get("uid")) != (meta["name"], meta["namespace"], meta.get("uid")):
        made = {
            "kind": "PersistentVolumeClaim",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta.get("uid"),
            "apiVersion": "v1",
            "resourceVersion": meta.get("resourceVersion"),
        }
        out = {**out, "spec": {**out["spec"], "claimRef": made}}
    if not is_bound_to(volume, claim):
        out = annotated(out, {BOUND_BY_CONTROLLER: "yes"})
    return out


def annotated(obj: Obj, values: dict[str, str]) -> Obj:
    """Return the object with annotations that it lacks, the same object when it lacks none."""
    there = annotations_of(obj)
    missing = {name: value for name, value in values.items() if name not in there}
    if not missing:
        return obj
    return {**obj, "metadata": {**obj["metadata"], "annotations": {**there, **missing}}}


def is_default(storage_class: Obj) -> bool:
    """Say whether a storage class is marked as the default."""
    found = annotations_of(storage_class)
    return any(found.get(name) == "true" for name in IS_DEFAULT_CLASS)


def default_class(classes: Iterable[Obj]) -> str:
    """Return the name of the default class, the newest of several (then the first by name); "" for none."""
    found = [one for one in classes if is_default(one)]
    if not found:
        return ""
    newest = max(one["metadata"].get("creationTimestamp") or "" for one in found)
    return min(
        str(one["metadata"]["name"]) for one in found if (one["metadata"].get("creationTimestamp") or "") == newest
    )


def is_delayed(claim: Obj, storage_class: Obj | None) -> bool:
    """Say whether a claim waits for its first consumer, as IsDelayBindingMode; ``storage_class`` is the claim's."""
    return storage_class is not None and storage_class.get("volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER


def is_attachable(volume: Obj) -> bool:
    """Say whether a volume is attached to nodes by a driver that is simulated; others are taken to be there."""
    return bool(dig(volume, "spec", "csi", "driver") == LOCAL_DRIVER)


def unique_name(volume: Obj) -> str:
    """Return what node statuses call a CSI volume."""
    source = volume["spec"]["csi"]
    return f"kubernetes.io/csi/{source['driver']}^{source['volumeHandle']}"


def is_shared(volume: Obj) -> bool:
    """Say whether several nodes may use a volume at once; one that says nothing is taken to be (isMultiAttachForbidden)."""
    found = modes(volume)
    return not found or bool(found & {"ReadWriteMany", "ReadOnlyMany"})
