"""Namespaces with their limits, budgets, priorities and autoscalers, in kubectl's order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from kctl.api.objects import Obj, dig
from kctl.api.printers import label_selector, plain_selector, spec_of, status_of
from kctl.cli.describing import data, layout
from kctl.cli.describing.layout import Page

LIMIT_COLUMNS = (
    "Type",
    "Resource",
    "Min",
    "Max",
    "Default Request",
    "Default Limit",
    "Max Limit/Request Ratio",
)
LIMIT_FIELDS = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
SCOPES = {
    "Terminating": "Matches all pods that have an active deadline. These pods have a limited lifespan on a node before"
    " being actively terminated by the system.",
    "NotTerminating": "Matches all pods that do not have an active deadline. These pods usually include long running"
    " pods whose container command is not expected to terminate.",
    "BestEffort": "Matches all pods that do not have resource requirements set. These pods have a best effort quality"
    " of service.",
    "NotBestEffort": "Matches all pods that have at least one resource requirement set. These pods have a burstable or"
    " guaranteed quality of service.",
}


def namespace(obj: Obj, *, quotas: Sequence[Obj], ranges: Sequence[Obj]) -> str:
    """Return the description of a Namespace with its quotas and limits; kubectl shows no events."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    layout.metadata(page, obj)
    page.field(0, "Status", status_of(obj).get("phase", ""))
    conditions = status_of(obj).get("conditions")
    if conditions:
        page.line(0, "Conditions:")
        page.table(1, ("Type", "Status", "LastTransitionTime", "Reason", "Message"), ())
        for one in conditions:
            when = layout.time_text(one.get("lastTransitionTime"))
            page.line(1, one["type"], one["status"], when, one.get("reason", ""), one.get("message", ""))
    page.line(0, "")
    page.line(0, "Resource Quotas" if quotas else "No resource quota.")
    for found in sorted(quotas, key=lambda one: str(one["metadata"]["name"])):
        page.field(1, "Name", found["metadata"]["name"])
        _scopes(page, 1, found, "* ")
        page.line(1, "Resource", "Used", "Hard")
        page.line(1, "--------", "---", "---")
        for resource, used, hard in _used(found):
            page.line(1, resource, used, hard)
    page.line(0, "")
    if ranges:
        page.line(0, "Resource Limits")
        page.line(0, f" {LIMIT_COLUMNS[0]}", *LIMIT_COLUMNS[1:])
        page.line(0, " ----", *("-" * len(column) for column in LIMIT_COLUMNS[1:]))
        for found in ranges:
            for row in _limits(found):
                page.line(0, f" {row[0]}", *row[1:])
    else:
        page.line(0, "No LimitRange resource.")
    return page.text()


def _scopes(page: Page, level: int, quota: Obj, sign: str) -> None:
    scopes = sorted(spec_of(quota).get("scopes") or ())
    if not scopes:
        return
    page.field(level, "Scopes", ", ".join(scopes))
    for scope in scopes:
        if scope in SCOPES:
            page.line(level, f"{sign}{SCOPES[scope]}")


def _used(quota: Obj) -> Iterator[tuple[str, str, str]]:
    hard, used = status_of(quota).get("hard") or {}, status_of(quota).get("used") or {}
    for resource in sorted(hard):
        yield resource, str(used.get(resource, "0")), str(hard[resource])


def _limits(found: Obj) -> Iterator[list[str]]:
    for item in spec_of(found).get("limits") or ():
        for resource in sorted({name for field in LIMIT_FIELDS for name in item.get(field) or ()}):
            shown = [str((item.get(field) or {}).get(resource, "-")) for field in LIMIT_FIELDS]
            yield [item["type"], resource, *shown]


def quota(obj: Obj) -> str:
    """Return the description of a ResourceQuota, which kubectl gives no events."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    _scopes(page, 0, obj, " * ")
    page.table(0, ("Resource", "Used", "Hard"), _used(obj))
    return page.text()


def limit_range(obj: Obj) -> str:
    """Return the description of a LimitRange, which kubectl gives no events."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    page.table(0, LIMIT_COLUMNS, _limits(obj))
    return page.text()


