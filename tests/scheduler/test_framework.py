from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import No, Refused
from kctl.scheduler.framework import fit_error
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]


def decide(cluster: Cluster, pod: Obj) -> Any:
    framework = default_profile()
    info = PodInfo(pod)
    return framework.gated(info, cluster) or framework.schedule(cluster, info)


def test_counts_are_sorted_as_text(cluster: Clusters, node: Make) -> None:
    nodes = cluster([node(f"n{n:02}") for n in range(13)]).order()
    refusals = {info.name: No("A", ("zz",) if n < 10 else ("aa", "bb")) for n, info in enumerate(nodes)}
    assert fit_error(Refused(nodes, refusals, None)) == "0/13 nodes are available: 10 zz, 3 aa, 3 bb."


def test_too_large_for_every_node(cluster: Clusters, node: Make, pod: Make) -> None:
    outcome = decide(cluster([node(n) for n in "abc"]), pod(cpu="100"))
    assert outcome.message == (
        "0/3 nodes are available: 3 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_no_room_and_nobody_to_evict(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a")], [pod("o", nodeName="a", cpu="3")])
    assert decide(found, pod(cpu="2")).message == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_a_pod_that_never_preempts_says_so(cluster: Clusters, node: Make, pod: Make) -> None:
    message = decide(cluster([node("a")]), pod(cpu="9", preemptionPolicy="Never")).message
    assert message.endswith(". no new claims to deallocate, preemption: not eligible due to preemptionPolicy=Never.")


def test_contradicting_terms_end_in_not_found(cluster: Clusters, node: Make, pod: Make) -> None:
    fields = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in ("a", "b")]
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": fields}]}}
    outcome = decide(cluster([node("a"), node("b")]), pod(affinity={"nodeAffinity": terms}))
    assert outcome.message == "0/2 nodes are available: pod affinity terms conflict. not found"


def test_a_cluster_without_nodes(cluster: Clusters, pod: Make) -> None:
    assert decide(cluster(), pod()).message == "no nodes available to schedule pods"


def test_gates_keep_a_pod_out(cluster: Clusters, node: Make, pod: Make) -> None:
    outcome = decide(cluster([node("a")]), pod(schedulingGates=[{"name": "x"}]))
    assert (outcome.reason, outcome.message, outcome.node) == (
        "SchedulingGated",
        "Scheduling is blocked due to non-empty scheduling gates",
        "",
    )


def test_one_feasible_node_is_not_scored(cluster: Clusters, node: Make, pod: Make) -> None:
    outcome = decide(cluster([node("a", unschedulable=True), node("b")]), pod())
    assert (outcome.node, outcome.scores, outcome.best) == ("b", {}, ("b",))


def test_the_first_of_the_best_is_taken(cluster: Clusters, node: Make, pod: Make) -> None:
    outcome = decide(cluster([node("b"), node("a")]), pod())
    assert (outcome.best, outcome.node) == (("a", "b"), "a")


def test_plugin_scores_add_up_to_the_total(cluster: Clusters, node: Make, pod: Make) -> None:
    outcome = decide(cluster([node(n) for n in "abc"], [pod("o", nodeName="b", cpu="1")]), pod(cpu="1"))
    assert outcome.totals == tuple(map(sum, zip(*outcome.scores.values(), strict=True)))
    assert max(outcome.totals) == outcome.totals[outcome.feasible.index(outcome.node)]


def test_a_nominated_pod_of_equal_priority_takes_its_room(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a"), node("b")])
    found.nominate(PodInfo(pod("first", cpu="3", priority=5)), "a")
    assert decide(found, pod(cpu="2", priority=5)).refusals["a"].reasons == ("Insufficient cpu",)
    assert decide(found, pod(cpu="2", priority=6)).refusals == {}


def test_a_nominated_node_is_taken_without_scoring(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a"), node("b"), node("c")])
    outcome = decide(found, pod(status={"nominatedNodeName": "c"}))
    assert (outcome.node, outcome.scores) == ("c", {})


placed = st.tuples(st.sampled_from("abcd"), st.sampled_from(["100m", "1", "2"]), st.sampled_from(["web", "db"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(placed, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(pods: list[tuple[str, str, str]], rnd: random.Random) -> None:
    from kctl.client.cache import Caches

    def build(nodes: list[Obj], others: list[Obj]) -> Any:
        cluster = Cluster(Caches(lambda _cache: None))
        for obj in nodes:
            cluster.put_node(obj)
        for obj in others:
            cluster.put_pod(obj)
        return decide(cluster, wanted)

    zones = itertools.cycle(["z1", "z2"])
    labels = {name: {"topology.kubernetes.io/zone": next(zones), "kubernetes.io/hostname": name} for name in "abcd"}
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    nodes = [{"metadata": {"name": n, "labels": labels[n]}, "status": {"allocatable": room}} for n in "abcd"]
    others: list[Obj] = [
        {
            "metadata": {"namespace": "d", "name": f"p{n}", "labels": {"app": app}},
            "spec": {"nodeName": where, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]},
        }
        for n, (where, cpu, app) in enumerate(pods)
    ]
    rule = {
        "topologyKey": "topology.kubernetes.io/zone",
        "maxSkew": 1,
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    wanted = {
        "metadata": {"namespace": "d", "name": "new", "labels": {"app": "web"}},
        "spec": {
            "containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}],
            "topologySpreadConstraints": [{**rule, "whenUnsatisfiable": "ScheduleAnyway"}],
        },
    }
    first = build(nodes, others)
    rnd.shuffle(nodes)
    rnd.shuffle(others)
    again = build(nodes, others)
    assert (first.node, first.message, first.scores) == (again.node, again.message, again.scores)


@pytest.mark.parametrize("plugin", default_profile().plugins, ids=lambda plugin: plugin.name)
def test_every_plugin_carries_upstreams_name(plugin: Any) -> None:
    assert plugin.name == type(plugin).__name__
