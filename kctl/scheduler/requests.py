"""What a pod asks of a node, in exact integers.

In: a pod. Out: :class:`Requests` (cpu in thousandths, memory and ephemeral storage in bytes,
everything else in whole units), as k8s.io/component-helpers/resource.PodRequests adds it up:
containers, init containers one after another, sidecars beside them, pod-level resources,
overhead, and what the kubelet reports during an in-place resize. Limits do not matter here: the
API server has defaulted requests from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.objects import Obj, dig

DEFAULT_CPU = 100
"""What a container that does not set cpu counts as when nodes are scored, in thousandths."""
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container that does not set memory counts as when nodes are scored, in bytes."""
DEFAULTS = {"cpu": DEFAULT_CPU, "memory": DEFAULT_MEMORY}

Amounts = dict[str, int]


class Requests(NamedTuple):
    """A pod's requests.

    ``nonzero_*`` is how it counts on its node once placed, ``scored_*`` how it
    counts while NodeResourcesFit scores it; both take defaults for what containers leave open. They
    differ only for pods with pod-level resources, which that scorer of 1.36 does not look at.
    """

    cpu: int
    memory: int
    ephemeral: int
    scalar: Mapping[str, int]
    nonzero_cpu: int
    nonzero_memory: int
    scored_cpu: int
    scored_memory: int


@lru_cache(maxsize=4096)
def amount(resource: str, text: str | int | float) -> int:
    """Read a quantity in the unit the scheduler counts the resource in; fractions round up."""
    return quantity.milli(text) if resource == "cpu" else quantity.value(text)


def amounts(resources: Mapping[str, str | int | float] | None) -> Amounts:
    """Read a resource list (``requests``, ``allocatable``, ``overhead``)."""
    return {name: amount(name, text) for name, text in resources.items()} if resources else {}


def pod_requests(pod: Obj) -> Requests:
    """Return everything the scheduler wants to know of a pod's requests."""
    real = total(pod, {})
    nonzero = scored = total(pod, DEFAULTS, pod_level=False)
    if _pod_level(pod):
        # A resource set anywhere in the pod takes no defaults then (getNonMissingContainerRequests).
        nonzero = total(pod, {name: value for name, value in DEFAULTS.items() if name not in real})
    return Requests(
        real.get("cpu", 0),
        real.get("memory", 0),
        real.get("ephemeral-storage", 0),
        {name: real[name] for name in sorted(real) if name not in NATIVE},
        nonzero.get("cpu", 0),
        nonzero.get("memory", 0),
        scored.get("cpu", 0),
        scored.get("memory", 0),
    )


NATIVE = frozenset({"cpu", "memory", "ephemeral-storage", "pods"})


def total(pod: Obj, missing: Mapping[str, int], *, pod_level: bool = True) -> Amounts:
    """Add a pod's requests up; containers that leave a resource of ``missing`` out count with its value."""
    spec = pod["spec"]
    reported = _reported(pod)
    result: Amounts = {}
    for container in spec.get("containers") or ():
        _add(result, _container(container, reported, missing))
    _with_init_containers(result, spec.get("initContainers") or (), reported, missing)
    if pod_level:
        result.update(_pod_level(pod))
    _add(result, amounts(spec.get("overhead")))
    return result


def _with_init_containers(
    result: Amounts, containers: Iterable[Obj], reported: Mapping[str, Obj], missing: Mapping[str, int]
) -> None:
    """Take in init containers: sidecars add to the pod, the others only raise it to their own peak."""
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        own = _container(container, reported, missing)
        if container.get("restartPolicy") == "Always":
            _add(result, own)
            _add(sidecars, own)
            own = dict(sidecars)
        else:
            _add(own, sidecars)
        _raise(peak, own)
    _raise(result, peak)


def _container(container: Obj, reported: Mapping[str, Obj], missing: Mapping[str, int]) -> Amounts:
    """Return a container's requests, raised to what the kubelet still holds for it."""
    resources = container.get("resources")
    own = amounts(resources.get("requests")) if resources else {}
    status = reported.get(container["name"]) if reported else None
    if status is not None:
        actual = amounts(dig(status, "resources", "requests"))
        _raise(actual, amounts(status.get("allocatedResources")))
        if status.get("infeasible"):
            own = actual
        else:
            own = dict(own)
            _raise(own, actual)
    for name, value in missing.items():
        if name not in own:
            own[name] = value
    return own


def _reported(pod: Obj) -> dict[str, Obj]:
    """Return the container statuses that carry resources; only an in-place resize makes them matter."""
    status = pod.get("status") or {}
    lists = (status.get("containerStatuses") or (), status.get("initContainerStatuses") or ())
    found = {s["name"]: s for statuses in lists for s in statuses if s.get("resources")}
    if found and _resize_infeasible(status):
        return {name: {**s, "infeasible": True} for name, s in found.items()}
    return found


def _resize_infeasible(status: Obj) -> bool:
    """Say whether the kubelet has refused the resize the spec asks for (IsPodResizeInfeasible)."""
    return any(
        c.get("type") == "PodResizePending" and c.get("reason") == "Infeasible" for c in status.get("conditions") or ()
    )


def _pod_level(pod: Obj) -> Amounts:
    """Return the pod-level requests that replace the sum over containers, raised to what the kubelet still holds."""
    own = _supported(dig(pod["spec"], "resources", "requests"))
    status = pod.get("status") or {}
    if not own or not status.get("resources"):
        return own
    held = _supported(dig(status, "resources", "requests"))
    _raise(held, _supported(status.get("allocatedResources")))
    if not _resize_infeasible(status):
        _raise(held, own)
    return held


def _supported(requests: Mapping[str, str | int | float] | None) -> Amounts:
    """Read those of the requests that can be made for a whole pod (IsSupportedPodLevelResource)."""
    if not requests:
        return {}
    return amounts({n: v for n, v in requests.items() if n in ("cpu", "memory") or n.startswith("hugepages-")})


def _add(into: Amounts, other: Mapping[str, int]) -> None:
    for name, value in other.items():
        into[name] = into.get(name, 0) + value


def _raise(into: Amounts, other: Mapping[str, int]) -> None:
    for name, value in other.items():
        if value > into.get(name, -1):
            into[name] = value
