"""Statuses alike, many in a row: what was made of one pod's status, filled in for each of the others.

In: pods with new statuses, from one user, with nobody else's requests in between. Out: each as stored, or the
StatusError of the pipeline. As ``alike.changed``, of which this is the quick way for statuses put together from
the same parts: it looks only at what every pod has of its own. What may not depend on the pod's name
(authorisation, admission) is asked once. Whatever is of no known form takes the pipeline.
"""

from __future__ import annotations

from functools import lru_cache
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from kctl.api import schema
from kctl.api.errors import StatusError
from kctl.api.forms import Form, form_of
from kctl.api.likeness import OF_ORDERED_SPECS, is_like
from kctl.api.objects import Key, Obj, dig
from kctl.api.patch import managed, shape
from kctl.api.patch.outline import Drawn, outline
from kctl.api.validation import formats
from kctl.apiserver import alike
from kctl.apiserver.update import deletable

if TYPE_CHECKING:
    from kctl.apiserver.request import Request
    from kctl.apiserver.server import APIServer

VARIANTS = 4
"""So many changes are tried of one owner's pods."""
AFTER = 2
"""A change is learned from the second write that takes the pipeline: what comes alone needs no form."""
Place = tuple[Any, str]


class Change(NamedTuple):
    """A written status: the forms of what was there and of what came, what was made of it, who owns what."""

    spec: Obj
    containers: dict[int, Any]
    """The containers of specs that are like that one, by identity."""
    is_ending: bool
    before: Form
    sent: Form
    made: Obj
    drawn: Drawn
    how: tuple[Any, ...]

    def is_of(self, obj: Obj, old: Obj) -> bool:
        """Say whether the write is this very change of another pod."""
        if not self.sent.fits(obj["status"]) or not self.before.fits(old["status"]):
            return False
        spec = old["spec"]
        containers = spec["containers"]
        if id(containers) not in self.containers:
            if not is_like(self.spec, spec, OF_ORDERED_SPECS):
                return False
            self.containers[id(containers)] = containers
        return self.may_be_of(obj, old)

    def may_be_of(self, obj: Obj, old: Obj) -> bool:
        """Say whether the write is this change, when it is known to be like one that was."""
        meta = old["metadata"]
        if self.is_ending != ("deletionTimestamp" in meta) or (self.is_ending and deletable(old)):
            return False
        address = obj["status"].get("podIP")
        return address is None or address is old["status"].get("podIP") or _is_address(address)


