"""Rows of what scales pods and of what keeps them available."""

from __future__ import annotations

from kctl.api.objects import Obj, dig
from kctl.api.printers import AGE, NAME, Cell, Printer, columns, first, row, spec_of, status_of

UNKNOWN = "<unknown>"
SOURCES = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "containerResource",
}
"""Where a metric of each type has its source, in spec and in status."""


def _autoscaler(obj: Obj) -> list[Cell]:
    spec, status = spec_of(obj), status_of(obj)
    target = spec.get("scaleTargetRef") or {}
    return [
        f"{target.get('kind', '')}/{target.get('name', '')}",
        targets(_metrics(spec), _current(status)),
        str(spec.get("minReplicas", "<unset>")),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
    ]


def _metrics(spec: Obj) -> list[Obj]:
    """Return the metrics; autoscaling/v1 has one CPU target instead."""
    goal = spec.get("targetCPUUtilizationPercentage")
    if goal is None:
        return spec.get("metrics") or []
    return [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": goal}}}]


def _current(status: Obj) -> list[Obj]:
    """Return the metrics found; autoscaling/v1 has the CPU's use alone."""
    found = status.get("currentCPUUtilizationPercentage")
    if found is None:
        return status.get("currentMetrics") or []
    return [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": found}}}]


def targets(metrics: list[Obj], current: list[Obj]) -> str:
    """Write the first two metrics as found/wanted, as formatHPAMetrics."""
    texts = [_target(metric, current[n] if n < len(current) else {}) for n, metric in enumerate(metrics)]
    return first(texts, 2, empty="<none>", separator=", ")


def _target(metric: Obj, status: Obj) -> str:
    field = SOURCES.get(metric.get("type", ""))
    if field is None:
        return "<unknown type>"
    source, found = metric.get(field) or {}, dig(status, field, "current", default={})
    goal = source.get("target") or {}
    if field in ("resource", "containerResource"):
        return f"{source.get('name', '')}: {_usage(goal, found)}"
    if "averageValue" in goal:
        average = " (avg)" if field != "pods" else ""
        return f"{found.get('averageValue', UNKNOWN)}/{goal['averageValue']}{average}"
    return f"{found.get('value', UNKNOWN)}/{goal.get('value', '0')}"


def _usage(goal: Obj, found: Obj) -> str:
    """Write a resource's use: an amount, or a share of what the pods request."""
    if "averageValue" in goal:
        return f"{found.get('averageValue', UNKNOWN)}/{goal['averageValue']}"
    shown = [
        f"{share['averageUtilization']}%" if share.get("averageUtilization") is not None else missing
        for share, missing in ((found, UNKNOWN), (goal, "<auto>"))
    ]
    return "/".join(shown)


def _budget(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    limits = [str(spec.get(field, "N/A")) for field in ("minAvailable", "maxUnavailable")]
    return [*limits, status_of(obj).get("disruptionsAllowed", 0)]


PRINTERS = {
    "horizontalpodautoscalers.autoscaling": Printer(
        columns(
            NAME,
            "Reference | @autoscaling.v2.HorizontalPodAutoscalerSpec.scaleTargetRef",
            "Targets | @autoscaling.v2.HorizontalPodAutoscalerSpec.metrics",
            "MinPods | @autoscaling.v2.HorizontalPodAutoscalerSpec.minReplicas",
            "MaxPods | @autoscaling.v2.HorizontalPodAutoscalerSpec.maxReplicas",
            "Replicas | @autoscaling.v2.HorizontalPodAutoscalerStatus.currentReplicas",
            AGE,
        ),
        row(_autoscaler),
    ),
    "poddisruptionbudgets.policy": Printer(
        columns(
            NAME,
            "Min Available | The minimum number of pods that must be available.",
            "Max Unavailable | The maximum number of pods that may be unavailable.",
            "Allowed Disruptions:integer | Calculated number of pods that may be disrupted at this time.",
            AGE,
        ),
        row(_budget),
    ),
    "scales.autoscaling": Printer(
        columns(
            NAME._replace(format=""),
            "Desired:integer | @autoscaling.v1.ScaleSpec.replicas",
            "Available:integer | @autoscaling.v1.ScaleStatus.replicas",
            AGE,
        ),
        row(lambda obj: [spec_of(obj).get("replicas", 0), status_of(obj).get("replicas", 0)]),
    ),
}
