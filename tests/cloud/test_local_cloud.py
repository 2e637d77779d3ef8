"""The local cloud in a small cluster: nodes are initialized, Services get load balancers."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.objects import Key, Obj

LB = "loadbalancers.cloud.kctl.dev"


@pytest.fixture
def world(make_world):
    """Return a world on the local cloud with two nodes."""
    made = make_world("local")
    for n in (1, 2):
        made.node(f"n{n}", zone=f"z{n}", region="r", instanceType="m")
    return made


def service(name: str = "web", **spec: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": name}, **spec},
    }


def get(world, name: str = "web") -> Obj:
    return world.client.get("services", "default", name)


def address(world, name: str = "web") -> str:
    ingress = get(world, name)["status"]["loadBalancer"].get("ingress")
    return ingress[0]["ip"] if ingress else ""


def balancers(world) -> list[Obj]:
    return world.client.list(LB).items


def reasons(world, name: str = "web") -> list[str]:
    return [reason for reason, _ in world.events(name)]


def test_a_node_is_initialized_with_what_the_cloud_knows(world):
    node = world.client.get("nodes", "", "n1")
    assert node["spec"]["providerID"] == "local://r/n1"
    keys = [taint["key"] for taint in node["spec"].get("taints", ())]
    assert "node.cloudprovider.kubernetes.io/uninitialized" not in keys
    labels = node["metadata"]["labels"]
    assert labels["node.kubernetes.io/instance-type"] == labels["beta.kubernetes.io/instance-type"] == "m"
    assert labels["topology.kubernetes.io/zone"] == labels["failure-domain.beta.kubernetes.io/zone"] == "z1"
    assert labels["topology.kubernetes.io/region"] == "r"
    assert ("Synced", "Node synced successfully") in world.events("n1")


def test_a_node_the_cloud_does_not_know_keeps_its_taint(world):
    world.node("n3", provider="aws")
    keys = [taint["key"] for taint in world.client.get("nodes", "", "n3")["spec"]["taints"]]
    assert "node.cloudprovider.kubernetes.io/uninitialized" in keys


def test_a_service_gets_its_address_after_the_time_the_cloud_takes(world):
    world.client.create("services", service())
    world.until(4)
    assert address(world) == ""
    assert get(world)["metadata"]["finalizers"] == ["service.kubernetes.io/load-balancer-cleanup"]
    assert balancers(world)[0]["metadata"]["name"] == "a" + get(world)["metadata"]["uid"].replace("-", "")[:31]
    world.settle()
    assert world.now == 5
    assert get(world)["status"]["loadBalancer"] == {"ingress": [{"ip": "198.18.0.1", "ipMode": "VIP"}]}
    assert balancers(world)[0]["spec"]["nodes"] == ["n1", "n2"]
    assert reasons(world) == ["EnsuringLoadBalancer", "EnsuredLoadBalancer"]


def test_a_converged_service_needs_nothing_more(world):
    world.client.create("services", service())
    world.client.create("services", service("clash", loadBalancerIP="198.18.0.1"))
    world.settle()
    assert world.undecided() == []
    revision = world.server.revision
    world.restart()
    world.settle()
    world.settle(pass_time=3600)
    assert world.server.revision == revision


def test_addresses_are_unique_and_free_again_after_deletion(world):
    for name in "abc":
        world.client.create("services", service(name))
    world.settle()
    assert [address(world, name) for name in "abc"] == [f"198.18.0.{n}" for n in (1, 2, 3)]
    world.client.delete("services", Key("default", "b"))
    world.settle()
    assert world.now == 7
    assert len(balancers(world)) == 2
    assert reasons(world, "b")[-2:] == ["DeletingLoadBalancer", "DeletedLoadBalancer"]
    world.client.create("services", service("d"))
    world.settle()
    assert address(world, "d") == "198.18.0.2"
    assert address(world, "c") == "198.18.0.3"


def test_a_service_that_is_deleted_stays_until_its_load_balancer_is_gone(world):
    world.client.create("services", service())
    world.settle()
    world.client.delete("services", Key("default", "web"))
    world.until(6)
    assert get(world)["metadata"]["deletionTimestamp"]
    world.settle()
    assert world.client.list("services", "default", field_selector="metadata.name=web").items == []
    assert balancers(world) == []


def test_a_service_that_no_longer_wants_a_load_balancer_gives_it_back(world):
    world.client.create("services", service())
    world.settle()
    world.client.update("services", {**get(world), "spec": {**get(world)["spec"], "type": "ClusterIP"}})
    world.settle()
    assert get(world)["status"]["loadBalancer"] == {}
    assert not get(world)["metadata"].get("finalizers")
    assert balancers(world) == []


def test_an_address_that_is_asked_for_is_given(world):
    world.client.create("services", service(loadBalancerIP="198.18.7.7"))
    world.settle()
    assert address(world) == "198.18.7.7"


def test_an_address_in_use_is_refused_until_it_is_free(world):
    world.client.create("services", service("a", loadBalancerIP="198.18.0.9"))
    world.settle()
    world.client.create("services", service("b", loadBalancerIP="198.18.0.9"))
    world.settle()
    assert address(world, "b") == ""
    refusals = [text for reason, text in world.events("b") if reason == "SyncLoadBalancerFailed"]
    holder = next(b["metadata"]["name"] for b in balancers(world) if b["spec"]["service"]["name"] == "a")
    assert refusals == [
        "Error syncing load balancer: failed to ensure load balancer: "
        f"the address 198.18.0.9 is in use by load balancer {holder}"
    ]
    world.client.delete("services", Key("default", "a"))
    world.settle()
    assert address(world, "b") == "198.18.0.9"


def test_a_load_balancer_class_belongs_to_somebody_else(world):
    world.client.create("services", service(loadBalancerClass="example.com/lb"))
    world.settle()
    assert balancers(world) == []
    assert not get(world)["metadata"].get("finalizers")


def test_changed_ports_reach_the_load_balancer_and_its_address_stays(world):
    world.client.create("services", service())
    world.settle()
    spec = {**get(world)["spec"], "ports": [{"port": 443, "targetPort": 80}]}
    world.client.update("services", {**get(world), "spec": spec})
    world.settle()
    assert [port["port"] for port in balancers(world)[0]["spec"]["ports"]] == [443]
    assert address(world) == "198.18.0.1"
    assert world.now == 5


def test_nodes_that_come_and_nodes_that_are_excluded_change_the_backends(world):
    world.client.create("services", service())
    world.settle()
    world.node("n3")
    assert balancers(world)[0]["spec"]["nodes"] == ["n1", "n2", "n3"]
    node = world.client.get("nodes", "", "n1")
    labels = {**node["metadata"]["labels"], "node.kubernetes.io/exclude-from-external-load-balancers": "true"}
    world.client.update("nodes", {**node, "metadata": {**node["metadata"], "labels": labels}})
    world.settle()
    assert balancers(world)[0]["spec"]["nodes"] == ["n2", "n3"]
    assert "UpdatedLoadBalancer" in reasons(world)


def test_without_latencies_the_address_is_there_at_once(make_world):
    world = make_world("local", load_balancer_create=0.0, load_balancer_delete=0.0)
    world.client.create("services", service())
    world.settle()
    assert world.now == 0
    assert address(world) == "198.18.0.1"
    assert "UnAvailableLoadBalancer" in reasons(world)
    world.client.delete("services", Key("default", "web"))
    world.settle()
    assert world.now == 0
    assert balancers(world) == []
