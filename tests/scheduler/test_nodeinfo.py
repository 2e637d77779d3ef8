from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.nodetree import round_robin
from kctl.scheduler.podinfo import HostPort, PodInfo

Obj = dict[str, Any]

names = st.integers(0, 5).map("p{}".format)
nodes = st.sampled_from(["n0", "n1", "gone"])
cpus = st.sampled_from(["100m", "1", "0"])
moves = st.lists(
    st.tuples(st.sampled_from(["put", "put", "remove", "end", "node", "drop"]), names, nodes, cpus, st.booleans()),
    max_size=30,
)


def podded(name: str, node: str, cpu: str, affinity: bool) -> Obj:
    term = {"topologyKey": "zone", "labelSelector": {}}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    port = {"containerPort": 80, "hostPort": 8000 + int(name[1:])}  # no two pods want the same
    resources = {"requests": {"cpu": cpu, "example.com/x": "1"}}
    spec: Obj = {"nodeName": node, "containers": [{"name": "c", "resources": resources, "ports": [port]}]}
    if affinity:
        spec["affinity"] = {"podAntiAffinity": required}
    return {"metadata": {"namespace": "d", "name": name, "uid": name, "labels": {"cpu": cpu}}, "spec": spec}


@settings(max_examples=60, deadline=None)
@given(moves)
def test_aggregates_equal_a_recomputation_after_any_moves(steps: list[tuple[str, str, str, str, bool]]) -> None:
    from kctl.client.cache import Caches

    cluster = Cluster(Caches(lambda _cache: None))
    world: dict[str, Obj] = {}
    for what, name, node, cpu, affinity in steps:
        if what == "put":
            world[name] = podded(name, node, cpu, affinity)
            cluster.put_pod(world[name])
        elif what in ("remove", "end"):
            old = world.pop(name, None)
            if old is not None and what == "end":
                cluster.put_pod({**old, "status": {"phase": "Succeeded"}})
            elif old is not None:
                cluster.remove_pod(PodInfo(old).key)
        elif what == "node":
            cluster.put_node({"metadata": {"name": node}})
        else:
            cluster.remove_node(node)
    fresh: dict[str, NodeInfo] = {}
    for pod in world.values():
        info = PodInfo(pod)
        fresh.setdefault(info.node_name, NodeInfo(info.node_name)).add_pod(info)
    for name in {"n0", "n1", "gone"}:
        kept = cluster.nodes.get(name, NodeInfo(name))
        assert kept.aggregates() == fresh.get(name, NodeInfo(name)).aggregates()
    assert set(cluster.affinity_nodes) == {name for name, info in fresh.items() if info.affinity_pods}


def test_a_status_update_that_changes_nothing_on_the_node_keeps_its_generation(
    cluster: Callable[..., Cluster], node: Callable[..., Obj], pod: Callable[..., Obj]
) -> None:
    placed = pod(nodeName="n", cpu="1")
    found = cluster([node()], [placed])
    before = found.nodes["n"].generation
    found.put_pod({**placed, "status": {"phase": "Running"}})
    assert found.nodes["n"].generation == before
    found.put_pod({**placed, "metadata": {**placed["metadata"], "labels": {"a": "b"}}})
    assert found.nodes["n"].generation > before


def test_a_wildcard_address_takes_the_port_on_every_address(pod: Callable[..., Obj]) -> None:
    ports = [{"containerPort": 1, "hostPort": 80, "hostIP": "10.0.0.1"}]
    holder = PodInfo(pod(containers=[{"name": "c", "ports": ports}]))
    info = NodeInfo("n")
    info.add_pod(holder)
    assert info.has_conflict([HostPort("0.0.0.0", "TCP", 80)])
    assert info.has_conflict([HostPort("10.0.0.1", "TCP", 80)])
    assert not info.has_conflict([HostPort("10.0.0.2", "TCP", 80)])
    assert not info.has_conflict([HostPort("0.0.0.0", "UDP", 80)])


def test_a_clone_does_not_share_what_changes(pod: Callable[..., Obj]) -> None:
    info = NodeInfo("n")
    copy = info.clone()
    copy.add_pod(PodInfo(pod(cpu="1")))
    assert (info.cpu, len(info.pods), info.generation) == (0, 0, copy.generation - 1)


def test_nodes_are_taken_round_robin_over_zones() -> None:
    def zoned(name: str, zone: str) -> NodeInfo:
        info = NodeInfo(name)
        info.set_node({"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}})
        return info

    order = round_robin([zoned("a1", "a"), zoned("a2", "a"), zoned("b1", "b"), zoned("a3", "a"), zoned("b2", "b")])
    assert [info.name for info in order] == ["a1", "b1", "a2", "b2", "a3"]
