"""Validation of the kinds of resource.k8s.io: claims for devices, classes and slices of them.

In comes an object (and the old one); complaints are appended as pkg/apis/resource/validation orders
them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta, offers, scheduling
from kctl.api.validation.meta import Errors, formatted, immutable
from kctl.api.validation.resources import is_extended
from kctl.api.validation.volume_sources import driver_name

Check = Callable[[Obj, str, Errors], None]

MOST, MOST_ALTERNATIVES, MOST_DEVICES = 32, 8, 128
MOST_RICH = 64
"""So many devices a slice holds when some have taints or consume counters."""
KNOWN_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
ONE_REQUEST = "exactly one of `exactly` or `firstAvailable` is required"
ONE_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required'
ONE_PLACE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
MODES = ("All", "ExactCount")
SEMVER = (
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-((0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(\+([0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*))?"
)
LONGEST_VALUE = 64
MOST_CONSUMERS = 256
NO_NEW_CONSUMERS = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"
VALUES = ("int", "bool", "string", "version")


def claim(obj: Obj, out: Errors) -> None:
    """Check a ResourceClaim."""
    claim_spec(obj.get("spec") or {}, "spec", out)


def claim_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ResourceClaim: its spec stays, and is not looked at any further."""
    spec = new.get("spec") or {}
    if spec != (old.get("spec") or {}):
        out.append(errors.invalid("spec", internal.shown("ResourceClaimSpec", spec), formats.IMMUTABLE))


def claim_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed status of a ResourceClaim: what was allocated stays, and who uses it is told apart."""
    now, before = new.get("status") or {}, old.get("status") or {}
    consumers, here = now.get("reservedFor") or [], "status.reservedFor"
    if len(consumers) > MOST_CONSUMERS:
        out.append(errors.too_many(here, len(consumers), MOST_CONSUMERS))
    seen: set[str] = set()
    for n, consumer in enumerate(consumers):
        for name in ("resource", "name", "uid"):
            if not consumer.get(name):
                out.append(errors.required(f"{here}[{n}].{name}"))
        uid = consumer.get("uid") or ""
        if uid in seen:
            out.append(errors.duplicate(f"{here}[{n}].uid", uid))
        seen.add(uid)
    if consumers and now.get("allocation") is None:
        out.append(errors.forbidden_field(here, "may not be specified when `allocated` is not set"))
    elif new["metadata"].get("deletionTimestamp"):
        known = {consumer.get("uid") for consumer in before.get("reservedFor") or ()}
        if not known.issuperset(seen):
            out.append(errors.forbidden_field(here, NO_NEW_CONSUMERS))
    if now.get("allocation") is not None and before.get("allocation") is not None:
        immutable(now["allocation"], before["allocation"], "status.allocation", out)


def template(obj: Obj, out: Errors) -> None:
    """Check a ResourceClaimTemplate."""
    spec = obj.get("spec") or {}
    metadata = spec.get("metadata") or {}
    meta.labels(metadata.get("labels"), "spec.metadata.labels", out)
    meta.check_annotations(metadata.get("annotations"), "spec.metadata.annotations", out)
    claim_spec(spec.get("spec") or {}, "spec.spec", out)


def template_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ResourceClaimTemplate, which was checked as a whole before: its spec stays."""
    spec = new.get("spec") or {}
    if spec != (old.get("spec") or {}):
        inner = internal.shown("ResourceClaimSpec", spec.get("spec") or {})
        shown = {**internal.shown_meta(spec.get("metadata") or {}), "Spec": inner}
        out.append(errors.invalid("spec", shown, formats.IMMUTABLE))


def claim_spec(spec: Obj, at: str, out: Errors) -> None:
    """Check what devices are asked for, and under which conditions."""
    devices, here = spec.get("devices") or {}, f"{at}.devices"
    requests = devices.get("requests") or []
    known = set(_request_names(requests))
    _each_once(requests, f"{here}.requests", MOST, out, _request)
    for name, check in (("constraints", _constraint), ("config", _config)):
        values = devices.get(name) or []
        if len(values) > MOST:
            out.append(errors.too_many(f"{here}.{name}", len(values), MOST))
        for n, value in enumerate(values):
            check(value, known, f"{here}.{name}[{n}]", out)


def _request_names(requests: list[Obj]) -> Iterable[str]:
    """Yield the names a constraint may use."""
    for request in requests:
        name = request.get("name") or ""
        yield name
        for choice in request.get("firstAvailable") or ():
            yield f"{name}/{choice.get('name') or ''}"


