"""Machines that are told to go off, and what their kubelets make of it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.behaviour import CRITICAL, Annotated, graces_of, graces_text
from kctl.api.objects import Key, Obj, condition, is_condition_true
from kctl.kubelet.shutdown import group_of, turn_of
from kctl.runtime.profile import Profile
from tests.kubelet.world import World

SINCE = "2026-01-01T00:01:00Z"
AT = 1767225660.0


def pod(name: str, priority: int = 0, *, stop: str = "5s", grace: int = 30, **status: Any) -> Obj:
    container = {"name": "c", "image": "a", "resources": {}}
    running = {"name": "c", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {}}
    status = {"phase": "Running", "startTime": SINCE, "containerStatuses": [running], **status}
    meta = {"name": name, "namespace": "default", "uid": name, "annotations": {"sim.kctl.dev/stop": stop}}
    spec = {"nodeName": "n1", "priority": priority, "terminationGracePeriodSeconds": grace, "containers": [container]}
    return {"metadata": meta, "spec": spec, "status": status}


def node(graces: str) -> Obj:
    notes = {"sim.kctl.dev/shutdown": graces, "sim.kctl.dev/shutting-down-since": SINCE}
    return {"metadata": {"name": "n1", "annotations": notes}}


ENDED = {
    "phase": "Failed",
    "reason": "Terminated",
    "containerStatuses": [{"name": "c", "state": {"terminated": {"finishedAt": "2026-01-01T00:01:12Z"}}}],
}


@pytest.mark.parametrize(
    ("graces", "mine", "others", "turn"),
    [
        ("40s", pod("a"), [], (0, 30)),
        ("20s", pod("a"), [], (0, 20)),
        ("40s", pod("a", grace=10), [], (0, 10)),
        ("40s/10s", pod("a", CRITICAL), [], (0, 10)),
        ("40s/10s", pod("a", CRITICAL), [pod("b")], (5, 10)),
        ("40s/10s", pod("a", CRITICAL), [pod("b"), pod("c", stop="12s")], (12, 10)),
        ("40s/10s", pod("a", CRITICAL), [pod("b", stop="never", grace=60)], (30, 10)),
        ("40s/10s", pod("a", CRITICAL), [pod("b", **ENDED)], (12, 10)),
        ("40s/10s", pod("a", CRITICAL), [pod("b", phase="Succeeded")], (0, 10)),
        ("0=20s,100=20s,1000=20s", pod("a", 1000), [pod("b"), pod("c", 500)], (10, 20)),
        ("0=20s,100=20s,1000=20s", pod("a", 1000), [pod("c", 500, stop="25s")], (20, 20)),
    ],
)
def test_a_pod_has_its_turn_when_those_of_lower_priority_have_ended(
    graces: str, mine: Obj, others: list[Obj], turn: tuple[float, float]
) -> None:
    found = turn_of(mine, node(graces), [mine, *others], Annotated(), Profile())
    assert found is not None
    assert (found.at - AT, found.grace) == turn


@pytest.mark.parametrize(("priority", "group"), [(-5, 0), (0, 0), (99, 0), (100, 1), (101, 1), (9999, 2)])
def test_a_pod_is_of_the_highest_group_whose_priority_it_has(priority: int, group: int) -> None:
    assert group_of(pod("a", priority), ((0, 1.0), (100, 1.0), (1000, 1.0))) == group


@pytest.mark.parametrize("text", ["60s", "60s/20s", "0=40s,1000=20s", "1000=20s, 0=40s"])
def test_graces_are_written_as_they_are_read(text: str) -> None:
    assert graces_of(graces_text(graces_of(text))) == graces_of(text)


@pytest.mark.parametrize("text", ["", "soon", "10s/20s", "0=1s,0=2s", "low=1s", "-5s"])
def test_what_is_no_grace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        graces_of(text)


def say(world: World, **notes: str | None) -> None:
    found = {f"sim.kctl.dev/{name}": text for name, text in notes.items()}
    world.client.patch("nodes", Key("", "n1"), {"metadata": {"annotations": found}})


def run_two(world: World) -> None:
    for made in (pod("low", stop="5s"), pod("high", CRITICAL, stop="5s")):
        spec = {name: value for name, value in made["spec"].items() if name != "priority"}
        if made["spec"]["priority"]:
            spec["priorityClassName"] = "system-node-critical"
        meta = {name: made["metadata"][name] for name in ("name", "namespace", "annotations")}
        world.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    world.settle()


def events_of_node(world: World) -> list[str]:
    return [event["reason"] for event in world.list("events") if event["involvedObject"]["kind"] == "Node"]


@pytest.fixture
def priorities(world: World) -> World:
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "system-node-critical"}}
    if all(
        one["metadata"]["name"] != "system-node-critical" for one in world.list("priorityclasses.scheduling.k8s.io")
    ):
        world.client.create("priorityclasses.scheduling.k8s.io", {**body, "value": 2_000_001_000})
    return world


def test_pods_end_by_priority_then_the_machine_is_off(priorities: World) -> None:
    world = priorities
    run_two(world)
    say(world, shutdown="40s/10s")
    start = world.now
    world.settle(within=0)
    found = world.client.get("nodes", "", "n1")
    ready = condition(found, "Ready") or {}
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "KubeletNotReady", "node is shutting down")
    assert "NodeShutdown" in events_of_node(world)
    world.settle(within=6)
    assert world.pod("low")["status"]["phase"] == "Failed"
    assert world.pod("high")["status"]["phase"] == "Running"
    world.settle()
    for name, second in (("low", 5), ("high", 10)):
        status = world.pod(name)["status"]
        assert (status["phase"], status["reason"]) == ("Failed", "Terminated")
        assert status["message"] == "Pod was terminated in response to imminent node shutdown."
        target = condition(world.pod(name), "DisruptionTarget") or {}
        assert (target["status"], target["reason"]) == ("True", "TerminationByKubelet")
        ended = status["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
        assert ended == f"2026-01-01T00:00:{start + second:02.0f}Z"
    silent = world.client.get("nodes", "", "n1")["metadata"]["annotations"]["sim.kctl.dev/silent-since"]
    assert silent == f"2026-01-01T00:00:{start + 10:02.0f}Z dead"
    assert world.undecided() == []


def test_a_pod_that_comes_meanwhile_is_not_taken(world: World) -> None:
    world.create({"apiVersion": "v1", "kind": "Pod", **pod("stays", stop="20s"), "status": {}})
    world.settle()
    say(world, shutdown="30s")
    world.settle(within=2)
    late = pod("late")
    world.create({"apiVersion": "v1", "kind": "Pod", **late, "status": {}})
    world.settle(within=1)
    status = world.pod("late")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "NodeShutdown")
    assert status["message"] == "Pod was rejected: Pod was rejected as the node is shutting down."


def test_a_shutdown_that_is_called_off_leaves_a_ready_node(world: World) -> None:
    world.create({"apiVersion": "v1", "kind": "Pod", **pod("p", stop="20s"), "status": {}})
    world.settle()
    say(world, shutdown="30s")
    world.settle(within=2)
    say(world, shutdown=None)
    world.settle()
    found = world.client.get("nodes", "", "n1")
    assert is_condition_true(found, "Ready")
    assert "sim.kctl.dev/shutting-down-since" not in found["metadata"]["annotations"]
    assert world.pod("p")["status"]["phase"] == "Running"
    assert world.undecided() == []


def test_static_pods_run_again_after_the_machine_was_off(world: World) -> None:
    static = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "etcd"}}
    static |= {"spec": {"containers": [{"name": "c", "image": "a"}]}}
    world.client.patch("instances.cloud.kctl.dev", Key("", "n1"), {"spec": {"staticPods": [static]}})
    world.settle()
    say(world, shutdown="30s")
    world.settle()
    assert world.pod("etcd-n1")["status"]["reason"] == "Terminated"
    say(world, shutdown=None, boot="again")
    world.settle()
    status = world.pod("etcd-n1")["status"]
    assert status["phase"] == "Running"
    assert "reason" not in status
    assert world.undecided() == []
