"""What keeps pods from running, how rollouts and Jobs end: in the timeline, the second layer and status."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key, Obj
from kctl.plan import timeline
from kctl.plan.podfacts import facts_of


def deployment(**spec: Any) -> Obj:
    container = {"name": "c", "image": "i:1", "resources": {"requests": {"cpu": spec.pop("cpu", "1")}}}
    container["image"] = spec.pop("image", "i:1")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


def waiting(reason: str) -> Obj:
    return {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": reason}}}]}


def unscheduled(reason: str) -> Obj:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "reason": reason}]}


CRASHED = {"containerStatuses": [{"name": "c", "state": {"running": {}}, "restartCount": 2, "ready": False}]}
READY = {**CRASHED, "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        ({}, ""),
        (unscheduled("Unschedulable"), "unschedulable"),
        (unscheduled("SchedulingGated"), "gated"),
        (waiting("ContainerCreating"), ""),
        (waiting("ErrImagePull"), "without image"),
        (waiting("ImagePullBackOff"), "without image"),
        (waiting("CreateContainerConfigError"), "misconfigured"),
        (waiting("CrashLoopBackOff"), "crash looping"),
        (CRASHED, "crash looping"),
        (READY, ""),
        ({**CRASHED, "phase": "Failed"}, ""),
    ],
)
def test_what_keeps_a_pod_from_running_has_a_word(status: Obj, trouble: str) -> None:
    assert facts_of({"metadata": {}, "status": status}).trouble == trouble


def test_a_pod_that_goes_is_in_no_trouble() -> None:
    pod = {"metadata": {"deletionTimestamp": "x"}, "status": unscheduled("Unschedulable")}
    assert facts_of(pod).trouble == ""


def progressing(reason: str) -> Obj:
    return {"spec": {}, "status": {"conditions": [{"type": "Progressing", "status": "True", "reason": reason}]}}


def ended(type_: str, reason: str = "") -> Obj:
    return {"status": {"conditions": [{"type": type_, "status": "True", "reason": reason}]}}


BOUND = {"spec": {"volumeName": "pv-1"}, "status": {"phase": "Bound"}}


@pytest.mark.parametrize(
    ("resource", "old", "new", "wanted"),
    [
        ("deployments.apps", progressing("x"), progressing("NewReplicaSetAvailable"), ["rolled out"]),
        ("deployments.apps", None, progressing("ProgressDeadlineExceeded"), ["progress deadline exceeded"]),
        ("deployments.apps", progressing("NewReplicaSetAvailable"), progressing("NewReplicaSetAvailable"), []),
        ("deployments.apps", {"spec": {}}, {"spec": {"paused": True}}, ["paused"]),
        ("deployments.apps", {"spec": {"paused": True}}, {"spec": {}}, ["resumed"]),
        ("deployments.apps", {"spec": {}}, {"spec": {}, **ended("ReplicaFailure", "Q")}, ["pods refused: Q"]),
        ("jobs.batch", {}, ended("Complete"), ["completed"]),
        ("jobs.batch", {}, ended("Failed", "BackoffLimitExceeded"), ["failed: BackoffLimitExceeded"]),
        ("jobs.batch", ended("Complete"), ended("Complete"), []),
        ("persistentvolumeclaims", {"status": {"phase": "Pending"}}, BOUND, ["bound to pv-1"]),
        ("persistentvolumeclaims", BOUND, None, []),
        ("statefulsets.apps", {"spec": {"replicas": 1}}, {"spec": {"replicas": 3}}, ["scaled 1 -> 3"]),
    ],
)
def test_a_change_means_what_a_person_would_say_of_it(
    resource: str, old: Obj | None, new: Obj | None, wanted: list[str]
) -> None:
    assert list(timeline.happenings(resource, old, new)) == wanted


def rows(report: Obj) -> list[tuple[str, int]]:
    return [(row["what"], row["count"]) for row in report["timeline"] if row["owner"] == "deployment.apps/web"]


def test_a_rollout_that_finds_no_room_says_so_when_it_happens_and_when_it_gives_up() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", deployment(cpu="3", progressDeadlineSeconds=60))
        report = cp.converge()
    told = rows(report)
    assert ("pods unschedulable", 1) in told
    assert told[-1] == ("progress deadline exceeded", 1)
    pods, rollout = [record for record in report["consequence"] if record["type"] in ("pods", "rollout")]
    assert pods["troubled"] == {"unschedulable": 1}
    assert (rollout["type"], rollout["outcome"]) == ("rollout", "progress deadline exceeded")
    assert rollout["message"].endswith("has timed out progressing.")


def test_room_that_comes_later_is_told_as_well() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create("deployments.apps", deployment(cpu="3", progressDeadlineSeconds=60))
        cp.converge()
        cp.client.patch("deployments.apps", Key("default", "web"), {"spec": {"replicas": 1}})
        report = cp.converge()
    assert not [record for record in report["consequence"] if record["type"] == "rollout"]


def test_a_pod_that_waits_for_its_image_is_told_once_whatever_the_kubelet_calls_it() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(
            "deployments.apps", deployment(image="app/NOT-pullable", replicas=1, progressDeadlineSeconds=60)
        )
        report = cp.converge()
    assert rows(report).count(("pods without image", 1)) == 1
    (pods,) = [record for record in report["consequence"] if record["type"] == "pods"]
    assert pods["troubled"] == {"without image": 1}
