"""What single requests cost in the process: CPU microseconds through the whole pipeline."""

from __future__ import annotations

import gc
from time import process_time
from typing import Any, NamedTuple

from kctl.api.clock import FixedClock
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

Obj = dict[str, Any]
COUNT = 2000


class RequestCost(NamedTuple):
    """Microseconds of one request, and how many it may take."""

    name: str
    cost: float
    budget: float


def deployment(n: int) -> Obj:
    """Return a Deployment as a user writes it."""
    labels = {"app": f"app-{n}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app-{n}", "namespace": "default", "labels": labels},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(n)},
        },
    }


def pod_spec(n: int) -> Obj:
    """Return the spec of a pod of one container."""
    requests = {"cpu": "100m", "memory": "128Mi"}
    ports = [{"containerPort": 8080}]
    container = {"name": "main", "image": f"example.com/app:{n}", "ports": ports, "resources": {"requests": requests}}
    return {"containers": [container]}


def costs() -> list[RequestCost]:
    """Create Deployments, and pods of one template."""
    gc.disable()
    server = APIServer(MemoryStore(), clock=FixedClock())
    client = LocalClient(server, user="system:kube-controller-manager", field_manager="kube-controller-manager")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    client.create("serviceaccounts", account)
    client.create("deployments.apps", deployment(COUNT))  # everything is imported by now
    begun = process_time()
    for n in range(COUNT):
        client.create("deployments.apps", deployment(n))
    one = (process_time() - begun) / COUNT * 1e6
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app-1", "uid": "u", "controller": True}
    common: Obj = {"namespace": "default", "labels": {"app": "app-1"}, "ownerReferences": [owner]}
    template = {"apiVersion": "v1", "kind": "Pod", "spec": pod_spec(1)}
    client.create_many("pods", template, [{**common, "name": "first"}])
    begun = process_time()
    client.create_many("pods", template, [{**common, "name": f"app-1-{n:05}"} for n in range(COUNT)])
    two = (process_time() - begun) / COUNT * 1e6
    gc.enable()
    return [
        RequestCost("create a Deployment (µs)", one, 300),
        RequestCost("create a pod from a seen template (µs)", two, 80),
    ]
