"""Things that end leave the same log whether they go together or one after the other.

A namespace that is deleted, nodes that die and are evicted, a rolling update: each is run once as it is and once
with everything asked and judged one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key, Obj
from kctl.api.scenario import oneliners
from kctl.apiserver import alike_pods, batch, deletions
from kctl.client.local import LocalClient
from kctl.scheduler.kernel.landscape import Landscape

NAMESPACE = "doomed"


def put(cp: ControlPlane, resource: str, api: str, kind: str, name: str, **more: Any) -> None:
    meta = {"name": name, **more.pop("meta", {})}
    if kind != "Namespace":
        meta["namespace"] = NAMESPACE
    cp.client.create(resource, {"apiVersion": api, "kind": kind, "metadata": meta, **more})


def deployment(cp: ControlPlane, name: str, replicas: int, **pod: Any) -> None:
    labels = {"app": name}
    spec = {"containers": [{"name": "c", "image": f"{name}:1", "resources": {"requests": {"cpu": "100m"}}}], **pod}
    template = {"metadata": {"labels": labels}, "spec": spec}
    wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    put(cp, "deployments.apps", "apps/v1", "Deployment", name, spec=wanted)


def filled(cp: ControlPlane) -> None:
    """Fill a namespace with this and that."""
    put(cp, "namespaces", "v1", "Namespace", NAMESPACE)
    deployment(cp, "web", 9)
    deployment(cp, "slow", 3, terminationGracePeriodSeconds=7)
    put(cp, "services", "v1", "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
    for n in range(6):
        put(cp, "configmaps", "v1", "ConfigMap", f"map-{n}", data={"n": str(n)})
    put(cp, "secrets", "v1", "Secret", "zzz", stringData={"a": "b"})
    cp.converge()


def a_namespace_ends(cp: ControlPlane) -> None:
    filled(cp)
    cp.client.delete("namespaces", Key("", NAMESPACE))
    cp.converge()
    assert NAMESPACE not in {found["metadata"]["name"] for found in cp.client.list("namespaces").items}


def a_namespace_waits(cp: ControlPlane) -> None:
    filled(cp)
    put(cp, "configmaps", "v1", "ConfigMap", "held", meta={"finalizers": ["example.com/keep"]})
    cp.client.delete("namespaces", Key("", NAMESPACE))
    cp.converge()
    assert cp.client.get("namespaces", "", NAMESPACE)["status"]["phase"] == "Terminating"
    cp.client.patch("configmaps", Key(NAMESPACE, "held"), {"metadata": {"finalizers": None}})
    cp.converge()


def nodes_die(cp: ControlPlane) -> None:
    put(cp, "namespaces", "v1", "Namespace", NAMESPACE)
    for n in range(4):
        deployment(cp, f"app-{n}", 5)
    cp.converge()
    events = ("node:node-2=die@10s", "node:node-3=die@15s")
    cp.client.create("scenarios.sim.kctl.dev", {**oneliners.manifest_of(events), "metadata": {"name": "s"}})
    cp.converge("30m")
    assert any(pod["metadata"].get("deletionTimestamp") for pod in cp.client.list("pods").items)


def an_update_rolls(cp: ControlPlane) -> None:
    filled(cp)
    change = {"spec": {"template": {"metadata": {"annotations": {"again": "yes"}}}}}
    cp.client.patch("deployments.apps", Key(NAMESPACE, "web"), change)
    cp.converge()


def one_by_one(patch: pytest.MonkeyPatch) -> None:
    """Have everything asked and judged by itself."""
    patch.setattr(deletions, "is_plain", lambda *_: False)
    patch.setattr(alike_pods, "created", lambda *_: None)
    patch.setattr(batch, "_refused_alike", lambda *_: ())
    patch.setattr(Landscape, "stands", lambda _, cluster: cluster.retainted.end == 0)
    patch.setattr(LocalClient, "in_a_row", lambda self: self)


def log_of(story: Callable[[ControlPlane], None]) -> list[tuple[int, str, str, Obj]]:
    """Return every write of a story: revision, resource, what it was, the object."""
    out: list[tuple[int, str, str, Obj]] = []
    with ControlPlane.open(None, nodes=5) as cp:
        storage = cp.server.storage
        for resource in sorted({cp.server.stored_as(kind.resource) for kind in cp.server.registry.all()}):
            storage.subscribe(resource, lambda event: out.append((storage.revision, *event.read()[:3])))
        story(cp)
    return out


@pytest.mark.parametrize("story", [a_namespace_ends, a_namespace_waits, nodes_die, an_update_rolls])
def test_what_ends_together_leaves_the_log_that_it_leaves_one_by_one(story: Callable[[ControlPlane], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        one_by_one(patch)
        expected = log_of(story)
    found = log_of(story)
    assert len(found) == len(expected) > 100
    for one, other in zip(found, expected, strict=True):
        assert one == other