def _each_once(values: list[Obj], at: str, most: int, out: Errors, check: Check) -> None:
    """Check every value, and that no name comes twice."""
    if len(values) > most:
        out.append(errors.too_many(at, len(values), most))
    names: set[str] = set()
    for n, value in enumerate(values):
        name = value.get("name") or ""
        check(value, f"{at}[{n}]", out)
        if name in names:
            out.append(errors.duplicate(f"{at}[{n}]", name))
        names.add(name)


def _request(value: Obj, at: str, out: Errors) -> None:
    """Check one request: exact, or a choice."""
    formatted(formats.dns_label, value.get("name") or "", f"{at}.name", out)
    choices, exactly = value.get("firstAvailable") or [], value.get("exactly")
    if choices:
        _each_once(choices, f"{at}.firstAvailable", MOST_ALTERNATIVES, out, _alternative)
    if exactly is not None:
        _device(exactly, f"{at}.exactly", out)
    if not choices and exactly is None:
        out.append(errors.required(at, ONE_REQUEST))
    elif choices and exactly is not None:
        out.append(errors.invalid(at, None, f"{ONE_REQUEST}, but multiple fields are set"))


def _alternative(value: Obj, at: str, out: Errors) -> None:
    """Check one device of a choice."""
    formatted(formats.dns_label, value.get("name") or "", f"{at}.name", out)
    _device(value, at, out)


def _device(value: Obj, at: str, out: Errors) -> None:
    """Check the class, selectors and number of devices."""
    name = value.get("deviceClassName") or ""
    if not name:
        out.append(errors.required(f"{at}.deviceClassName"))
    else:
        formatted(formats.dns_subdomain, name, f"{at}.deviceClassName", out)
    selectors(value.get("selectors") or [], f"{at}.selectors", out)
    mode, count = value.get("allocationMode") or "", value.get("count") or 0
    if mode == "All":
        if count:
            out.append(errors.invalid(f"{at}.count", count, "must not be specified when allocationMode is 'All'"))
    elif mode == "ExactCount":
        if count <= 0:
            out.append(errors.invalid(f"{at}.count", count, "must be greater than zero"))
    else:
        out.append(errors.not_supported(f"{at}.allocationMode", mode, MODES))
    offers.each(value.get("tolerations") or [], f"{at}.tolerations", offers.MOST_TAINTS, out, offers.toleration)


def selectors(values: list[Obj], at: str, out: Errors) -> None:
    """Check that every selector has an expression that compiles."""
    if len(values) > MOST:
        out.append(errors.too_many(at, len(values), MOST))
    for n, value in enumerate(values):
        if value.get("cel") is None:
            out.append(errors.required(f"{at}[{n}].cel"))
        else:
            from kctl.api.validation import expressions

            expressions.of_device(value["cel"].get("expression") or "", f"{at}[{n}].cel.expression", out)


def _constraint(value: Obj, known: set[str], at: str, out: Errors) -> None:
    """Check what devices must have in common, or apart."""
    _references(value.get("requests") or [], known, f"{at}.requests", out)
    given = [name for name in ("matchAttribute", "distinctAttribute") if value.get(name) is not None]
    if len(given) == 1:
        offers.fully_qualified(value[given[0]], f"{at}.{given[0]}", out)
    else:  # upstream says this of none, too
        out.append(errors.required(at, f"{ONE_ATTRIBUTE}, but multiple fields are set"))


def _config(value: Obj, known: set[str], at: str, out: Errors) -> None:
    """Check settings for devices."""
    _references(value.get("requests") or [], known, f"{at}.requests", out)
    opaque = value.get("opaque")
    if opaque is None:
        out.append(errors.required(f"{at}.opaque"))
    else:
        driver_name(opaque.get("driver") or "", f"{at}.opaque.driver", out)


def _references(names: list[str], known: set[str], at: str, out: Errors) -> None:
    """Check the requests a constraint or setting is for."""
    for n, name in enumerate(names):
        here = f"{at}[{n}]"
        parts = name.split("/")
        if len(parts) > 2:
            out.append(errors.invalid(here, name, KNOWN_REQUEST))
            continue
        for part in parts:
            formatted(formats.dns_label, part, here, out)
        if name not in known:
            out.append(errors.invalid(here, name, KNOWN_REQUEST))
        if name in names[:n]:
            out.append(errors.duplicate(here, name))


