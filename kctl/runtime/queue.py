"""The work queue of a control loop: an ordered set of keys, and timers.

As client-go's rate limiting queue, on virtual time: a key is queued once however often it is
added; a key that fails comes back after 5 ms, 10 ms, 20 ms ... up to 1000 s.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from kctl.api.objects import Key

BASE_DELAY = 0.005
MAX_DELAY = 1000.0
PROGRESS_RETRIES = 5
"""Retries beyond this many wait for time to pass: with the same inputs they would fail the same."""


class Timer(NamedTuple):
    """When to queue a key again; a periodic timer does not keep convergence going."""

    at: float
    periodic: bool


class WorkQueue:
    """Keys to sync now, keys to sync later."""

    def __init__(self) -> None:
        self._ready: dict[Key, None] = {}
        self._timers: dict[Key, Timer] = {}
        self._heaps: dict[bool, list[tuple[float, Key]]] = {False: [], True: []}
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: Key) -> None:
        """Queue the key unless it is queued."""
        self._ready.setdefault(key)

    def add_all(self, keys: Iterable[Key]) -> None:
        """Queue each of the keys unless it is queued."""
        for key in keys:
            self._ready.setdefault(key)

    def pop(self) -> Key:
        """Take the key that has waited longest; KeyError when there is none."""
        key = next(iter(self._ready))
        del self._ready[key]
        return key

    def pop_many(self, count: int) -> list[Key]:
        """Take up to ``count`` keys, those that have waited longest, in that order."""
        keys = list(islice(self._ready, count))
        for key in keys:
            del self._ready[key]
        return keys

    def wake_at(self, key: Key, at: float | None, *, periodic: bool = False) -> None:
        """Set the key's only timer, None for none."""
        if at is None:
            self._timers.pop(key, None)
            return
        timer = Timer(at, periodic)
        if self._timers.get(key) != timer:
            self._timers[key] = timer
            heapq.heappush(self._heaps[periodic], (at, key))

    def fail(self, key: Key, now: float) -> int:
        """Queue the key again after its back-off and return how often it has failed in a row."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(BASE_DELAY * 2 ** (failures - 1), MAX_DELAY)
        self.wake_at(key, now + delay, periodic=failures > PROGRESS_RETRIES)
        return failures

    def encourage(self, namespace: str) -> None:
        """Let failed keys of a namespace be tried at the end of their back-off without waiting for time."""
        for key in sorted(self._failures):
            timer = self._timers.get(key)
            if key.namespace == namespace and timer is not None and timer.periodic:
                self.wake_at(key, timer.at)

    def forget(self, key: Key) -> None:
        """Start the key's back-off anew."""
        self._failures.pop(key, None)

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return the earliest progress timer, or of all timers when ``periodic``."""
        times = [self._head(False)]
        if periodic:
            times.append(self._head(True))
        return min((at for at in times if at is not None), default=None)

    def _head(self, periodic: bool) -> float | None:
        """Return the earliest valid timer of a class, dropping the ones that were replaced."""
        heap = self._heaps[periodic]
        while heap:
            at, key = heap[0]
            if self._timers.get(key) == Timer(at, periodic):
                return at
            heapq.heappop(heap)
        return None

    def wake(self, now: float) -> None:
        """Queue every key whose timer is due."""
        for periodic in (False, True):
            while (at := self._head(periodic)) is not None and at <= now:
                _, key = heapq.heappop(self._heaps[periodic])
                del self._timers[key]
                self.add(key)
