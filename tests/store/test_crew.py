"""Calls of one round run at the same time, and a round is over when all of them are."""

from __future__ import annotations

from threading import Barrier

import pytest

from kctl.store.crew import Crew


def test_calls_run_at_the_same_time():
    crew, meet, seen = Crew(), Barrier(3, timeout=10), []
    crew([lambda n=n: seen.append((n, meet.wait() >= 0)) for n in range(3)])
    assert sorted(seen) == [(0, True), (1, True), (2, True)]
    crew.close()


def test_a_round_that_is_interrupted_still_ends_before_the_next():
    crew, seen = Crew(), []

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew([interrupted, lambda: seen.append(1), lambda: seen.append(2)])
    assert sorted(seen) == [1, 2]
    crew([lambda: seen.append(3), lambda: seen.append(4)])
    assert sorted(seen) == [1, 2, 3, 4]
    crew.close()
