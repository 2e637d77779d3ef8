"""The scheduling queue: who is next, who waits for what.

A pod is in one of four places. *Active*: a heap in the order of QueueSort. *Backing off*: ordered by when its
back-off ends; taken early when nothing is active, as SchedulerPopFromBackoffQ does, so that back-off
orders pods and never makes the cluster wait. *Unschedulable*: until an event that a plugin which refused it
cares about (``hints.py``), or, while time is asked to pass, for five minutes if anything has happened
meanwhile. *Gated*: until its gates are gone. After an error of the API (not a refusal) a pod waits its
back-off out; that is the only timer that makes progress.

Nothing looks at a clock: ``now`` comes with each call.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from typing import Any

from kctl.api.objects import Key
from kctl.scheduler.podinfo import PodInfo

LEFTOVER = 300.0
"""So long a pod stays unschedulable before it is tried again in any case (podMaxInUnschedulablePodsDuration)."""


class Queued:
    """A pod and how it has fared so far."""

    __slots__ = ("attempts", "backoff_until", "changes", "errors", "place", "plugins", "pod", "refusals", "since")

    def __init__(self, pod: PodInfo, since: float) -> None:
        self.pod = pod
        self.since = since
        self.attempts = 0
        self.refusals = 0
        self.errors = 0
        """How many errors there have been since it was refused last."""
        self.plugins: frozenset[str] = frozenset()
        """The plugins that refused the pod last; none for an error or a cluster without nodes."""
        self.backoff_until = 0.0
        self.place = ""
        self.changes = 0
        """How many events there had been when the pod was refused last."""


SortKey = Callable[[PodInfo, float], tuple[Any, ...]]


class SchedulingQueue:
    """Pending pods by place."""

    def __init__(self, sort_key: SortKey, initial_backoff: float = 1.0, max_backoff: float = 10.0) -> None:
        self._sort_key = sort_key
        self._backoffs = (initial_backoff, max_backoff)
        self.changes = 0
        """How many events there have been that could help a pod."""
        self._pods: dict[Key, Queued] = {}
        self._active: list[tuple[Any, ...]] = []
        self._backoff: list[tuple[Any, ...]] = []
        self._errors: list[tuple[Any, ...]] = []
        self._ticket = 0
        self.unschedulable: dict[Key, Queued] = {}
        self._waiting: dict[str, dict[Key, Queued]] = {}
        """Unschedulable pods by each plugin that refused them, "" for pods that nobody refused."""
        self.gated: dict[Key, Queued] = {}

    def __len__(self) -> int:
        return len(self._pods)

    def __contains__(self, key: Key) -> bool:
        return key in self._pods

    def get(self, key: Key) -> Queued | None:
        """Return a pending pod."""
        return self._pods.get(key)

    def has_next(self) -> bool:
        """Say whether :meth:`pop` would return a pod."""
        self._drop_stale(self._active)
        self._drop_stale(self._backoff)
        return bool(self._active or self._backoff)

    def add(self, pod: PodInfo, since: float) -> Queued:
        """Take in a new pod."""
        self.remove(pod.key)
        queued = self._pods[pod.key] = Queued(pod, since)
        self.activate(queued)
        return queued

    def remove(self, key: Key) -> Queued | None:
        """Forget a pod."""
        queued = self._pods.pop(key, None)
        if queued is not None:
            self._leave(queued)
            queued.place = ""
        return queued

    def gate(self, queued: Queued, plugins: frozenset[str]) -> None:
        """Keep a pod out until its gates are gone."""
        self._leave(queued)
        queued.plugins = plugins
        queued.place = "gated"
        self.gated[queued.pod.key] = queued

    def activate(self, queued: Queued) -> None:
        """Put a pod among those to be scheduled next."""
        self._leave(queued)
        self._push(self._active, "active", queued, self._sort_key(queued.pod, queued.since))

    def requeue(self, queued: Queued, now: float) -> None:
        """Bring an unschedulable pod back: to the active ones, or behind them while it backs off."""
        until = math.floor(queued.backoff_until)
        if until < math.floor(now):
            self.activate(queued)
        else:  # those of a second come in the order of the active ones
            self._leave(queued)
            order = (until, *self._sort_key(queued.pod, queued.since))
            self._push(self._backoff, "backoff", queued, order)

    def refused(self, queued: Queued, plugins: frozenset[str], now: float) -> None:
        """Put a pod that does not fit among the unschedulable ones."""
        queued.refusals += 1
        queued.errors = 0
        self._note_attempt(queued, now, queued.refusals)
        self._leave(queued)
        queued.plugins = plugins
        queued.changes = self.changes
        queued.place = "unschedulable"
        self.unschedulable[queued.pod.key] = queued
        for plugin in plugins or ("",):
            self._waiting.setdefault(plugin, {})[queued.pod.key] = queued

    def failed(self, queued: Queued, now: float) -> None:
        """Let a pod wait after an error of the API server."""
        queued.errors += 1
        self._note_attempt(queued, now, queued.errors)
        self._leave(queued)
        self._push(self._errors, "error", queued, (queued.backoff_until,))

    def refused_by(self, plugins: Iterable[str]) -> list[Queued]:
        """Return the unschedulable pods that any of the plugins refused, in order of their keys."""
        found: dict[Key, Queued] = {}
        for plugin in plugins:
            found.update(self._waiting.get(plugin, {}))
        return [found[key] for key in sorted(found)]

    def pop(self) -> Queued | None:
        """Take the next pod; it is in no place until it is refused, failed or removed."""
        for heap in (self._active, self._backoff):
            self._drop_stale(heap)
            if heap:
                queued: Queued = heapq.heappop(heap)[-1]
                queued.place = ""
                return queued
        return None

    def next_wake(self) -> float | None:
        """Return when the first pod has waited out its error back-off."""
        self._drop_stale(self._errors)
        return self._errors[0][0] if self._errors else None

    def wake(self, now: float) -> None:
        """Activate the pods whose error back-off is over."""
        while True:
            at = self.next_wake()
            if at is None or at > now:
                return
            self.activate(self._errors[0][-1])

    def next_leftover(self) -> float | None:
        """Return when the pod that is unschedulable for longest is tried again in any case.

        None when nothing has happened since: to try again would end the same.
        """
        queued = next(iter(self.unschedulable.values()), None)
        return queued.since + LEFTOVER if queued is not None and queued.changes != self.changes else None

    def flush(self, now: float) -> None:
        """Bring back the pods that have been unschedulable for too long (flushUnschedulablePodsLeftover)."""
        while (at := self.next_leftover()) is not None and at <= now:
            self.requeue(next(iter(self.unschedulable.values())), now)

    def _note_attempt(self, queued: Queued, now: float, count: int) -> None:
        queued.attempts += 1
        queued.since = now
        initial, most = self._backoffs
        queued.backoff_until = now + min(initial * 2 ** min(count - 1, 60), most)

    def _push(self, heap: list[tuple[Any, ...]], place: str, queued: Queued, order: tuple[Any, ...]) -> None:
        self._ticket += 1
        queued.place = f"{place} {self._ticket}"
        heapq.heappush(heap, (*order, self._ticket, queued.place, queued))

    def _drop_stale(self, heap: list[tuple[Any, ...]]) -> None:
        """Remove entries of pods that have moved on; heaps are not searched when a pod leaves."""
        while heap and heap[0][-1].place != heap[0][-2]:
            heapq.heappop(heap)

    def _leave(self, queued: Queued) -> None:
        key = queued.pod.key
        if queued.place == "unschedulable":
            del self.unschedulable[key]
            for plugin in queued.plugins or ("",):
                del self._waiting[plugin][key]
        elif queued.place == "gated":
            del self.gated[key]
        queued.place = ""
