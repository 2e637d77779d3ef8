"""What goes round and round: statuses alone are a way of being at rest, anything else is an oscillation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.clock import rfc3339
from kctl.api.objects import Obj
from kctl.client.client import WatchEvent
from kctl.runtime.fingerprint import Fingerprint, Timers, hash_of, normal, told
from kctl.runtime.rounds import Signs
from tests.runtime.test_retries import DEPLOYMENTS, deployment, made

NOWHERE = deployment(nodeName="nowhere")
WORLDS: dict[str, tuple[str, Obj]] = {
    "a Deployment": (DEPLOYMENTS, NOWHERE),
    "a StatefulSet": (
        "statefulsets.apps",
        {**NOWHERE, "kind": "StatefulSet", "spec": {**NOWHERE["spec"], "serviceName": "web"}},
    ),
}


@pytest.mark.parametrize("world", WORLDS)
def test_pods_made_anew_for_ever_on_a_node_that_does_not_exist_oscillate(world: str) -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(*WORLDS[world])
        report = cp.converge()
        assert report["verdict"] == "Oscillating"
        assert "everything comes back to what it was every 40s: pods default/web-" in report["why"]
        assert "deleted by pod-garbage-collector-controller" in report["why"]
        assert report["virtualSeconds"] < 1000
        for is_fresh in (False, True):
            if is_fresh:
                cp.converger.drop()
            for use_mark in (True, False):
                cp.use_mark(use_mark)
                again = cp.converge()
                assert (again["verdict"], again["why"]) == ("Oscillating", report["why"])
                assert (again["revision"], again["virtualSeconds"]) == (report["revision"], 0)


def test_a_cycle_that_somebody_ends_is_forgotten() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(DEPLOYMENTS, NOWHERE)
        assert cp.converge()["verdict"] == "Oscillating"
        for obj in cp.client.list(DEPLOYMENTS).items:
            cp.client.update(DEPLOYMENTS, {**obj, "spec": {**obj["spec"], "replicas": 0}})
        assert cp.converge()["verdict"] == "Converged"


@pytest.mark.parametrize("more", [{}, {"completions": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1000}])
def test_a_job_that_would_fail_for_days_comes_to_rest_at_its_longest_back_off(more: dict[str, Any]) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "a"}]}}
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(
            "jobs.batch", made("batch/v1", "Job", "job", spec={"template": template, "backoffLimit": 1000, **more})
        )
        report = cp.play("exit:job/job=1")
        assert report["verdict"] == "Settled"
        assert report["virtualSeconds"] < 1000
        cp.converger.drop()
        cp.use_mark(False)
        assert cp.converge()["revision"] == report["revision"]
        failed = cp.client.get("jobs.batch", "default", "job")["status"]["failed"]
        cp.advance("2h")
        assert cp.client.get("jobs.batch", "default", "job")["status"]["failed"] > failed


CRON = {
    "schedule": "* * * * *",
    "jobTemplate": {
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "job:v1"}]}}}
    },
}


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        ("Allow", "image:job:v1=fail"),
        ("Forbid", "image:job:v1=fail"),
        ("Replace", "image:job:v1=fail"),
        ("Replace", "exit:job/cron*=1"),
        pytest.param("Allow", "exit:job/cron*=1", marks=pytest.mark.slow),
    ],
)
def test_a_cron_job_whose_jobs_never_end_keeps_no_time_going(policy: str, fault: str) -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create(
            "cronjobs.batch", made("batch/v1", "CronJob", "cron", spec={**CRON, "concurrencyPolicy": policy})
        )
        cp.client.create(DEPLOYMENTS, deployment(of={"minReadySeconds": 400}))
        report = cp.play(fault)
        assert report["verdict"] == "Settled", report["why"]
        for is_fresh in (False, True):
            if is_fresh:
                cp.converger.drop()
            cp.use_mark(False)
            again = cp.converge()
            assert (again["revision"], again["verdict"]) == (report["revision"], "Settled")


def pod(name: str, *, phase: str = "Running", node: str = "n", uid: str = "1", version: int = 1, now: float = 0) -> Obj:
    meta = {
        "name": f"web-{name}",
        "namespace": "ns",
        "generateName": "web-",
        "uid": uid,
        "resourceVersion": str(version),
    }
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": True}
    volume = {"name": f"kube-api-access-{name}"}
    return {
        "metadata": {**meta, "creationTimestamp": rfc3339(now), "ownerReferences": [owner]},
        "spec": {"nodeName": node, "volumes": [volume]},
        "status": {"phase": phase, "startTime": rfc3339(now), "message": f"web-{name} began at {rfc3339(now)}"},
    }


def test_an_object_made_anew_is_the_same_but_for_what_every_new_one_has() -> None:
    first = hash_of("pods", pod("bcdfg", now=5.0))
    assert first == hash_of("pods", pod("7xk2p", uid="2", version=9, now=77.0))
    assert first != hash_of("pods", pod("bcdfg", now=5.0, phase="Pending"))
    assert first != hash_of("pods", pod("bcdfg", now=5.0, node="m"))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("web-54df878b6c-8r89b", "web-54df878b6c-*"),
        ("cj-29454720", "cj-*"),
        ("cj-29454720-8r89b", "cj-29454720-*"),
        ("since 2026-01-01T00:00:00Z.", "since *."),
        ("pod 5f0e8a1c-2b7d-4a51-9b59-5c1f2f0a9d10 of web", "pod * of web"),
        ("web-green", "web-green"),
        ("db-0", "db-0"),
    ],
)
def test_names_times_and_uids_are_left_out_of_texts(text: str, seen: str) -> None:
    assert normal(text) == seen


PLACED = (("Pending", {}), ("Pending", {"nodeName": "n"}), ("Running", {"nodeName": "n"}))


class World:
    """Feeds a fingerprint; ``timers`` are what is waited for."""

    def __init__(self) -> None:
        self.now, self.timers, self.obj = 0.0, [("loop", "a", 10.0)], pod("bcdfg")
        self.print = Fingerprint(0.0, self.ahead, lambda: "loop")

    def ahead(self) -> Timers:
        return frozenset(self.timers)

    def turn(self, phase: str, *timers: float) -> Any:
        """Let ten seconds pass, a pod change and timers be set anew; return the cycle if there is one."""
        self.now += 10
        old, self.obj = self.obj, pod("bcdfg", phase=phase, now=self.now)
        self.print.see(WatchEvent("MODIFIED", "pods", self.obj, old))
        self.timers = [("loop", str(n), at) for n, at in enumerate(timers)]
        return self.print.repeats(self.now)


def test_the_same_state_with_the_same_to_come_is_a_cycle() -> None:
    world = World()
    found = [world.turn(phase, world.now + 20) for phase in ("Failed", "Running") * 3]
    assert found[:3] == [None] * 3
    assert (found[3].since, found[3].period, found[3].what) == (20.0, 20.0, "")


def test_who_looks_at_the_clock_while_nothing_moves_is_no_cycle() -> None:
    world = World()
    assert not any(world.turn("Running", world.now + 20) for _ in range(50))


def test_what_is_still_waited_for_since_the_last_time_may_bring_something_else() -> None:
    world = World()
    assert not any(world.turn(phase, world.now + 20, 5000.0) for phase in ("Failed", "Running") * 50)


def test_cycles_of_different_lengths_are_a_cycle_once_all_that_was_waited_for_has_come() -> None:
    world = World()
    found = [world.turn(phase, world.now + 20 + n * 0.37) for n, phase in enumerate(("Failed", "Running") * 4)]
    assert any(cycle is not None and not cycle.what for cycle in found)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=40, unique=False))
def test_states_that_never_come_back_are_no_cycle(steps: list[int]) -> None:
    world, total = World(), 0
    for step in steps:
        total += step + 1
        assert world.turn(f"{total}", world.now + 20) is None


def test_a_schedule_that_makes_jobs_does_not_hide_a_cycle_nor_is_one() -> None:
    world = World()
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "cj", "uid": "u", "controller": True}
    found = []
    for n, phase in enumerate(("Failed", "Running") * 3):
        job = {"metadata": {"name": f"cj-2945472{n}", "namespace": "ns", "ownerReferences": [owner]}, "spec": {"n": n}}
        world.print.see(WatchEvent("ADDED", "jobs.batch", job, None))
        found.append(world.turn(phase, world.now + 20))
    assert [cycle.what for cycle in found if cycle is not None] == ["", "", ""]


def test_a_cycle_is_told_by_what_happens_most_often_and_by_whom() -> None:
    changes = [
        ("pods a", "created", "rs"),
        ("pods a", "deleted", "gc"),
        ("services b", "changed", ""),
        ("pods a", "created", "rs"),
    ]
    assert told(changes) == "pods a is created by rs, deleted by gc; services b is changed by a client"  # type: ignore[arg-type]


def test_children_made_anew_in_instant_after_instant_are_noticed_and_those_of_a_rollout_are_not() -> None:
    churn, rollout = Signs(), Signs()
    for instant in range(3):
        churn.instant = rollout.instant = instant
        assert not churn.churns
        for kind in ("DELETED", "ADDED", "ADDED"):
            churn.see(WatchEvent(kind, "pods", pod("bcdfg"), None))
        other = pod("bcdfg")
        other["metadata"]["ownerReferences"] = [{**other["metadata"]["ownerReferences"][0], "uid": "new"}]
        rollout.see(WatchEvent("DELETED", "pods", pod("bcdfg"), None))
        rollout.see(WatchEvent("ADDED", "pods", other, None))
    assert churn.churns
    assert not rollout.churns


def test_what_only_comes_is_given_a_place_and_goes_its_way_is_not_hashed() -> None:
    signs = Signs()
    waiting, bound, up = ({**pod("bcdfg", phase=phase), "spec": spec} for phase, spec in PLACED)
    for kind, new, old in (("ADDED", waiting, None), ("MODIFIED", bound, waiting), ("MODIFIED", up, bound)):
        signs.see(WatchEvent(kind, "pods", new, old))
    assert not signs.shrinks
    signs.see(WatchEvent("MODIFIED", "pods", {**up, "spec": {"nodeName": "m"}}, up))
    assert signs.shrinks
    signs.shrinks = False
    signs.see(WatchEvent("DELETED", "pods", up, up))
    assert signs.shrinks


def test_daemons_that_are_evicted_for_ever_come_to_rest_at_their_longest_back_off() -> None:
    spec = {name: value for name, value in deployment()["spec"].items() if name != "replicas"}
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create("daemonsets.apps", made("apps/v1", "DaemonSet", "agent", spec=spec))
        report = cp.play("node:node-1=pressure memory@10s")
        assert report["verdict"] == "Settled"
        assert not report["why"]
        assert report["virtualSeconds"] < 3600
        cp.converger.drop()
        cp.use_mark(False)
        assert cp.converge()["revision"] == report["revision"]
        cp.advance("1h")
        assert cp.revision > report["revision"]
