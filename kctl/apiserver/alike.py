"""Writes alike: what was found out about one of them holds for the others.

In: a request. Out: the object it leaves behind, when one alike has just gone through the whole
pipeline; None when it must go through itself. Two writes are alike when nothing is different but
strings in the fields of :data:`OF_EVENTS` and its like, which no rule judges
beyond what is looked at here. What depends
on the state of the server is asked of every single write: existence, preconditions, admission.
Only requests that add up in numbers are here: Events, and the statuses of pods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api import names, schema
from kctl.api.clock import rfc3339
from kctl.api.likeness import (
    OF_ORDERED_SPECS,
    OF_STATUSES,
    OF_STATUSES_AT_ANY_TIME,
    UNLIKE,
    Free,
    fitted,
    is_like,
    is_moment,
)
from kctl.api.objects import Key, Obj
from kctl.api.patch import shape
from kctl.api.patch.outline import Drawn, outline
from kctl.api.validation import formats
from kctl.apiserver import rules
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kctl.apiserver.server import APIServer
    from kctl.apiserver.steps import Event

ABOUT: Free = dict.fromkeys(("name", "uid", "resourceVersion", "fieldPath"))
OF_EVENTS: Free = {
    "metadata": {"name": None},
    "involvedObject": ABOUT,
    "message": None,
    "source": {"host": None},
    "reportingInstance": None,
}
"""What differs between Events alike."""
TOLD_AT = ("firstTimestamp", "lastTimestamp")
"""What besides differs between Events of different moments."""
WRITTEN = frozenset(("resourceVersion", "managedFields"))
"""Metadata that every write changes."""
VARIANTS = 4
"""So many models are kept of what is keyed alike; the last one that served is tried first."""
JUDGES = (
    "serviceaccounts",
    "limitranges",
    "priorityclasses.scheduling.k8s.io",
    "runtimeclasses.node.k8s.io",
)
"""What plugins go by when they judge new pods."""
LASTING = 4096
"""So many places have models that hold at any time, before all are forgotten."""


class New(NamedTuple):
    """A created object, and the body it came from."""

    body: Obj
    made: Obj


class Change(NamedTuple):
    """A written status: what was there, what came, what was made of it, and the outline of the change."""

    old: Obj
    sent: Obj
    status: Obj
    drawn: Drawn


class Models:
    """The writes that others may be like."""

    def __init__(self) -> None:
        self._lasting: dict[tuple[Any, ...], list[Any]] = {}
        self._follows = False

    def lasting(self, key: tuple[Any, ...]) -> list[Any]:
        """Return the models under a key."""
        found = self._lasting.get(key)
        if found is None:
            if len(self._lasting) >= LASTING:
                self._lasting.clear()
            found = self._lasting[key] = []
        return found

    def may_learn(self, server: APIServer) -> bool:
        """Say whether writes alike are judged alike; what was learned is forgotten when that is so no more."""
        if server.admission.is_particular:
            return False
        if not self._follows:
            from kctl.apiserver.admission import PARTICULAR

            for resource in (*PARTICULAR, *JUDGES):
                server.storage.subscribe(resource, self._forget)
            self._follows = True
        return True

    def _forget(self, _: Event) -> None:
        self._lasting.clear()


def keep(models: list[Any], model: Any) -> None:
    """Put a model in front of the others."""
    if model in models[:1]:
        return
    models.insert(0, model)
    del models[VARIANTS:]


# -- creating


def created(server: APIServer, request: Request) -> Obj | None:
    """Create an Event that is like another; None when there is none."""
    body: Obj = request.body
    found = of_moment(news(server, request, body) or (), body, server.clock.now())
    made = next((made for model in found if (made := fitted(*model, body, OF_EVENTS)) is not UNLIKE), None)
    if made is None:
        return None
    key = Key(request.namespace, body["metadata"]["name"])
    resource = request.kind.resource
    if "/" in key.name or "%" in key.name or key.name in (".", "..") or server.storage.get(resource, key) is not None:
        return None
    uid = names.uid(server.seed, resource, key.namespace, key.name, server.revision + 1)
    obj = {**made, "metadata": {**made["metadata"], "uid": uid}}
    if server.admission.mutate(request, obj, None) is not obj:
        return None
    server.admission.validate(request, obj, None)
    return server.storage.put(resource, key, obj)


def learn_created(server: APIServer, request: Request, made: Obj) -> None:
    """Remember a created object as a model."""
    body: Obj = request.body
    meta = body["metadata"]
    if not server.models.may_learn(server):
        return
    if body.get("eventTime") or meta.keys() - {"name", "namespace"} or not meta.get("name"):
        return
    if server.registry.storage(request.kind.resource).api_version == request.kind.api_version:
        found = news(server, request, body)
        if found is not None:
            keep(found, New(body, made))


def news(server: APIServer, request: Request, body: Any) -> list[New] | None:
    """Return the models a body may be like; None where there are to be none."""
    options = request.options
    if options.dry_run or not isinstance(body, dict) or request.repeats is not None:
        return None
    reason = body.get("reason")
    if not isinstance(reason, str) or not isinstance(body.get("metadata"), dict):
        return None
    kind = request.kind
    key = (kind.resource, kind.api_version, request.namespace, request.manager, options.field_validation, reason)
    return server.models.lasting(key)


def of_moment(models: Iterable[New], body: Obj, now: float) -> list[New]:
    """Return the models as they would be had they been made now, at the times that a body tells of."""
    made_at = rfc3339(now)
    return [found for model in models if (found := _renewed(model, body, made_at)) is not None]


def _renewed(model: New, body: Obj, made_at: str) -> New | None:
    """Return a model as of another moment; times of another form are judged for themselves."""
    sent, made = model
    meta = made["metadata"]
    told = {name: body.get(name) for name in TOLD_AT}
    if meta.get("creationTimestamp") == made_at and all(sent.get(name) == at for name, at in told.items()):
        return model
    for name, at in told.items():
        if made.get(name) != sent.get(name) or not all(
            type(one) is str and is_moment(one) for one in (at, sent.get(name))
        ):
            return None
    if "managedFields" in meta:
        meta = {**meta, "managedFields": [{**entry, "time": made_at} for entry in meta["managedFields"]]}
    return New({**sent, **told}, {**made, **told, "metadata": {**meta, "creationTimestamp": made_at}})


# -- writing a status


def changed(server: APIServer, request: Request, old: Obj) -> Obj | None:
    """Write a pod's status in the way of another like it; None when there is none."""
    body: Obj = request.body
    found = _changes(server, request, old)
    if found is None or not is_status_alone(body, old):
        return None
    of_template, of_owner = found
    fitting = _first_fitting(of_template, body, old)
    is_known = fitting is not None
    if fitting is None:
        others = [model for model in of_owner if is_like(model.old["spec"], old["spec"], OF_ORDERED_SPECS)]
        fitting = _first_fitting(others, body, old)
    if fitting is None:
        return None
    model, status = fitting
    if not is_known:
        keep(of_template, model._replace(old=old, sent=body["status"], status=status))
    drawn = model.drawn
    if drawn.addresses:
        address = element_of(status)
        drawn = Drawn(drawn.steps, address, (address,))
    obj = {**old, "status": status}
    now, memo = server.clock.now(), server.ownership
    by = request.manager
    obj = rules.owned(request.kind, obj, old, manager=by, now=now, subresource="status", memo=memo, drawn=drawn)
    if server.admission.mutate(request, obj, old) is not obj:
        return None
    server.admission.validate(request, obj, old)
    key = Key(request.namespace, request.name)
    return server.storage.put("pods", key, obj)


