"""``kctl.yaml`` changes: nodes go, come back, or are replaced, as a user sees it."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

CLUSTER = """
apiVersion: kctl.dev/v1
kind: Cluster
metadata: {name: c}
spec:
  cloud: %s
  nodeGroups:
    - {name: node, count: %d, type: "%s"}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example/web:1", resources: {requests: {cpu: 1}}}]}
"""
ROUNDS = 8
SEED = 20260101


def shape(kctl: Any, nodes: int, node_type: str = "4cpu,16Gi", cloud: str = "local") -> None:
    kctl.write("kctl.yaml", CLUSTER % (cloud, nodes, node_type))


def begin(kctl: Any, nodes: int, cloud: str = "local") -> None:
    shape(kctl, nodes, cloud=cloud)
    kctl.write("web.yaml", WEB)
    kctl("apply", "-f", "web.yaml")
    kctl("advance", "10m")


def nodes(kctl: Any) -> list[str]:
    return [node["metadata"]["name"] for node in kctl("get", "nodes", "-o", "json").json()["items"]]


def hosts(kctl: Any) -> list[str]:
    pods = kctl("get", "pods", "-o", "json").json()["items"]
    return sorted(pod["spec"].get("nodeName", "") for pod in pods if pod["status"]["phase"] == "Running")


@pytest.mark.parametrize("cloud", ["local", "none"])
@pytest.mark.parametrize("verb", [("converge",), ("apply", "-f", "web.yaml")], ids=["converge", "apply"])
def test_a_node_less_and_its_pods_are_placed_again(kctl: Any, verb: tuple[str, ...], cloud: str) -> None:
    begin(kctl, 3, cloud)
    shape(kctl, 2, cloud=cloud)
    ran = kctl(*verb)
    lines = [line.strip() for line in ran.out.splitlines()]
    assert "-1 node: node-3" in lines
    assert any(line.startswith("deployment.apps/web: +2 pods") and "-2 pods" in line for line in lines)
    assert lines[-1].startswith("Converged after ")
    assert ran.err == ""
    assert (nodes(kctl), hosts(kctl)) == (["node-1", "node-2"], ["node-1"] * 3 + ["node-2"] * 3)
    kctl.fixed_point()


def test_no_nodes_and_everything_is_pending(kctl: Any) -> None:
    begin(kctl, 2)
    shape(kctl, 0)
    ran = kctl("converge", code=3)
    assert "-2 nodes: node-1, node-2" in ran.out
    assert "6 pods of deployment.apps/web Unschedulable: no nodes available to schedule pods" in ran.out
    assert (nodes(kctl), hosts(kctl)) == ([], [])
    kctl.fixed_point()
    shape(kctl, 2)
    assert "+2 nodes: node-1, node-2" in kctl("converge").out
    assert len(hosts(kctl)) == 6
    kctl.fixed_point()


def test_a_resized_group_is_replaced(kctl: Any) -> None:
    begin(kctl, 2)
    shape(kctl, 2, "8cpu,32Gi")
    report = kctl("apply", "-f", "web.yaml", "-o", "json").json()
    names = ["node-1", "node-2"]
    assert {"type": "nodes", "created": names, "deleted": names} in report["consequence"]
    for node in kctl("get", "nodes", "-o", "json").json()["items"]:
        for what in ("capacity", "allocatable"):
            assert (node["status"][what]["cpu"], node["status"][what]["memory"]) == ("8", "32Gi")
    assert len(hosts(kctl)) == 6
    kctl.fixed_point()


@pytest.mark.parametrize(
    "args",
    [
        ("apply", "-f", "web.yaml", "--dry-run=server"),
        ("diff",),
        ("get", "nodes"),
        ("describe", "nodes"),
        ("status",),
        ("why", "deploy/web"),
        ("label", "deploy", "web", "a=b"),
        ("advance", "1h"),
    ],
    ids=lambda args: args[0],
)
def test_who_does_not_ask_for_the_shape_takes_no_node_away(kctl: Any, args: tuple[str, ...]) -> None:
    begin(kctl, 2)
    shape(kctl, 1)
    ran = kctl(*args, code=None)
    assert ran.code in (0, 1)
    if args[0] in ("label", "advance"):
        note = "kctl.yaml: the shape has no node-2 any more: the next apply or converge takes it away"
        assert note in ran.err
    assert len(nodes(kctl)) == 2


def test_without_its_manifest_a_cluster_keeps_its_nodes(kctl: Any) -> None:
    begin(kctl, 5)
    (kctl.folder / "kctl.yaml").unlink()
    kctl("apply", "-f", "web.yaml")
    assert len(nodes(kctl)) == 5


def test_manifests_that_are_refused_take_no_node_away(kctl: Any) -> None:
    begin(kctl, 2)
    shape(kctl, 1)
    kctl.write("web.yaml", WEB.replace("replicas: 6", "replicas: -6"))
    assert kctl("apply", "-f", "web.yaml", code=None).code not in (0, 3)
    assert len(nodes(kctl)) == 2


def test_a_taint_that_evicts_moves_the_pods(kctl: Any) -> None:
    begin(kctl, 2)
    ran = kctl("taint", "nodes", "node-1", "k=v:NoExecute", code=None)
    kctl("converge", code=3)
    assert set(hosts(kctl)) == {"node-2"}, ran.out
    events = kctl("get", "events", "-o", "json").json()["items"]
    assert any(event["reason"] == "TaintManagerEviction" for event in events)
    kctl.fixed_point()


@pytest.mark.slow
def test_a_converge_killed_at_any_moment_is_finished_by_the_next(kctl: Any, another: Callable[[], Any]) -> None:
    moments = random.Random(SEED)
    for _ in range(ROUNDS):
        other = another()
        begin(other, 3)
        shape(other, 2, "8cpu,16Gi")
        with other.start("converge") as process:
            try:
                process.wait(moments.uniform(0.05, 0.6))
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
        other("converge")
        assert nodes(other) == ["node-1", "node-2"]
        assert len(hosts(other)) == 6
        other.fixed_point()
