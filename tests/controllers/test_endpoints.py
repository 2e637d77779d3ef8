"""endpoints-controller."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key
from kctl.controllers.endpoints import MANAGER, Seen, decide, listed, make
from kctl.controllers.endpoints_subsets import packed


def service(**spec):
    meta = {"name": "web", "namespace": "default", "uid": "svc", "labels": {"x": "1"}}
    body = {"clusterIP": "10.96.0.9", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": body}


def pod(n, *, ready=True, deleting=False, ports=()):
    meta = {"name": f"p{n}", "namespace": "default", "uid": f"u{n}", "labels": {"app": "web"}}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    since = "2026-01-01T00:00:05Z"
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}]
    status = {"phase": "Running", "podIP": f"10.1.{n // 250}.{n % 250}", "conditions": conditions}
    return {"metadata": meta, "spec": {"containers": [{"name": "c", "ports": list(ports)}]}, "status": status}


def shape(svc, *pods):
    """Return per subset the ready pods, the others, the ports."""
    has_ports = bool(svc["spec"].get("ports"))
    subsets, _ = listed(svc, pods).subsets(has_ports=has_ports)
    made = [found for pod in pods if (found := make(svc, pod, "")) is not None]
    assert subsets == packed(made, has_ports=has_ports)[0]
    return [
        (
            [address["targetRef"]["name"] for address in subset.get("addresses", ())],
            [address["targetRef"]["name"] for address in subset.get("notReadyAddresses", ())],
            [port["port"] for port in subset.get("ports", ())],
        )
        for subset in subsets
    ]


def test_ready_and_unready_pods_stand_apart():
    assert shape(service(), pod(1), pod(2, ready=False)) == [(["p1"], ["p2"], [8080])]


def test_publishing_unready_addresses_makes_them_ready():
    assert shape(service(publishNotReadyAddresses=True), pod(2, ready=False)) == [(["p2"], [], [8080])]


def test_ports_with_the_same_addresses_share_a_subset_and_others_do_not():
    svc = service(ports=[{"name": "a", "port": 1, "targetPort": "a"}, {"name": "b", "port": 2, "targetPort": 22}])
    named = pod(1, ports=[{"name": "a", "containerPort": 11}])
    assert shape(svc, named) == [(["p1"], [], [11, 22])]
    assert shape(svc, named, pod(2)) == [(["p1"], [], [11]), (["p1", "p2"], [], [22])]


def test_a_headless_service_without_ports_lists_addresses_alone():
    assert shape(service(clusterIP="None", ports=[]), pod(1)) == [(["p1"], [], [])]


def test_lists_end_at_a_thousand_addresses_and_say_so():
    pods = tuple(pod(n) for n in range(1, 1102))
    (action,) = decide(Seen(Key("default", "web"), service(), listed(service(), pods), None)).actions
    assert len(action.obj["subsets"][0]["addresses"]) == 1000
    assert action.obj["metadata"]["annotations"]["endpoints.kubernetes.io/over-capacity"] == "truncated"


@pytest.mark.parametrize(
    ("publish", "number"), [pytest.param(False, 0, id="left out"), pytest.param(True, 1, id="unless published")]
)
def test_terminating_pods_are(publish, number):
    svc = service(publishNotReadyAddresses=publish)
    seen = Seen(Key("default", "web"), svc, listed(svc, (pod(1, deleting=True),)), None)
    (action,) = decide(seen).actions
    assert len(action.obj["subsets"]) == number


def test_endpoints_follow_the_service_and_go_with_it(world):
    meta = {"name": "web", "namespace": "default", "labels": {"x": "1"}}
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    world.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    world.settle()
    labels = world.get("endpoints", "web")["metadata"]["labels"]
    assert labels == {"x": "1", "endpoints.kubernetes.io/managed-by": "endpoint-controller"}
    world.client.delete("services", Key("default", "web"))
    world.settle()
    assert world.names("endpoints") == []


def test_endpoints_without_a_service_are_left_alone(world):
    subsets = [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 80}]}]
    meta = {"name": "manual", "namespace": "default"}
    world.create({"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets})
    world.settle()
    assert world.names("endpoints") == ["manual"]


def test_endpoints_of_a_service_that_went_while_nothing_ran_are_deleted(world):
    meta = {"name": "gone", "namespace": "default", "labels": {"endpoints.kubernetes.io/managed-by": MANAGER}}
    world.create({"apiVersion": "v1", "kind": "Endpoints", "metadata": meta})
    world.settle()
    assert world.names("endpoints") == []
