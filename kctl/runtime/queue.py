"""The work queue of a control loop: an ordered set of keys, and timers.

As client-go's rate limiting queue, on virtual time: a key is queued once however often it is
added; a key that fails comes back after 5 ms, 10 ms, 20 ms ... up to 1000 s. What a key waits for by
itself and its next retry are two timers: one does not replace the other, and of two retries the earlier
stays (as the delaying queue keeps the earlier of two moments).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, cast

from kctl.api.objects import Key

BASE_DELAY = 0.005
MAX_DELAY = 1000.0
MOST_DOUBLINGS = 62
PROGRESS_RETRIES = 5
"""Retries beyond this many wait for time to pass: with the same inputs they would fail the same."""
PROGRESS_DELAY = 1.0
"""So does a retry after more than these seconds."""


class Limiter(NamedTuple):
    """How a controller's queue retries: the first delay, doubled up to the ``longest``; ``most`` retries (0: no end)."""

    base: float = BASE_DELAY
    longest: float = MAX_DELAY
    most: int = 0


DEFAULT_LIMITER = Limiter()


class Timer(NamedTuple):
    """When to queue a key again; a periodic timer does not keep convergence going."""

    at: float
    periodic: bool


class WorkQueue:
    """Keys to sync now, keys to sync later."""

    def __init__(self, limiter: Limiter = DEFAULT_LIMITER) -> None:
        self._limiter = limiter
        self._ready: dict[Key, None] = {}
        self._timers: dict[Key, Timer] = {}
        self._retries: dict[Key, Timer] = {}
        self._heaps: dict[bool, list[tuple[float, Key]]] = {False: [], True: []}
        self._failures: dict[Key, int] = {}
        self.has_ready = cast("Callable[[], bool]", self._ready.__len__)
        """Says whether a key is queued; asked of every queue at every step, so it is the dictionary's own answer."""

    def has_timers(self) -> bool:
        """Say whether some key may be queued later."""
        return bool(self._heaps[False] or self._heaps[True])

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
        """Set what the key waits for by itself, None for nothing."""
        if at is None:
            self._timers.pop(key, None)
            return
        self._set(self._timers, key, Timer(at, periodic))

    def _set(self, timers: dict[Key, Timer], key: Key, timer: Timer) -> None:
        if timers.get(key) != timer:
            timers[key] = timer
            heapq.heappush(self._heaps[timer.periodic], (timer.at, key))

    def fail(self, key: Key, now: float, *, is_refused: bool = False) -> int:
        """Queue the key again after its back-off and return how often it has failed in a row.

        After the limiter's most retries it is given up: only a change queues it again. What was refused by rule
        will be again until a rule changes: such a retry waits for time to pass, or for :meth:`encourage`.
        """
        base, longest, most = self._limiter
        failures = self._failures.get(key, 0) + 1
        if most and failures > most:
            self.forget(key)
            return failures
        self._failures[key] = failures
        delay = min(base * 2 ** min(failures - 1, MOST_DOUBLINGS), longest)
        known = self._retries.get(key)
        at = known.at if known is not None and now < known.at < now + delay else now + delay
        periodic = is_refused or failures > PROGRESS_RETRIES or delay > PROGRESS_DELAY
        self._set(self._retries, key, Timer(at, periodic))
        return failures

    def encourage(self, is_meant: Callable[[Key], bool]) -> None:
        """Let some of the failed keys be tried at the end of their back-off without waiting for time."""
        for key in sorted(self._failures):
            timer = self._retries.get(key)
            if timer is not None and timer.periodic and is_meant(key):
                self._set(self._retries, key, Timer(timer.at, periodic=False))

    def forget(self, key: Key) -> None:
        """Start the key's back-off anew."""
        if self._failures.pop(key, None) is not None:
            self._retries.pop(key, None)

    def progress(self) -> Iterator[tuple[Key, float]]:
        """Yield every progress timer."""
        for timers in (self._timers, self._retries):
            for key, timer in timers.items():
                if not timer.periodic:
                    yield key, timer.at

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
            timer = Timer(at, periodic)
            if self._timers.get(key) == timer or self._retries.get(key) == timer:
                return at
            heapq.heappop(heap)
        return None

    def wake(self, now: float) -> None:
        """Queue every key whose timer is due."""
        for periodic in (False, True):
            while (at := self._head(periodic)) is not None and at <= now:
                _, key = heapq.heappop(self._heaps[periodic])
                for timers in (self._timers, self._retries):
                    if timers.get(key) == Timer(at, periodic):
                        del timers[key]
                self.add(key)
