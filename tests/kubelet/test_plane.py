"""Kubelets and the local cloud as parts of a whole control plane, through the public door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.clock import EPOCH
from kctl.api.objects import Obj, condition

PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane.open(None, nodes=3, cloud="local") as cp:
        yield cp


def send(cp: ControlPlane, method: str, path: str, body: Obj | None = None) -> Any:
    answer = cp.request(method, path, body=body, content_type="application/json" if body else None)
    assert answer.status < 300, answer.body
    return answer.json()


def deploy(cp: ControlPlane, name: str = "web", replicas: int = 3, **container: Any) -> None:
    labels = {"app": name}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "nginx:1.29", **container}]},
        },
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    send(cp, "POST", "/apis/apps/v1/namespaces/default/deployments", body)


def ready_times(cp: ControlPlane) -> list[str]:
    return [condition(pod, "Ready")["lastTransitionTime"] for pod in send(cp, "GET", PODS)["items"]]


def test_the_pods_of_a_deployment_are_ready_when_their_probes_say_so(plane):
    deploy(plane, readinessProbe={"tcpSocket": {"port": 80}, "initialDelaySeconds": 3, "periodSeconds": 5})
    assert plane.converge(timeout="1h")["verdict"] == "Converged"
    assert ready_times(plane) == ["2026-01-01T00:00:08Z"] * 3
    assert plane.now - EPOCH == 8


def test_a_deleted_pod_is_replaced_and_takes_its_time(plane):
    deploy(plane)
    plane.converge()
    first = send(plane, "GET", PODS)["items"]
    send(plane, "DELETE", f"{PODS}/{first[0]['metadata']['name']}")
    plane.converge()
    names = {pod["metadata"]["name"] for pod in send(plane, "GET", PODS)["items"]}
    assert len(names) == 3
    assert first[0]["metadata"]["name"] not in names
    assert 4 <= plane.now - EPOCH <= 7


def test_a_load_balancer_has_its_address_after_five_seconds(plane):
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    send(plane, "POST", "/api/v1/namespaces/default/services", body)
    plane.converge()
    assert plane.now - EPOCH == 5
    status = send(plane, "GET", "/api/v1/namespaces/default/services/web")["status"]
    assert status == {"loadBalancer": {"ingress": [{"ip": "198.18.0.1", "ipMode": "VIP"}]}}


def test_what_has_converged_stays_as_it_is(plane):
    deploy(plane)
    plane.converge()
    revision = plane.revision
    plane.use_mark(False)
    plane.converge()
    plane.advance("1h")
    leases = send(plane, "GET", "/apis/coordination.k8s.io/v1/leases")["items"]
    assert plane.revision == revision, leases


def test_pods_that_become_ready_at_one_instant_are_one_change_to_their_owner(plane):
    deploy(plane, replicas=40)
    plane.converge()
    writes = [event for event in plane.converger.trace if event.resource == "replicasets.apps"]
    assert len(writes) <= 5
