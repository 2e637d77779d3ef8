from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.scheduler import hints
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.hints import Event
from kctl.scheduler.loop import bare
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile

Obj = dict[str, Any]
Make = Callable[..., Obj]
Clusters = Callable[..., Cluster]
TAINT = {"key": "k", "effect": "NoSchedule"}
WEB = {"app": "web"}
TERM = {"topologyKey": "zone", "labelSelector": {"matchLabels": WEB}}
SPREAD = {**TERM, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}


def near(kind: str) -> Obj:
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [TERM]}}}


NODES = [
    pytest.param("NodeResourcesFit", {"cpu": "2"}, None, {}, True, id="a new node with room"),
    pytest.param("NodeResourcesFit", {"cpu": "5"}, None, {}, False, id="a new node too small even when empty"),
    pytest.param("NodeResourcesFit", {"cpu": "2"}, {"allocatable": {"cpu": "3"}}, {}, True, id="a node that grew"),
    pytest.param(
        "NodeResourcesFit", {"cpu": "2"}, {"allocatable": {"memory": "1Gi"}}, {}, False, id="growth nobody asked for"
    ),
    pytest.param("NodeResourcesFit", {"cpu": "2"}, {"labels": {"a": "b"}}, {}, False, id="labels do not make room"),
    pytest.param(
        "NodeResourcesFit", {"cpu": "9"}, {"taints": [TAINT]}, {}, True, id="taints wake those who wait for nodes"
    ),
    pytest.param("TaintToleration", {}, {"taints": [TAINT]}, {}, True, id="a taint that is gone"),
    pytest.param("TaintToleration", {}, {}, {"taints": [TAINT]}, False, id="a taint that came"),
    pytest.param("NodeUnschedulable", {}, {"unschedulable": True}, {}, True, id="uncordoned"),
    pytest.param("NodeUnschedulable", {}, None, {"unschedulable": True}, False, id="a new node that is cordoned"),
    pytest.param("NodeAffinity", {"nodeSelector": WEB}, {}, {"labels": WEB}, True, id="the label asked for came"),
    pytest.param("NodeAffinity", {"nodeSelector": WEB}, {}, {"labels": {"a": "b"}}, False, id="another label came"),
    pytest.param("NodeAffinity", {"nodeSelector": WEB}, {"labels": WEB}, {}, False, id="the label asked for went"),
    pytest.param(
        "PodTopologySpread", {"topologySpreadConstraints": [SPREAD]}, None, {}, False, id="a node without the key"
    ),
    pytest.param(
        "PodTopologySpread",
        {"topologySpreadConstraints": [SPREAD]},
        None,
        {"labels": {"zone": "z"}},
        True,
        id="a new domain",
    ),
    pytest.param(
        "InterPodAffinity", near("podAffinity"), None, {"labels": {"zone": "z"}}, True, id="a node with the key"
    ),
    pytest.param("InterPodAffinity", near("podAffinity"), None, {}, False, id="a node without the affinity's key"),
    pytest.param("InterPodAffinity", near("podAntiAffinity"), None, {}, True, id="any new node helps anti-affinity"),
]


@pytest.mark.parametrize(("plugin", "of_pod", "before", "after", "worth"), NODES)
def test_node_events(
    cluster: Clusters, node: Make, pod: Make, plugin: str, of_pod: Obj, before: Obj | None, after: Obj, worth: bool
) -> None:
    new = node("n", **after)
    old = None if before is None else node("n", **before)
    kinds = [hints.NODE_ADD] if old is None else hints.node_events(old, new)
    wanted = PodInfo(pod(**of_pod))
    asked = [Event(kind, bare(old), bare(new)) for kind in kinds]
    assert any(hints.worth_trying(cluster(), wanted, frozenset({plugin}), event) for event in asked) is worth


PODS = [
    pytest.param("NodeResourcesFit", {}, {"cpu": "1"}, None, True, id="a pod left its node"),
    pytest.param("NodeResourcesFit", {}, None, {"cpu": "1"}, False, id="a pod came"),
    pytest.param("NodeResourcesFit", {"cpu": "1"}, {"cpu": "2"}, {"cpu": "1"}, True, id="a pod shrank"),
    pytest.param(
        "NodeResourcesFit", {"cpu": "1"}, {"memory": "2"}, {"memory": "1"}, False, id="a pod shrank elsewhere"
    ),
    pytest.param("InterPodAffinity", near("podAffinity"), None, {"labels": WEB}, True, id="company came"),
    pytest.param("InterPodAffinity", near("podAffinity"), None, {}, False, id="a stranger came"),
    pytest.param("InterPodAffinity", near("podAntiAffinity"), {"labels": WEB}, None, True, id="an enemy went"),
    pytest.param("InterPodAffinity", near("podAntiAffinity"), {"labels": WEB}, {}, True, id="an enemy changed sides"),
    pytest.param(
        "InterPodAffinity", {"labels": WEB}, near("podAntiAffinity"), None, True, id="one who refused us went"
    ),
    pytest.param(
        "PodTopologySpread", {"topologySpreadConstraints": [SPREAD]}, None, {"labels": WEB}, True, id="one more"
    ),
    pytest.param(
        "PodTopologySpread", {"topologySpreadConstraints": [SPREAD]}, None, {}, False, id="one that is not spread"
    ),
    pytest.param("TaintToleration", {}, {"cpu": "1"}, None, False, id="taints do not care for pods"),
]


