"""Rows of namespaces, of what configures pods in them, and of events."""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj, dig
from kctl.api.printers import AGE, NAME, Cell, Printer, columns, name, row, since, status_of


def _sizes(obj: Obj, *fields: str) -> int:
    return sum(len(obj.get(field) or ()) for field in fields)


def _event(obj: Obj, now: float) -> list[Cell]:
    about = _either(obj, "involvedObject", "regarding") or {}
    first = since(_either(obj, "firstTimestamp", "deprecatedFirstTimestamp") or obj.get("eventTime"), now)
    ended = _either(obj, "lastTimestamp", "deprecatedLastTimestamp")
    last = since(ended, now) if ended else first
    count = _either(obj, "count", "deprecatedCount") or 1
    series = obj.get("series")
    if series:
        last, count = since(series.get("lastObservedTime"), now), series.get("count", 0)
    target = str(about.get("kind", "")).lower()
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{target}/{about['name']}" if about.get("name") else target,
        about.get("fieldPath", ""),
        _source(obj),
        str(_either(obj, "message", "note") or "").strip(),
        first,
        count,
        name(obj),
    ]


def _either(obj: Obj, core: str, events: str) -> Any:
    """Return a field by its name in v1 or else in events.k8s.io/v1."""
    return obj.get(core) or obj.get(events)


def _source(event: Obj) -> str:
    """Write who reports, as formatEventSource."""
    source = _either(event, "source", "deprecatedSource") or {}
    component = source.get("component") or _either(event, "reportingComponent", "reportingController") or ""
    host = source.get("host") or event.get("reportingInstance")
    return f"{component}, {host}" if host else str(component)


def _quota(obj: Obj) -> list[Cell]:
    """Return used/hard of requests and, apart, of what is named ``limits.``."""
    hard, used = dig(obj, "status", "hard", default={}), dig(obj, "status", "used", default={})
    requests: list[str] = []
    limits: list[str] = []
    for resource in sorted(hard):
        text = f"{resource}: {used.get(resource, '0')}/{hard[resource]}"
        (limits if resource.startswith("limits.") else requests).append(text)
    return [", ".join(requests), ", ".join(limits)]


def _component(obj: Obj, now: float) -> list[Cell]:
    found = next((one for one in obj.get("conditions") or () if one.get("type") == "Healthy"), None)
    if found is None:
        return [name(obj), "Unknown", "", ""]
    status = "Healthy" if found.get("status") == "True" else "Unhealthy"
    return [name(obj), status, found.get("message", ""), found.get("error", "")]


EVENTS = Printer(
    columns(
        "Last Seen | @core.v1.Event.lastTimestamp",
        "Type | @core.v1.Event.type",
        "Reason | @core.v1.Event.reason",
        "Object | @core.v1.Event.involvedObject",
        "Subobject/1 | @core.v1.ObjectReference.fieldPath",
        "Source/1 | @core.v1.Event.source",
        "Message | @core.v1.Event.message",
        "First Seen/1 | @core.v1.Event.firstTimestamp",
        "Count/1 | @core.v1.Event.count",
        NAME._replace(priority=1),
    ),
    _event,
)

PRINTERS = {
    "namespaces": Printer(
        columns(NAME, "Status | The status of the namespace", AGE), row(lambda obj: [status_of(obj).get("phase", "")])
    ),
    "configmaps": Printer(
        columns(NAME, "Data | @core.v1.ConfigMap.data", AGE), row(lambda obj: [_sizes(obj, "data", "binaryData")])
    ),
    "secrets": Printer(
        columns(NAME, "Type | @core.v1.Secret.type", "Data | @core.v1.Secret.data", AGE),
        row(lambda obj: [obj.get("type", "Opaque"), _sizes(obj, "data")]),
    ),
    "serviceaccounts": Printer(
        columns(NAME, "Secrets | @core.v1.ServiceAccount.secrets", AGE), row(lambda obj: [_sizes(obj, "secrets")])
    ),
    "events": EVENTS,
    "events.events.k8s.io": EVENTS,
    "resourcequotas": Printer(
        columns(
            NAME,
            "Request | Request represents a minimum amount of cpu/memory that a container may consume.",
            "Limit | Limits control the maximum amount of cpu/memory that a container may use"
            " independent of contention on the node.",
            AGE,
        ),
        row(_quota),
    ),
    "componentstatuses": Printer(
        columns(
            NAME,
            "Status | Status of the component conditions",
            "Message | Message of the component conditions",
            "Error | Error of the component conditions",
        ),
        _component,
    ),
}
