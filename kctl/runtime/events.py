"""The event recorder: Events about objects, correlated as client-go's EventCorrelator does.

In: what to record, and the Events there are. Out: one Event more, one counted on, or nothing.

* An equal event (type, reason, message, part of the object) is counted instead of repeated.
* From the tenth message of one type and reason on, as long as no more than 600 s lie between two
  of them, further messages share one Event, "(combined from similar events): ...".
* One source may write 25 times about one object, then once in 300 s more.

Nothing is remembered: the Events of one source about one object are named by number, so they are
found with keyed reads, and everything derives from them. What upstream counts without writing
(what its spam filter held back) is therefore not counted here. Events with an ``action`` come
from the newer recorder (events.k8s.io), which neither combines nor holds back; they are written
in the older form all the same. An Event that cannot be written never fails the one who wanted it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import takewhile
from typing import NamedTuple

from kctl.api import recorded
from kctl.api.clock import parse_time, rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.api.recorded import Form, Own
from kctl.client.client import Client
from kctl.runtime.actions import Emit

SIMILAR = 10
"""So many messages of one kind, and they are combined (defaultAggregateMaxEvents)."""
INTERVAL = 600.0
"""After so long without one of its kind a message counts as the first (defaultAggregateIntervalInSeconds)."""
BURST = 25
"""So many events a source may send about an object at once (defaultSpamBurst)."""
REFILL = 300.0
"""Seconds until it may send one more (defaultSpamQPS)."""
COMBINED = "(combined from similar events): "
MAX_NOTE = 1024
"""The newer recorder cuts a longer message to this many characters, the last four being " ..."."""


class Seen(NamedTuple):
    """What is looked at of an Event that is there."""

    type: str
    reason: str
    message: str
    field_path: str
    times: int
    first: str
    last: str

    @classmethod
    def of(cls, event: Obj) -> Seen:
        """Return what an Event says."""
        get = event.get
        path = event["involvedObject"].get("fieldPath", "")
        first, last = get("firstTimestamp") or "", get("lastTimestamp") or ""
        return cls(get("type", ""), get("reason", ""), get("message", ""), path, get("count", 1), first, last)


class Recorder:
    """Records the events of one component at one instant; what it has read it reads once."""

    def __init__(self, client: Client, *, now: float, component: str) -> None:
        self._client = client
        self._now = now
        self._at = rfc3339(now)
        self._component = component
        self._known: dict[Key, list[Seen]] = {}
        self._free: dict[Key, int] = {}
        """The last number up from which no Event had one when they were read."""
        self._silenced: set[Key] = set()
        self._bases: dict[tuple[str | None, ...], Key] = {}
        self._forms: dict[tuple[str | None, ...], Form] = {}
        self._new: list[tuple[Key, Emit, recorded.Recorded]] = []
        """Events that are yet to be written, each with its base and what asked for it."""

    def record(self, event: Emit) -> None:
        """Record the event: a new Event, a count in one that is there, or nothing."""
        self.record_all((event,))

    def record_all(self, events: Sequence[Emit]) -> None:
        """Record events in their order; new ones are written together."""
        based = [(base, event) for event in events if (base := self._base(event)) not in self._silenced]
        with suppress(StatusError):  # as upstream: events are best effort (a terminating namespace takes none)
            self._read(Counter(base for base, _ in based))
            for base, event in based:
                self._record(base, event)
            self._flush()

    def _base(self, event: Emit) -> Key:
        about = event.regarding
        meta = about["metadata"]
        identity = (about["kind"], meta.get("namespace"), meta["name"], meta.get("uid"), event.host)
        base = self._bases.get(identity)
        if base is None:
            base = self._bases[identity] = name_base(event, self._component)
        return base

    def _read(self, bases: Mapping[Key, int]) -> None:
        """Read the Events of this source about objects, in the order they were first recorded.

        Of each object is known how many may be added: their names are looked at, too.
        """
        known = self._known
        asked = [base for base in bases if base not in known]
        known.update((base, []) for base in asked)
        several = [base for base in asked if bases[base] > 1]
        most = 1
        while asked:
            keys = [_numbered(base, len(known[base]) + n) for base in asked for n in range(most)]
            try:
                found = self._client.find_many("events", keys)
            except StatusError:
                for base in asked:
                    del known[base]
                raise
            more = []
            for at, base in enumerate(asked):
                there = [Seen.of(seen) for seen in takewhile(bool, found[at * most : (at + 1) * most]) if seen]
                known[base] += there
                if len(there) == most:
                    more.append(base)
                else:
                    self._free[base] = len(known[base])
            asked, most = more, most * 2  # who has some has many: few requests find them all
        self._look_ahead(several, bases)

    def _look_ahead(self, several: Sequence[Key], bases: Mapping[Key, int]) -> None:
        """See how many numbers behind the first free one are free as well."""
        free = self._free
        places = [(base, free[base] + n) for base in several for n in range(1, min(bases[base], BURST))]
        if places:
            found = self._client.find_many("events", [_numbered(base, number) for base, number in places])
            for (base, number), seen in zip(places, found, strict=True):
                if seen is None and free[base] == number - 1:
                    free[base] = number

    def _record(self, base: Key, event: Emit) -> None:
        if base in self._silenced:
            return
        known = self._known.get(base)
        if known is None:
            self._read({base: 1})
            known = self._known[base]
        if known and not event.action and not may_send(known, self._now):
            self._silenced.add(base)
            return
        message = event.message
        if event.action and len(message) > MAX_NOTE:
            message = message[: MAX_NOTE - 4] + " ..."
        number = 0
        if known:
            number, message = correlate(known, event, message, self._now)
        if number < len(known):
            if not event.once:
                self._count(base, number, message)
            return
        if self._free[base] < number and self._client.find_many("events", (_numbered(base, number),))[0] is not None:
            self._flush()  # somebody has deleted an Event before this one: those behind it are found now
            self._known.pop(base, None)
            self._record(base, event)
            return
        known.append(Seen(event.type, event.reason, message, event.field_path, 1, self._at, self._at))
        self._new.append((base, event, self._recorded(event, f"{base.name}{number:04x}", message)))

    def _recorded(self, event: Emit, name: str, message: str) -> recorded.Recorded:
        """Return the Event to be created; those alike have the very same form."""
        about = event.regarding
        meta = about["metadata"]
        key = (about["kind"], about["apiVersion"], meta.get("namespace"), event.reason, event.type, event.action)
        form = self._forms.get(key)
        if form is None:
            form = self._forms[key] = form_of(event, at=self._at, component=self._component)
        return form, own_of(event, name, message)

    def _count(self, base: Key, number: int, message: str) -> None:
        """Count an event in an Event that is there."""
        self._flush()
        known = self._known.get(base) or ()
        if number >= len(known):
            return  # what was to be counted in could not be written
        seen = known[number]
        change = {"count": seen.times + 1, "lastTimestamp": self._at}
        if message != seen.message:
            change["message"] = message
        with suppress(StatusError):
            self._known[base][number] = Seen.of(self._client.patch("events", _numbered(base, number), change))

    def _flush(self, *, is_first: bool = True) -> None:
        """Write the new Events; one whose name was taken is recorded anew, once, on what is there.

        That happens when somebody has deleted an Event among those of its source.
        """
        new, self._new = self._new, []
        if not new:
            return
        outcomes = self._client.record([made for _, _, made in new])
        refused = [(one, error) for one, error in zip(new, outcomes, strict=True) if error is not None]
        for (base, _, _), _ in refused:
            self._known.pop(base, None)
        taken = [one for one, error in refused if error.reason == "AlreadyExists"]
        if taken and is_first:
            self._read(Counter(base for base, _, _ in taken))
            for base, event, _ in taken:
                self._record(base, event)
            self._flush(is_first=False)


def correlate(known: Sequence[Seen], event: Emit, message: str, now: float) -> tuple[int, str]:
    """Return the number of the Event to write and its message; a number beyond ``known`` is a new one.

    As EventAggregate, where of ten messages one at random is forgotten again: here the newest.
    """
    type_, reason = event.type, event.reason
    alike = [n for n, seen in enumerate(known) if seen.reason == reason and seen.type == type_]
    if not alike:
        return len(known), message
    current = set() if event.action else messages_since_pause([known[n] for n in alike], now)
    if message not in current and len(current) >= SIMILAR - 1:
        combined = (n for n in alike if known[n].message.startswith(COMBINED))
        return next(combined, len(known)), COMBINED + message
    for n in alike:
        if known[n].message == message and known[n].field_path == event.field_path:
            return n, message
    return len(known), message


def messages_since_pause(events: Sequence[Seen], now: float) -> set[str]:
    """Return the messages, not the combined ones, since the last pause longer than the interval."""
    since = now - INTERVAL
    latest = sorted(((_time(event.last), event) for event in events), key=lambda pair: -pair[0])
    current = set()
    for at, event in latest:
        if at < since:
            break
        since = min(since, _time(event.first) - INTERVAL)
        if not event.message.startswith(COMBINED):
            current.add(event.message)
    return current


def may_send(known: Sequence[Seen], now: float) -> bool:
    """Say whether the source may write about the object once more, as EventSourceObjectSpamFilter.

    When each of an Event's repeats came is not recorded: they are taken to be evenly spread.
    """
    if sum([event.times for event in known]) < BURST:
        return True
    sent = sorted(at for event in known for at in _moments(event))
    left, last = float(BURST), sent[0]
    for at in sent:
        left = min(float(BURST), left + (at - last) / REFILL) - 1
        last = at
    return min(float(BURST), left + (now - last) / REFILL) >= 1


def _moments(event: Seen) -> list[float]:
    count = event.times
    first, last = _time(event.first), _time(event.last)
    return [first + (last - first) * n / max(count - 1, 1) for n in range(count)]


def _time(text: str) -> float:
    return parse_time(text) if text else 0.0


def name_base(event: Emit, component: str) -> Key:
    """Return the namespace and the common part of the names of the source's Events about the object."""
    about = event.regarding
    meta = about["metadata"]
    identity = "\0".join((about["kind"], str(meta.get("uid")), component, event.host))
    digest = blake2b(identity.encode(), digest_size=6).hexdigest()
    return Key(meta.get("namespace") or "default", f"{meta['name'][:200]}.{digest}")


def _numbered(base: Key, number: int) -> Key:
    return Key(base.namespace, f"{base.name}{number:04x}")


def form_of(event: Emit, *, at: str, component: str) -> Form:
    """Return what the event has in common with others of the component."""
    about = event.regarding
    namespace = about["metadata"].get("namespace") or ""
    place = (namespace or "default", about["kind"], about["apiVersion"], namespace)
    return Form(*place, event.reason, event.type, event.action, component, at)


def own_of(event: Emit, name: str, message: str) -> Own:
    """Return what the event has of its own."""
    meta = event.regarding["metadata"]
    get = meta.get
    return Own(
        name, meta["name"], get("uid") or "", get("resourceVersion") or "", event.field_path, message, event.host
    )
