"""Builders of nodes, pods and clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from kctl.client.cache import Caches
from kctl.client.client import WatchEvent
from kctl.scheduler.cluster import Cluster

Obj = dict[str, Any]


def build_node(name: str = "n", **more: Any) -> Obj:
    allocatable = {
        "cpu": "4",
        "memory": "8Gi",
        "pods": "110",
        "ephemeral-storage": "100Gi",
        **more.pop("allocatable", {}),
    }
    labels = {"kubernetes.io/hostname": name, **more.pop("labels", {})}
    status = {"allocatable": allocatable, "images": more.pop("images", [])}
    created = more.pop("created", "2026-01-01T00:00:00Z")
    metadata = {"name": name, "uid": f"uid-{name}", "labels": labels, "creationTimestamp": created}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": more, "status": status}


def build_pod(name: str = "p", **more: Any) -> Obj:
    requests = {key: more.pop(key) for key in ("cpu", "memory") if key in more}
    meta = {
        "name": name,
        "namespace": more.pop("namespace", "default"),
        "uid": f"uid-{name}",
        "labels": more.pop("labels", {}),
        **more.pop("metadata", {}),
    }
    status = more.pop("status", {})
    containers = [{"name": "c", "image": "registry.example/app:1", "resources": {"requests": requests}}]
    spec = {"containers": containers, **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def build_cluster(nodes: Iterable[Obj] = (), pods: Iterable[Obj] = (), **others: Iterable[Obj]) -> Cluster:
    caches = Caches(lambda _cache: None)
    for resource, objects in {"namespaces": [namespace("default")], **others}.items():
        for obj in objects:
            name = resource.replace("_", ".")
            caches[name].deliver(WatchEvent("ADDED", name, obj, None))
    cluster = Cluster(caches)
    for node in nodes:
        cluster.put_node(node)
    for pod in pods:
        cluster.put_pod(pod)
    return cluster


def namespace(name: str, labels: Obj | None = None) -> Obj:
    return {"metadata": {"name": name, "labels": labels or {}}}


@pytest.fixture
def node() -> Callable[..., Obj]:
    return build_node


@pytest.fixture
def pod() -> Callable[..., Obj]:
    return build_pod


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    return build_cluster
