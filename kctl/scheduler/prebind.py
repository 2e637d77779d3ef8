"""Pods that have their node and wait for their volumes: the binding cycle's PreBind.

In: reservations of pods that were decided about, and changes of what they wait for. Out: which pods can be bound now,
and which are to be scheduled again. As upstream, a pod looks once a second whether its volumes are bound; in between,
and as long as nothing has changed, nobody looks. The time-out (600 s unless the configuration says otherwise) only
fires when time is asked to pass: a pod whose volume nobody makes is at rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.client.client import Client
from kctl.scheduler.extension import PreBindError, Reservation
from kctl.scheduler.queue import Queued

INTERVAL = 1.0
TIMEOUT = 600.0
"""The default of bindTimeoutSeconds."""
FAILED = 'running PreBind plugin "{plugin}": '
PREEMPTED = FAILED.format(plugin="VolumeBinding") + "binding volumes: context canceled"
"""Why a pod gave its node back to one that preempted it."""


class Waiting:
    """A pod that waits on its node."""

    __slots__ = ("is_stale", "looked", "node", "queued", "reservations", "since", "until")

    def __init__(
        self, queued: Queued, node: str, reservations: Sequence[Reservation], now: float, timeout: float = TIMEOUT
    ) -> None:
        self.queued = queued
        self.node = node
        self.reservations = reservations
        self.since = now
        self.until = now + timeout
        self.looked = now
        self.is_stale = True
        """Whether something may have changed since it last looked."""

    @property
    def next_look(self) -> float:
        """When it looks next if something has changed: whole seconds after it began."""
        return self.since + (math.floor((self.looked - self.since) / INTERVAL) + 1) * INTERVAL

    def release(self) -> None:
        """Give everything up."""
        for reservation in self.reservations:
            reservation.release()


class Failed(NamedTuple):
    """A pod that has to be scheduled again, and why."""

    queued: Queued
    message: str


class PreBinding:
    """The pods between their decision and their binding."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Waiting] = {}
        self._due: dict[Key, None] = {}
        self._failed: list[Failed] = []

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def begin(self, client: Client, waiting: Waiting) -> None:
        """Write what the pod needs, and let it wait."""
        key = waiting.queued.pod.key
        for reservation in waiting.reservations:
            try:
                reservation.write(client, waiting.since)
            except StatusError as refusal:
                waiting.release()
                why = FAILED.format(plugin=reservation.plugin) + refusal.message
                self._failed.append(Failed(waiting.queued, why))
                return
        self._waiting[key] = waiting
        if all(reservation.is_immediate for reservation in waiting.reservations):
            self._due[key] = None

    def abandon(self, key: Key) -> Queued | None:
        """Give up what a pod waits for; it is gone, or not to be scheduled any more."""
        waiting = self._waiting.pop(key, None)
        self._due.pop(key, None)
        if waiting is None:
            return None
        waiting.release()
        return waiting.queued

    def changed(self, resource: str, keys: Sequence[Key]) -> None:
        """Take notice of changed objects."""
        for waiting in self._waiting.values():
            if not waiting.is_stale:
                waiting.is_stale = any(r.concerns(resource, key) for r in waiting.reservations for key in keys)

    def node_gone(self, name: str) -> None:
        """Take notice of a node that is not there any more."""
        for waiting in self._waiting.values():
            waiting.is_stale = waiting.is_stale or waiting.node == name

    def has_work(self) -> bool:
        """Say whether a pod is to look now, or has failed."""
        return bool(self._due or self._failed)

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return when the first pod looks next; with ``periodic`` also when it gives up."""
        times = [w.next_look for key, w in self._waiting.items() if w.is_stale and key not in self._due]
        if periodic:
            times += [w.until for w in self._waiting.values()]
        return min(times, default=None)

    def wake(self, now: float) -> None:
        """Let the pods look whose time has come."""
        for key, waiting in self._waiting.items():
            if (waiting.is_stale and waiting.next_look <= now) or waiting.until <= now:
                self._due[key] = None

    def look(self, now: float) -> tuple[list[tuple[Queued, str]], list[Failed]]:
        """Return the pods that can be bound, each with its node, and those that failed."""
        ready: list[tuple[Queued, str]] = []
        failed, self._failed = self._failed, []
        due, self._due = self._due, {}
        for key in sorted(due):
            waiting = self._waiting[key]
            waiting.looked, waiting.is_stale = now, False
            is_done, why = _look(waiting, now)
            if is_done:
                ready.append((self._waiting.pop(key).queued, waiting.node))
            elif why:
                self._waiting.pop(key).release()
                failed.append(Failed(waiting.queued, why))
        return ready, failed


def _look(waiting: Waiting, now: float) -> tuple[bool, str]:
    """Say whether all has come that a pod waits for, and why it never will; a text once its time is up."""
    for reservation in waiting.reservations:
        head = FAILED.format(plugin=reservation.plugin)
        doing = "binding volumes: " if reservation.plugin == "VolumeBinding" else ""
        try:
            if not reservation.is_done():
                late = f"{doing}context deadline exceeded" if doing else "device binding timeout"
                return False, head + late if waiting.until <= now else ""
        except PreBindError as error:
            return False, f"{head}{doing}{error}"
    return True, ""
