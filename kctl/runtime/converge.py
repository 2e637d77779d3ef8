"""Convergence: run all loops until none has work, and say how it ended.

All work of one virtual instant is done first, then time jumps to the next *progress* timer.

* **Converged** or **Settled**: no work and no progress timer is left (which of the two it is
  depends on what the objects look like, which is not decided here: see kctl.plan).
* **Oscillating**: one object is written again and again within an instant, or the whole state
  comes back to what it was while objects were created, deleted or respecified.
* **Horizon**: the virtual deadline came first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from kctl.runtime.fingerprint import Fingerprint
from kctl.runtime.manager import Livelock, Manager

End = Literal["Quiet", "Oscillating", "Horizon"]
BUDGET = 2_000
"""Steps between two looks at progress reports."""
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
) -> Outcome:
    """Run ``manager`` until it is quiet, oscillates, or the virtual ``deadline`` has come.

    ``commit`` is called at the end of every instant, before time moves on. With
    ``periodic_until`` time passes up to that instant and periodic timers fire on the way.
    """
    started = timeline.now()
    first_step = manager.steps
    instants = 0
    fingerprint: Fingerprint | None = None
    while True:
        now = timeline.now()
        manager.begin_instant(now)
        while manager.step(now, BUDGET):
            if progress:
                progress(now - started, manager.steps - first_step)
        commit()
        instants += 1

        def outcome(end: End, why: str = "") -> Outcome:
            return Outcome(end, started, timeline.now(), instants, manager.steps - first_step, why)  # noqa: B023 - called in the same turn

        if manager.livelock is not None:
            return outcome("Oscillating", describe(manager.livelock))
        if instants == FINGERPRINT_AFTER:
            fingerprint = Fingerprint()
            manager.observe(fingerprint.see)
        elif fingerprint is not None and (cycle := fingerprint.repeats(now)):
            return outcome("Oscillating", cycle)
        following = _next(manager, periodic_until)
        if following is None:
            if periodic_until is not None:
                timeline.set(periodic_until)
            return outcome("Quiet")
        if following > deadline:
            timeline.set(deadline)
            return outcome("Horizon", "the virtual deadline came before the next timer")
        timeline.set(following)


def _next(manager: Manager, periodic_until: float | None) -> float | None:
    """Return the instant to jump to, None when nothing is left to wait for."""
    progress = manager.next_wake(periodic=False)
    if periodic_until is None:
        return progress
    any_timer = manager.next_wake(periodic=True)
    return any_timer if any_timer is not None and any_timer <= periodic_until else None


def describe(livelock: Livelock) -> str:
    """Say which object is being rewritten and by whom."""
    who = " and ".join(name for name in livelock.loops if name) or "the API server's clients"
    return f"{livelock.resource} {livelock.key} was written {livelock.writes} times within one virtual instant by {who}"
