"""Validation of claims, persistent volumes and storage classes."""

from __future__ import annotations

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta
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


def claim(obj: Obj, out: Errors) -> None:
    """Check a PersistentVolumeClaim."""
    claim_spec(obj.get("spec") or {}, "spec", out)
