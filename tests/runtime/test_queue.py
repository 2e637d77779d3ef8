"""The work queue: a set in order, timers of two classes, back-off."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key
from kctl.runtime.queue import BASE_DELAY, MAX_DELAY, PROGRESS_RETRIES, Limiter, WorkQueue

A, B = Key("ns", "a"), Key("ns", "b")


def test_a_key_added_twice_is_popped_once_in_the_order_of_the_first_add() -> None:
    queue = WorkQueue()
    for key in (B, A, B):
        queue.add(key)
    assert [queue.pop(), queue.pop()] == [B, A]
    assert len(queue) == 0


def test_a_due_timer_queues_its_key_and_is_gone() -> None:
    queue = WorkQueue()
    queue.wake_at(A, 10.0)
    queue.wake(9.0)
    assert len(queue) == 0
    queue.wake(10.0)
    assert queue.pop() == A
    assert queue.next_wake(periodic=True) is None


def test_a_later_timer_replaces_an_earlier_one() -> None:
    queue = WorkQueue()
    queue.wake_at(A, 10.0)
    queue.wake_at(A, 20.0)
    assert queue.next_wake(periodic=False) == 20.0
    queue.wake(15.0)
    assert len(queue) == 0


def test_a_timer_set_to_none_is_cancelled() -> None:
    queue = WorkQueue()
    queue.wake_at(A, 10.0)
    queue.wake_at(A, None)
    assert queue.next_wake(periodic=True) is None


def test_a_periodic_timer_counts_only_when_asked_for() -> None:
    queue = WorkQueue()
    queue.wake_at(A, 10.0, periodic=True)
    assert queue.next_wake(periodic=False) is None
    assert queue.next_wake(periodic=True) == 10.0


def test_a_timer_that_changes_class_is_seen_in_its_new_class_only() -> None:
    queue = WorkQueue()
    queue.wake_at(A, 10.0)
    queue.wake_at(A, 10.0, periodic=True)
    assert queue.next_wake(periodic=False) is None


def test_failures_back_off_exponentially_until_the_maximum() -> None:
    queue, now = WorkQueue(), 0.0
    delays = []
    for _ in range(25):
        queue.fail(A, now)
        due = queue.next_wake(periodic=True)
        assert due is not None
        delays.append(due - now)
        queue.wake(now := due)
    assert delays[:3] == pytest.approx([BASE_DELAY, 2 * BASE_DELAY, 4 * BASE_DELAY])
    assert delays[-1] == pytest.approx(MAX_DELAY)


def test_a_key_may_fail_as_often_as_its_objects_change() -> None:
    queue = WorkQueue()
    for _ in range(3000):
        queue.fail(A, 0.0, is_refused=True)
    assert queue.next_wake(periodic=True) == BASE_DELAY


def test_a_failure_before_the_retry_is_due_lengthens_the_next_delay_and_keeps_the_retry() -> None:
    queue = WorkQueue()
    queue.fail(A, 0.0)
    queue.fail(A, 0.003)
    assert queue.next_wake(periodic=False) == BASE_DELAY
    queue.wake(BASE_DELAY)
    queue.fail(queue.pop(), BASE_DELAY)
    assert queue.next_wake(periodic=False) == pytest.approx(BASE_DELAY + 4 * BASE_DELAY)


def test_a_retry_does_not_replace_what_the_key_waits_for_nor_the_other_way_round() -> None:
    queue = WorkQueue()
    for _ in range(PROGRESS_RETRIES + 1):
        queue.fail(A, 0.0)
    queue.wake_at(A, 60.0)
    assert queue.next_wake(periodic=False) == 60.0
    queue.wake_at(A, None)
    assert queue.next_wake(periodic=True) == BASE_DELAY


def test_a_key_is_given_up_after_the_most_retries_and_then_starts_anew() -> None:
    queue, now = WorkQueue(Limiter(1.0, 60.0, most=2)), 0.0
    for delay in (1.0, 2.0):
        queue.fail(A, now)
        assert queue.next_wake(periodic=True) == now + delay
        queue.wake(now := now + delay)
    queue.fail(A, now)
    assert queue.next_wake(periodic=True) is None
    assert queue.fail(A, now) == 1


def test_only_the_first_retries_keep_convergence_going() -> None:
    queue = WorkQueue()
    for n in range(PROGRESS_RETRIES + 1):
        queue.fail(A, float(n))
        assert (queue.next_wake(periodic=False) is not None) == (n < PROGRESS_RETRIES)


def test_forgetting_a_key_starts_its_back_off_anew() -> None:
    queue = WorkQueue()
    queue.fail(A, 0.0)
    queue.forget(A)
    assert queue.fail(A, 0.0) == 1


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20), st.booleans()), max_size=20))
def test_the_next_wake_is_the_earliest_of_the_last_timer_of_every_key(calls: list[tuple[str, int, bool]]) -> None:
    queue = WorkQueue()
    last: dict[str, tuple[int, bool]] = {}
    for name, at, periodic in calls:
        queue.wake_at(Key("", name), at, periodic=periodic)
        last[name] = (at, periodic)
    assert queue.next_wake(periodic=True) == min((at for at, _ in last.values()), default=None)
    assert queue.next_wake(periodic=False) == min((at for at, p in last.values() if not p), default=None)
