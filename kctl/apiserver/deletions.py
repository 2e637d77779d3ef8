"""Deleting many objects: asked once what is the same for all of them.

In: an authorised delete and whom it means, or a deletecollection. Out: what became of each, in their order.
Every object goes by the rules of :mod:`kctl.apiserver.delete`, under a revision of its own. Where policies or
webhooks may judge one otherwise than the next, and for kinds whose end has consequences in the server,
each is a request of its own.

Events are taken out unread, as the stored values that they are: few ask what they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver import definitions, delete, fields
from kctl.apiserver.request import Listing, Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

Wanted = tuple[Key, str]
"""An object that is to go, and the uid it has to have, "" for any."""
RBAC = "rbac.authorization.k8s.io"
GONE = ("NotFound", "Conflict")
"""Why a deletion is refused of an object that is not there any more."""
UNREAD = "events"
HOLDING = (b'"finalizers"', b'"deletionTimestamp"')
"""What the stored form of an Event has that is not taken out at once."""


def each(server: APIServer, request: Request, wanted: Sequence[Wanted]) -> list[Obj | StatusError]:
    """Delete each as a request of its own; stop after the first that is refused, but for what is gone already.

    An object that is not there, or is another by now, is answered with the refusal and stops nothing.
    """
    out: list[Obj | StatusError] = []
    for key, uid in wanted:
        try:
            out.append(one(server, request, key, uid))
        except StatusError as error:
            out.append(error)
            if error.reason not in GONE:
                break
    return out


def one(server: APIServer, request: Request, key: Key, uid: str) -> Obj:
    """Delete one of many: ``request`` is the same for all, and authorised for any of them."""
    resource = server.stored_as(request.kind.resource)
    old = server.storage.get(resource, key) if is_plain(server, request) else None
    if old is not None and uid in ("", old["metadata"]["uid"]):
        return delete.carried_out(server, request, resource, old)
    options = request.options._replace(uid=uid)
    return cast("Obj", server.handle(request._replace(namespace=key.namespace, name=key.name, options=options)))


def is_plain(server: APIServer, request: Request) -> bool:
    """Say whether nothing is asked of a deletion but what :func:`kctl.apiserver.delete.remove` asks."""
    kind = request.kind
    if kind.custom is not None or kind.group in (RBAC, definitions.GROUP) or kind.resource == "namespaces":
        return False
    return not request.options.dry_run and not server.admission.is_particular


def collection(server: APIServer, request: Request) -> Listing:
    """Delete all objects the selectors match; return them as they were."""
    delete.check_options(request.options)
    matches = fields.matcher(request.kind, request.options.label_selector, request.options.field_selector)
    resource = server.stored_as(request.kind.resource)
    current = server.storage.objects(resource)
    server.admission.check_delete(request, None)
    plain = is_plain(server, request)
    found = [(key, current[key]) for key in _keys(current, request)]
    out = []
    for key, obj in found if matches is None else [pair for pair in found if matches(pair[1])]:
        if not plain:
            server.admission.check_delete(request._replace(name=key.name, namespace=key.namespace), obj)
        delete.remove(server, request, resource, obj)
        out.append(server.in_version(request.kind, obj))
    return Listing(out, server.revision)


def empty(server: APIServer, request: Request) -> None:
    """Delete all objects of a namespace, as a deletecollection whose answer nobody reads."""
    resource = server.stored_as(request.kind.resource)
    storage = server.storage
    if resource != UNREAD or not is_plain(server, request):
        collection(server, request)
        return
    delete.check_options(request.options)
    objects = storage.objects(resource)
    for key in _keys(objects, request):
        if not storage.remove_unread(resource, key, HOLDING):
            delete.remove(server, request, resource, objects[key])


def _keys(objects: Iterable[Key], request: Request) -> list[Key]:
    return sorted(key for key in objects if not request.namespace or key.namespace == request.namespace)
