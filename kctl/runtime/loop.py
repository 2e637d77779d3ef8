"""A controller as a loop: its queue, its retries, its counters."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.client.cache import ALL, Caches, Change
from kctl.client.client import Client
from kctl.runtime.controller import Controller
from kctl.runtime.queue import WorkQueue


class Stats:
    """What a loop has done: keys synced, refusals met, the last refusal by key."""

    __slots__ = ("errors", "last_error", "syncs")

    def __init__(self) -> None:
        self.syncs = 0
        self.errors = 0
        self.last_error: dict[Key, str] = {}


class ControllerLoop:
    """Drives one controller; implements :class:`kctl.runtime.controller.Loop`."""

    def __init__(self, controller: Controller, client: Client, caches: Caches) -> None:
        self.controller = controller
        self.name = controller.name
        self.level = controller.level
        self.resources = tuple(dict.fromkeys(watch.resource for watch in controller.watches))
        self.stats = Stats()
        self.queue = WorkQueue()
        self._client = client
        self._caches = caches
        self._watches = {
            resource: [(watch.keys, watch.on) for watch in controller.watches if watch.resource == resource]
            for resource in self.resources
        }
        controller.prepare(caches)
        for resource in controller.reads:
            caches[resource]
        for resource in self.resources:
            for keys, _ in self._watches[resource]:
                for obj in caches[resource].all():
                    self.queue.add_all(keys(None, obj, caches))

    def deliver(self, changes: Sequence[Change]) -> None:
        """Queue the keys that the changes concern."""
        caches, add = self._caches, self.queue.add_all
        for keys, on in self._watches[changes[0].event.resource]:
            for change in changes:
                if change.parts == ALL or change.parts & on:
                    add(keys(change.old, change.new, caches))

    def has_work(self) -> bool:
        """Say whether a key is queued."""
        return len(self.queue) > 0

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return the earliest timer."""
        return self.queue.next_wake(periodic=periodic)

    def wake(self, now: float) -> None:
        """Queue the keys whose timers are due."""
        self.queue.wake(now)

    def step(self, now: float) -> int:
        """Sync one key: observe, decide, act."""
        key = self.queue.pop()
        self.current = key
        self.stats.syncs += 1
        controller = self.controller
        seen = controller.observe(self._caches, key)
        if seen is None:
            self._succeeded(key)
            self.queue.wake_at(key, None)
            return 1
        decision = controller.decide(seen, now)
        self.queue.wake_at(key, decision.wake_at, periodic=decision.periodic)
        if not decision.actions:
            self._succeeded(key)
            return 1
        try:
            controller.act(self._client, decision, now)
        except StatusError as error:
            self.stats.errors += 1
            self.stats.last_error[key] = error.message
            self.queue.fail(key, now)
        else:
            self._succeeded(key)
        return 1

    def _succeeded(self, key: Key) -> None:
        self.queue.forget(key)
        self.stats.last_error.pop(key, None)
