"""HorizontalPodAutoscalers: what metrics ask for, how fast sizes change, what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.behaviour import Annotated
from kctl.api.metrics import Measured, MetricsError, NoMetrics, Sample
from kctl.api.objects import Key, Obj, condition
from kctl.controllers import podautoscaler_limits as limits
from kctl.controllers import podautoscaler_replicas as calculator
from kctl.controllers.podautoscaler import PodAutoscalerController
from kctl.controllers.podautoscaler_limits import Memory, normalize
from kctl.controllers.podautoscaler_replicas import Tolerance

H = "horizontalpodautoscalers.autoscaling"
D = "deployments.apps"
WEB = Key("default", "web")
UP = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DOWN = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


class Given:
    """A metrics API that says what a test wants it to."""

    def __init__(self) -> None:
        self.each: Mapping[str, int] | int = 0
        self.value = 0
        self.asked: list[str] = []

    def knows(self, pods: Sequence[Obj]) -> bool:
        return True

    def _of(self, pods: Sequence[Obj], now: float) -> dict[str, Sample]:
        values = self.each
        if isinstance(values, int):
            return {pod["metadata"]["name"]: Sample(values, now) for pod in pods}
        return {name: Sample(value, now) for name, value in values.items()}

    def resource(self, name: str, namespace: str, pods: Sequence[Obj], container: str, now: float) -> Any:
        self.asked.append(f"{name}/{container}")
        return self._of(pods, now)

    def pods(self, name: str, namespace: str, pods: Sequence[Obj], selector: Obj | None, now: float) -> Any:
        return self._of(pods, now)

    def object(self, name: str, namespace: str, described: Obj, selector: Obj | None, now: float) -> int:
        return self.value

    def external(self, name: str, namespace: str, selector: Obj | None, now: float) -> Sequence[int]:
        return [self.value]


def cpu(percent: int = 50) -> Obj:
    return {"type": "Resource", "resource": {"name": "cpu", "target": target(averageUtilization=percent)}}


def target(**fields: Any) -> Obj:
    kinds = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}
    return {"type": kinds[next(iter(fields))], **fields}


def autoscaler(least: int = 1, most: int = 10, metrics: list[Obj] | None = None, **spec: Any) -> Obj:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = {"scaleTargetRef": ref, "minReplicas": least, "maxReplicas": most, **spec}
    if metrics:
        body["metrics"] = metrics
    meta = {"name": "web", "namespace": "default"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": body}


@pytest.fixture
def metered(world: Any) -> Any:
    """Return a world with a metrics API, as ``world.metrics``."""
    for controller in world.controllers:
        if isinstance(controller, PodAutoscalerController):
            controller.metrics = world.metrics = Given()
    return world


def start(world: Any, deployment: Any, replicas: int, hpa: Obj) -> None:
    web = deployment(replicas=replicas)
    container = {"name": "c", "image": "app:1", "resources": {"requests": {"cpu": "100m", "memory": "1Mi"}}}
    web["spec"]["template"]["spec"]["containers"] = [container]
    world.create(web)
    world.run_all()
    for pod in world.pods():
        mark_started(world, pod)
    world.create(hpa)
    world.settle()


def mark_started(world: Any, pod: Obj) -> None:
    body = {"status": {"startTime": "2025-01-01T00:00:00Z"}}
    world.client.patch("pods", Key("default", pod["metadata"]["name"]), body, subresource="status")


def size(world: Any) -> int:
    return int(world.get(D, "web")["spec"]["replicas"])


def said(world: Any, type_: str) -> tuple[str, str]:
    found = condition(world.get(H, "web"), type_)
    return found["status"], found["reason"]


def notes(world: Any) -> list[tuple[str, str]]:
    return [(event["reason"], event["message"]) for event in world.client.list("events").items]


@pytest.mark.parametrize(
    ("use", "wanted", "limited"),
    [
        (50, 4, "DesiredWithinRange"),
        (54, 4, "DesiredWithinRange"),
        (55, 4, "DesiredWithinRange"),
        (56, 5, "DesiredWithinRange"),
        (80, 7, "DesiredWithinRange"),
        (100, 8, "DesiredWithinRange"),
        (150, 8, "ScaleUpLimit"),
    ],
)
def test_the_size_follows_the_use_of_what_is_requested(metered, deployment, use, wanted, limited):
    metered.metrics.each = use
    start(metered, deployment, 4, autoscaler(metrics=[cpu()]))
    assert size(metered) == wanted
    assert said(metered, "ScalingLimited")[1] == limited
    assert said(metered, "ScalingActive") == ("True", "ValidMetricFound")


@pytest.mark.parametrize(
    ("metric", "value", "wanted"),
    [
        ({"type": "Resource", "resource": {"name": "memory", "target": target(averageValue="1")}}, 2000, 8),
        ({"type": "Pods", "pods": {"metric": {"name": "r"}, "target": target(averageValue="2")}}, 3000, 6),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "cpu", "container": "c", "target": target(averageUtilization=50)},
            },
            75,
            6,
        ),
        ({"type": "External", "external": {"metric": {"name": "q"}, "target": target(value="5")}}, 7500, 6),
        ({"type": "External", "external": {"metric": {"name": "q"}, "target": target(averageValue="5")}}, 32_000, 7),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "rps"},
                    "target": target(value="100"),
                    "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "web"},
                },
            },
            200_000,
            8,
        ),
    ],
    ids=lambda value: value["type"] + "-" + str(value)[-20:-4] if isinstance(value, dict) else None,
)
def test_every_source_of_metrics_is_asked_in_its_way(metered, deployment, metric, value, wanted):
    metered.metrics.each = metered.metrics.value = value
    start(metered, deployment, 4, autoscaler(metrics=[metric]))
    assert size(metered) == wanted
    shown = metered.get(H, "web")["status"]["currentMetrics"][0]
    assert shown["type"] == metric["type"]


def test_the_largest_answer_counts(metered, deployment):
    metered.metrics.each = 60
    metered.metrics.value = 10_000
    external = {"type": "External", "external": {"metric": {"name": "q"}, "target": target(value="5")}}
    start(metered, deployment, 4, autoscaler(metrics=[cpu(), external]))
    assert size(metered) == 8
    reason = "New size: 8; reason: external metric q(nil) above target"
    assert ("SuccessfulRescale", reason) in notes(metered)


def test_the_size_is_brought_into_the_range_first(metered, deployment):
    start(metered, deployment, 4, autoscaler(1, 2, [cpu()]))
    assert size(metered) == 2
    assert said(metered, "AbleToScale") == ("True", "SucceededRescale")
    assert ("SuccessfulRescale", "New size: 2; reason: Current number of replicas above Spec.MaxReplicas") in notes(
        metered
    )


def test_shrinking_waits_for_five_minutes(metered, deployment):
    metered.metrics.each = 50
    start(metered, deployment, 4, autoscaler(metrics=[cpu()]))
    metered.metrics.each = 10
    metered.pass_time(60)
    assert size(metered) == 4
    assert said(metered, "AbleToScale") == ("True", "ScaleDownStabilized")
    metered.pass_time(300)
    assert size(metered) == 1


def test_zero_replicas_switch_the_autoscaler_off(metered, deployment):
    start(metered, deployment, 0, autoscaler(metrics=[cpu()]))
    assert size(metered) == 0
    assert said(metered, "ScalingActive") == ("False", "ScalingDisabled")


def test_without_metrics_nothing_happens_and_a_run_does_not_wait(world, deployment):
    start(world, deployment, 3, autoscaler(metrics=[cpu()]))
    assert said(world, "ScalingActive") == ("False", "FailedGetResourceMetric")
    assert world.manager.next_wake(periodic=False) is None
    before = len(notes(world))
    world.pass_time(120)
    assert len(notes(world)) == before
    assert [one for one in world.decisions() if one[0].startswith("horizontal")] == []


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment", "name": "no"}, 'deployments.apps "no" not found'),
        (
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "no"},
            "the server could not find the requested resource",
        ),
        ({"apiVersion": "x.io/v1", "kind": "Odd", "name": "no"}, 'no matches for kind "Odd" in group "x.io"'),
    ],
)
def test_a_target_without_scale_is_told(metered, ref, why):
    metered.create(autoscaler(scaleTargetRef=ref))
    metered.settle()
    assert said(metered, "AbleToScale") == ("False", "FailedGetScale")
    assert ("FailedGetScale", why) in notes(metered)


def test_pods_without_requests_are_named(metered, deployment):
    metered.metrics.each = 50
    metered.create(deployment(replicas=2))
    metered.run_all()
    for pod in metered.pods():
        mark_started(metered, pod)
    metered.create(autoscaler(metrics=[cpu()]))
    metered.settle()
    pod = metered.names("pods")[0]
    text = f"failed to get cpu utilization: missing request for cpu in container c of Pod {pod}"
    assert ("FailedGetResourceMetric", text) in notes(metered)


def test_two_autoscalers_of_the_same_pods_do_nothing(metered, deployment):
    metered.metrics.each = 100
    other = autoscaler(metrics=[cpu()])
    other["metadata"]["name"] = "other"
    metered.create(other)
    start(metered, deployment, 3, autoscaler(metrics=[cpu()]))
    assert said(metered, "ScalingActive") == ("False", "AmbiguousSelector")
    text = "pods by selector app=web are controlled by multiple HPAs: [{other default} {web default}]"
    assert ("AmbiguousSelector", text) in notes(metered)


def test_a_stateful_set_and_a_custom_resource_can_be_scaled(metered, deployment):
    labels = {"app": "db"}
    spec = {
        "replicas": 1,
        "serviceName": "db",
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
    }
    meta = {"name": "db", "namespace": "default"}
    metered.create({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec})
    metered.create(autoscaler(3, scaleTargetRef={"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}))
    metered.settle()
    assert metered.get("statefulsets.apps", "db")["spec"]["replicas"] == 3


def pods(*specs: str) -> list[Obj]:
    """Return pods: ``r`` ready, ``u`` not, ``p`` pending, ``f`` failed, ``d`` going."""
    found = []
    for n, kind in enumerate(specs):
        ready = {
            "type": "Ready",
            "status": "True" if kind == "r" else "False",
            "lastTransitionTime": "2025-06-01T00:00:10Z",
        }
        phase = {"p": "Pending", "f": "Failed"}.get(kind, "Running")
        meta: Obj = {"name": f"p{n}", "namespace": "x"}
        if kind == "d":
            meta["deletionTimestamp"] = "2025-06-01T00:00:00Z"
        status = {"phase": phase, "conditions": [ready], "startTime": "2025-06-01T00:00:00Z"}
        requests = {"resources": {"requests": {"cpu": "100m"}}}
        found.append({"metadata": meta, "spec": {"containers": [{"name": "c", **requests}]}, "status": status})
    return found


NOW = 1_767_225_600.0


@pytest.mark.parametrize(
    ("kinds", "use", "current", "wanted"),
    [
        ("rrr", [100, 100, 100], 3, 6),
        ("rrr", [100, 100, None], 3, 4),
        ("rrr", [20, 20, None], 3, 3),
        ("rru", [100, 100, 100], 3, 4),
        ("rru", [60, 60, 60], 3, 3),
        ("rrp", [100, 100, None], 3, 4),
        ("rrf", [100, 100, 100], 3, 4),
        ("rrd", [100, 100, 100], 3, 4),
        ("rrr", [10, 10, 10], 3, 1),
    ],
)
def test_missing_and_unready_pods_make_changes_smaller(kinds, use, current, wanted):
    all_pods = pods(*kinds)
    samples = {f"p{n}": Sample(value, NOW) for n, value in enumerate(use) if value is not None}
    found = calculator.of_utilization(current, 50, "cpu", "", all_pods, samples, Tolerance(), NOW)
    assert found.replicas == wanted


@pytest.mark.parametrize(
    ("kinds", "samples", "why"),
    [
        ("", {}, "no pods returned by selector while calculating replica count"),
        ("uu", {"p0": 1, "p1": 1}, "did not receive metrics for targeted pods (pods might be unready)"),
        ("rr", {"x": 1}, "no metrics returned matched known pods"),
    ],
)
def test_why_nothing_can_be_computed(kinds, samples, why):
    values = {name: Sample(value, NOW) for name, value in samples.items()}
    with pytest.raises(MetricsError) as failed:
        calculator.of_utilization(1, 50, "cpu", "", pods(*kinds), values, Tolerance(), NOW)
    assert str(failed.value) == why


@pytest.mark.parametrize(
    ("behavior", "current", "desired", "replicas", "reason"),
    [
        (None, 1, 100, 4, "ScaleUpLimit"),
        (None, 10, 100, 20, "ScaleUpLimit"),
        (None, 60, 200, 100, "TooManyReplicas"),
        (None, 10, 0, 1, "TooFewReplicas"),
        ({"scaleUp": UP, "scaleDown": DOWN}, 1, 100, 5, "ScaleUpLimit"),
        ({"scaleUp": UP, "scaleDown": DOWN}, 10, 100, 20, "ScaleUpLimit"),
        ({"scaleUp": {**UP, "selectPolicy": "Min"}, "scaleDown": DOWN}, 10, 100, 14, "ScaleUpLimit"),
        ({"scaleUp": {**UP, "selectPolicy": "Disabled"}, "scaleDown": DOWN}, 10, 100, 10, "ScaleUpLimit"),
        ({"scaleUp": UP, "scaleDown": {**DOWN, "selectPolicy": "Disabled"}}, 10, 2, 10, "ScaleDownLimit"),
        (
            {"scaleUp": UP, "scaleDown": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}},
            10,
            2,
            8,
            "ScaleDownLimit",
        ),
        (
            {"scaleUp": UP, "scaleDown": {"policies": [{"type": "Percent", "value": 33, "periodSeconds": 60}]}},
            10,
            2,
            6,
            "ScaleDownLimit",
        ),
    ],
)
def test_rates_and_the_range_limit_the_size(behavior, current, desired, replicas, reason):
    if behavior is not None:
        down = {**behavior["scaleDown"], "stabilizationWindowSeconds": 0}
        behavior = {**behavior, "scaleDown": down}
    found = normalize(behavior, Memory(), NOW, current=current, desired=desired, least=1, most=100)
    assert (found.replicas, found.limited[0]) == (replicas, reason)


def test_changes_within_the_period_count_against_the_rate():
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}, "scaleDown": DOWN}
    memory = limits.with_scaling(Memory(), behavior, NOW, 2, 5)
    found = normalize(behavior, memory, NOW + 30, current=5, desired=50, least=1, most=100)
    assert found.replicas == 6
    found = normalize(behavior, memory, NOW + 61, current=5, desired=50, least=1, most=100)
    assert found.replicas == 9


def test_windows_take_the_most_careful_recommendation():
    up = {**UP, "stabilizationWindowSeconds": 60}
    behavior = {"scaleUp": up, "scaleDown": {**DOWN, "stabilizationWindowSeconds": 120}}
    memory = Memory(recommended=((NOW - 90, 9), (NOW - 30, 6)))
    found = normalize(behavior, memory, NOW, current=5, desired=8, least=1, most=100)
    assert (found.replicas, found.held[0]) == (6, "ScaleUpStabilized")
    found = normalize(behavior, memory, NOW, current=9, desired=2, least=1, most=100)
    assert (found.replicas, found.held[0]) == (9, "ScaleDownStabilized")


BEHAVIOR = st.one_of(
    st.none(),
    st.builds(
        lambda up, down, first, second: {
            "scaleUp": {**UP, "stabilizationWindowSeconds": first, "selectPolicy": up},
            "scaleDown": {**DOWN, "stabilizationWindowSeconds": second, "selectPolicy": down},
        },
        st.sampled_from(["Max", "Min", "Disabled"]),
        st.sampled_from(["Max", "Min", "Disabled"]),
        st.sampled_from([0, 30]),
        st.sampled_from([0, 60]),
    ),
)


@settings(max_examples=60, deadline=None)
@given(BEHAVIOR, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 90)), min_size=1, max_size=8))
def test_the_size_stays_in_its_range_and_moves_towards_what_is_asked(behavior, asked):
    memory, current, now = Memory(), 10, NOW
    for desired, seconds in asked:
        now += seconds
        found = normalize(behavior, memory, now, current=current, desired=desired, least=2, most=40)
        assert 2 <= found.replicas <= 40 or found.replicas == current
        memory = limits.with_scaling(found.memory, behavior, now, current, found.replicas)
        assert found.is_limited == (found.limited != limits.IN_RANGE) or found.replicas == current
        current = found.replicas


def test_what_pods_use_is_what_their_annotations_say():
    measured = Measured(Annotated())
    said_pods = pods("r", "r", "p")
    said_pods[0]["metadata"]["annotations"] = {"sim.kctl.dev/cpu": "250m", "sim.kctl.dev/memory": "1Ki"}
    assert measured.knows(said_pods)
    assert measured.resource("cpu", "x", said_pods, "", NOW) == {"p0": Sample(250, NOW)}
    assert measured.resource("memory", "x", said_pods, "", NOW) == {"p0": Sample(1024 * 1000, NOW)}
    assert not measured.knows(said_pods[1:])
    with pytest.raises(MetricsError):
        measured.resource("cpu", "x", said_pods[1:], "", NOW)
    with pytest.raises(MetricsError):
        NoMetrics().external("q", "x", None, NOW)
