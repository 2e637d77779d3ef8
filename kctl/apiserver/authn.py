"""Authentication: who sends a request.

In: what a front saw of the client: a certificate's subject, a bearer token, or nothing. Out: the
:class:`~kctl.apiserver.request.User`, or 401. Sockets and certificates are a front's affair; a
certificate it passes is one it has verified. As upstream the first that knows the client wins:
certificate, static token, bootstrap token, ServiceAccount token; who shows nothing is anonymous.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.clock import parse_time
from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.apiserver.request import ADMIN, ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

BOOTSTRAP_GROUP = "system:bootstrappers"
BOOTSTRAP_NAME = "bootstrap-token-"
BOOTSTRAP_TYPE = "bootstrap.kubernetes.io/token"


class Authenticated(NamedTuple):
    """A user, and the audiences his token was accepted for."""

    user: User
    audiences: tuple[str, ...] = ()


def unauthorized() -> StatusError:
    """401: the credentials are not good."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def who(server: APIServer, user: User | Mapping[str, Any] | str | None, authorization: str = "") -> User:
    """Return who asks: ``user`` None is the admin, "" has shown no certificate, a mapping says it all.

    Without a user the bearer token of the header ``Authorization`` counts; 401 when it is not good.
    """
    if user is None:
        return ADMIN
    if isinstance(user, User):
        return user
    if isinstance(user, str):
        if user:
            return User(user)
        token = bearer(authorization)
        if not token:
            return ANONYMOUS
        found = by_token(server, token)
        if found is None:
            raise unauthorized()
        return found.user
    extra = tuple((str(key), tuple(map(str, values))) for key, values in (user.get("extra") or {}).items())
    groups = with_authenticated(map(str, user.get("groups") or ()))
    return User(str(user.get("username") or ""), str(user.get("uid") or ""), groups, extra)


def bearer(header: str) -> str:
    """Return the token of an Authorization header, "" when it has none."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def of_certificate(common_name: str, organizations: Iterable[str]) -> User:
    """Return whom a verified client certificate names, as CommonNameUserConversion."""
    return User(common_name, "", with_authenticated(organizations))


def with_authenticated(groups: Iterable[str]) -> tuple[str, ...]:
    """Return the groups with ``system:authenticated`` where neither of the two is named, as AuthenticatedGroupAdder."""
    found = tuple(groups)
    if AUTHENTICATED in found or UNAUTHENTICATED in found:
        return found
    return (*found, AUTHENTICATED)


def by_token(server: APIServer, token: str, audiences: Sequence[str] = ()) -> Authenticated | None:
    """Return whose a bearer token is, None when it is not good."""
    from kctl.apiserver import tokens

    given = tuple(audiences) or tokens.AUDIENCES
    accepted = tuple(audience for audience in given if audience in tokens.AUDIENCES)
    known = server.static_tokens.get(token) or _bootstrap(server, token)
    if known is not None:
        if not accepted:
            return None
        return Authenticated(known._replace(groups=with_authenticated(known.groups)), accepted)
    try:
        found = tokens.authenticate(server, token, given)
    except tokens.InvalidToken:
        return None
    if found is None:
        return None
    extra = tuple((key, tuple(values)) for key, values in found.extra.items())
    return Authenticated(User(found.username, found.uid, with_authenticated(found.groups), extra), found.audiences)


def why_not(server: APIServer, token: str, audiences: Sequence[str]) -> str:
    """Say why a token is not good, as TokenReview's error does."""
    from kctl.apiserver import tokens

    try:
        tokens.authenticate(server, token, tuple(audiences) or tokens.AUDIENCES)
    except tokens.InvalidToken as error:
        return f"[invalid bearer token, {error}]"
    return "invalid bearer token"


def _bootstrap(server: APIServer, token: str) -> User | None:
    """Return whose a bootstrap token ``<id>.<secret>`` is, as TokenAuthenticator of bootstrap/token."""
    name, dot, secret = token.partition(".")
    if not dot or len(name) != 6 or len(secret) != 16 or not (name + secret).isascii():
        return None
    found = server.storage.get("secrets", Key("kube-system", f"{BOOTSTRAP_NAME}{name}"))
    if found is None or found["metadata"].get("deletionTimestamp") or found.get("type") != BOOTSTRAP_TYPE:
        return None
    data = {key: _decoded(value) for key, value in (found.get("data") or {}).items()}
    if data.get("token-id") != name or not hmac.compare_digest(data.get("token-secret", "").encode(), secret.encode()):
        return None
    if data.get("usage-bootstrap-authentication") != "true" or _is_over(data.get("expiration", ""), server.clock.now()):
        return None
    more = [group for group in data.get("auth-extra-groups", "").split(",") if group]
    if any(not group.startswith(f"{BOOTSTRAP_GROUP}:") for group in more):
        return None
    return User(f"system:bootstrap:{name}", "", (*sorted({BOOTSTRAP_GROUP, *more}),))


def _decoded(value: Any) -> str:
    from base64 import b64decode

    try:
        return b64decode(str(value)).decode()
    except ValueError:
        return ""


def _is_over(expiration: str, now: float) -> bool:
    if not expiration:
        return False
    try:
        return parse_time(expiration) <= now
    except ValueError:
        return True


def shown(user: User) -> str:
    """Write a user's name as messages quote it."""
    return json.dumps(user.name, ensure_ascii=False)
