"""Two planes on one folder: what each knows of what the other did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.clock import EPOCH
from kctl.plan import consequence
from kctl.plane import cluster as clusters
from kctl.runtime.lease import KEY, LEASES

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
SERVICES = "/api/v1/namespaces/default/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def config(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def service(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    }


def deployment(name: str, replicas: int) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "example/c:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }


def config_maps(plane: Any) -> list[str]:
    return [found["metadata"]["name"] for found in plane.client.list("configmaps", "default").items]


def test_a_drafted_plane_takes_the_cluster_that_another_process_made_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    draft = ControlPlane.drafted(clusters.default(nodes=2))
    with draft.server.fork():  # planning builds the allocator on the draft
        draft.client.create("services", service("planned"))
    with ControlPlane.open(folder, nodes=3) as first:
        first.request("POST", SERVICES, body=service("theirs"))
        first.advance("1h")
        taken = first.client.get("services", "default", "theirs")["spec"]
    with draft:
        assert draft.settle(folder) is False
        assert draft.now == EPOCH + 3600
        assert len(draft.client.list("instances.cloud.kctl.dev").items) == 3
        made = draft.request("POST", SERVICES, body=service("mine")).json()["spec"]
        assert made["clusterIP"] != taken["clusterIP"]
        assert made["ports"][0]["nodePort"] != taken["ports"][0]["nodePort"]


def test_of_two_drafts_of_one_folder_the_slower_redoes_its_work(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with ControlPlane.drafted(clusters.default()) as one, ControlPlane.drafted(clusters.default()) as two:
        assert one.settle(folder)
        assert two.settle(folder)
        assert one.request("POST", CONFIG_MAPS, body=config("one")).status == 201
        assert two.request("POST", CONFIG_MAPS, body=config("two")).status == 201
        one.refresh()
        assert config_maps(one) == config_maps(two) == ["one", "two"]


def test_two_processes_that_open_an_empty_store_agree_on_the_nodes(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    drafted = ControlPlane.drafted(clusters.default())
    drafted.settle(folder)  # the store is there now and empty, as after a kill
    drafted.store.close()
    with ControlPlane.for_cluster(folder, clusters.default()) as plane:
        assert plane.converge()["verdict"] == "Converged"
        assert len(plane.client.list("nodes").items) == 3


def test_time_another_process_let_pass_is_not_taken_back(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=1) as slow, ControlPlane.open(tmp_path / "state") as fast:
        fast.converge()
        fast.advance("2h")
        slow.request("POST", DEPLOYMENTS, body=deployment("web", 1))
        slow.converge()
        pod = slow.client.list("pods").items[0]
        assert pod["metadata"]["creationTimestamp"] >= "2026-01-01T02:00:00Z"
        assert slow.store.head().now == slow.now >= EPOCH + 7200


def test_what_a_lost_race_took_back_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    with ControlPlane.open(folder, nodes=1) as plane, ControlPlane.open(folder) as other:
        plane.request("POST", DEPLOYMENTS, body=deployment("web", 3))
        other.refresh()
        commit = plane.store.commit
        races = iter([CONFIG_MAPS])

        def lose_once(*args: Any, **more: Any) -> Any:
            for path in races:
                other.request("POST", path, body=config("between"))
            return commit(*args, **more)

        monkeypatch.setattr(plane.store, "commit", lose_once)
        plane.run()
        found = consequence.records(plane.converger.trace, plane.converger.times, plane.client.list("pods").items)
        pods = next(record for record in found if record["type"] == "pods")
        assert next(races, None) is None
        assert sum(pods["created"].values()) == 3
        assert not pods["deleted"]
        assert next(record["created"] for record in found if record["type"] == "nodes") == ["node-1"]


def test_what_fewer_loops_found_quiet_is_run_again_by_all(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with ControlPlane.open(folder, nodes=1, controllers=[]) as bare:
        bare.request("POST", DEPLOYMENTS, body=deployment("web", 1))
        assert bare.converge()["consequence"] == []
    with ControlPlane.open(folder) as plane:
        plane.converge()
        assert plane.client.get("deployments.apps", "default", "web")["status"]["readyReplicas"] == 1


def test_a_mark_that_cannot_be_read_costs_a_run_and_nothing_else(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state") as plane:
        plane.converge()
        for mark in (b"", b"{", b"[]", b"7", json.dumps({"revision": plane.revision}).encode()):
            plane.store.set_hint("converged", mark)
            assert not plane.converger.is_marked()
        plane.converge()
        assert plane.converger.is_marked()


def test_each_takeover_of_convergence_counts_the_fencing_token_up(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with ControlPlane.open(folder, nodes=1) as one, ControlPlane.open(folder) as two:
        for n, plane in enumerate((one, two, one)):
            plane.request("POST", DEPLOYMENTS, body=deployment(f"web-{n}", 1))
            plane.converge()
            assert plane.client.get(LEASES, *KEY)["spec"]["leaseTransitions"] == n
