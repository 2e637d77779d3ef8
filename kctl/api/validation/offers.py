"""Validation of what ResourceSlices offer and requests tolerate: names of attributes, taints, counters, capacities, places.

In comes a part of a ResourceSlice or a ResourceClaim; complaints are appended as pkg/apis/resource/validation orders them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.quantity import parse
from kctl.api.validation import formats, scheduling
from kctl.api.validation.meta import Errors, formatted
from kctl.api.validation.volume_sources import driver_name

LONGEST_ID = 32
MOST_VALUES, MOST_TAINTS, MOST_SETS, MOST_COUNTERS, MOST_CONSUMED, MOST_CONDITIONS, MOST_OPTIONS = (
    32,
    16,
    8,
    32,
    2,
    4,
    10,
)
EFFECTS = ("NoExecute", "NoSchedule", "None")
OPERATORS = ("Equal", "Exists")
C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
NOT_C = formats.regex_error(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    C_IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)
FULL_NAME = "a fully qualified name must be a domain and a name separated by a slash"
SET_OR_TRUE = "must be either unset or set to true"
OWN_PLACE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
NO_PLACE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true "
    "in the ResourceSlice spec"
)
ONE_POLICY = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
PLACES = ("nodeName", "nodeSelector", "allNodes")
Part = Callable[[Any, str, Errors], None]


def qualified(name: str, at: str, out: Errors) -> None:
    """Check the name of an attribute or capacity, with a domain or without one."""
    domain, slash, own = name.partition("/")
    if not slash:
        _identifier(name, at, out)
    elif "/" not in own:
        if domain:
            driver_name(domain, at, out)
        else:
            out.append(errors.invalid(at, "", "the domain must not be empty"))
        if own:
            _identifier(own, at, out)
        else:
            out.append(errors.invalid(at, "", "the name must not be empty"))


def fully_qualified(name: str, at: str, out: Errors) -> None:
    """Check the name of an attribute that a constraint is about: it has its domain."""
    qualified(name, at, out)
    if "/" not in name:
        out.append(errors.invalid(at, name, FULL_NAME))


def _identifier(name: str, at: str, out: Errors) -> None:
    if formats.size(name) > LONGEST_ID:
        out.append(errors.too_long(at, name, LONGEST_ID))
    if not re.fullmatch(C_IDENTIFIER, name):
        out.append(errors.invalid(at, name, NOT_C))


def each(values: list[Any], at: str, most: int, out: Errors, check: Part) -> None:
    """Check every value of a list that is not too long."""
    if len(values) > most:
        out.append(errors.too_many(at, len(values), most))
        return
    for n, value in enumerate(values):
        check(value, f"{at}[{n}]", out)


def toleration(value: Obj, at: str, out: Errors) -> None:
    """Check what taints of devices a request tolerates."""
    if value.get("key"):
        formatted(formats.qualified_name, value["key"], f"{at}.key", out)
    operator, text = value.get("operator") or "", value.get("value") or ""
    if operator == "Exists":
        if text:
            out.append(errors.invalid(f"{at}.value", text, "must be empty for operator `Exists`"))
    elif operator == "Equal":
        formatted(formats.label_value, text, f"{at}.value", out)
    elif not operator:
        out.append(errors.required(f"{at}.operator"))
    else:
        out.append(errors.not_supported(f"{at}.operator", operator, OPERATORS))
    if value.get("effect") and value["effect"] not in EFFECTS:
        out.append(errors.not_supported(f"{at}.effect", value["effect"], EFFECTS))


def taint(value: Obj, at: str, out: Errors) -> None:
    """Check a taint of a device."""
    formatted(formats.qualified_name, value.get("key") or "", f"{at}.key", out)
    if value.get("value"):
        formatted(formats.label_value, value["value"], f"{at}.value", out)
    effect = value.get("effect") or ""
    if not effect:
        out.append(errors.required(f"{at}.effect"))
    elif effect not in EFFECTS:
        out.append(errors.not_supported(f"{at}.effect", effect, EFFECTS))


def place(spec: Obj, at: str, out: Errors) -> None:
    """Check what a slice says of its nodes beside which field it uses."""
    selector = spec.get("nodeSelector")
    if selector is not None and len(selector.get("nodeSelectorTerms") or ()) != 1:
        terms = selector.get("nodeSelectorTerms")
        out.append(
            errors.invalid(f"{at}.nodeSelector.nodeSelectorTerms", terms, "must have exactly one node selector term")
        )
    for name in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(name) is False:
            out.append(errors.invalid(f"{at}.{name}", False, SET_OR_TRUE))


def counter_sets(spec: Obj, at: str, out: Errors) -> None:
    """Check the counters that devices of a pool share: they stand in a slice of their own."""
    sets = spec.get("sharedCounters") or []
    if sets and spec.get("devices"):
        out.append(errors.invalid(at, "", "only one of `sharedCounters` or `devices` is allowed"))
    each(sets, f"{at}.sharedCounters", MOST_SETS, out, lambda one, here, out: _counters(one, "name", here, out))
    _once([one.get("name") or "" for one in sets], f"{at}.sharedCounters", out)


def _counters(value: Obj, field: str, at: str, out: Errors) -> None:
    """Check a set of counters that ``field`` names."""
    if not value.get(field):
        out.append(errors.required(f"{at}.{field}"))
    else:
        formatted(formats.dns_label, value[field], f"{at}.{field}", out)
    counters: Mapping[str, Obj] = value.get("counters") or {}
    if not counters:
        out.append(errors.required(f"{at}.counters"))
    elif len(counters) > MOST_COUNTERS:
        out.append(errors.too_many(f"{at}.counters", len(counters), MOST_COUNTERS))
    for name in sorted(counters):
        formatted(formats.dns_label, name, f"{at}.counters[{name}]", out)


def device(value: Obj, at: str, out: Errors, *, has_place: bool) -> None:
    """Check what a device offers beside its name and attributes; ``has_place`` when its slice leaves it its place."""
    number = len(value.get("attributes") or {}) + len(value.get("capacity") or {})
    if number > MOST_VALUES:
        text = f"the total number of attributes and capacities must not exceed {MOST_VALUES}"
        out.append(errors.invalid(at, number, text))
    for name in sorted(value.get("capacity") or {}):
        here = f"{at}.capacity[{name}]"
        qualified(name, here, out)
        policy = value["capacity"][name].get("requestPolicy")
        if policy is not None and not value.get("allowMultipleAllocations"):
            out.append(errors.forbidden_field(f"{here}.requestPolicy", "allowMultipleAllocations must be true"))
        elif policy is not None:
            _policy(value["capacity"][name].get("value") or "0", policy, f"{here}.requestPolicy", out)
    each(value.get("taints") or [], f"{at}.taints", MOST_TAINTS, out, taint)
    consumed = value.get("consumesCounters") or []
    here = f"{at}.consumesCounters"
    each(consumed, here, MOST_CONSUMED, out, lambda one, here, out: _counters(one, "counterSet", here, out))
    _once([one.get("counterSet") or "" for one in consumed], here, out)
    if has_place:
        _own_place(value, at, out)
    elif any(value.get(name) is not None for name in PLACES):
        out.append(errors.invalid(at, None, NO_PLACE))
    _conditions(value, at, out)


def _once(names: list[str], at: str, out: Errors) -> None:
    out += [errors.duplicate(f"{at}[{n}]", name) for n, name in enumerate(names) if name in names[:n]]


def _own_place(value: Obj, at: str, out: Errors) -> None:
    """Check which nodes reach a device that has its own place."""
    if value.get("nodeName") == "":
        out.append(errors.invalid(f"{at}.nodeName", "", "must not be empty"))
    elif value.get("nodeName"):
        formatted(formats.dns_subdomain, value["nodeName"], f"{at}.nodeName", out)
    if value.get("nodeSelector") is not None:
        scheduling.node_selector(value["nodeSelector"], f"{at}.nodeSelector", out)
    if value.get("allNodes") is False:
        out.append(errors.invalid(f"{at}.allNodes", False, SET_OR_TRUE))
    given = [f"`{name}`" for name in PLACES if value.get(name)]
    if not given:
        out.append(errors.required(at, OWN_PLACE))
    elif len(given) > 1:
        out.append(errors.invalid(at, "{" + ", ".join(given) + "}", OWN_PLACE))


def _conditions(value: Obj, at: str, out: Errors) -> None:
    """Check the conditions that have to hold, or must not, before a pod with the device is bound."""
    good, bad = value.get("bindingConditions") or [], value.get("bindingFailureConditions") or []
    here, there = f"{at}.bindingConditions", f"{at}.bindingFailureConditions"
    for names, path in ((good, here), (bad, there)):
        each(
            names,
            path,
            MOST_CONDITIONS,
            out,
            lambda one, where, out: formatted(formats.qualified_name, one, where, out),
        )
    _once(good, here, out)
    for n, name in enumerate(bad):
        if name in bad[:n]:
            out.append(errors.duplicate(f"{there}[{n}]", name))
        if name in good:
            text = "bindingFailureConditions must not overlap with bindingConditions"
            out.append(errors.invalid(f"{there}[{n}]", name, text))
    if bad and not good:
        out.append(errors.invalid(here, None, "bindingConditions are required to use bindingFailureConditions"))
    if good and not bad:
        out.append(errors.invalid(there, None, "bindingFailureConditions are required to use bindingConditions"))


def _policy(most: str, policy: Obj, at: str, out: Errors) -> None:
    """Check in which amounts a capacity is shared out."""
    values, span = policy.get("validValues") or [], policy.get("validRange")
    if values and span is not None:
        out.append(errors.forbidden_field(at, ONE_POLICY))
        return
    kind = "validValues" if values else "validRange"
    if not values and span is None:
        return
    if policy.get("default") is None:
        out.append(errors.required(f"{at}.default", f"required when {kind} is defined"))
    elif values:
        _options(str(policy["default"]), most, [str(value) for value in values], f"{at}.{kind}", out)
    else:
        _range(str(policy["default"]), most, {name: str(v) for name, v in (span or {}).items()}, f"{at}.{kind}", out)


def _options(default: str, most: str, values: list[str], at: str, out: Errors) -> None:
    for n in range(1, len(values)):
        if parse(values[n - 1]) > parse(values[n]):
            out.append(errors.invalid(f"{at}[{n}]", values[n], "values must be sorted in ascending order"))
    if len(values) > MOST_OPTIONS:
        out.append(errors.too_many(at, len(values), MOST_OPTIONS))
    else:
        out += [
            errors.invalid(f"{at}[{n}]", value, f"option is larger than capacity value: {most}")
            for n, value in enumerate(values)
            if parse(value) > parse(most)
        ]
    if parse(default) not in [parse(value) for value in values]:
        out.append(errors.invalid(at, default, "default value is not valid according to the requestPolicy"))


def _range(default: str, most: str, span: Mapping[str, str], at: str, out: Errors) -> None:
    least, limit, step = span.get("min"), span.get("max"), span.get("step")
    if least is None:
        out.append(errors.required(f"{at}.min", "required when validRange is defined"))
        return

    def complain(field: str, value: str, text: str, *, when: bool) -> None:
        if when:
            out.append(errors.invalid(f"{at}.{field}", value, text))

    complain("min", least, f"min is larger than capacity value: {most}", when=parse(least) > parse(most))
    complain("min", default, f"default is less than min: {least}", when=parse(default) < parse(least))
    if limit is not None:
        complain("max", least, f"min is larger than max: {limit}", when=parse(least) > parse(limit))
        complain("max", limit, f"max is larger than capacity value: {most}", when=parse(limit) > parse(most))
        complain("max", default, f"default is more than max: {limit}", when=parse(default) > parse(limit))
    if step is not None and parse(step):
        text = f"value is not a multiple of a given step ({step}) from ({least})"
        for value in (default, limit):
            if value is not None:
                complain("step", value, text, when=bool((parse(value) - parse(least)) % parse(step)))
