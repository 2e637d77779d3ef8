"""Validation of HorizontalPodAutoscalers, v1 and v2.

In comes an autoscaler; complaints are appended as pkg/apis/autoscaling/validation orders them.
Version 1 has one target, for CPU; it is checked as the metric it stands for.
"""

from __future__ import annotations

from typing import Any

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors, formatted

SOURCES = ("object", "external", "pods", "resource", "containerResource")
TYPES = {name[0].upper() + name[1:]: name for name in SOURCES}
RAW_OR_UTILIZATION = "must set either a target raw value or a target utilization"
NOT_BOTH = "may not set both a target raw value and a target utilization"
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800


def autoscaler(obj: Obj, out: Errors) -> None:
    """Check a HorizontalPodAutoscaler."""
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        out.append(errors.invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        out.append(errors.required("spec.maxReplicas", "must be set and greater than 0"))
    if least is not None and most < least:
        out.append(errors.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    target = spec.get("scaleTargetRef") or {}
    reference(target, "spec.scaleTargetRef", out)
    if not target.get("apiVersion"):
        text = "apiVersion must specify API group"
        out.append(errors.invalid("spec.scaleTargetRef.apiVersion", "", text))
    _metrics(_all_metrics(spec), least, out)
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        if rules is not None:
            _scaling_rules(rules, f"spec.behavior.{name}", out)


def _all_metrics(spec: Obj) -> list[Obj]:
    """Return the metrics, those of version 1 in the form of version 2."""
    percent = spec.get("targetCPUUtilizationPercentage")
    if percent is None:
        return spec.get("metrics") or []
    target = {"type": "Utilization", "averageUtilization": percent}
    return [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


def reference(value: Obj, at: str, out: Errors) -> None:
    """Check what is scaled or described, as ValidateCrossVersionObjectReference."""
    for name in ("kind", "name"):
        if not value.get(name):
            out.append(errors.required(f"{at}.{name}"))
        else:
            formatted(formats.path_segment, value[name], f"{at}.{name}", out)


def _metrics(values: list[Obj], least: int | None, out: Errors) -> None:
    """Check every metric; scaling to nothing needs one from outside."""
    for n, value in enumerate(values):
        _metric(value, f"spec.metrics[{n}]", out)
    if least == 0 and not any(value.get("type") in {"Object", "External"} for value in values):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        out.append(errors.forbidden_field("spec.metrics", text))


def _metric(value: Obj, at: str, out: Errors) -> None:
    """Check that a metric has one source, of its type."""
    kind = value.get("type") or ""
    unknown = errors.not_supported(f"{at}.type", kind, sorted(TYPES))
    if not kind:
        out.append(errors.required(f"{at}.type", "must specify a metric source type"))
    if kind not in TYPES:
        out.append(unknown)
    given = [name for name in SOURCES if value.get(name) is not None]
    if given:
        RULES[given[0]](value[given[0]], f"{at}.{given[0]}", out)
    expected = TYPES.get(kind, "")
    if not expected:
        out.append(unknown)
    elif expected not in given:
        text = "must populate information for the given metric source"
        out.append(errors.required(f"{at}.{expected}", text))
    if len(given) != 1:
        for name in sorted(set(given) - {expected}):
            text = "must populate the given metric source only"
            out.append(errors.forbidden_field(f"{at}.{name}", text))


def _object(value: Obj, at: str, out: Errors) -> None:
    """Check a metric of one object."""
    reference(value.get("describedObject") or {}, f"{at}.describedObject", out)
    _identifier(value, at, out)
    target = _target(value, at, out)
    if target.get("value") is None and target.get("averageValue") is None:
        text = "must set either a target value or averageValue"
        out.append(errors.required(f"{at}.target.averageValue", text))


def _external(value: Obj, at: str, out: Errors) -> None:
    """Check a metric from outside the cluster."""
    _identifier(value, at, out)
    target = _target(value, at, out)
    given = [target.get(name) is not None for name in ("value", "averageValue")]
    if not any(given):
        text = "must set either a target value for metric or a per-pod target"
        out.append(errors.required(f"{at}.target.averageValue", text))
    if all(given):
        text = "may not set both a target value for metric and a per-pod target"
        out.append(errors.forbidden_field(f"{at}.target.value", text))


def _pods(value: Obj, at: str, out: Errors) -> None:
    """Check a metric that pods have."""
    _identifier(value, at, out)
    average = _target(value, at, out).get("averageValue")
    if average is None:
        text = "must specify a positive target averageValue"
        out.append(errors.required(f"{at}.target.averageValue", text))


def _resource(value: Obj, at: str, out: Errors) -> None:
    """Check how much of a resource pods use."""
    if not value.get("name"):
        out.append(errors.required(f"{at}.name", "must specify a resource name"))
    _raw_or_utilization(value, at, out)


def _container_resource(value: Obj, at: str, out: Errors) -> None:
    """Check how much of a resource one container uses."""
    if not value.get("name"):
        out.append(errors.required(f"{at}.name", "must specify a resource name"))
    if not value.get("container"):
        out.append(errors.required(f"{at}.container", "must specify a container"))
    _raw_or_utilization(value, at, out)


def _raw_or_utilization(value: Obj, at: str, out: Errors) -> None:
    """Check that a target is an amount or a share."""
    target = _target(value, at, out)
    given = [target.get(name) is not None for name in ("averageUtilization", "averageValue")]
    if not any(given):
        out.append(errors.required(f"{at}.target.averageUtilization", RAW_OR_UTILIZATION))
    if all(given):
        out.append(errors.forbidden_field(f"{at}.target.averageValue", NOT_BOTH))


RULES = {
    "object": _object,
    "external": _external,
    "pods": _pods,
    "resource": _resource,
    "containerResource": _container_resource,
}


def _identifier(value: Obj, at: str, out: Errors) -> None:
    """Check the name of a metric."""
    name = (value.get("metric") or {}).get("name") or ""
    if not name:
        out.append(errors.required(f"{at}.metric.name", "must specify a metric name"))
    else:
        formatted(formats.path_segment, name, f"{at}.metric.name", out)


def _target(value: Obj, at: str, out: Errors) -> Obj:
    """Check a target and return it."""
    target: Obj = value.get("target") or {}
    kind = target.get("type") or ""
    if not kind:
        out.append(errors.required(f"{at}.target.type", "must specify a metric target type"))
    if kind not in {"Utilization", "Value", "AverageValue"}:
        text = "must be either Utilization, Value, or AverageValue"
        out.append(errors.invalid(f"{at}.target.type", kind, text))
    for name in ("value", "averageValue"):
        amount: Any = target.get(name)
        if amount is not None and quantity.parse(amount) <= 0:
            out.append(errors.invalid(f"{at}.target.{name}", quantity.canonical(str(amount)), "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        out.append(errors.invalid(f"{at}.target.averageUtilization", share, "must be greater than 0"))
    return target


def _scaling_rules(rules: Obj, at: str, out: Errors) -> None:
    """Check how fast replicas come or go."""
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        text = "must be greater than or equal to zero"
        out.append(errors.invalid(f"{at}.stabilizationWindowSeconds", window, text))
    if window is not None and window > LONGEST_WINDOW:
        text = f"must be less than or equal to {LONGEST_WINDOW}"
        out.append(errors.invalid(f"{at}.stabilizationWindowSeconds", window, text))
    choice = rules.get("selectPolicy")
    if choice is not None and choice not in {"Disabled", "Max", "Min"}:
        out.append(errors.not_supported(f"{at}.selectPolicy", choice, ("Disabled", "Max", "Min")))
    if not rules.get("policies"):
        out.append(errors.required(f"{at}.policies", "must specify at least one Policy"))
    for n, policy in enumerate(rules.get("policies") or ()):
        here = f"{at}.policies[{n}]"
        kind, period = policy.get("type") or "", policy.get("periodSeconds") or 0
        if kind not in {"Percent", "Pods"}:
            out.append(errors.not_supported(f"{here}.type", kind, ("Percent", "Pods")))
        if (policy.get("value") or 0) <= 0:
            out.append(errors.invalid(f"{here}.value", policy.get("value") or 0, "must be greater than zero"))
        if period <= 0:
            out.append(errors.invalid(f"{here}.periodSeconds", period, "must be greater than zero"))
        if period > LONGEST_PERIOD:
            text = f"must be less than or equal to {LONGEST_PERIOD}"
            out.append(errors.invalid(f"{here}.periodSeconds", period, text))
