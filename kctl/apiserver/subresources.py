"""Which subresource does what; one table, one file per family.

``status`` writes go the way of an update, the others have files of their own. What a simulation
cannot answer (logs, exec) is refused in words.
"""

from __future__ import annotations

from kctl.api.errors import StatusError
from kctl.api.objects import Obj
from kctl.apiserver.request import Listing, Request, unknown_resource, wrong_method
from kctl.apiserver.server import APIServer

STREAMS = {
    "attach": "kctl simulates pods and runs no containers: there is nothing to attach to",
    "exec": "kctl simulates pods and runs no containers: there is nowhere to run a command",
    "log": "kctl simulates pods and runs no containers: there are no logs",
    "portforward": "kctl simulates pods and runs no containers: nothing listens on their ports",
    "proxy": "kctl simulates pods and runs no containers: nothing answers behind the proxy",
}
WHOLE_OBJECT = ("status", "ephemeralcontainers", "resize", "approval")
"""Subresources that read and write the object itself."""


def handle(server: APIServer, request: Request) -> Obj | Listing:
    """Carry out a request for a subresource."""
    kind, sub = request.kind, request.subresource
    if sub not in kind.subresources:
        raise unknown_resource()
    if sub in WHOLE_OBJECT:
        return _whole(server, request)
    if sub == "scale" and kind.custom is not None:
        from kctl.apiserver import custom_scale

        return custom_scale.handle(server, request)
    if sub == "scale":
        from kctl.apiserver import scale

        return scale.handle(server, request)
    if sub in STREAMS:
        raise StatusError(501, "NotImplemented", STREAMS[sub])
    if sub == "token":
        from kctl.apiserver import tokens

        return tokens.handle(server, request)
    if sub == "binding" and request.verb == "create":
        from kctl.apiserver import binding

        return binding.handle(server, request)
    if sub == "eviction" and request.verb == "create":
        from kctl.apiserver import eviction

        return eviction.handle(server, request)
    if sub == "finalize" and request.verb == "update":
        return _finalize(server, request)
    raise wrong_method()


def _whole(server: APIServer, request: Request) -> Obj:
    if request.verb == "get":
        from kctl.apiserver import read

        return read.get(server, request)
    if request.verb == "update":
        from kctl.apiserver import update

        return update.handle(server, request)
    if request.verb in ("patch", "apply"):
        from kctl.apiserver import patch

        return patch.handle(server, request)
    raise wrong_method()


def _finalize(server: APIServer, request: Request) -> Obj:
    """Write a Namespace's spec.finalizers, and let it go when they are the last to hold it."""
    from kctl.api.errors import not_found
    from kctl.api.objects import Key, evolve
    from kctl.apiserver import metadata, update
    from kctl.apiserver.body import checked

    body = checked(request)
    metadata.check_name(request, metadata.placed(request, body))
    old = server.storage.get("namespaces", Key("", request.name))
    if old is None:
        raise not_found("namespaces", request.name)
    metadata.check_preconditions("namespaces", request.name, body["metadata"], old)
    finalizers = (body.get("spec") or {}).get("finalizers") or []
    obj = evolve(old, {"spec": {"finalizers": finalizers}})
    if not finalizers:
        obj = {**obj, "spec": {k: v for k, v in obj["spec"].items() if k != "finalizers"}}
    return update.store(server, request, obj, old)
