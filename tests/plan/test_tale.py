"""A run told while it lasts says what one that was kept says."""

from __future__ import annotations

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.client.client import WatchEvent
from kctl.plan import consequence, report, timeline
from kctl.plan.tale import Tale
from tests.plan.test_timeline import deployment


def opened() -> ControlPlane:
    return ControlPlane.open(None, nodes=2)


def tale(cp: ControlPlane) -> Tale:
    return Tale(lambda: cp.client.list("replicasets.apps").items)


def change(cp: ControlPlane, replicas: int, image: str) -> None:
    live = cp.client.get("deployments.apps", "default", "web")
    cp.client.update("deployments.apps", {**live, "spec": deployment(replicas, image)["spec"]})


def test_nothing_is_kept_of_a_run_that_is_told() -> None:
    with opened() as cp:
        cp.client.create("deployments.apps", deployment(3))
        cp.run(listener=tale(cp))
        assert cp.converger.trace == []
        cp.client.delete("deployments.apps", Key("default", "web"))
        cp.run()
        assert cp.converger.trace


@pytest.mark.parametrize("image", ["example/web:2", "not/a/valid::image"])
def test_the_report_is_the_same_whether_told_or_kept(image: str) -> None:
    reports = []
    for is_told in (True, False):
        with opened() as cp:
            cp.client.create("deployments.apps", deployment(3))
            cp.run()
            change(cp, 5, image)
            outcome = cp.run(listener=tale(cp) if is_told else None)
            reports.append(report.build(cp, outcome))
    assert reports[0] == reports[1]
    assert reports[0]["consequence"]
    assert reports[0]["timeline"]


def test_changes_taken_in_one_by_one_tell_what_they_tell_at_once() -> None:
    with opened() as cp:
        cp.client.create("deployments.apps", deployment(2))
        cp.run()
        change(cp, 4, "example/web:2")
        cp.run()
        trace, times = list(cp.converger.trace), list(cp.converger.times)
        told = tale(cp)
        for event, at in zip(trace, times, strict=True):
            told.take([event], [at])
        pods, replicasets = (cp.client.list(resource).items for resource in ("pods", "replicasets.apps"))
        assert told.records(pods) == consequence.records(trace, times, pods, replicasets)
        assert told.rows(times[0]) == timeline.rows(trace, times, times[0])


def test_the_owner_of_a_pod_is_known_when_only_the_pod_changes() -> None:
    with opened() as cp:
        cp.client.create("deployments.apps", deployment(1))
        cp.run()
        pod = cp.client.list("pods").items[0]
        told = tale(cp)
        told.take([WatchEvent("DELETED", "pods", pod, pod)], [0.0])
        assert [row.owner for row in told.rows(0.0)] == ["deployment.apps/web"]


def test_a_warning_is_told_although_no_loop_follows_events() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        made = deployment(1)
        made["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1000"}}
        cp.client.create("deployments.apps", made)
        outcome = cp.run(listener=tale(cp))
        found = report.build(cp, outcome)["consequence"]
        warnings = [(entry["owner"], entry["reason"], entry["count"]) for entry in found if entry["type"] == "warning"]
        assert warnings == [("deployment.apps/web", "FailedScheduling", 1)]
        assert [event for event in cp.converger.trace if event.resource == "events"] == []
