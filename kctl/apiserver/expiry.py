"""Events are forgotten an hour after they were last written, as kube-apiserver's ``--event-ttl`` has it.

In: a server. Out: its Events without those whose time has come, as writes of the run that ends. What still stands,
and upstream says again and again, is kept: here it is said once.
Which is the oldest is noted beside the log, so that few runs look at Events at all: one that finds some
minutes' worth expired. A note that is lost costs a look.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from kctl.api.clock import parse_time
from kctl.api.objects import Obj

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

TTL = 3600.0
LATE = 600.0
"""So much later some may go: looking at all for the sake of one would make each run pay for an hour of Events."""
EVENTS = "events"
NOTE = "oldest-event"
TIMES = ("lastTimestamp", "eventTime", "firstTimestamp")


def expire(server: APIServer, standing: Collection[str] = ()) -> None:
    """Remove the Events that nobody has written for an hour of virtual time and that do not tell what still stands.

    ``standing`` are the refusals that controllers have not overcome.
    """
    storage, now = server.storage, server.clock.now()
    noted = storage.store.hint(NOTE)
    oldest = _number(noted)
    if oldest is None:
        oldest = min((entry.now for entry in storage.store.entries()), default=now) if noted is None else 0.0
    if now - oldest < TTL + LATE:
        if noted is None:
            storage.store.set_hint(NOTE, repr(oldest).encode())
        return
    written = {key: _written(event) for key, event in storage.objects(EVENTS).items()}
    for key, last in sorted(written.items()):
        event = storage.objects(EVENTS)[key]
        if now - last >= TTL and not any(refusal in str(event.get("message")) for refusal in standing):
            storage.remove(EVENTS, key, event)
    left = min((last for last in written.values() if now - last < TTL), default=now)
    storage.store.set_hint(NOTE, repr(left).encode())


def _written(event: Obj) -> float:
    """Return when an Event was last written, as it says itself."""
    series = (event.get("series") or {}).get("lastObservedTime")
    texts = (series, *(event.get(name) for name in TIMES), event["metadata"].get("creationTimestamp"))
    return max((parse_time(text) for text in texts if text), default=0.0)


def _number(noted: bytes | None) -> float | None:
    try:
        return float(noted) if noted is not None else None
    except ValueError:
        return None
