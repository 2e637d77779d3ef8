"""Pods whose containers all begin anew because one of them ended with a certain code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.objects import Obj, condition
from tests.kubelet.world import World

RULES = [{"action": "RestartAllContainers", "exitCodes": {"operator": "In", "values": [88]}}]


def a_pod(policy: str = "Never", *, rules: Any = RULES, **says: str) -> Obj:
    """Return a pod with an init container, a sidecar that watches, and one that works; keywords: what they do."""
    notes = {f"sim.kctl.dev/{name.replace('__', '.').replace('_', '-')}": text for name, text in says.items()}
    watcher = {"name": "watcher", "image": "w", "restartPolicy": "Always", "restartPolicyRules": rules}
    spec = {
        "nodeName": "n1",
        "restartPolicy": policy,
        "initContainers": [{"name": "setup", "image": "s"}, watcher],
        "containers": [{"name": "main", "image": "m"}],
    }
    meta = {"name": "p", "namespace": "default", "annotations": notes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def counts(world: World) -> dict[str, int]:
    status = world.pod()["status"]
    return {
        one["name"]: one["restartCount"] for one in (*status["initContainerStatuses"], *status["containerStatuses"])
    }


def restarting(world: World) -> Obj:
    return condition(world.pod(), "AllContainersRestarting") or {}


ONCE = {"run__watcher": "10s", "exit_code__watcher": "88", "exit_times__watcher": "1", "run__main": "1m"}


def test_all_containers_begin_anew_and_the_sandbox_stays(world: World) -> None:
    world.create(a_pod(**ONCE))
    world.until(12)
    address = world.pod()["status"]["podIP"]
    assert restarting(world)["status"] == "False"
    phases, conditions, ended = [], [], []
    for second in range(13, 30):
        world.until(second)
        phases.append(world.pod()["status"]["phase"])
        conditions.append(restarting(world)["status"])
        main = world.pod()["status"]["containerStatuses"][0]
        ended.append((main["lastState"].get("terminated") or {}).get("exitCode"))
    assert conditions.count("True") == 1
    assert phases[conditions.index("True")] == "Running"
    assert "Pending" in phases[conditions.index("True") :]
    assert phases[-1] == "Running"
    assert ended[-1] == 137
    assert counts(world) == {"setup": 1, "watcher": 1, "main": 1}
    assert world.pod()["status"]["podIP"] == address
    world.settle()
    assert world.pod()["status"]["phase"] == "Succeeded"
    assert restarting(world)["reason"] == "PodCompleted"
    assert world.undecided() == []


def test_what_is_said_meanwhile_is_kubelets(world: World) -> None:
    world.create(a_pod(**ONCE))
    for second in range(5, 30):
        world.until(second)
        if restarting(world).get("status") == "True":
            break
    found = restarting(world)
    assert found["reason"] == "RestartAllContainersStarted"
    assert found["message"] == "container exited with restart policy rule"
    assert "observedGeneration" not in found
    assert ("Killing", "Stopping container main") in world.events()


def test_other_codes_restart_the_container_alone(world: World) -> None:
    world.create(a_pod(**{**ONCE, "exit_code__watcher": "1"}))
    world.settle()
    assert counts(world) == {"setup": 0, "watcher": 1, "main": 0}


def test_a_pod_without_such_a_rule_has_no_such_condition(world: World) -> None:
    world.create(a_pod(rules=[{"action": "Restart", "exitCodes": {"operator": "In", "values": [88]}}], **ONCE))
    world.settle()
    assert restarting(world) == {}


def test_one_that_begins_anew_for_ever_comes_to_rest_as_a_loop(world: World) -> None:
    world.create(a_pod("Always", run__watcher="10s", exit_code__watcher="88"))
    assert world.settle().end == "Quiet"
    assert counts(world)["main"] >= 3
    assert world.undecided() == []
    before = counts(world)["main"]
    world.settle(pass_time=60)
    assert counts(world)["main"] > before


@pytest.mark.parametrize("cut", [13, 14, 15])
def test_a_restarted_kubelet_goes_on_where_the_other_was(world: World, cut: int) -> None:
    world.create(a_pod(**ONCE))
    world.until(cut)
    world.restart()
    world.settle()
    assert counts(world) == {"setup": 1, "watcher": 1, "main": 1}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["0s", "3s", "10s"]),
    st.sampled_from(["88", "1", "0"]),
    st.sampled_from(["1", "2", "9"]),
    st.sampled_from(["Always", "OnFailure", "Never"]),
    st.integers(0, 30),
)
def test_whatever_restarts_settles_and_is_then_at_rest(
    make_world: Any, run: str, code: str, times: str, policy: str, cut: int
) -> None:
    world = make_world()
    world.node("n1")
    says = {"run__watcher": run, "exit_code__watcher": code, "exit_times__watcher": times}
    world.create(a_pod(policy, **says))
    world.until(cut)
    world.restart()
    assert world.settle().end == "Quiet"
    assert world.undecided() == []
    assert restarting(world)["status"] == "False"
