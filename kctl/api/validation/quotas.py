"""Validation of LimitRanges and ResourceQuotas.

In comes an object (and the old one); complaints are appended as ValidateLimitRange and
ValidateResourceQuota (core validation) order them. Maps are read in name order.
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats, resources
from kctl.api.validation.meta import Errors, formatted

LIMIT_TYPES = {"Pod", "Container", "PersistentVolumeClaim"}
COMPUTE = {"cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"}
QUOTA = {
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "persistentvolumeclaims",
    "configmaps",
    "pods",
    "resourcequotas",
    "secrets",
    "services",
    "replicationcontrollers",
    "services.nodeports",
    "services.loadbalancers",
}
CLAIMS = {"persistentvolumeclaims", "requests.storage"}
SCOPES: dict[str, set[str]] = {
    "Terminating": {"pods"} | COMPUTE,
    "NotTerminating": {"pods"} | COMPUTE,
    "NotBestEffort": {"pods"} | COMPUTE,
    "PriorityClass": {"pods"} | COMPUTE,
    "CrossNamespacePodAffinity": {"pods"} | COMPUTE,
    "BestEffort": {"pods"},
    "VolumeAttributesClass": CLAIMS,
}
"""The scopes of a quota, and the resources each goes with."""
CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
EXISTS_ONLY = {"BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"}
MUST_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
NOT_APPLICABLE = "unsupported scope applied to resource"


def limit_range(obj: Obj, out: Errors) -> None:
    """Check a LimitRange: each type once."""
    seen: set[str] = set()
    for n, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        at, kind = f"spec.limits[{n}]", limit.get("type") or ""
        _limit_type(kind, f"{at}.type", out)
        if kind in seen:
            out.append(errors.duplicate(f"{at}.type", kind))
        seen.add(kind)
        _limit(limit, kind, at, out)


def _limit_type(kind: str, at: str, out: Errors) -> None:
    """Check what a limit is for."""
    complaints = formats.qualified_name_plain(kind)
    formatted(formats.qualified_name_plain, kind, at, out)
    if not complaints and "/" not in kind and kind not in LIMIT_TYPES:
        out.append(errors.invalid(at, kind, "must be a standard limit type or fully qualified"))


def _limit(limit: Obj, kind: str, at: str, out: Errors) -> None:
    """Check one limit: names, and amounts against each other."""
    keys: set[str] = set()
    for part in ("max", "min"):
        keys |= _names(limit, part, kind, at, out)
    if kind == "Pod":
        for part in ("default", "defaultRequest"):
            if limit.get(part):
                out.append(errors.forbidden_field(f"{at}.{part}", "may not be specified when `type` is 'Pod'"))
    else:
        for part in ("default", "defaultRequest"):
            keys |= _names(limit, part, kind, at, out)
    if kind == "PersistentVolumeClaim" and not any("storage" in (limit.get(part) or {}) for part in ("min", "max")):
        text = "either minimum or maximum storage value is required, but neither was provided"
        out.append(errors.required(f"{at}.limits", text))
    keys |= _names(limit, "maxLimitRequestRatio", kind, at, out)
    for key in sorted(keys):
        _amounts(limit, kind, key, at, out)


def _names(limit: Obj, part: str, kind: str, at: str, out: Errors) -> set[str]:
    """Check the resources of one part and return them."""
    values = limit.get(part) or {}
    for name in sorted(values):
        here = f"{at}.{part}[{name}]"
        if kind in {"Pod", "Container"}:
            resources.container_resource_name(name, here, out)
        else:
            resources.resource_name(name, here, out)
    return set(values)


def _amounts(limit: Obj, kind: str, key: str, at: str, out: Errors) -> None:
    """Check one resource's amounts: least, request, default, most."""
    parts = ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    least, most, default, request, ratio = ((limit.get(part) or {}).get(key) for part in parts)

    def above(low: Any, high: Any, part: str, shown: Any, low_name: str, high_name: str) -> None:
        if low is not None and high is not None and quantity.parse(low) > quantity.parse(high):
            text = f"{low_name} value {low} is greater than {high_name} value {high}"
            out.append(errors.invalid(f"{at}.{part}[{key}]", shown, text))

    if kind == "Pod":
        default = request = None
    above(least, most, "min", least, "min", "max")
    above(least, request, "defaultRequest", request, "min", "default request")
    above(request, most, "defaultRequest", request, "default request", "max")
    above(request, default, "defaultRequest", request, "default request", "default limit")
    above(least, default, "default", least, "min", "default")
    above(default, most, "default", most, "default", "max")
    here = f"{at}.maxLimitRequestRatio[{key}]"
    if ratio is not None and quantity.parse(ratio) < 1:
        out.append(errors.invalid(here, ratio, f"ratio {ratio} is less than 1"))
    if ratio is not None and least is not None and most is not None and quantity.parse(least) != 0:
        bound = quantity.parse(most) / quantity.parse(least)
        if quantity.parse(ratio) > bound:
            text = f"ratio {ratio} is greater than max/min = {float(bound):f}"
            out.append(errors.invalid(here, ratio, text))
    if not resources.overcommits(key) and default is not None and request is not None and default != request:
        text = f"default value {default} must equal to defaultRequest value {request} in {key}"
        out.append(errors.invalid(f"{at}.defaultRequest[{key}]", request, text))


