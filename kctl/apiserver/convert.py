"""Objects of one kind between the versions it is served in.

Versions of the kinds served here differ in ``apiVersion`` alone, except HorizontalPodAutoscaler
(autoscaling/v1 has one CPU target where v2 has metrics) and Event (events.k8s.io renames
fields).
"""

from __future__ import annotations

from kctl.api.objects import REMOVED, Obj, dig, replace
from kctl.api.registry import Kind

EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
"""core/v1 names of what events.k8s.io/v1 calls otherwise."""


NO_REPLICAS = ("currentReplicas", 0)


def to_version(kind: Kind, obj: Obj) -> Obj:
    """Return the object in the version of ``kind``."""
    if obj.get("apiVersion") == kind.api_version:
        return obj
    if kind.custom is not None:
        from kctl.api.crd import decoding

        return decoding.in_version(kind.api_version, kind.custom, obj)
    if kind.kind == "Event":
        return _event(kind, obj)
    if kind.kind == "HorizontalPodAutoscaler":
        return _autoscaler(kind, obj)
    return replace(obj, apiVersion=kind.api_version)


def _event(kind: Kind, obj: Obj) -> Obj:
    names = EVENT_FIELDS if kind.group else {new: old for old, new in EVENT_FIELDS.items()}
    out = {names.get(field, field): value for field, value in obj.items()}
    out["apiVersion"] = kind.api_version
    return out


def _autoscaler(kind: Kind, obj: Obj) -> Obj:
    out = replace(obj, apiVersion=kind.api_version)
    spec = dict(obj.get("spec") or {})
    out = replace(out, status=_autoscaler_status(kind.version, obj.get("status") or {}) or REMOVED)
    if kind.version == "v2":
        target = spec.pop("targetCPUUtilizationPercentage", None)
        if target is not None:
            goal = {"type": "Utilization", "averageUtilization": target}
            spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": goal}}]
    else:
        metrics = spec.pop("metrics", None) or []
        spec.pop("behavior", None)
        for metric in metrics:
            target = dig(metric, "resource", "target", "averageUtilization")
            if dig(metric, "resource", "name") == "cpu" and target is not None:
                spec["targetCPUUtilizationPercentage"] = target
                break
    return replace(out, spec=spec or REMOVED)


def _autoscaler_status(version: str, status: Obj) -> Obj:
    """Return the status in the fields of a version: v1 has the CPU's alone, and always a current count."""
    if not status:
        return {}
    if version == "v2":
        out = {k: v for k, v in status.items() if k != "currentCPUUtilizationPercentage" and (k, v) != NO_REPLICAS}
        return {**out, "currentMetrics": status.get("currentMetrics")}
    out = {k: v for k, v in status.items() if k not in ("currentMetrics", "conditions")}
    for metric in status.get("currentMetrics") or ():
        used = dig(metric, "resource", "current", "averageUtilization")
        if dig(metric, "resource", "name") == "cpu" and used is not None:
            out["currentCPUUtilizationPercentage"] = used
    return {"currentReplicas": 0, **out}
