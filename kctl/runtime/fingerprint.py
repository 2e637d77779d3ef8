"""Does the whole state come back to what it was? An incremental, order-free hash answers.

In: every change. Out: the cycle, once a state was seen before with the same timers ahead of it. What moves without
meaning (resourceVersion, timestamps, counters, uids, generated names) is left out, so that a controller that deletes
and creates the same pod for ever is seen as a cycle. So is what schedules make: a CronJob's Jobs come and go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import blake2b
from itertools import pairwise
from typing import Any, NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Key, Obj, controller_of, controller_uid, key_of
from kctl.client.client import WatchEvent

VOLATILE = frozenset(
    {
        "resourceVersion",
        "managedFields",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "lastTransitionTime",
        "lastUpdateTime",
        "lastProbeTime",
        "lastHeartbeatTime",
        "startTime",
        "startedAt",
        "finishedAt",
        "restartCount",
        "containerID",
        "podIP",
        "podIPs",
        "observedGeneration",
        "generation",
    }
)
IGNORED = frozenset({"events", "leases.coordination.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"})
"""What says nothing that other objects do not: tales, and lists of the pods that there are."""
MEANINGFUL = ("labels", "finalizers", "ownerReferences")
"""Metadata whose change is more than bookkeeping."""
ENDING = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5}|\d{8})(?![\w-])")
"""Generated endings of names, the minute in the name of a CronJob's Job."""
IN_UID, UID = "-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-", "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
IN_TIME, TIME = r"-\d\d-\d\dT\d\d:", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
PASSING = tuple((re.compile(part), re.compile(whole)) for part, whole in ((IN_UID, UID), (IN_TIME, TIME)))
"""Uids and times, each after a part of it: what begins with a dash is found many times faster."""
JOBS, CRONJOBS = "jobs.batch", "cronjobs.batch"
BITS = 1 << 64
MOST_SPECS = 1 << 16
"""So many specs are remembered as they are written."""
Texts = dict[int, tuple[Any, str]]
"""Values by identity, which are kept here, and how they are written."""


class Cycle(NamedTuple):
    """What goes round: since when, how long a turn takes, what changes but for statuses (``what``; "" if nothing)."""

    since: float
    period: float
    what: str
    schedules: bool = False
    """Whether Jobs of CronJobs came and went besides."""


RETURNS = 4
"""So often must a state have been come back to where the turns are not the same to the second."""
FIRINGS = 10
"""So many Jobs must schedules have made while nothing else moved: what they do does not end."""
VISITS = 16
"""So often at most is one turn at the same point."""
UNEVEN = 0.02
"""By so much may their lengths differ."""

Timers = frozenset[tuple[str, str, float]]


class Sight(NamedTuple):
    """When a state was seen, in which instant, what there was to wait for, and how many changes there had been."""

    at: float
    instant: int
    timers: Timers
    changes: int


class Change(NamedTuple):
    """One change that is more than one of a status: what became of what, by whom."""

    what: str
    verb: str
    who: str


