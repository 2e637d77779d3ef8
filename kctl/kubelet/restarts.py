"""When a container that has ended is run again, and an image that could not be had is tried again.

In: a container's status. Out: the back-off. Kubelet keeps back-offs in memory;
here they are read off the status: how long the last run had waited for its turn says which step of
10 s, 20 s, 40 s ... 5 min it had, and in CrashLoopBackOff the message says it. A run longer than 10
minutes starts the ladder anew, as client-go's Backoff with twice its maximum. Whether it
is run again at all is in :mod:`kctl.kubelet.phase`.
"""

from __future__ import annotations

import re

from kctl.api import durations
from kctl.api.objects import Obj
from kctl.kubelet.containers import ended_at, last_ended, started_at, state_of, waiting_reason
from kctl.kubelet.images import duration

LADDER = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""Seconds between the end of a run and the start of the next, in order."""
LONGEST = LADDER[-1]
RESET = 2 * LONGEST
"""A run this long, and the next one is the first again."""
CRASH_LOOP = "CrashLoopBackOff"
BACK_OFF = re.compile(r"back-off (\S+) restarting")


def back_off(status: Obj, start_seconds: float) -> float:
    """Return how long after its last end the container is run again; ``start_seconds`` is a start."""
    if waiting_reason(status) == CRASH_LOOP:
        return _written(status)
    count = status.get("restartCount", 0)
    if not count or state_of(status) != "terminated":
        return 0.0
    begun, ended, before = started_at(status), ended_at(status), last_ended(status)
    if begun is None or ended is None or before is None:
        return LADDER[1]
    if ended - begun > RESET:
        return 0.0
    gap = begun - before - start_seconds
    step = max(number for number, seconds in enumerate(LADDER) if seconds <= max(gap, 0.0))
    return LADDER[min(step + 1, len(LADDER) - 1)]


def _written(status: Obj) -> float:
    message = str((((status.get("state") or {}).get("waiting")) or {}).get("message", ""))
    found = BACK_OFF.match(message)
    try:
        return durations.parse(found[1]) if found else LADDER[1]
    except ValueError:
        return LADDER[1]


def back_off_message(seconds: float, container: str, pod: Obj) -> str:
    """Return the message of a container that waits for its turn."""
    return f"back-off {_minutes(seconds)} restarting failed container={container} pod={full_name(pod)}"


def full_name(pod: Obj) -> str:
    """Return name, namespace and uid of a pod as kubelet writes them (format.Pod)."""
    meta = pod["metadata"]
    return f"{meta['name']}_{meta.get('namespace', '')}({meta.get('uid', '')})"


def _minutes(seconds: float) -> str:
    return duration(float(seconds))


def image_attempt(age: float) -> tuple[float, float]:
    """Return when the latest attempt to pull was and when the next is, in seconds after the first.

    Failed pulls are tried again after 10 s, 20 s, 40 s ... 5 min.
    """
    at, delay = 0.0, LADDER[1]
    while at + delay <= age:
        if delay == LONGEST:
            at += (age - at) // LONGEST * LONGEST
            break
        at += delay
        delay = min(delay * 2, LONGEST)
    return at, at + delay


def attempt_number(number: float) -> float:
    """Return when the ``number``-th attempt to pull is (0: the first), in seconds after the first."""
    at, delay = 0.0, LADDER[1]
    while number > 0:
        if delay == LONGEST:
            return at + number * LONGEST
        at, delay, number = at + delay, min(delay * 2, LONGEST), number - 1
    return at
