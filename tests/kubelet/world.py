"""A small cluster: an API server in memory, kubelets, virtual time; no scheduler."""

from __future__ import annotations

from kctl import cloud, kubelet
from kctl.api.clock import EPOCH, FixedClock
from kctl.api.objects import Key, Obj
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.controllers.nodelifecycle import NodeLifecycleController
from kctl.runtime.converge import Outcome, Timeline, converge
from kctl.runtime.loop import ControllerLoop
from kctl.runtime.manager import Manager
from kctl.runtime.profile import Profile
from kctl.store.memory import MemoryStore

RESOURCES = ("pods", "nodes", "services", "instances.cloud.kctl.dev")


class World:
    """The cluster of one test. Times are seconds since its start."""

    def __init__(self, profile: Profile, provider: str) -> None:
        self.clock = FixedClock()
        self.server = APIServer(MemoryStore(), clock=self.clock, frozen=True)
        self.client = LocalClient(self.server, user="admin", field_manager="test")
        self.profile = profile
        self.provider = provider
        self.client.create("serviceaccounts", _object("v1", "ServiceAccount", "default"))
        self.configmap("kube-root-ca.crt", {"ca.crt": ""})
        self.manager = self.restart()

    def restart(self) -> Manager:
        """Start all controllers anew, with empty memory."""
        self.manager = Manager(self.client)
        others = [] if self.provider == "none" else [NodeLifecycleController()]
        kubelets = (*kubelet.build(self.profile), kubelet.static_pods())
        for controller in (*kubelets, *cloud.build(self.provider, self.profile), *others):
            client = LocalClient(self.server, user=controller.user, field_manager=controller.name)
            self.manager.add(ControllerLoop(controller, client, self.manager.caches))
        return self.manager

    @property
    def now(self) -> float:
        return self.clock.now() - EPOCH

    def settle(self, *, within: float = 3600, pass_time: float | None = None) -> Outcome:
        """Run to convergence; with ``pass_time`` let that much time go by."""
        start = self.clock.now()
        return converge(
            self.manager,
            Timeline(self.clock.now, self.clock.set),
            deadline=start + within,
            commit=self.server.commit,
            periodic_until=None if pass_time is None else start + pass_time,
        )

    def until(self, seconds: float) -> None:
        """Run up to an instant, what is due at it included."""
        self.settle(pass_time=EPOCH + seconds - self.clock.now())

    def node(self, name: str = "n1", **spec: object) -> None:
        """Add a machine; its node comes when the cluster runs."""
        instance = {
            "apiVersion": "cloud.kctl.dev/v1",
            "kind": "Instance",
            "metadata": {"name": name},
            "spec": {"nodeName": name, "provider": self.provider, "cpu": "4", "memory": "16Gi", "pods": 110, **spec},
        }
        self.client.create("instances.cloud.kctl.dev", instance)
        self.settle(within=0)

    def undecided(self) -> list[tuple[str, Key, object]]:
        """Return what some controller would do now about any object, queued or not."""
        left = []
        for loop in self.manager.loops:
            assert isinstance(loop, ControllerLoop)
            keys = {
                Key(o["metadata"].get("namespace", ""), o["metadata"]["name"]) for r in RESOURCES for o in self.list(r)
            }
            for key in sorted(keys):
                seen = loop.controller.observe(self.manager.caches, key)
                if seen is not None and (actions := loop.controller.decide(seen, self.clock.now()).actions):
                    left.append((loop.name, key, actions))
        return left

    def list(self, resource: str) -> list[Obj]:
        return self.client.list(resource).items

    def configmap(self, name: str, data: dict[str, str]) -> None:
        self.client.create("configmaps", _object("v1", "ConfigMap", name) | {"data": data})

    def create(self, pod: Obj) -> Obj:
        return self.client.create("pods", pod)

    def pod(self, name: str = "p") -> Obj:
        return self.client.get("pods", "default", name)

    def pods(self) -> list[Obj]:
        return self.client.list("pods", "default").items

    def delete(self, name: str = "p", grace: int | None = None) -> None:
        self.client.delete("pods", Key("default", name), grace=grace)

    def events(self, name: str = "p") -> list[tuple[str, str]]:
        found = [e for e in self.client.list("events").items if e["involvedObject"]["name"] == name]
        return [(e["reason"], e["message"]) for e in sorted(found, key=lambda e: int(e["metadata"]["resourceVersion"]))]


def _object(api_version: str, kind: str, name: str) -> Obj:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "default"}}
