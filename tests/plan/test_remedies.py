"""What would let a pod be placed: every remedy that is told, applied as it is given, places the pod."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.plan import why

Obj = dict[str, Any]
GPU = {"key": "gpu", "value": "true", "effect": "NoSchedule"}
ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
APP = {"matchLabels": {"app": "web"}}
BARE = {"disable": ["ServiceAccount", "TaintNodesByCondition", "DefaultTolerationSeconds"]}


def node(name: str, cpu: str = "4", *, zone: str = "a", taints: Any = (), pods: str = "110", **spec: Any) -> Obj:
    labels = {HOST: name, ZONE: zone}
    size = {"cpu": cpu, "memory": "8Gi", "pods": pods}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {**spec, "taints": list(taints)},
        "status": {"capacity": size, "allocatable": size},
    }


def pod(name: str, cpu: str = "1", *, container: Obj | None = None, **spec: Any) -> Obj:
    made = {"name": "c", "image": "example/c:1", "resources": {"requests": {"cpu": cpu}}, **(container or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"containers": [made], **spec},
    }


def apart(key: str = HOST) -> Obj:
    terms = [{"labelSelector": APP, "topologyKey": key}]
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def near(app: str) -> Obj:
    terms = [{"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": HOST}]
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def on_node(**expression: Any) -> Obj:
    terms = [{"matchExpressions": [expression]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def spread(skew: int = 1, **more: Any) -> list[Obj]:
    return [
        {"maxSkew": skew, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": APP, **more},
    ]


def port(number: int) -> Obj:
    return {"ports": [{"containerPort": number, "hostPort": number}]}


CASES = {
    "a cordoned node": ([node("n1", unschedulable=True)], [], pod("x"), "fits if node n1 is uncordoned"),
    "a cordoned node with the taint that goes with it": (
        [node("n1", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])],
        [],
        pod("x"),
        "fits if node n1 is uncordoned",
    ),
    "a taint": ([node("n1", taints=[GPU])], [], pod("x"), "1 node passes if the pod tolerates gpu=true:NoSchedule"),
    "taints on several nodes": (
        [node("n1", taints=[GPU]), node("n2", taints=[GPU])],
        [],
        pod("x"),
        "2 nodes pass if the pod tolerates gpu=true:NoSchedule",
    ),
    "a taint without value": (
        [node("n1", taints=[{"key": "own", "effect": "NoExecute"}])],
        [],
        pod("x"),
        "fits if the taint own:NoExecute is taken off node n1",
    ),
    "a label": (
        [node("n1"), node("n2")],
        [],
        pod("x", nodeSelector={"disk": "ssd"}),
        "fits if node n1 has the label disk=ssd (or another)",
    ),
    "an expression": (
        [node("n1")],
        [],
        pod("x", affinity=on_node(key="disk", operator="In", values=["ssd", "nvme"])),
        "1 node passes if the pod does not require node affinity (disk in (ssd,nvme))",
    ),
    "a zone that nobody can write on a node": (
        [node("n1")],
        [],
        pod("x", nodeSelector={ZONE: "b"}),
        f"1 node passes if the pod has no nodeSelector {ZONE}=b",
    ),
    "a zone without nodes": (
        [node("n1")],
        [],
        pod("x", nodeSelector={ZONE: "b"}),
        "fits with one more node like n1 (4 cpu, 8Gi, zone b)",
    ),
    "a label that no node should have": (
        [node("n1")],
        [],
        pod("x", affinity=on_node(key=ZONE, operator="NotIn", values=["a"])),
        f"fits with one more node like n1 (4 cpu, 8Gi, without {ZONE})",
    ),
    "less cpu": (
        [node("n1", "1"), node("n2", "1500m")],
        [],
        pod("x", "1600m"),
        "1 node passes with 100m less cpu requested (container c: 1600m -> 1500m)",
    ),
    "more cpu": (
        [node("n1", "2"), node("n2", "2")],
        [pod("a", "1500m"), pod("b", "1400m")],
        pod("x"),
        "fits with 400m more cpu on node n2",
    ),
    "one more node": (
        [node("n1", "1")],
        [pod("a")],
        pod("x"),
        "fits with one more node like n1 (1 cpu, 8Gi, zone a)",
    ),
    "a larger node": ([node("n1", "1")], [], pod("x", "9"), "fits with one more node (9 cpu, 8Gi, zone a)"),
    "too many pods": ([node("n1", pods="1")], [pod("a")], pod("x"), "fits if node n1 may run 2 pods"),
    "a host port": (
        [node("n1")],
        [pod("a", container=port(80))],
        pod("x", container=port(80)),
        "1 node passes if the pod does not use host port 80/TCP",
    ),
    "the pod's own anti-affinity": (
        [node("n1")],
        [pod("a")],
        pod("x", affinity=apart()),
        f"1 node passes if its pod anti-affinity over {HOST} is preferred, not required",
    ),
    "anti-affinity of others": (
        [node("n1")],
        [pod("a", affinity=apart())],
        pod("x"),
        "fits with one more node like n1 (4 cpu, 8Gi, zone a)",
    ),
    "affinity to a pod that is not there": (
        [node("n1")],
        [],
        pod("x", affinity=near("db")),
        f"1 node passes if its pod affinity over {HOST} is preferred, not required",
    ),
    "a spread": (
        [node("n1"), node("n2", "500m", zone="b")],
        [pod("a")],
        pod("x", topologySpreadConstraints=spread()),
        f"1 node passes if maxSkew of its spread over {ZONE} is 2",
    ),
    "a spread with minDomains": (
        [node("n1")],
        [pod("a")],
        pod("x", topologySpreadConstraints=spread(minDomains=2)),
        f"1 node passes if its spread over {ZONE} is ScheduleAnyway",
    ),
    "two things at once": (
        [node("n1", taints=[GPU], unschedulable=True)],
        [],
        pod("x"),
        "fits if node n1 is uncordoned and if the pod tolerates gpu=true:NoSchedule",
    ),
    "a taint and too little room": (
        [node("n1", "1", taints=[GPU])],
        [],
        pod("x", "2"),
        "1 node passes if the pod tolerates gpu=true:NoSchedule and with 1 less cpu requested (container c: 2 -> 1)",
    ),
}


def carry_out(cp: ControlPlane, remedy: Obj) -> None:
    """Do what a remedy says."""
    for step in remedy["apply"]:
        if "create" in step:
            cp.client.create(step["resource"], step["create"])
        elif step["recreate"]:
            from kctl.api.patch import jsonpatch

            old = cp.client.get(step["resource"], step["namespace"], step["name"])
            new = jsonpatch.patch(old, step["patch"])
            cp.client.delete(step["resource"], Key(step["namespace"], step["name"]))
            meta = {name: value for name, value in new["metadata"].items() if name in ("name", "namespace", "labels")}
            cp.client.create(step["resource"], {**new, "metadata": meta, "status": {}})
        else:
            key = Key(step["namespace"], step["name"])
            cp.client.patch(step["resource"], key, step["patch"], type="json", subresource=step["subresource"])


def blocked(nodes: list[Obj], others: list[Obj], own: Obj) -> tuple[ControlPlane, Obj]:
    """Return a plane where the pod is pending, and what the scheduler says of it."""
    cp = ControlPlane.open(None, controllers=["kube-scheduler"], admission=BARE)
    for made in nodes:
        cp.client.create("nodes", made)
    for n, made in enumerate(others):
        cp.client.create(
            "pods", {**made, "spec": {**made["spec"], "nodeName": nodes[n % len(nodes)]["metadata"]["name"]}}
        )
    cp.client.create("pods", own)
    cp.converge()
    return cp, why.scheduling(cp, cp.client.get("pods", "default", "x"))[0]


@pytest.mark.parametrize(("nodes", "others", "own", "text"), CASES.values(), ids=CASES)
def test_every_remedy_applied_as_it_is_given_places_the_pod(
    nodes: list[Obj], others: list[Obj], own: Obj, text: str
) -> None:
    cp, told = blocked(nodes, others, own)
    cp.close()
    assert told["node"] is None
    assert set(told["nodes"]) == {made["metadata"]["name"] for made in nodes}
    assert text in [remedy["text"] for remedy in told["remedies"]]
    costs = [remedy["cost"] for remedy in told["remedies"]]
    assert costs == sorted(costs)
    for remedy in told["remedies"]:
        cp, _ = blocked(nodes, others, own)
        with cp:
            carry_out(cp, remedy)
            cp.converge()
            if own is CASES["anti-affinity of others"][2]:  # upstream's queue does not wake it for a node
                cp.client.delete("pods", Key("default", "x"))
                cp.client.create("pods", own)
                cp.converge()
            placed = cp.client.get("pods", "default", "x")["spec"].get("nodeName")
            assert placed, remedy["text"]
            assert placed in remedy["nodes"]


def test_a_priority_class_that_would_make_room_is_told_with_its_victims() -> None:
    cp, _ = blocked([node("n1", "1")], [pod("a")], pod("x"))
    with cp:
        high = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}, "value": 9}
        cp.client.create("priorityclasses.scheduling.k8s.io", high)
        told = why.scheduling(cp, cp.client.get("pods", "default", "x"))[0]
        [remedy] = [found for found in told["remedies"] if found["evicts"]]
        assert remedy["text"] == "fits if its priorityClassName is high (evicts pod/a)"
        carry_out(cp, remedy)
        cp.converge()
        assert cp.client.get("pods", "default", "x")["status"]["nominatedNodeName"] == "n1"


def test_nothing_is_told_for_a_pod_that_fits() -> None:
    cp, told = blocked([node("n1")], [], pod("x"))
    with cp:
        assert (told["node"], told["remedies"], told["why"]) == ("n1", [], "")


def test_the_summary_says_how_much_is_missing_and_which_taint() -> None:
    nodes = [node("n1", "600m"), node("n2", "500m"), node("n3", taints=[GPU])]
    cp, told = blocked(nodes, [], pod("x"))
    with cp:
        assert told["why"] == "2 Insufficient cpu (short 400m), 1 untolerated taint gpu=true:NoSchedule"
        assert [o["text"] for o in told["nodes"]["n2"]["obstacles"]] == ["Insufficient cpu (short 500m)"]
        assert told["nodes"]["n2"]["plugin"] == "NodeResourcesFit"


def test_a_workload_is_told_how_many_of_its_replicas_fit_and_its_template_is_what_is_patched() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x", "3")["spec"]}
        spec = {"replicas": 3, "selector": APP, "template": template}
        web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}}
        cp.client.create("deployments.apps", {**web, "spec": spec})
        cp.converge()
        [told] = why.explain(cp, "deployments.apps", cp.client.get("deployments.apps", "default", "web"))["scheduling"]
        texts = {remedy["text"]: remedy for remedy in told["remedies"]}
        fewer = texts["1 of 3 fit: nothing is left over with 1 replicas"]
        less = texts["1 node passes with 2 less cpu requested (container c: 3 -> 1)"]
        assert less["object"] == "deployment.apps/web"
        assert less["apply"][0]["patch"] == [
            {"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests/cpu", "value": "1"}
        ]
        carry_out(cp, fewer)
        assert cp.converge()["verdict"] == "Converged"


def test_a_decision_of_another_process_is_taken_again_on_what_the_cluster_was_then(tmp_path: Any) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=3) as cp:
        cp.converge()
        for name in ("a", "x"):
            cp.client.create("pods", pod(name))
        cp.converge()
        told = why.scheduling(cp, cp.client.get("pods", "default", "x"))[0]
    with ControlPlane.open(tmp_path / "state") as cp:
        cp.client.patch("nodes", Key("", "node-2"), {"spec": {"unschedulable": True}}, type="merge")
        cp.converge()
        again = why.scheduling(cp, cp.client.get("pods", "default", "x"))[0]
    assert again["revision"] < cp.revision
    assert {name: found["scores"] for name, found in again["nodes"].items()} == {
        name: found["scores"] for name, found in told["nodes"].items()
    }
    assert again["node"] == told["node"]


def test_a_constraint_that_just_holds_is_no_obstacle() -> None:
    hosts = [{**spread(2)[0], "topologyKey": HOST}, spread()[0]]
    cp, told = blocked(
        [node("n1"), node("n2", "500m", zone="b")], [pod("a")], pod("x", topologySpreadConstraints=hosts)
    )
    with cp:
        assert [o["text"] for o in told["nodes"]["n1"]["obstacles"]] == [f"spread over {ZONE} would be 2"]


def test_nobody_is_told_to_request_nothing() -> None:
    cp, told = blocked([node("n1", "1")], [pod("a")], pod("x"))
    with cp:
        assert not any("less cpu" in remedy["text"] for remedy in told["remedies"])


def test_what_is_enough_on_one_node_is_not_told_with_more_on_another() -> None:
    cp, told = blocked([node("n1", unschedulable=True), node("n2", unschedulable=True, taints=[GPU])], [], pod("x"))
    with cp:
        assert not any(" and if " in remedy["text"] for remedy in told["remedies"])


def test_pods_of_one_template_soften_together() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x", affinity=apart())["spec"]}
        spec = {"replicas": 3, "selector": APP, "template": template}
        web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"}}
        cp.client.create("deployments.apps", {**web, "spec": spec})
        cp.converge()
        [first] = why.explain(cp, "deployments.apps", cp.client.get("deployments.apps", "default", "web"))["scheduling"]
        text = f"2 nodes pass if its pod anti-affinity over {HOST} is preferred, not required"
        text += " (and its strategy is Recreate: old pods keep new ones off)"
        [remedy] = [remedy for remedy in first["remedies"] if remedy["text"] == text]
        pending = [p for p in cp.client.list("pods").items if not p["spec"].get("nodeName")]
        assert [told["remedies"] for told in why.scheduling(cp, *pending, *pending)] == [first["remedies"]] * 2
        carry_out(cp, remedy)
        assert cp.converge()["verdict"] == "Converged"
