"""How many pods a metric asks for, as podautoscaler's ReplicaCalculator.

In: samples of pods or one value, the pods, the target. Out: a number of replicas and the value that
is shown. Values are thousandths; ratios are floats, as upstream's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.clock import parse_time
from kctl.api.metrics import MetricsError, Sample
from kctl.api.objects import Obj, condition, dig, is_deleting
from kctl.controllers.pods import is_ready, phase_of

CPU_INITIALIZATION = 300.0
"""So long after its start a pod's CPU use may be that of starting."""
INITIAL_READINESS = 30.0
"""A pod that became unready so soon after its start has never been ready."""


class Tolerance(NamedTuple):
    """How far a ratio may be off 1 before it counts."""

    down: float = 0.1
    up: float = 0.1

    def holds(self, ratio: float) -> bool:
        """Say whether the ratio is as good as 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Proposal(NamedTuple):
    """What a metric asks for: replicas, what is shown as its value, for utilizations also the plain use."""

    replicas: int
    value: int
    raw: int = 0


class Grouped(NamedTuple):
    """Pods by what their samples are worth."""

    ready: int
    unready: set[str]
    missing: set[str]
    ignored: set[str]


def group(pods: Sequence[Obj], samples: Mapping[str, Sample], resource: str, now: float) -> Grouped:
    """Sort pods by what their samples are worth, as groupPods."""
    found = Grouped(0, set(), set(), set())
    ready = 0
    for pod in pods:
        name, phase = pod["metadata"]["name"], phase_of(pod)
        if is_deleting(pod) or phase == "Failed":
            found.ignored.add(name)
        elif phase == "Pending":
            found.unready.add(name)
        elif name not in samples:
            found.missing.add(name)
        elif resource == "cpu" and _is_starting(pod, samples[name], now):
            found.unready.add(name)
        else:
            ready += 1
    return found._replace(ready=ready)


def _is_starting(pod: Obj, sample: Sample, now: float) -> bool:
    """Say whether a pod's CPU use is that of starting, or it has never been ready."""
    ready, started = condition(pod, "Ready"), dig(pod, "status", "startTime")
    if ready is None or not started or not ready.get("lastTransitionTime"):
        return True
    start, since = parse_time(started), parse_time(ready["lastTransitionTime"])
    if start + CPU_INITIALIZATION > now:
        return bool(ready["status"] == "False") or sample.at < since + sample.window
    return bool(ready["status"] == "False") and start + INITIAL_READINESS > since


