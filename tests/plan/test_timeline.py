"""The timeline: from a run and from the log it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.plan import timeline
from kctl.plan.tale import Tale


def deployment(replicas: int, image: str = "example/web:1") -> dict[str, Any]:
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 3, "periodSeconds": 1}
    container = {"name": "web", "image": image, "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}},
        },
    }


def told(rows: list[timeline.Row]) -> list[tuple[float, str, str, int]]:
    return [(row.at, row.owner, row.what, row.times) for row in rows if row.owner.startswith("deployment")]


def test_a_rollout_is_told_step_by_step() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create("deployments.apps", deployment(2))
        cp.converge()
        key = cp.client.list("deployments.apps").items[0]["metadata"]
        live = cp.client.get("deployments.apps", key["namespace"], key["name"])
        cp.client.update("deployments.apps", {**live, "spec": deployment(2, "example/web:2")["spec"]})
        report = cp.converge()
        rows = [(row["virtualSeconds"], row["what"], row["count"]) for row in report["timeline"]]
        pods = [row for row in rows if row[1].startswith("pods")]
        assert pods[:2] == [(0.0, "pods created", 1), (0.0, "pods scheduled", 1)]
        ready = [at for at, what, _ in pods if what == "pods ready"]
        terminating = [at for at, what, _ in pods if what == "pods terminating"]
        assert len(ready) == len(terminating) == 2
        assert ready == terminating  # each old pod goes when a new one is ready
        assert pods[-1][1:] == ("pods gone", 1)
        assert pods[-1][0] == report["virtualSeconds"]


def test_the_log_tells_what_the_run_told(tmp_path: Path) -> None:
    with ControlPlane.open(tmp_path / "state", nodes=2) as cp:
        cp.client.create("deployments.apps", deployment(3))
        cp.converge()
        trace, times = cp.converger.trace, cp.converger.times
        run = told(timeline.rows(trace, times, times[0]))
    with ControlPlane.open(tmp_path / "state") as cp:
        found = Tale.of_log(cp)
        log = told(found.rows(found.started))
    of_pods = [row for row in run if row[2].startswith("pods")]
    assert sorted(of_pods) == sorted(row for row in log if row[2].startswith("pods"))


CHANGES = [
    (None, {"spec": {}, "status": {}}, ["pods created"]),
    ({"spec": {}}, {"spec": {"nodeName": "n"}}, ["pods scheduled"]),
    ({"status": {"phase": "Pending"}}, {"status": {"phase": "Failed"}}, ["pods failed"]),
    ({"metadata": {}}, {"metadata": {"deletionTimestamp": "x"}}, ["pods terminating"]),
    ({"metadata": {"deletionTimestamp": "x"}}, {"metadata": {"deletionTimestamp": "x"}}, []),
    ({"metadata": {}}, None, ["pods gone"]),
]


@pytest.mark.parametrize(("old", "new", "wanted"), CHANGES)
def test_a_change_of_a_pod_means(old: dict[str, Any], new: dict[str, Any], wanted: list[str]) -> None:
    def whole(obj: dict[str, Any] | None) -> dict[str, Any] | None:
        return None if obj is None else {"metadata": {}, "spec": {}, "status": {}, **obj}

    assert list(timeline.happenings("pods", whole(old), whole(new))) == wanted
