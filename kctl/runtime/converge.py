"""Convergence: run all loops until none has work, and say how it ended.

All work of one virtual instant is done first, then time jumps to the next *progress* timer. Periodic timers
fire when time is asked to pass; heartbeats and the like are no timers at all, but facts that hold until
something breaks them.

* **Quiet**: no work and no progress timer is left. Whether that is *Converged* or *Settled* depends on what the
  objects look like, which is not decided here (see kctl.plan). Back-off timers of what failed again and again
  with the same inputs are periodic: nothing would come of waiting for them.
* **Oscillating**: one object is written, or one key synced, again and again within an instant; two controllers undo
  each other; or the whole state comes back to what it was while objects were created, deleted or respecified.
* **Horizon**: the virtual deadline came first, or the run is too big, or took too long by the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from kctl.runtime.fingerprint import Fingerprint
from kctl.runtime.limits import too_big
from kctl.runtime.manager import Livelock, Manager

End = Literal["Quiet", "Oscillating", "Horizon"]
BUDGET = 10
"""Steps between two looks at limits and progress reports."""
FINGERPRINT_AFTER = 64
"""Instants before the state is fingerprinted: short runs need no cycle detection."""


class Outcome(NamedTuple):
    """How a run ended: at which instant, after how many instants and steps."""

    end: End
    started: float
    now: float
    instants: int
    steps: int
    why: str = ""


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
) -> Outcome:
    """Run ``manager`` until it is quiet, oscillates, or the virtual ``deadline`` has come.

    ``commit`` is called at the end of every instant, before time moves on. With
    ``periodic_until`` time passes up to that instant and periodic timers fire on the way.
    ``out_of_time`` says why the run has lasted too long by a clock that is not virtual, "" while it has not.
    """
    started = timeline.now()
    first_step = manager.steps
    instants = 0
    fingerprint: Fingerprint | None = None
    while True:
        now = timeline.now()

        def told(steps: int) -> None:
            if progress is not None:
                progress(now - started, steps - first_step)  # noqa: B023 - called in the same turn

        why = _instant(manager, now, out_of_time, told)
        commit()
        instants += 1

        def outcome(end: End, why: str = "") -> Outcome:
            return Outcome(end, started, timeline.now(), instants, manager.steps - first_step, why)  # noqa: B023 - called in the same turn

        if manager.livelock is not None:
            return outcome("Oscillating", describe(manager.livelock))
        if manager.fights.found is not None:
            return outcome("Oscillating", manager.fights.found.text())
        if why:
            return outcome("Horizon", why)
        if instants == FINGERPRINT_AFTER:
            fingerprint = Fingerprint()
            manager.observe(fingerprint.see)
        elif fingerprint is not None and (cycle := fingerprint.repeats(now)):
            return outcome("Oscillating", cycle)
        if manager.next_wake(periodic=False) is None and manager.quiet(now):
            continue
        following = _next(manager, now, periodic_until)
        if following is None and periodic_until is not None:
            timeline.set(periodic_until)
            return outcome("Quiet")
        if following is None:
            return outcome("Quiet")
        if late := out_of_time() if out_of_time is not None else "":
            return outcome("Horizon", late)
        if following > deadline:
            timeline.set(deadline)
            return outcome("Horizon", "the virtual deadline came before the next timer")
        timeline.set(following)


def _instant(
    manager: Manager, now: float, out_of_time: Callable[[], str] | None, progress: Callable[[int], None]
) -> str:
    """Do all work of an instant; return why it was left undone, "" when it was not."""
    manager.begin_instant(now)
    while manager.step(now, BUDGET):
        if why := too_big(manager.caches) or (out_of_time() if out_of_time is not None else ""):
            return why
        progress(manager.steps)
    return ""


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
