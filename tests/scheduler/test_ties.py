"""Which of the best nodes is taken: the first, or what a seed draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.scheduler import ties
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.config import Profile
from kctl.scheduler.kernel import Kernel
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import build

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]
NODES = tuple(f"n{n}" for n in range(5))


def test_seed_zero_takes_the_first() -> None:
    assert {ties.seeded(0)(f"uid-{n}", NODES) for n in range(50)} == {"n0"}


def test_a_seed_draws_every_node_about_as_often() -> None:
    drawn = Counter(ties.seeded(7)(f"uid-{n}", NODES) for n in range(5000))
    assert set(drawn) == set(NODES)
    # 1000 each expected; five standard deviations are 141.
    assert all(abs(count - 1000) < 141 for count in drawn.values())


def test_seeds_draw_differently() -> None:
    drawn = {seed: tuple(ties.seeded(seed)(f"uid-{n}", NODES) for n in range(20)) for seed in range(1, 20)}
    assert len(set(drawn.values())) == len(drawn)


@given(st.integers(1, 2**31), st.text(max_size=8), st.lists(st.text(max_size=4), min_size=1, max_size=6, unique=True))
@settings(max_examples=60, deadline=None)
def test_a_draw_is_of_the_best_and_does_not_depend_on_their_order(seed: int, uid: str, best: list[str]) -> None:
    pick = ties.seeded(seed)
    assert pick(uid, best) in best
    assert pick(uid, best) == pick(uid, best[::-1])


def owned(pod: Make, name: str) -> Obj:
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
    return pod(name, cpu="100m", labels={"app": "web"}, metadata={"ownerReferences": [owner]})


def test_the_kernel_draws_as_the_plain_way(cluster: Clusters, node: Make, pod: Make) -> None:
    sets = [
        {
            "metadata": {"name": "web", "namespace": "default", "uid": "u"},
            "spec": {"replicas": 40, "selector": {"matchLabels": {"app": "web"}}},
        }
    ]
    nodes = [node(name, labels={"topology.kubernetes.io/zone": f"z{n % 2}"}) for n, name in enumerate(NODES)]
    for seed in range(1, 6):
        framework = build(Profile(), ties.seeded(seed))
        kernel = Kernel(framework)
        found = cluster(nodes, (), replicasets_apps=sets)
        fast = 0
        for n in range(40):
            info = PodInfo(owned(pod, f"p{n}"))
            plain = framework.schedule(found, info)
            placed = kernel.schedule(found, info)
            if placed is not None:
                fast += 1
                assert placed.node == plain.node
                assert placed.recall().node == plain.node
            found.place(info, plain.node)
        assert fast > 30


def test_preemption_draws_among_nodes_that_cost_the_same(cluster: Clusters, node: Make, pod: Make) -> None:
    victims = [pod(f"v{name}", nodeName=name, cpu="4", status={"startTime": "2026-01-01T00:00:00Z"}) for name in NODES]
    found = cluster([node(name) for name in NODES], victims)
    preemptor = PodInfo(pod(cpu="4", priority=10))
    drawn = set()
    for seed in range(30):
        preemption = build(Profile(), ties.seeded(seed)).schedule(found, preemptor).preemption
        assert preemption is not None
        drawn.add(preemption.node)
    assert drawn == set(NODES)
