"""CronJobs: when they are due, and what they do then."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.clock import EPOCH
from kctl.api.objects import Key, Obj
from kctl.api.validation import cron
from kctl.controllers.cronjob_schedule import NeverDueError, following, unmet

CRONJOBS, JOBS = "cronjobs.batch", "jobs.batch"
TICK = Key("default", "tick")


def moment(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone) if zone != "UTC" else UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        ("* * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("*/15 * * * *", "2026-01-01T00:45:00", "2026-01-01T01:00:00"),
        ("5/20 3 * * *", "2026-01-01T03:25:00", "2026-01-01T03:45:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("30 4 1 * mon", "2026-01-01T05:00:00", "2026-01-05T04:30:00"),
        ("30 4 1 * *", "2026-01-01T05:00:00", "2026-02-01T04:30:00"),
        ("30 4 * * MON", "2026-01-01T05:00:00", "2026-01-05T04:30:00"),
        ("0 0 */2 * mon", "2026-01-05T00:00:00", "2026-01-07T00:00:00"),
        ("0 12 ? jan-mar fri,sat", "2026-01-03T12:00:00", "2026-01-09T12:00:00"),
        ("@hourly", "2026-01-01T00:59:59", "2026-01-01T01:00:00"),
        ("@weekly", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("@yearly", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("@every 90s", "2026-01-01T00:00:10", "2026-01-01T00:01:40"),
    ],
)
def test_the_next_time(schedule, after, due):
    assert following(cron.parse(schedule), moment(after)) == moment(due)


def test_a_day_that_does_not_come_has_no_next_time():
    assert following(cron.parse("0 0 31 2 *"), EPOCH) is None


BERLIN = "TZ=Europe/Berlin "


def test_a_time_that_the_clocks_leave_out_does_not_come():
    schedule = cron.parse(f"{BERLIN}30 2 * * *")
    assert following(schedule, moment("2026-03-28T12:00:00")) == moment("2026-03-30T02:30:00", "Europe/Berlin")


def test_a_time_that_the_clocks_repeat_comes_twice():
    schedule = cron.parse(f"{BERLIN}30 2 * * *")
    first = following(schedule, moment("2026-10-24T12:00:00"))
    assert first == moment("2026-10-25T00:30:00")
    assert following(schedule, first) == moment("2026-10-25T01:30:00")


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["* * * * *", "*/7 */5 * * *", "0 0 1,15 * fri", "30 4 */3 * *", "@daily", "@every 100s"]),
    st.integers(0, 400 * 86400),
)
def test_times_come_one_after_the_other_and_none_in_between(schedule, offset):
    parsed = cron.parse(schedule)
    first = following(parsed, EPOCH + offset)
    assert first is not None
    assert first > EPOCH + offset
    if not parsed.every:
        assert first % 60 == 0
        assert following(parsed, first - 1) == first
        between = (EPOCH + offset + first) // 2
        assert following(parsed, between) in (first, following(parsed, first))


def cronjob(schedule: str = "*/5 * * * *", **spec: Any) -> Obj:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "app:1"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"template": {"spec": pod}}}
    body = {"schedule": schedule, "jobTemplate": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": TICK._asdict(), "spec": body}


def test_of_many_missed_times_the_latest_counts():
    found = {**cronjob("* * * * *"), "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}
    parsed = cron.parse("* * * * *")
    assert unmet(found, parsed, EPOCH + 59, within_deadline=True).latest is None
    assert unmet(found, parsed, EPOCH + 150, within_deadline=True)[1:] == (EPOCH + 120, False)
    assert unmet(found, parsed, EPOCH + 86_430, within_deadline=True)[1:] == (EPOCH + 86_400, True)
    late = {**found, "spec": {**found["spec"], "startingDeadlineSeconds": 20}}
    assert unmet(late, parsed, EPOCH + 86_430, within_deadline=True).latest is None
    with pytest.raises(NeverDueError):
        unmet(found, cron.parse("0 0 31 2 *"), EPOCH + 1, within_deadline=True)


def names(cp: ControlPlane) -> list[str]:
    return [job["metadata"]["name"] for job in cp.client.list(JOBS).items]


def reasons(cp: ControlPlane) -> dict[str, int]:
    events = [e for e in cp.client.list("events").items if e["involvedObject"]["kind"] == "CronJob"]
    return {event["reason"]: event["count"] for event in events}


def test_convergence_does_not_wait_for_a_schedule_but_time_that_passes_does():
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(CRONJOBS, cronjob())
        assert cp.run().now == EPOCH
        assert names(cp) == []
        cp.run(advance=310)
        assert names(cp) == [f"tick-{int(EPOCH + 300) // 60}"]
        status = cp.client.get(CRONJOBS, *TICK)["status"]
        assert (status["lastScheduleTime"], "active" in status) == ("2026-01-01T00:05:00Z", False)
        assert status["lastSuccessfulTime"] > status["lastScheduleTime"]
        (job,) = cp.client.list(JOBS).items
        assert job["metadata"]["labels"]["a"] == "b"
        assert job["metadata"]["annotations"] == {
            "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:05:00Z"
        }


def test_what_has_converged_does_nothing_more():
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(CRONJOBS, cronjob("@every 10s"))
        cp.run(advance=35)
        cp.use_mark(False)
        cp.converger.drop()
        cp.run()
        assert [e.resource for e in cp.converger.trace if not e.resource.startswith("leases")] == []


def test_only_so_many_finished_jobs_are_kept():
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(CRONJOBS, cronjob("* * * * *", successfulJobsHistoryLimit=2))
        cp.run(advance=630)
        assert names(cp) == [f"tick-{int(EPOCH) // 60 + minute}" for minute in (9, 10)]
        assert reasons(cp) == {"SuccessfulCreate": 1, "SawCompletedJob": 1, "SuccessfulDelete": 1}


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_jobs_that_do_not_end_are_let_be_waited_for_or_replaced(policy, running):
    with ControlPlane.open(None) as cp:  # no node: pods stay pending
        cp.client.create(CRONJOBS, cronjob("* * * * *", concurrencyPolicy=policy))
        cp.run(advance=190)
        minutes = int(EPOCH) // 60
        expected = {"Allow": [1, 2, 3], "Forbid": [1], "Replace": [3]}[policy]
        assert names(cp) == [f"tick-{minutes + n}" for n in expected]
        active = cp.client.get(CRONJOBS, *TICK)["status"]["active"]
        assert [ref["name"] for ref in active] == names(cp)
        assert len(active) == running
        assert ("JobAlreadyActive" in reasons(cp)) == (policy == "Forbid")


def test_a_suspended_one_makes_nothing_and_is_late_afterwards():
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(CRONJOBS, cronjob("* * * * *", suspend=True))
        cp.run(advance=130)
        assert names(cp) == []
        cp.client.patch(CRONJOBS, TICK, {"spec": {"suspend": False}})
        cp.run()
        assert names(cp) == [f"tick-{int(EPOCH) // 60 + 2}"]


def test_the_time_zone_decides_what_a_day_is():
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(CRONJOBS, cronjob("0 1 * * *", timeZone="Asia/Tokyo"))
        cp.run(advance=17 * 3600)
        (job,) = cp.client.list(JOBS).items
        assert job["metadata"]["annotations"] == {
            "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-02T01:00:00+09:00"
        }


def test_a_job_somebody_else_made_of_it_is_seen_but_not_counted():
    with ControlPlane.open(None) as cp:
        made = cp.client.create(CRONJOBS, cronjob())
        owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "tick", "uid": made["metadata"]["uid"]}
        meta = {"name": "by-hand", "namespace": "default", "ownerReferences": [{**owner, "controller": True}]}
        spec = made["spec"]["jobTemplate"]["spec"]
        cp.client.create(JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
        cp.run()
        assert "UnexpectedJob" in reasons(cp)
        assert "active" not in cp.client.get(CRONJOBS, *TICK)["status"]
