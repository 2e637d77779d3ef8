"""Validation of PodDisruptionBudgets and RuntimeClasses.

In comes an object (and the old one); complaints are appended as pkg/apis/policy/validation and
pkg/apis/node/validation order them.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta, resources, scheduling
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.workloads import at_most_all, int_or_percent, not_negative

EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")
COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def disruption_budget(obj: Obj, out: Errors) -> None:
    """Check a PodDisruptionBudget."""
    spec = obj.get("spec") or {}
    bounds = [name for name in ("minAvailable", "maxUnavailable") if spec.get(name) is not None]
    if len(bounds) == 2:
        text = "minAvailable and maxUnavailable cannot be both set"
        out.append(errors.invalid("spec", internal.shown("DisruptionBudgetSpec", spec), text))
    for name in bounds:
        int_or_percent(spec[name], f"spec.{name}", out)
        at_most_all(spec[name], f"spec.{name}", out)
    meta.selector(spec.get("selector"), "spec.selector", out)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in EVICTION_POLICIES:
        out.append(errors.not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES))


def disruption_budget_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status: no negative counts."""
    for name in COUNTS:
        not_negative(new.get("status") or {}, name, "status", out)


def runtime_class(obj: Obj, out: Errors) -> None:
    """Check a RuntimeClass."""
    handler = obj.get("handler") or ""
    if not handler:
        out.append(errors.required("handler"))
    else:
        formatted(formats.dns_label, handler, "handler", out)
    fixed = (obj.get("overhead") or {}).get("podFixed")
    if fixed is not None:
        resources.requirements({"limits": fixed}, (), "overhead", out)
    where = obj.get("scheduling")
    if where is None:
        return
    meta.labels(where.get("nodeSelector"), "scheduling.nodeSelector", out)
    tolerations = where.get("tolerations") or []
    scheduling.tolerations(tolerations, "scheduling.tolerations", out)
    for n, value in enumerate(tolerations):
        if value in tolerations[:n]:
            shown = internal.shown("Toleration", value)
            out.append(errors.duplicate(f"scheduling.tolerations[{n}]", shown))


def runtime_class_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed RuntimeClass: its handler stays."""
    meta.immutable(new.get("handler") or "", old.get("handler") or "", "handler", out)
