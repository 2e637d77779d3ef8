"""cloud-node-lifecycle-controller, in a small cluster on the local cloud."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key

INSTANCES = "instances.cloud.kctl.dev"
SHUTDOWN = {"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"}


@pytest.fixture
def world(make_world):
    """Return a world on the local cloud with two nodes."""
    made = make_world("local")
    for n in (1, 2):
        made.node(f"n{n}", zone=f"z{n}", region="r", instanceType="m")
    return made


def nodes(world):
    return [node["metadata"]["name"] for node in world.client.list("nodes").items]


def taints(world):
    """Return the taints but those of nodes that are not heard of."""
    found = world.client.get("nodes", "", "n1")["spec"].get("taints")
    return found and [taint for taint in found if taint["key"] != "node.kubernetes.io/unreachable"]


def test_a_machine_is_missed_when_its_node_is_not_heard_of(world):
    world.client.delete(INSTANCES, Key("", "n2"))
    world.until(49)
    assert nodes(world) == ["n1", "n2"]
    world.until(50)
    assert nodes(world) == ["n1"]


def state(world, word):
    world.client.patch(INSTANCES, Key("", "n1"), {"status": {"state": word}}, subresource="status")
    world.settle()


def test_a_machine_that_is_gone_takes_its_node_along(world):
    world.client.delete(INSTANCES, Key("", "n2"))
    world.settle()
    assert nodes(world) == ["n1"]
    message = "Deleting node n2 because it does not exist in the cloud provider"
    assert ("DeletingNode", message) in world.events("n2")
    assert world.undecided() == []


def test_it_is_noticed_by_a_process_that_did_not_see_it_go(world):
    world.manager.stop()
    world.client.delete(INSTANCES, Key("", "n2"))
    world.restart()
    world.settle()
    assert nodes(world) == ["n1"]


@pytest.mark.parametrize("provider_id", ["", "aws:///eu-west-1a/i-1"], ids=["of nobody", "of another cloud"])
def test_a_node_that_is_not_of_this_cloud_stays(world, provider_id):
    spec = {"providerID": provider_id} if provider_id else {}
    world.client.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "mine"}, "spec": spec})
    world.settle()
    assert nodes(world) == ["mine", "n1", "n2"]


def test_a_node_is_tainted_as_long_as_its_machine_is_off(world):
    kept = {"key": "own", "effect": "NoSchedule"}
    world.client.patch("nodes", Key("", "n1"), {"spec": {"taints": [kept]}})
    state(world, "Stopped")
    assert taints(world) == [kept, SHUTDOWN]
    assert world.undecided() == []
    state(world, "Running")
    assert taints(world) == [kept]
    assert world.undecided() == []


def test_the_last_taint_leaves_no_empty_list(world):
    world.client.patch("nodes", Key("", "n1"), {"spec": {"taints": None}})
    state(world, "Stopped")
    state(world, "Running")
    assert taints(world) is None