class Fingerprint:
    """The sum of the hashes of everything that changed since it was made.

    ``who`` says whose turn it is; ``timers`` returns what there is to wait for: who, about what, until when.
    """

    def __init__(self, now: float, timers: Callable[[], Timers], who: Callable[[], str]) -> None:
        self._sum = 0
        self._timers = timers
        self._who = who
        self._turns: list[tuple[int, float]] = [(0, now)]
        """The state at the end of each instant, and when that was."""
        self._seen: dict[int, dict[Timers, list[Sight]]] = {0: {}}
        """By state, and by timers as seconds from then: when both were seen."""
        self._returns: dict[int, list[Sight]] = {}
        """By state: when it was come back to."""
        self._changes: list[Change] = []
        self._changed = 0
        self._fired = self._had_fired = 0
        """How many Jobs schedules have made, and how many when an instant last ended."""
        self._idle = now, 0
        """Since when, and how many Jobs ago, nothing has moved nor is waited for but what schedules make."""
        self._hashes: dict[tuple[str, Key], tuple[Obj, int]] = {}
        self._specs: Texts = {}
        self._only_grows = True
        """Whether nothing has gone or been respecified yet: then no state before the last growth comes back."""
        self._grew = False
        self._aside: list[tuple[WatchEvent, str]] = []
        """What has changed in this instant and who did it; it is hashed only if a state can come back."""
        self.hashed = 0
        """How many changes were hashed; tests hold it against how many there were."""

    def see(self, event: WatchEvent) -> None:
        """Take one change in."""
        if event.resource in IGNORED:
            return
        if _is_scheduled(event):
            self._fired += event.resource == JOBS and event.type == "ADDED"
            return
        if self._only_grows:
            growth = growth_of(event)
            self._aside.append((event, self._who()))
            self._grew = self._grew or growth > 0
            if growth >= 0:
                return
            self._only_grows = False
            self._catch_up()
        else:
            self._take(event, self._who())

    def _catch_up(self) -> None:
        aside, self._aside = self._aside, []
        for event, who in aside:
            self._take(event, who)

    def _begin_anew(self, now: float) -> None:
        """Forget the states there were: what has grown since is in none of them."""
        self._aside.clear()
        self._hashes.clear()
        self._returns.clear()
        self._sum = 0
        self._turns = [(0, now)]
        self._seen = {0: {}}
        self._changed = len(self._changes)
        self._grew = False

    def _take(self, event: WatchEvent, who: str) -> None:
        self.hashed += 1
        new = None if event.type == "DELETED" else event.object
        place = (event.resource, key_of(event.object))
        if len(self._specs) > MOST_SPECS:
            self._specs.clear()
        if event.old is not None:
            known = self._hashes.pop(place, None)
            if known is None or known[0] is not event.old:
                known = event.old, hash_of(event.resource, event.old, self._specs)
            self._sum = (self._sum - known[1]) % BITS
        if new is not None:
            after = hash_of(event.resource, new, self._specs)
            self._hashes[place] = (new, after)
            self._sum = (self._sum + after) % BITS
        verb = verb_of(event)
        if verb:
            name = normal("/".join(part for part in key_of(event.object) if part))
            self._changes.append(Change(f"{event.resource} {name}", verb, who))

    def repeats(self, now: float) -> Cycle | None:
        """Return what is going round when the last two turns were the same, with the same to come.

        What is to come is only looked at when a state is seen for the second time. As long as nothing moves at all,
        nothing comes back: who looks at the clock may remember since when.
        """
        if self._only_grows and self._grew:
            self._begin_anew(now)
            return None
        self._catch_up()
        is_return = self._sum != self._turns[-1][0]
        fires = self._had_fired != self._fired
        has_changed = self._changed != len(self._changes) or fires
        if is_return or self._changed != len(self._changes):
            self._idle = now, self._fired
        self._had_fired = self._fired
        self._turns.append((self._sum, now))
        self._changed = len(self._changes)
        known = self._seen.get(self._sum)
        if known is None:
            self._seen[self._sum] = {}
            return None
        if not (is_return or has_changed):
            return None
        sight = Sight(now, len(self._turns) - 1, self._timers(), self._changed)
        if sight.timers:
            self._idle = now, self._fired
        elif fires and self._fired - self._idle[1] >= FIRINGS:
            since, fired = self._idle
            return Cycle(since, (now - since) / (self._fired - fired), "", True)
        ahead = frozenset((loop, name, round(at - now, 3)) for loop, name, at in sight.timers)
        earlier = known.setdefault(ahead, [])
        earlier.append(sight)
        for before in earlier[-2 : -VISITS - 2 : -1]:
            if self._are_alike(before.instant, sight.instant):
                return Cycle(before.at, now - before.at, told(self._changes[before.changes :]), self._fired > 0)
        return self._comes_round(sight) if is_return else None

    def _are_alike(self, before: int, here: int) -> bool:
        """Say whether the turn between two instants was as the one before it."""
        length = here - before
        if before < length:
            return False
        states, times = zip(*self._turns[before - length : here + 1], strict=True)
        waits = [round(b - a, 3) for a, b in pairwise(times)]
        return states[: length + 1] == states[length:] and waits[:length] == waits[length:]

    def _comes_round(self, sight: Sight) -> Cycle | None:
        """Return a cycle of statuses alone whose turns are not the same to the second.

        Cycles of different lengths beside each other are never all at the same point. Nothing new is to come when
        all that was waited for at the last return has come and is waited for anew, and the turns get no longer.
        """
        returns = self._returns.setdefault(self._sum, [])
        returns.append(sight)
        if len(returns) < RETURNS or returns[-RETURNS].changes != sight.changes:
            return None
        times = [each.at for each in returns[-RETURNS:]]
        waits = [b - a for a, b in pairwise(times)]
        if max(waits) - min(waits) > UNEVEN * max(waits) or returns[-2].timers & sight.timers:
            return None
        return Cycle(returns[-2].at, waits[-1], "", self._fired > 0)


