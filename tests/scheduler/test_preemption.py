from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.config import Profile
from kctl.scheduler.extension import Preemption
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import build, default_profile

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]


def preempt(cluster: Cluster, pod: Obj) -> Preemption:
    found = default_profile().schedule(cluster, PodInfo(pod)).preemption
    assert found is not None
    return found


def victims(found: Preemption) -> list[str]:
    return [victim.key.name for victim in found.victims]


def started(hour: int) -> Obj:
    return {"startTime": f"2026-01-01T{hour:02}:00:00Z"}


def test_only_as_many_as_needed_go_and_the_least_important_first(cluster: Clusters, node: Make, pod: Make) -> None:
    there = [pod("low", nodeName="a", cpu="2", priority=1), pod("mid", nodeName="a", cpu="2", priority=2)]
    found = preempt(cluster([node("a")], there), pod(cpu="2", priority=10))
    assert (found.node, victims(found)) == ("a", ["low"])


def test_the_longer_running_of_equals_stays(cluster: Clusters, node: Make, pod: Make) -> None:
    there = [pod("old", nodeName="a", cpu="2", status=started(1)), pod("new", nodeName="a", cpu="2", status=started(2))]
    assert victims(preempt(cluster([node("a")], there), pod(cpu="2", priority=10))) == ["new"]


def test_pods_of_equal_priority_stay(cluster: Clusters, node: Make, pod: Make) -> None:
    found = preempt(cluster([node("a")], [pod("o", nodeName="a", cpu="4", priority=10)]), pod(cpu="2", priority=10))
    assert found.node == ""
    assert "1 No preemption victims found for incoming pod" in found.message


CHOICES = [
    pytest.param([("x", 5, 1)], [("y", 3, 1)], "b", id="the lowest highest priority"),
    pytest.param([("x", 5, 1), ("z", 4, 1)], [("y", 5, 1)], "b", id="the lowest sum of priorities"),
    pytest.param([("x", 5, 1)], [("y", 5, 9)], "b", id="the latest start"),
    pytest.param([("x", 5, 1)], [("y", 5, 1)], "a", id="the first node"),
]


@pytest.mark.parametrize(("on_a", "on_b", "chosen"), CHOICES)
def test_the_cheapest_node_is_chosen(
    cluster: Clusters, node: Make, pod: Make, on_a: list[Any], on_b: list[Any], chosen: str
) -> None:
    there = []
    for where, pods in (("a", on_a), ("b", on_b)):
        cpu = f"{4000 // len(pods)}m"
        there += [pod(n, nodeName=where, cpu=cpu, priority=p, status=started(hour)) for n, p, hour in pods]
    assert preempt(cluster([node("a"), node("b")], there), pod(cpu="4", priority=10)).node == chosen


def test_a_node_whose_victims_no_budget_protects_is_better(cluster: Clusters, node: Make, pod: Make) -> None:
    there = [
        pod("x", nodeName="a", cpu="4", priority=1, labels={"app": "web"}),
        pod("y", nodeName="b", cpu="4", priority=5),
    ]
    budget = {
        "metadata": {"namespace": "default", "name": "pdb"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 0},
    }
    nodes = [node("a"), node("b")]
    wanted = pod(cpu="4", priority=10)
    assert preempt(cluster(nodes, there), wanted).node == "a"
    assert preempt(cluster(nodes, there, poddisruptionbudgets_policy=[budget]), wanted).node == "b"


def test_a_pod_waits_for_victims_on_their_way_out(cluster: Clusters, node: Make, pod: Make) -> None:
    target = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    leaving = pod(
        "o",
        nodeName="a",
        cpu="4",
        metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"},
        status={"conditions": [target]},
    )
    wanted = pod(cpu="4", priority=10, status={"nominatedNodeName": "a"})
    found = preempt(cluster([node("a")], [leaving]), wanted)
    assert found.message == "preemption: not eligible due to a terminating pod on the nominated node."
    assert not found.clears


def test_anti_affinity_to_a_victim_goes_with_it(cluster: Clusters, node: Make, pod: Make) -> None:
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
    lonely = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    there = [pod("web", nodeName="a", labels={"app": "web"}), pod("other", nodeName="a")]
    found = preempt(cluster([node("a")], there), pod(priority=10, affinity=lonely))
    assert victims(found) == ["web"]


@pytest.mark.parametrize("selector", [None, {}, {"matchLabels": {}, "matchExpressions": []}])
def test_a_budget_that_selects_nothing_protects_nobody(cluster: Clusters, node: Make, pod: Make, selector: Any) -> None:
    there = [pod("x", nodeName="a", cpu="4", labels={"app": "web"}), pod("y", nodeName="b", cpu="4", priority=1)]
    budget = {
        "metadata": {"namespace": "default", "name": "pdb"},
        "spec": {"selector": selector},
        "status": {"disruptionsAllowed": 0},
    }
    found = cluster([node("a"), node("b")], there, poddisruptionbudgets_policy=[budget])
    assert preempt(found, pod(cpu="4", priority=10)).node == "a"


def with_candidates(number: int) -> Any:
    return build(Profile(args={"DefaultPreemption": {"min_percent": 0, "min_absolute": number}}))


@pytest.mark.parametrize(("wanted", "chosen"), [(1, "a"), (3, "c"), (4, "d"), (5, "d")])
def test_so_many_nodes_are_tried_as_the_arguments_want(
    cluster: Clusters, node: Make, pod: Make, wanted: int, chosen: str
) -> None:
    there = [pod(n, nodeName=n, cpu="4", priority=9 - at) for at, n in enumerate("abcd")]
    found = cluster([node(n) for n in "abcd"], there)
    preemption = with_candidates(wanted).schedule(found, PodInfo(pod(cpu="4", priority=10))).preemption
    assert preemption.node == chosen


def test_nodes_that_violate_budgets_are_no_more_than_wanted_while_a_better_one_is_looked_for(
    cluster: Clusters, node: Make, pod: Make
) -> None:
    # The first is kept, the second violates too and is cheaper, but one was wanted; the last violates nothing.
    budget = {
        "metadata": {"namespace": "default", "name": "pdb"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 0},
    }
    web = {"app": "web"}
    there = [pod("x", nodeName="a", cpu="4", priority=5, labels=web), pod("y", nodeName="b", cpu="4", labels=web)]
    found = cluster([node("a"), node("b")], there, poddisruptionbudgets_policy=[budget])
    preemption = with_candidates(1).schedule(found, PodInfo(pod(cpu="4", priority=10))).preemption
    assert (preemption.node, list(preemption.candidates)) == ("a", ["a"])
