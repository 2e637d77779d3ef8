"""Impersonation: acting as another user, where one may.

In: the user of a request and its ``Impersonate-`` headers. Out: the user to act as; Forbidden
where the verb ``impersonate`` is not allowed on the user, ServiceAccount, group, uid or extra
value, as WithImpersonation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kctl.api.errors import StatusError
from kctl.apiserver.authz import Attributes
from kctl.apiserver.request import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

PREFIX = "impersonate-"
EXTRA = "impersonate-extra-"
ACCOUNT = "system:serviceaccount:"
Headers = Sequence[tuple[str, str]]


class Asked:
    """What the headers of a request ask for."""

    def __init__(self, headers: Headers) -> None:
        pairs = [(name.lower(), value) for name, value in headers]
        self.user = next((value for name, value in pairs if name == "impersonate-user"), "")
        self.uid = next((value for name, value in pairs if name == "impersonate-uid"), "")
        self.groups = [value for name, value in pairs if name == "impersonate-group"]
        extra: dict[str, list[str]] = {}
        for name, value in pairs:
            if name.startswith(EXTRA):
                extra.setdefault(unquote(name[len(EXTRA) :]).lower(), []).append(value)
        self.extra = dict(sorted(extra.items()))

    def without_user(self) -> list[str]:
        """Return what is asked for although no user is."""
        listed = [f"{{Group {group}}}" for group in self.groups]
        listed += [f"{{UID {self.uid}}}"] if self.uid else []
        return listed + [f"{{UserExtra {value}}}" for values in self.extra.values() for value in values]


def acting_as(server: APIServer, user: User, headers: Headers) -> User:
    """Return whom the request acts as: the user himself when no header says otherwise."""
    if not any(name[: len(PREFIX)].lower() == PREFIX for name, _ in headers):
        return user
    asked = Asked(headers)
    if not asked.user:
        orphans = asked.without_user()
        if orphans:
            why = f"requested [{' '.join(orphans)}] without impersonating a user"
            raise StatusError(500, "InternalError", f"Internal Server Error: {why}")
        return user
    for attributes in _questions(user, asked):
        server.authorizer.check(attributes)
    extra = tuple((key, tuple(values)) for key, values in asked.extra.items())
    return User(asked.user, asked.uid, _groups(asked), extra)


def _questions(user: User, asked: Asked) -> Iterator[Attributes]:
    """Yield what the user must be allowed, in upstream's order."""
    account = _account(asked.user)
    if account:
        yield Attributes(user, "impersonate", "", "serviceaccounts", "", *account)
    else:
        yield Attributes(user, "impersonate", "", "users", name=asked.user)
    for group in asked.groups:
        yield Attributes(user, "impersonate", "", "groups", name=group)
    for key, values in asked.extra.items():
        for value in values:
            yield Attributes(user, "impersonate", "authentication.k8s.io", "userextras", key, name=value)
    if asked.uid:
        yield Attributes(user, "impersonate", "authentication.k8s.io", "uids", name=asked.uid)


def _account(name: str) -> tuple[str, str] | None:
    """Return namespace and name of the ServiceAccount a user name means."""
    parts = name.removeprefix(ACCOUNT).split(":")
    return (parts[0], parts[1]) if name.startswith(ACCOUNT) and len(parts) == 2 and all(parts) else None


def _groups(asked: Asked) -> tuple[str, ...]:
    groups = list(asked.groups)
    account = _account(asked.user)
    if account and not groups:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{account[0]}"]
    if asked.user == ANONYMOUS.name:
        return tuple(groups) if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    if AUTHENTICATED in groups or UNAUTHENTICATED in groups:
        return tuple(groups)
    return (*groups, AUTHENTICATED)