class Statuses:
    """Writes statuses of pods in their order. ``request`` says who writes, and how."""

    def __init__(self, server: APIServer, request: Request) -> None:
        self._server = server
        self._request = request._replace(verb="update", subresource="status")
        self._known: dict[Place, list[Change]] = {}
        self._missed: dict[Place, int] = {}
        self._likes: dict[int, tuple[object, Change]] = {}
        """What writes were that are said to be alike."""

    def update(self, obj: Obj, like: object = None) -> Obj:
        """Write the status of one pod; what is written with the same ``like`` is alike."""
        meta = obj["metadata"]
        namespace = meta.get("namespace") or ""
        key = Key(namespace, meta["name"])
        old = self._server.storage.get("pods", key)
        if old is None or not _is_status_alone(obj, old):
            return self._handled(obj, key)
        likely = self._likes.get(id(like))
        if likely is not None and likely[1].may_be_of(obj, old):
            found = self._written(likely[1], key, obj, old)
            if found is not None:
                return found
        owners = meta.get("ownerReferences")
        place = (owners[0]["uid"] if owners else id(old["spec"]["containers"]), namespace)
        for change in self._known.get(place, ()):
            if change.is_of(obj, old) and (made := self._written(change, key, obj, old)) is not None:
                if like is not None:
                    self._likes[id(like)] = like, change
                return made
        made = self._handled(obj, key)
        missed = self._missed[place] = self._missed.get(place, 0) + 1
        if missed >= AFTER and (learned := self._learned(obj, old, made)) is not None:
            known = self._known.setdefault(place, [])
            known.insert(0, learned)
            del known[VARIANTS:]
        return made

    def _handled(self, obj: Obj, key: Key) -> Obj:
        """Take the whole pipeline."""
        request = self._request._replace(namespace=key.namespace, name=key.name, body=obj)
        return cast("Obj", self._server.handle(request))

    def _written(self, change: Change, key: Key, obj: Obj, old: Obj) -> Obj | None:
        """Write a status; None when nobody is known to own anything of the pod."""
        meta, status, drawn = old["metadata"], obj["status"], change.drawn
        if drawn.addresses:
            element = alike.element_of(status)
            drawn = Drawn(drawn.steps, element, (element,))
        new = {**old, "status": change.sent.filled(change.made, status)}
        server, before = self._server, meta.get("managedFields")
        entries = server.ownership.updated(before, before, drawn, change.how, lambda: self._owners(old, new))
        if not entries or not before:
            return None
        changed = {**meta, "managedFields": entries}
        if next(reversed(meta)) != "managedFields":
            del changed["managedFields"]
            changed["managedFields"] = entries
        new["metadata"] = changed
        return server.storage.put_changed("pods", key, new, old)

    def _owners(self, old: Obj, new: Obj) -> list[Obj] | None:
        """Work out who owns what after a write, as the pipeline does."""
        kind, now = self._request.kind, self._server.clock.now()
        manager = self._request.manager
        made = managed.updated(
            old, new, schema.of(kind), manager=manager, api_version=kind.api_version, now=now, subresource="status"
        )
        found: list[Obj] | None = made["metadata"].get("managedFields")
        return found

    def _learned(self, obj: Obj, old: Obj, made: Obj) -> Change | None:
        """Return what a write that has taken the pipeline tells of others; None when they may not go by it."""
        server, meta = self._server, old["metadata"]
        if made is old or not server.models.may_learn(server):
            return None
        if not alike.is_status_alone(obj, old) or not alike.is_only_status(old, made):
            return None
        before, sent = form_of(old["status"]), form_of(obj["status"])
        if before is None or sent is None or not before.differs(sent):
            return None
        if not _are_kept(sent, obj["status"], made["status"]):
            return None
        request = self._request._replace(namespace=meta.get("namespace") or "", name=meta["name"], body=obj)
        if not self._is_allowed(request, made, old):
            return None
        kind = request.kind
        drawn = outline(shape.of(schema.of(kind)), old, {**old, "status": obj["status"]})
        if drawn is None or (drawn.addresses and drawn.addresses != (alike.element_of(obj["status"]),)):
            return None
        how = managed.how_of(
            made, manager=request.manager, api_version=kind.api_version, now=server.clock.now(), subresource="status"
        )
        spec, is_ending = old["spec"], "deletionTimestamp" in meta
        containers = {id(spec["containers"]): spec["containers"]}
        return Change(spec, containers, is_ending, before, sent, made["status"], drawn, how)

    def _is_allowed(self, request: Request, made: Obj, old: Obj) -> bool:
        """Say whether the user may do this whatever the name, and admission has no word in it."""
        server = self._server
        try:
            server.authorize(request._replace(name=""))
            if server.admission.mutate(request, made, old) is not made:
                return False
            server.admission.validate(request, made, old)
        except StatusError:
            return False  # each is refused by itself
        return True


def _is_status_alone(obj: Obj, old: Obj) -> bool:
    """Say whether the body is the very object, with another status."""
    if "status" not in old or list(obj) != list(old) or obj["status"] is old["status"]:
        return False
    return list(map(is_, obj.values(), old.values())).count(False) == 1


def _are_kept(sent: Form, before: Obj, after: Obj) -> bool:
    """Say whether the pipeline has left alone what each pod has of its own."""
    if any(before[one] != after.get(one) or before[many] != after.get(many) for one, many in sent.addresses):
        return False
    for runs in sent.runs:
        name = runs.name
        if len(before[name]) != len(after.get(name) or ()):
            return False
        for run, was, now in zip(runs.runs, before[name], after[name], strict=True):
            if run.has_id and was["containerID"] != now.get("containerID"):
                return False
            if run.mounts and was["volumeMounts"] != now.get("volumeMounts"):
                return False
            if run.ended is not None and _ended_id(was) != _ended_id(now):
                return False
    return True


def _ended_id(one: Obj) -> Any:
    return dig(one, "state", "terminated", "containerID")


@lru_cache(maxsize=4096)
def _is_address(text: str) -> bool:
    return not formats.ip(text)
