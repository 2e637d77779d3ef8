"""What each metric of an autoscaler asks for, what its status shows, and in which words it fails.

In: a metric of the spec, the target's scale and pods, a source of metrics. Out: replicas, a name, the
status; or why there are none. As computeReplicasForMetric and the computeStatusFor... functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.metrics import Metrics, MetricsError, Sample
from kctl.api.objects import Obj
from kctl.controllers import podautoscaler_replicas as calculator
from kctl.controllers.disruption import shown
from kctl.controllers.podautoscaler_replicas import Proposal, Tolerance


class Asked(NamedTuple):
    """What is asked about: the target's replicas as asked and as there are, its pods."""

    namespace: str
    wanted: int
    there: int
    pods: Sequence[Obj]
    metrics: Metrics
    tolerance: Tolerance
    now: float


class Answer(NamedTuple):
    """What a metric asks for: replicas, the metric's name in messages, its status."""

    replicas: int
    name: str
    status: Obj


class MetricFailure(Exception):
    """A metric that cannot be computed: the reason and note of its event, and how the whole failure is told."""

    def __init__(self, reason: str, note: str, whole: str) -> None:
        super().__init__(whole)
        self.reason, self.note, self.whole = reason, note, whole


def ask(spec: Obj, asked: Asked) -> Answer:
    """Return what a metric asks for; MetricFailure."""
    kind = spec["type"]
    if kind == "Object":
        return _object(spec["object"], asked)
    if kind == "Pods":
        return _pods(spec["pods"], asked)
    if kind == "External":
        return _external(spec["external"], asked)
    if kind == "ContainerResource":
        part = spec["containerResource"]
        return _resource(part, asked, part["container"])
    return _resource(spec["resource"], asked, "")


def _resource(part: Obj, asked: Asked, container: str) -> Answer:
    """Compute a resource metric of pods or of one of their containers."""
    name, target = part["name"], part["target"]
    field, reason = (
        ("containerResource", "FailedGetContainerResourceMetric")
        if container
        else ("resource", "FailedGetResourceMetric")
    )
    try:
        current, label = _resource_value(name, target, asked, container)
    except MetricsError as error:
        whole = f"{container} container" if container else f"{name} resource"
        raise MetricFailure(reason, str(error), f"failed to get {whole} metric value: {error}") from None
    proposal, shown_value = current
    status = {"name": name, **({"container": container} if container else {}), "current": shown_value}
    kind = "ContainerResource" if container else "Resource"
    return Answer(proposal.replicas, label, {"type": kind, field: status})


def _resource_value(name: str, target: Obj, asked: Asked, container: str) -> tuple[tuple[Proposal, Obj], str]:
    """Return the proposal of a resource metric with what is shown, and its name, as computeStatusForResourceMetricGeneric."""
    pods, now = asked.pods, asked.now
    if target.get("averageValue") is not None:
        try:
            samples = _samples(name, asked, container)
            wanted = quantity.milli(target["averageValue"])
            found = calculator.of_average(asked.wanted, wanted, name, pods, samples, asked.tolerance, now)
        except MetricsError as error:
            raise MetricsError(f"failed to get {name} usage: {error}") from None
        return (found, {"averageValue": milli(found.value)}), f"{name} resource"
    if target.get("averageUtilization") is None:
        raise MetricsError(
            "invalid resource metric source: neither an average utilization target nor an average value "
            "(usage) target was set"
        )
    percent = target["averageUtilization"]
    try:
        samples = _samples(name, asked, container)
        found = calculator.of_utilization(asked.wanted, percent, name, container, pods, samples, asked.tolerance, now)
    except MetricsError as error:
        raise MetricsError(f"failed to get {name} utilization: {error}") from None
    value = {"averageUtilization": found.value, "averageValue": milli(found.raw)}
    kind = "container resource" if container else "resource"
    return (found, value), f"{name} {kind} utilization (percentage of request)"


def _samples(name: str, asked: Asked, container: str) -> Mapping[str, Sample]:
    try:
        found = asked.metrics.resource(name, asked.namespace, asked.pods, container, asked.now)
        if not found:
            raise MetricsError("no metrics returned from resource metrics API")
    except MetricsError as error:
        raise MetricsError(f"unable to get metrics for resource {name}: {error}") from None
    return found


