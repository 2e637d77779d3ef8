"""LimitRanger: containers get the namespace's defaults, and nothing leaves its bounds.

As plugin/pkg/admission/limitranger: a new pod takes what its containers leave open from each
LimitRange in turn; then each judges minimum, maximum and ratio of containers and of the pod, and of
what a claim asks for. The first LimitRange with complaints refuses, with all it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kctl.api.errors import forbidden
from kctl.api.objects import Obj, dig, is_deleting
from kctl.api.podresources import of, total
from kctl.api.quantity import amount
from kctl.api.resourcelist import ResourceList, compare, is_zero, written
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

ANNOTATION = "kubernetes.io/limit-ranger"
CLAIMS = "persistentvolumeclaims"


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Give a new pod the defaults of every LimitRange."""
    ranges = server.admission.in_namespace("limitranges", request.namespace)
    if not ranges or old is not None or request.kind.resource != "pods" or request.subresource:
        return obj
    for limit_range in ranges:
        obj = with_defaults(obj, limit_range)
    return obj


def validate(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> None:
    """Refuse what is outside the bounds of a LimitRange."""
    ranges = server.admission.in_namespace("limitranges", request.namespace)
    if not ranges or not judges(request, old):
        return
    for limit_range in ranges:
        bounds = dig(limit_range, "spec", "limits", default=())
        found = _claim(bounds, obj) if request.kind.resource == CLAIMS else _pod(bounds, obj.get("spec") or {})
        said = list(dict.fromkeys(found))
        if said:
            why = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
            raise forbidden(request.kind.resource, shown_name(obj), why)


def judges(request: Request, old: Obj | None) -> bool:
    """Say whether the request is one that LimitRanges are for: new pods, their resizes, and claims."""
    if old is not None and is_deleting(old):
        return False
    if request.kind.resource == "pods":
        return request.subresource == "resize" or (old is None and not request.subresource)
    return not request.subresource


def with_defaults(pod: Obj, limit_range: Obj) -> Obj:
    """Return the pod with what its containers leave open, and the annotation that says so."""
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for item in dig(limit_range, "spec", "limits", default=()):
        if item.get("type") == "Container":
            requests.update(written(item.get("defaultRequest")))
            limits.update(written(item.get("default")))
    spec = pod.get("spec") or {}
    said: list[str] = []
    filled: Obj = {}
    for field, word in (("containers", "container"), ("initContainers", "init container")):
        containers = spec.get(field) or ()
        changed = [_filled(container, requests, limits, word, said) for container in containers]
        if containers:
            filled[field] = changed
    if not said:
        return pod
    meta = pod["metadata"]
    notes = {**(meta.get("annotations") or {}), ANNOTATION: "LimitRanger plugin set: " + "; ".join(said)}
    return {**pod, "metadata": {**meta, "annotations": notes}, "spec": {**spec, **filled}}


def _filled(container: Obj, requests: ResourceList, limits: ResourceList, word: str, said: list[str]) -> Obj:
    """Return the container with the defaults it lacks, and add to ``said`` which those are."""
    resources: Obj = dict(container.get("resources") or {})
    for field, defaults in (("requests", requests), ("limits", limits)):
        has = resources.get(field) or {}
        lacking = sorted(name for name in defaults if name not in has)
        if lacking:
            resources[field] = {**has, **{name: defaults[name] for name in lacking}}
            said.append(f"{', '.join(lacking)} {field[:-1]} for {word} {container.get('name')}")
    return {**container, "resources": resources}


def _claim(bounds: list[Obj], claim: Obj) -> Iterator[str]:
    requests = written(dig(claim, "spec", "resources", "requests"))
    for item in bounds:
        if item.get("type") == "PersistentVolumeClaim":
            yield from minimum("PersistentVolumeClaim", item.get("min"), requests, {})
            yield from maximum_request("PersistentVolumeClaim", item.get("max"), requests)


def _pod(bounds: list[Obj], spec: Obj) -> Iterator[str]:
    for item in bounds:
        if item.get("type") == "Container":
            for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
                yield from within(item, of(container, "requests"), of(container, "limits"))
        elif item.get("type") == "Pod":
            yield from within(item, total(spec, "requests"), total(spec, "limits"))


def within(item: Obj, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    """Yield how requests and limits break one item of a LimitRange."""
    what = item["type"]
    yield from minimum(what, item.get("min"), requests, limits)
    yield from maximum(what, item.get("max"), requests, limits)
    yield from ratio(what, item.get("maxLimitRequestRatio"), requests, limits)


Bounds = Mapping[str, Any] | None


def minimum(what: str, bounds: Bounds, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    """Yield what is below its minimum, as minConstraint."""
    for name, bound in sorted(written(bounds).items()):
        says = f"minimum {name} usage per {what} is {bound}"
        if name not in requests:
            yield f"{says}.  No request is specified"
        elif compare(requests[name], bound) < 0:
            yield f"{says}, but request is {requests[name]}"
        elif name in limits and compare(limits[name], bound) < 0:
            yield f"{says}, but limit is {limits[name]}"


def maximum(what: str, bounds: Bounds, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    """Yield what is above its maximum, as maxConstraint."""
    for name, bound in sorted(written(bounds).items()):
        says = f"maximum {name} usage per {what} is {bound}"
        if name not in limits:
            yield f"{says}.  No limit is specified"
        elif compare(limits[name], bound) > 0:
            yield f"{says}, but limit is {limits[name]}"
        elif name in requests and compare(requests[name], bound) > 0:
            yield f"{says}, but request is {requests[name]}"


def maximum_request(what: str, bounds: Bounds, requests: ResourceList) -> Iterator[str]:
    """Yield what asks for more than the maximum, where there are no limits, as maxRequestConstraint."""
    for name, bound in sorted(written(bounds).items()):
        says = f"maximum {name} usage per {what} is {bound}"
        if name not in requests:
            yield f"{says}.  No request is specified"
        elif compare(requests[name], bound) > 0:
            yield f"{says}, but request is {requests[name]}"


def ratio(what: str, bounds: Bounds, requests: ResourceList, limits: ResourceList) -> Iterator[str]:
    """Yield what may burst too far above its request, as limitRequestRatioConstraint."""
    for name, bound in sorted(written(bounds).items()):
        says = f"{name} max limit to request ratio per {what} is {bound}"
        if name not in requests or is_zero(requests[name]):
            yield f"{says}, but no request is specified or request is 0"
        elif name not in limits or is_zero(limits[name]):
            yield f"{says}, but no limit is specified or limit is 0"
        else:
            provided = amount(limits[name]).number / amount(requests[name]).number
            if provided > amount(bound).number:
                yield f"{says}, but provided ratio is {float(provided):.6f}"
