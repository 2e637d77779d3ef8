"""Events alike, many at once: what one of them was found to be, filled in for each of the others.

In: Events as components record them. Out: those that were created as objects of a cohort, in their order; the first
that is not must take the whole pipeline itself. As ``alike.created``, of which this is the quick way for the form in
which components record; a cohort holds at any moment. Admission is asked once a request: nothing in it tells such
Events of a namespace apart, and quotas do not count them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import names, recorded
from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.likeness import UNLIKE, fitted, is_moment
from kctl.api.objects import Key, Obj
from kctl.api.recorded import Form, Own, Recorded
from kctl.apiserver import alike
from kctl.apiserver.cohorts import Cohort
from kctl.apiserver.templates import Path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kctl.apiserver.request import Request
    from kctl.apiserver.server import APIServer

HOST = Own._fields.index("host")
AT, MADE, UID, REVISION = range(len(Own._fields), len(Own._fields) + 4)
"""The values of an Event behind its own: when it was told, and what the server gives it."""
GIVEN = (
    (("firstTimestamp",), AT),
    (("lastTimestamp",), AT),
    (("metadata", "creationTimestamp"), MADE),
    (("metadata", "uid"), UID),
    (("metadata", "resourceVersion"), REVISION),
)
KEPT = ("involvedObject", "source", "message", "reportingInstance", "firstTimestamp", "lastTimestamp")
MANY = 8
"""So many Events are worth a cohort."""


class Known:
    """What is known of Events of a form, at any moment: how many came, and their cohort once it was worth one."""

    __slots__ = ("cohort", "number")

    def __init__(self) -> None:
        self.number = 0
        self.cohort: Cohort | None = None


class Together:
    """Creates Events of one request, in their order, as long as each is like one before."""

    def __init__(self, server: APIServer, request: Request) -> None:
        self._server = server
        self._request = request
        self._now = server.clock.now()
        self._made_at = rfc3339(self._now)
        self._cohorts: dict[tuple[int, tuple[bool, ...]], Cohort | None] = {}
        self._is_allowed = server.models.may_learn(server)

    def create(self, events: Sequence[Recorded], start: int) -> int:
        """Create the Events from one on, up to the first that must take the whole pipeline; return how many."""
        if not self._is_allowed:
            return 0
        server, namespace = self._server, self._request.namespace
        storage, resource = server.storage, self._request.kind.resource
        taken, put = storage.objects(resource), storage.put_filled
        cohorts, uid_of, made_at = self._cohorts, names.uid_of, self._made_at
        stem = "\0".join((str(server.seed), resource, namespace, ""))
        n = start
        for n in range(start, len(events)):
            form, own = events[n]
            place = (id(form), _present(own))
            cohort = cohorts.get(place)
            if cohort is None:
                if place in cohorts:
                    return n - start
                cohort = cohorts[place] = self._found(form, own, len(events) - n)
                if cohort is None:
                    return n - start
            name = own[0]
            key = Key(namespace, name)
            if key in taken or not _is_name(name):
                return n - start
            put(key, cohort, (*own, form.at, made_at, uid_of(f"{stem}{name}\0{storage.revision + 1}")))
        return len(events) - start

    def learned(self, event: Recorded) -> None:
        """Look at the models again: one more may be known since this Event went through the pipeline."""
        form, own = event
        self._cohorts.pop((id(form), _present(own)), None)

    def _found(self, form: Form, own: Own, number: int) -> Cohort | None:
        """Return the cohort of an Event that admission lets pass; it is made once there are enough of the form."""
        if not is_moment(form.at):
            return None
        known = self._known(form, own)
        known.number += number
        if known.cohort is None and known.number >= MANY:
            known.cohort = self._of_model(form, own)
        cohort = known.cohort
        if cohort is None or not self._is_admitted(cohort.make((*own, form.at, self._made_at, "", ""))):
            return None
        return cohort

    def _known(self, form: Form, own: Own) -> Known:
        """Return what is known of the Events that are like one."""
        request = self._request
        asked = (request.kind.api_version, request.manager, request.options.field_validation)
        found = self._server.models.lasting(("cohort", *asked, form._replace(at=""), _present(own)))
        if not found:
            found.append(Known())
        known: Known = found[0]
        return known

    def _of_model(self, form: Form, own: Own) -> Cohort | None:
        """Return the cohort of what would become of an Event; None when no model tells."""
        body = recorded.event(form, own)
        for model in alike.of_moment(alike.news(self._server, self._request, body) or (), body, self._now):
            made = fitted(*model, body, alike.OF_EVENTS)
            if made is not UNLIKE and _is_plain(body, made) and all("time" in one for one in _owners(made)):
                frozen = self._server.storage.is_frozen
                return Cohort.of(self._request.kind.resource, made, _paths(made, own), frozen=frozen)
        return None

    def _is_admitted(self, made: Obj) -> bool:
        """Say whether admission lets an Event pass as it is."""
        admission, request = self._server.admission, self._request
        try:
            if admission.mutate(request, made, None) is not made:
                return False
            admission.validate(request, made, None)
        except StatusError:
            return False  # each is refused by itself
        return True


def _paths(made: Obj, own: Own) -> list[tuple[Path, int]]:
    """Return where an Event's own values stand, and which."""
    paths: list[tuple[Path, int]] = [(path, n) for n, path in enumerate(recorded.PLACES) if own[n]]
    if own.host:
        paths.append((("reportingInstance",), HOST))
    paths += [(("metadata", "managedFields", n, "time"), MADE) for n in range(len(_owners(made)))]
    return [*paths, *GIVEN]


def _owners(made: Obj) -> Sequence[Obj]:
    """Return the entries of managedFields."""
    return made["metadata"].get("managedFields") or ()


def _present(own: Own) -> tuple[bool, ...]:
    """Say of each value of an Event whether there is one."""
    return tuple(map(bool, own))


def _is_name(name: str) -> bool:
    """Say whether a name can stand in a path."""
    return not ("/" in name or "%" in name or name in (".", ".."))


def _is_plain(body: Obj, made: Obj) -> bool:
    """Say whether what each Event has of its own came out as it went in."""
    if any(made.get(name) != body[name] for name in KEPT):
        return False
    return bool(made["metadata"].get("name") == body["metadata"]["name"])
