"""Does a run go round and round? What it looks at, from when on, and what that means.

In: the manager of the run and its instants. Out: the cycle. Looking costs a hash for every write, so it begins when a
run lasts long in virtual time, when somebody makes anew what was deleted, time after time, or when it has many
instants and something was deleted or respecified in one of them: while objects only come, are given their place
and go their way, a large cluster is being started.

A cycle in which only statuses move is a way of being at rest (pods that crash after they were ready); one that
creates, deletes or changes specs is an oscillation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kctl.api.objects import controller_uid
from kctl.client.client import WatchEvent
from kctl.runtime.fingerprint import IGNORED, Cycle, Fingerprint, Timers, normal, verb_of
from kctl.runtime.loop import ControllerLoop

if TYPE_CHECKING:
    from kctl.runtime.manager import Manager

LOOK_AFTER = 64
"""Instants before the state is looked at: short runs need no cycle detection."""
LONG, LONG_INSTANTS = 600.0, 16
"""So many virtual seconds do if there were that many instants."""
FIRST_INSTANTS = 4
"""In the first instants everything is made: whether it is made anew is looked at later."""
TURNS = 3
"""In so many instants has an owner made children anew before that is looked into."""
SCHEDULED = re.compile(r"-\d{8}(-[a-z0-9]{5})?$")
"""How the name of a Job ends that a CronJob made, and of its pods: what they wait for is over with the next."""
ALIKE = 1e-3
"""Waits that differ by less are the same."""


class Signs:
    """Notices owners whose children are made anew, instant after instant (``churns``), and what goes (``shrinks``)."""

    def __init__(self) -> None:
        self.instant = 0
        self.churns = self.shrinks = False
        self._deleted: set[str] = set()
        self._turns: dict[str, tuple[int, int]] = {}

    def see(self, event: WatchEvent) -> None:
        """Take one change in."""
        if event.resource in IGNORED:
            return
        self.shrinks = self.shrinks or not grows(event)
        if event.type == "DELETED":
            self._deleted.add(controller_uid(event.object) or "")
        elif event.type == "ADDED" and self._deleted:
            owner = controller_uid(event.object)
            if owner and owner in self._deleted:
                count, last = self._turns.get(owner, (0, -1))
                if last != self.instant:
                    self._turns[owner] = (count + 1, self.instant)
                    self.churns = self.churns or count + 1 >= TURNS


def grows(event: WatchEvent) -> bool:
    """Say whether a change adds to what is specified, or leaves it: of such alone nothing is made again."""
    old, new = event.old, event.object
    if event.type != "MODIFIED" or old is None:
        return event.type != "DELETED"
    if "spec" not in new:
        return not verb_of(event)
    before, after = old.get("spec"), new["spec"]
    if before is after or before == after:
        return True
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    return all(name in after and after[name] == value for name, value in before.items())


class Rounds:
    """Watches one run; ``passing`` while time is asked to pass, with all that comes by the clock alone."""

    def __init__(self, manager: Manager, started: float) -> None:
        self._manager = manager
        self._started = started
        self._signs = Signs()
        self._fingerprint: Fingerprint | None = None
        self._waits: list[tuple[float, float]] = []
        self._passing = False
        self._now = started
        self.cycle: Cycle | None = None
        """What only moves statuses, once it is known."""
        self._longest = 0.0

    def look(self, now: float, instants: int, *, passes: bool) -> Cycle | None:
        """Look at the state at the end of an instant; return the cycle that was closed."""
        self._now, self._passing = now, passes
        signs = self._signs
        signs.instant = instants
        if self._fingerprint is not None:
            return self._fingerprint.repeats(now)
        if instants == FIRST_INSTANTS:
            self._manager.observe(signs.see)
        if instants == LOOK_AFTER:
            signs.shrinks = False
        is_long = instants >= LONG_INSTANTS and now - self._started >= LONG
        if (instants > LOOK_AFTER and signs.shrinks) or (not passes and (is_long or signs.churns)):
            self._fingerprint = Fingerprint(now, self._ahead, lambda: self._manager.acting()[0])
            self._manager.ignore(signs.see)
            self._manager.observe(self._fingerprint.see)
        return None

    def settle(self, cycle: Cycle) -> None:
        """Take a cycle for a way of being at rest: the run ends where the cycle itself rests longest."""
        self.cycle = cycle
        self._longest = max((wait for at, wait in self._waits if at >= cycle.since), default=0.0)

    def is_over(self, now: float, following: float) -> bool:
        """Say whether the run ends here, given when the next instant comes."""
        if self.cycle is not None:
            return following - now >= self._longest - ALIKE
        if self._fingerprint is not None:
            self._waits.append((now, following - now))
        return False

    def close(self) -> None:
        """Look no longer."""
        self._manager.ignore(self._signs.see)
        if self._fingerprint is not None:
            self._manager.ignore(self._fingerprint.see)

    def _ahead(self) -> Timers:
        """Return what the loops wait for; what comes by the clock alone only while that counts."""
        found: list[tuple[str, str, float]] = []
        for loop in self._manager.loops:
            if isinstance(loop, ControllerLoop) and not self._passing:
                timers = [
                    (normal("/".join(key)), at)
                    for key, at in loop.queue.progress()
                    if SCHEDULED.search(key.name) is None
                ]
            else:
                at = loop.next_wake(periodic=self._passing)
                timers = [] if at is None else [("", at)]
            found += [(loop.name, name, at) for name, at in timers]
        return frozenset(found)


def in_words(cycle: Cycle) -> str:
    """Say how often what happens."""
    still = "only statuses move, and what CronJobs make comes and goes" if cycle.schedules else "only statuses move"
    return f"everything comes back to what it was every {round(cycle.period, 1):g}s: {cycle.what or still}"