def priority_class(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a PriorityClass."""
    page = Page()
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Value", obj.get("value", 0))
    page.field(0, "GlobalDefault", str(bool(obj.get("globalDefault"))).lower())
    page.field(0, "PreemptionPolicy", obj.get("preemptionPolicy", ""))
    page.field(0, "Description", obj.get("description", ""))
    page.field(0, "Annotations", plain_selector(obj["metadata"].get("annotations")))
    layout.events(page, events, now)
    return page.text()


def disruption_budget(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a PodDisruptionBudget."""
    page, spec, status = Page(), spec_of(obj), status_of(obj)
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    if "minAvailable" in spec:
        page.field(0, "Min available", spec["minAvailable"])
    elif "maxUnavailable" in spec:
        page.field(0, "Max unavailable", spec["maxUnavailable"])
    page.field(0, "Selector", "<unset>" if spec.get("selector") is None else label_selector(spec["selector"]))
    page.line(0, "Status:")
    for title, name in (
        ("Allowed disruptions", "disruptionsAllowed"),
        ("Current", "currentHealthy"),
        ("Desired", "desiredHealthy"),
        ("Total", "expectedPods"),
    ):
        page.field(2, title, status.get(name, 0))
    layout.events(page, events, now)
    return page.text()


def autoscaler(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a HorizontalPodAutoscaler."""
    page, spec, status = Page(), spec_of(obj), status_of(obj)
    target = spec.get("scaleTargetRef") or {}
    data.head(page, obj)
    page.field(0, "CreationTimestamp", layout.time_text(obj["metadata"].get("creationTimestamp")))
    page.field(0, "Reference", f"{target.get('kind', '')}/{target.get('name', '')}")
    page.field(0, "Metrics", "( current / target )")
    current = status.get("currentMetrics") or ()
    for n, metric in enumerate(spec.get("metrics") or ()):
        page.line(1, *_metric(metric, current[n] if n < len(current) else {}))
    page.field(0, "Min replicas", spec.get("minReplicas", "<unset>"))
    page.field(0, "Max replicas", spec.get("maxReplicas", 0))
    if spec.get("behavior"):
        page.line(0, "Behavior:")
        _behavior(page, "Scale Up", spec["behavior"].get("scaleUp"))
        _behavior(page, "Scale Down", spec["behavior"].get("scaleDown"))
    counts = f"{status.get('currentReplicas', 0)} current / {status.get('desiredReplicas', 0)} desired"
    page.field(0, f"{target.get('kind', '')} pods", counts)
    if status.get("conditions"):
        page.line(0, "Conditions:")
        rows = [
            [one["type"], one["status"], one.get("reason", ""), one.get("message", "")] for one in status["conditions"]
        ]
        page.table(1, ("Type", "Status", "Reason", "Message"), rows)
    layout.events(page, events, now)
    return page.text()


def _metric(metric: Obj, current: Obj) -> tuple[str, str]:
    """Return what a metric is and where it stands, as describeHorizontalPodAutoscalerV2."""
    type_ = metric.get("type", "")
    field = type_[:1].lower() + type_[1:]
    source = metric.get(field)
    if source is None:
        return f"<unknown metric type {json.dumps(type_)}>", ""
    target, now = source.get("target") or {}, dig(current, field, "current", default={})
    per_pod = "averageValue" in target
    value = "averageValue" if per_pod or type_ == "Pods" else "value"
    standing = f"{now.get(value, '<unknown>')} / {target.get(value, '')}"
    quoted = json.dumps(dig(source, "metric", "name", default=""))
    words = "(target average value)" if per_pod else "(target value)"
    if type_ == "External":
        return f"{quoted} {words}:", standing
    if type_ == "Pods":
        return f"{quoted} on pods:", standing
    if type_ == "Object":
        described = source.get("describedObject") or {}
        return f"{quoted} on {described.get('kind', '')}/{described.get('name', '')} {words}:", standing
    whose = f' of container "{source.get("container", "")}"' if type_ == "ContainerResource" else ""
    what = f"resource {source.get('name', '')}{whose} on pods"
    if per_pod:
        return f"{what}:", standing
    share = now.get("averageUtilization")
    there = "<unknown>" if share is None else f"{share}% ({now.get('averageValue', '0')})"
    wanted = f"{target['averageUtilization']}%" if "averageUtilization" in target else "<auto>"
    return f"{what}  (as a percentage of request):", f"{there} / {wanted}"


def _behavior(page: Page, direction: str, rules: Obj | None) -> None:
    if not rules:
        return
    page.line(1, f"{direction}:")
    if "stabilizationWindowSeconds" in rules:
        page.line(2, f"Stabilization Window: {rules['stabilizationWindowSeconds']} seconds")
    if rules.get("policies"):
        page.line(2, f"Select Policy: {rules.get('selectPolicy', 'Max')}")
        page.line(2, "Policies:")
        for one in rules["policies"]:
            period = f"Period: {one.get('periodSeconds', 0)} seconds"
            page.line(3, f"- Type: {one.get('type', '')}", f"Value: {one.get('value', 0)}", period)
