"""The RBAC authoriser: who holds which rules, and whether they allow a request.

In: the roles and bindings in the storage. Out: decisions with kube-apiserver's reasons
(plugin/pkg/auth/authorizer/rbac). Bindings are indexed by whom they name and kept up to date by
the storage's events; what one user holds in one namespace is gathered once and remembered until
a role or binding changes, so that a request costs two lookups.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kctl.api import rbac
from kctl.api.objects import Key, Obj, key_of
from kctl.apiserver.request import User
from kctl.apiserver.storage import Event, Storage

MEMORY = 4096
"""So many users and namespaces are remembered before all are forgotten."""
Subject = tuple[str, str]
Question = tuple[str, str, str, str]


class Grant(NamedTuple):
    """One rule somebody holds, and why."""

    rule: Obj
    reason: str


class Held:
    """All that one user holds in one namespace, and what was found of it so far."""

    __slots__ = ("_found", "errors", "grants")

    def __init__(self, grants: list[Grant], errors: list[str]) -> None:
        self.grants = grants
        self.errors = errors
        self._found: dict[Question, list[Grant]] = {}

    def resource(self, question: Question, name: str) -> str | None:
        """Return why a request for a resource is allowed, None when it is not."""
        found = self._found.get(question)
        if found is None:
            found = [grant for grant in self.grants if rbac.allows_resource(grant.rule, *question)]
            self._found[question] = found
        return next((grant.reason for grant in found if rbac.allows_name(grant.rule, name)), None)

    def path(self, verb: str, path: str) -> str | None:
        """Return why a request for a path is allowed, None when it is not."""
        return next((grant.reason for grant in self.grants if rbac.allows_path(grant.rule, verb, path)), None)

    def rules(self) -> list[Obj]:
        """Return the rules alone."""
        return [grant.rule for grant in self.grants]


class Roles:
    """The roles and bindings of one server, indexed by whom they name."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._named: dict[tuple[str, Subject], dict[Key, Obj]] | None = None
        self._held: dict[tuple[User, str], Held] = {}

    def held(self, user: User, namespace: str) -> Held:
        """Return what the user holds in the namespace, "" for what holds everywhere."""
        place = (user, namespace)
        found = self._held.get(place)
        if found is None:
            if len(self._held) >= MEMORY:
                self._held.clear()
            found = self._held[place] = self._gathered(user, namespace)
        return found

    def rules_of(self, reference: Obj, namespace: str) -> list[Obj] | None:
        """Return the rules of the role a binding refers to, None when it is not there."""
        is_local = reference.get("kind") == "Role"
        resource = rbac.ROLES if is_local else rbac.CLUSTER_ROLES
        role = self._storage.get(resource, Key(namespace if is_local else "", reference.get("name") or ""))
        return None if role is None else role.get("rules") or []

    def _gathered(self, user: User, namespace: str) -> Held:
        grants: list[Grant] = []
        errors: list[str] = []
        for binding, subject in self._bindings(user, namespace):
            meta, reference = binding["metadata"], binding["roleRef"]
            where = meta.get("namespace") or ""
            rules = self.rules_of(reference, where)
            if rules is None:
                kind = str(reference.get("kind")).lower()
                errors.append(f'{kind}.{rbac.GROUP} "{reference.get("name")}" not found')
                continue
            shown = f'RoleBinding "{meta["name"]}/{where}"' if where else f'ClusterRoleBinding "{meta["name"]}"'
            whom = rbac.subject_written(subject, where)
            reason = f'RBAC: allowed by {shown} of {reference["kind"]} "{reference["name"]}" to {whom}'
            grants += [Grant(rule, reason) for rule in rules]
        return Held(grants, list(dict.fromkeys(errors)))

    def _bindings(self, user: User, namespace: str) -> Iterator[tuple[Obj, Obj]]:
        """Yield the bindings that name the user, those of the whole cluster first, and how they do."""
        named = self._index()
        subjects: list[Subject] = [("User", user.name), *(("Group", group) for group in user.groups)]
        for where in ("", namespace) if namespace else ("",):
            found: dict[Key, Obj] = {}
            for subject in subjects:
                found.update(named.get((where, subject), {}))
            for key in sorted(found, reverse=True):  # upstream's order is that of a Go map
                binding = found[key]
                yield binding, next(s for s in binding["subjects"] if rbac.subject_user(s, where) in subjects)

    def _index(self) -> dict[tuple[str, Subject], dict[Key, Obj]]:
        if self._named is None:
            self._named = {}
            for resource in (rbac.CLUSTER_ROLE_BINDINGS, rbac.ROLE_BINDINGS):
                for binding in self._storage.objects(resource).values():
                    self._enter(binding)
                self._storage.subscribe(resource, self._binding_changed)
            for resource in (rbac.CLUSTER_ROLES, rbac.ROLES):
                self._storage.objects(resource)
                self._storage.subscribe(resource, self._role_changed)
        return self._named

    def _places(self, binding: Obj) -> Iterator[tuple[str, Subject]]:
        where = binding["metadata"].get("namespace") or ""
        for subject in binding.get("subjects") or ():
            yield where, rbac.subject_user(subject, where)

    def _enter(self, binding: Obj) -> None:
        if self._named is not None:
            for place in self._places(binding):
                self._named.setdefault(place, {})[key_of(binding)] = binding

    def _binding_changed(self, event: Event) -> None:
        self._held.clear()
        if self._named is None:
            return
        if event.old is not None:
            for place in self._places(event.old):
                self._named.get(place, {}).pop(key_of(event.old), None)
        if event.type != "DELETED":
            self._enter(event.object)

    def _role_changed(self, event: Event) -> None:
        del event
        self._held.clear()
