"""A small world for controllers: an API server in memory, their loops, a kubelet moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.api.clock import EPOCH, FixedClock, rfc3339
from kctl.api.objects import Key, Obj
from kctl.api.registry import builtin
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.controllers import ALL, build
from kctl.controllers.pods import is_ready
from kctl.runtime.actions import Emit
from kctl.runtime.controller import Controller
from kctl.runtime.loop import ControllerLoop
from kctl.runtime.manager import Manager
from kctl.store.memory import MemoryStore


class World:
    """Controllers over a real API server; time and pods move only when told to."""

    def __init__(self, names: tuple[str, ...] = ALL, *, upside_down: bool = False) -> None:
        self.clock = FixedClock(EPOCH)
        self.server = APIServer(MemoryStore(), clock=self.clock, registry=builtin(), frozen=True)
        self.client = LocalClient(self.server)
        self.manager = Manager(self.client)
        self.controllers: list[Controller] = build(names)
        for controller in self.controllers:
            if upside_down:
                controller.level = -controller.level  # type: ignore[misc]
            client = LocalClient(self.server, user=controller.user, field_manager="kube-controller-manager")
            self.manager.add(ControllerLoop(controller, client, self.manager.caches))
        self.settle()

    @property
    def caches(self) -> Any:
        return self.manager.caches

    def settle(self) -> None:
        """Run the loops at this instant, with the retries that come within a second."""
        for _ in range(200):
            now = self.clock.now()
            self.manager.begin_instant(now)
            while self.manager.step(now, 2000):
                pass
            assert not self.manager.crashes, self.manager.crashes[0].trace
            assert self.manager.livelock is None, self.manager.livelock
            following = self.manager.next_wake(periodic=False)
            if following is None or following > now + 0.5:
                return
            self.clock.set(following)
        raise AssertionError("the world does not settle")

    def pass_time(self, seconds: float) -> None:
        """Let virtual time pass, waking timers on the way."""
        end = self.clock.now() + seconds
        while True:
            following = self.manager.next_wake(periodic=True)
            if following is None or following > end:
                break
            self.clock.set(following)
            self.settle()
        self.clock.set(end)
        self.settle()

    def create(self, obj: Obj) -> Obj:
        kind = builtin().by_kind(obj["apiVersion"], obj["kind"])
        assert kind is not None
        return self.client.create(kind.resource, obj)

    def get(self, resource: str, name: str, namespace: str = "default") -> Obj:
        return self.client.get(resource, namespace, name)

    def names(self, resource: str, namespace: str = "default") -> list[str]:
        return [obj["metadata"]["name"] for obj in self.client.list(resource, namespace).items]

    def pods(self, namespace: str = "default") -> list[Obj]:
        return list(self.client.list("pods", namespace).items)

    def run(self, pod: Obj, *, ready: bool = True, node: str = "n1") -> None:
        """Bind the pod and say that its containers run."""
        meta = pod["metadata"]
        key = Key(meta["namespace"], meta["name"])
        if self.caches["nodes"].get(Key("", node)) is None:
            self.node(node)
            self.manager.pump()
        if not pod["spec"].get("nodeName"):
            self.client.bind(key, meta["uid"], node)
        at, number = rfc3339(self.clock.now()), int(meta["resourceVersion"]) % 60000
        address = f"10.1.{number // 250}.{number % 250 + 1}"
        condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": at}
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [condition]}
        self.client.patch("pods", key, {"status": status}, subresource="status")

    def node(self, name: str) -> None:
        """Create a node whose kubelet is heard of."""
        conditions = [{"type": "Ready", "status": "True"}]
        self.create(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"conditions": conditions}}
        )

    def run_all(self) -> None:
        """Start what can be started and end what is being deleted, until nothing is left to do."""
        for _ in range(100):
            self.settle()
            todo = [pod for pod in self.pods() if pod["metadata"].get("deletionTimestamp")]
            fresh = [pod for pod in self.pods() if not is_ready(pod) and pod not in todo]
            if not todo and not fresh:
                return
            for pod in todo:
                self.client.delete("pods", Key(pod["metadata"]["namespace"], pod["metadata"]["name"]), grace=0)
            for pod in fresh:
                self.run(pod)
        raise AssertionError("pods keep coming")

    def decisions(self) -> list[tuple[str, Key, Any]]:
        """Return every action some controller would still take; a settled world has none.

        What is said once is not said again.
        """
        found = []
        for controller in self.controllers:
            for key in self.keys_of(controller):
                seen = controller.observe(self.caches, key)
                if seen is not None:
                    decision = controller.decide(seen, self.clock.now())
                    found += [(controller.name, key, action) for action in decision.actions if not is_said_once(action)]
        return found

    def keys_of(self, controller: Controller) -> list[Key]:
        """Return every key that any object that exists would wake."""
        keys: dict[Key, None] = {}
        for watch in controller.watches:
            for obj in self.caches[watch.resource].all():
                keys.update(dict.fromkeys(watch.keys(None, obj, self.caches)))
        return list(keys)


def is_said_once(action: Any) -> bool:
    return isinstance(action, Emit) and action.once


@pytest.fixture
def make_world() -> Callable[..., World]:
    """Return the maker of worlds."""
    return World


@pytest.fixture
def world() -> World:
    """Return a world with every controller."""
    return World()


def template(labels: dict[str, str], image: str = "app:1") -> Obj:
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}


@pytest.fixture
def deployment() -> Callable[..., Obj]:
    """Return the maker of Deployments."""

    def make(name: str = "web", replicas: int = 3, image: str = "app:1", **spec: Any) -> Obj:
        labels = {"app": name}
        body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels, image), **spec}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": "default"},
            "spec": body,
        }

    return make


@pytest.fixture
def replicaset() -> Callable[..., Obj]:
    """Return the maker of ReplicaSets."""

    def make(name: str = "web", replicas: int = 3, **spec: Any) -> Obj:
        labels = {"app": name}
        body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels), **spec}
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name, "namespace": "default"},
            "spec": body,
        }

    return make
