"""The phase of a pod: one row a combination of container states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.kubelet.phase import by_name, phase_of

STATES = {
    "run": {"state": {"running": {}}, "started": True},
    "booting": {"state": {"running": {}}, "started": False},
    "ok": {"state": {"terminated": {"exitCode": 0}}},
    "bad": {"state": {"terminated": {"exitCode": 1}}},
    "wait": {"state": {"waiting": {}}},
    "again": {"state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1}}},
    "rerun": {"state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 0}}},
    "?": {"state": {}},
}


def phase(init: str, regular: str, policy: str = "Always", *, is_terminal: bool = False) -> str:
    """Return the phase of containers written as words; ``s:`` marks a sidecar, ``-`` no status."""
    spec: dict = {"restartPolicy": policy, "initContainers": [], "containers": []}
    statuses = []
    for field, words in (("initContainers", init), ("containers", regular)):
        for n, word in enumerate(words.split()):
            is_sidecar = word.startswith("s:")
            name = f"{field}{n}"
            spec[field].append({"name": name, **({"restartPolicy": "Always"} if is_sidecar else {})})
            if (state := word.removeprefix("s:")) != "-":
                statuses.append({"name": name, **STATES[state]})
    return phase_of(spec, by_name(statuses), is_terminal=is_terminal)


@pytest.mark.parametrize(
    ("init", "regular", "policy", "expected"),
    [
        pytest.param("", "-", "Always", "Pending", id="nothing is known yet"),
        pytest.param("", "wait", "Always", "Pending", id="waiting"),
        pytest.param("", "run", "Always", "Running", id="running"),
        pytest.param("", "run wait", "Always", "Pending", id="one has not started"),
        pytest.param("", "run -", "Always", "Pending", id="one is unknown"),
        pytest.param("", "run ?", "Always", "Pending", id="one has an empty state"),
        pytest.param("", "run bad", "Never", "Running", id="one still runs"),
        pytest.param("", "ok ok", "Always", "Running", id="all ended, to be restarted"),
        pytest.param("", "ok ok", "Never", "Succeeded", id="all ended well"),
        pytest.param("", "ok ok", "OnFailure", "Succeeded", id="all ended well on failure"),
        pytest.param("", "ok bad", "Never", "Failed", id="one failed for good"),
        pytest.param("", "ok bad", "OnFailure", "Running", id="one failed, to be restarted"),
        pytest.param("", "again", "Always", "Running", id="in back-off"),
        pytest.param("", "run again", "Always", "Running", id="one in back-off"),
        pytest.param("", "rerun", "Never", "Failed", id="a waiting one that ended is not a success"),
        pytest.param("wait", "wait", "Always", "Pending", id="init has not started"),
        pytest.param("-", "run", "Always", "Running", id="a lost init status of a pod that runs"),
        pytest.param("run", "wait", "Always", "Pending", id="init runs"),
        pytest.param("ok", "wait", "Always", "Pending", id="init is done"),
        pytest.param("ok", "run", "Always", "Running", id="init is done and it runs"),
        pytest.param("bad", "wait", "Never", "Failed", id="init failed for good"),
        pytest.param("bad", "wait", "Always", "Pending", id="init failed, to be restarted"),
        pytest.param("again", "wait", "Never", "Failed", id="init failed before"),
        pytest.param("again", "wait", "OnFailure", "Pending", id="init in back-off"),
        pytest.param("s:booting", "wait", "Always", "Pending", id="a sidecar starts up"),
        pytest.param("s:run", "run", "Always", "Running", id="with a sidecar"),
        pytest.param("s:run", "ok", "Never", "Running", id="the sidecar is left"),
        pytest.param("s:ok", "ok", "Never", "Succeeded", id="the sidecar has ended too"),
        pytest.param("s:bad", "ok", "Never", "Succeeded", id="how a sidecar ends does not count"),
        pytest.param("s:again", "run", "Always", "Running", id="a sidecar restarts"),
        pytest.param("s:booting", "again", "Always", "Pending", id="a sidecar comes up again beside one in back-off"),
        pytest.param("s:booting", "run", "Always", "Running", id="a sidecar comes up again beside one that runs"),
        pytest.param("s:wait", "run", "Always", "Pending", id="a sidecar never started"),
        pytest.param("s:-", "run", "Always", "Pending", id="nothing is known of a sidecar"),
    ],
)
def test_phase(init, regular, policy, expected):
    assert phase(init, regular, policy) == expected


@pytest.mark.parametrize(
    ("regular", "policy", "expected"),
    [("ok ok", "Always", "Succeeded"), ("ok bad", "Always", "Failed"), ("bad", "OnFailure", "Failed")],
)
def test_a_pod_that_ends_for_good_is_judged_by_its_exit_codes(regular, policy, expected):
    assert phase("", regular, policy, is_terminal=True) == expected


def test_the_policy_of_a_container_goes_before_the_pods():
    done = by_name([{"name": "a", **STATES["ok"]}, {"name": "b", **STATES["bad"]}])
    spec = {"restartPolicy": "Always", "containers": [{"name": "a", "restartPolicy": "OnFailure"}]}
    assert phase_of(spec, done) == "Succeeded"
    spec = {"restartPolicy": "Never", "containers": [{"name": "a"}, {"name": "b", "restartPolicy": "Always"}]}
    assert phase_of(spec, done) == "Running"
    spec = {**spec, "initContainers": [{"name": "b", "restartPolicy": "Never"}], "restartPolicy": "Always"}
    assert phase_of(spec, done) == "Failed"


words = st.lists(st.sampled_from([*STATES, "-"]), min_size=1, max_size=3).map(" ".join)


@given(words, st.sampled_from(["Always", "OnFailure", "Never"]))
def test_a_pod_with_a_container_that_runs_is_never_over(regular, policy):
    assert phase("", f"{regular} run", policy) in ("Pending", "Running")


@given(words)
def test_a_pod_that_is_always_restarted_is_never_over(regular):
    assert phase("", regular, "Always") in ("Pending", "Running")