@pytest.mark.parametrize(("plugin", "of_pod", "before", "after", "worth"), PODS)
def test_pod_events(
    cluster: Clusters, pod: Make, plugin: str, of_pod: Obj, before: Obj | None, after: Obj | None, worth: bool
) -> None:
    old, new = (None if of is None else PodInfo(pod("other", nodeName="n", **of)) for of in (before, after))
    if old is not None and new is not None:
        kinds = hints.pod_events(old, new)
    else:
        kinds = [hints.POD_ADD if old is None else hints.POD_DELETE]
    wanted = PodInfo(pod(**of_pod))
    asked = [Event(kind, old_pod=old, new_pod=new) for kind in kinds]
    assert any(hints.worth_trying(cluster(), wanted, frozenset({plugin}), event) for event in asked) is worth


def honoring(policy: str) -> Obj:
    return {"topologySpreadConstraints": [{**SPREAD, "nodeTaintsPolicy": policy}]}


@pytest.mark.parametrize(("policy", "worth"), [("Honor", True), ("Ignore", False)])
def test_a_spread_pod_that_tolerates_more_may_count_other_nodes(
    cluster: Clusters, pod: Make, policy: str, worth: bool
) -> None:
    old = PodInfo(pod(**honoring(policy)))
    new = PodInfo(pod(**honoring(policy), tolerations=[{"operator": "Exists"}]))
    assert hints.pod_events(old, new) == [hints.POD_TOLERATION]
    event = Event(hints.POD_TOLERATION, old_pod=old, new_pod=new)
    assert hints.worth_trying(cluster(), new, frozenset({"PodTopologySpread"}), event) is worth


@pytest.mark.parametrize("nominated", ["n", ""])
@pytest.mark.parametrize(
    ("plugin", "of_pod"),
    [
        ("PodTopologySpread", {"topologySpreadConstraints": [SPREAD]}),
        ("InterPodAffinity", near("podAntiAffinity")),
        ("NodeResourcesFit", {}),
    ],
)
def test_a_pod_that_had_no_node_yet_counted_if_it_was_nominated(
    cluster: Clusters, pod: Make, plugin: str, of_pod: Obj, nominated: str
) -> None:
    other = PodInfo(pod("other", labels=WEB, status={"nominatedNodeName": nominated}))
    gone = Event(hints.POD_DELETE, old_pod=other)
    assert hints.worth_trying(cluster(), PodInfo(pod(**of_pod)), frozenset({plugin}), gone) is bool(nominated)


def test_other_labels_may_help_the_pod_itself_against_those_who_refused_it(cluster: Clusters, pod: Make) -> None:
    old, new = PodInfo(pod(labels=WEB)), PodInfo(pod())
    event = Event(hints.POD_LABEL, old_pod=old, new_pod=new)
    assert hints.worth_trying(cluster(), new, frozenset({"InterPodAffinity"}), event)


def test_a_deleted_pod_frees_only_the_ports_it_had(cluster: Clusters, pod: Make) -> None:
    def holding(name: str, port: int) -> PodInfo:
        ports = [{"containerPort": 1, "hostPort": port}]
        return PodInfo(pod(name, nodeName="n", containers=[{"name": "c", "ports": ports}]))

    plugins = frozenset({"NodePorts"})
    wanted = holding("wanted", 80)
    assert hints.worth_trying(cluster(), wanted, plugins, Event(hints.POD_DELETE, old_pod=holding("a", 80)))
    assert not hints.worth_trying(cluster(), wanted, plugins, Event(hints.POD_DELETE, old_pod=holding("a", 81)))


def test_a_heartbeat_is_no_event(node: Make) -> None:
    old = node("n")
    new = {**old, "status": {**old["status"], "conditions": [{"type": "Ready", "status": "True"}]}}
    assert hints.node_events(old, new) == []


def test_the_events_that_find_pods_are_those_that_are_asked_about() -> None:
    filters = {plugin.name for plugin in default_profile().plugins if hasattr(plugin, "filter")}
    assert filters <= set(hints.HINTS)
    for kind in {kind for registered in hints.HINTS.values() for kind in registered}:
        assert hints.interested(kind)
    assert "" in hints.interested(hints.NODE_ADD)