def is_status_alone(body: Obj, old: Obj) -> bool:
    """Say whether the body is the object as it is, with another status and an address that is one."""
    if body.keys() != old.keys():
        return False
    for name, value in old.items():
        if body[name] is not value and name != "status":
            return False
    status, before = body["status"], old["status"]
    address = status.get("podIP")
    if address != before.get("podIP") and (not isinstance(address, str) or formats.ip(address)):
        return False
    return status.get("podIPs") == ([{"ip": address}] if address else None) and bool(status != before)


def _first_fitting(models: list[Change], body: Obj, old: Obj) -> tuple[Change, Obj] | None:
    """Return the first model that tells what the pipeline would make of the body's status, and what that is.

    First one of the same moment; of another it must have moved the same times.
    """
    for model in models:
        status = _fitting(model, body, old, OF_STATUSES)
        if status is not UNLIKE:
            return model, status
    moved: tuple[bool, ...] | None = None
    for model in models:
        status = _fitting(model, body, old, OF_STATUSES_AT_ANY_TIME)
        if status is UNLIKE:
            continue
        moved = moved or _moved(old["status"], body["status"])
        if moved == _moved(model.old["status"], model.sent):
            return model, status
    return None


def _fitting(model: Change, body: Obj, old: Obj, free: Free) -> Any:
    """Return what the pipeline would make of the body's status, UNLIKE when the model does not tell.

    Of the pod as it is only the status matters: the rest stays, and was found valid when it was written.
    """
    if not is_like(model.old["status"], old["status"], free):
        return UNLIKE
    return fitted(model.sent, model.status, body["status"], free)