def device_class(obj: Obj, out: Errors) -> None:
    """Check a DeviceClass."""
    spec = obj.get("spec") or {}
    selectors(spec.get("selectors") or [], "spec.selectors", out)
    for n, value in enumerate(spec.get("config") or ()):
        _config(value, set(), f"spec.config[{n}]", out)
    extended = spec.get("extendedResourceName")
    if extended is not None and not is_extended(extended):
        out.append(errors.invalid("spec.extendedResourceName", extended, "must be a valid extended resource name"))


def device_slice(obj: Obj, out: Errors) -> None:
    """Check a ResourceSlice: whose devices, and where they can be used."""
    spec = obj.get("spec") or {}
    driver_name(spec.get("driver") or "", "spec.driver", out)
    _pool(spec.get("pool") or {}, "spec.pool", out)
    if spec.get("nodeName") == "":
        text = "must be either unset or set to a non-empty string"
        out.append(errors.invalid("spec.nodeName", "", text))
    elif spec.get("nodeName"):
        formatted(formats.dns_subdomain, spec["nodeName"], "spec.nodeName", out)
    if spec.get("nodeSelector") is not None:
        scheduling.node_selector(spec["nodeSelector"], "spec.nodeSelector", out)
    offers.place(spec, "spec", out)
    given = [name for name in PLACES if spec.get(name)]
    if not given:
        out.append(errors.required("spec", ONE_PLACE))
    elif len(given) > 1:
        shown = "{" + ", ".join(f"`{name}`" for name in given) + "}"
        out.append(errors.invalid("spec", shown, f"{ONE_PLACE}, but multiple fields are set"))
    devices = spec.get("devices") or []
    is_rich = any(device.get("taints") or device.get("consumesCounters") for device in devices)
    has_place = bool(spec.get("perDeviceNodeSelection"))

    def offered(value: Obj, at: str, out: Errors) -> None:
        _offered(value, at, out)
        offers.device(value, at, out, has_place=has_place)

    _each_once(devices, "spec.devices", MOST_RICH if is_rich else MOST_DEVICES, out, offered)
    offers.counter_sets(spec, "spec", out)


def _pool(pool: Obj, at: str, out: Errors) -> None:
    """Check the pool a slice belongs to."""
    name = pool.get("name") or ""
    if not name:
        out.append(errors.required(f"{at}.name"))
    for part in name.split("/") if name else ():
        formatted(formats.dns_subdomain, part, f"{at}.name", out)
    count = pool.get("resourceSliceCount") or 0
    if count <= 0:
        out.append(errors.invalid(f"{at}.resourceSliceCount", count, "must be greater than zero"))
    if (pool.get("generation") or 0) < 0:
        out.append(errors.invalid(f"{at}.generation", pool["generation"], formats.NEGATIVE))


def _offered(value: Obj, at: str, out: Errors) -> None:
    """Check one device on offer."""
    formatted(formats.dns_label, value.get("name") or "", f"{at}.name", out)
    for key in sorted(value.get("attributes") or {}):
        attribute, here = value["attributes"][key], f"{at}.attributes[{key}]"
        offers.qualified(key, here, out)
        version = attribute.get("version")
        if version is not None:
            if not re.fullmatch(SEMVER, version):
                text = "must be a string compatible with semver.org spec 2.0.0"
                out.append(errors.invalid(f"{here}.version", version, text))
            if formats.size(version) > LONGEST_VALUE:
                out.append(errors.too_long(f"{here}.version", version, LONGEST_VALUE))
        text_value = attribute.get("string")
        if text_value is not None and formats.size(text_value) > LONGEST_VALUE:
            out.append(errors.too_long(f"{here}.string", text_value, LONGEST_VALUE))
        if sum(attribute.get(name) is not None for name in VALUES) != 1:
            out.append(errors.invalid(here, "", "exactly one value must be specified"))


def device_slice_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed ResourceSlice: whose it is and where stays."""
    device_slice(new, out)
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    immutable(spec.get("nodeName"), before.get("nodeName"), "spec.nodeName", out)
    immutable(spec.get("driver") or "", before.get("driver") or "", "spec.driver", out)
    names = [(part.get("pool") or {}).get("name") or "" for part in (spec, before)]
    immutable(names[0], names[1], "spec.pool.name", out)
