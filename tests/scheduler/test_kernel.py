"""The kernel decides as the plugins do, on random clusters, and what it keeps is what a recount finds."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kctl.scheduler.cluster import Journal
from kctl.scheduler.kernel import Kernel
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from tests.scheduler.equality import ARRAYS, Twins, compare

Obj = dict[str, Any]


@pytest.mark.parametrize("block", range(6))
def test_every_decision_equals_the_plain_one(block: int) -> None:
    seen = sum((compare(seed) for seed in range(block * 50, block * 50 + 50)), start=compare(900 + block))
    assert seen["fast"] > 1000  # or nothing was compared
    assert seen["failed"] > 300
    assert seen["preempted"] > 10


@pytest.mark.parametrize("block", range(2))
def test_every_decision_with_arrays_equals_the_plain_one(block: int) -> None:
    pytest.importorskip("numpy", reason="NumPy is not installed")
    seen = sum((compare(seed, **ARRAYS) for seed in range(block * 50 + 300, block * 50 + 350)), start=compare(950))
    assert seen["fast"] > 1000


def test_the_scheduler_is_imported_without_numpy() -> None:
    code = "import sys, kctl.scheduler.kernel; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("seed", range(4))
def test_kinds_and_counters_are_what_a_recount_finds(seed: int) -> None:
    twins = Twins(seed + 5000)
    for _ in range(20):
        twins.step()
        twins.disturb()
        places: dict[Any, dict[str, int]] = {}
        for pod in twins.fast.pods.values():
            of = places.setdefault(pod.traits.kinds[pod.terminating], {})
            of[pod.node_name] = of.get(pod.node_name, 0) + 1
        assert {kind: kind.places for kind in twins.fast.kinds.all} == places
        for kind in places:
            for watcher, weight in kind.watchers.items():
                assert weight == watcher.weigh(kind)
        for counter in twins.kernel.counters(twins.fast):
            counts: dict[Any, int] = {}
            for kind, nodes in places.items():
                for name, count in nodes.items():
                    node = twins.fast.node(name)
                    if kind in counter.watching(twins.fast.kinds) and node is not None and node.place >= 0:
                        value = counter.values[node.place]
                        if value is not None:
                            counts[value] = counts.get(value, 0) + count * counter.weigh(kind)
            assert counter.counts == {value: count for value, count in counts.items() if count}


def test_a_pod_that_fits_nowhere_is_left_to_the_plain_way(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node("a")])
    kernel = Kernel(default_profile())
    for name in "pq":
        assert kernel.schedule(world, PodInfo(pod(name, cpu="100"))) is None


def test_pods_are_decided_about_in_turn_until_one_fits_nowhere(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node("a"), node("b")])
    pods = [PodInfo(pod(f"p{n}", cpu="3")) for n in range(4)]
    assert Kernel(default_profile()).schedule_many(world, pods) == ["a", "b"]
    assert sorted(world.pods) == [pods[0].key, pods[1].key]


def test_a_journal_that_dropped_lines_says_so() -> None:
    journal = Journal()
    journal.lines += range(Journal.LIMIT + 1)
    journal.trim()
    assert journal.since(0) is None
    assert journal.since(journal.end - 1) == [Journal.LIMIT]


def test_a_decision_is_explained_as_it_was_made_after_the_cluster_moved_on(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node("a"), node("b"), node("c", unschedulable=True)])
    framework = default_profile()
    kernel = Kernel(framework)
    first = PodInfo(pod("first", cpu="1", memory="1Gi"))
    plain = framework.schedule(world, first)
    placed = kernel.schedule(world, first)
    assert placed is not None
    world.place(first, placed.node)
    kernel.schedule_many(world, [PodInfo(pod(f"p{n}", cpu="500m")) for n in range(6)])
    world.remove_pod(first.key)
    found = placed.recall()
    assert found is not None
    assert found._replace(pod=first) == plain
    world.put_node(node("d"))
    assert placed.recall() is None  # what is left of then does not tell any more


def test_pods_of_one_template_share_their_traits(cluster: Any, pod: Any) -> None:
    templates = cluster([]).templates
    spec = pod("x", cpu="1")["spec"]
    mounted = {**spec, "volumes": [{"name": "token-1", "projected": {}}], "nodeName": "n"}
    one, two, three = ({**pod(name), "spec": how} for name, how in (("a", spec), ("b", spec), ("c", mounted)))
    assert templates.traits(one) is templates.traits(two) is templates.traits(three)
    claimed = {**spec, "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}
    assert templates.traits({**one, "spec": claimed}) is not templates.traits(one)


def test_a_node_that_reports_itself_unchanged_moves_nothing(cluster: Any, node: Any) -> None:
    world = cluster([node("a")])
    epoch = world.epoch
    world.put_node({**node("a"), "metadata": {**node("a")["metadata"], "resourceVersion": "7"}})
    assert world.epoch == epoch
    world.put_node(node("a", labels={"x": "y"}))
    assert world.epoch > epoch


def test_ties_go_by_the_profiles_draw(cluster: Any, node: Any, pod: Any) -> None:
    from kctl.scheduler.config import Configuration
    from kctl.scheduler.profile import frameworks

    names = [f"n{n}" for n in range(12)]
    found = set()
    for seed in range(8):
        (framework,) = frameworks(Configuration(), seed).values()
        world = cluster([node(name) for name in names])
        subject = PodInfo(pod("p", cpu="1"))
        placed = Kernel(framework).schedule(world, subject)
        assert placed is not None
        assert placed.node == framework.schedule(world, subject).node
        found.add(placed.node)
    assert len(found) > 3


def test_a_pod_that_gets_the_node_kept_for_it_gives_its_nomination_up(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node("a"), node("b")])
    kept = PodInfo(pod("kept", cpu="3", priority=10, status={"nominatedNodeName": "b"}))
    world.nominate(kept, "b")
    kernel = Kernel(default_profile())
    others = [PodInfo(pod(f"p{n}", cpu="2")) for n in range(3)]
    assert kernel.schedule_many(world, others[:2]) == ["a"]  # one at a time while somebody is nominated
    assert kernel.schedule_many(world, others[1:2]) == ["a"]
    assert kernel.schedule_many(world, others[2:]) == []  # what is left of b is kept
    assert kernel.schedule_many(world, [kept]) == ["b"]
    assert not world.nominated


def test_pods_of_a_stateful_set_share_what_is_known_of_their_class(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node(f"n{n}") for n in range(4)])
    kernel = Kernel(default_profile())
    pods = [PodInfo(pod(f"db-{n}", cpu="1", labels={"app": "db", "pod": f"db-{n}"})) for n in range(8)]
    assert len(kernel.schedule_many(world, pods)) == 8
    assert len({id(state) for state in kernel.states()}) == 1
