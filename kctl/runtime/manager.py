"""The manager: all loops of one process, driven one bounded step at a time.

In: loops, the caches they read, the watches that feed the caches. The loop with the lowest
level that has work goes first; after each step the caches take in what it wrote. An exception
in a loop takes that loop out and is reported; the others go on.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

from kctl.api.objects import Key
from kctl.client.cache import Cache, Caches, Change, Changes
from kctl.client.client import Client, Watch, WatchEvent
from kctl.runtime.controller import KeysOf, Loop
from kctl.runtime.easing import JUDGED_BY, Ease, eased
from kctl.runtime.fights import Fights
from kctl.runtime.loop import ControllerLoop


class Crash(NamedTuple):
    """A loop that was taken out: its name, the error in one line, the traceback."""

    loop: str
    error: str
    trace: str


class Livelock(NamedTuple):
    """An object that was written again and again within one instant, or (``syncs``) a key looked at in vain."""

    resource: str
    key: Key
    writes: int
    loops: tuple[str, ...]
    syncs: int = 0


BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What a mistake in a controller raises; what people or machines do wrong is a KctlError or an OSError."""


Told = tuple[KeysOf | None, Callable[[Any], None]]
"""What maps a change to keys and what takes them; without the first what takes changes."""


class Lag(Protocol):
    """Makes caches see changes later than they happened; only tests want that."""

    def pass_on(self, resource: str, events: Iterator[WatchEvent], *, idle: bool) -> Iterator[WatchEvent]:
        """Yield what is seen now of the events kept so far and the new ones; keep the rest.

        ``idle``: no loop has work, so at least one event must come if any is kept.
        """
        ...


TALLIES = ("events", "resourcequotas")
"""What is counted up with every write of something else, and is no loop however often it is written."""
MAX_WRITES_AN_INSTANT = 100
"""After so many writes to one object within one virtual instant, one that brings it back to what it was is a livelock."""
MOST_WRITES_AN_INSTANT = 2000
"""After so many any is: only what counts up without end does that."""
MAX_SYNCS_AN_INSTANT = 1000
"""Syncs of one key within one virtual instant before they are."""


