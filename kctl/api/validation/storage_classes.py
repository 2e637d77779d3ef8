"""Validation of the kinds of storage.k8s.io.

In comes an object (and the old one); complaints are appended as pkg/apis/storage/validation orders
them.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors, formatted, immutable

RECLAIM = ("Delete", "Retain")
BINDING = ("Immediate", "WaitForFirstConsumer")
MAX_PARAMETERS, MAX_PARAMETERS_SIZE = 512, 256 * 1024


def storage_class(obj: Obj, out: Errors) -> None:
    """Check a StorageClass."""
    provisioner(obj.get("provisioner") or "", "provisioner", out)
    parameters(obj.get("parameters"), "parameters", out, empty_ok=True)
    policy, mode = obj.get("reclaimPolicy") or "", obj.get("volumeBindingMode")
    if policy and policy not in RECLAIM:
        out.append(errors.not_supported("reclaimPolicy", policy, RECLAIM))
    if not mode:
        out.append(errors.required("volumeBindingMode"))
    elif mode not in BINDING:
        out.append(errors.not_supported("volumeBindingMode", mode, BINDING))
    _topologies(obj.get("allowedTopologies") or [], "allowedTopologies", out)


def provisioner(name: str, at: str, out: Errors, *, lowered: bool = False) -> None:
    """Check the name of what makes volumes."""
    if not name:
        out.append(errors.required(at))
    for text in formats.qualified_name_plain(name.lower()) if name else ():
        out.append(errors.invalid(at, name.lower() if lowered else name, text))


def parameters(values: Obj | None, at: str, out: Errors, *, empty_ok: bool) -> None:
    """Check the parameters of a class: not too many, not too much."""
    values = values or {}
    if len(values) > MAX_PARAMETERS:
        text = f"must have at most {MAX_PARAMETERS} items"
        out.append(errors.FieldError("FieldValueTooLong", at, "", text))
    if any(not name for name in values):
        out.append(errors.invalid(at, "", "field can not be empty."))
    total = sum(formats.size(name) + formats.size(value or "") for name, value in values.items())
    if total > MAX_PARAMETERS_SIZE:
        out.append(errors.too_long(at, "", MAX_PARAMETERS_SIZE))
    if not empty_ok and not values:
        out.append(errors.required(at, "must contain at least one key/value pair"))


def _topologies(terms: list[Obj], at: str, out: Errors) -> None:
    """Check where volumes may be: no key twice in a term, no term twice."""
    seen: list[dict[str, frozenset[str]]] = []
    for n, term in enumerate(terms):
        here = f"{at}[{n}].matchLabelExpressions"
        keys: dict[str, frozenset[str]] = {}
        for m, row in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = row.get("key") or "", row.get("values") or []
            if not values:
                out.append(errors.required(f"{here}[{m}].values"))
            for k, value in enumerate(values):
                if value in values[:k]:
                    out.append(errors.duplicate(f"{here}[{m}].values[{k}]", value))
            formatted(formats.qualified_name, key, f"{here}[{m}].key", out)
            if key in keys:
                out.append(errors.duplicate(f"{here}[{m}].key", key))
            keys[key] = frozenset(values)
        if keys in seen or not keys:  # upstream compares with empty places too
            out.append(errors.duplicate(here, ""))
        seen.append(keys)


def storage_class_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed StorageClass: how it makes volumes stays."""
    after, before = new.get("parameters"), old.get("parameters")
    if (after or {}) != (before or {}):
        out.append(errors.invalid("parameters", dict(sorted(after.items())) if after else after, formats.IMMUTABLE))
    immutable(new.get("provisioner") or "", old.get("provisioner") or "", "provisioner", out)
    for name in ("reclaimPolicy", "volumeBindingMode"):
        immutable(new.get(name), old.get(name), name, out)


def attributes_class(obj: Obj, out: Errors) -> None:
    """Check a VolumeAttributesClass."""
    provisioner(obj.get("driverName") or "", "driverName", out, lowered=True)
    parameters(obj.get("parameters"), "parameters", out, empty_ok=False)


def attributes_class_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed VolumeAttributesClass: all of it stays."""
    for name in ("driverName", "parameters"):
        if (new.get(name) or None) != (old.get(name) or None):
            out.append(errors.forbidden_field(name, f"updates to {name} are forbidden."))
