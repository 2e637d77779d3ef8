"""What stands behind Services is kept up to date: single changes lead where a look at everything would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj, key_of
from kctl.client.cache import Caches
from kctl.client.client import WatchEvent
from kctl.controllers import endpoints, endpointslice
from kctl.controllers.behind import pods_of
from kctl.controllers.endpoints import EndpointsController
from kctl.controllers.endpointslice import EndpointSliceController
from kctl.runtime.actions import Action, Create, Delete, Update

KEY = Key("default", "web")
SLICES = endpointslice.SLICES
ZONED = {"topology.kubernetes.io/zone": "z"}
PORTS = [{"name": "a", "port": 1, "targetPort": "named"}, {"name": "b", "port": 2}]


class Small:
    """Caches that are told by hand, and the two controllers."""

    def __init__(self) -> None:
        self.caches = Caches(lambda _: None)
        self.slices, self.lists = EndpointSliceController(), EndpointsController()
        for controller in (self.slices, self.lists):
            controller.prepare(self.caches)
        self.revision = 0

    def put(self, resource: str, obj: Obj) -> None:
        self.revision += 1
        meta = {"uid": f"uid-{self.revision}", **obj["metadata"], "resourceVersion": str(self.revision)}
        self.caches[resource].deliver(WatchEvent("MODIFIED", resource, {**obj, "metadata": meta}, None))

    def take(self, resource: str, key: Key) -> None:
        old = self.caches[resource].get(key)
        if old is not None:
            self.caches[resource].deliver(WatchEvent("DELETED", resource, old, old))

    def do(self, action: Action) -> None:
        if isinstance(action, Delete):
            self.take(action.resource, action.key)
        elif isinstance(action, Create | Update):
            self.put(action.resource, action.obj)

    def look(self) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        """Return what the controllers would do, once a look at everything was found to lead to the same."""
        caches, service = self.caches, self.caches["services"].get(KEY)
        actions = []
        for controller, fresh in ((self.slices, self.fresh_slices), (self.lists, self.fresh_lists)):
            seen: Any = controller.observe(caches, KEY)
            done = controller.decide(seen, 0.0).actions if seen is not None else ()
            if service is not None:
                assert done == fresh(service)
            actions.append(done)
        return actions[0], actions[1]

    def fresh_slices(self, service: Obj) -> tuple[Action, ...]:
        nodes = {node["metadata"]["name"]: node["metadata"]["labels"].get(*ZONED, "") for node in self.caches["nodes"]}
        pods = pods_of(self.caches, "default", service["spec"]["selector"])
        slices = tuple(endpointslice.slices_index(self.caches).get(KEY))
        return endpointslice.decide(endpointslice.Seen(service, pods, nodes, slices)).actions

    def fresh_lists(self, service: Obj) -> tuple[Action, ...]:
        pods = pods_of(self.caches, "default", service["spec"]["selector"])
        there = self.caches[endpoints.ENDPOINTS].get(KEY)
        return endpoints.decide(endpoints.Seen(KEY, service, endpoints.listed(service, pods), there)).actions


def service(published: bool, has_ports: bool, tier: str) -> Obj:
    spec = {"clusterIP": "None", "selector": {"app": "web"}, "publishNotReadyAddresses": published}
    meta = {"name": "web", "namespace": "default", "uid": "svc", "labels": {"tier": tier}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {**spec, **({"ports": PORTS} if has_ports else {})},
    }


def pod(n: int, state: str, label: str, node: str, named: int) -> Obj:
    meta: Obj = {"name": f"p{n}", "namespace": "default", "labels": {"app": label}}
    if state == "going":
        meta["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    containers = [{"name": "c", "ports": [{"name": "named", "containerPort": named}] if named else []}]
    status: Obj = {"phase": "Failed" if state == "failed" else "Running"}
    if state != "fresh":
        is_ready = "True" if state in ("ready", "going") else "False"
        since = f"2026-01-01T00:00:{n:02}Z"
        status["conditions"] = [{"type": "Ready", "status": is_ready, "lastTransitionTime": since}]
        status["podIP"] = f"10.0.0.{n * 7 % 13}"
    return {"metadata": meta, "spec": {"nodeName": node, "containers": containers}, "status": status}


NUMBER = st.integers(0, 9)
POD = st.tuples(
    st.just("pod"),
    NUMBER,
    st.sampled_from(["ready", "ready", "waiting", "going", "failed", "fresh"]),
    st.sampled_from(["web", "web", "web", "other"]),
    st.sampled_from(["n0", "n1", "n9"]),
    st.sampled_from([80, 80, 80, 81, 0]),
)
STEPS = st.one_of(
    POD,
    POD,
    st.tuples(st.just("no pod"), NUMBER),
    st.tuples(st.just("again"), NUMBER),
    st.tuples(st.just("service"), st.booleans(), st.booleans(), st.sampled_from(["a", "b"])),
    st.tuples(st.just("service"), st.just(False), st.just(True), st.sampled_from(["a", "b"])),
    st.tuples(st.just("no service")),
    st.tuples(st.just("node"), st.integers(0, 1), st.sampled_from(["", "z", "y"])),
    st.tuples(st.just("no node"), st.integers(0, 1)),
    st.tuples(st.just("meddle"), NUMBER),
    st.tuples(st.just("copy"), NUMBER),
)
THEN = st.sampled_from(["", "look", "act", "act", "act"])
"""What follows a step: nothing yet, a look of which all writes are refused, one that is carried out."""


def carry_on(small: Small, step: tuple[Any, ...]) -> None:
    kind, *values = step
    caches = small.caches
    if kind == "pod":
        old = caches["pods"].get(Key("default", f"p{values[0]}"))
        made = pod(*values)
        if old is not None:
            made["metadata"]["uid"] = old["metadata"]["uid"]
        small.put("pods", made)
    elif kind == "no pod":
        small.take("pods", Key("default", f"p{values[0]}"))
    elif kind == "again":
        key = Key("default", f"p{values[0]}")
        old = caches["pods"].get(key)
        small.take("pods", key)
        if old is not None:
            meta = {name: value for name, value in old["metadata"].items() if name != "uid"}
            small.put("pods", {**old, "metadata": meta})
    elif kind == "service":
        made, old = service(*values), caches["services"].get(KEY)
        if old is not None and old["spec"] == made["spec"]:
            made["spec"] = old["spec"]  # as when labels alone change
        small.put("services", made)
    elif kind == "no service":
        small.take("services", KEY)
    elif kind == "node":
        labels = {next(iter(ZONED)): values[1]} if values[1] else {}
        small.put("nodes", {"metadata": {"name": f"n{values[0]}", "labels": labels}})
    elif kind == "no node":
        small.take("nodes", Key("", f"n{values[0]}"))
    else:
        meddle(small, values[0], is_copy=kind == "copy")


def look(small: Small, then: str) -> None:
    for actions in small.look() if then else ():
        for action in actions if then == "act" else ():
            small.do(action)


def meddle(small: Small, n: int, *, is_copy: bool) -> None:
    """Take an endpoint out of a slice, or put it into another slice too; take an address out of the lists."""
    found = sorted(small.caches[SLICES], key=key_of)
    if found:
        one, other = found[n % len(found)], found[(n + 1) % len(found)]
        points = [*one["endpoints"], *other["endpoints"][:1]] if is_copy else one["endpoints"][1:]
        small.put(SLICES, {**one, "endpoints": points})
    for there in small.caches[endpoints.ENDPOINTS].all():
        subsets = [{**subset, "addresses": subset.get("addresses", [])[1:]} for subset in there.get("subsets") or ()]
        small.put(endpoints.ENDPOINTS, {**there, "subsets": subsets})


@given(
    first=st.lists(st.tuples(POD, THEN), min_size=4, max_size=8),
    published=st.booleans(),
    steps=st.lists(st.tuples(STEPS, THEN), min_size=5, max_size=20),
    has_room=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_changes_one_by_one_lead_where_a_look_at_everything_does(
    first: list[Any], published: bool, steps: list[Any], has_room: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kctl.controllers.endpointslice_placement.MAX_ENDPOINTS", 3)
        patch.setattr("kctl.controllers.endpoints_subsets.MAX_ADDRESSES", 1000 if has_room else 4)
        small = Small()
        for n in range(2):
            carry_on(small, ("node", n, "z"))
        carry_on(small, ("service", published, True, "a"))
        for step, then in [*first, *steps]:
            carry_on(small, step)
            look(small, then)
        look(small, "look")


def count_of(number: int, count: Callable[[Small], int]) -> int:
    """Let pods become ready one after the other and return what was counted."""
    small = Small()
    carry_on(small, ("node", 0, "z"))
    carry_on(small, ("service", False, True, "a"))
    total = 0
    for n in range(number):
        one = pod(n, "ready", "web", "n0", 80)
        one["status"]["podIP"] = f"10.0.{n // 250}.{n % 250}"
        small.put("pods", one)
        look(small, "act")
        total = count(small)
    return total


COUNTS: dict[str, Callable[[Small], int]] = {
    "pods of which an endpoint is made": lambda small: small.slices.behind.looked_at,
    "pods of which an address is made": lambda small: small.lists.behind.looked_at,
    "endpoints in slices": lambda small: small.slices._placements[KEY].looked_into,
    "addresses gone through": lambda small: small.lists._lists[KEY].looked_at,
}


@pytest.mark.parametrize("name", COUNTS)
def test_twice_the_pods_are_twice_the_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kctl.controllers.endpointslice_placement.MAX_ENDPOINTS", 10)
    count = COUNTS[name]
    one, two = count_of(100, count), count_of(200, count)
    assert two <= 2.1 * one
    assert two <= 200 * 10
