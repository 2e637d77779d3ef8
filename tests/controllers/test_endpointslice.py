"""endpointslice-controller."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key
from kctl.controllers.endpointslice import Seen, decide
from kctl.controllers.endpointslice_placement import HEADLESS
from kctl.runtime.actions import Create, Delete, Update

SLICES = "endpointslices.discovery.k8s.io"


def service(**spec):
    meta = {"name": "web", "namespace": "default", "uid": "svc", "creationTimestamp": "2026-01-01T00:00:00Z"}
    body = {"clusterIP": "10.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": body}


def pod(n, *, ready=True, ip=True, deleting=False, phase="Running", node="n1", ports=(), **spec):
    meta = {"name": f"p{n:03}", "namespace": "default", "uid": f"u{n:03}", "labels": {"app": "web"}}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    since = "2026-01-01T00:00:05Z"
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}],
    }
    if ip:
        status["podIP"] = f"10.1.{n // 250}.{n % 250}"
    containers = [{"name": "c", "ports": list(ports)}]
    return {"metadata": meta, "spec": {"nodeName": node, "containers": containers, **spec}, "status": status}


def world_of(svc, pods, slices=()):
    return Seen(svc, tuple(pods), {"n1": "zone-a", "n2": ""}, tuple(slices))


def after(svc, pods, slices=()):
    """Return the slices as the decision leaves them, and the actions."""
    actions = decide(world_of(svc, pods, slices)).actions
    left = {found["metadata"]["name"]: found for found in slices}
    for action in actions:
        if isinstance(action, Delete):
            del left[action.key.name]
        else:
            left[action.obj["metadata"]["name"]] = action.obj
    return list(left.values()), actions


def only(svc, *pods):
    (found,), _ = after(svc, pods)
    return found


@pytest.mark.parametrize(
    ("made", "conditions"),
    [
        pytest.param(pod(1), (True, True, False), id="ready"),
        pytest.param(pod(1, ready=False), (False, False, False), id="not ready"),
        pytest.param(pod(1, deleting=True), (False, True, True), id="terminating and still serving"),
    ],
)
def test_conditions_of_an_endpoint(made, conditions):
    (endpoint,) = only(service(), made)["endpoints"]
    assert tuple(endpoint["conditions"][name] for name in ("ready", "serving", "terminating")) == conditions


@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param(pod(1, ip=False), id="without an address"),
        pytest.param(pod(1, phase="Succeeded"), id="finished"),
        pytest.param(pod(1, phase="Failed"), id="failed"),
        pytest.param(pod(1, node="gone"), id="on a node that is not there"),
    ],
)
def test_a_pod_is_not_listed(left_out):
    assert only(service(), left_out)["endpoints"] == []


def test_unready_pods_are_published_as_ready_when_asked_for():
    (endpoint,) = only(service(publishNotReadyAddresses=True), pod(1, ready=False, node="gone"))["endpoints"]
    assert endpoint["conditions"] == {"ready": True, "serving": False, "terminating": False}


def test_an_endpoint_tells_node_zone_and_pod():
    (endpoint,) = only(service(), pod(1))["endpoints"]
    assert (endpoint["nodeName"], endpoint["zone"]) == ("n1", "zone-a")
    assert endpoint["targetRef"] == {"kind": "Pod", "namespace": "default", "name": "p001", "uid": "u001"}
    (elsewhere,) = only(service(), pod(1, node="n2"))["endpoints"]
    assert "zone" not in elsewhere


@pytest.mark.parametrize(
    ("preference", "hints"),
    [
        ("PreferClose", {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameZone", {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameNode", {"forZones": [{"name": "zone-a"}], "forNodes": [{"name": "n1"}]}),
        (None, None),
    ],
)
def test_hints_follow_traffic_distribution(preference, hints):
    (endpoint,) = only(service(trafficDistribution=preference), pod(1))["endpoints"]
    assert endpoint.get("hints") == hints


def test_a_hostname_is_listed_only_under_its_own_service():
    (mine,) = only(service(), pod(1, hostname="db-0", subdomain="web"))["endpoints"]
    (other,) = only(service(), pod(1, hostname="db-0", subdomain="db"))["endpoints"]
    assert mine["hostname"] == "db-0"
    assert "hostname" not in other


def test_named_ports_are_looked_up_in_each_pod_and_split_the_slices():
    svc = service(ports=[{"name": "http", "port": 80, "targetPort": "web"}])
    one = pod(1, ports=[{"name": "web", "containerPort": 8080}])
    two = pod(2, ports=[{"name": "web", "containerPort": 9090}])
    without = pod(3)
    slices, _ = after(svc, [one, two, without])
    ports = {tuple(port["port"] for port in found["ports"]): len(found["endpoints"]) for found in slices}
    assert ports == {(8080,): 1, (9090,): 1, (): 1}


def test_a_service_without_endpoints_keeps_one_empty_slice():
    found = only(service())
    assert (found["endpoints"], found["ports"]) == ([], [])
    assert decide(world_of(service(), [], [found])).actions == ()


def test_headless_services_are_labelled():
    assert only(service(clusterIP="None"))["metadata"]["labels"][HEADLESS] == ""
    assert HEADLESS not in only(service())["metadata"]["labels"]


def test_a_slice_holds_a_hundred_endpoints():
    slices, actions = after(service(), [pod(n) for n in range(1, 251)])
    assert sorted(len(found["endpoints"]) for found in slices) == [50, 100, 100]
    assert all(isinstance(action, Create) for action in actions)
    assert len({found["metadata"]["name"] for found in slices}) == 3


def test_endpoints_stay_where_they_are_and_new_ones_fill_the_fullest_slice_with_room():
    svc = service()
    pods = [pod(n) for n in range(1, 251)]
    slices, _ = after(svc, pods)
    full = {found["metadata"]["name"] for found in slices if len(found["endpoints"]) == 100}
    slices, actions = after(svc, [*pods, pod(300)], slices)
    assert [type(action) for action in actions] == [Update]
    assert actions[0].obj["metadata"]["name"] not in full
    assert sorted(len(found["endpoints"]) for found in slices) == [51, 100, 100]


def test_a_slice_that_changes_anyway_is_filled_first():
    svc = service()
    pods = [pod(n) for n in range(1, 151)]
    slices, _ = after(svc, pods)
    # One endpoint leaves the full slice and one comes: only that slice is written.
    (full,) = [found for found in slices if len(found["endpoints"]) == 100]
    gone = full["endpoints"][0]["targetRef"]["name"]
    pods = [one for one in pods if one["metadata"]["name"] != gone]
    _, actions = after(svc, [*pods, pod(300)], slices)
    assert [(type(action), action.obj["metadata"]["name"]) for action in actions] == [
        (Update, full["metadata"]["name"])
    ]


def test_when_the_last_endpoint_goes_a_slice_is_emptied_and_not_replaced():
    svc = service()
    slices, _ = after(svc, [pod(1)])
    left, actions = after(svc, [], slices)
    assert [type(action) for action in actions] == [Update]
    assert left[0]["endpoints"] == []
    assert left[0]["ports"] == []


def test_the_trigger_time_is_that_of_the_oldest_change():
    annotation = "endpoints.kubernetes.io/last-change-trigger-time"
    first = only(service(), pod(1))
    assert first["metadata"]["annotations"][annotation] == "2026-01-01T00:00:00Z"
    (later,), _ = after(service(), [pod(1), pod(2)], [first])
    assert later["metadata"]["annotations"][annotation] == "2026-01-01T00:00:05Z"


def test_service_labels_are_copied_and_kept_in_step(world):
    made = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "labels": {"x": "1"}},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    world.create(made)
    world.settle()
    assert world.client.list(SLICES, "default").items[0]["metadata"]["labels"]["x"] == "1"
    world.client.patch("services", Key("default", "web"), {"metadata": {"labels": {"x": "2"}}})
    world.settle()
    (found,) = world.client.list(SLICES, "default").items
    assert found["metadata"]["labels"]["x"] == "2"


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"ports": [{"port": 80}]}, id="without a selector"),
        pytest.param({"type": "ExternalName", "externalName": "x.example", "selector": {"a": "b"}}, id="ExternalName"),
    ],
)
def test_a_service_is_left_to_its_owner(world, spec):
    meta = {"name": "web", "namespace": "default"}
    world.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    world.settle()
    assert world.client.list(SLICES, "default").items == []
