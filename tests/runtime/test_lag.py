"""Stale caches: decisions made on old facts collide with their own results and do no harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.objects import Key, Obj, controller_uid
from kctl.client.client import WatchEvent
from kctl.controllers.pods import is_active
from tests.runtime.lag import SeededLag

D, RS = "deployments.apps", "replicasets.apps"
WEB = Key("default", "web")
LEASES = "leases.coordination.k8s.io"

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("replicas"), st.integers(0, 7)),
        st.tuples(st.just("kill"), st.integers(0, 6)),
    ),
    max_size=4,
)


def deployment() -> Obj:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "app:0"}]}}
    spec = {"replicas": 4, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": WEB._asdict(), "spec": spec}


def service() -> Obj:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": WEB._asdict(), "spec": spec}


def change(cp: ControlPlane, what: str, value: Any) -> None:
    if what == "kill":
        pods = cp.client.list("pods").items
        if pods:
            cp.client.delete("pods", Key("default", pods[value % len(pods)]["metadata"]["name"]))
        return
    body = {"replicas": value} if what == "replicas" else {"template": {"spec": {"containers": [container(value)]}}}
    cp.client.patch(D, WEB, {"spec": body})


def container(image: int) -> Obj:
    return {"name": "c", "image": f"app:{image}"}


def outcome(cp: ControlPlane) -> Any:
    """Return what does not depend on how things came about: sizes by template, pods, endpoints."""
    sets = {rs["metadata"]["name"]: rs["spec"]["replicas"] for rs in cp.client.list(RS).items}
    names = {rs["metadata"]["uid"]: rs["metadata"]["name"] for rs in cp.client.list(RS).items}
    pods = sorted((names[controller_uid(pod)], pod["status"]["phase"]) for pod in cp.client.list("pods").items)
    slices = cp.client.list("endpointslices.discovery.k8s.io").items
    endpoints = sum(len(found["endpoints"] or ()) for found in slices if "web" in found["metadata"]["name"])
    status = {
        k: v for k, v in cp.client.get(D, *WEB)["status"].items() if k not in ("conditions", "observedGeneration")
    }
    return sets, pods, endpoints, status


def play(changes: list[tuple[str, Any]], lag: SeededLag | None) -> Any:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.use_mark(False)
        manager = cp.converger.manager
        manager.lag = lag
        witness = Witness(cp)
        cp.client.create(D, deployment())
        cp.client.create("services", service())
        run(cp, witness)
        for what, value in changes:
            change(cp, what, value)
            run(cp, witness)
        manager.lag = None
        cp.run()
        assert [event for event in cp.converger.trace if event.resource != LEASES] == [], "not at rest"
        return outcome(cp)


def run(cp: ControlPlane, witness: Witness) -> None:
    end = cp.run()
    assert end.end == "Quiet", end
    assert not cp.converger.manager.crashes, cp.converger.manager.crashes[0].trace
    witness.check()


class Witness:
    """Sees every change at once: no ReplicaSet ever has more pods than were asked of it in the same run."""

    def __init__(self, cp: ControlPlane) -> None:
        self._watches = [cp.client.watch(resource, revision=cp.revision) for resource in (RS, "pods")]
        self._sets: dict[str, int] = {}
        self._pods: dict[str, Obj] = {}

    def check(self) -> None:
        sizes, pods = (list(watch.events()) for watch in self._watches)
        asked = dict(self._sets)
        for event in sizes:
            uid, size = event.object["metadata"]["uid"], event.object["spec"]["replicas"]
            asked[uid] = max(asked.get(uid, 0), size)
            self._sets[uid] = size
        for event in pods:
            uid, owner = event.object["metadata"]["uid"], controller_uid(event.object)
            if event.type == "DELETED":
                del self._pods[uid]
            else:
                self._pods[uid] = event.object
            active = sum(is_active(pod) and controller_uid(pod) == owner for pod in self._pods.values())
            assert active <= asked[owner], "a ReplicaSet has more pods than were asked for"


QUICK = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(changes=CHANGES, seed=st.integers(0, 1 << 30), most=st.integers(1, 12))
def test_lagging_caches_come_to_the_same_end(changes, seed, most):
    assert play(changes, SeededLag(seed, most)) == play(changes, None)


@pytest.mark.slow
@settings(QUICK, max_examples=400)
@given(changes=CHANGES, seed=st.integers(0, 1 << 30), most=st.integers(1, 30))
def test_caches_that_lag_in_many_ways_come_to_the_same_end(changes, seed, most):
    assert play(changes, SeededLag(seed, most)) == play(changes, None)


def test_the_lag_keeps_the_order_and_loses_nothing():
    lag = SeededLag(1, 3)
    sent = [WatchEvent("ADDED", "pods", {"metadata": {"name": str(n)}}, None) for n in range(40)]
    seen = []
    behind = set()
    for n, event in enumerate(sent, 1):
        seen += lag.pass_on("pods", iter([event]), idle=False)
        behind.add(n - len(seen))
    assert behind == {0, 1, 2, 3}
    while more := list(lag.pass_on("pods", iter(()), idle=True)):
        seen += more
    assert seen == sent
    assert lag.longest == 3
