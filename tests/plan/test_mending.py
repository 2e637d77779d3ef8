"""What lifts blockers that are no matter of nodes: every remedy told, applied as it is given, lifts it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.plan import why

Obj = dict[str, Any]


def workload(replicas: int = 1, *, container: Obj | None = None, **spec: Any) -> Obj:
    made = {"name": "c", "image": "example/c:1", **(container or {})}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [made], **spec}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }


def variable(kind: str) -> Obj:
    return {"env": [{"name": "A", "valueFrom": {f"{kind}KeyRef": {"name": "conf", "key": "size"}}}]}


def claiming(name: str) -> Obj:
    return workload(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": name}}])


def claim(storage_class: str) -> Obj:
    size = {"requests": {"storage": "2Gi"}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": size, "storageClassName": storage_class},
    }


def by_hand() -> Obj:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "by-hand"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def quota(**hard: str) -> Obj:
    meta = {"name": "few", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}


CASES = {
    "a Secret that is missing": (
        [],
        workload(container=variable("secret")),
        "goes on if there is a Secret conf with the key size",
    ),
    "a ConfigMap that is missing": (
        [],
        workload(container=variable("configMap")),
        "goes on if there is a ConfigMap conf with the key size",
    ),
    "a Secret to be mounted": (
        [],
        workload(volumes=[{"name": "v", "secret": {"secretName": "keys", "items": [{"key": "a", "path": "a"}]}}]),
        "goes on if there is a Secret keys with the key a",
    ),
    "a claim that is missing": ([], claiming("data"), "goes on if there is a PersistentVolumeClaim data"),
    "a StorageClass that is missing": (
        [("persistentvolumeclaims", claim("fast"))],
        claiming("data"),
        "goes on if there is a StorageClass fast",
    ),
    "a claim that wants no class": (
        [("persistentvolumeclaims", claim(""))],
        claiming("data"),
        "goes on if there is a PersistentVolume of 2Gi for claim data",
    ),
    "a claim whose class makes no volumes": (
        [("storageclasses.storage.k8s.io", by_hand()), ("persistentvolumeclaims", claim("by-hand"))],
        claiming("data"),
        "goes on if there is a PersistentVolume of 2Gi for claim data",
    ),
    "a ServiceAccount that is missing": (
        [],
        workload(serviceAccountName="robot"),
        "goes on if there is a ServiceAccount robot",
    ),
    "a PriorityClass that is missing": (
        [],
        workload(priorityClassName="high"),
        "goes on if there is a PriorityClass high",
    ),
    "a quota": ([("resourcequotas", quota(pods="1"))], workload(3), "goes on if resourcequota/few allows pods=3"),
}


@pytest.mark.parametrize(("before", "own", "text"), CASES.values(), ids=CASES)
def test_what_is_told_lifts_the_blocker(before: list[tuple[str, Obj]], own: Obj, text: str) -> None:
    with ControlPlane.open(None, nodes=1, cloud="local") as cp:
        cp.converge()
        for resource, obj in before:
            cp.client.create(resource, obj)
        cp.converge()
        cp.client.create("deployments.apps", own)
        assert cp.converge()["verdict"] == "Settled"
        revision = cp.revision
        found = why.explain(cp, "deployments.apps", cp.client.get("deployments.apps", "default", "web"))
        assert cp.revision == revision
        [remedy] = [remedy for entry in found["blockers"] for remedy in entry["remedies"]]
        assert remedy["text"] == text
        [step] = remedy["apply"]
        if "create" in step:
            cp.client.create(step["resource"], step["create"])
        else:
            cp.client.patch(step["resource"], Key(step["namespace"], step["name"]), step["patch"], type="json")
        cp.commit()
        cp.refresh()  # as the next command would: queues and their back-off do not outlive a process
        report = cp.converge()
        assert report["verdict"] == "Converged", report["residual"]


def test_a_finalizer_that_nobody_takes_off_is_told_with_its_object() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.converge()
        held = {"name": "held", "namespace": "default", "finalizers": ["example.com/hold"]}
        spec = {"containers": [{"name": "c", "image": "example/c:1"}]}
        cp.client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": held, "spec": spec})
        cp.converge()
        cp.client.delete("pods", Key("default", "held"))
        cp.converge()
        [entry] = why.explain(cp, "pods", cp.client.get("pods", "default", "held"))["blockers"]
        assert entry["leaf"] == {"kind": "finalizer", "object": "example.com/hold"}
        [remedy] = entry["remedies"]
        [step] = remedy["apply"]
        cp.client.patch("pods", Key("default", "held"), step["patch"], type="json")
        cp.converge()
        assert cp.client.list("pods").items == []
