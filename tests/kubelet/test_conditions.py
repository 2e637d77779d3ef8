"""The conditions of a pod: reasons, messages, transition times."""

from __future__ import annotations

import pytest

from kctl.api.clock import EPOCH
from kctl.kubelet.conditions import OWNED, Verdict, conditions_of, containers_ready, initialized, ready
from kctl.kubelet.phase import by_name

RUN = {"state": {"running": {}}}


def status(name: str, *, ready: bool = True, started: bool = True) -> dict:
    return {"name": name, **RUN, "ready": ready, "started": started}


SPEC = {"containers": [{"name": "a"}, {"name": "b"}]}
WITH_INIT = {
    "initContainers": [{"name": "i"}, {"name": "s", "restartPolicy": "Always"}],
    "containers": [{"name": "a"}],
}


@pytest.mark.parametrize(
    ("spec", "statuses", "phase", "expected"),
    [
        pytest.param(SPEC, [status("a"), status("b")], "Running", Verdict(True), id="all are ready"),
        pytest.param(
            SPEC,
            [status("a", ready=False), status("b", ready=False)],
            "Pending",
            Verdict(False, "ContainersNotReady", "containers with unready status: [a b]"),
            id="none is",
        ),
        pytest.param(
            SPEC,
            [status("a", ready=False)],
            "Pending",
            Verdict(
                False,
                "ContainersNotReady",
                "containers with unknown status: [b], containers with unready status: [a]",
            ),
            id="one is unknown",
        ),
        pytest.param(SPEC, [status("a"), status("b")], "Succeeded", Verdict(False, "PodCompleted"), id="done"),
        pytest.param(SPEC, [status("a"), status("b")], "Failed", Verdict(False, "PodFailed"), id="failed"),
        pytest.param(
            WITH_INIT,
            [status("s", ready=False), status("a")],
            "Running",
            Verdict(False, "ContainersNotReady", "containers with unready status: [s]"),
            id="sidecars count, other init containers do not",
        ),
    ],
)
def test_containers_ready(spec, statuses, phase, expected):
    assert containers_ready(spec, by_name(statuses), phase) == expected


@pytest.mark.parametrize(
    ("statuses", "phase", "expected"),
    [
        pytest.param(
            [status("i", ready=False)],
            "Pending",
            Verdict(
                False,
                "ContainersNotInitialized",
                "containers with unknown status: [s], containers with incomplete status: [i]",
            ),
            id="not yet",
        ),
        pytest.param(
            [status("i"), status("s", ready=False)], "Pending", Verdict(True), id="a sidecar need not be ready"
        ),
        pytest.param(
            [status("i"), status("s", started=False)],
            "Pending",
            Verdict(False, "ContainersNotInitialized", "containers with incomplete status: [s]"),
            id="but started",
        ),
        pytest.param([status("s", started=False), status("a")], "Running", Verdict(True), id="once running, always so"),
        pytest.param([status("i"), status("s")], "Succeeded", Verdict(True, "PodCompleted"), id="completed"),
    ],
)
def test_initialized(statuses, phase, expected):
    assert initialized(WITH_INIT, by_name(statuses), phase) == expected


def test_readiness_gates_are_named_one_by_one():
    spec = {"readinessGates": [{"conditionType": "x"}, {"conditionType": "y"}, {"conditionType": "z"}]}
    others = [{"type": "y", "status": "False"}, {"type": "z", "status": "True"}]
    text = (
        'corresponding condition of pod readiness gate "x" does not exist., '
        'the status of pod readiness gate "y" is not "True", but False'
    )
    assert ready(spec, Verdict(True), others) == Verdict(False, "ReadinessGatesNotReady", text)
    unready = Verdict(False, "ContainersNotReady", "m")
    assert ready(spec, unready, others) == unready


def test_a_transition_time_moves_only_with_the_status():
    pod = {"metadata": {"generation": 2}, "spec": {"containers": [{"name": "a"}]}, "status": {}}
    first = conditions_of(pod, by_name([status("a", ready=False)]), "Running", has_sandbox=True, now=EPOCH)
    pod = {**pod, "status": {"conditions": first}}
    second = conditions_of(pod, by_name([status("a")]), "Running", has_sandbox=True, now=EPOCH + 5)
    moved = [
        c["type"] for old, c in zip(first, second, strict=True) if old["lastTransitionTime"] != c["lastTransitionTime"]
    ]
    assert moved == ["Ready", "ContainersReady"]
    assert [c["type"] for c in second] == list(OWNED)
    assert {c["observedGeneration"] for c in second} == {2}


def test_conditions_of_others_come_first_and_stay():
    other = {"type": "DisruptionTarget", "status": "True"}
    pod = {"metadata": {}, "spec": SPEC, "status": {"conditions": [{"type": "PodScheduled", "status": "True"}, other]}}
    made = conditions_of(pod, {}, "Pending", has_sandbox=False, now=EPOCH)
    assert made[0] == other
    assert [c["type"] for c in made[1:]] == list(OWNED)
