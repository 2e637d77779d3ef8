from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.framework import Outcome
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]
ZONE = "topology.kubernetes.io/zone"


def schedule(cluster: Cluster, pod: Obj) -> Outcome:
    return default_profile().schedule(cluster, PodInfo(pod))


def reasons(cluster: Cluster, pod: Obj) -> dict[str, tuple[str, ...]]:
    return {name: no.reasons for name, no in schedule(cluster, pod).refusals.items()}


def scores(cluster: Cluster, pod: Obj, plugin: str) -> dict[str, int] | None:
    outcome = schedule(cluster, pod)
    found = outcome.scores.get(plugin)
    return None if found is None else dict(zip(outcome.feasible, found, strict=True))


TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
IN_SSD = {"key": "disk", "operator": "In", "values": ["ssd"]}


def affinity(kind: str, *terms: Obj) -> Obj:
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def near(app: str, key: str = "kubernetes.io/hostname", **more: Any) -> Obj:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}, **more}


def required_node(*terms: Obj) -> Obj:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


FILTERS = [
    pytest.param({"unschedulable": True}, {}, ("node(s) were unschedulable",), id="a cordoned node"),
    pytest.param(
        {"unschedulable": True},
        {"tolerations": [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]},
        None,
        id="a cordoned node that the pod tolerates",
    ),
    pytest.param({"taints": [TAINT]}, {}, ("node(s) had untolerated taint(s)",), id="a hard taint"),
    pytest.param({"taints": [{**TAINT, "effect": "PreferNoSchedule"}]}, {}, None, id="a soft taint"),
    pytest.param({"taints": [TAINT]}, {"tolerations": [{"operator": "Exists"}]}, None, id="a tolerated taint"),
    pytest.param(
        {},
        {"nodeSelector": {"disk": "ssd"}},
        ("node(s) didn't match Pod's node affinity/selector",),
        id="no such label",
    ),
    pytest.param({"labels": {"disk": "ssd"}}, {"nodeSelector": {"disk": "ssd"}}, None, id="the label asked for"),
    pytest.param(
        {},
        {"affinity": required_node({"matchExpressions": [IN_SSD]})},
        ("node(s) didn't match Pod's node affinity/selector",),
        id="required node affinity",
    ),
    pytest.param({}, {"cpu": "4"}, None, id="just enough"),
    pytest.param({}, {"cpu": "4001m"}, ("Insufficient cpu",), id="a thousandth too much"),
    pytest.param(
        {"allocatable": {"pods": "0"}},
        {"cpu": "5", "memory": "9Gi"},
        ("Too many pods", "Insufficient cpu", "Insufficient memory"),
        id="everything that is short is named",
    ),
]


@pytest.mark.parametrize(("of_node", "of_pod", "refusal"), FILTERS)
def test_filters(
    cluster: Clusters, node: Make, pod: Make, of_node: Obj, of_pod: Obj, refusal: tuple[str, ...] | None
) -> None:
    found = reasons(cluster([node("n", **of_node)]), pod(**of_pod))
    assert found == ({"n": refusal} if refusal else {})


def test_host_ports_are_taken_once(cluster: Clusters, node: Make, pod: Make) -> None:
    ports = [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]
    found = cluster([node("a"), node("b")], [pod("other", nodeName="a", containers=ports)])
    wanted = pod(containers=ports)
    assert reasons(found, wanted) == {"a": ("node(s) didn't have free ports for the requested pod ports",)}


def test_affinity_to_a_node_name_leaves_the_others_out_by_the_plugin(cluster: Clusters, node: Make, pod: Make) -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b", "missing"]}]}
    found = cluster([node("a"), node("b", unschedulable=True)])
    outcome = schedule(found, pod(affinity=required_node(term)))
    assert outcome.message.startswith(
        "0/2 nodes are available: 1 node(s) didn't satisfy plugin(s) [NodeAffinity], 1 node(s) were unschedulable."
    )