def resource_quota(obj: Obj, out: Errors) -> None:
    """Check a ResourceQuota."""
    quota_spec(obj.get("spec") or {}, out)


def quota_spec(spec: Obj, out: Errors) -> None:
    """Check what is limited, and for which objects."""
    hard = spec.get("hard") or {}
    _hard(hard, "spec.hard", out)
    _scopes(spec.get("scopes"), hard, out)
    if spec.get("scopeSelector") is not None:
        _scope_selector(spec["scopeSelector"], hard, out)


def _hard(hard: Obj, at: str, out: Errors) -> None:
    """Check names and amounts."""
    for name in sorted(hard):
        here = f"{at}[{name}]"
        resources.resource_name(name, here, out)
        if "/" not in name and name not in QUOTA and not _prefixed(name):
            out.append(errors.invalid(here, name, "must be a standard resource for quota"))
        resources.quantity_value(name, hard[name], here, out)


def _prefixed(name: str) -> bool:
    """Say whether the resource is a size of huge pages, be it requested or not."""
    return resources.is_hugepages(name.removeprefix("requests."))


def _applies(scope: str, hard: Obj) -> list[str]:
    """Return the resources a scope does not go with."""
    return [name for name in sorted(hard) if name in QUOTA and scope in SCOPES and name not in SCOPES[scope]]


def _scopes(scopes: list[str] | None, hard: Obj, out: Errors) -> None:
    """Check the scopes of a quota."""
    for scope in scopes or ():
        if scope not in SCOPES:
            out.append(errors.invalid("spec.scopes", scopes, "unsupported scope"))
        for _ in _applies(scope, hard):
            out.append(errors.invalid("spec.scopes", scopes, NOT_APPLICABLE))
    if any(pair <= set(scopes or ()) for pair in CONFLICTS):
        out.append(errors.invalid("spec.scopes", scopes, "conflicting scopes"))


def _scope_selector(selector: Obj, hard: Obj, out: Errors) -> None:
    """Check a selector of scopes; upstream reports its expressions without an index."""
    at = "spec.scopeSelector.matchExpressions"
    rows = selector.get("matchExpressions") or []
    for row in rows:
        scope, operator = row.get("scopeName") or "", row.get("operator") or ""
        values = row.get("values") or []
        if scope not in SCOPES:
            out.append(errors.invalid(f"{at}.scopeName", scope, "unsupported scope"))
        for _ in _applies(scope, hard):
            out.append(errors.invalid(at, _shown(selector), NOT_APPLICABLE))
        if scope in EXISTS_ONLY and operator != "Exists":
            out.append(errors.invalid(f"{at}.operator", operator, MUST_EXIST))
        if operator in {"In", "NotIn"}:
            if not values:
                text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                out.append(errors.required(f"{at}.values", text))
        elif operator in {"Exists", "DoesNotExist"}:
            if values:
                text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                out.append(errors.invalid(f"{at}.values", values, text))
        else:
            out.append(errors.invalid(f"{at}.operator", operator, "not a valid selector operator"))
    if any(pair <= {row.get("scopeName") for row in rows} for pair in CONFLICTS):
        out.append(errors.invalid(at, _shown(selector), "conflicting scopes"))


def _shown(selector: Obj) -> Obj:
    """Return the selector as its internal type writes it."""
    rows = [
        {"ScopeName": row.get("scopeName") or "", "Operator": row.get("operator") or "", "Values": row.get("values")}
        for row in selector.get("matchExpressions") or ()
    ]
    return {"MatchExpressions": rows or None}


def resource_quota_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ResourceQuota: its scopes stay."""
    resource_quota(new, out)
    after, before = ((obj.get("spec") or {}).get("scopes") for obj in (new, old))
    if set(after or ()) != set(before or ()):
        out.append(errors.invalid("spec.scopes", after, formats.IMMUTABLE))


def resource_quota_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a ResourceQuota."""
    for part in ("hard", "used"):
        _hard((new.get("status") or {}).get(part) or {}, f"status.{part}", out)
