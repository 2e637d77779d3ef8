"""What a configuration changes about decisions: strategies, arguments, sampling, several schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.scheduler import config, hints
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.framework import Framework
from kctl.scheduler.hints import Event
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.node_resources_balanced_allocation import balance, evenness
from kctl.scheduler.plugins.resource_scores import int_quotient, on_line
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import build

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]
GPU = "example.com/gpu"


def framework(**profile: Any) -> Framework:
    head = {"apiVersion": config.VERSION, "kind": config.KIND}
    found, errors = config.parse({**head, "profiles": [profile]})
    assert errors == []
    return build(found.profiles[0])


def with_args(plugin: str, **args: Any) -> Framework:
    return framework(pluginConfig=[{"name": plugin, "args": args}])


def scores(made: Framework, cluster: Cluster, pod: Obj, plugin: str) -> dict[str, int]:
    outcome = made.schedule(cluster, PodInfo(pod))
    column = outcome.scores.get(plugin)
    return {} if column is None else dict(zip(outcome.feasible, column, strict=True))


def strategy(kind: str, **more: Any) -> Framework:
    return with_args("NodeResourcesFit", scoringStrategy={"type": kind, **more})


def shape(*points: tuple[int, int], **more: Any) -> Framework:
    listed = [{"utilization": u, "score": s} for u, s in points]
    return strategy("RequestedToCapacityRatio", requestedToCapacityRatio={"shape": listed}, **more)


STRATEGIES = [
    # A node of 4 CPUs and 8Gi with 1 CPU and 2Gi in use, an empty one; the pod asks for 1 CPU and 1Gi.
    pytest.param(strategy("LeastAllocated"), {"used": (50 + 62) // 2, "empty": (75 + 87) // 2}, id="least"),
    pytest.param(strategy("MostAllocated"), {"used": (50 + 37) // 2, "empty": (25 + 12) // 2}, id="most"),
    pytest.param(
        strategy("MostAllocated", resources=[{"name": "cpu", "weight": 3}, {"name": "memory", "weight": 1}]),
        {"used": (3 * 50 + 37) // 4, "empty": (3 * 25 + 12) // 4},
        id="most, cpu counts three times",
    ),
    pytest.param(
        strategy("LeastAllocated", resources=[{"name": "cpu"}, {"name": GPU, "weight": 5}]),
        {"used": 50, "empty": 75},
        id="an extended resource that the pod does not ask for does not count",
    ),
    pytest.param(
        shape((0, 0), (100, 10)),
        {"used": round((50 + 37) / 2 + 0.01), "empty": round((25 + 12) / 2 + 0.01)},
        id="by a rising line, halves go up",
    ),
    pytest.param(
        shape((0, 10), (100, 0)),
        {"used": round((50 + 63) / 2 + 0.01), "empty": round((75 + 88) / 2 + 0.01)},
        id="by a falling line",
    ),
    pytest.param(
        shape((40, 0), (100, 10)),
        {"used": 16, "empty": 0},
        id="what gets no points does not count in the mean",
    ),
]


@pytest.mark.parametrize(("made", "expected"), STRATEGIES)
def test_scoring_strategies(
    made: Framework, expected: dict[str, int], cluster: Clusters, node: Make, pod: Make
) -> None:
    nodes = [node("used", allocatable={GPU: "4"}), node("empty", allocatable={GPU: "4"})]
    found = cluster(nodes, [pod("o", nodeName="used", cpu="1", memory="2Gi")])
    assert scores(made, found, pod(cpu="1", memory="1Gi"), "NodeResourcesFit") == expected


def test_an_extended_resource_that_is_asked_for_counts(cluster: Clusters, node: Make, pod: Make) -> None:
    made = strategy("MostAllocated", resources=[{"name": GPU, "weight": 1}])
    holder = pod("o", nodeName="a")
    holder["spec"]["containers"][0]["resources"]["requests"] = {GPU: "1"}
    asking = pod("p")
    asking["spec"]["containers"][0]["resources"]["requests"] = {GPU: "2"}
    found = cluster([node("a", allocatable={GPU: "4"}), node("b", allocatable={GPU: "4"})], [holder])
    assert scores(made, found, asking, "NodeResourcesFit") == {"a": 75, "b": 50}


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=5, unique_by=lambda p: p[0]))
@settings(max_examples=100, deadline=None)
def test_a_broken_line_passes_through_its_points_and_stays_between_them(points: list[tuple[int, int]]) -> None:
    line = tuple(sorted(points))
    for at, value in line:
        assert on_line(line, at) == value
    for at in range(101):
        assert min(v for _, v in line) <= on_line(line, at) <= max(v for _, v in line)
    assert on_line(line, 0) == line[0][1]
    assert on_line(line, 100) == line[-1][1]


@pytest.mark.parametrize(("a", "b", "quotient"), [(7, 2, 3), (-7, 2, -3), (-8, 2, -4), (0, 5, 0), (-1, 100, 0)])
def test_quotients_go_towards_zero(a: int, b: int, quotient: int) -> None:
    assert int_quotient(a, b) == quotient


def test_ignored_resources_and_groups_are_not_looked_at(cluster: Clusters, node: Make, pod: Make) -> None:
    asking = pod()
    asking["spec"]["containers"][0]["resources"]["requests"] = {GPU: "1", "other.io/x": "1"}
    found = cluster([node("a")])
    both = with_args("NodeResourcesFit", ignoredResources=[GPU], ignoredResourceGroups=["other.io"])
    assert both.schedule(found, PodInfo(asking)).node == "a"
    one = with_args("NodeResourcesFit", ignoredResources=[GPU])
    assert one.schedule(found, PodInfo(asking)).message.startswith(
        "0/1 nodes are available: 1 Insufficient other.io/x."
    )


def test_hugepages_are_never_ignored(cluster: Clusters, node: Make, pod: Make) -> None:
    asking = pod(memory="1Gi")
    asking["spec"]["containers"][0]["resources"]["requests"]["hugepages-2Mi"] = "4Mi"
    made = with_args("NodeResourcesFit", ignoredResources=["hugepages-2Mi"])
    assert "Insufficient hugepages-2Mi" in made.schedule(cluster([node("a")]), PodInfo(asking)).message


def test_balance_over_other_resources(cluster: Clusters, node: Make, pod: Make) -> None:
    made = with_args("NodeResourcesBalancedAllocation", resources=[{"name": "cpu"}, {"name": "ephemeral-storage"}])
    asking = pod(cpu="2")
    asking["spec"]["containers"][0]["resources"]["requests"]["ephemeral-storage"] = "50Gi"
    found = cluster([node("a"), node("b", allocatable={"ephemeral-storage": "400Gi"})])
    # The first stays even (100 before and after), the second goes from even to 0.5 against 0.125.
    assert scores(made, found, asking, "NodeResourcesBalancedAllocation") == {"a": 75, "b": 50 + (50 + 81 - 100) // 2}


def test_who_asks_for_nothing_of_it_is_not_rated_for_balance(cluster: Clusters, node: Make, pod: Make) -> None:
    made = with_args("NodeResourcesBalancedAllocation", resources=[{"name": "ephemeral-storage"}])
    outcome = made.schedule(cluster([node("a"), node("b")]), PodInfo(pod(cpu="1")))
    assert "NodeResourcesBalancedAllocation" not in outcome.scores


@given(st.integers(0, 2**40), st.integers(1, 2**40), st.integers(0, 2**40), st.integers(1, 2**40))
@settings(max_examples=100, deadline=None)
def test_two_shares_are_as_even_either_way(a: int, b: int, c: int, d: int) -> None:
    assert evenness([a / b, c / d]) == balance(a, b, c, d)


def zone_affinity(*zones: str) -> Obj:
    expression = {"key": "zone", "operator": "In", "values": list(zones)}
    return {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}


REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)


def test_added_affinity_holds_for_every_pod(cluster: Clusters, node: Make, pod: Make) -> None:
    made = with_args("NodeAffinity", addedAffinity={REQUIRED: zone_affinity("a")})
    found = cluster([node("one", labels={"zone": "a"}), node("two", labels={"zone": "b"})])
    outcome = made.schedule(found, PodInfo(pod()))
    assert outcome.node == "one"
    assert outcome.refusals["two"].reasons == ("node(s) didn't match scheduler-enforced node affinity",)
    own = made.schedule(found, PodInfo(pod(nodeSelector={"zone": "b"})))
    assert own.message.startswith(
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) didn't match scheduler-enforced node affinity."
    )


def test_added_preferences_count_beside_the_pods_own(cluster: Clusters, node: Make, pod: Make) -> None:
    term = {"weight": 40, "preference": zone_affinity("a")["nodeSelectorTerms"][0]}
    made = with_args("NodeAffinity", addedAffinity={PREFERRED: [term]})
    found = cluster([node("one", labels={"zone": "a"}), node("two", labels={"zone": "b"})])
    own = {"weight": 10, "preference": zone_affinity("b")["nodeSelectorTerms"][0]}
    wishing = pod(affinity={"nodeAffinity": {PREFERRED: [own]}})
    assert scores(made, found, pod(), "NodeAffinity") == {"one": 200, "two": 0}
    assert scores(made, found, wishing, "NodeAffinity") == {"one": 200, "two": 50}


def test_a_node_that_the_scheduler_rules_out_wakes_nobody(cluster: Clusters, node: Make, pod: Make) -> None:
    made = with_args("NodeAffinity", addedAffinity={REQUIRED: zone_affinity("a")})
    waiting, plugins = PodInfo(pod(nodeSelector={"disk": "ssd"})), frozenset({"NodeAffinity"})

    def is_woken(zone: str) -> bool:
        new = NodeInfo("n")
        new.set_node(node("n", labels={"zone": zone, "disk": "ssd"}))
        return hints.worth_trying(cluster(), waiting, plugins, Event(hints.NODE_ADD, new_node=new), made)

    assert (is_woken("a"), is_woken("b")) == (True, False)


def listed(*constraints: tuple[str, int, str]) -> Framework:
    wanted = [{"topologyKey": key, "maxSkew": skew, "whenUnsatisfiable": when} for key, skew, when in constraints]
    return with_args("PodTopologySpread", defaultingType="List", defaultConstraints=wanted)


def service() -> Obj:
    return {"metadata": {"name": "s", "namespace": "default"}, "spec": {"selector": {"app": "web"}}}


def test_listed_default_constraints_refuse(cluster: Clusters, node: Make, pod: Make) -> None:
    made = listed(("zone", 1, "DoNotSchedule"))
    nodes = [node("one", labels={"zone": "a"}), node("two", labels={"zone": "b"}, unschedulable=True)]
    web = {"app": "web"}
    found = cluster(nodes, [pod("o", nodeName="one", labels=web)], services=[service()])
    message = made.schedule(found, PodInfo(pod(labels=web))).message
    assert "1 node(s) didn't match pod topology spread constraints" in message
    assert made.schedule(found, PodInfo(pod("q"))).node == "one"  # no service selects it
    own = pod(
        labels=web,
        topologySpreadConstraints=[
            {
                "maxSkew": 5,
                "topologyKey": "zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": web},
            }
        ],
    )
    assert made.schedule(found, PodInfo(own)).node == "one"  # its own constraints replace the defaults


def test_a_pod_that_listed_constraints_refused_waits_for_what_changes_them(
    cluster: Clusters, node: Make, pod: Make
) -> None:
    made, web = listed(("zone", 1, "DoNotSchedule")), {"app": "web"}
    found = cluster([node("one", labels={"zone": "a"})], services=[service()])
    waiting, plugins = PodInfo(pod(labels=web)), frozenset({"PodTopologySpread"})
    gone = Event(hints.POD_DELETE, old_pod=PodInfo(pod("o", nodeName="one", labels=web)))
    other = Event(hints.POD_DELETE, old_pod=PodInfo(pod("o", nodeName="one", labels={"app": "db"})))
    assert hints.worth_trying(found, waiting, plugins, gone, made)
    assert not hints.worth_trying(found, waiting, plugins, other, made)
    assert not hints.worth_trying(found, waiting, plugins, gone)  # the system's defaults refuse nobody


def test_an_empty_list_spreads_nothing(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a"), node("b")], services=[service()])
    asking = pod(labels={"app": "web"})
    assert "PodTopologySpread" in framework().schedule(found, PodInfo(asking)).scores
    assert "PodTopologySpread" not in listed().schedule(found, PodInfo(asking)).scores


def test_listed_soft_constraints_need_every_key(cluster: Clusters, node: Make, pod: Make) -> None:
    made = listed(("zone", 1, "ScheduleAnyway"))
    found = cluster([node("a", labels={"zone": "z"}), node("b")], services=[service()])
    assert scores(made, found, pod(labels={"app": "web"}), "PodTopologySpread") == {"a": 200, "b": 0}


def near(labels: Obj) -> Obj:
    return {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}


def drawn(made: Framework, cluster: Clusters, node: Make, pod: Make) -> dict[str, int]:
    holder = pod(
        "o",
        nodeName="a",
        affinity={"podAffinity": {REQUIRED: [near({"app": "web"})]}},
    )
    wisher = pod(
        "w",
        nodeName="b",
        affinity={"podAffinity": {PREFERRED: [{"weight": 3, "podAffinityTerm": near({"app": "web"})}]}},
    )
    found = cluster([node("a"), node("b"), node("c")], [holder, wisher])
    return scores(made, found, pod(labels={"app": "web"}), "InterPodAffinity")


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(1, {"a": 66, "b": 200, "c": 0}), (3, {"a": 200, "b": 200, "c": 0}), (0, {"a": 0, "b": 200, "c": 0})],
)
def test_what_required_affinity_of_placed_pods_weighs(
    weight: int, expected: dict[str, int], cluster: Clusters, node: Make, pod: Make
) -> None:
    made = with_args("InterPodAffinity", hardPodAffinityWeight=weight)
    assert drawn(made, cluster, node, pod) == expected


def test_wishes_of_placed_pods_can_be_ignored(cluster: Clusters, node: Make, pod: Make) -> None:
    assert drawn(with_args("InterPodAffinity", ignorePreferredTermsOfExistingPods=True), cluster, node, pod) == {}


def test_weights_multiply_scores(cluster: Clusters, node: Make, pod: Make) -> None:
    plain, heavy = framework(), framework(plugins={"score": {"enabled": [{"name": "NodeResourcesFit", "weight": 9}]}})
    found = cluster([node("a"), node("b")], [pod("o", nodeName="a", cpu="1")])
    light = scores(plain, found, pod(cpu="1"), "NodeResourcesFit")
    assert scores(heavy, found, pod(cpu="1"), "NodeResourcesFit") == {name: 9 * n for name, n in light.items()}


def test_a_filter_that_is_disabled_refuses_nothing(cluster: Clusters, node: Make, pod: Make) -> None:
    made = framework(plugins={"filter": {"disabled": [{"name": "TaintToleration"}]}})
    found = cluster([node("a", taints=[{"key": "k", "effect": "NoSchedule"}])])
    assert made.schedule(found, PodInfo(pod())).node == "a"


def test_a_plugin_disabled_everywhere_neither_refuses_nor_rates(cluster: Clusters, node: Make, pod: Make) -> None:
    made = framework(plugins={"multiPoint": {"disabled": [{"name": "TaintToleration"}, {"name": "NodeName"}]}})
    outcome = made.schedule(cluster([node("a"), node("b")]), PodInfo(pod()))
    assert "TaintToleration" not in outcome.scores
    assert made.by_name.keys().isdisjoint({"TaintToleration", "NodeName"})


@pytest.mark.parametrize(
    ("percentage", "nodes", "wanted"),
    [
        (None, 5000, 5000),
        (0, 99, 99),
        (0, 100, 100),
        (0, 200, 100),
        (0, 1000, 420),
        (0, 5000, 500),
        (0, 6000, 300),
        (100, 5000, 5000),
        (30, 500, 150),
        (1, 5000, 100),
        (50, 60, 60),
    ],
)
def test_how_many_feasible_nodes_are_enough(percentage: int | None, nodes: int, wanted: int) -> None:
    made = framework() if percentage is None else framework(percentageOfNodesToScore=percentage)
    assert made.wanted(nodes) == wanted


def test_sampling_goes_on_where_it_stopped(cluster: Clusters, node: Make, pod: Make) -> None:
    made = framework(percentageOfNodesToScore=1)
    nodes = [node(f"n{n:03}", unschedulable=n % 3 == 0) for n in range(300)]
    found = cluster(nodes)
    first = made.schedule(found, PodInfo(pod("p")))
    assert (len(first.feasible), first.feasible[0]) == (100, "n001")
    # The last one that was looked at is feasible, and is where the next cycle begins.
    assert found.next_start == 151
    assert f"n{found.next_start:03}" not in first.feasible
    second = made.schedule(found, PodInfo(pod("q")))
    assert (second.feasible[0], second.feasible[-1], found.next_start) == ("n151", "n299", 1)
    assert not set(first.feasible) & set(second.feasible)


def test_without_anything_to_score_by_nodes_are_taken_in_turn(cluster: Clusters, node: Make, pod: Make) -> None:
    made = framework(plugins={"score": {"disabled": [{"name": "*"}]}, "preScore": {"disabled": [{"name": "*"}]}})
    found = cluster([node(n) for n in "abc"])
    assert [made.schedule(found, PodInfo(pod(f"p{n}"))).node for n in range(4)] == ["a", "b", "c", "a"]


@given(st.integers(0, 400), st.integers(0, 100), st.integers(0, 399), st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_a_sample_is_as_large_as_it_has_to_be(nodes: int, percentage: int, start: int, every: int) -> None:
    from tests.scheduler.conftest import build_cluster, build_node, build_pod

    made = framework(percentageOfNodesToScore=percentage)
    found = build_cluster([build_node(f"n{n:03}", unschedulable=n % every == 0) for n in range(nodes)])
    found.next_start = start % nodes if nodes else 0
    outcome = made.schedule(found, PodInfo(build_pod()))
    fitting = sum(n % every != 0 for n in range(nodes))
    assert len(outcome.feasible) == min(fitting, made.wanted(nodes))
    assert len(set(outcome.feasible) | set(outcome.refusals)) == len(outcome.feasible) + len(outcome.refusals)
