"""Taints of devices in a whole cluster: who has a tainted device goes, at its time, unless its claim tolerates it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.plane import cluster as clusters

Obj = dict[str, Any]
CLAIMS, SLICES = "resourceclaims.resource.k8s.io", "resourceslices.resource.k8s.io"
TEMPLATES, CLASSES = "resourceclaimtemplates.resource.k8s.io", "deviceclasses.resource.k8s.io"
BROKEN = {"key": "example.com/broken", "effect": "NoExecute"}


def offer(*taints: Obj) -> Obj:
    devices = [{"name": "gpu-0", "taints": list(taints)} if taints else {"name": "gpu-0"}, {"name": "gpu-1"}]
    pool = {"name": "gpus", "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "gpu.example.com", "pool": pool, "allNodes": True, "devices": devices}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": {"name": "gpus"}, "spec": spec}


def claim(name: str, *tolerations: Obj) -> Obj:
    wanted = {"deviceClassName": "gpu", **({"tolerations": list(tolerations)} if tolerations else {})}
    spec = {"devices": {"requests": [{"name": "gpu", "exactly": wanted}]}}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": metadata, "spec": spec}


def pod(name: str, of: str) -> Obj:
    spec = {
        "containers": [{"name": "c", "image": "example/train:1"}],
        "resourceClaims": [{"name": "gpu", "resourceClaimName": of}],
        "terminationGracePeriodSeconds": 0,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


@pytest.fixture
def cp() -> Any:
    """A cluster whose nodes all reach the same two devices."""
    with ControlPlane.open(None, cloud="local") as plane:
        plane.shape_nodes(clusters.parse({"spec": {"nodeGroups": [{"name": "small", "count": 1}]}}))
        plane.client.create(
            CLASSES,
            {"apiVersion": "resource.k8s.io/v1", "kind": "DeviceClass", "metadata": {"name": "gpu"}, "spec": {}},
        )
        plane.client.create(SLICES, offer())
        plane.converge()
        yield plane


def running(cp: ControlPlane, *tolerations: Obj) -> None:
    """Have two pods, the first with the first device."""
    cp.client.create(CLAIMS, claim("a", *tolerations))
    cp.client.create(CLAIMS, claim("b"))
    cp.client.create("pods", pod("a", "a"))
    cp.converge()
    cp.client.create("pods", pod("b", "b"))
    cp.converge()
    assert names(cp) == {"a": "Running", "b": "Running"}


def names(cp: ControlPlane) -> dict[str, str]:
    return {one["metadata"]["name"]: one["status"].get("phase", "") for one in cp.client.list("pods").items}


def taint(cp: ControlPlane, *taints: Obj) -> Obj:
    there = cp.client.get(SLICES, "", "gpus")
    return cp.client.update(SLICES, {**there, "spec": offer(*taints)["spec"]})


def said(cp: ControlPlane) -> list[str]:
    events = cp.client.list("events").items
    return sorted(one["message"] for one in events if one["reason"] == "DeviceTaintManagerEviction")


def test_who_has_a_device_with_a_no_execute_taint_goes_at_once(cp: ControlPlane) -> None:
    running(cp)
    taint(cp, BROKEN)
    cp.converge()
    assert names(cp) == {"b": "Running"}
    assert said(cp) == ["Marking for deletion"]


def test_a_no_schedule_taint_drives_nobody_away(cp: ControlPlane) -> None:
    running(cp)
    taint(cp, {**BROKEN, "effect": "NoSchedule"})
    cp.converge()
    assert names(cp) == {"a": "Running", "b": "Running"}


@pytest.mark.parametrize(
    ("toleration", "stays"),
    [
        ({"operator": "Exists", "effect": "NoExecute"}, True),
        ({"operator": "Exists"}, False),
        ({"key": "example.com/other", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_a_claim_tolerates_what_it_names_with_its_effect(cp: ControlPlane, toleration: Obj, stays: bool) -> None:
    running(cp, toleration)
    taint(cp, BROKEN)
    cp.converge()
    assert ("a" in names(cp)) is stays


FOR_A_WHILE = {"key": BROKEN["key"], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}


def test_a_taint_is_tolerated_for_its_seconds(cp: ControlPlane) -> None:
    running(cp, FOR_A_WHILE)
    since = taint(cp, BROKEN)["spec"]["devices"][0]["taints"][0]["timeAdded"]
    cp.advance("299s")
    assert "a" in names(cp)
    cp.advance("2s")
    assert names(cp) == {"b": "Running"}
    again = taint(cp, BROKEN)
    assert again["spec"]["devices"][0]["taints"][0]["timeAdded"] == since
    assert again["metadata"]["generation"] == 2


def test_a_taint_that_goes_calls_the_eviction_off(cp: ControlPlane) -> None:
    running(cp, FOR_A_WHILE)
    taint(cp, BROKEN)
    cp.advance("10s")
    taint(cp)
    cp.advance("400s")
    assert names(cp) == {"a": "Running", "b": "Running"}
    assert said(cp) == ["Cancelling deletion"]
