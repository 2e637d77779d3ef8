"""The strategy of Pods: phase and quality of service, label keys looked up, gates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.api import quantity
from kctl.api.objects import Obj

COMPUTE = ("cpu", "memory")
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def create(obj: Obj, now: str) -> Obj:
    """Prepare a new Pod: pending, with its quality of service and its selectors completed."""
    spec = obj.get("spec") or {}
    labels = (obj["metadata"].get("labels")) or {}
    spec = _spread(_affinity(spec, labels), labels)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        spec = {**spec, "terminationGracePeriodSeconds": 1}
    said = (obj.get("status") or {}).get("qosClass")  # upstream asks the object first
    status: Obj = {"phase": "Pending", "qosClass": said or quality(spec)}
    if spec.get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": now or None,
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]
    return {**obj, "spec": spec, "status": status}


def update(new: Obj, old: Obj) -> Obj:
    """Prepare a changed Pod: its status stays, and so does what was merged into it at creation."""
    return new


def quality(spec: Obj) -> str:
    """Return the quality of service class, as qos.ComputePodQOS."""
    pod_level = spec.get("resources")
    if pod_level and (pod_level.get("requests") or pod_level.get("limits")):
        return _quality([pod_level])
    listed = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return _quality([value.get("resources") or {} for value in listed])


def _quality(resources: Iterable[Obj]) -> str:
    """Guaranteed: every one limits cpu and memory to what it requests; BestEffort: none asks at all."""
    asked: dict[str, Any] = {}
    allowed: dict[str, Any] = {}
    guaranteed = True
    for value in resources:
        limits, requests = _compute(value.get("limits")), _compute(value.get("requests"))
        for name, amount in requests.items():
            asked[name] = asked.get(name, 0) + amount
        for name, amount in limits.items():
            allowed[name] = allowed.get(name, 0) + amount
        guaranteed = guaranteed and len(limits) == len(COMPUTE)
    if not asked and not allowed:
        return "BestEffort"
    return "Guaranteed" if guaranteed and asked == allowed else "Burstable"


def _compute(values: Obj | None) -> dict[str, Any]:
    """Return the amounts of cpu and memory above zero."""
    parsed = {name: quantity.parse(value) for name, value in (values or {}).items() if name in COMPUTE}
    return {name: amount for name, amount in parsed.items() if amount > 0}


def _affinity(spec: Obj, labels: Obj) -> Obj:
    """Complete the selectors of pod affinity with the pod's own labels (matchLabelKeys)."""
    affinity = spec.get("affinity") or {}
    out = affinity
    for name in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(name)
        if not terms:
            continue
        done = dict(terms)
        if terms.get(REQUIRED):
            done[REQUIRED] = [_term(term, labels) for term in terms[REQUIRED]]
        if terms.get(PREFERRED):
            done[PREFERRED] = [
                {**row, "podAffinityTerm": _term(row.get("podAffinityTerm") or {}, labels)} for row in terms[PREFERRED]
            ]
        if done != terms:
            out = {**out, name: done}
    return spec if out is affinity else {**spec, "affinity": out}


def _term(term: Obj, labels: Obj) -> Obj:
    """Add the expressions that matchLabelKeys and mismatchLabelKeys stand for."""
    out = _merged(term, term.get("matchLabelKeys") or (), "In", labels)
    return _merged(out, term.get("mismatchLabelKeys") or (), "NotIn", labels)


def _merged(term: Obj, keys: Iterable[str], operator: str, labels: Obj) -> Obj:
    """Add one expression a key to the term's selector, where the pod has the label."""
    selector = term.get("labelSelector")
    rows = [{"key": key, "operator": operator, "values": [labels[key]]} for key in keys if key in labels]
    if selector is None or not rows:
        return term
    expressions = [*(selector.get("matchExpressions") or ()), *rows]
    return {**term, "labelSelector": {**selector, "matchExpressions": expressions}}


def _spread(spec: Obj, labels: Obj) -> Obj:
    """Complete the selectors of spread constraints likewise."""
    values = spec.get("topologySpreadConstraints")
    if not values or not any(value.get("matchLabelKeys") for value in values):
        return spec
    done = [_merged(value, value.get("matchLabelKeys") or (), "In", labels) for value in values]
    return {**spec, "topologySpreadConstraints": done}
