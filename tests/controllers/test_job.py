"""Jobs: what a sync decides, and what becomes of them in a whole plane."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl import ControlPlane
from kctl.api.clock import EPOCH, rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, condition, is_condition_true
from kctl.controllers import job_failures, job_indexes
from kctl.controllers.job import Seen, decide
from kctl.controllers.job_failures import pods_again_at
from kctl.controllers.job_pods import TRACKING, surplus
from kctl.controllers.pods import is_terminal
from kctl.runtime.actions import Create, Delete, Emit, Update
from tests.runtime.lag import SeededLag

JOBS = "jobs.batch"
WORK = Key("default", "work")


def job(**spec: Any) -> Obj:
    container = {"name": "c", "image": "app:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": WORK._asdict(),
        "spec": {"template": template, **spec},
    }


def stored(**spec: Any) -> Obj:
    """Return a Job as the server has it, which has begun."""
    body = job(**{"parallelism": 1, "backoffLimit": 6, "selector": {"matchLabels": {"j": "work"}}, **spec})
    meta = {**body["metadata"], "uid": "u", "resourceVersion": "1"}
    return {**body, "metadata": meta, "status": {"startTime": rfc3339(EPOCH)}}


def pod(name: str, phase: str = "Running", *, index: int | None = None, tracked: bool = True, code: int = 1) -> Obj:
    ended = {"exitCode": code, "finishedAt": rfc3339(EPOCH)}
    state = {"terminated": ended} if phase in ("Failed", "Succeeded") else {"running": {}}
    annotations = {} if index is None else {job_indexes.INDEX: str(index)}
    meta = {
        "name": name,
        "namespace": "default",
        "uid": name,
        "labels": {"j": "work"},
        "annotations": annotations,
        "finalizers": [TRACKING] if tracked else [],
        "creationTimestamp": rfc3339(EPOCH),
        "ownerReferences": [{"kind": "Job", "name": "work", "uid": "u", "controller": True}],
    }
    status = {"phase": phase, "containerStatuses": [{"name": "c", "state": state}]}
    return {"metadata": meta, "spec": {"nodeName": "n"}, "status": status}


def sync(found: Obj, *pods: Obj, now: float = EPOCH, failures: tuple[float, ...] = ()) -> Any:
    names = tuple(p["metadata"]["name"] for p in pods)
    return decide(Seen(found, pods, taken=names, failures=failures), now)


def of(decision: Any, kind: type) -> list[Any]:
    return [action for action in decision.actions if isinstance(action, kind)]


def status_after(decision: Any) -> Obj:
    (update,) = of(decision, Update)
    return dict(update.obj["status"])


@pytest.mark.parametrize(
    ("spec", "pods", "made"),
    [
        ({"parallelism": 3, "completions": 5}, (), 3),
        ({"parallelism": 3, "completions": 5}, [pod("a"), pod("b", "Succeeded", tracked=False)], 2),
        ({"parallelism": 3}, (), 3),
        ({"parallelism": 3}, [pod("a"), pod("b", "Succeeded")], 0),
        ({"parallelism": 0, "completions": 5}, (), 0),
        ({"parallelism": 3, "completions": 5, "suspend": True}, (), 0),
    ],
)
def test_as_many_pods_are_made_as_may_run_and_are_missing(spec, pods, made):
    assert len(of(sync(stored(**spec), *pods), Create)) == made


def test_a_pod_is_counted_in_three_steps():
    running = stored(completions=2, parallelism=2)
    first = sync(running, pod("a", "Succeeded"), pod("b"))
    assert status_after(first)["uncountedTerminatedPods"] == {"succeeded": ["a"]}
    assert "succeeded" not in status_after(first)
    booked = {**running, "status": status_after(first)}
    second = sync(booked, pod("a", "Succeeded", tracked=False), pod("b"))
    assert (status_after(second)["succeeded"], status_after(second)["uncountedTerminatedPods"]) == (1, {})
    settled = {**running, "status": status_after(second)}
    assert sync(settled, pod("a", "Succeeded", tracked=False), pod("b")).actions == ()


def test_the_same_pod_seen_again_is_not_counted_again():
    booked = {**stored(completions=2, parallelism=2), "status": {"uncountedTerminatedPods": {"succeeded": ["a"]}}}
    again = sync(booked, pod("a", "Succeeded"), pod("b"))
    assert status_after(again)["uncountedTerminatedPods"] == {"succeeded": ["a"]}


def test_a_failed_job_ends_its_pods_and_says_why_first():
    decision = sync(stored(backoffLimit=0, parallelism=2, completions=2), pod("a", "Failed"), pod("b"))
    assert [action.key.name for action in of(decision, Delete)] == ["b"]
    (target,) = status_after(decision)["conditions"]
    assert (target["type"], target["reason"]) == ("FailureTarget", "BackoffLimitExceeded")
    assert status_after(decision)["uncountedTerminatedPods"] == {"failed": ["a", "b"]}


def test_a_deadline_wakes_the_job_and_then_ends_it():
    running = stored(completions=1, activeDeadlineSeconds=30)
    assert sync(running, pod("a"), now=EPOCH + 29).wake_at == EPOCH + 30
    late = sync(running, pod("a"), now=EPOCH + 30)
    assert status_after(late)["conditions"][0]["reason"] == "DeadlineExceeded"


RULES: list[tuple[dict[str, Any], str]] = [
    ({"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}, "Ignore"),
    ({"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [4]}}, "Count"),
    ({"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3], "containerName": "other"}}, ""),
    ({"action": "FailIndex", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}, ""),
    ({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [3]}}, "FailJob"),
]


@pytest.mark.parametrize(("rule", "action"), RULES)
def test_the_first_rule_that_matches_a_failed_pod_decides(rule, action):
    other = {"action": "Count", "onExitCodes": {"operator": "In", "values": [99]}}
    verdict = job_failures.judge(stored(podFailurePolicy={"rules": [other, rule]}), pod("a", "Failed", code=3))
    assert verdict.action == action
    text = "Container c for pod default/a failed with exit code 3 matching FailJob rule at index 1"
    assert verdict.message == (text if action == "FailJob" else "")


@pytest.mark.parametrize(
    ("failures", "wait"), [((0.0,), 10), ((0.0, 0.0), 20), ((0.0, 1.0, 2.0), 42), ((0.0,) * 12, 600)]
)
def test_back_off_doubles_from_ten_seconds_to_ten_minutes(failures, wait):
    assert pods_again_at(failures, []) == wait


def test_a_success_starts_the_back_off_anew():
    success = pod("s", "Succeeded")
    assert pods_again_at([EPOCH - 5], [success]) == float("-inf")
    assert pods_again_at([EPOCH - 5, EPOCH + 5], [success]) == EPOCH + 15


def test_a_pod_waits_for_the_back_off():
    decision = sync(stored(completions=1), pod("a", "Failed", tracked=False), now=EPOCH + 4, failures=(EPOCH,))
    assert (of(decision, Create), decision.wake_at) == ([], EPOCH + 10)


def test_of_pods_with_the_same_index_the_worthiest_stays():
    found = stored(completionMode="Indexed", completions=2)
    pods = [pod("a", "Pending", index=0), pod("b", index=0), pod("c", index=1), pod("d", index=7), pod("e")]
    assert sorted(p["metadata"]["name"] for p in surplus(found, pods, 0)) == ["a", "d", "e"]


def test_a_job_that_another_controller_manages_is_left_alone(make_world):
    world = make_world()
    world.create(job(managedBy="example.com/mine"))
    world.settle()
    assert (world.pods(), world.get(JOBS, "work")["status"]) == ([], {})


def test_pods_of_a_job_that_is_gone_lose_the_finalizer(make_world):
    world = make_world()
    world.create(job(completions=2, parallelism=2))
    world.settle()
    assert [p["metadata"]["finalizers"] for p in world.pods()] == [[TRACKING]] * 2
    world.client.delete(JOBS, WORK, propagation="Orphan")
    world.settle()
    assert [p["metadata"].get("finalizers") for p in world.pods()] == [None] * 2


def test_pods_that_are_refused_are_not_active(make_world, monkeypatch):
    world = make_world()
    create = type(world.client).create

    def refuse(self: Any, resource: str, obj: Obj, **more: Any) -> Obj:
        if resource == "pods":
            raise StatusError(403, "Forbidden", "no room")
        return create(self, resource, obj, **more)

    monkeypatch.setattr(type(world.client), "create", refuse)
    world.create(job(completions=4, parallelism=4))
    world.settle()
    assert "active" not in world.get(JOBS, "work")["status"]
    events = world.client.list("events", "default").items
    assert {(e["reason"], e["message"]) for e in events if e["involvedObject"]["kind"] == "Job"} == {
        ("FailedCreate", "Error creating: no room")
    }


numbers = st.frozensets(st.integers(0, 30), max_size=20)


@given(numbers, numbers, st.integers(0, 8))
def test_indexes_are_sets_of_numbers(one, other, count):
    first, second = job_indexes.of_numbers(one), job_indexes.of_numbers(other)
    assert job_indexes.parse(job_indexes.show(first), 31) == first
    assert job_indexes.union(first, second) == job_indexes.of_numbers(one | other)
    assert job_indexes.total(first) == len(one)
    assert job_indexes.common(first, second) == len(one & other)
    assert [n for n in range(31) if job_indexes.has(first, n)] == sorted(one)
    assert job_indexes.first_free(first, count, 31) == sorted(set(range(31)) - one)[:count]


@pytest.mark.parametrize(
    ("indexes", "text"), [((), ""), (((0, 0),), "0"), (((0, 1),), "0,1"), (((0, 2), (5, 5)), "0-2,5")]
)
def test_indexes_are_written_as_upstream_does(indexes, text):
    assert job_indexes.show(indexes) == text


SHAPES = st.fixed_dictionaries(
    {"parallelism": st.integers(1, 4)},
    optional={"completions": st.integers(1, 6), "completionMode": st.just("Indexed")},
).map(lambda spec: spec if "completions" in spec else {**spec, "completionMode": "NonIndexed"})
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("evict"), st.integers(0, 5)),
        st.tuples(st.just("parallelism"), st.integers(0, 5)),
        st.tuples(st.just("suspend"), st.booleans()),
        st.tuples(st.just("run"), st.integers(0, 15)),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAPES, STEPS, st.none() | st.integers(0, 1 << 30))
def test_every_job_comes_to_its_end_whatever_happens_on_the_way(shape, steps, seed):
    with ControlPlane.open(None, nodes=2) as cp:
        cp.use_mark(False)
        if seed is not None:
            cp.converger.manager.lag = SeededLag(seed, 6)
        cp.client.create(JOBS, job(backoffLimit=50, **shape))
        for what, value in steps:
            disturb(cp, what, value)
        if not is_condition_true(cp.client.get(JOBS, *WORK), "Complete"):
            cp.client.patch(JOBS, WORK, {"spec": {"suspend": False, "parallelism": shape["parallelism"]}})
        assert cp.run().end == "Quiet"
        assert not cp.converger.manager.crashes, cp.converger.manager.crashes[0].trace
        done = cp.client.get(JOBS, *WORK)
        assert condition(done, "Complete")
        wanted = shape.get("completions")
        succeeded = sum(p["status"]["phase"] == "Succeeded" for p in cp.client.list("pods").items)
        assert done["status"]["succeeded"] == succeeded
        assert succeeded >= 1 if wanted is None else succeeded == wanted
        assert done["status"]["uncountedTerminatedPods"] == {}
        assert not any(p["metadata"].get("finalizers") for p in cp.client.list("pods").items)
        reasons = [e["reason"] for e in cp.client.list("events").items if e["involvedObject"]["kind"] == "Job"]
        assert reasons.count("Completed") == 1
        assert "TooManySucceededPods" not in reasons


def disturb(cp: ControlPlane, what: str, value: Any) -> None:
    if what == "run":
        cp.run(within=value)
    elif what == "evict":
        pods = [pod for pod in cp.client.list("pods").items if not is_terminal(pod)]
        if pods:
            cp.client.evict(Key("default", pods[value % len(pods)]["metadata"]["name"]))
    elif not is_condition_true(cp.client.get(JOBS, *WORK), "Complete"):
        cp.client.patch(JOBS, WORK, {"spec": {what: value}})


def test_a_finished_job_is_announced_once_and_left_alone():
    found = stored(completions=1)
    ended = {**found, "status": {"uncountedTerminatedPods": {"succeeded": ["a"]}, "terminating": 0, "ready": 0}}
    met = sync(ended, pod("a", "Succeeded", tracked=False))
    assert [action.reason for action in of(met, Emit)] == ["Completed"]
    assert {c["type"] for c in status_after(met)["conditions"]} == {"SuccessCriteriaMet", "Complete"}
