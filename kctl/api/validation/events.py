"""Validation of Events, of core and of events.k8s.io.

In comes an event (and the old one); complaints are appended as pkg/apis/core/validation/events.go
orders them. Core events are checked less than those of events.k8s.io, whose fields have other names.
"""

from __future__ import annotations

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta
from kctl.api.validation.meta import Errors, formatted

LONGEST, LONGEST_MESSAGE = 128, 1024
STAYS = (
    ("regarding", "involvedObject"),
    ("reason", "reason"),
    ("reason", "reason"),
    ("note", "message"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reportingController"),
    ("reportingInstance", "reportingInstance"),
    ("type", "type"),
)
"""What does not change in an event of events.k8s.io, and how upstream calls it; it looks at the reason twice."""
UNSET = (
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
)


def core(obj: Obj, out: Errors) -> None:
    """Check a core Event."""
    _common(obj, obj.get("involvedObject") or {}, obj.get("message") or "", "reportingComponent", out)


def event(obj: Obj, out: Errors) -> None:
    """Check a new Event of events.k8s.io."""
    _common(obj, obj.get("regarding") or {}, obj.get("note") or "", "reportingController", out)
    meta.create(obj["metadata"], namespaced=True, names=meta.SUBDOMAIN, kube=True, out=out)
    _series(obj, out)
    if not obj.get("eventTime"):
        out.append(errors.required("eventTime"))
    kind = obj.get("type") or ""
    if not kind:
        out.append(errors.required("type"))
    elif kind not in {"Normal", "Warning"}:
        out.append(errors.invalid("type", "", f"has invalid value: {kind}"))
    for name, called in UNSET:
        if obj.get(name):
            out.append(errors.invalid(called, "", "needs to be unset"))
    source = obj.get("deprecatedSource") or {}
    if source.get("component") or source.get("host"):
        out.append(errors.invalid("source", "", "needs to be unset"))


def _series(obj: Obj, out: Errors) -> None:
    """Check how often an event came again."""
    series = obj.get("series")
    if series is None:
        return
    if (series.get("count") or 0) < 2:
        out.append(errors.invalid("series.count", "", "should be at least 2"))
    if not series.get("lastObservedTime"):
        out.append(errors.required("series.lastObservedTime"))


def _common(obj: Obj, about: Obj, message: str, controller: str, out: Errors) -> None:
    """Check what both kinds of events are asked; those without a time are old and asked less."""
    namespace, theirs = obj["metadata"].get("namespace") or "", about.get("namespace") or ""
    if not obj.get("eventTime"):
        if namespace != (theirs or "default") and (namespace or theirs):
            text = "does not match event.namespace"
            out.append(errors.invalid("involvedObject.namespace", theirs, text))
    else:
        if not theirs and namespace not in {"default", "kube-system"}:
            out.append(errors.invalid("involvedObject.namespace", theirs, "does not match event.namespace"))
        name = obj.get(controller) or ""
        if not name:
            out.append(errors.required(controller))
        formatted(formats.qualified_name_plain, name, controller, out)
        for field in ("reportingInstance", "action", "reason"):
            value = obj.get(field) or ""
            if not value:
                out.append(errors.required(field))
            if formats.size(value) > LONGEST:
                out.append(errors.invalid(field, "", f"can have at most {LONGEST} characters"))
        if formats.size(message) > LONGEST_MESSAGE:
            out.append(errors.invalid("message", "", f"can have at most {LONGEST_MESSAGE} characters"))
    formatted(formats.dns_subdomain, namespace, "namespace", out)


def core_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed core Event."""
    core(new, out)


def event_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Event of events.k8s.io: only its series goes on."""
    _common(new, new.get("regarding") or {}, new.get("note") or "", "reportingController", out)
    _series(new, out)
    for name, called in STAYS:
        value, before = new.get(name) or None, old.get(name) or None
        if value != before:
            shown = value if value is not None or name in {"eventTime", "related", "regarding"} else ""
            out.append(errors.invalid(called, shown, formats.IMMUTABLE))
