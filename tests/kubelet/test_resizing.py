"""Resizing pods in place: carried out, deferred until there is room, or never feasible."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.api.objects import Obj, condition
from kctl.kubelet.allocation import allocated
from kctl.kubelet.resizing import waits, words
from tests.kubelet.world import World


def a_pod(name: str, cpu: str, memory: str = "64Mi", **container: Any) -> Obj:
    asked = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "a", **asked, **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def resize(world: World, name: str, cpu: str, memory: str = "64Mi") -> None:
    pod = world.pod(name)
    (container,) = pod["spec"]["containers"]
    larger = {**container, "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    world.client.update("pods", {**pod, "spec": {**pod["spec"], "containers": [larger]}}, subresource="resize")
    world.settle()


def has(world: World, name: str) -> str:
    status = world.pod(name)["status"]["containerStatuses"][0]
    assert status["allocatedResources"] == status["resources"]["requests"]
    return str(status["resources"]["requests"]["cpu"])


def pending(world: World, name: str) -> Obj:
    return condition(world.pod(name), "PodResizePending") or {}


def reasons(world: World, name: str) -> list[str]:
    return [reason for reason, _ in world.events(name) if reason.startswith("Resize")]


def test_a_resize_that_fits_is_carried_out_at_once_and_told(world: World) -> None:
    world.create(a_pod("p", "1"))
    world.settle()
    resize(world, "p", "2")
    assert (has(world, "p"), pending(world, "p")) == ("2", {})
    assert reasons(world, "p") == ["ResizeStarted", "ResizeCompleted"]
    _, message = world.events("p")[-1]
    lead, _, said = message.partition(": ")
    assert lead == "Pod resize completed"
    resources = {"requests": {"cpu": "2", "memory": "64Mi"}}
    assert json.loads(said) == {"containers": [{"name": "c", "resources": resources}], "generation": 2}
    assert world.undecided() == []


def test_what_no_such_node_has_is_infeasible(world: World) -> None:
    world.create(a_pod("p", "1"))
    world.settle()
    resize(world, "p", "64")
    found = pending(world, "p")
    assert (found["status"], found["reason"], found["observedGeneration"]) == ("True", "Infeasible", 2)
    assert found["message"] == "Node didn't have enough capacity: cpu, requested: 64000, capacity: 4000"
    assert has(world, "p") == "1"
    assert world.pod("p")["status"]["observedGeneration"] == 2
    assert reasons(world, "p") == ["ResizeInfeasible"]
    assert world.undecided() == []
    resize(world, "p", "2")
    assert (has(world, "p"), pending(world, "p")) == ("2", {})


def test_what_others_take_is_deferred_until_they_let_go(world: World) -> None:
    world.create(a_pod("p", "1"))
    world.create(a_pod("q", "2"))
    world.settle()
    resize(world, "p", "3")
    found = pending(world, "p")
    assert found["reason"] == "Deferred"
    assert found["message"] == "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000"
    assert (has(world, "p"), world.undecided()) == ("1", [])
    world.delete("q")
    world.settle()
    assert (has(world, "p"), pending(world, "p")) == ("3", {})
    assert reasons(world, "p") == ["ResizeDeferred", "ResizeStarted", "ResizeCompleted"]
    assert world.undecided() == []


def test_a_pod_that_waits_takes_no_more_room_than_it_has(world: World) -> None:
    world.create(a_pod("p", "1"))
    world.create(a_pod("q", "2"))
    world.settle()
    resize(world, "p", "3")
    world.create(a_pod("late", "1"))
    world.settle()
    assert world.pod("late")["status"]["phase"] == "Running"


def test_a_container_that_is_run_again_meanwhile_keeps_what_it_has(world: World) -> None:
    made = a_pod("p", "1")
    made["metadata"]["annotations"] = {"sim.kctl.dev/run": "2m", "sim.kctl.dev/exit-times": "1"}
    world.create(made)
    world.settle(within=30)
    resize(world, "p", "64")
    status = world.pod("p")["status"]["containerStatuses"][0]
    assert (status["restartCount"], has(world, "p")) == (1, "1")


@pytest.mark.parametrize(
    ("memory", "cpu", "said"),
    [("32Gi", "1", "memory, requested: 34359738368, capacity: 17179869184"), ("1Gi", "1", "")],
)
def test_memory_is_looked_at_before_cpu(world: World, memory: str, cpu: str, said: str) -> None:
    world.create(a_pod("p", "1"))
    world.settle()
    pod = world.pod("p")
    (container,) = pod["spec"]["containers"]
    larger = {**container, "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    found = waits({**pod, "spec": {**pod["spec"], "containers": [larger]}}, world.client.get("nodes", "", "n1"), [pod])
    assert (found or ("", ""))[1].removeprefix("Node didn't have enough capacity: ") == said


def test_a_pod_that_nobody_resized_is_as_it_is_written(world: World) -> None:
    world.create(a_pod("p", "1"))
    world.settle()
    pod = world.pod("p")
    assert allocated(pod) is pod


def test_what_is_said_has_init_containers_before_the_others() -> None:
    limits = {"memory": "1Gi", "cpu": "1"}
    spec = {"initContainers": [{"name": "i"}], "containers": [{"name": "c", "resources": {"limits": limits}}]}
    message = words({"metadata": {"generation": 3}, "spec": spec}, "Deferred", "why")
    assert message == (
        'Pod resize Deferred: {"initContainers":[{"name":"i","resources":{}}],"containers":[{"name":"c","resources":'
        '{"limits":{"cpu":"1","memory":"1Gi"}}}],"generation":3,"error":"why"}'
    )
