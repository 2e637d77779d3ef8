"""The parameters of a policy: the objects its binding names.

As CollectParams of k8s.io/apiserver pkg/admission/plugin/policy/generic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import selectors
from kctl.api.objects import Key, Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

NOT_FOUND = "no params found for policy binding with `Deny` parameterNotFoundAction"


class BadParams(Exception):
    """A binding whose parameters cannot be had."""


def collect(server: APIServer, request: Request, policy: Obj, binding: Obj) -> list[Obj | None]:
    """Return the parameters to judge with, one after the other; [None] for a policy without; BadParams."""
    wanted, ref = policy["spec"].get("paramKind"), binding["spec"].get("paramRef")
    if not wanted or not ref:
        return [None]
    kind = server.registry.by_kind(wanted.get("apiVersion") or "", wanted.get("kind") or "")
    if kind is None:
        raise BadParams(f"paramKind kind `{wanted.get('apiVersion')}, Kind={wanted.get('kind')}` not known")
    namespace = ""
    if kind.namespaced:
        namespace = ref.get("namespace") or (request.namespace if request.kind.namespaced else "")
        if request.kind.resource == "namespaces" and not namespace:
            namespace = request.name
        if not namespace:
            raise BadParams("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")
    elif ref.get("namespace"):
        raise BadParams("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
    found: list[Obj | None]
    resource = server.stored_as(kind.resource)
    if ref.get("name"):
        one = server.storage.get(resource, Key(namespace, ref["name"]))
        found = [] if one is None else [server.in_version(kind, one)]
    elif ref.get("selector") is not None:
        by = selectors.from_label_selector(ref["selector"])
        objects = server.storage.objects(resource)
        found = [
            server.in_version(kind, objects[key])
            for key in sorted(objects)
            if key.namespace == namespace and by.matches(objects[key]["metadata"].get("labels") or {})
        ]
    else:
        raise BadParams("one of name or selector must be provided")
    if not found and ref.get("parameterNotFoundAction") == "Deny":
        raise BadParams(NOT_FOUND)
    return found
