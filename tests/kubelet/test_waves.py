"""What many pods do at one instant leaves behind what each would have left behind alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.behaviour import ON_DEMAND, Pulling
from kctl.api.objects import Key, Obj
from kctl.client.local import LocalClient
from kctl.kubelet import pod as pods
from kctl.kubelet.agent import Kubelet
from kctl.kubelet.likeness import Lives
from kctl.kubelet.pod import Known, Step
from kctl.kubelet.pulls import NO_QUEUE, Queue, Request, Served, queued, serve, served
from kctl.runtime.profile import Profile
from tests.kubelet.test_likeness import SPECS
from tests.kubelet.world import World

PROFILES = [Profile(), Profile(image_pull=0.0), Profile(container_start=0.0)]


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every pod think for itself, and every status take the pipeline."""

    def advance(lives: Lives, pod: Obj, node: Obj | None, known: Known, now: float) -> Step:
        return pods.advance(pod, node, known, now, lives._profile)

    monkeypatch.setattr(Lives, "advance", advance)
    monkeypatch.setattr(LocalClient, "in_a_row", lambda client: client)
    monkeypatch.setattr(Kubelet, "place", lambda *_: None)


class Story:
    """What happens in a world: pods come in groups, some go, a ConfigMap comes."""

    def __init__(self, profile: Profile, *, frozen: bool, nodes: int, ranges: list[str]) -> None:
        self.world = World(profile, "none")
        self.world.server.storage._frozen = frozen
        self.nodes = [f"n{n}" for n in range(nodes)]
        for name in self.nodes:
            self.world.node(name)
        for number, cidr in enumerate(ranges):
            spec = {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {}
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"s{number}"}, "spec": spec}
            self.world.client.create("nodes", node)
            self.nodes.append(f"s{number}")

    def group(self, number: int, kind: str, count: int) -> None:
        client, name = self.world.client, f"g{number}"
        ref = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": True}
        template = {"apiVersion": "v1", "kind": "Pod", "spec": SPECS[kind]}
        common: Obj = {"namespace": "default", "ownerReferences": [ref]}
        made = client.create_many("pods", template, [{**common, "name": f"{kind}-{number}-{k}"} for k in range(count)])
        client.bind_many(
            [
                (Key("default", pod["metadata"]["name"]), pod["metadata"]["uid"], self._node(number + k))
                for k, pod in enumerate(made)
            ]
        )

    def _node(self, number: int) -> str:
        return self.nodes[number % len(self.nodes)]

    def claim(self, address: str) -> None:
        """Let somebody write an address to the first pod that may be of another node's range."""
        pod = self.world.pods()[0]
        status = {"podIP": address, "podIPs": [{"ip": address}]}
        self.world.client.patch(
            "pods", Key("default", pod["metadata"]["name"]), {"status": status}, subresource="status"
        )

    def delete(self, every: int) -> None:
        for pod in self.world.pods()[::every]:
            self.world.client.delete("pods", Key("default", pod["metadata"]["name"]))

    def image(self) -> str:
        """Return all that there is, as bytes."""
        storage = self.world.server.storage
        found = {
            resource: [storage.objects(resource)[key] for key in sorted(storage.objects(resource))]
            for resource in ("pods", "events", "nodes")
        }
        return json.dumps([storage.revision, found])


def told(story: Story, groups: list[tuple[str, int, int]], every: int, claimed: str) -> str:
    """Let it happen, and return what there is at the end."""
    world = story.world
    for number, (kind, count, pause) in enumerate(groups):
        story.group(number, kind, count)
        if claimed and not number:
            story.claim(claimed)
        if pause:
            world.until(world.now + pause)
    if every:
        story.delete(every)
        world.until(world.now + 1)
    world.configmap("wanted", {"a": "b"})
    world.settle()
    return story.image()


@given(
    st.lists(st.tuples(st.sampled_from(sorted(SPECS)), st.integers(1, 6), st.integers(0, 3)), min_size=1, max_size=4),
    st.sampled_from(PROFILES),
    st.integers(1, 3),
    st.lists(st.sampled_from(["", "10.244.0.0/24", "10.244.0.0/16", "10.244.9.0/24"]), max_size=3),
    st.integers(0, 3),
    st.sampled_from(["", "10.244.0.2", "10.244.1.2"]),
    st.booleans(),
)
@settings(max_examples=20, deadline=None)
def test_a_wave_leaves_behind_what_each_would_alone(
    groups: list[tuple[str, int, int]],
    profile: Profile,
    nodes: int,
    ranges: list[str],
    every: int,
    claimed: str,
    frozen: bool,
) -> None:
    together = told(Story(profile, frozen=frozen, nodes=nodes, ranges=ranges), groups, every, claimed)
    with pytest.MonkeyPatch.context() as monkeypatch:
        alone(monkeypatch)
        assert told(Story(profile, frozen=True, nodes=nodes, ranges=ranges), groups, every, claimed) == together


IMAGES = ("a:1", "b:1", "c:1")
PULLINGS = {"c:1": Pulling(5.0)}
REQUESTS = st.builds(
    Request,
    since=st.sampled_from([0.0, 1.0, 2.0]),
    bound=st.sampled_from([0.0, 1.0]),
    namespace=st.just("default"),
    pod=st.sampled_from(["p", "q", "r", "s"]),
    number=st.integers(0, 1),
    image=st.sampled_from(IMAGES),
    always=st.booleans(),
).map(lambda asked: asked._replace(pulling=PULLINGS.get(asked.image, ON_DEMAND)))


def queue_of(requests: list[Request]) -> Queue:
    queue = NO_QUEUE
    for asked in requests:
        queue = queued(queue, asked)
    return queue


@given(
    st.lists(st.tuples(REQUESTS, st.sampled_from(["p", "q"])), min_size=1, max_size=12),
    st.lists(REQUESTS, max_size=4, unique=True),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from(IMAGES), st.sampled_from([0.0, 1.0, 3.0, 4.0])),
)
@settings(max_examples=100, deadline=None)
def test_a_puller_that_remembers_answers_as_one_that_does_not(
    asked: list[tuple[Request, str]], others: list[Request], same: int, images: dict[str, float]
) -> None:
    puller = Served()
    more = [others[0]._replace(pod=f"z{n}") for n in range(same)] if others else []
    for queue in (queue_of(others), queue_of(more), NO_QUEUE):
        for like, name in asked:
            assert puller.serve(like, name, queue, images, 2.0) == serve(like._replace(pod=name), queue, images, 2.0)


@given(st.lists(REQUESTS, max_size=6, unique=True), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_a_queue_of_one_kind_says_so_whatever_came_and_went(requests: list[Request], order: Any) -> None:
    queue = queue_of(requests)
    assert queue == tuple(sorted(requests))
    gone = list(requests)
    order.shuffle(gone)
    while gone:
        queue = served(queue, gone.pop())
        kinds = {(one.since, one.image, one.always) for one in queue}
        is_plain = len(kinds) == 1 and all(one.pulling is ON_DEMAND for one in queue)
        assert queue.kind == (kinds.pop() if is_plain else None)
    assert queue == ()
