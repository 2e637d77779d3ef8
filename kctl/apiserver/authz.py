"""Authorisation: may this user do this?

In: the attributes of a request, from its URL or from the structured form. Out: a decision with
its reason, or 403 in kube-apiserver's words. The modes are those of ``--authorization-mode``,
asked in order; ``system:masters`` may do everything, before any of them. What RBAC knows stands in
:mod:`kctl.apiserver.rbac`, what nodes may do in :mod:`kctl.apiserver.authz_node`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import StatusError, forbidden
from kctl.apiserver.request import MASTERS, GenericError, Request, User

if TYPE_CHECKING:
    from kctl.apiserver.paths import Route
    from kctl.apiserver.rbac import Held, Roles
    from kctl.apiserver.server import APIServer

MODES = ("AlwaysAllow", "AlwaysDeny", "Node", "RBAC")
VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
NAMESPACE_SUBRESOURCES = ("status", "finalize")


class Attributes(NamedTuple):
    """What is asked: a verb on a resource, or on a path that is none."""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""

    @property
    def combined(self) -> str:
        """Return resource and subresource as rules name them."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(NamedTuple):
    """Whether a request is allowed, and why or why not (often "")."""

    is_allowed: bool
    reason: str = ""


def modes(text: str) -> tuple[str, ...]:
    """Read ``Node,RBAC``; ValueError names a mode there is not."""
    found = tuple(part.strip() for part in text.split(","))
    for mode in found:
        if mode not in MODES:
            raise ValueError(f"no such authorization mode: {mode!r}; known are {', '.join(MODES)}")
    return found


class Authorizer:
    """Asks the modes of one server in order."""

    def __init__(self, server: APIServer, modes: tuple[str, ...]) -> None:
        self._server = server
        self.modes = modes
        self._roles: Roles | None = None

    @property
    def roles(self) -> Roles:
        """Return what RBAC knows, gathered when first asked for."""
        if self._roles is None:
            from kctl.apiserver.rbac import Roles

            self._roles = Roles(self._server.storage)
        return self._roles

    def check(self, asked: Attributes) -> None:
        """Forbidden unless the request is allowed."""
        if MASTERS in asked.user.groups:
            return
        found = self.decide(asked)
        if not found.is_allowed:
            raise refused(asked, found.reason)

    def check_request(self, request: Request) -> None:
        """Forbidden unless a structured request is allowed; what RBAC allows, no other mode has to be asked about."""
        if "RBAC" in self.modes:
            asked = of_request(request)
            question = (asked.verb, asked.group, asked.resource, asked.subresource)
            if self.roles.held(asked.user, asked.namespace).resource(question, asked.name) is not None:
                return
        self.check(of_request(request))

    def decide(self, asked: Attributes) -> Decision:
        """Say whether the request is allowed, and why; as the union authorizer."""
        if MASTERS in asked.user.groups:
            return Decision(True)
        reasons = []
        for mode in self.modes:
            found = self._ask(mode, asked)
            if found.is_allowed:
                return found
            if found.reason:
                reasons.append(found.reason)
        return Decision(False, "\n".join(reasons))

    def _ask(self, mode: str, asked: Attributes) -> Decision:
        if mode == "RBAC":
            return self._rbac(asked)
        if mode == "Node":
            from kctl.apiserver import authz_node

            return authz_node.decide(self._server, asked)
        return Decision(True) if mode == "AlwaysAllow" else Decision(False, "Everything is forbidden.")

    def _rbac(self, asked: Attributes) -> Decision:
        held = self.roles.held(asked.user, asked.namespace)
        if asked.path:
            why = held.path(asked.verb, asked.path)
        else:
            why = held.resource((asked.verb, asked.group, asked.resource, asked.subresource), asked.name)
        return Decision(False, broken(held)) if why is None else Decision(True, why)


def broken(held: Held) -> str:
    """Say which roles could not be read, as the reason of a refusal."""
    return f"RBAC: {aggregate(held.errors)}" if held.errors else ""


def aggregate(errors: list[str]) -> str:
    """Write several errors as one, as utilerrors.NewAggregate."""
    return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"


def of_request(request: Request, verb: str = "") -> Attributes:
    """Return what a structured request asks for; ``verb`` where it is another than the request's."""
    kind = request.kind
    verb = verb or request.verb
    namespace = request.name if kind.plural == "namespaces" and not kind.group else request.namespace
    return Attributes(
        request.user,
        "patch" if verb == "apply" else verb,
        kind.group,
        kind.plural,
        request.subresource,
        namespace,
        request.name,
        field_selector=request.options.field_selector,
    )


def of_route(method: str, route: Route, user: User) -> Attributes:
    """Return what an HTTP request asks for, as RequestInfoFactory reads its URL."""
    from urllib.parse import unquote

    path = unquote(route.path)
    parts = [part for part in path.strip("/").split("/") if part]
    is_core = parts[:1] == ["api"]
    if not (is_core or parts[:1] == ["apis"]) or len(parts) < (3 if is_core else 4):
        return Attributes(user, method.lower(), path=path)
    group = "" if is_core else parts[1]
    rest = parts[2 if is_core else 3 :]
    verb = VERBS.get(method, "")
    if rest[0] in ("watch", "proxy") and len(rest) > 1:
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in NAMESPACE_SUBRESOURCES:
            rest = rest[2:]
    resource, name, subresource = (*rest, "", "")[:3]
    selector = route.value("fieldSelector")
    if not name and verb in ("get", "delete", "watch"):
        name = _named_by(selector)
        if verb == "get":
            verb = "watch" if route.flag("watch") else "list"
        elif verb == "delete":
            verb = "deletecollection"
    return Attributes(user, verb, group, resource, subresource, namespace, name, "", selector)


def _named_by(selector: str) -> str:
    """Return the one name a field selector lets through, "" for more."""
    for part in selector.split(","):
        field, equals, value = part.partition("=")
        if field == "metadata.name" and equals and "!" not in field:
            return value.removeprefix("=")
    return ""


def refused(asked: Attributes, reason: str) -> StatusError:
    """403: what the user may not do, as responsewriters.Forbidden."""
    text = said(asked)
    text = f"{text}: {reason}" if reason else text
    if asked.path:
        return GenericError(403, "Forbidden", f"forbidden: {text}")
    full = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    return forbidden(full, asked.name, text)


def said(asked: Attributes) -> str:
    """Say who may not do what."""
    who = f"User {json.dumps(asked.user.name, ensure_ascii=False)} cannot {asked.verb}"
    if asked.path:
        return f'{who} path "{asked.path}"'
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return f'{who} resource "{asked.combined}" in API group "{asked.group}" {where}'
