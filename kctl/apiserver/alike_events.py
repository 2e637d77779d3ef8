"""Events alike, many at once: what one of them was found to be, filled in for each of the others.

In: bodies of Events that are created together. Out: the object each leaves behind, None for one that must take
the whole pipeline itself. As ``alike.created``, of which this is the quick way for the form in which components
record: the same fields, strings alone in those that differ. Admission is asked once: nothing but quotas, for
which this is not the way, tells such Events of a namespace apart.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api import names
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver import alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kctl.apiserver.request import Request
    from kctl.apiserver.server import APIServer

SAME = ("apiVersion", "kind", "reason", "firstTimestamp", "lastTimestamp", "count", "type", "reportingComponent")
OWN = ("message", "reportingInstance")
ABOUT = tuple(alike.ABOUT)
_same = itemgetter(*SAME)


class Form(NamedTuple):
    """A model, taken apart: what a body must have, and the object with nothing filled in."""

    body: Obj
    same: tuple[Any, ...]
    about: Obj
    about_same: tuple[Any, ...]
    component: str
    made: Obj
    meta: Obj


class Together:
    """Creates Events of one request, in their order, as long as each is like one before."""

    def __init__(self, server: APIServer, request: Request) -> None:
        self._server = server
        self._request = request
        self._forms: dict[str, list[Form]] = {}
        quotas = server.admission.in_namespace("resourcequotas", request.namespace)
        self._is_allowed = not quotas and server.models.may_learn(server)

    def create(self, bodies: Sequence[Obj], start: int) -> list[Obj]:
        """Create the Events from one on, up to the first that must take the whole pipeline; return those made."""
        made: list[Obj] = []
        forms, namespace = self._forms, self._request.namespace
        for body in bodies[start:] if self._is_allowed else ():
            reason = body.get("reason")
            known = forms.get(reason)  # type: ignore[arg-type]
            if known is None:
                known = forms[str(reason)] = self._found(body)
            obj = next((obj for form in known if (obj := _filled(form, body, namespace)) is not None), None)
            if obj is None or not self._store(obj):
                break
            made.append(obj)
        return made

    def learned(self, body: Obj) -> None:
        """Look at the models again: one more may be known since this body went through the pipeline."""
        self._forms.pop(str(body.get("reason")), None)

    def _found(self, body: Obj) -> list[Form]:
        """Return the models of a reason, as if of this instant, whose way is the quick one, and that admission lets pass."""
        server, request = self._server, self._request
        found = []
        for model in alike.of_moment(alike.news(server, request, body) or (), body, server.clock.now()):
            sent, made = model.body, model.made
            about = sent.get("involvedObject")
            if not isinstance(about, dict) or "action" in sent or not _is_plain(sent, made, about):
                continue
            try:
                if server.admission.mutate(request, made, None) is not made:
                    continue
                server.admission.validate(request, made, None)
            except StatusError:
                continue  # each is refused by itself
            fixed = tuple(sorted(about.keys() - set(ABOUT)))
            same = tuple(about[name] for name in fixed)
            component = sent["source"]["component"]
            found.append(Form(sent, _same(sent), about, (fixed, same), component, made, made["metadata"]))
        return found

    def _store(self, obj: Obj) -> bool:
        """Give the object its uid and store it; False when the name is taken."""
        server, resource, meta = self._server, self._request.kind.resource, obj["metadata"]
        key = Key(self._request.namespace, meta["name"])
        if server.storage.has(resource, key):
            return False
        meta["uid"] = names.uid(server.seed, resource, key.namespace, key.name, server.revision + 1)
        server.storage.put_fresh(resource, key, obj)
        return True


def _is_plain(sent: Obj, made: Obj, about: Obj) -> bool:
    """Say whether what each Event has of its own came out as it went in."""
    if any(name not in sent for name in SAME) or type(sent["count"]) is not int:
        return False
    source = sent.get("source")
    if not isinstance(source, dict) or not source.keys() <= {"component", "host"} or "component" not in source:
        return False
    parts = (made.get("involvedObject"), made.get("source"))
    return parts == (about, source) and all(made.get(name) == sent.get(name) for name in OWN)


def _filled(form: Form, body: Obj, namespace: str) -> Obj | None:
    """Return the object that becomes of a body, but for its uid; None when it is not of the form."""
    sent = form.body
    if body.keys() != sent.keys() or _same(body) != form.same or type(body["count"]) is not int:
        return None
    meta, about, source = body["metadata"], body["involvedObject"], body["source"]
    if meta.keys() != {"name", "namespace"} or meta["namespace"] != namespace or about.keys() != form.about.keys():
        return None
    fixed, same = form.about_same
    if tuple(about[name] for name in fixed) != same or not _are_texts(about.values()):
        return None
    if source.keys() != sent["source"].keys() or source["component"] != form.component:
        return None
    message, instance, name = body["message"], body["reportingInstance"], meta["name"]
    texts = (message, name, instance, source.get("host")) if instance or source.get("host") else (message, name)
    if not _are_texts(texts) or bool(instance) != bool(sent["reportingInstance"]):
        return None
    if "/" in name or "%" in name or name in (".", ".."):
        return None
    made = {**form.made, "involvedObject": about, "message": message, "source": source, "reportingInstance": instance}
    made["metadata"] = {**form.meta, "name": name}
    return made


def _are_texts(values: Iterable[Any]) -> bool:
    """Say whether all values are strings that are not empty."""
    return all(type(value) is str and value for value in values)