def of_utilization(
    current: int,
    target: int,
    resource: str,
    container: str,
    pods: Sequence[Obj],
    samples: Mapping[str, Sample],
    tolerance: Tolerance,
    now: float,
) -> Proposal:
    """Return what a target in percent of requests asks for, as GetResourceReplicas."""
    found, values = _usable(pods, samples, resource, now)
    requests = requests_of(pods, container, resource)
    ratio, utilization, raw = _utilization(values, requests, target)
    least = max(100, target)
    fallback = {name: requests.get(name, 0) * least // 100 for name in found.missing}

    def again(values: Mapping[str, int]) -> float:
        return _utilization(values, requests, target)[0]

    replicas = _settle(current, ratio, found, values, fallback, again, tolerance)
    return Proposal(replicas, utilization, raw)


def of_average(
    current: int,
    target: int,
    resource: str,
    pods: Sequence[Obj],
    samples: Mapping[str, Sample],
    tolerance: Tolerance,
    now: float,
) -> Proposal:
    """Return what a target of so much a pod asks for, as calcPlainMetricReplicas."""
    found, values = _usable(pods, samples, resource, now)
    ratio, usage = _usage(values, target)
    fallback = dict.fromkeys(found.missing, target)

    def again(values: Mapping[str, int]) -> float:
        return _usage(values, target)[0]

    return Proposal(_settle(current, ratio, found, values, fallback, again, tolerance), usage)


def _usable(
    pods: Sequence[Obj], samples: Mapping[str, Sample], resource: str, now: float
) -> tuple[Grouped, dict[str, int]]:
    """Return the pods by what their samples are worth, and the values of those that count."""
    if not pods:
        raise MetricsError("no pods returned by selector while calculating replica count")
    found = group(pods, samples, resource, now)
    left_out = found.ignored | found.unready
    values = {name: sample.value for name, sample in samples.items() if name not in left_out}
    if not values:
        raise MetricsError("did not receive metrics for targeted pods (pods might be unready)")
    return found, values


def _settle(
    current: int,
    ratio: float,
    found: Grouped,
    values: dict[str, int],
    fallback: Mapping[str, int],
    again: Callable[[Mapping[str, int]], float],
    tolerance: Tolerance,
) -> int:
    """Return the replicas a ratio asks for when pods without samples are counted so that less is done, not more."""
    with_unready = bool(found.unready) and ratio > 1.0
    if not with_unready and not found.missing:
        return current if tolerance.holds(ratio) else ceil(ratio * found.ready)
    if found.missing and ratio < 1.0:
        values |= fallback
    elif found.missing and ratio > 1.0:
        values |= dict.fromkeys(found.missing, 0)
    if with_unready:
        values |= dict.fromkeys(found.unready, 0)
    new = again(values)
    if tolerance.holds(new) or (ratio < 1.0 < new) or (new < 1.0 < ratio):
        return current
    replicas = ceil(new * len(values))
    if (new < 1.0 and replicas > current) or (new > 1.0 and replicas < current):
        return current
    return replicas


def _utilization(values: Mapping[str, int], requests: Mapping[str, int], target: int) -> tuple[float, int, int]:
    """Return the ratio, the use in percent of requests and the average use, as GetResourceUtilizationRatio."""
    known = [name for name in values if name in requests]
    used, asked = sum(values[name] for name in known), sum(requests[name] for name in known)
    if not asked:
        raise MetricsError("no metrics returned matched known pods")
    percent = used * 100 // asked
    return percent / target, percent, used // len(known)


def _usage(values: Mapping[str, int], target: int) -> tuple[float, int]:
    """Return the ratio and the average, as GetMetricUsageRatio."""
    average = sum(values.values()) // len(values)
    return average / target, average


def requests_of(pods: Sequence[Obj], container: str, resource: str) -> dict[str, int]:
    """Return what pods request, in thousandths, as calculatePodRequests; MetricsError where one asks for nothing."""
    found = {}
    for pod in pods:
        spec, total = pod["spec"], 0
        whole = dig(spec, "resources", "requests", resource)
        if whole is not None and not container:
            found[pod["metadata"]["name"]] = quantity.milli(whole)
            continue
        sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
        for one in (*spec["containers"], *sidecars):
            if container in ("", one["name"]):
                asked = dig(one, "resources", "requests", resource)
                if asked is None:
                    name = pod["metadata"]["name"]
                    raise MetricsError(f"missing request for {resource} in container {one['name']} of Pod {name}")
                total += quantity.milli(asked)
        found[pod["metadata"]["name"]] = total
    return found


def of_value(current: int, target: int, usage: int, pods: Sequence[Obj], tolerance: Tolerance) -> Proposal:
    """Return what a target for one value asks for, as getUsageRatioReplicaCount."""
    ratio = usage / target
    if not current:
        return Proposal(ceil(ratio), usage)
    if tolerance.holds(ratio):
        return Proposal(current, usage)
    if not pods:
        raise MetricsError(
            "unable to calculate ready pods: no pods returned by selector while calculating replica count"
        )
    ready = sum(phase_of(pod) == "Running" and is_ready(pod) for pod in pods)
    return Proposal(ceil(ratio * ready), usage)


def of_value_per_pod(replicas: int, target: int, usage: int, tolerance: Tolerance) -> Proposal:
    """Return what a target of so much a pod asks for when one value is known for all, as Get...PerPodMetricReplicas."""
    wanted = replicas
    ratio = usage / (target * replicas) if replicas else float("inf") if usage else 1.0
    if not tolerance.holds(ratio):
        wanted = ceil(usage / target)
    return Proposal(wanted, ceil(usage / replicas) if replicas else 0)
