"""What Services are given and refused: addresses, families and node ports, in a dry run too."""

from __future__ import annotations

import pytest

from kctl import ControlPlane

PATH = "/api/v1/namespaces/default/services"


@pytest.fixture
def plane():
    with ControlPlane.open(None, controllers=[]) as plane:
        yield plane


def service(name="s", **spec):
    ports = spec.pop("ports", [{"port": 80}])
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports, **spec}}


def send(plane, method, body, *, dry_run=False, name=""):
    path = PATH + (f"/{name}" if name else "") + ("?dryRun=All" if dry_run else "")
    return plane.request(method, path, body=body).json()


def test_ports_of_one_number_share_a_node_port(plane):
    ports = [
        {"name": "a", "port": 53, "protocol": "UDP"},
        {"name": "b", "port": 53, "protocol": "TCP", "nodePort": 30053},
    ]
    made = send(plane, "POST", service(type="NodePort", ports=ports))
    assert [port["nodePort"] for port in made["spec"]["ports"]] == [30053, 30053]


def test_a_node_port_taken_is_refused_also_in_a_dry_run(plane):
    send(plane, "POST", service(type="NodePort", ports=[{"port": 80, "nodePort": 30080}]))
    again = service("t", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    for dry_run in (False, True):
        refused = send(plane, "POST", again, dry_run=dry_run)
        assert "provided port is already allocated" in refused["message"]


def test_a_dry_run_takes_any_address_and_any_port(plane):
    asked = service(type="NodePort", clusterIP="10.96.0.1", ports=[{"port": 80, "nodePort": 80}])
    assert send(plane, "POST", asked, dry_run=True)["kind"] == "Service"
    assert send(plane, "POST", asked)["reason"] == "Invalid"


def test_what_an_update_leaves_out_is_kept(plane):
    made = send(plane, "POST", service(type="NodePort"))
    again = send(plane, "PUT", service(type="NodePort"), name="s")
    assert again["spec"] == made["spec"]


def test_a_node_port_follows_the_name_of_its_port(plane):
    made = send(plane, "POST", service(type="NodePort", ports=[{"name": "a", "port": 80}]))
    changed = send(plane, "PUT", service(type="NodePort", ports=[{"name": "a", "port": 81}]), name="s")
    assert changed["spec"]["ports"][0]["nodePort"] == made["spec"]["ports"][0]["nodePort"]


def test_an_address_stays(plane):
    send(plane, "POST", service())
    refused = send(plane, "PUT", service(clusterIP="10.96.9.9"), name="s")
    assert 'spec.clusterIPs[0]: Invalid value: ["10.96.9.9"]: may not change once set' in refused["message"]


def test_leaving_the_nodes_lets_their_ports_go(plane):
    send(plane, "POST", service(type="NodePort"))
    changed = send(plane, "PUT", service(type="ClusterIP"), name="s")
    assert "nodePort" not in changed["spec"]["ports"][0]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"ipFamilyPolicy": "RequireDualStack"}, "this cluster is not configured for dual-stack services"),
        ({"ipFamilies": ["IPv6"]}, "not configured on this cluster"),
        ({"clusterIP": "2001:db8::1"}, "IPv6 is not configured on this cluster"),
        ({"clusterIP": "zz"}, "must be a valid IP address"),
    ],
)
def test_one_stack_gives_no_second(plane, spec, why):
    assert why in send(plane, "POST", service(**spec))["message"]


def test_headless_without_selector_has_both_families(plane):
    made = send(plane, "POST", service(clusterIP="None"))
    assert made["spec"]["ipFamilies"] == ["IPv4", "IPv6"]
    assert made["spec"]["ipFamilyPolicy"] == "RequireDualStack"


def test_a_health_check_port_is_for_life(plane):
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    send(plane, "POST", service(**local))
    refused = send(plane, "PUT", service(healthCheckNodePort=31999, **local), name="s")
    assert "spec.healthCheckNodePort: Forbidden: field is immutable" in refused["message"]
