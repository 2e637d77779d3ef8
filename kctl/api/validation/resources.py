"""Validation of resource requirements: names, quantities, requests against limits.

In comes ``resources`` of a container or pod, or a list of resources; complaints are appended as
ValidateContainerResourceRequirements and validatePodResources do. Maps are read in name order.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from kctl.api import errors, quantity
from kctl.api.objects import Obj
from kctl.api.validation import formats
from kctl.api.validation.meta import Errors

STANDARD_CONTAINER = {"cpu", "memory", "ephemeral-storage"}
STANDARD = STANDARD_CONTAINER | {
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
}
COUNTED = {
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
}
POD_LEVEL = ("cpu", "hugepages-", "memory")


def is_hugepages(name: str) -> bool:
    """Say whether the resource is a size of huge pages."""
    return name.startswith("hugepages-")


def is_native(name: str) -> bool:
    """Say whether the resource is Kubernetes' own, as helper.IsNativeResource."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """Say whether the resource is an extended one, as helper.IsExtendedResourceName."""
    if is_native(name) or name.startswith("requests."):
        return False
    return not formats.qualified_name("requests." + name)


def overcommits(name: str) -> bool:
    """Say whether requests may be below limits, as helper.IsOvercommitAllowed."""
    return is_native(name) and not is_hugepages(name)


def resource_name(name: str, at: str, out: Errors) -> bool:
    """Check the form of a resource name; say whether it was good."""
    complaints = formats.qualified_name(name)
    for text in complaints:
        out.append(errors.invalid(at, name, text))
    if not complaints and "/" not in name and name not in STANDARD and not is_hugepages(name):
        out.append(errors.invalid(at, name, "must be a standard resource type or fully qualified"))
        return False
    return not complaints


def container_resource_name(name: str, at: str, out: Errors) -> None:
    """Check the name of a resource a container asks for."""
    resource_name(name, at, out)
    if "/" not in name:
        if name not in STANDARD_CONTAINER and not is_hugepages(name):
            out.append(errors.invalid(at, name, "must be a standard resource for containers"))
    elif not is_native(name) and not is_extended(name):
        out.append(errors.invalid(at, name, "doesn't follow extended resource name standard"))


MILLI_LIMIT = 1 << 63
"""Upstream counts thousandths in 64 bits; what does not fit is taken for the largest number, which is not whole."""


def quantity_value(name: str, value: Any, at: str, out: Errors) -> None:
    """Check an amount: not negative, and whole where the resource is counted."""
    amount = quantity.parse(value)
    if amount < 0:
        out.append(errors.invalid(at, quantity.canonical(str(value)), formats.NEGATIVE))
    if (name in COUNTED or is_extended(name)) and (amount % 1 or not -MILLI_LIMIT <= amount * 1000 < MILLI_LIMIT):
        out.append(errors.invalid(at, quantity.canonical(str(value)), "must be an integer"))


def requirements(value: Obj, claims: Collection[str], at: str, out: Errors) -> None:
    """Check a container's requests and limits against each other."""
    limits, requests = value.get("limits") or {}, value.get("requests") or {}
    for name in sorted(limits):
        container_resource_name(name, f"{at}.limits[{name}]", out)
        quantity_value(name, limits[name], f"{at}.limits[{name}]", out)
        _huge_page(name, limits[name], f"{at}.limits[{name}]", out)
    for name in sorted(requests):
        container_resource_name(name, f"{at}.requests[{name}]", out)
        quantity_value(name, requests[name], f"{at}.requests[{name}]", out)
        _huge_page(name, requests[name], f"{at}.requests[{name}]", out)
        _within_limit(name, requests[name], limits.get(name), at, out)
    names = {*limits, *requests}
    if any(map(is_hugepages, names)) and not names & {"cpu", "memory"}:
        out.append(errors.forbidden_field(at, "HugePages require cpu or memory"))
    _claims(value.get("claims") or (), claims, f"{at}.claims", out)


def _huge_page(name: str, value: Any, at: str, out: Errors) -> None:
    """Check that an amount of huge pages is a multiple of the page."""
    if not is_hugepages(name):
        return
    try:
        page = quantity.parse(name.removeprefix("hugepages-"))
    except ValueError:
        return
    if page > 0 and quantity.parse(value) % page:
        text = f"{name} is not positive integer multiple of {name.removeprefix('hugepages-')}"
        out.append(errors.invalid(at, quantity.canonical(str(value)), text))


def _within_limit(name: str, request: Any, limit: Any, at: str, out: Errors) -> None:
    """Check that a request does not exceed its limit, and equals it where that is asked."""
    if limit is None:
        if not overcommits(name):
            text = "Limit must be set for non overcommitable resources"
            out.append(errors.required(f"{at}.limits", text))
        return
    asked, allowed = quantity.parse(request), quantity.parse(limit)
    shown = quantity.canonical(str(request))
    if asked != allowed and not overcommits(name):
        text = f"must be equal to {name} limit of {quantity.canonical(str(limit))}"
    elif asked > allowed:
        text = f"must be less than or equal to {name} limit of {quantity.canonical(str(limit))}"
    else:
        return
    out.append(errors.invalid(f"{at}.requests", shown, text))


def _claims(values: Any, known: Collection[str], at: str, out: Errors) -> None:
    """Check that every claim a container uses stands in the pod, each once."""
    seen: set[tuple[str, str]] = set()
    for n, value in enumerate(values):
        name, request = value.get("name") or "", value.get("request") or ""
        here = f"{at}[{n}]"
        if not name:
            out.append(errors.required(here))
            continue
        if (name, request) in seen:
            out.append(errors.duplicate(here, f"{name}/{request}" if request else name))
        seen.add((name, request))
        if name not in known:
            text = "must be one of the names in pod.spec.resourceClaims"
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            out.append(errors.not_found_field(here, name, text + listed))


def pod_level(spec: Obj, at: str, out: Errors) -> None:
    """Check the resources of the pod as a whole, as validatePodResources."""
    value = spec.get("resources")
    if value is None:
        return
    limits, requests = value.get("limits") or {}, value.get("requests") or {}
    if value.get("claims"):
        out.append(errors.forbidden_field(f"{at}.claims", "claims may not be set at pod level"))
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name in sorted(amounts):
            here = f"{at}.{part}[{name}]"
            if name not in POD_LEVEL and not is_hugepages(name):
                out.append(errors.not_supported(here, name, POD_LEVEL))
                continue
            quantity_value(name, amounts[name], here, out)
            if part == "requests":
                _within_limit(name, amounts[name], limits.get(name), at, out)
    _covers_containers(spec, requests, at, out)


def _covers_containers(spec: Obj, requests: Obj, at: str, out: Errors) -> None:
    """Check that the pod asks for as much as its containers together."""
    total: dict[str, Any] = {}
    for container in spec.get("containers") or ():
        for name, amount in ((container.get("resources") or {}).get("requests") or {}).items():
            total[name] = total.get(name, 0) + quantity.parse(amount)
    for name in sorted(requests):
        if name in total and quantity.parse(requests[name]) < total[name]:
            shown = quantity.canonical(str(requests[name]))
            text = f"must be greater than or equal to aggregate container requests of {quantity.format(total[name])}"
            out.append(errors.invalid(f"{at}.requests[{name}]", shown, text))
