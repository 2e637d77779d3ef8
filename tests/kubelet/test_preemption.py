"""Critical pods that a kubelet makes room for, and who makes way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj, condition
from kctl.kubelet.preemption import verdict, victims
from tests.kubelet.world import World

CRITICAL = 2_000_001_000


def pod(name: str, cpu: str = "0", memory: str = "0", *, qos: str = "Burstable", priority: int = 0, **more: Any) -> Obj:
    status = {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "qosClass": qos}
    asks = {"requests": {"cpu": cpu, "memory": memory}}
    spec = {"nodeName": "n1", "priority": priority, "containers": [{"name": "c", "image": "a", "resources": asks}]}
    return {"metadata": {"name": name, "uid": name, **more}, "spec": spec, "status": status}


def new(cpu: str, *, priority: int = CRITICAL, **spec: Any) -> Obj:
    made = pod("new", cpu, priority=priority)
    return {**made, "spec": {**made["spec"], **spec}, "status": {"phase": "Pending", "qosClass": "Burstable"}}


NODE = {
    "metadata": {"name": "n1", "labels": {}},
    "status": {"allocatable": {"cpu": "2", "memory": "4Gi", "pods": "5"}},
}
CASES = [
    # what else is on the node, what the critical pod asks for, who goes
    ([pod("a", "1"), pod("b", "500m")], "1", ["b"]),
    ([pod("a", "1"), pod("b", "500m")], "1500m", ["a"]),
    ([pod("a", "1"), pod("b", "1")], "1500m", ["a", "b"]),
    ([pod("a", "1", qos="Guaranteed"), pod("b", "1")], "1", ["b"]),
    ([pod("a", "1", priority=CRITICAL), pod("b", "1")], "1", ["b"]),
    ([pod("a", "1", "2Gi"), pod("b", "1", "1Gi")], "1", ["b"]),
    ([pod(name, qos="BestEffort") for name in "abcde"], "1", ["a"]),
]


@pytest.mark.parametrize(("others", "cpu", "going"), CASES)
def test_as_few_and_cheap_pods_go_as_will_do(others: list[Obj], cpu: str, going: list[str]) -> None:
    refused, found = verdict(new(cpu), NODE, others)
    assert refused is None
    assert [one["metadata"]["name"] for one in found] == going


def test_a_pod_that_is_not_critical_preempts_nobody() -> None:
    refused, found = verdict(new("2", priority=1000), NODE, [pod("a", "1")])
    assert (refused or ("",))[0] == "OutOfcpu"
    assert found == ()


def test_nobody_goes_for_a_pod_that_fits_no_node_like_this() -> None:
    refused, found = verdict(new("2", nodeSelector={"x": "y"}), NODE, [pod("a", "1")])
    assert (refused or ("",))[0] == "NodeAffinity"
    assert found == ()


def test_what_no_preemption_frees_is_said() -> None:
    refused, found = verdict(new("3"), NODE, [pod("a", "1"), pod("b", "500m", priority=CRITICAL)])
    assert found == ()
    assert refused == (
        "UnexpectedAdmissionError",
        "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods "
        "to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 1500), ]",
    )


def test_critical_pods_come_under_pressure_others_do_not() -> None:
    pressed = {"conditions": [{"type": "DiskPressure", "status": "True"}]}
    node = {**NODE, "status": {**NODE["status"], **pressed}}
    assert verdict(new("1"), node, []) == (None, ())
    assert verdict(new("1", priority=0), node, [])[0] == ("Evicted", "The node had condition: [DiskPressure]. ")


def test_pods_that_make_way_fail_and_the_critical_one_runs(world: World) -> None:
    for name, cpu in (("a", "3"), ("b", "500m")):
        made = pod(name, cpu, namespace="default")
        world.create({"apiVersion": "v1", "kind": "Pod", **made, "spec": {**made["spec"], "priority": None}})
    world.settle()
    container = {"name": "c", "image": "a", "resources": {"requests": {"cpu": "2"}}}
    static = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "critical"}, "spec": {"containers": [container]}}
    world.client.patch("instances.cloud.kctl.dev", Key("", "n1"), {"spec": {"staticPods": [static]}})
    world.settle()
    phases = {one["metadata"]["name"]: one["status"]["phase"] for one in world.pods()}
    assert phases == {"a": "Failed", "b": "Running", "critical-n1": "Running"}
    assert world.pod("a")["status"]["reason"] == "Preempting"
    target = condition(world.pod("a"), "DisruptionTarget") or {}
    assert target["reason"] == "TerminationByKubelet"
    assert ("Preempting", "Preempted in order to admit critical pod") in world.events("a")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(("BestEffort", "Burstable", "Guaranteed"))), max_size=6),
    st.integers(1, 8),
)
def test_those_who_go_free_enough_and_none_of_them_in_vain(sizes: list[tuple[int, str]], need: int) -> None:
    others = [pod(str(n), str(0 if qos == "BestEffort" else size), qos=qos) for n, (size, qos) in enumerate(sizes)]
    asked = {
        one["metadata"]["name"]: int(one["spec"]["containers"][0]["resources"]["requests"]["cpu"]) for one in others
    }
    going, left = victims(new(str(need)), {"cpu": need * 1000}, others)
    freed = sum(asked[one["metadata"]["name"]] for one in going)
    if left:
        assert going == []
        assert left == {"cpu": (need - sum(asked.values())) * 1000}
    else:
        assert freed >= need
        best = [one for one in others if one["status"]["qosClass"] == "BestEffort"]
        assert not any(one in best for one in going)
