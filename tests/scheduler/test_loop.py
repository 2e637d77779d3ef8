"""The scheduler as a control loop, against the real API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kctl.api.clock import EPOCH, FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.api.registry import builtin
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.runtime.manager import Manager
from kctl.scheduler.explain import explain
from kctl.scheduler.loop import SchedulerLoop
from kctl.store.memory import MemoryStore

Obj = dict[str, Any]
Make = Callable[..., Obj]


class World:
    """An API server and a manager that drives the scheduler alone."""

    def __init__(self) -> None:
        self.clock = FixedClock(EPOCH)
        admission = {"disable": ["ServiceAccount", "TaintNodesByCondition", "NamespaceLifecycle", "Priority"]}
        server = APIServer(MemoryStore(), clock=self.clock, registry=builtin(), admission=admission)
        self.client = LocalClient(server, user="system:kube-scheduler", field_manager="kube-scheduler")
        self.manager = Manager(self.client)
        self.loop = SchedulerLoop(self.client, self.manager.caches)
        self.manager.add(self.loop)

    def create(self, obj: Obj) -> Obj:
        resource = {"Node": "nodes", "Pod": "pods"}[obj["kind"]]
        meta = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "creationTimestamp")}
        return self.client.create(resource, {**obj, "metadata": meta})

    def settle(self) -> None:
        """Run until nothing is left to do at this instant."""
        self.manager.begin_instant(self.clock.now())
        while self.manager.step(self.clock.now(), 100):
            pass

    def pod(self, name: str = "p") -> Obj:
        return self.client.get("pods", "default", name)

    def node_of(self, name: str = "p") -> str | None:
        found: str | None = self.pod(name)["spec"].get("nodeName")
        return found

    def message(self, name: str = "p") -> str:
        return next(c["message"] for c in self.pod(name)["status"]["conditions"] if c["type"] == "PodScheduled")

    def events(self, reason: str) -> list[Obj]:
        return [e for e in self.client.list("events").items if e["reason"] == reason]


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.manager.stop()


def test_a_pod_is_bound_and_the_event_says_where(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(cpu="1"))
    world.settle()
    assert world.node_of() == "a"
    assert [e["message"] for e in world.events("Scheduled")] == ["Successfully assigned default/p to a"]


def test_a_pod_that_does_not_fit_is_told_once_and_comes_to_rest(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(cpu="9"))
    world.settle()
    version = world.pod()["metadata"]["resourceVersion"]
    assert world.message().startswith("0/1 nodes are available: 1 Insufficient cpu.")
    assert len(world.events("FailedScheduling")) == 1
    assert not world.loop.has_work()
    assert world.loop.next_wake(periodic=True) is None
    world.settle()
    assert world.pod()["metadata"]["resourceVersion"] == version
    assert world.loop.tried == {Key("default", "p"): 1}


def test_a_restarted_scheduler_that_finds_the_same_writes_nothing(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(cpu="9"))
    world.settle()
    revision = world.client.list("pods").revision
    again = Manager(world.client)
    again.add(SchedulerLoop(world.client, again.caches))
    while again.step(world.clock.now(), 100):
        pass
    assert world.client.list("pods").revision == revision


def test_room_that_appears_is_used(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod("first", cpu="3"))
    world.settle()
    world.create(pod(cpu="3"))
    world.settle()
    assert world.node_of() is None
    world.client.delete("pods", Key("default", "first"), grace=0)
    world.settle()
    assert world.node_of() == "a"


def test_an_event_that_cannot_help_causes_no_attempt(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(cpu="9"))
    world.settle()
    world.client.patch("nodes", Key("", "a"), {"metadata": {"annotations": {"x": "y"}}})
    world.create(node("b"))  # too small as well
    world.settle()
    assert world.loop.tried == {Key("default", "p"): 1}


def test_a_pod_waits_for_the_first_node(world: World, node: Make, pod: Make) -> None:
    world.create(pod())
    world.settle()
    assert world.message() == "no nodes available to schedule pods"
    world.create(node("a"))
    world.settle()
    assert world.node_of() == "a"


def test_a_gated_pod_is_scheduled_once_its_gates_are_gone(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(schedulingGates=[{"name": "example.com/hold"}]))
    world.settle()
    assert (world.node_of(), world.loop.tried) == (None, {})
    assert world.message() == "Scheduling is blocked due to non-empty scheduling gates"
    world.client.patch("pods", Key("default", "p"), {"spec": {"schedulingGates": []}})
    world.settle()
    assert world.node_of() == "a"


def test_another_schedulers_pods_are_left_alone(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(schedulerName="other"))
    world.settle()
    assert world.node_of() is None
    assert world.loop.decision(Key("default", "p")) is None


def test_a_preemptor_gets_the_room_of_its_victim(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod("low", cpu="3", priority=0))
    world.settle()
    world.create(pod(cpu="3", priority=10))
    world.settle()
    low = world.pod("low")
    assert low["metadata"]["deletionTimestamp"]
    target = next(c for c in low["status"]["conditions"] if c["type"] == "DisruptionTarget")
    assert target["reason"] == "PreemptionByScheduler"
    assert world.pod()["status"]["nominatedNodeName"] == "a"
    assert world.message() == "0/1 nodes are available: 1 Insufficient cpu."
    world.client.delete("pods", Key("default", "low"), grace=0)
    world.settle()
    assert world.node_of() == "a"
    assert "nominatedNodeName" not in world.pod()["status"]


def test_many_pods_fill_the_nodes_evenly_and_the_rest_is_refused(world: World, node: Make, pod: Make) -> None:
    for name in ("a", "b"):
        world.create(node(name))
    for n in range(10):
        world.create(pod(f"p{n}", cpu="1"))
    world.settle()
    where = [world.node_of(f"p{n}") for n in range(10)]
    assert (where.count("a"), where.count("b"), where.count(None)) == (4, 4, 2)


class Refusing:
    """A client whose bindings fail a number of times."""

    def __init__(self, client: Any, failures: int) -> None:
        self._client = client
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def bind(self, key: Key, uid: str, where: str) -> None:
        if self.failures:
            self.failures -= 1
            raise StatusError(503, "ServiceUnavailable", "not now")
        self._client.bind(key, uid, where)

    def bind_many(self, bindings: Any) -> None:
        raise StatusError(503, "ServiceUnavailable", "not now")


def test_a_binding_that_fails_is_tried_again_after_its_backoff(world: World, node: Make, pod: Make) -> None:
    world.loop._client = Refusing(world.client, failures=2)
    world.create(node("a"))
    world.create(pod(cpu="1"))
    world.settle()
    assert world.node_of() is None
    waits = []
    while (at := world.loop.next_wake(periodic=False)) is not None:
        waits.append(at - world.clock.now())
        world.clock.set(at)
        world.settle()
    assert waits == [1, 2]
    assert world.node_of() == "a"
    assert len(world.events("Scheduled")) == 1


def test_the_last_decision_is_explained(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(node("b", unschedulable=True))
    world.create(node("c"))
    world.create(pod(cpu="1"))
    world.settle()
    found = world.loop.decision(Key("default", "p"))
    assert found is not None
    assert (found["node"], found["best"], found["nominated"], found["victims"]) == ("a", ["a", "c"], None, [])
    assert found["nodes"]["b"] == {
        "plugin": "NodeUnschedulable",
        "reason": "node(s) were unschedulable",
        "scores": {},
        "total": None,
    }
    assert found["nodes"]["a"]["total"] == sum(found["nodes"]["a"]["scores"].values())
    # Decided anew, the bound pod does not stand in its own way.
    assert explain(world.manager.caches, world.pod()) == found


def test_a_deleted_pods_decision_is_forgotten(world: World, node: Make, pod: Make) -> None:
    world.create(node("a"))
    world.create(pod(cpu="9"))
    world.settle()
    world.client.delete("pods", Key("default", "p"), grace=0)
    world.settle()
    assert (world.loop.decision(Key("default", "p")), world.loop.tried) == (None, {})
