from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.scheduler.plugins.priority_sort import PrioritySort
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.queue import SchedulingQueue

Pods = Callable[..., dict[str, Any]]
FIT = frozenset({"NodeResourcesFit"})


def names(queue: SchedulingQueue) -> list[str]:
    found = []
    while (queued := queue.pop()) is not None:
        found.append(queued.pod.key.name)
    return found


def fresh() -> SchedulingQueue:
    return SchedulingQueue(PrioritySort().sort_key)


def test_higher_priority_goes_first_then_the_older_then_the_name(pod: Pods) -> None:
    queue = fresh()
    for name, priority, since in [("c", 0, 5), ("b", 0, 5), ("old", 0, 1), ("high", 10, 9)]:
        queue.add(PodInfo(pod(name, priority=priority)), since)
    assert names(queue) == ["high", "old", "b", "c"]


def test_an_unschedulable_pod_has_no_timer_and_no_turn(pod: Pods) -> None:
    queue = fresh()
    queue.refused(queue.add(PodInfo(pod()), 0), FIT, 10)
    assert not queue.has_next()
    assert queue.next_wake() is None


def test_a_requeued_pod_that_backs_off_goes_behind_the_active_ones_but_does_not_wait(pod: Pods) -> None:
    queue = fresh()
    queued = queue.add(PodInfo(pod("tried", priority=100)), 0)
    queue.pop()
    queue.refused(queued, FIT, 10)
    queue.requeue(queued, 10.5)
    queue.add(PodInfo(pod("new")), 10.5)
    assert names(queue) == ["new", "tried"]


def test_after_its_backoff_a_requeued_pod_is_active_again(pod: Pods) -> None:
    queue = fresh()
    queued = queue.add(PodInfo(pod("tried", priority=100)), 0)
    queue.pop()
    queue.refused(queued, FIT, 10)
    queue.requeue(queued, 12)
    queue.add(PodInfo(pod("new")), 12)
    assert names(queue) == ["tried", "new"]


def test_pods_whose_backoff_ends_in_one_second_come_by_priority(pod: Pods) -> None:
    queue = fresh()
    for name, priority, at in (("low", 0, 10.1), ("high", 9, 10.7), ("later", 99, 11.2)):
        queued = queue.add(PodInfo(pod(name, priority=priority)), 0)
        queue.pop()
        queue.refused(queued, FIT, at)
        queue.requeue(queued, at)
    assert names(queue) == ["high", "low", "later"]


def test_refusals_and_errors_are_counted_apart(pod: Pods) -> None:
    queue = fresh()
    queued = queue.add(PodInfo(pod()), 0)
    ends = []
    for fails in (False, False, True, True, False, True):
        queue.pop()
        if fails:
            queue.failed(queued, 0)
        else:
            queue.refused(queued, FIT, 0)
        ends.append(queued.backoff_until)
        queue.activate(queued)
    assert ends == [1, 2, 1, 2, 4, 1]


def test_errors_wait_one_second_doubling_up_to_ten(pod: Pods) -> None:
    queue = fresh()
    queued = queue.add(PodInfo(pod()), 0)
    waits = []
    for _ in range(6):
        assert queue.pop() is queued
        queue.failed(queued, 100)
        waits.append((queue.next_wake() or 0) - 100)
        assert not queue.has_next()
        queue.wake(100 + waits[-1])
    assert waits == [1, 2, 4, 8, 10, 10]


def test_a_removed_pod_is_nowhere(pod: Pods) -> None:
    queue = fresh()
    for place in ("active", "unschedulable", "gated", "error"):
        queued = queue.add(PodInfo(pod(place)), 0)
        if place == "unschedulable":
            queue.refused(queued, FIT, 0)
        elif place == "gated":
            queue.gate(queued, FIT)
        elif place == "error":
            queue.failed(queued, 0)
    for place in ("active", "unschedulable", "gated", "error"):
        queue.remove(PodInfo(pod(place)).key)
    assert (len(queue), queue.has_next(), queue.next_wake()) == (0, False, None)
    assert (queue.unschedulable, queue.gated) == ({}, {})


def test_backoff_is_as_configured(pod: Pods) -> None:
    queue = SchedulingQueue(PrioritySort().sort_key, 3.0, 20.0)
    queued = queue.add(PodInfo(pod()), 0)
    waits = []
    for _ in range(5):
        queue.pop()
        queue.failed(queued, 0)
        waits.append(queue.next_wake())
        queue.wake(100)
    assert waits == [3, 6, 12, 20, 20]


def test_a_pod_that_is_left_over_is_tried_again_after_five_minutes_if_anything_happened(pod: Pods) -> None:
    queue = fresh()
    for name, since in (("a", 0), ("b", 60)):
        queued = queue.add(PodInfo(pod(name)), since)
        queue.pop()
        queue.refused(queued, FIT, since)
    assert queue.next_leftover() is None
    queue.changes += 1
    assert queue.next_leftover() == 300
    queue.flush(299)
    assert not queue.has_next()
    queue.flush(300)
    assert names(queue) == ["a"]
    assert queue.next_leftover() == 360


def test_what_happened_before_a_pod_was_refused_does_not_count(pod: Pods) -> None:
    queue = fresh()
    queue.changes += 1
    queued = queue.add(PodInfo(pod()), 0)
    queue.pop()
    queue.refused(queued, FIT, 0)
    queue.flush(10_000)
    assert not queue.has_next()
