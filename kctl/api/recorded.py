"""An Event as a component records it: what it shares with others like it, and what is its own.

In: a form and what is an Event's own. Out: the v1 Event to be created. Whoever records many at one instant
hands over the form once and the rest as texts. Not here: whether an Event is recorded at all.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj


class Form(NamedTuple):
    """What Events have in common that one component records about objects of a kind at an instant, for one reason."""

    namespace: str
    kind: str
    api_version: str
    about_namespace: str
    reason: str
    type: str
    action: str
    component: str
    at: str


class Own(NamedTuple):
    """What one Event has of its own: texts, "" for what there is none of."""

    name: str
    about: str
    uid: str
    resource_version: str
    field_path: str
    message: str
    host: str


Recorded = tuple[Form, Own]
"""One Event to be created."""
PLACES = (
    ("metadata", "name"),
    ("involvedObject", "name"),
    ("involvedObject", "uid"),
    ("involvedObject", "resourceVersion"),
    ("involvedObject", "fieldPath"),
    ("message",),
    ("source", "host"),
)
"""Where the fields of :class:`Own` stand in the Event; the host stands a second time in ``reportingInstance``."""


def event(form: Form, own: Own) -> Obj:
    """Return the v1 Event as the recorder first writes it."""
    involved = {
        "kind": form.kind,
        "namespace": form.about_namespace,
        "name": own.about,
        "uid": own.uid,
        "apiVersion": form.api_version,
        "resourceVersion": own.resource_version,
        "fieldPath": own.field_path,
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": own.name, "namespace": form.namespace},
        "involvedObject": {name: value for name, value in involved.items() if value},
        "reason": form.reason,
        "message": own.message,
        "source": {"component": form.component, **({"host": own.host} if own.host else {})},
        "firstTimestamp": form.at,
        "lastTimestamp": form.at,
        "count": 1,
        "type": form.type,
        **({"action": form.action} if form.action else {}),
        "reportingComponent": form.component,
        "reportingInstance": own.host,
    }
