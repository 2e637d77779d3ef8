"""create_many: one template, many objects, checked once. create_events: many Events of few forms.

The first object of a template takes the whole pipeline. The others differ from it in metadata alone, so they
share its spec and what it was found to own; only existence is looked at again. Names are taken
to be made by one rule, so that the first being valid means all are. Quotas are asked for all at
once and charged for all at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kctl.api import recorded
from kctl.api.errors import StatusError, already_exists
from kctl.api.likeness import UNLIKE, fitted
from kctl.api.objects import Key, Obj, key_of
from kctl.api.recorded import Recorded
from kctl.apiserver import create, metadata
from kctl.apiserver.request import Request
from kctl.apiserver.server import APIServer

SHAPE = ("namespace", "labels", "annotations", "finalizers", "ownerReferences")
"""Metadata that must be alike for objects to count as made from one template."""


def create_many(server: APIServer, request: Request, template: Obj, metas: Sequence[Obj]) -> list[Obj]:
    """Create one object per metadata; stops at the first error, and before the first where quotas lack room."""
    out: list[Obj] = []
    first: Obj | None = None
    shape: list[object] = []
    alikes = 0
    is_particular = server.admission.is_particular
    _check_room(server, request, template, metas)
    try:
        for meta in metas:
            alike = not is_particular and first is not None and shape == [meta.get(field) for field in SHAPE]
            if alike and first is not None and meta.get("name"):
                out.append(_another(server, request, first, meta))
                alikes += 1
                continue
            _charge(server, request, first, alikes)
            body = {**template, "metadata": meta}
            namespaced = request._replace(namespace=meta.get("namespace") or request.namespace, body=body)
            first, alikes = create.handle(server, namespaced), 0
            shape = [meta.get(field) for field in SHAPE]
            out.append(first)
    finally:
        _charge(server, request, first, alikes)
    return out


def create_events(server: APIServer, request: Request, events: Sequence[Recorded]) -> list[StatusError | None]:
    """Create Events of a namespace, those like one before them at once; return why each was refused.

    The request is authorised already.
    """
    from kctl.apiserver.alike_events import Together

    together = Together(server, request)
    out: list[StatusError | None] = []
    while len(out) < len(events):
        out += [None] * together.create(events, len(out))
        if len(out) < len(events):
            event = events[len(out)]
            try:
                create.handle(server, request._replace(body=recorded.event(*event)))
                out.append(None)
            except StatusError as error:
                out.append(error)
                out += _refused_alike(server, request, events, len(out) - 1, error)
            together.learned(event)
    return out


def _refused_alike(
    server: APIServer, request: Request, events: Sequence[Recorded], at: int, error: StatusError
) -> Iterator[StatusError]:
    """Yield the refusals of Events behind one that its terminating namespace refused, as long as they are like it."""
    from kctl.apiserver.admission import namespace_lifecycle
    from kctl.apiserver.alike import OF_EVENTS

    causes = (error.details or {}).get("causes") or ()
    if not any(cause.get("reason") == namespace_lifecycle.TERMINATING for cause in causes):
        return
    namespace = server.storage.objects("namespaces")[Key("", request.namespace)]
    refused = recorded.event(*events[at])
    for n in range(at + 1, len(events)):
        body = recorded.event(*events[n])
        if fitted(refused, refused, body, OF_EVENTS) is UNLIKE:
            return
        yield namespace_lifecycle.terminating(request, body, namespace)


def _check_room(server: APIServer, request: Request, template: Obj, metas: Sequence[Obj]) -> None:
    """Let the quotas of the namespace judge the whole batch, as if all were like the first."""
    namespace = metas[0].get("namespace") or request.namespace if metas else ""
    if not server.admission.in_namespace("resourcequotas", namespace):
        return
    from kctl.apiserver.admission import resource_quota

    body = {**template, "metadata": metas[0]}
    trial = request._replace(namespace=namespace, body=body, options=request.options._replace(dry_run=True))
    resource_quota.room(server, trial, create.handle(server, trial), len(metas))


def _charge(server: APIServer, request: Request, first: Obj | None, number: int) -> None:
    """Charge the quotas for objects that were made like the first without passing admission."""
    if first is None or not number:
        return
    placed = request._replace(namespace=first["metadata"].get("namespace") or "")
    if server.admission.in_namespace("resourcequotas", placed.namespace):
        from kctl.apiserver.admission import resource_quota

        resource_quota.charge_more(server, placed, first, number)


def _another(server: APIServer, request: Request, first: Obj, meta: Obj) -> Obj:
    """Store one more object like ``first`` under its own metadata."""
    kind = request.kind
    given = {**meta, "managedFields": first["metadata"].get("managedFields")}
    if "annotations" in first["metadata"]:  # LimitRanger may have added one
        given["annotations"] = first["metadata"]["annotations"]
    if kind.namespaced:
        given["namespace"] = meta.get("namespace") or request.namespace
    if first["metadata"].get("generation"):
        given["generation"] = first["metadata"]["generation"]
    obj = metadata.fill_new(
        kind, {**first, "metadata": given}, seed=server.seed, revision=server.revision + 1, now=server.clock.now()
    )
    resource = server.stored_as(kind.resource)
    key = key_of(obj)
    if server.storage.get(resource, key) is not None:
        raise already_exists(kind.resource, key.name)
    return server.storage.put(resource, key, obj)
