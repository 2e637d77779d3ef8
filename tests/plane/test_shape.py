"""A cluster is kept to its shape: nodes that go, come back, or are replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.plane import cluster as clusters
from kctl.plane import shape

INSTANCES = "instances.cloud.kctl.dev"
CLOUDS = pytest.mark.parametrize("cloud", ["none", "local"])
AGE = "10m"
"""How long pods run before anything happens to their nodes: the pod garbage collector spares young ones."""


def deployment(replicas: int) -> dict[str, Any]:
    requests = {"resources": {"requests": {"cpu": "1"}}}
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "example/c:1", **requests}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


def shaped(nodes: int, cloud: str = "local", cpu: str = "4") -> clusters.Cluster:
    return clusters.default(nodes=nodes, node_type=f"{cpu}cpu,16Gi", cloud=cloud)


def running(cp: ControlPlane, nodes: int, cloud: str, replicas: int = 6) -> None:
    cp.shape_nodes(shaped(nodes, cloud))
    cp.client.create("deployments.apps", deployment(replicas))
    assert cp.converge()["verdict"] == "Converged"
    cp.advance(AGE)


def plane(cloud: str, nodes: int = 3, replicas: int = 6) -> ControlPlane:
    cp = ControlPlane.open(None, cloud=cloud)
    running(cp, nodes, cloud, replicas)
    return cp


def reshape(cp: ControlPlane, to: clusters.Cluster) -> dict[str, Any]:
    """Converge to a shape and check that there is nothing left to do."""
    assert cp.shape_nodes(to, remove=True) == []
    report: dict[str, Any] = cp.converge()
    before = cp.revision
    cp.use_mark(False)
    again = cp.converge()
    assert (again["consequence"], again["verdict"]) == ([], report["verdict"])
    assert cp.revision == before
    return report


def nodes(cp: ControlPlane) -> list[str]:
    return [node["metadata"]["name"] for node in cp.client.list("nodes").items]


def hosts(cp: ControlPlane) -> list[str]:
    """Return where the pods run."""
    pods = cp.client.list("pods").items
    return sorted(pod["spec"].get("nodeName", "") for pod in pods if pod["status"]["phase"] == "Running")


def record(report: dict[str, Any], type_: str) -> dict[str, Any]:
    [found] = [entry for entry in report["consequence"] if entry["type"] == type_]
    return dict(found)


@CLOUDS
def test_pods_of_a_node_that_is_taken_out_are_placed_again(cloud: str) -> None:
    with plane(cloud) as cp:
        report = reshape(cp, shaped(2, cloud))
        assert report["verdict"] == "Converged"
        assert nodes(cp) == ["node-1", "node-2"]
        assert hosts(cp) == ["node-1"] * 3 + ["node-2"] * 3
        assert record(report, "nodes") == {"type": "nodes", "created": [], "deleted": ["node-3"]}
        moved = record(report, "pods")
        assert [sum(moved[what].values()) for what in ("created", "deleted")] == [2, 2]
        assert len(cp.client.list(INSTANCES).items) == 2


@CLOUDS
def test_without_nodes_all_pods_wait_and_run_again_when_there_are_some(cloud: str) -> None:
    with plane(cloud, nodes=2) as cp:
        report = reshape(cp, shaped(0, cloud))
        assert report["verdict"] == "Settled"
        [entry] = report["residual"]
        assert (entry["reason"], entry["message"]) == ("Unschedulable", "no nodes available to schedule pods")
        assert entry["count"] == 6
        assert (nodes(cp), hosts(cp)) == ([], [])
        assert reshape(cp, shaped(3, cloud))["verdict"] == "Converged"
        assert len(hosts(cp)) == 6


@CLOUDS
@pytest.mark.parametrize(("cpu", "left"), [("8", 6), ("2", 4)], ids=["larger", "smaller"])
def test_a_group_of_another_size_has_new_nodes_of_the_old_names(cloud: str, cpu: str, left: int) -> None:
    with plane(cloud, nodes=2) as cp:
        uids = {node["metadata"]["uid"] for node in cp.client.list("nodes").items}
        report = reshape(cp, shaped(2, cloud, cpu))
        names = ["node-1", "node-2"]
        assert record(report, "nodes") == {"type": "nodes", "created": names, "deleted": names}
        for node in cp.client.list("nodes").items:
            assert node["metadata"]["uid"] not in uids
            assert {node["status"][what]["cpu"] for what in ("capacity", "allocatable")} == {cpu}
        assert len(hosts(cp)) == left
        assert report["verdict"] == ("Converged" if left == 6 else "Settled")


def test_a_machine_takes_a_name_only_when_the_pods_of_the_former_are_gone() -> None:
    with ControlPlane.open(None) as cp:
        cp.shape_nodes(shaped(1, "none"))
        cp.client.create("deployments.apps", deployment(2))
        cp.converge()
        before = {pod["metadata"]["uid"] for pod in cp.client.list("pods").items}
        report = reshape(cp, shaped(1, "none", "8"))
        assert before.isdisjoint(pod["metadata"]["uid"] for pod in cp.client.list("pods").items)
        assert 30 < report["virtualSeconds"] < 60  # young pods are spared for 40 s


def test_only_a_run_that_was_asked_to_takes_nodes_away() -> None:
    with plane("none") as cp:
        for _ in range(2):
            [note] = cp.shape_nodes(shaped(2, "none"))
            assert note == "the shape has no node-3 any more: the next apply or converge takes it away"
            assert cp.converge()["consequence"] == []
            assert len(nodes(cp)) == 3


def test_a_node_that_somebody_else_made_stays() -> None:
    own = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "mine"}}
    machine = {
        "apiVersion": "cloud.kctl.dev/v1",
        "kind": "Instance",
        "metadata": {"name": "extra"},
        "spec": {"provider": "local", "cpu": "1"},
    }
    with plane("local") as cp:
        cp.client.create("nodes", own)
        cp.client.create(INSTANCES, machine)
        cp.converge()
        reshape(cp, shaped(1))
        assert nodes(cp) == ["extra", "mine", "node-1"]


def test_a_node_that_was_deleted_by_hand_does_not_keep_its_machine_from_going() -> None:
    with plane("none") as cp:
        cp.client.delete("nodes", Key("", "node-3"))
        reshape(cp, shaped(2, "none"))
        assert nodes(cp) == ["node-1", "node-2"]
        assert len(cp.client.list(INSTANCES).items) == 2


def test_a_machine_that_its_finalizer_keeps_is_replaced_when_that_is_gone() -> None:
    with plane("none", nodes=1, replicas=2) as cp:
        cp.client.patch(INSTANCES, Key("", "node-1"), {"metadata": {"finalizers": ["example.com/keep"]}})
        assert reshape(cp, shaped(1, "none", "8"))["verdict"] == "Settled"
        assert nodes(cp) == []
        cp.client.patch(INSTANCES, Key("", "node-1"), {"metadata": {"finalizers": None}})
        assert reshape(cp, shaped(1, "none", "8"))["verdict"] == "Converged"
        assert cp.client.get("nodes", "", "node-1")["status"]["capacity"]["cpu"] == "8"


@CLOUDS
def test_what_is_not_committed_yet_is_done_by_the_next_run(tmp_path: Path, cloud: str) -> None:
    with ControlPlane.for_cluster(tmp_path, shaped(3, cloud)) as cp:
        cp.client.create("deployments.apps", deployment(6))
        cp.converge()
        cp.advance(AGE)
    with ControlPlane.for_cluster(tmp_path, shaped(2, cloud), remove=True) as cp:
        assert len(cp.client.list(INSTANCES).items) == 3  # nothing before a run
    with ControlPlane.for_cluster(tmp_path, shaped(2, cloud), remove=True) as cp:
        assert record(cp.converge(), "nodes")["deleted"] == ["node-3"]
        assert len(hosts(cp)) == 6


def test_another_process_that_writes_meanwhile_does_not_undo_it(tmp_path: Path) -> None:
    with ControlPlane.for_cluster(tmp_path, shaped(3, "none")) as cp:
        cp.converge()
    other = ControlPlane.for_cluster(tmp_path, shaped(3, "none"))
    with ControlPlane.for_cluster(tmp_path, shaped(2, "none"), remove=True) as cp:
        cp.converger.manager.pump()
        begin, begun = cp._reshape, []

        def interrupted() -> None:
            begin()
            begun.append(cp.revision)
            if len(begun) == 1:
                config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
                other.request("POST", "/api/v1/namespaces/default/configmaps", body=config)

        cp._reshape = interrupted  # type: ignore[method-assign]
        report = cp.converge()
        assert len(begun) == 2
        assert record(report, "nodes")["deleted"] == ["node-3"]
        assert nodes(cp) == ["node-1", "node-2"]
    other.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"cpu": "8"}, ["the shape describes m-1 anew: the next apply or converge replaces it"]),
        ({"zone": None}, []),
        ({"kubelet": {}}, ["the shape describes m-1 anew: the next apply or converge replaces it"]),
        (
            {"staticPods": [{"metadata": {"name": "a"}}]},
            ["the shape gives m-1 other static pods: the next apply or converge brings them"],
        ),
    ],
    ids=["as it is", "another size", "what an older version did not state", "another kubelet", "other static pods"],
)
def test_a_machine_is_compared_by_what_it_states(change: dict[str, Any], words: list[str]) -> None:
    group = clusters.NodeGroup("m", 1, "4", "16Gi", 110, ("a",), {}, ())
    cluster = shaped(0, "none")._replace(groups=(group,))
    [there] = clusters.instances(cluster)
    there["spec"] = {name: value for name, value in {**there["spec"], **change}.items() if value is not None}
    with ControlPlane.open(None) as cp:
        cp.client.create(INSTANCES, there)
        assert shape.difference(cp.client, cluster).notes() == words
