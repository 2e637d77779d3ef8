"""A controller as a loop: its queue, its retries, its counters."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.client.cache import ALL, Caches, Changes, Move
from kctl.client.client import Client
from kctl.runtime.actions import Action, Emit
from kctl.runtime.controller import Controller, Decision, KeysOf, Watch
from kctl.runtime.declared import only
from kctl.runtime.easing import Ease
from kctl.runtime.events import Recorder
from kctl.runtime.queue import WorkQueue

REFUSED = frozenset((403, 422))
"""The codes of a write that admission or authorization did not let through."""


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
        self.queue = WorkQueue(controller.limiter)
        self.has_work: Callable[[], bool] = self.queue.has_ready
        self._client = only(client, controller.writes, controller.name)
        self._syncs: dict[Key, int] = {}
        self.most_syncs = 0
        """How often the key synced most often within this instant was."""
        self.current = Key("", "")
        self._caches = caches
        self.take_in: Callable[[], None] = _nothing
        """Lets the caches take in what was written, before the loops hear of it."""
        self._watches = {
            resource: [watch for watch in controller.watches if watch.resource == resource]
            for resource in self.resources
        }
        controller.prepare(caches)
        for resource in controller.reads:
            caches[resource]
        for resource in self.resources:
            there = caches[resource].arrivals()
            if there:
                self.deliver(there)

    def deliver(self, changes: Changes) -> None:
        """Queue the keys that the changes concern; what holds for changes alike is asked once."""
        caches, add = self._caches, self.queue.add_all
        for watch in self._watches[changes[0].event.resource]:
            _, keys, on, alike, where = watch
            if changes.checked:
                _check(watch, changes, caches)
            asked = changes.unlike if alike else changes if where is None else changes.where(where, on)
            for change in asked:
                if change.parts == ALL or change.parts & on:
                    add(keys(change.old, change.new, caches))

    def hearing(self, resource: str, parts: int) -> list[KeysOf]:
        """Return what :meth:`deliver` asks about a change of these parts."""
        return [watch.keys for watch in self._watches[resource] if parts == ALL or parts & watch.on]

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return the earliest timer."""
        return self.queue.next_wake(periodic=periodic) if self.queue.has_timers() else None

    def wake(self, now: float) -> None:
        """Queue the keys whose timers are due: a new instant begins."""
        if self.most_syncs:
            self._syncs.clear()
            self.most_syncs = 0
        if self.queue.has_timers():
            self.queue.wake(now)

    def step(self, now: float) -> int:
        """Sync one key, or as many as the controller takes at once: observe, decide, act."""
        if self.controller.batch > 1:
            return self._step_many(now)
        key = self.queue.pop()
        decision = self._decide(key, now)
        if decision is not None:
            self._act(key, decision, now, self._client)
        return 1

    def _step_many(self, now: float) -> int:
        """Sync several keys, in rounds of those that do not meet; then record the Events of all.

        The caches have what those of one place wrote before the next of that place is looked at.
        """
        told: list[Emit] = []
        client = self._client.in_a_row()
        round_: dict[Key, Decision] = {}
        places: set[Hashable] = set()
        keys = self.queue.pop_many(self.controller.batch)
        if self.controller.in_order:
            keys = sorted(keys)
        try:
            for key in keys:
                place = self.controller.place(self._caches, key)
                if place is None or place in places:
                    self._carry_out(round_, told, now, client)
                    places.clear()
                decision = self._decide(key, now)
                if decision is not None:
                    round_[key] = decision
                if place is None:
                    self._carry_out(round_, told, now, client)
                else:
                    places.add(place)
        finally:
            self._carry_out(round_, told, now, client)
            if told:
                component = self.controller.component or self.controller.name
                Recorder(self._client, now=now, component=component).record_all(told)
        return len(keys)

    def _carry_out(self, round_: dict[Key, Decision], told: list[Emit], now: float, client: Client) -> None:
        """Act on the decisions of a round in their order, and let the caches take it in; the round is over then."""
        has_written = False
        while round_:
            key = next(iter(round_))
            decision = round_.pop(key)
            self.current = key
            emits, writes = _parted(decision.actions)
            has_written = has_written or bool(writes)
            try:
                if self._act(key, Decision(writes, decision.wake_at, decision.periodic), now, client):
                    told += emits
            except BaseException:
                round_.clear()  # as if those behind it had not been looked at yet
                raise
        if has_written:
            self.take_in()

    def _decide(self, key: Key, now: float) -> Decision | None:
        """Return what is to be done about a key, None for nothing."""
        self.current = key
        self.stats.syncs += 1
        count = self._syncs[key] = self._syncs.get(key, 0) + 1
        if count > self.most_syncs:
            self.most_syncs = count
        seen = self.controller.observe(self._caches, key)
        if seen is None:
            self._succeeded(key)
            self.queue.wake_at(key, None)
            return None
        decision = self.controller.decide(seen, now)
        self.queue.wake_at(key, decision.wake_at, periodic=decision.periodic)
        if not decision.actions:
            self._succeeded(key)
            return None
        return decision

    def _act(self, key: Key, decision: Decision, now: float, client: Client) -> bool:
        """Carry a decision out and say whether nothing of it was refused."""
        try:
            self.controller.act(client, decision, now)
        except StatusError as error:
            self.stats.errors += 1
            self.stats.last_error[key] = error.message
            self.queue.fail(key, now, is_refused=error.code in REFUSED)
            if error.code in REFUSED:
                self._follow_what_judges()
            return False
        self._succeeded(key)
        return True

    def encourage(self, ease: Ease) -> None:
        """Have what was refused tried again, if it may be let through now."""
        refusals = self.stats.last_error
        self.queue.encourage(lambda key: ease.helps(key.namespace, refusals.get(key, "")))

    def _follow_what_judges(self) -> None:
        """See to it that a change of what admission judges by is heard of: most of it no loop follows."""
        from kctl.runtime.easing import JUDGED_BY

        for resource in sorted(JUDGED_BY):
            self._caches[resource]

    def _succeeded(self, key: Key) -> None:
        self.queue.forget(key)
        self.stats.last_error.pop(key, None)


def _parted(actions: tuple[Action, ...]) -> tuple[list[Emit], tuple[Action, ...]]:
    """Return what is to be recorded and what is to be written; mostly there is one write, before all else."""
    emits = [action for action in actions if isinstance(action, Emit)]
    if len(emits) == len(actions) - 1 and not isinstance(actions[0], Emit):
        return emits, actions[:1]
    return emits, tuple(action for action in actions if not isinstance(action, Emit))


def _nothing() -> None:
    """Take nothing in: a loop that nobody drives."""


def _check(watch: Watch, changes: Changes, caches: Caches) -> None:
    """Raise AssertionError where what a watch says of changes alike does not hold (tests)."""
    _, keys, on, alike, where = watch
    first: dict[Move, tuple[list[Key], bool]] = {}
    for change in changes if alike or where is not None else ():
        if change.alike is None or not (change.parts == ALL or change.parts & on):
            continue
        asked = where is None or where(change.old, change.new)
        found = list(keys(change.old, change.new, caches)) if alike or not asked else []
        if first.setdefault(change.alike, (found, asked)) != (found, asked) or (found and not asked):
            raise AssertionError(f"{change.key} is like another, but {found} are not its keys: {keys}")
