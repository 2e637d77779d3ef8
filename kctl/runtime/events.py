"""The event recorder: Events about objects, the same one counted instead of repeated.

As client-go's EventCorrelator, with the aggregation key in the Event's name: one Event a
(object, component, type, reason, message), its count and lastTimestamp moved on by repeats.
An Event that cannot be written never fails the one who wanted it recorded.
"""

from __future__ import annotations

from hashlib import blake2b

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.client.client import Client
from kctl.runtime.actions import Emit

MAX_MESSAGE = 1024
"""Upstream cuts a longer message to this many characters, the last four being " ..."."""


def record(client: Client, event: Emit, *, now: float, component: str) -> None:
    """Record the event, or count the one that is there."""
    obj = event_object(event, now=now, component=component)
    meta = obj["metadata"]
    key = Key(meta["namespace"], meta["name"])
    try:
        try:
            seen = client.get("events", key.namespace, key.name)
        except StatusError as error:
            if error.reason != "NotFound":
                raise
            client.create("events", obj)
        else:
            change = {"count": seen.get("count", 1) + 1, "lastTimestamp": obj["lastTimestamp"]}
            client.patch("events", key, change)
    except StatusError:
        return  # as upstream: events are best effort (a terminating namespace takes none)


def event_object(event: Emit, *, now: float, component: str) -> Obj:
    """Return the v1 Event as the recorder first writes it."""
    regarding = event.regarding
    meta = regarding["metadata"]
    message = event.message
    if len(message) > MAX_MESSAGE:
        message = message[: MAX_MESSAGE - 4] + " ..."
    involved = {
        "kind": regarding["kind"],
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "apiVersion": regarding["apiVersion"],
        "resourceVersion": meta.get("resourceVersion"),
    }
    identity = "\0".join((str(meta.get("uid")), component, event.type, event.reason, message))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name'][:200]}.{blake2b(identity.encode(), digest_size=8).hexdigest()}",
            "namespace": meta.get("namespace") or "default",
        },
        "involvedObject": {name: value for name, value in involved.items() if value},
        "reason": event.reason,
        "message": message,
        "source": {"component": component},
        "firstTimestamp": rfc3339(now),
        "lastTimestamp": rfc3339(now),
        "count": 1,
        "type": event.type,
        **({"action": event.action} if event.action else {}),
        "reportingComponent": component,
        "reportingInstance": "",
    }