def test_a_spec_node_name_is_the_only_node(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a"), node("b")])
    assert reasons(found, pod(nodeName="b")) == {"a": ("node(s) didn't match the requested node name",)}


def test_hard_spread_refuses_the_fuller_zone(cluster: Clusters, node: Make, pod: Make) -> None:
    nodes = [node("a", labels={ZONE: "z1"}), node("b", labels={ZONE: "z2"}), node("c")]
    web = {"app": "web"}
    rule = {
        "topologyKey": ZONE,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": web},
    }
    there = [pod("w1", nodeName="a", labels=web)]
    uneven = "node(s) didn't match pod topology spread constraints"
    wanted = pod(labels=web, topologySpreadConstraints=[rule])
    assert reasons(cluster(nodes, there), wanted) == {"a": (uneven,), "c": (f"{uneven} (missing required label)",)}
    leaving = [pod("w1", nodeName="a", labels=web, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})]
    assert set(reasons(cluster(nodes, leaving), wanted)) == {"c"}  # pods on their way out do not count


def test_min_domains_makes_the_minimum_zero(cluster: Clusters, node: Make, pod: Make) -> None:
    nodes = [node("a", labels={ZONE: "z1"}), node("b", labels={ZONE: "z2"})]
    web = {"app": "web"}
    rule = {
        "topologyKey": ZONE,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": web},
    }
    there = [pod("w1", nodeName="a", labels=web), pod("w2", nodeName="b", labels=web)]
    assert reasons(cluster(nodes, there), pod(labels=web, topologySpreadConstraints=[rule])) == {}
    refused = reasons(cluster(nodes, there), pod(labels=web, topologySpreadConstraints=[{**rule, "minDomains": 3}]))
    assert set(refused) == {"a", "b"}


def test_anti_affinity_works_in_both_directions(cluster: Clusters, node: Make, pod: Make) -> None:
    lonely = affinity("podAntiAffinity", near("web"))
    found = cluster([node("a"), node("b")], [pod("w", nodeName="a", labels={"app": "web"})])
    assert reasons(found, pod(affinity=lonely)) == {"a": ("node(s) didn't match pod anti-affinity rules",)}
    found = cluster([node("a"), node("b")], [pod("w", nodeName="a", affinity=lonely)])
    why = ("node(s) didn't satisfy existing pods anti-affinity rules",)
    assert reasons(found, pod(labels={"app": "web"})) == {"a": why}


def test_the_first_of_a_group_may_be_alone(cluster: Clusters, node: Make, pod: Make) -> None:
    together = affinity("podAffinity", near("web"))
    nodes = [node("a"), node("b")]
    assert reasons(cluster(nodes), pod(labels={"app": "web"}, affinity=together)) == {}
    why = ("node(s) didn't match pod affinity rules",)
    assert reasons(cluster(nodes), pod(labels={"app": "db"}, affinity=together)) == {"a": why, "b": why}
    first = pod("first", nodeName="a", labels={"app": "web"})
    assert reasons(cluster(nodes, [first]), pod(labels={"app": "web"}, affinity=together)) == {"b": why}


def test_a_namespace_selector_reaches_other_namespaces(cluster: Clusters, node: Make, pod: Make) -> None:
    spaces = [{"metadata": {"name": "default"}}, {"metadata": {"name": "prod", "labels": {"env": "prod"}}}]
    there = [pod("w", nodeName="a", namespace="prod", labels={"app": "web"})]
    found = cluster([node("a"), node("b")], there, namespaces=spaces)
    own = affinity("podAntiAffinity", near("web"))
    prod = affinity("podAntiAffinity", near("web", namespaceSelector={"matchLabels": {"env": "prod"}}))
    assert reasons(found, pod(affinity=own)) == {}
    assert set(reasons(found, pod(affinity=prod))) == {"a"}


