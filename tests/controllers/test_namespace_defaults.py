"""What every namespace and every node gets: ServiceAccount, root certificate, taints."""

from __future__ import annotations

import pytest

from kctl.api.clock import EPOCH
from kctl.api.objects import Key
from kctl.controllers.nodelifecycle import NodeLifecycleController, keys_of_node


@pytest.mark.parametrize(("resource", "name"), [("serviceaccounts", "default"), ("configmaps", "kube-root-ca.crt")])
def test_every_namespace_has_it_and_gets_it_back(world, resource, name):
    world.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    world.settle()
    assert name in world.names(resource, "shop")
    world.client.delete(resource, Key("shop", name))
    world.settle()
    assert name in world.names(resource, "shop")


def test_a_changed_root_certificate_is_restored(world):
    key = Key("default", "kube-root-ca.crt")
    world.client.patch("configmaps", key, {"data": {"ca.crt": "forged"}})
    world.settle()
    assert "forged" not in world.get("configmaps", key.name)["data"]["ca.crt"]


def test_a_terminating_namespace_gets_nothing(world):
    meta = {"name": "shop", "finalizers": ["example.com/hold"]}
    world.create({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    world.settle()
    world.client.delete("namespaces", Key("", "shop"))
    world.pass_time(6)
    assert world.names("serviceaccounts", "shop") == []


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
    actions = NodeLifecycleController().decide(given, EPOCH).actions
    if keys is None:
        assert actions == ()
        return
    (action,) = actions
    taints = action.patch["spec"]["taints"] or []
    assert [found["key"] for found in taints] == keys
    after = {**given, "spec": {**given["spec"], "taints": taints}}
    assert NodeLifecycleController().decide(after, EPOCH).actions == ()


def test_a_heartbeat_wakes_nobody():
    before, after = node(("Ready", "True")), node(("Ready", "True"))
    after["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T00:00:10Z"
    assert keys_of_node(before, after, None) == ()
    assert keys_of_node(before, node(("Ready", "False")), None) == (Key("", "n1"),)