class Manager:
    """Runs loops over caches.

    ``observers`` see every change once, after the caches have it.
    """

    checked: ClassVar[bool] = False
    """Whether indexes and folds are compared with a recomputation at every turn; tests set it."""

    def __init__(self, client: Client, observers: Iterable[Callable[[WatchEvent], None]] = ()) -> None:
        self._client = client
        self._watches: list[tuple[Cache, Watch, Callable[[], bool]]] = []
        """Each with what says whether something has come."""
        self._observers = list(observers)
        self._listeners: dict[str, list[Loop]] = {}
        self._plans: dict[tuple[str, int], list[Told]] = {}
        """Whom a single change of a resource and of these parts concerns; made when it first happens."""
        self._writes: dict[tuple[str, Key], int] = {}
        self._written_by: dict[tuple[str, Key], tuple[str, ...]] = {}
        self._states: dict[tuple[str, Key], set[int]] = {}
        """What an object that is written very often was."""
        self._active = ""
        self._held: dict[str, list[Change]] = {}
        """Changes that caches have taken in and the loops are yet to hear of."""
        self._alone: tuple[str, ...] = ("",)
        """The active loop as the only writer: most objects have one in an instant."""
        self.caches = Caches(self._fill)
        self.fights = Fights()
        self.on_quiet: list[Callable[[float], bool]] = []
        """Who is asked for more work when there is none left, nor any progress to wait for."""
        self.passing: list[Callable[[], float | None]] = []
        """Who wants time to pass, with what comes by the clock alone, and until when."""
        self.stopwatch: Callable[[], float] | None = None
        self.seconds: dict[str, float] = {}
        """What each loop took, where there is a stopwatch."""
        self.written: dict[str, int] = {}
        """Changes each loop made to what anybody follows; Events are not among them."""
        self.loops: list[Loop] = []
        self.crashes: list[Crash] = []
        self.livelock: Livelock | None = None
        self.lag: Lag | None = None
        self.steps = 0

    def add(self, loop: Loop) -> None:
        """Take a loop in; loops run by level, equals in the order they came."""
        self.loops.append(loop)
        self.loops.sort(key=lambda known: known.level)
        if isinstance(loop, ControllerLoop) and loop.controller.batch > 1:
            loop.take_in = self._taker(loop.controller.writes)
        for resource in loop.resources:
            self.caches[resource]
            self._listeners.setdefault(resource, []).append(loop)
        self._plans.clear()

    def observe(self, observer: Callable[[WatchEvent], None]) -> None:
        """Let ``observer`` see every change from now on."""
        self._observers.append(observer)

    def ignore(self, observer: Callable[[WatchEvent], None]) -> None:
        """Let ``observer`` see no more changes."""
        if observer in self._observers:
            self._observers.remove(observer)

    def _fill(self, cache: Cache) -> None:
        listing = self._client.list(cache.resource)
        cache.replace(listing.items, listing.revision)
        watch = self._client.watch(cache.resource, revision=listing.revision)
        self._watches.append((cache, watch, watch.waiting))

    def pump(self, *, idle: bool = False) -> int:
        """Let the caches and the loops take notice of what has changed; return how much had."""
        seen = 0
        held, has_lag, watches = self._held, self.lag is not None, self._watches
        for n in range(len(watches)):  # delivering may add some
            cache, watch, waiting = watches[n]
            if not (waiting() or has_lag or (held and cache.resource in held)):
                continue
            events = watch.events()
            if self.lag is not None:
                events = self.lag.pass_on(cache.resource, events, idle=idle)
            changes = self._held.pop(cache.resource, [])
            changes += [cache.take(event) for event in events]
            if changes:
                seen += len(changes)
                self._pass_on(cache.resource, Changes(changes))
        if seen and self.checked:
            for cache in self.caches.known():
                cache.check()
        return seen

    def _taker(self, resources: Iterable[str]) -> Callable[[], None]:
        """Return what lets the caches of some resources take in what has changed; the loops hear of it later."""
        mine = [(cache, watch) for cache, watch, _ in self._watches if cache.resource in resources]

        def take_in() -> None:
            for cache, watch in mine if self.lag is None else ():
                if watch.waiting():
                    self._held.setdefault(cache.resource, []).extend(map(cache.take, watch.events()))

        return take_in

    def _pass_on(self, resource: str, changes: Changes) -> None:
        """Tell everybody of changes that the cache of their resource has taken in."""
        changes.checked = self.checked
        self.written[self._active] = self.written.get(self._active, 0) + len(changes)
        if resource not in TALLIES:
            self._count_writes(resource, changes)
        if resource != "pods":
            for change in changes:
                self.fights.see(change.event, self._active)
        if len(changes) == 1:
            self._tell(resource, changes)
        else:
            for loop in self._listeners.get(resource, ()):
                loop.deliver(changes)
        for observe in self._observers:
            for change in changes:
                observe(change.event)
        if resource in JUDGED_BY:
            for change in changes:
                self._encourage(eased(change.event))

    def _tell(self, resource: str, changes: Changes) -> None:
        """Deliver one change to the loops that look at what it is about, as :meth:`ControllerLoop.deliver` would."""
        (change,) = changes
        place = (resource, change.parts)
        plan = self._plans.get(place)
        if plan is None:
            plan = self._plans[place] = []
            for loop in self._listeners.get(resource, ()):
                if type(loop) is ControllerLoop:
                    plan += [(keys, loop.queue.add_all) for keys in loop.hearing(*place)]
                else:
                    plan.append((None, loop.deliver))
        old, new, caches = change.old, change.new, self.caches
        for keys, tell in plan:
            if keys is None:
                tell(changes)
            elif found := keys(old, new, caches):
                tell(found)

    def _encourage(self, ease: Ease | None) -> None:
        """Have what was refused tried again, if it may be let through now."""
        for loop in self.loops if ease is not None else ():
            if isinstance(loop, ControllerLoop) and ease is not None:
                loop.encourage(ease)

    def _count_writes(self, resource: str, changes: list[Change]) -> None:
        writes, written_by, active = self._writes, self._written_by, self._active
        for change in changes:
            identity = (resource, change.key)
            count = writes[identity] = writes.get(identity, 0) + 1
            writers = written_by.get(identity, ())
            if active not in writers:
                written_by[identity] = (*writers, active) if writers else self._alone
            if count > MAX_WRITES_AN_INSTANT and self.livelock is None and self._goes_round(identity, count, change):
                self.livelock = Livelock(*identity, count, tuple(sorted(written_by[identity])))

    def _goes_round(self, identity: tuple[str, Key], count: int, change: Change) -> bool:
        """Say whether an object that is written very often is what it was before, or has been for too long."""
        from kctl.runtime.fingerprint import hash_of

        seen = self._states.setdefault(identity, set())
        state = 0 if change.new is None else hash_of(identity[0], change.new)
        if state in seen or count > MOST_WRITES_AN_INSTANT:
            return True
        seen.add(state)
        return False

    def begin_instant(self, now: float) -> None:
        """Start a new instant: fresh livelock counts, timers that are due."""
        self._writes.clear()
        self._written_by.clear()
        self._states.clear()
        self._active, self._alone = "", ("",)
        for loop in self.loops:
            loop.wake(now)

    def step(self, now: float, budget: int) -> bool:
        """Do up to ``budget`` steps of work at this instant; return whether there is more."""
        self.pump()
        until = self.steps + budget
        while self.steps < until:
            loop = self._with_work()
            if self.livelock is not None:
                return False
            if loop is not None:
                self._step(loop, now)
            elif self.lag is None or not self.pump(idle=True):
                return False
            else:
                until -= 1
            self.pump()
        return self.lag is not None or self._with_work() is not None

    def _with_work(self) -> Loop | None:
        """Return the first loop that has something to do."""
        for loop in self.loops:
            if loop.has_work():
                return loop
        return None

    def acting(self) -> tuple[str, Key | None]:
        """Return the loop whose turn it is, "" for none, and the key it syncs, if it is one that has keys."""
        for loop in self.loops:
            if loop.name == self._active:
                return loop.name, loop.current if isinstance(loop, ControllerLoop) else None
        return "", None

    def _step(self, loop: Loop, now: float) -> None:
        if self._active != loop.name:
            self._active, self._alone = loop.name, (loop.name,)
        begun = self.stopwatch() if self.stopwatch is not None else 0.0
        try:
            self.steps += max(loop.step(now), 1)
        except BUGS as error:
            # A bug in one controller must not take the run with it: it is reported as a crash.
            self._take_out(loop, Crash(loop.name, f"{type(error).__name__}: {error}", traceback.format_exc()))
        if self.stopwatch is not None:
            self.seconds[loop.name] = self.seconds.get(loop.name, 0.0) + self.stopwatch() - begun
        if isinstance(loop, ControllerLoop) and loop.most_syncs > MAX_SYNCS_AN_INSTANT and self.livelock is None:
            self.livelock = Livelock("", loop.current, 0, (loop.name,), loop.most_syncs)

    def _take_out(self, loop: Loop, crash: Crash) -> None:
        """Go on without a loop."""
        self.crashes.append(crash)
        self.loops.remove(loop)
        for listeners in self._listeners.values():
            if loop in listeners:
                listeners.remove(loop)
        self._plans.clear()

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return the earliest timer of any loop."""
        first: float | None = None
        for loop in self.loops:
            at = loop.next_wake(periodic=periodic)
            if at is not None and (first is None or at < first):
                first = at
        return first

    def quiet(self, now: float) -> bool:
        """Ask for more work, now that nothing is left to do or to wait for; say whether there is some."""
        found = False
        for ask in self.on_quiet:
            found = ask(now) or found
        return found

    def passes_until(self) -> float | None:
        """Return until when time is to pass although nothing waits for it."""
        return max((until for ask in self.passing if (until := ask()) is not None), default=None)

    def stop(self) -> None:
        """End every watch."""
        for _, watch, _ in self._watches:
            watch.stop()
        self._watches.clear()

    def last_errors(self) -> dict[tuple[str, Key], str]:
        """Return the refusal each (controller, key) met last and has not overcome."""
        found: dict[tuple[str, Key], str] = {}
        for loop in self.loops:
            stats = getattr(loop, "stats", None)
            for key, message in getattr(stats, "last_error", {}).items():
                found[loop.name, key] = message
        return found
