"""A world is the same to the byte, whether changes of pods alike are taken for one or each for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Obj
from kctl.client import cache

TEMPLATE = {"containers": [{"name": "c", "image": "example/c:1", "resources": {"requests": {"cpu": "100m"}}}]}
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/default/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/default/daemonsets",
    "Job": "/apis/batch/v1/namespaces/default/jobs",
    "Service": "/api/v1/namespaces/default/services",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
    "ResourceQuota": "/api/v1/namespaces/default/resourcequotas",
    "Pod": "/api/v1/namespaces/default/pods",
}


def workload(kind: str, name: str, **spec: Any) -> Obj:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": spec.pop("pod", TEMPLATE)}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    selector = {} if kind == "Job" else {"selector": {"matchLabels": labels}}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {**selector, "template": pod, **spec},
    }


def small(version: str, kind: str, name: str, spec: Obj) -> Obj:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


WORLD = [
    workload("Deployment", "web", replicas=12),
    workload(
        "Deployment",
        "big",
        replicas=4,
        pod={"containers": [{**TEMPLATE["containers"][0], "resources": {"requests": {"cpu": "3"}}}]},
    ),
    workload("StatefulSet", "db", replicas=3, serviceName="db"),
    workload("DaemonSet", "log"),
    workload("Job", "once", completions=4, parallelism=2, pod={**TEMPLATE, "restartPolicy": "Never"}),
    small("v1", "Service", "web", {"selector": {"app": "web"}, "ports": [{"port": 80}]}),
    small("policy/v1", "PodDisruptionBudget", "web", {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}),
]
ALONE = small("v1", "Pod", "alone", {"nodeSelector": {"kubernetes.io/os": "linux"}, **TEMPLATE})
QUOTA = small("v1", "ResourceQuota", "q", {"hard": {"pods": "24", "requests.cpu": "9"}})


def history(folder: Path, *, is_alike: bool, others: list[Obj]) -> tuple[list[Any], list[Any]]:
    """Return all that is stored of a world in which pods come, are replaced, end and go, and what is told of it."""
    with pytest.MonkeyPatch.context() as patch:
        if not is_alike:
            patch.setattr(cache, "_faces", lambda: None)
        with ControlPlane.open(folder, nodes=3) as cp:
            told = []
            for obj in (*others, *WORLD):
                assert cp.request("POST", PATHS[obj["kind"]], body=obj).status == 201
            told.append(cp.converge())
            cp.request("POST", PATHS["Pod"], body=ALONE)
            headers = {"Content-Type": "application/strategic-merge-patch+json"}
            image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "example/c:2"}]}}}}
            for kind, name, body in (
                ("Deployment", "web", image),
                ("Deployment", "big", {"spec": {"replicas": 1}}),
                ("StatefulSet", "db", image),
                ("DaemonSet", "log", image),
            ):
                assert cp.request("PATCH", f"{PATHS[kind]}/{name}", body=body, headers=headers).status == 200
            told.append(cp.converge())
            for kind, name in (("Deployment", "web"), ("Job", "once"), ("Pod", "alone")):
                cp.request("DELETE", f"{PATHS[kind]}/{name}")
            told.append(cp.converge())
            return [tuple(change) for change in cp.server.storage.store.changes(0)], told


@pytest.mark.parametrize("others", [[], [QUOTA]], ids=["", "with a quota"])
def test_what_is_stored_does_not_depend_on_which_changes_were_taken_for_one(tmp_path: Path, others: list[Obj]) -> None:
    together = history(tmp_path / "a", is_alike=True, others=others)
    apart = history(tmp_path / "b", is_alike=False, others=others)
    assert together == apart
    assert len(together[0]) > 300
