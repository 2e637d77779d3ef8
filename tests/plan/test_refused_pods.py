"""Pods that admission refuses: the report names the quota or the standard, once."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane


def deployment(replicas: int, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "example/c:1"}], **spec},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


def shop(plane: ControlPlane, **labels: str) -> None:
    meta = {"name": "shop", "labels": {f"pod-security.kubernetes.io/{name}": value for name, value in labels.items()}}
    plane.client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    plane.converge()


def quota(hard: dict[str, str]) -> dict[str, Any]:
    meta = {"name": "q", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}


@pytest.mark.parametrize("replicas", [4, 40])
def test_a_quota_that_is_too_small_is_the_only_blocker(replicas: int) -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        shop(plane)
        plane.client.create("resourcequotas", quota({"pods": "3"}))
        plane.client.create("deployments.apps", deployment(replicas))
        report = plane.converge()
        (blocker,) = report["residual"]
        assert (report["verdict"], blocker["owner"], blocker["reason"]) == (
            "Settled",
            "deployment.apps/web",
            "FailedCreate",
        )
        assert blocker["message"].endswith("exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3")
        assert len(plane.client.list("pods", "shop").items) == 3
        assert plane.client.get("resourcequotas", "shop", "q")["status"]["used"] == {"pods": "3"}


def test_room_that_comes_is_taken() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        shop(plane)
        made = plane.client.create("resourcequotas", quota({"pods": "1"}))
        plane.client.create("deployments.apps", deployment(2))
        assert plane.converge()["verdict"] == "Settled"
        live = plane.client.get("resourcequotas", "shop", "q")
        plane.client.update("resourcequotas", {**live, "spec": {"hard": {"pods": "2"}}})
        assert plane.converge()["verdict"] == "Converged"
        assert made["metadata"]["uid"] == live["metadata"]["uid"]


def test_a_pod_below_the_standard_is_the_only_blocker() -> None:
    with ControlPlane.open(None, nodes=1) as plane:
        shop(plane, enforce="baseline")
        plane.client.create("deployments.apps", deployment(1, hostPID=True))
        (blocker,) = plane.converge()["residual"]
        assert blocker["message"].endswith('violates PodSecurity "baseline:latest": host namespaces (hostPID=true)')
