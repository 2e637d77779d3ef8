"""Back-offs, read off statuses; and what the phases make of policies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.api.clock import EPOCH, rfc3339
from kctl.kubelet.phase import is_restarted
from kctl.kubelet.restarts import LADDER, LONGEST, attempt_number, back_off, image_attempt


def ended(count, begun, finished, before=None):
    """Return the status of a container that has just ended; times in seconds since the epoch of tests."""
    run = {"startedAt": rfc3339(EPOCH + begun), "finishedAt": rfc3339(EPOCH + finished), "exitCode": 1}
    last = {"terminated": {"finishedAt": rfc3339(EPOCH + before)}} if before is not None else {}
    return {"state": {"terminated": run}, "lastState": last, "restartCount": count}


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        pytest.param(ended(0, 1, 4), 0, id="the first restart is at once"),
        pytest.param(ended(1, 5, 8, before=4), 10, id="then 10 s"),
        pytest.param(ended(2, 19, 22, before=8), 20, id="it doubles"),
        pytest.param(ended(3, 43, 46, before=22), 40, id="and again"),
        pytest.param(ended(6, 207, 210, before=46), 300, id="up to 5 min"),
        pytest.param(ended(9, 511, 514, before=210), 300, id="and stays there"),
        pytest.param(ended(9, 511, 1113, before=210), 0, id="a run of more than 10 min starts it anew"),
        pytest.param(ended(9, 511, 1111, before=210), 300, id="one of 10 min does not"),
        pytest.param(
            {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2m40s restarting failed x"}}},
            160,
            id="who waits has it in writing",
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "mine"}}},
            10,
            id="unless somebody wrote else",
        ),
    ],
)
def test_how_long_a_container_waits_for_its_turn(status, wanted):
    assert back_off(status, 1.0) == wanted


@given(st.integers(0, 20), st.integers(0, 30), st.sampled_from([0.0, 1.0, 3.0]))
def test_the_ladder_is_climbed_step_by_step_whatever_a_run_and_a_start_take(runs, run_seconds, start):
    begun, before, waits = start, None, []
    for count in range(runs):
        finished = begun + run_seconds
        waits.append(back_off(ended(count, begun, finished, before), start))
        begun, before = finished + waits[-1] + start, finished
    assert waits == [LADDER[min(step, len(LADDER) - 1)] for step in range(runs)]


@given(st.integers(0, 5000))
def test_attempts_to_pull_follow_each_other(age):
    latest, following = image_attempt(age)
    assert latest <= age < following
    assert following - latest <= LONGEST
    assert any(attempt_number(number) == latest for number in range(30))


@pytest.mark.parametrize(
    ("policy", "code", "rules", "wanted"),
    [
        ("Always", 0, [], True),
        ("OnFailure", 0, [], False),
        ("OnFailure", 1, [], True),
        ("Never", 1, [], False),
        ("Never", 42, [("In", [42, 43])], True),
        ("Never", 41, [("In", [42, 43])], False),
        ("Never", 1, [("NotIn", [0])], True),
        ("Never", 0, [("NotIn", [0])], False),
        ("Never", 7, [("In", [42]), ("In", [7])], True),
    ],
)
def test_who_is_run_again(policy, code, rules, wanted):
    written = [{"action": "Restart", "exitCodes": {"operator": how, "values": codes}} for how, codes in rules]
    container = {"name": "c", "restartPolicy": policy, "restartPolicyRules": written}
    assert is_restarted({"restartPolicy": "Always"}, container, code) is wanted
