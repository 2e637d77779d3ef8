"""Validation of claims and persistent volumes.

In comes an object (and the old one); complaints are appended as ValidatePersistentVolume,
ValidatePersistentVolumeClaim and their updates (core validation) order them.
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta, scheduling, volume_sources
from kctl.api.validation.meta import Errors, formatted

MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def claim_spec(spec: Obj, at: str, out: Errors) -> None:
    """Check what a claim asks for, as ValidatePersistentVolumeClaimSpec."""
    modes = spec.get("accessModes") or []
    if not modes:
        out.append(errors.required(f"{at}.accessModes", "at least 1 access mode is required"))
    meta.selector(spec.get("selector"), f"{at}.selector", out)
    access_modes(modes, f"{at}.accessModes", out)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    here = f"{at}.resources[storage]"
    if storage is None:
        out.append(errors.required(here))
    else:
        _amount(storage, here, out)
    name = spec.get("storageClassName")
    if name:
        formatted(formats.dns_subdomain, name, f"{at}.storageClassName", out)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in {"Block", "Filesystem"}:
        out.append(errors.not_supported(f"{at}.volumeMode", mode, ("Block", "Filesystem")))
    _sources(spec, at, out)
    attributes = spec.get("volumeAttributesClassName")
    if attributes:
        formatted(formats.dns_subdomain, attributes, f"{at}.volumeAttributesClassName", out)


def access_modes(modes: list[str], at: str, out: Errors) -> None:
    """Check access modes, and that one pod's volume has no other."""
    for mode in modes:
        if mode not in MODES:
            out.append(errors.not_supported(at, mode, MODES))
    if "ReadWriteOncePod" in modes and any(mode != "ReadWriteOncePod" for mode in modes if mode in MODES):
        text = "may not use ReadWriteOncePod with other access modes"
        out.append(errors.forbidden_field(at, text))


def _amount(value: object, at: str, out: Errors) -> None:
    """Check that an amount is above zero."""
    if quantity.parse(str(value)) <= 0:
        out.append(errors.invalid(at, quantity.canonical(str(value)), "must be greater than zero"))


def _sources(spec: Obj, at: str, out: Errors) -> None:
    """Check what the volume is filled from."""
    for name in ("dataSource", "dataSourceRef"):
        value = spec.get(name)
        if value is None:
            continue
        here = f"{at}.{name}"
        for field in ("name", "kind"):
            if not value.get(field):
                out.append(errors.required(f"{here}.{field}"))
        group, kind = value.get("apiGroup") or "", value.get("kind") or ""
        if not group and kind != "PersistentVolumeClaim":
            text = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            out.append(errors.invalid(here, kind, text))
        if group:
            formatted(formats.dns_subdomain, group, f"{here}.apiGroup", out)
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and ref is not None:
        parts = ("apiGroup", "kind", "name")
        if any((source.get(name) or None) != (ref.get(name) or None) for name in parts):
            out.append(errors.invalid(at, {}, "must match dataSourceRef"))  # upstream shows a path as {}


def claim(obj: Obj, out: Errors) -> None:
    """Check a PersistentVolumeClaim."""
    claim_spec(obj.get("spec") or {}, "spec", out)


CLAIM_STAYS = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)
STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"


def claim_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed claim, which was checked as a whole before: its spec stays, but for what may grow."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    notes, earlier = (obj["metadata"].get("annotations") or {} for obj in (new, old))
    after, was = dict(spec), dict(before)
    if not before.get("volumeName"):
        _take(was, after, "volumeName")
    if notes.get(STORAGE_CLASS) != earlier.get(STORAGE_CLASS):
        here = f"metadata.annotations[{STORAGE_CLASS}]"
        out.append(errors.invalid(here, notes.get(STORAGE_CLASS) or "", formats.IMMUTABLE))
    if "storageClassName" not in before and "storageClassName" in spec and STORAGE_CLASS not in earlier:
        _take(after, was, "storageClassName")
    if ((new.get("status") or {}).get("phase")) == "Bound":
        _same_for_bound(after, was)
    if after != was:
        text = internal.difference("ClaimSpec", was, after)
        out.append(errors.forbidden_field("spec", f"{CLAIM_STAYS}\n{text}"))
    size, was_size, has = (_storage(values) for values in (_requests(spec), _requests(before), _capacity(old)))
    if size < was_size and size <= has:
        text = "field can not be less than status.capacity"
        out.append(errors.forbidden_field("spec.resources.requests.storage", text))
    mode = spec.get("volumeMode")
    if mode != before.get("volumeMode"):
        out.append(errors.invalid("volumeMode", mode, formats.IMMUTABLE))


def _take(out: Obj, other: Obj, name: str) -> None:
    """Give ``out`` the field as ``other`` has it."""
    out.pop(name, None)
    if name in other:
        out[name] = other[name]