def told(changes: list[Change]) -> str:
    """Say in words what changes in a cycle: the three things it happens to most often."""
    counts: dict[str, int] = {}
    done: dict[str, dict[str, set[str]]] = {}
    for what, verb, who in changes:
        counts[what] = counts.get(what, 0) + 1
        done.setdefault(what, {}).setdefault(verb, set()).add(who or "a client")
    most = sorted(counts, key=lambda what: (-counts[what], what))[:3]
    deeds = [(what, [f"{verb} by {' and '.join(sorted(done[what][verb]))}" for verb in done[what]]) for what in most]
    return "; ".join(f"{what} is {', '.join(verbs)}" for what, verbs in deeds)


def normal(text: str) -> str:
    """Return a text or a name without what is different every time."""
    text = ENDING.sub("-*", text)
    for part, whole in PASSING:
        if part.search(text):
            text = whole.sub("*", text)
    return text


def hash_of(resource: str, obj: Obj, specs: Texts | None = None) -> int:
    """Hash what of an object means something: its state but for what moves by itself.

    ``specs`` remembers how specs are written: they seldom change while the rest does.
    """
    key = key_of(obj)
    name = normal(controller_uid(obj) if obj["metadata"].get("generateName") else key.name)
    spec = obj.get("spec")
    known = specs.get(id(spec)) if specs is not None else None
    text = known[1] if known is not None else _text(spec)
    if specs is not None and known is None:
        specs[id(spec)] = spec, text
    left_out = ("spec", "status") if resource == CRONJOBS else ("spec",)
    rest = _text({name: value for name, value in obj.items() if name not in left_out})
    body = "\0".join((resource, normal(key.namespace), name, text, rest))
    return int.from_bytes(blake2b(body.encode(), digest_size=8).digest())


def _text(value: Any) -> str:
    return normal(json.dumps(_stable(value), sort_keys=True, separators=(",", ":")))


def _stable(value: Any) -> Any:
    """Return the value without what moves without meaning."""
    if isinstance(value, dict):
        named = bool((value.get("metadata") or {}).get("generateName")) if "metadata" in value else False
        out = {k: _stable(v) for k, v in value.items() if k not in VOLATILE}
        if named:
            out["metadata"] = {k: v for k, v in out["metadata"].items() if k != "name"}
        if "lastState" in value:
            out["runs"] = _runs(value)
        return out
    if isinstance(value, list):
        return [_stable(v) for v in value]
    return value


def _runs(container: Obj) -> list[float]:
    """Return how long a container ran and had waited before: its back-off is read off that."""
    runs = [run for state in ("state", "lastState") for run in (container.get(state) or {}).values()]
    times = [parse_time(run[field]) for run in runs for field in ("startedAt", "finishedAt") if run.get(field)]
    return [round(b - a) for a, b in pairwise(sorted(times))]


def growth_of(event: WatchEvent) -> int:
    """Return 1 for a change that adds an object or a field, 0 when only its status and bookkeeping moved, else -1."""
    old, new = event.old, event.object
    if event.type != "MODIFIED" or old is None:
        return -1 if event.type == "DELETED" else 1
    if not verb_of(event):
        return 0
    labels = new["metadata"].get("labels") or {}
    as_before = {
        **new,
        "spec": old.get("spec"),
        "metadata": {**new["metadata"], "labels": old["metadata"].get("labels")},
    }
    if verb_of(event._replace(object=as_before)):
        return -1
    is_more = _adds(old.get("spec"), new.get("spec")) and _adds(old["metadata"].get("labels") or {}, labels)
    return 1 if is_more else -1


def _adds(before: Any, after: Any) -> bool:
    """Say whether at most fields were added to a struct, and texts in them that mean something."""
    if before is after or before == after:
        return True
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    fields = after.keys() - before.keys()
    is_rest_same = all(name in after and after[name] == value for name, value in before.items())
    return is_rest_same and not fields & VOLATILE and all(isinstance(after[name], str) for name in fields)


def verb_of(event: WatchEvent) -> str:
    """Say what became of an object, "" when only its status and bookkeeping moved."""
    old, new = event.old, event.object
    if event.type != "MODIFIED" or old is None:
        return "deleted" if event.type == "DELETED" else "created"
    fields = (old.keys() | new.keys()) - {"metadata", "status"}
    before, after = old["metadata"], new["metadata"]
    is_changed = any(old.get(field) != new.get(field) for field in fields) or any(
        before.get(field) != after.get(field) for field in MEANINGFUL
    )
    return "changed" if is_changed else ""


def _is_scheduled(event: WatchEvent) -> bool:
    """Say whether the object is a Job that a CronJob made, or a pod of such a Job."""
    owner = controller_of(event.object)
    if owner is None:
        return False
    kind, name = str(owner["kind"]), str(owner["name"])
    return kind == "CronJob" or (kind == "Job" and normal(name) != name)
