"""Pods put on a node by hand: what its kubelet takes and what it does not."""

from __future__ import annotations

import pytest

from kctl.kubelet.admission import refusal, requests


def a_pod(name="p", *, cpu="1", scheduled=False, started=False, phase="Pending", container=None, **spec):
    conditions = [{"type": "PodScheduled", "status": "True"}] if scheduled else []
    status = {"phase": phase, "conditions": conditions, **({"startTime": "2026-01-01T00:00:00Z"} if started else {})}
    made = {"name": "c", "image": "a", "resources": {"requests": {"cpu": cpu}}, **(container or {})}
    meta = {"name": name, "namespace": "default", "uid": name}
    return {"metadata": meta, "spec": {"nodeName": "n1", "containers": [made], **spec}, "status": status}


def a_node(pods="3", taints=(), **labels):
    allocatable = {"cpu": "2", "memory": "4Gi", "pods": pods}
    spec = {"taints": list(taints)}
    return {"metadata": {"name": "n1", "labels": labels}, "spec": spec, "status": {"allocatable": allocatable}}


def affinity(**requirement):
    terms = [{"matchExpressions": [requirement]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


PORT = {"ports": [{"containerPort": 80, "hostPort": 8080}]}
OTHER_PORT = {"ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "UDP"}]}
NO_EXECUTE = [{"key": "k", "value": "v", "effect": "NoExecute"}]


@pytest.mark.parametrize(
    ("pod", "node", "others", "reason"),
    [
        (a_pod(cpu="2"), a_node(), [], None),
        (a_pod(cpu="2500m"), a_node(), [], "OutOfcpu"),
        (a_pod(cpu="1500m"), a_node(), [a_pod("q", started=True)], "OutOfcpu"),
        (a_pod(cpu="1500m"), a_node(), [a_pod("q", scheduled=True)], "OutOfcpu"),
        (a_pod(cpu="1500m"), a_node(), [a_pod("q")], None),
        (a_pod(cpu="1500m"), a_node(), [a_pod("q", started=True, phase="Succeeded")], None),
        (a_pod(), a_node(pods="1"), [a_pod("q", started=True)], "OutOfpods"),
        (a_pod(container={"resources": {"requests": {"memory": "5Gi"}}}), a_node(), [], "OutOfmemory"),
        (a_pod(container={"resources": {"requests": {"gpu.example/x": "1"}}}), a_node(), [], None),
        (a_pod(nodeSelector={"disk": "ssd"}), a_node(), [], "NodeAffinity"),
        (a_pod(nodeSelector={"disk": "ssd"}), a_node(disk="ssd"), [], None),
        (a_pod(affinity=affinity(key="size", operator="Gt", values=["3"])), a_node(size="4"), [], None),
        (a_pod(affinity=affinity(key="size", operator="Gt", values=["3"])), a_node(size="big"), [], "NodeAffinity"),
        (a_pod(affinity=affinity(key="x", operator="NotIn", values=["y"])), a_node(), [], None),
        (a_pod(affinity=affinity(key="x", operator="Exists")), a_node(), [], "NodeAffinity"),
        (a_pod(container=PORT), a_node(), [a_pod("q", started=True, container=PORT)], "NodePorts"),
        (a_pod(container=PORT), a_node(), [a_pod("q", started=True, container=OTHER_PORT)], None),
        (a_pod(), a_node(taints=NO_EXECUTE), [], "TaintToleration"),
        (a_pod(tolerations=[{"key": "k", "operator": "Exists"}]), a_node(taints=NO_EXECUTE), [], None),
        (a_pod(), a_node(taints=[{"key": "k", "effect": "NoSchedule"}]), [], None),
    ],
)
def test_the_first_thing_that_does_not_fit_is_the_reason(pod, node, others, reason):
    found = refusal(pod, node, [pod, *others])
    assert (found[0] if found else None) == reason


def test_the_message_has_the_numbers():
    found = refusal(a_pod(cpu="1500m"), a_node(), [a_pod("q", started=True)])
    assert found == ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000")


def test_requests_are_those_of_the_hungriest_moment():
    def ask(cpu, **more):
        return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **more}

    spec = {
        "initContainers": [ask("3"), ask("1", restartPolicy="Always"), ask("2500m")],
        "containers": [ask("1"), ask("1")],
        "overhead": {"cpu": "100m"},
    }
    assert requests(spec) == {"cpu": 3600}
    assert requests({**spec, "resources": {"requests": {"cpu": "1"}}}) == {"cpu": 1100}


def test_a_refused_pod_has_failed_and_says_why(world):
    for name in ("a", "b"):
        container = {"name": "c", "image": "nginx", "resources": {"requests": {"cpu": "3"}}}
        spec = {"nodeName": "n1", "containers": [container]}
        meta = {"name": name, "namespace": "default"}
        world.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    world.settle()
    assert world.pod("a")["status"]["phase"] == "Running"
    text = "Node didn't have enough resource: cpu, requested: 3000, used: 3000, capacity: 4000"
    status = world.pod("b")["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "OutOfcpu", f"Pod was rejected: {text}")
    assert "containerStatuses" not in status
    assert world.events("b") == [("OutOfcpu", text)]
    assert not world.undecided()
    world.delete("b")
    world.settle()
    assert [pod["metadata"]["name"] for pod in world.pods()] == ["a"]