def _same_for_bound(after: Obj, was: Obj) -> None:
    """Look away from what may change while a claim is bound."""
    _take(after, was, "volumeAttributesClassName")
    requests = (after.get("resources") or {}).get("requests")
    if requests is not None:
        kept = dict(requests)
        _take(kept, _requests(was), "storage")
        after["resources"] = {**after["resources"], "requests": kept}


def _requests(spec: Obj) -> Obj:
    return (spec.get("resources") or {}).get("requests") or {}


def _capacity(obj: Obj) -> Obj:
    return (obj.get("status") or {}).get("capacity") or {}


def _storage(values: Obj) -> Any:
    """Return the amount of storage, 0 when none is said."""
    return quantity.parse(values.get("storage") or 0)


def volume(obj: Obj, out: Errors) -> None:
    """Check a PersistentVolume."""
    volume_spec(obj.get("spec") or {}, "spec", out)


RECLAIM = ("Delete", "Recycle", "Retain")


def volume_spec(spec: Obj, at: str, out: Errors) -> None:
    """Check a volume, as ValidatePersistentVolumeSpec."""
    modes = spec.get("accessModes") or []
    if not modes:
        out.append(errors.required(f"{at}.accessModes"))
    access_modes(modes, f"{at}.accessModes", out)
    _volume_capacity(spec.get("capacity"), f"{at}.capacity", out)
    policy = spec.get("persistentVolumeReclaimPolicy") or ""
    if policy and policy not in RECLAIM:
        out.append(errors.not_supported(f"{at}.persistentVolumeReclaimPolicy", policy, RECLAIM))
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is not None:
            scheduling.node_selector(affinity["required"], f"{at}.nodeAffinity.required", out)
        else:
            text = "must specify required node constraints"
            out.append(errors.required(f"{at}.nodeAffinity.required", text))
    volume_sources.source(spec, at, out)
    path = (spec.get("hostPath") or {}).get("path") or ""
    if policy == "Recycle" and path and not path.strip("/."):
        text = "may not be 'recycle' for a hostPath mount of '/'"
        out.append(errors.forbidden_field(f"{at}.persistentVolumeReclaimPolicy", text))
    if spec.get("storageClassName"):
        formatted(formats.dns_subdomain, spec["storageClassName"], f"{at}.storageClassName", out)
    mode = spec.get("volumeMode")
    if mode is not None and mode not in {"Block", "Filesystem"}:
        out.append(errors.not_supported(f"{at}.volumeMode", mode, ("Block", "Filesystem")))
    _volume_attributes(spec, at, out)


def _volume_capacity(capacity: Obj | None, at: str, out: Errors) -> None:
    """Check that a volume says how much it stores, and that alone."""
    if not capacity:
        out.append(errors.required(at))
    if "storage" not in (capacity or {}) or len(capacity or {}) > 1:
        shown = dict(sorted(capacity.items())) if capacity else capacity
        out.append(errors.not_supported(at, shown, ("storage",)))
    for name in sorted(capacity or {}):
        amount = quantity.parse((capacity or {})[name])
        here = f"{at}[{name}]"
        if amount < 0:
            out.append(errors.invalid(here, int(amount), "must be a valid resource quantity"))
        _amount((capacity or {})[name], here, out)


def _volume_attributes(spec: Obj, at: str, out: Errors) -> None:
    """Check the attributes class of a volume, which only CSI has."""
    name = spec.get("volumeAttributesClassName")
    if name is None:
        return
    here = f"{at}.volumeAttributesClassName"
    if not name:
        out.append(errors.required(here, "an empty string is disallowed"))
    else:
        formatted(formats.dns_subdomain, name, here, out)
    if spec.get("csi") is None:
        text = "has to be specified when using volumeAttributesClassName"
        out.append(errors.required(f"{at}.csi", text))


SOURCE_STAYS = "spec.persistentvolumesource is immutable after creation"


def volume_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed volume: where it is stays; upstream checks all of it a second time."""
    meta.create(new["metadata"], namespaced=False, names=meta.SUBDOMAIN, kube=True, out=out)
    volume(new, out)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    after = dict(spec)
    csi = spec.get("csi")
    if csi and before.get("csi") and "controllerExpandSecretRef" not in before["csi"]:
        after["csi"] = {name: value for name, value in csi.items() if name != "controllerExpandSecretRef"}
    if any(after.get(name) != before.get(name) for name in volume_sources.RULES):
        text = internal.difference("PersistentVolumeSource", before, after)
        out.append(errors.forbidden_field("spec.persistentvolumesource", f"{SOURCE_STAYS}\n{text}"))
    if spec.get("volumeMode") != before.get("volumeMode"):
        out.append(errors.invalid("volumeMode", spec.get("volumeMode"), formats.IMMUTABLE))
    affinity, earlier = spec.get("nodeAffinity"), before.get("nodeAffinity")
    if earlier is not None and affinity != earlier:
        shown = internal.shown("VolumeNodeAffinity", affinity)
        text = f"{formats.IMMUTABLE}, except for updating from beta label to GA"
        out.append(errors.invalid("nodeAffinity", shown, text))
