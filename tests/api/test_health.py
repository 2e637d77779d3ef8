"""Health: one row a state an object can be in."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api import health


def pod(node: str = "n1", deleting: bool = False, **status: Any) -> dict[str, Any]:
    meta = {"name": "p", "namespace": "default"}
    if deleting:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": meta, "spec": {"nodeName": node} if node else {}, "status": status}


def condition(type: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": type, "status": status, "reason": reason, "message": message}


READY = condition("Ready", "True")
UNREADY = condition("Ready", "False", "ContainersNotReady", "containers with unready status: [web]")
NO_ROOM = condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")
PULLING = {"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}
NO_IMAGE = {"name": "web", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}

PODS = [
    ("running and ready", pod(phase="Running", conditions=[READY]), ("Current", "")),
    ("done", pod(phase="Succeeded"), ("Current", "")),
    ("failed", pod(phase="Failed", reason="Evicted", message="out of memory"), ("Failed", "Evicted")),
    ("no node takes it", pod("", phase="Pending", conditions=[NO_ROOM]), ("Failed", "Unschedulable")),
    ("nobody has looked", pod("", phase="Pending"), ("InProgress", "NotScheduled")),
    (
        "its image is not there",
        pod(phase="Pending", containerStatuses=[NO_IMAGE], conditions=[UNREADY]),
        ("Failed", "ImagePullBackOff"),
    ),
    (
        "starting",
        pod(phase="Pending", containerStatuses=[PULLING], conditions=[UNREADY]),
        ("InProgress", "ContainerCreating"),
    ),
    ("running, not ready", pod(phase="Running", conditions=[UNREADY]), ("InProgress", "ContainersNotReady")),
    ("going", pod(deleting=True, phase="Running", conditions=[READY]), ("Terminating", "Terminating")),
]


@pytest.mark.parametrize(("obj", "wanted"), [row[1:] for row in PODS], ids=[row[0] for row in PODS])
def test_a_pod_that_is(obj: dict[str, Any], wanted: tuple[str, str]) -> None:
    found = health.of("pods", obj)
    assert (found.state, found.reason) == wanted


def deployment(replicas: int = 3, generation: int = 2, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "d", "generation": generation},
        "spec": {"replicas": replicas},
        "status": {"observedGeneration": generation, **status},
    }


ALL = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
LATE = condition("Progressing", "False", "ProgressDeadlineExceeded", "timed out")
QUOTA = condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota")

DEPLOYMENTS = [
    ("complete", deployment(**ALL), ("Current", "")),
    ("scaled to nothing", deployment(replicas=0), ("Current", "")),
    ("not seen by its controller", deployment(**{**ALL, "observedGeneration": 1}), ("InProgress", "NotObserved")),
    ("short of available pods", deployment(**{**ALL, "availableReplicas": 2}), ("InProgress", "Progressing")),
    ("left with an old pod", deployment(**{**ALL, "replicas": 4}), ("InProgress", "Progressing")),
    ("out of time", deployment(conditions=[LATE]), ("Failed", "ProgressDeadlineExceeded")),
    ("refused its pods", deployment(conditions=[QUOTA]), ("Failed", "FailedCreate")),
]


@pytest.mark.parametrize(("obj", "wanted"), [row[1:] for row in DEPLOYMENTS], ids=[row[0] for row in DEPLOYMENTS])
def test_a_deployment_that_is(obj: dict[str, Any], wanted: tuple[str, str]) -> None:
    found = health.of("deployments.apps", obj)
    assert (found.state, found.reason) == wanted


def test_a_load_balancer_without_address_is_in_progress_and_with_one_current() -> None:
    service: dict[str, Any] = {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer"}, "status": {}}
    assert health.of("services", service).reason == "LoadBalancerPending"
    service = {**service, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}}
    assert health.of("services", service) == health.CURRENT


def test_a_namespace_that_cannot_end_names_what_holds_it() -> None:
    held = condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", "x in 1 resource instances")
    namespace = {
        "metadata": {"name": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "status": {"conditions": [held]},
    }
    assert health.of("namespaces", namespace) == ("Terminating", "SomeFinalizersRemain", "x in 1 resource instances")


def test_a_kind_without_rules_is_current_when_it_is_there() -> None:
    assert health.of("configmaps", {"metadata": {"name": "c"}}) == health.CURRENT


def test_a_failed_pod_is_its_jobs_affair() -> None:
    pod = {"metadata": {"name": "p"}, "spec": {}, "status": {"phase": "Failed"}}
    assert health.of("pods", pod).state == "Failed"
    owner = {"kind": "Job", "name": "j", "uid": "u", "controller": True}
    assert health.of("pods", {**pod, "metadata": {"name": "p", "ownerReferences": [owner]}}).state == "Current"


def job(*conditions: str, **spec: object) -> dict[str, object]:
    held = [{"type": type_, "status": "True", "reason": f"{type_}Reason", "message": "why"} for type_ in conditions]
    return {"metadata": {"name": "j"}, "spec": {"completions": 3, **spec}, "status": {"conditions": held, "active": 2}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (job("SuccessCriteriaMet", "Complete"), health.CURRENT),
        (job("FailureTarget", "Failed"), ("Failed", "FailedReason", "why")),
        (job("FailureTarget"), ("InProgress", "Running", "0 of 3 completions, 2 pods active")),
        (job(completions=None), ("InProgress", "Running", "0 completions, 2 pods active")),
        (job("Suspended", suspend=True), health.CURRENT),
        (job(suspend=True), ("InProgress", "Running", "0 of 3 completions, 2 pods active")),
        (job(managedBy="example.com/x"), ("Unknown", "NotSimulated", "the Job is left to example.com/x")),
    ],
)
def test_a_job_is_as_its_conditions_say(found: dict[str, object], expected: tuple[str, str, str]) -> None:
    assert health.of("jobs.batch", found) == expected


UNJUDGED = ("ingresses.networking.k8s.io", "apiservices.apiregistration.k8s.io")
THERE = ("configmaps", "clusterroles.rbac.authorization.k8s.io", "shops.example")


@pytest.mark.parametrize(
    ("resource", "state"), [*((kind, "Unknown") for kind in UNJUDGED), *((kind, "Current") for kind in THERE)]
)
def test_what_has_a_status_that_nothing_computes_is_unknown(resource: str, state: str) -> None:
    assert health.of(resource, {"metadata": {"name": "x"}}).state == state
