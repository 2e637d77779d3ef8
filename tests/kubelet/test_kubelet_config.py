"""Kubelets of a node group that are configured: what is reserved, when a node is short, how it shuts down."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api import quantity
from kctl.api.errors import FieldError
from kctl.api.kubeletconfig import allocatable_of, graces, notes_of, read, thresholds_of
from kctl.api.objects import Obj, condition
from kctl.plane import cluster as clusters
from tests.kubelet.world import World

CAPACITY = {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "100Gi", "pods": "110"}


@pytest.mark.parametrize(
    ("config", "left"),
    [
        (None, {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "100Gi"}),
        ({}, {"cpu": "4", "memory": "16284Mi", "ephemeral-storage": "96636764160"}),
        ({"evictionHard": {}}, {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "100Gi"}),
        ({"evictionHard": {"memory.available": "5%"}}, {"memory": "15938355Ki", "ephemeral-storage": "100Gi"}),
        (
            {"kubeReserved": {"cpu": "100m", "memory": "1Gi"}, "systemReserved": {"cpu": 1}, "evictionHard": {}},
            {"cpu": "2900m", "memory": "15Gi", "ephemeral-storage": "100Gi"},
        ),
        ({"systemReserved": {"cpu": "9"}, "evictionHard": {}}, {"cpu": "0"}),
    ],
)
def test_what_is_for_pods_is_the_rest(config: Obj | None, left: dict[str, str]) -> None:
    found = allocatable_of(CAPACITY, config)
    for resource, text in left.items():
        assert quantity.milli(found[resource]) == quantity.milli(text), (resource, found[resource])
    assert found["pods"] == "110"


@settings(max_examples=50)
@given(st.integers(0, 8000), st.integers(0, 8000), st.integers(0, 100))
def test_nothing_is_ever_less_than_nothing_nor_more_than_there_is(kube: int, system: int, share: int) -> None:
    config = {
        "kubeReserved": {"cpu": f"{kube}m"},
        "systemReserved": {"cpu": f"{system}m", "memory": f"{system}Mi"},
        "evictionHard": {"memory.available": f"{share}%"},
    }
    found = allocatable_of(CAPACITY, config)
    assert 0 <= quantity.milli(found["cpu"]) == max(4000 - kube - system, 0)
    assert 0 <= quantity.value(found["memory"]) <= 16 << 30


BAD = [
    (["x"], ""),
    ({"kubeReserve": {}}, ".kubeReserve"),
    ({"kubeReserved": 3}, ".kubeReserved"),
    ({"kubeReserved": {"gpu": 1}}, ".kubeReserved.gpu"),
    ({"systemReserved": {"cpu": "much"}}, ".systemReserved.cpu"),
    ({"systemReserved": {"cpu": "-1"}}, ".systemReserved.cpu"),
    ({"evictionHard": {"memory.available": "101%"}}, ".evictionHard.memory.available"),
    ({"evictionHard": {"pid.available": "10%"}}, ".evictionHard.pid.available"),
    ({"shutdownGracePeriod": "soon"}, ".shutdownGracePeriod"),
    ({"shutdownGracePeriod": "10s", "shutdownGracePeriodCriticalPods": "20s"}, ".shutdownGracePeriod"),
    ({"shutdownGracePeriodByPodPriority": [{"priority": "low"}]}, ".shutdownGracePeriodByPodPriority"),
    (
        {
            "shutdownGracePeriodByPodPriority": [{"priority": 1, "shutdownGracePeriodSeconds": 1}],
            "shutdownGracePeriod": "1s",
        },
        ".shutdownGracePeriodByPodPriority",
    ),
]


@pytest.mark.parametrize(("given_", "field"), BAD, ids=[f"{field}{n}" for n, (_, field) in enumerate(BAD)])
def test_a_mistake_is_named_by_its_field(given_: Any, field: str) -> None:
    errors: list[FieldError] = []
    read(given_, "kubelet", errors)
    assert f"kubelet{field}" in [error.field for error in errors]


def test_how_it_is_configured_stands_on_the_node() -> None:
    config = {"evictionHard": {"memory.available": "1Gi"}, "shutdownGracePeriod": "60s"}
    notes = notes_of(config)
    assert notes == {
        "sim.kctl.dev/eviction-hard": "memory.available=1Gi",
        "sim.kctl.dev/shutdown-grace": "0=60s,2000000000=0s",
    }
    assert thresholds_of({"metadata": {"annotations": notes}}) == {"memory": "1Gi"}
    assert thresholds_of({"metadata": {}}) == {}
    assert graces({}) == ""
    by_priority = [{"priority": 9, "shutdownGracePeriodSeconds": 5}, {"priority": 0, "shutdownGracePeriodSeconds": 7}]
    assert graces({"shutdownGracePeriodByPodPriority": by_priority}) == "0=7s,9=5s"


def test_a_node_is_short_of_memory_where_its_kubelet_says(world: World) -> None:
    world.node("n2", kubelet={"evictionHard": {"memory.available": "8Gi"}})
    for node in ("n1", "n2"):
        meta = {"name": node, "namespace": "default", "annotations": {"sim.kctl.dev/memory": "10Gi"}}
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "a"}]}
        world.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    world.settle()
    assert {pod["metadata"]["name"]: pod["status"]["phase"] for pod in world.pods()} == {
        "n1": "Running",
        "n2": "Failed",
    }
    assert "Threshold quantity: 8192Mi" in world.pod("n2")["status"]["message"]
    assert (condition(world.client.get("nodes", "", "n1"), "MemoryPressure") or {})["status"] == "False"


def shape(**kubelet: Any) -> clusters.Cluster:
    groups = [{"name": "a", "count": 2, "kubelet": kubelet}]
    return clusters.parse({"apiVersion": "kctl.dev/v1", "kind": "Cluster", "spec": {"nodeGroups": groups}})


def test_a_scenario_shuts_a_machine_down_as_its_kubelet_is_told() -> None:
    assert clusters.parse(clusters.manifest_of(shape(shutdownGracePeriod="30s"))) == shape(shutdownGracePeriod="30s")
    pod = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "a"}]}}
    for config, reason in (({"shutdownGracePeriod": "30s"}, "Terminated"), ({}, None)):
        with ControlPlane.for_cluster(None, shape(**config)) as plane:
            plane.run()
            plane.client.create("pods", {**pod, "spec": {**pod["spec"], "nodeName": "a-1"}})
            plane.run()
            events = [{"at": "5s", "node": "a-1", "do": "shutdown"}]
            body = {"apiVersion": "sim.kctl.dev/v1", "kind": "Scenario", "metadata": {"name": "off"}, "events": events}
            plane.client.create("scenarios.sim.kctl.dev", body)
            plane.run(within=60)
            assert plane.client.get("pods", "default", "p")["status"].get("reason") == reason
            assert "sim.kctl.dev/silent-since" in plane.client.get("nodes", "", "a-1")["metadata"]["annotations"]
