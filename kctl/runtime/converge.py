"""Convergence: run all loops until none has work, and say how it ended.

All work of one virtual instant is done first, then time jumps to the next *progress* timer. Periodic timers
fire when time is asked to pass; heartbeats and the like are no timers at all, but facts that hold until
something breaks them.

* **Quiet**: no work and no progress timer is left, or all that would still happen is a cycle in which only statuses
  move (``cycle``). Whether that is *Converged* or *Settled* depends on what the objects look like, which is not
  decided here (see kctl.plan). Back-off timers of what failed again and again
  with the same inputs are periodic: nothing would come of waiting for them.
* **Oscillating**: one object is written, or one key synced, again and again within an instant; two controllers undo
  each other; or the whole state comes back to what it was while objects were created, deleted or respecified.
* **Horizon**: the virtual deadline came first, or the run is too big, or took too long by the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from kctl.runtime.fights import Fights
from kctl.runtime.limits import too_big
from kctl.runtime.manager import Livelock, Manager
from kctl.runtime.rounds import Rounds, in_words

End = Literal["Quiet", "Oscillating", "Horizon"]
Noted = Callable[[], "tuple[End, str] | None"]
BUDGET = 10
"""Steps between two looks at limits and progress reports."""


class Outcome(NamedTuple):
    """How a run ended: at which instant, after how many instants and steps.

    ``cycles``: what goes round and round was found, and ``why`` says what it is.
    """

    end: End
    started: float
    now: float
    instants: int
    steps: int
    why: str = ""
    cycles: bool = False


class Timeline:
    """Sets the virtual time; the plane's clock behind two methods."""

    def __init__(self, now: Callable[[], float], set_now: Callable[[float], None]) -> None:
        self.now = now
        self.set = set_now


def converge(
    manager: Manager,
    timeline: Timeline,
    *,
    deadline: float,
    commit: Callable[[], None],
    progress: Callable[[float, int], None] | None = None,
    periodic_until: float | None = None,
    out_of_time: Callable[[], str] | None = None,
    noted: Noted | None = None,
) -> Outcome:
    """Run ``manager`` until it is quiet, oscillates, or the virtual ``deadline`` has come.

    ``commit`` is called at the end of every instant, before time moves on. With
    ``periodic_until`` time passes up to that instant and periodic timers fire on the way.
    ``out_of_time`` says why the run has lasted too long by a clock that is not virtual, "" while it has not.
    ``noted`` is asked once, when only time could bring something new: what an earlier run found to go round in
    this very state ends this one too.
    """
    manager.livelock, manager.fights = None, Fights()
    run = _Run(manager, timeline, progress, out_of_time)
    try:
        while True:
            now = timeline.now()
            late = run.instant(now)
            commit()
            passes = _passes(manager, now, periodic_until)
            ended = run.goes_wrong(late) or run.goes_round(now, passes=passes)
            if ended is not None:
                return ended
            if manager.next_wake(periodic=False) is None and manager.quiet(now):
                continue
            following = _next(manager, now, periodic_until)
            if following is None:
                timeline.set(now if periodic_until is None else periodic_until)
                return run.outcome("Quiet")
            if not passes and (ended := run.rests(now, following, noted)):
                return ended
            if late := run.lateness():
                return run.outcome("Horizon", late)
            if following > deadline:
                timeline.set(deadline)
                return run.outcome("Horizon", "the virtual deadline came before the next timer")
            timeline.set(following)
    finally:
        run.rounds.close()


class _Run:
    """How far a run is, and what of it says that it is over before the timers are."""

    def __init__(
        self,
        manager: Manager,
        timeline: Timeline,
        progress: Callable[[float, int], None] | None,
        out_of_time: Callable[[], str] | None,
    ) -> None:
        self._manager = manager
        self._timeline = timeline
        self._started = timeline.now()
        self._first_step = manager.steps
        self._instants = 0
        self._progress = progress
        self._out_of_time = out_of_time
        self.rounds = Rounds(manager, self._started)

    def outcome(self, end: End, why: str = "", *, cycles: bool = False) -> Outcome:
        """Return how the run ends, at this instant."""
        steps = self._manager.steps - self._first_step
        return Outcome(end, self._started, self._timeline.now(), self._instants, steps, why, cycles)

    def lateness(self) -> str:
        """Say why the run has lasted too long, "" when it has not."""
        return self._out_of_time() if self._out_of_time is not None else ""

    def instant(self, now: float) -> str:
        """Do all work of an instant; return why it was left undone, "" when it was not."""
        self._instants += 1
        manager = self._manager
        manager.begin_instant(now)
        while manager.step(now, BUDGET):
            if why := too_big(manager.caches) or self.lateness():
                return why
            if self._progress is not None:
                self._progress(now - self._started, manager.steps - self._first_step)
        return ""

    def goes_wrong(self, late: str) -> Outcome | None:
        """Return the end when the instant showed that there will be no other."""
        manager = self._manager
        if manager.livelock is not None:
            return self.outcome("Oscillating", describe(manager.livelock))
        if manager.fights.found is not None:
            return self.outcome("Oscillating", manager.fights.found.text(), cycles=True)
        return self.outcome("Horizon", late) if late else None

    def goes_round(self, now: float, *, passes: bool) -> Outcome | None:
        """Return the end when the state is what it was before; a cycle of statuses alone is noticed for :meth:`rests`."""
        cycle = self.rounds.look(now, self._instants, passes=passes)
        if cycle is None:
            return None
        if cycle.what:
            return self.outcome("Oscillating", in_words(cycle), cycles=True)
        if not passes:
            self.rounds.settle(cycle)
        return None

    def rests(self, now: float, following: float, noted: Noted | None) -> Outcome | None:
        """Return the end when nothing is to come that was not there before."""
        if self._instants == 1 and noted is not None and (found := noted()) is not None:
            return self.outcome(*found, cycles=True)
        if self.rounds.is_over(now, following) and self.rounds.cycle is not None:
            return self.outcome("Quiet", in_words(self.rounds.cycle), cycles=True)
        return None


def _next(manager: Manager, now: float, end: float | None) -> float | None:
    """Return the instant to jump to, None when nothing is left to wait for (up to ``end``, if there is one).

    While time is asked to pass every timer counts, afterwards those of progress alone.
    """
    if end is not None:
        return min(_timers(manager, end), default=None)
    until = manager.passes_until()
    if until is None or now >= until:
        return manager.next_wake(periodic=False)
    return min([until, *_timers(manager, until)])


def _passes(manager: Manager, now: float, end: float | None) -> bool:
    """Say whether time is asked to pass at this instant, with what comes by the clock alone."""
    until = manager.passes_until() if end is None else end
    return until is not None and now < until


def _timers(manager: Manager, until: float) -> list[float]:
    """Return the next timer of all, if it comes by ``until``."""
    at = manager.next_wake(periodic=True)
    return [] if at is None or at > until else [at]


def describe(livelock: Livelock) -> str:
    """Say which object is being rewritten and by whom."""
    who = " and ".join(name for name in livelock.loops if name) or "the API server's clients"
    if livelock.syncs:
        return f"{who} looked at {livelock.key} {livelock.syncs} times within one virtual instant"
    return f"{livelock.resource} {livelock.key} was written {livelock.writes} times within one virtual instant by {who}"