def _pods(part: Obj, asked: Asked) -> Answer:
    """Compute a custom metric of pods."""
    metric, target = part["metric"], part["target"]
    try:
        try:
            found = asked.metrics.pods(metric["name"], asked.namespace, asked.pods, metric.get("selector"), asked.now)
        except MetricsError as error:
            raise MetricsError(f"unable to get metric {metric['name']}: {error}") from None
        wanted = quantity.milli(target["averageValue"])
        proposal = calculator.of_average(asked.wanted, wanted, "", asked.pods, found, asked.tolerance, asked.now)
    except MetricsError as error:
        raise MetricFailure("FailedGetPodsMetric", str(error), f"failed to get pods metric value: {error}") from None
    status = {"metric": metric, "current": {"averageValue": milli(proposal.value)}}
    return Answer(proposal.replicas, f"pods metric {metric['name']}", {"type": "Pods", "pods": status})


def _object(part: Obj, asked: Asked) -> Answer:
    """Compute a custom metric of one object."""
    metric, target, about = part["metric"], part["target"], part["describedObject"]
    name = metric["name"]
    per_pod = target.get("type") == "AverageValue" and target.get("averageValue") is not None
    try:
        if not per_pod and (target.get("type") != "Value" or target.get("value") is None):
            raise MetricsError(
                "invalid object metric source: neither a value target nor an average value target was set"
            )
        try:
            usage = asked.metrics.object(name, asked.namespace, about, metric.get("selector"), asked.now)
        except MetricsError as error:
            place = f"{about['kind']} {asked.namespace}/{about['name']}"
            raise MetricsError(f"unable to get metric {name}: {error} on {place}") from None
        proposal = _of_one(target, usage, asked, per_pod=per_pod)
    except MetricsError as error:
        told = f"failed to get {name} object metric: {error}" if per_pod else str(error)
        raise MetricFailure("FailedGetObjectMetric", str(error), f"failed to get object metric value: {told}") from None
    current = {"averageValue" if per_pod else "value": milli(proposal.value)}
    status = {"metric": metric, "current": current, "describedObject": about}
    label = f"external metric {name}({_selector(metric)})" if per_pod else f"{about['kind']} metric {name}"
    return Answer(proposal.replicas, label, {"type": "Object", "object": status})


def _external(part: Obj, asked: Asked) -> Answer:
    """Compute an external metric."""
    metric, target = part["metric"], part["target"]
    name, per_pod = metric["name"], target.get("averageValue") is not None
    try:
        if not per_pod and target.get("value") is None:
            raise MetricsError(
                "invalid external metric source: neither a value target nor an average value target was set"
            )
        try:
            usage = sum(asked.metrics.external(name, asked.namespace, metric.get("selector"), asked.now))
        except MetricsError as error:
            place = f"{asked.namespace}/{name}/{_selector(metric)}"
            raise MetricsError(f"unable to get external metric {place}: {error}") from None
        proposal = _of_one(target, usage, asked, per_pod=per_pod)
    except MetricsError as error:
        told = f"failed to get {name} external metric" if per_pod else f"failed to get external metric {name}"
        whole = f"failed to get {name} external metric value: {told}: {error}"
        raise MetricFailure("FailedGetExternalMetric", str(error), whole) from None
    current = {"averageValue" if per_pod else "value": milli(proposal.value)}
    label = f"external metric {name}({_selector(metric)})"
    return Answer(proposal.replicas, label, {"type": "External", "external": {"metric": metric, "current": current}})


def _of_one(target: Obj, usage: int, asked: Asked, *, per_pod: bool) -> Proposal:
    """Return what one value for all pods asks for."""
    if per_pod:
        wanted = quantity.milli(target["averageValue"])
        return calculator.of_value_per_pod(asked.there, wanted, usage, asked.tolerance)
    wanted = quantity.milli(target["value"])
    return calculator.of_value(asked.wanted, wanted, usage, asked.pods, asked.tolerance)


def _selector(metric: Obj) -> str:
    """Return a metric's selector as Go prints a pointer to one."""
    selector = metric.get("selector")
    return "nil" if selector is None else shown(selector)


def milli(value: int) -> str:
    """Return thousandths as a quantity."""
    return quantity.format(Fraction(value, 1000))
