"""What a pod costs a quota, and which scopes it is in.

In: a pod. Out: :class:`Charged`, everything about it that matters to quotas, as a value that is
equal for equal pods, so that they can be counted by it; and from that the usage. As podEvaluator
of pkg/quota/v1/evaluator/core.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, dig
from kctl.api.podresources import HUGE_PAGES, at_pod_level, has_pod_level, of, total
from kctl.api.resourcelist import add, is_zero, plus, written

REQUESTS, LIMITS = "requests.", "limits."
COMPUTE = ("cpu", "memory", "ephemeral-storage")
NAMES = frozenset(
    ("count/pods", "pods", *COMPUTE, *(REQUESTS + name for name in COMPUTE), *(LIMITS + name for name in COMPUTE))
)
DEVICE_CLASS = "deviceclass.resource.kubernetes.io/"
DEMANDED = frozenset(("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
"""Under a quota of these every container must set them: a mistake upstream keeps for compatibility."""
FINISHED = ("Failed", "Succeeded")


class Scopes(NamedTuple):
    """What decides about a pod's scopes."""

    best_effort: bool
    terminating: bool
    priority_class: str
    reaches_out: bool


class Charged(NamedTuple):
    """A pod to a quota; ``until`` is when it stops to count although it is still there (0: never)."""

    finished: bool
    until: float
    scopes: Scopes
    resources: tuple[Any, ...]


def holds(name: str) -> bool:
    """Say whether pods can count under that name of a quota."""
    return name in NAMES or name.startswith((HUGE_PAGES, REQUESTS + HUGE_PAGES)) or _is_extended_request(name)


def _is_extended_request(name: str) -> bool:
    native = "/" not in name or "kubernetes.io/" in name
    return name.startswith(REQUESTS) and (not native or name.startswith(REQUESTS + DEVICE_CLASS))


def charged(pod: Obj) -> Charged:
    """Return what matters of a pod."""
    meta, spec = pod["metadata"], pod.get("spec") or {}
    until = 0.0
    grace = meta.get("deletionGracePeriodSeconds")
    if meta.get("deletionTimestamp") and grace is not None:
        until = parse_time(meta["deletionTimestamp"]) + float(grace)
    finished = (pod.get("status") or {}).get("phase") in FINISHED
    return Charged(finished, until, scopes_of(pod), _resources(spec))


def usage(found: Charged, now: float) -> dict[str, str]:
    """Return what a pod costs: once it is over, or stuck on its way out, only that it is stored."""
    if found.finished or 0 < found.until < now:
        return {"count/pods": "1"}
    return dict(_usage(found.resources))


def _resources(spec: Obj) -> tuple[Any, ...]:
    """Return all that a pod's usage derives from, as a hashable value."""
    return (
        tuple(_of_container(c) for c in spec.get("containers") or ()),
        tuple(_of_container(c) for c in spec.get("initContainers") or ()),
        _frozen(spec.get("resources")),
        _items(spec.get("overhead")),
    )


def _of_container(container: Obj) -> tuple[Any, ...]:
    return container.get("restartPolicy"), _frozen(container.get("resources"))


def _frozen(resources: Obj | None) -> tuple[Any, ...]:
    if not resources:
        return ((), ())
    return _items(resources.get("requests")), _items(resources.get("limits"))


def _items(found: Obj | None) -> tuple[Any, ...]:
    return tuple(sorted(found.items())) if found else ()


@lru_cache(maxsize=2048)
def _usage(resources: tuple[Any, ...]) -> tuple[tuple[str, str], ...]:
    """Return the usage of a living pod with those resources."""
    containers, init, pod, overhead = resources
    spec: Obj = {
        "containers": [_thawed(policy, found) for policy, found in containers],
        "initContainers": [_thawed(policy, found) for policy, found in init],
        **_thawed(None, pod),
    }
    extra = written(dict(overhead))
    requests = add(total(spec, "requests"), extra)
    limits = total(spec, "limits")
    limits = {name: plus(value, extra[name]) if name in extra else value for name, value in limits.items()}
    return tuple({"count/pods": "1", **computed(requests, limits)}.items())


def _thawed(policy: str | None, found: tuple[Any, ...]) -> Obj:
    requests, limits = found
    return {"restartPolicy": policy, "resources": {"requests": dict(requests), "limits": dict(limits)}}


def computed(requests: dict[str, str], limits: dict[str, str]) -> dict[str, str]:
    """Return the usage of requests and limits, as podComputeUsageHelper."""
    found = {"pods": "1"}
    for name in COMPUTE:
        if name in requests:
            found[name] = found[REQUESTS + name] = requests[name]
        if name in limits:
            found[LIMITS + name] = limits[name]
    for name, value in requests.items():
        if name.startswith(HUGE_PAGES):
            found[name] = found[REQUESTS + name] = value
        elif ("/" in name and "kubernetes.io/" not in name) or name.startswith(DEVICE_CLASS):
            found[REQUESTS + name] = value
    return found


def missing(pod: Obj, names: Iterable[str]) -> str:
    """Say what a quota demands of every container and some do not set, "" when all is there."""
    spec = pod.get("spec") or {}
    demanded = sorted(DEMANDED.intersection(names))
    if not demanded or has_pod_level(spec):
        return ""
    found: dict[str, set[str]] = {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        has = computed(of(container, "requests"), of(container, "limits"))
        for name in demanded:
            if name not in has:
                found.setdefault(name, set()).add(container.get("name") or "")
    return "; ".join(f"{name} for: {','.join(sorted(found[name]))}" for name in sorted(found))


def scopes_of(pod: Obj) -> Scopes:
    """Return what decides about a pod's scopes."""
    spec = pod.get("spec") or {}
    deadline = spec.get("activeDeadlineSeconds")
    return Scopes(
        _quality(pod) == "BestEffort",
        deadline is not None and deadline >= 0,
        spec.get("priorityClassName") or "",
        bool(spec.get("affinity")) and _reaches_out(spec["affinity"]),
    )


def in_scope(scope: Obj, has: Scopes) -> bool:
    """Say whether a pod is in a scope, as podMatchesScopeFunc."""
    from kctl.api.quota import selects

    name = scope.get("scopeName")
    if name == "PriorityClass":
        return selects(scope, (has.priority_class,) if has.priority_class else ())
    answers = {
        "Terminating": has.terminating,
        "NotTerminating": not has.terminating,
        "BestEffort": has.best_effort,
        "NotBestEffort": not has.best_effort,
        "CrossNamespacePodAffinity": has.reaches_out,
    }
    return answers.get(name or "", False)


def _quality(pod: Obj) -> str:
    """Return the QoS class: as the API server noted it, or BestEffort when nothing is asked for."""
    noted = (pod.get("status") or {}).get("qosClass")
    if noted:
        return str(noted)
    spec = pod.get("spec") or {}
    lists = [at_pod_level(spec, "requests"), at_pod_level(spec, "limits")]
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        lists += [of(container, "requests"), of(container, "limits")]
    asked = any(name in ("cpu", "memory") and not is_zero(text) for found in lists for name, text in found.items())
    return "Burstable" if asked else "BestEffort"


def _reaches_out(affinity: Obj) -> bool:
    """Say whether a pod wants to be near, or far from, pods of namespaces it names."""
    for side in ("podAffinity", "podAntiAffinity"):
        terms = list(dig(affinity, side, "requiredDuringSchedulingIgnoredDuringExecution", default=()))
        weighted = dig(affinity, side, "preferredDuringSchedulingIgnoredDuringExecution", default=())
        terms += [term.get("podAffinityTerm") or {} for term in weighted]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
