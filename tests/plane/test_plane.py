"""The Python door: what an embedding program may rely on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.clock import EPOCH
from kctl.api.errors import KctlError, StatusError, UsageError
from kctl.plane import cluster as clusters


def deployment(replicas: int = 2, cpu: str = "100m") -> dict[str, Any]:
    container = {"name": "c", "image": "example/c:1", "resources": {"requests": {"cpu": cpu}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }


DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def test_a_deployment_converges_on_virtual_time() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        assert cp.request("POST", DEPLOYMENTS, body=deployment()).status == 201
        report = cp.converge(timeout="10m")
        assert report["verdict"] == "Converged"
        assert cp.now == EPOCH + report["virtualSeconds"]
        pods = cp.request("GET", "/api/v1/namespaces/default/pods").json()["items"]
        assert {pod["status"]["phase"] for pod in pods} == {"Running"}


def test_a_pod_that_does_not_fit_is_explained_node_by_node() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.request("POST", DEPLOYMENTS, body=deployment(1, "100"))
        report = cp.converge()
        assert report["verdict"] == "Settled"
        name = cp.client.list("pods").items[0]["metadata"]["name"]
        decision = cp.scheduling("default", name)
        assert decision["node"] is None
        assert {found["reason"] for found in decision["nodes"].values()} == {"Insufficient cpu"}
        assert decision["message"] == report["residual"][0]["message"]


def test_the_decision_for_a_bound_pod_has_the_scores_that_led_to_it() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.request("POST", DEPLOYMENTS, body=deployment(1))
        cp.converge()
        name = cp.client.list("pods").items[0]["metadata"]["name"]
        decision = cp.scheduling("default", name)
        assert decision["node"] in decision["best"]
        totals = {node: found["total"] for node, found in decision["nodes"].items()}
        assert {node for node, total in totals.items() if total == max(totals.values())} == set(decision["best"])


def test_scheduling_of_a_pod_that_is_not_there_is_not_found() -> None:
    with ControlPlane.open(None) as cp, pytest.raises(StatusError, match='pods "x" not found'):
        cp.scheduling("default", "x")


def test_time_passes_only_when_asked_to() -> None:
    with ControlPlane.open(None) as cp:
        cp.converge()
        before = cp.now
        cp.advance("90s")
        assert cp.now == before + 90


def test_a_folder_keeps_objects_and_time(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=1) as cp:
        cp.request("POST", DEPLOYMENTS, body=deployment())
        cp.converge()
        cp.advance("1h")
        seen = (cp.now, cp.revision)
    with ControlPlane.open(tmp_path / "state") as cp:
        assert (cp.now, cp.revision) == seen
        assert cp.client.get("deployments.apps", "default", "web")["status"]["availableReplicas"] == 2


def test_a_converged_store_is_a_fixed_point_in_a_fresh_plane_with_the_mark_bypassed(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=2) as cp:
        cp.request("POST", DEPLOYMENTS, body=deployment())
        cp.converge()
        before = cp.revision
    with ControlPlane.open(tmp_path / "state") as cp:
        cp.use_mark(False)
        assert cp.converge()["consequence"] == []
        assert cp.revision == before


def test_a_marked_revision_is_not_run_again(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=2) as cp:
        cp.converge()
    with ControlPlane.open(tmp_path / "state") as cp:
        cp.converge()
        assert not cp.converger.has_run


def test_two_planes_on_one_folder_see_each_others_writes(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=1) as one, ControlPlane.open(tmp_path / "state") as two:
        one.request("POST", DEPLOYMENTS, body=deployment(1))
        assert two.request("POST", DEPLOYMENTS, body=deployment(1)).status == 409
        two.converge()
        one.refresh()
        assert one.client.get("deployments.apps", "default", "web")["status"]["readyReplicas"] == 1


def test_a_request_after_a_run_on_a_new_plane_finds_the_bootstrap_objects() -> None:
    with ControlPlane.open(None) as cp:
        cp.converge()
        assert cp.request("GET", "/api/v1/namespaces/default").status == 200


def test_what_goes_through_the_client_is_kept(tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "default"}}
    with ControlPlane.open(tmp_path / "state") as cp:
        cp.client.create("configmaps", config)
        cp.converge()
        cp.client.create("configmaps", {**config, "metadata": {"name": "d", "namespace": "default"}})
    with ControlPlane.open(tmp_path / "state") as cp:
        names = [found["metadata"]["name"] for found in cp.client.list("configmaps", "default").items]
        assert names == ["c", "d", "kube-root-ca.crt"]


def test_a_watch_goes_on_over_a_compaction_without_an_event_too_many() -> None:
    path = "/api/v1/namespaces/default/configmaps"
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    with ControlPlane.open(None, controllers=[]) as cp:
        watch = cp.request("GET", f"{path}?watch=true")
        cp.compact()
        cp.request("POST", path, body=config)
        seen = [(event["type"], event["object"]["metadata"]["name"]) for event in watch.events()]
        assert seen == [("ADDED", "c")]


def test_what_every_cluster_starts_with_comes_back() -> None:
    path = "/api/v1/namespaces/default/services/kubernetes"
    with ControlPlane.open(None, controllers=[]) as cp:
        before = cp.request("GET", path).json()
        cp.request("DELETE", path)
        assert cp.request("GET", path).status == 404
        cp.converge()
        after = cp.request("GET", path).json()
        assert after["spec"] == before["spec"]
        assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_only_the_named_controllers_run() -> None:
    with ControlPlane.open(None, nodes=1, controllers=["deployment-controller"]) as cp:
        cp.request("POST", DEPLOYMENTS, body=deployment())
        cp.converge()
        assert len(cp.client.list("replicasets.apps").items) == 1
        assert cp.client.list("pods").items == []


@pytest.mark.parametrize(
    "wrong",
    [{"kubernetes": "1.20"}, {"authorization": "ABAC"}],
    ids=["another minor", "ABAC"],
)
def test_what_is_not_built_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"not built yet|no such authorization mode"):
        ControlPlane.open(None, **wrong)


def test_an_unknown_controller_is_named() -> None:
    with (
        ControlPlane.open(None, controllers=["deployment-controler"]) as cp,
        pytest.raises(UsageError, match="deployment-controler"),
    ):
        cp.converge()


def test_an_unknown_cloud_is_named() -> None:
    with ControlPlane.open(None, cloud="moon") as cp, pytest.raises(KctlError, match="moon"):
        cp.converge()


@pytest.mark.parametrize("wrong", [-1, "-5s", float("inf"), float("nan"), "1000000h"])
def test_time_that_cannot_pass_is_refused(wrong: str | float) -> None:
    with ControlPlane.open(None) as cp:
        before = cp.now
        with pytest.raises(UsageError, match="is not a duration"):
            cp.advance(wrong)
        with pytest.raises(UsageError, match="is not a duration"):
            cp.converge(timeout=wrong)
        assert cp.now == before


def test_nodes_that_a_changed_shape_lacks_or_describes_anew_are_said(tmp_path: Path) -> None:
    def notes(nodes: int, node_type: str) -> list[str]:
        with ControlPlane.for_cluster(tmp_path, clusters.default(nodes=nodes, node_type=node_type)) as cp:
            return cp.shape_notes

    assert notes(2, "4cpu,16Gi") == []
    assert notes(3, "4cpu,16Gi") == []
    assert [note.partition(":")[0] for note in notes(2, "8cpu,16Gi")] == [
        "the shape has no node-3 any more",
        "the shape describes node-1, node-2 anew",
    ]
