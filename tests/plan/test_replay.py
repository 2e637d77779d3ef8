"""Decisions taken again on what the log says the cluster was."""

from __future__ import annotations

from typing import Any

from kctl import ControlPlane
from tests.plan.test_remedies import pod

Obj = dict[str, Any]


def test_a_pod_that_waited_for_its_volume_is_judged_by_its_claim_as_it_was() -> None:
    with ControlPlane.open(None, nodes=3, cloud="local") as cp:
        cp.converge()
        size = {"requests": {"storage": "1Gi"}}
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "default"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": size},
        }
        cp.client.create("persistentvolumeclaims", claim)
        cp.client.create("pods", pod("x", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]))
        assert cp.converge()["verdict"] == "Converged"
        cp.refresh()  # another process knows no decision
        found = cp.scheduling("default", "x")
        assert found["node"] == cp.client.get("pods", "default", "x")["spec"]["nodeName"]
        assert [node["reason"] for node in found["nodes"].values()] == [None, None, None]
        assert found["revision"] < cp.revision


def test_pods_of_one_instant_are_taken_again_in_their_order() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.converge()
        for n in range(6):
            cp.client.create("pods", pod(f"p{n}"))
        cp.converge()
        told = {f"p{n}": cp.scheduling("default", f"p{n}") for n in range(6)}
        cp.refresh()
        for name, first in told.items():
            again = cp.scheduling("default", name)
            assert again["nodes"] == first["nodes"], name
            assert again["best"] == first["best"]


def test_what_the_log_has_forgotten_is_computed_on_what_is() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.converge()
        cp.client.create("pods", pod("x"))
        cp.converge()
        cp.compact()
        cp.refresh()
        assert "revision" not in cp.scheduling("default", "x")
