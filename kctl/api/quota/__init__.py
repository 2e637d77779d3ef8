"""What objects cost a ResourceQuota, and which quotas count them.

In: a quota and an object. Out: the usage of the object (a resource list), the names a quota can
hold for its resource, and whether it is in the quota's scopes. Admission charges with it, the
quota controller counts with it. As the evaluators of pkg/quota/v1/evaluator/core, and
generic.ObjectCountEvaluator for everything else. Pods are in :mod:`kctl.api.quota.pods`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api.objects import Obj, annotations_of, dig
from kctl.api.quota import pods
from kctl.api.resourcelist import compare, plus

COUNT = "count/"
ALIASES = frozenset(("configmaps", "resourcequotas", "replicationcontrollers", "secrets"))
"""Kinds that a quota counts under their plain name too."""
SERVICES = ("count/services", "services", "services.nodeports", "services.loadbalancers")
CLAIMS = "persistentvolumeclaims"
OF_CLASS = ".storageclass.storage.k8s.io/"
OF_CLAIMS = (CLAIMS, "requests.storage")
STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"
DEVICE_CLAIMS = "resourceclaims.resource.k8s.io"
DEVICES = ".deviceclass.resource.k8s.io/devices"
MOST_DEVICES = 32
"""What a request for all devices counts as: a claim never gets more."""
ATTRIBUTES_SCOPE = "VolumeAttributesClass"


def names_for(resource: str, names: Iterable[str]) -> list[str]:
    """Return the names that can hold something for objects of the resource, as MatchingResources."""
    return [name for name in names if holds(resource, name)]


def holds(resource: str, name: str) -> bool:
    """Say whether objects of the resource can count under that name of a quota."""
    if name == COUNT + resource:
        return True
    if resource == "pods":
        return pods.holds(name)
    if resource == "services":
        return name in SERVICES
    if resource == CLAIMS:
        return name in OF_CLAIMS or any(name.endswith(OF_CLASS + own) for own in OF_CLAIMS)
    if resource == DEVICE_CLAIMS:
        return name.endswith(DEVICES)
    return resource in ALIASES and name == resource


def resource_for(name: str) -> str:
    """Return the resource whose objects count under a name of a quota, "" when no kind does."""
    if name.startswith(COUNT):
        return name[len(COUNT) :]
    return next((r for r in ("pods", "services", CLAIMS, DEVICE_CLAIMS, *sorted(ALIASES)) if holds(r, name)), "")


def scopes_of(quota: Obj) -> list[Obj]:
    """Return the conditions of a quota's scopes; each must hold for an object to count."""
    spec = quota.get("spec") or {}
    plain = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return [*plain, *(dig(spec, "scopeSelector", "matchExpressions", default=()))]


def in_scopes(resource: str, scopes: Sequence[Obj], obj: Obj) -> bool:
    """Say whether an object is in all scopes; kinds without scopes are in none."""
    return all(in_scope(resource, scope, obj) for scope in scopes)


def in_scope(resource: str, scope: Obj, obj: Obj) -> bool:
    """Say whether an object is in one scope."""
    if resource == "pods":
        return pods.in_scope(scope, pods.scopes_of(obj))
    if resource == CLAIMS and scope.get("scopeName") == ATTRIBUTES_SCOPE:
        return selects(scope, _attribute_classes(obj))
    return False


def selects(scope: Obj, values: Sequence[str]) -> bool:
    """Say whether a scope's condition holds for any of the names an object has, as a label requirement."""
    operator, wanted = scope.get("operator"), scope.get("values") or ()
    if operator == "Exists":
        return bool(values)
    if operator == "DoesNotExist":
        return not values
    if operator == "NotIn":
        return not values or any(value not in wanted for value in values)
    return operator == "In" and any(value in wanted for value in values)


def usage(resource: str, obj: Obj, now: float) -> dict[str, str]:
    """Return what one object costs."""
    if resource == "pods":
        return pods.usage(pods.charged(obj), now)
    if resource == "services":
        return _service(obj.get("spec") or {})
    if resource == CLAIMS:
        return _claim(obj)
    found = {COUNT + resource: "1"}
    if resource in ALIASES:
        found[resource] = "1"
    if resource == DEVICE_CLAIMS:
        found.update(_devices(obj))
    return found


def _service(spec: Obj) -> dict[str, str]:
    ports = spec.get("ports") or ()
    kind = spec.get("type")
    opened = len(ports) if kind in ("NodePort", "LoadBalancer") else 0
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
        opened = sum(1 for port in ports if port.get("nodePort"))
    balancers = "1" if kind == "LoadBalancer" else "0"
    return dict(zip(SERVICES, ("1", "1", str(opened), balancers), strict=True))


def _claim(claim: Obj) -> dict[str, str]:
    from kctl.api.quantity import format as written
    from kctl.api.quantity import value

    spec = claim.get("spec") or {}
    found = {CLAIMS: "1", COUNT + CLAIMS: "1"}
    asked = dig(spec, "resources", "requests", "storage")
    if asked is not None:
        held = dig(claim, "status", "allocatedResources", "storage")
        asked = held if held is not None and compare(held, asked) > 0 else asked
        found["requests.storage"] = written(value(asked), like=str(asked))
    storage_class = annotations_of(claim).get(STORAGE_CLASS) or spec.get("storageClassName")
    if storage_class:
        found.update({storage_class + OF_CLASS + name: found[name] for name in OF_CLAIMS if name in found})
    return found


def _attribute_classes(claim: Obj) -> list[str]:
    """Return the VolumeAttributesClasses a claim has, had or is to get."""
    paths = (
        ("spec", "volumeAttributesClassName"),
        ("status", "currentVolumeAttributesClassName"),
        ("status", "modifyVolumeStatus", "targetVolumeAttributesClassName"),
    )
    return sorted({name for path in paths if (name := dig(claim, *path))})


def _devices(claim: Obj) -> dict[str, str]:
    """Count the devices a claim asks for by class; of alternatives the largest."""
    found: dict[str, str] = {}
    for request in dig(claim, "spec", "devices", "requests", default=()):
        most: dict[str, int] = {}
        for wanted in request.get("firstAvailable") or [request.get("exactly") or request]:
            every = wanted.get("allocationMode") == "All"
            number = MOST_DEVICES if every else int(wanted.get("count") or 1)
            name = wanted.get("deviceClassName") or ""
            most[name] = max(most.get(name, 0), number)
        for name, number in most.items():
            found[name + DEVICES] = plus(found.get(name + DEVICES, "0"), str(number))
    return found