def test_soft_taints_cost_points(cluster: Clusters, node: Make, pod: Make) -> None:
    soft = {**TAINT, "effect": "PreferNoSchedule"}
    found = cluster([node("a", taints=[soft, {**soft, "key": "x"}]), node("b", taints=[soft]), node("c")])
    assert scores(found, pod(), "TaintToleration") == {"a": 0, "b": 150, "c": 300}
    assert scores(found, pod(tolerations=[{"operator": "Exists"}]), "TaintToleration") == {"a": 300, "b": 300, "c": 300}


def test_preferred_node_affinity_adds_weights(cluster: Clusters, node: Make, pod: Make) -> None:
    prefer = [
        {"weight": 30, "preference": {"matchExpressions": [IN_SSD]}},
        {"weight": 10, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}},
    ]
    wish = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": prefer}}
    found = cluster([node("a", labels={"disk": "ssd"}), node("b", labels={"disk": "hdd"}), node("c")])
    assert scores(found, pod(affinity=wish), "NodeAffinity") == {"a": 200, "b": 50, "c": 0}
    assert scores(found, pod(), "NodeAffinity") is None


def test_least_allocated_is_the_mean_of_integer_percents(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a"), node("b")], [pod("o", nodeName="a", cpu="1", memory="4Gi")])
    # a: cpu (4000-2000)*100//4000 = 50, memory (8-4-1)*100//8 = 37; b: cpu 75, memory 87
    assert scores(found, pod(cpu="1", memory="1Gi"), "NodeResourcesFit") == {"a": 43, "b": 81}


def test_balance_scores_the_change_the_pod_makes(cluster: Clusters, node: Make, pod: Make) -> None:
    found = cluster([node("a"), node("b")], [pod("o", nodeName="a", memory="4Gi")])
    # b was even and becomes 25 % against 0; a was 0 against 50 % and becomes more even.
    assert scores(found, pod(cpu="1"), "NodeResourcesBalancedAllocation") == {"a": 81, "b": 68}
    assert scores(found, pod(), "NodeResourcesBalancedAllocation") is None


def test_images_present_are_worth_points(cluster: Clusters, node: Make, pod: Make) -> None:
    image = {"names": ["registry.example/app:1"], "sizeBytes": 1000 * 1024 * 1024}
    found = cluster([node("a", images=[image]), node("b")])
    # half of the nodes have it: 500 MiB of 23..1000
    assert scores(found, pod(), "ImageLocality") == {"a": 48, "b": 0}
    model = {"name": "m", "image": {"reference": "registry.example/app:1"}}
    assert scores(found, pod(volumes=[model]), "ImageLocality") == {"a": 100, "b": 0}


def test_a_service_spreads_its_pods_by_default(cluster: Clusters, node: Make, pod: Make) -> None:
    web = {"app": "web"}
    service = {"metadata": {"namespace": "default", "name": "s"}, "spec": {"selector": web}}
    nodes = [node("a", labels={ZONE: "z1"}), node("b", labels={ZONE: "z2"})]
    there = [pod("w", nodeName="a", labels=web)]
    found = scores(cluster(nodes, there, services=[service]), pod(labels=web), "PodTopologySpread")
    assert found is not None
    assert found["b"] == 200 > found["a"]
    assert scores(cluster(nodes, there), pod(labels=web), "PodTopologySpread") is None


def test_preferred_affinity_pulls_and_pushes(cluster: Clusters, node: Make, pod: Make) -> None:
    def wish(kind: str) -> Obj:
        term = {"weight": 10, "podAffinityTerm": near("web")}
        return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": [term]}}

    found = cluster([node("a"), node("b")], [pod("w", nodeName="a", labels={"app": "web"})])
    assert scores(found, pod(affinity=wish("podAffinity")), "InterPodAffinity") == {"a": 200, "b": 0}
    assert scores(found, pod(affinity=wish("podAntiAffinity")), "InterPodAffinity") == {"a": 0, "b": 200}
