"""Nodes that are lost: conditions, taints, rates by zone, and what becomes of their pods."""

from __future__ import annotations

import pytest

from kctl import ControlPlane
from kctl.api.clock import EPOCH
from kctl.controllers.nodelifecycle import NodeLifecycleController, NodeSeen


def node(*conditions, unschedulable=False, taints=()):
    statuses = [{"type": type_, "status": status} for type_, status in conditions]
    spec = {"unschedulable": True} if unschedulable else {}
    if taints:
        spec["taints"] = list(taints)
    return {"metadata": {"name": "n1"}, "spec": spec, "status": {"conditions": statuses}}


def taint(key, effect="NoSchedule"):
    return {"key": key, "effect": effect}


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        pytest.param(node(("Ready", "True")), None, id="healthy"),
        pytest.param(node(("Ready", "False")), ["node.kubernetes.io/not-ready"], id="not ready"),
        pytest.param(node(("Ready", "Unknown")), ["node.kubernetes.io/unreachable"], id="silent"),
        pytest.param(node(("MemoryPressure", "True")), ["node.kubernetes.io/memory-pressure"], id="memory"),
        pytest.param(node(("DiskPressure", "True")), ["node.kubernetes.io/disk-pressure"], id="disk"),
        pytest.param(node(("PIDPressure", "True")), ["node.kubernetes.io/pid-pressure"], id="processes"),
        pytest.param(node(("NetworkUnavailable", "True")), ["node.kubernetes.io/network-unavailable"], id="network"),
        pytest.param(node(unschedulable=True), ["node.kubernetes.io/unschedulable"], id="cordoned"),
        pytest.param(node(taints=[taint("node.kubernetes.io/not-ready")]), [], id="recovered"),
        pytest.param(node(taints=[taint("mine")]), None, id="a user's taint is not touched"),
        pytest.param(
            node(taints=[taint("node.kubernetes.io/not-ready", "NoExecute")]), None, id="nor one of another effect"
        ),
        pytest.param(
            node(("Ready", "Unknown"), taints=[taint("mine"), taint("node.kubernetes.io/not-ready")]),
            ["mine", "node.kubernetes.io/unreachable"],
            id="one gives way to another",
        ),
    ],
)
def test_conditions_become_taints(given, keys):
    actions = NodeLifecycleController().decide(NodeSeen(given, []), EPOCH).actions
    if keys is None:
        assert actions == ()
        return
    (action,) = actions
    taints = action.patch["spec"]["taints"] or []
    assert [found["key"] for found in taints] == keys
    after = {**given, "spec": {**given["spec"], "taints": taints}}
    assert NodeLifecycleController().decide(NodeSeen(after, []), EPOCH).actions == ()


def test_a_heartbeat_wakes_nobody():
    with ControlPlane.open(None, nodes=1, cloud="none") as plane:
        plane.run()
        (node,) = plane.client.list("nodes").items
        conditions = [{**found, "lastHeartbeatTime": "2026-01-01T01:00:00Z"} for found in node["status"]["conditions"]]
        plane.client.update(
            "nodes", {**node, "status": {**node["status"], "conditions": conditions}}, subresource="status"
        )
        before = plane.revision
        plane.run()
        assert plane.revision == before
