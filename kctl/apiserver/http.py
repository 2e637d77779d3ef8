"""HTTP in front of the pipeline: bytes in, status, headers and bytes out.

One function, :func:`serve`, that never raises. Paths are read in :mod:`paths`, discovery is
answered in :mod:`discovery`; sockets and TLS are somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kctl.api.errors import KctlError, StatusError, bad_request, internal
from kctl.api.objects import Key, Obj
from kctl.api.registry import Kind
from kctl.apiserver import negotiate, paths
from kctl.apiserver.request import ADMIN, MASTERS, Listing, Request, User, wrong_method

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer
    from kctl.apiserver.watching import WatchStream

VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
MAX_BODY = 3 * 1024 * 1024
"""As kube-apiserver's MaxRequestBodyBytes."""
DEPRECATED = {"endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}
"""What is said about a kind whatever is asked of it."""
PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
    "application/apply-patch+cbor": "cbor",
}


class HTTPResponse:
    """What a client receives; a watch's events are read with :meth:`events`."""

    def __init__(
        self, status: int, body: bytes, headers: list[tuple[str, str]], stream: WatchStream | None = None
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._stream = stream

    @property
    def body(self) -> bytes:
        """Return the body; of a watch, the events up to now, one JSON document a line."""
        if self._stream is None:
            return self._body
        return b"".join(dumps(event) + b"\n" for event in self._stream.events())

    def json(self) -> Any:
        """Return the body read as JSON."""
        return json.loads(self.body)

    def events(self) -> Iterator[Obj]:
        """Yield what has happened up to now as ``{"type", "object"}``; call again for more."""
        if self._stream is not None:
            yield from self._stream.events()

    def close(self) -> None:
        """End a watch; other answers have nothing to end."""
        if self._stream is not None:
            self._stream.stop()

    def header(self, name: str) -> str:
        """Return the first header of that name, "" when there is none."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")


def dumps(value: Any) -> bytes:
    """Write JSON as the server sends it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def serve(
    server: APIServer,
    method: str,
    path: str,
    body: Any,
    content_type: str,
    headers: Mapping[str, str] | list[tuple[str, str]] | None,
    user: User | Mapping[str, Any] | str | None,
) -> HTTPResponse:
    """Answer one request."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
    heads = {name.lower(): value for name, value in pairs}
    accept = ",".join(v for n, v in pairs if n.lower() == "accept") or heads.get("accept", "")
    warnings: list[str] = []
    try:
        who = authenticate(server, method, path, pairs, user)
        return _answer(server, method, path, body, content_type, heads, accept, who, warnings)
    except StatusError as error:
        return negotiate.status_response(error, accept, warnings)
    except KctlError as error:
        return negotiate.status_response(internal(error.message), accept, warnings)
    except RecursionError:
        return negotiate.status_response(bad_request("the body is nested too deeply"), accept, warnings)
    except Exception as error:  # as kube-apiserver's panic handler: a client never sees a traceback
        return negotiate.status_response(internal(f"{type(error).__name__}: {error}"), accept, warnings)


def _answer(
    server: APIServer,
    method: str,
    path: str,
    body: Any,
    content_type: str,
    heads: dict[str, str],
    accept: str,
    who: User,
    warnings: list[str],
) -> HTTPResponse:
    route = paths.parse(path)
    if route.kind_of_path != "resource":
        if route.path.startswith("/openapi/"):
            from kctl.apiserver import openapi

            return openapi.serve(server, method, route, heads)
        from kctl.apiserver import discovery

        return discovery.serve(server, method, route, accept)
    verb = VERBS.get(method)
    kind = server.registry.by_path(route.group, route.version, route.plural)
    if kind is None:
        raise paths.missing(server.registry, route)
    if verb is None:
        if method == "HEAD":
            return HTTPResponse(405, b"", [])
        raise wrong_method()
    negotiate.check_accept(accept)
    if kind.resource in DEPRECATED:
        warnings.append(DEPRECATED[kind.resource])
    if kind.custom is not None and kind.custom.deprecation:
        warnings.append(kind.custom.deprecation)
    request = _request(kind, verb, route, heads, who, warnings)
    if request.verb == "watch":
        return _watch(server, request, route, accept)
    if verb in ("create", "update", "patch", "delete"):
        request = _with_body(request, verb, body, content_type or heads.get("content-type", ""), route)
    created = verb == "create" or (verb in ("update", "patch") and not exists(server, request))
    answer = server.handle(request)
    return _render(server, request, answer, accept, warnings, created=created)


def authenticate(
    server: APIServer,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    user: User | Mapping[str, Any] | str | None,
) -> User:
    """Return who asks or is acted as, and may do what the path says; 401 or 403 else."""
    if user is None and not any(name[:11].lower() == "impersonate" for name, _ in headers):
        return ADMIN
    from kctl.apiserver import authn, impersonation
    from kctl.apiserver.server import ALLOW_ALL

    authorization = next((value for name, value in headers if name.lower() == "authorization"), "")
    who = impersonation.acting_as(server, authn.who(server, user, authorization), headers)
    if server.authorization != ALLOW_ALL and MASTERS not in who.groups:
        from kctl.apiserver import authz

        server.authorizer.check(authz.of_route(method, paths.parse(path), who))
    return who


def _request(
    kind: Kind, verb: str, route: paths.Route, heads: dict[str, str], user: User, warnings: list[str]
) -> Request:
    """Decide the verb from method and path, and read the options of the query."""
    if verb == "get" and not route.name:
        verb = "watch" if route.flag("watch") else "list"
    elif verb == "get" and route.flag("watch") and not route.subresource:
        verb = "watch"
    elif verb == "delete" and not route.name:
        verb = "deletecollection"
    if route.watch_path:
        verb = "watch"
    _check_form(kind, verb, route)
    options = paths.options(verb, route)
    return Request(
        verb,
        kind,
        route.namespace,
        route.name,
        route.subresource,
        options=options,
        user=user,
        user_agent=heads.get("user-agent", ""),
        warnings=warnings,
    )


def _check_form(kind: Kind, verb: str, route: paths.Route) -> None:
    """Refuse paths a kind does not have, and methods a path does not have."""
    from kctl.apiserver.request import unknown_resource

    if route.subresource and route.subresource not in kind.subresources:
        raise unknown_resource()
    if "%" in route.name or route.name in (".", ".."):
        from kctl.api.validation import formats

        raise bad_request(f'Name parameter invalid: "{route.name}": {";".join(formats.path_segment(route.name))}')
    if kind.namespaced and not route.namespace and (route.name or verb == "create"):
        raise unknown_resource() if route.name else wrong_method()
    if not kind.namespaced and route.namespace:
        raise unknown_resource()
    if route.subresource:
        return
    if (verb == "create" and route.name) or (verb in ("update", "patch") and not route.name):
        raise wrong_method()
    if verb not in kind.verbs:
        raise wrong_method()


def _with_body(request: Request, verb: str, body: Any, content_type: str, route: paths.Route) -> Request:
    """Read the body in its content type; delete options may come in it."""
    media = content_type.partition(";")[0].strip().lower()
    if isinstance(body, bytes | str) and len(body) > MAX_BODY:
        message = f"Request entity too large: limit is {MAX_BODY}"
        raise StatusError(413, "RequestEntityTooLarge", message)
    if verb == "patch":
        return negotiate.patch_body(request, body, media)
    if verb == "delete":
        return negotiate.delete_options(request, body, media)
    return negotiate.read_body(request, body, media)


def _watch(server: APIServer, request: Request, route: paths.Route, accept: str) -> HTTPResponse:
    from kctl.apiserver import watching

    stream = watching.open_stream(server, request, route, accept)
    return HTTPResponse(200, b"", [("Content-Type", "application/json")], stream)


def _render(
    server: APIServer, request: Request, answer: Obj | Listing, accept: str, warnings: list[str], *, created: bool
) -> HTTPResponse:
    """Turn the answer into the representation the client accepts."""
    if isinstance(answer, Listing):
        return negotiate.list_response(server, request, answer, accept, warnings)
    return negotiate.object_response(server, request, answer, accept, warnings, status=201 if created else 200)


def exists(server: APIServer, request: Request) -> bool:
    """Say whether the object of the request is there, so that writing it does not create it."""
    resource = server.stored_as(request.kind.resource)
    return server.storage.get(resource, Key(request.namespace, request.name)) is not None
