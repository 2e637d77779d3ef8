"""Nodes: registration of machines, and nodes that users bring."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key, condition


def test_a_machine_brings_its_node_with_labels_capacity_and_a_pod_range(world):
    node = world.client.get("nodes", "", "n1")
    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "n1"
    assert node["spec"]["podCIDR"] == "10.244.0.0/24"
    assert node["status"]["allocatable"] == node["status"]["capacity"]
    assert node["status"]["capacity"]["memory"] == "16Gi"
    assert condition(node, "Ready")["reason"] == "KubeletReady"
    assert world.events("n1") == [("NodeReady", "Node n1 status is now: NodeReady")]


def test_nodes_have_their_own_ranges_and_addresses(world):
    for name in ("n2", "n3"):
        world.node(name)
    nodes = world.client.list("nodes").items
    assert [node["spec"]["podCIDR"] for node in nodes] == [f"10.244.{n}.0/24" for n in range(3)]
    assert [node["status"]["addresses"][0]["address"] for node in nodes] == [f"172.18.0.{n}" for n in (2, 3, 4)]


def test_a_deleted_node_does_not_come_back(world):
    world.client.delete("nodes", Key("", "n1"))
    world.settle()
    world.restart()
    world.settle()
    assert world.client.list("nodes").items == []


def test_a_machine_takes_its_time_to_boot(make_world):
    world = make_world(node_boot=45.0)
    world.node("n1")
    assert world.client.list("nodes").items == []
    world.settle()
    assert world.now == 45
    assert len(world.client.list("nodes").items) == 1


@pytest.mark.parametrize(("provider", "is_tainted"), [("none", False), ("aws", True)])
def test_only_a_cloud_leaves_its_taint(make_world, provider, is_tainted):
    world = make_world()
    world.node("n1", provider=provider, taints=[{"key": "gpu", "effect": "NoSchedule"}])
    keys = [taint["key"] for taint in world.client.get("nodes", "", "n1")["spec"]["taints"]]
    assert "gpu" in keys
    assert ("node.cloudprovider.kubernetes.io/uninitialized" in keys) is is_tainted


def test_without_a_cloud_the_machine_knows_its_place(make_world):
    world = make_world()
    world.node("n1", zone="z1", region="r", labels={"disk": "ssd"})
    labels = world.client.get("nodes", "", "n1")["metadata"]["labels"]
    assert labels["topology.kubernetes.io/zone"] == "z1"
    assert labels["disk"] == "ssd"


def bring(world, name: str, status: dict) -> dict:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}
    world.client.create("nodes", node)
    world.settle()
    return world.client.get("nodes", "", name)


def test_a_users_node_without_anything_gets_the_documented_default(world):
    node = bring(world, "mine", {})
    assert node["status"]["capacity"] == {"cpu": "4", "ephemeral-storage": "100Gi", "memory": "16Gi", "pods": "110"}
    assert condition(node, "Ready")["status"] == "True"
    assert node["status"]["addresses"][0]["address"] == "172.18.0.3"


def test_a_users_node_keeps_the_capacity_it_states(world):
    node = bring(world, "mine", {"capacity": {"cpu": "64", "memory": "1Ti", "pods": "10"}})
    assert node["status"]["allocatable"] == {"cpu": "64", "memory": "1Ti", "pods": "10"}


def test_a_node_with_a_ready_condition_of_its_own_is_left_alone(world):
    ready = {"type": "Ready", "status": "False", "reason": "Mine", "message": "leave me"}
    node = bring(world, "mine", {"conditions": [ready]})
    assert condition(node, "Ready")["reason"] == "Mine"
    assert "nodeInfo" not in node["status"] or not node["status"]["nodeInfo"].get("kubeletVersion")
