"""kubectl's columns: durations, what a pod's STATUS says, what a Service shows."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api import printers
from kctl.api.clock import EPOCH
from kctl.api.printers import core, human_duration, workloads

DURATIONS = [
    (-5, "<invalid>"),
    (0, "0s"),
    (119, "119s"),
    (120, "2m"),
    (125, "2m5s"),
    (600, "10m"),
    (605, "10m"),
    (10_799, "179m"),
    (10_800, "3h"),
    (10_860, "3h1m"),
    (28_800, "8h"),
    (172_799, "47h"),
    (172_800, "2d"),
    (180_000, "2d2h"),
    (691_200, "8d"),
    (86_400 * 729, "729d"),
    (86_400 * 730, "2y"),
    (86_400 * 740, "2y10d"),
    (86_400 * 3000, "8y"),
]


@pytest.mark.parametrize(("seconds", "text"), DURATIONS)
def test_a_duration_is_written_as_kubectl_does(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def container(**more: Any) -> dict[str, Any]:
    return {"name": "c", "ready": False, "restartCount": 0, **more}


def pod(status: dict[str, Any], init: int = 0, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z", **meta},
        "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": f"i{n}"} for n in range(init)]},
        "status": status,
    }


def waiting(reason: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}}


READY = [{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]
RUNNING = container(ready=True, state={"running": {}})
DONE = {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
FAILED = {"state": {"terminated": {"exitCode": 3}}}
GATED = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}

STATUSES = [
    ("nothing known", pod({"phase": "Pending"}), ("Pending", 0)),
    ("held by a gate", pod({"phase": "Pending", "conditions": [GATED]}), ("SchedulingGated", 0)),
    ("running", pod({"phase": "Running", "conditions": READY, "containerStatuses": [RUNNING]}), ("Running", 1)),
    (
        "a container that waits",
        pod({"phase": "Pending", "containerStatuses": [container(**waiting("ImagePullBackOff"))]}),
        ("ImagePullBackOff", 0),
    ),
    (
        "the first init container runs",
        pod({"phase": "Pending", "initContainerStatuses": [container(state={"running": {}})]}, init=2),
        ("Init:0/2", 0),
    ),
    (
        "an init container failed",
        pod({"phase": "Pending", "initContainerStatuses": [container(**FAILED)]}, init=1),
        ("Init:ExitCode:3", 0),
    ),
    ("done", pod({"phase": "Succeeded", "containerStatuses": [container(**DONE)]}), ("Completed", 0)),
    ("evicted", pod({"phase": "Failed", "reason": "Evicted"}), ("Evicted", 0)),
    (
        "on its way out",
        pod({"phase": "Running", "containerStatuses": [RUNNING]}, deletionTimestamp="2026-01-01T00:00:00Z"),
        ("Terminating", 1),
    ),
]


@pytest.mark.parametrize(("obj", "wanted"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES])
def test_the_status_of_a_pod(obj: dict[str, Any], wanted: tuple[str, int]) -> None:
    reason, ready, _, _ = workloads.pod_status(obj)
    assert (reason, ready) == wanted


def test_restarts_say_how_long_ago_the_last_one_was() -> None:
    ended = {"terminated": {"finishedAt": "2026-01-01T00:00:10Z"}}
    status = {"phase": "Running", "containerStatuses": [container(**RUNNING | {"restartCount": 2, "lastState": ended})]}
    row = printers.of("pods").cells(pod(status), EPOCH + 70)
    assert row[3] == "2 (60s ago)"


SERVICES = [
    ({"type": "ClusterIP"}, {}, "<none>"),
    ({"type": "ClusterIP", "externalIPs": ["1.2.3.4"]}, {}, "1.2.3.4"),
    ({"type": "ExternalName", "externalName": "a.example"}, {}, "a.example"),
    ({"type": "LoadBalancer"}, {}, "<pending>"),
    ({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "9.9.9.9"}]}}, "9.9.9.9"),
]


@pytest.mark.parametrize(("spec", "status", "text"), SERVICES)
def test_the_external_address_of_a_service(spec: dict[str, Any], status: dict[str, Any], text: str) -> None:
    assert core.external_ip({"spec": spec, "status": status}) == text


@pytest.mark.parametrize("resource", [*workloads.PRINTERS, *core.PRINTERS])
def test_a_printer_names_its_object_in_one_column(resource: str) -> None:
    assert [column.format for column in printers.of(resource).columns].count("name") == 1