def _moved(before: Obj, after: Obj) -> tuple[bool, ...]:
    """Say of each time in a status whether it is another than it was: who owns what depends on that."""
    since = {one.get("type"): one.get("lastTransitionTime") for one in before.get("conditions") or ()}
    out = [before.get("startTime") == after.get("startTime")]
    out += [since.get(one.get("type")) == one.get("lastTransitionTime") for one in after.get("conditions") or ()]
    for name in ("containerStatuses", "initContainerStatuses"):
        was = {one.get("name"): one.get("state") or {} for one in before.get(name) or ()}
        for one in after.get(name) or ():
            for kind, state in (one.get("state") or {}).items():
                old = was.get(one.get("name"), {}).get(kind) or {}
                out += [state.get(field) == old.get(field) for field in ("startedAt", "finishedAt")]
    return tuple(out)


def element_of(status: Obj) -> str:
    """Return the path element of the pod's address."""
    return 'k:{"ip":"' + str(status.get("podIP")) + '"}'


def learn_changed(server: APIServer, request: Request, old: Obj, made: Obj) -> None:
    """Remember a written status as a model if the pipeline left it as it came and changed nothing else."""
    found = _changes(server, request, old)
    if found is None or made is old or not is_status_alone(request.body, old) or not server.models.may_learn(server):
        return
    status = made["status"]
    if not is_only_status(old, made):
        return
    drawn = outline(shape.of(schema.of(request.kind)), old, {**old, "status": request.body["status"]})
    if drawn is not None and (not drawn.addresses or drawn.addresses == (element_of(status),)):
        for models in found:
            keep(models, Change(old, request.body["status"], status, drawn))


def is_only_status(old: Obj, made: Obj) -> bool:
    """Say whether a write has left all of the pod as it was but its status."""
    before, after = old["metadata"], made["metadata"]
    if made["spec"] is not old["spec"] or before.keys() != after.keys():
        return False
    return all(value == after[name] for name, value in before.items() if name not in WRITTEN)


def _changes(server: APIServer, request: Request, old: Obj) -> tuple[list[Change], list[Change]] | None:
    """Return the models of a change's template and of its owner; None where there are to be none.

    Models keep what they were made of, so nothing else gets the id of their containers meanwhile.
    """
    options, body = request.options, request.body
    if options.dry_run or not isinstance(body, dict) or request.repeats is not None or "status" not in old:
        return None
    meta = old["metadata"]
    if not isinstance(body.get("status"), dict):
        return None
    end = meta.get("deletionTimestamp", "")
    if end:
        from kctl.apiserver.update import deletable

        if deletable(old):
            return None
    owners = meta.get("ownerReferences")
    owner = owners[0]["uid"] if owners else ""
    kind = request.kind
    key = (kind.resource, kind.api_version, request.namespace, request.manager, options.field_validation, bool(end))
    lasting, phase = server.models.lasting, old["status"].get("phase")
    return lasting((id(old["spec"]["containers"]), phase, *key)), lasting((owner, phase, *key))
