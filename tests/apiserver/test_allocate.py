from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.allocate import static_band
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore


def service(name: str = "s", **spec: object) -> Obj:
    body = {"selector": {"app": name}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": name}, "spec": body}


def port(number: int, **more: object) -> Obj:
    return {"port": number, "name": f"p{number}", **more}


def spec_of(client: LocalClient, body: Obj) -> Obj:
    return client.create("services", body)["spec"]


def refusal(client: LocalClient, body: Obj) -> str:
    with pytest.raises(StatusError) as refused:
        client.create("services", body)
    assert refused.value.code == 422
    return refused.value.message


def test_a_service_gets_an_address_from_the_dynamic_band(client: LocalClient) -> None:
    spec = spec_of(client, service())
    assert spec["clusterIP"] == "10.96.1.1"
    assert spec["clusterIPs"] == ["10.96.1.1"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert spec["internalTrafficPolicy"] == "Cluster"


def test_an_address_is_given_again_only_after_its_service_is_gone(client: LocalClient) -> None:
    first = spec_of(client, service("a"))["clusterIP"]
    assert spec_of(client, service("b"))["clusterIP"] != first
    client.delete("services", Key("default", "a"))
    assert spec_of(client, service("c"))["clusterIP"] == first


@given(st.lists(st.tuples(st.sampled_from(["make", "make", "delete", "ask"]), st.integers(0, 7)), max_size=20))
@settings(max_examples=30, deadline=None)
def test_the_lowest_free_address_is_given_whatever_came_and_went(steps: list[tuple[str, int]]) -> None:
    server = APIServer(MemoryStore(), clock=FixedClock(), service_cidr="10.0.0.0/28")
    client = LocalClient(server)
    for step, n in steps:
        held = {one["spec"]["clusterIP"] for one in client.list("services").items}
        there = {one["metadata"]["name"] for one in client.list("services", "default").items}
        name, wanted = f"s{n}", f"10.0.0.{n + 3}"
        if step == "delete" and name in there:
            client.delete("services", Key("default", name))
        elif step == "make" and name not in there:
            free = [f"10.0.0.{k}" for k in range(1, 15) if f"10.0.0.{k}" not in held]
            assert spec_of(client, service(name))["clusterIP"] == free[0]
        elif step == "ask" and name not in there and wanted not in held:
            assert spec_of(client, service(name, clusterIP=wanted))["clusterIP"] == wanted


def test_every_address_is_asked_about_once(client: LocalClient, server: APIServer) -> None:
    for n in range(40):
        spec_of(client, service(f"s{n}"))
    assert server.allocator.looked_at <= 2 * 40


def test_an_address_asked_for_is_kept(client: LocalClient) -> None:
    assert spec_of(client, service(clusterIP="10.96.0.10"))["clusterIPs"] == ["10.96.0.10"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        pytest.param("10.96.0.1", "provided IP is already allocated", id="the address of kubernetes"),
        pytest.param(
            "192.168.0.1",
            "the provided network does not match the current range",
            id="another network",
        ),
        pytest.param(
            "10.96.0.0",
            "the provided IP (10.96.0.0) is not in the valid range. The range of valid IPs is 10.96.0.0/12",
            id="the network itself",
        ),
    ],
)
def test_an_address_that_cannot_be_had_is_refused(client: LocalClient, address: str, why: str) -> None:
    message = refusal(client, service(clusterIP=address))
    assert message == (
        f'Service "s" is invalid: spec.clusterIPs: Invalid value: ["{address}"]: failed to allocate IP {address}: {why}'
    )


def test_service_cidrs_add_ranges_until_they_go(client: LocalClient) -> None:
    more = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"}}
    client.create("servicecidrs.networking.k8s.io", {**more, "spec": {"cidrs": ["192.168.0.0/28"]}})
    assert spec_of(client, service("a", clusterIP="192.168.0.3"))["clusterIPs"] == ["192.168.0.3"]
    assert spec_of(client, service("b"))["clusterIP"] == "10.96.1.1"
    client.delete("servicecidrs.networking.k8s.io", Key("", "more"))
    assert "does not match the current range" in refusal(client, service("c", clusterIP="192.168.0.4"))


def test_headless_and_external_services_get_no_address(client: LocalClient) -> None:
    assert spec_of(client, service("h", clusterIP="None"))["clusterIPs"] == ["None"]
    external = {"type": "ExternalName", "externalName": "example.com"}
    assert "clusterIP" not in spec_of(client, service("e", **external))


def test_node_ports_asked_for_are_kept_and_others_come_from_the_dynamic_band(client: LocalClient) -> None:
    ports = [port(80, nodePort=31000), port(81)]
    spec = spec_of(client, service(type="NodePort", ports=ports))
    assert [p["nodePort"] for p in spec["ports"]] == [31000, 30086]


@pytest.mark.parametrize(
    ("number", "why"),
    [
        pytest.param(31000, "provided port is already allocated", id="taken"),
        pytest.param(
            80, "provided port is not in the valid range. The range of valid ports is 30000-32767", id="too low"
        ),
    ],
)
def test_a_node_port_that_cannot_be_had_is_refused(client: LocalClient, number: int, why: str) -> None:
    client.create("services", service("first", type="NodePort", ports=[port(80, nodePort=31000)]))
    message = refusal(client, service(type="NodePort", ports=[port(80, nodePort=number)]))
    assert message == f'Service "s" is invalid: spec.ports[0].nodePort: Invalid value: {number}: {why}'


def test_a_load_balancer_has_node_ports_unless_it_declines(client: LocalClient) -> None:
    assert "nodePort" in spec_of(client, service("a", type="LoadBalancer"))["ports"][0]
    declined = service("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert "nodePort" not in spec_of(client, declined)["ports"][0]


def test_local_traffic_gets_a_health_check_port(client: LocalClient) -> None:
    spec = spec_of(client, service(type="LoadBalancer", externalTrafficPolicy="Local"))
    assert 30000 <= spec["healthCheckNodePort"] <= 32767
    assert spec["healthCheckNodePort"] != spec["ports"][0]["nodePort"]


def test_an_update_that_leaves_allocations_out_keeps_them(client: LocalClient) -> None:
    before = spec_of(client, service(type="NodePort"))
    after = client.update("services", service(type="NodePort"))["spec"]
    assert (after["clusterIP"], after["ports"]) == (before["clusterIP"], before["ports"])


def test_changing_the_type_takes_and_releases_node_ports(client: LocalClient) -> None:
    client.create("services", service())
    key = Key("default", "s")
    taken = client.patch("services", key, {"spec": {"type": "NodePort"}})["spec"]["ports"][0]["nodePort"]
    assert "nodePort" not in client.patch("services", key, {"spec": {"type": "ClusterIP"}})["spec"]["ports"][0]
    assert spec_of(client, service("next", type="NodePort"))["ports"][0]["nodePort"] == taken


def test_allocations_of_a_fork_are_free_afterwards(server: APIServer, client: LocalClient) -> None:
    with server.fork():
        inside = spec_of(client, service("a", type="NodePort"))
    outside = spec_of(client, service("b", type="NodePort"))
    assert (inside["clusterIP"], inside["ports"]) == (outside["clusterIP"], outside["ports"])


def test_a_dry_run_allocates_nothing(client: LocalClient) -> None:
    shown = client.create("services", service("a", type="NodePort"), dry_run=True)["spec"]
    assert spec_of(client, service("b"))["clusterIP"] == shown["clusterIP"]


def test_a_reopened_server_knows_what_is_taken() -> None:
    store = MemoryStore()
    first = APIServer(store, clock=FixedClock())
    taken = spec_of(LocalClient(first), service("a"))["clusterIP"]
    first.commit()
    again = LocalClient(APIServer(store, clock=FixedClock()))
    assert spec_of(again, service("b"))["clusterIP"] != taken


@pytest.mark.parametrize(
    ("size", "least", "most", "step", "band"),
    [(8, 16, 256, 16, 0), (126, 16, 256, 16, 16), (65534, 16, 256, 16, 256), (2768, 16, 128, 32, 86)],
)
def test_the_static_band_is_the_lower_part_of_the_range(size: int, least: int, most: int, step: int, band: int) -> None:
    assert static_band(size, least=least, most=most, step=step) == band


def test_a_small_range_fills_up_and_then_says_so() -> None:
    client = LocalClient(APIServer(MemoryStore(), clock=FixedClock(), service_cidr="10.0.0.0/28"))
    found = {spec_of(client, service(f"s{n}"))["clusterIP"] for n in range(13)}
    assert len(found) == 13
    with pytest.raises(StatusError, match="range is full"):
        client.create("services", service("one-more"))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "fork"]), st.integers(0, 5)), max_size=25))
def test_no_two_services_ever_share_an_address_or_port(steps: list[tuple[str, int]]) -> None:
    server = APIServer(MemoryStore(), clock=FixedClock(), frozen=True)
    client = LocalClient(server)
    for step, n in steps:
        key = Key("default", f"s{n}")
        there = server.storage.get("services", key) is not None
        if step == "add" and not there:
            client.create("services", service(key.name, type="NodePort"))
        elif step == "drop" and there:
            client.delete("services", key)
        elif step == "fork" and there:
            with server.fork():
                client.delete("services", key)
                client.create("services", service("other", type="NodePort"))
        specs = [s["spec"] for s in client.list("services").items]
        ips = [s["clusterIP"] for s in specs]
        ports = [p["nodePort"] for s in specs for p in s["ports"] if p.get("nodePort")]
        assert len(set(ips)) == len(ips)
        assert len(set(ports)) == len(ports)
