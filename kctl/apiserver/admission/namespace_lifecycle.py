"""NamespaceLifecycle: nothing is created in a namespace that is missing or going away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import StatusError, forbidden, not_found
from kctl.api.objects import Key, Obj, dig
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

IMMORTAL = ("default", "kube-public", "kube-system")
TERMINATING = "NamespaceTerminating"
REVIEWS = frozenset(("localsubjectaccessreviews.authorization.k8s.io",))
"""Requests that only ask and are let through in any namespace."""


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Refuse what needs a namespace that does not exist or is being deleted."""
    if not request.kind.namespaced or request.kind.resource in REVIEWS:
        return obj
    namespace = server.storage.get("namespaces", Key("", request.namespace))
    if namespace is None:
        raise not_found("namespaces", request.namespace)
    if old is None and dig(namespace, "status", "phase") == "Terminating":
        raise terminating(request, obj, namespace)
    return obj


def terminating(request: Request, obj: Obj, namespace: Obj) -> StatusError:
    """403 with the cause NamespaceTerminating."""
    name = namespace["metadata"]["name"]
    why = f"unable to create new content in namespace {name} because it is being terminated"
    cause = {
        "reason": TERMINATING,
        "message": f"namespace {name} is being terminated",
        "field": "metadata.namespace",
    }
    return forbidden(request.kind.resource, shown_name(obj), why, causes=[cause])


def check_delete(server: APIServer, request: Request) -> None:
    """Refuse to delete the namespaces a cluster cannot live without."""
    if request.kind.resource == "namespaces" and request.name in IMMORTAL:
        raise forbidden("namespaces", request.name, "this namespace may not be deleted")
