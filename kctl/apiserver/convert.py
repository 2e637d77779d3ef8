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
