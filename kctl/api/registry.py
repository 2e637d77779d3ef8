"""The kinds the API server knows: names, scope, verbs, and which version is stored.

In comes the table of :mod:`kctl.api.kinds`, and at run time the kinds that custom resource
definitions bring (:class:`Growing`); out come lookups by every name a kind has.
What the fields of a kind are is not here but in :mod:`kctl.api.schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kctl.api import kinds

if TYPE_CHECKING:
    from kctl.api.crd.version import Version

Body = tuple[str, str, str, tuple[str, ...]]
"""Group, version and kind of what a subresource reads and writes, and its verbs."""


class Kind(NamedTuple):
    """One kind in one version, as discovery describes it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = kinds.FULL
    subresources: tuple[str, ...] = ()
    custom: Version | None = None
    """What its CustomResourceDefinition says; None for Kubernetes' own kinds and kctl's."""

    @property
    def api_version(self) -> str:
        """Return what stands in the object: ``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """Return the group resource: ``deployments.apps``, or ``pods`` for the core group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def storage_version_hash(self) -> str:
        """Return discovery's storageVersionHash of this kind, as discovery.StorageVersionHash."""
        from base64 import b64encode
        from hashlib import sha256

        return b64encode(sha256(f"{self.group}/{self.version}/{self.kind}".encode()).digest()[:8]).decode()


class Registry:
    """Finds kinds by what users, objects and requests call them; never changes once made."""

    __slots__ = ("_all", "_by_kind", "_by_name", "_by_path", "_storage")

    def __init__(self, all_kinds: Iterable[Kind]) -> None:
        self._all = tuple(all_kinds)
        self._by_kind: dict[tuple[str, str], Kind] = {}
        self._by_path: dict[tuple[str, str, str], Kind] = {}
        self._storage: dict[str, Kind] = {}
        for kind in self._all:
            self._by_kind.setdefault((kind.api_version, kind.kind), kind)
            self._by_path.setdefault((kind.group, kind.version, kind.plural), kind)
            self._storage.setdefault(kind.resource, kind)
        for resource, stored_as in kinds.STORED_AS.items():
            if stored_as in self._storage:
                self._storage[resource] = self._storage[stored_as]
        self._by_name: dict[str, list[Kind]] | None = None

    def all(self) -> list[Kind]:
        """Return every kind in every served version, in discovery's order."""
        return list(self._all)

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind an object names by its ``apiVersion`` and ``kind``."""
        return self._by_kind.get((api_version, kind))

    def by_path(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind behind a request path's group, version and plural."""
        return self._by_path.get((group, version, plural))

    def storage(self, resource: str) -> Kind:
        """Return the kind and version that objects of a group resource are stored in.

        ``events.events.k8s.io`` is stored as core Events. Raises KeyError for no such resource.
        """
        return self._storage[resource]

    def subresource(self, parent: Kind, name: str) -> Kind | None:
        """Return the kind that ``parent``'s subresource reads and writes, or None if it has none.

        Its plural is the path's end, ``deployments/scale``, and its verbs those of the subresource.
        """
        if name not in parent.subresources:
            return None
        plural = f"{parent.plural}/{name}"
        body: Body = (parent.group, parent.version, parent.kind, kinds.READ_WRITE)
        if parent.custom is None and plural in _subresources():
            body = _subresources()[plural]
        elif name == "scale":
            body = ("autoscaling", "v1", "Scale", kinds.READ_WRITE)
        group, version, kind, verbs = body
        return Kind(group, version, kind, plural, "", parent.namespaced, verbs=verbs)

    def category(self, name: str) -> list[Kind]:
        """Return the kinds of a category (``all``), one version each."""
        found = {kind.resource: kind for kind in reversed(self._all) if name in kind.categories}
        return list(reversed(found.values()))

    def find(self, name: str) -> Kind | None:
        """Return the kind a user means, as kubectl's RESTMapper: any case, first group wins.

        >>> builtin().find("deploy").kind, builtin().find("deployments.v1.apps").kind
        ('Deployment', 'Deployment')
        """
        head, _, rest = name.lower().rstrip(".").partition(".")
        named = self._names().get(head, ())
        if not rest:
            return named[0] if named else None
        version, _, group = rest.partition(".")
        for kind in named:
            if kind.group == rest:
                return kind
        for kind in named:
            if kind.version == version and kind.group == group:
                return kind
        return None

    def with_kinds(self, more: Iterable[Kind]) -> Registry:
        """Return a registry with these kinds added behind its own; its own win shared names."""
        return Registry((*self._all, *more))

    def _names(self) -> dict[str, list[Kind]]:
        """Index plurals, then singulars, then short names; built when first asked."""
        if self._by_name is None:
            found: dict[str, dict[Kind, None]] = {}
            for kind in self._all:
                found.setdefault(kind.plural.lower(), {})[kind] = None
            for kind in self._all:
                found.setdefault(kind.singular.lower(), {})[kind] = None
                found.setdefault(kind.kind.lower(), {})[kind] = None
            for kind in self._all:
                for short in kind.short_names:
                    found.setdefault(short, {})[kind] = None
            self._by_name = {name: list(those) for name, those in found.items()}
        return self._by_name


class Growing(Registry):
    """The kinds of another registry, and behind them those of custom resource definitions.

    The definitions are read when a name is asked for that the other registry does not have, so
    whoever asks for built-in kinds alone never pays for them. Like every registry it never changes:
    when definitions change there is another one.
    """

    __slots__ = ("_base", "_full", "_load", "_stored")

    def __init__(self, base: Registry, load: Callable[[], tuple[list[Kind], dict[str, Kind]]]) -> None:
        super().__init__(())
        self._base = base
        self._load = load
        self._full: Registry | None = None
        self._stored: dict[str, Kind] = {}

    def _whole(self) -> Registry:
        """Return the registry with the kinds of the definitions, which are read now."""
        if self._full is None:
            served, self._stored = self._load()
            self._full = self._base.with_kinds(served) if served else self._base
        return self._full

    def all(self) -> list[Kind]:
        """Return every kind in every served version, in discovery's order."""
        return self._whole().all()

    def by_kind(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind an object names by its ``apiVersion`` and ``kind``."""
        return self._base.by_kind(api_version, kind) or self._whole().by_kind(api_version, kind)

    def by_path(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind behind a request path's group, version and plural."""
        return self._base.by_path(group, version, plural) or self._whole().by_path(group, version, plural)

    def storage(self, resource: str) -> Kind:
        """Return the kind and version that objects of a group resource are stored in."""
        try:
            return self._base.storage(resource)
        except KeyError:
            found = self._whole()
            return self._stored[resource] if resource in self._stored else found.storage(resource)

    def category(self, name: str) -> list[Kind]:
        """Return the kinds of a category (``all``), one version each."""
        return self._whole().category(name)

    def find(self, name: str) -> Kind | None:
        """Return the kind a user means; a name that is built in never means a custom resource."""
        return self._base.find(name) or self._whole().find(name)

    def with_kinds(self, more: Iterable[Kind]) -> Registry:
        """Return a registry with these kinds added behind its own."""
        return self._whole().with_kinds(more)


@cache
def builtin() -> Registry:
    """Return the kinds of Kubernetes 1.36 and kctl's own."""
    return Registry(_read_table())


def _split(text: str) -> tuple[str, ...]:
    """Read a comma-separated column."""
    return () if text == "-" else tuple(text.split(","))


def _group_version(text: str) -> tuple[str, str]:
    """Split ``apps/v1``; the core group's ``v1`` has no group."""
    group, _, version = text.rpartition("/")
    return group, version


def _read_table() -> Iterable[Kind]:
    """Read the rows of :data:`kctl.api.kinds.TABLE`."""
    group = version = ""
    for line in kinds.TABLE.splitlines():
        columns = line.split()
        if len(columns) == 1:
            group, version = _group_version(columns[0])
        elif columns:
            plural, kind, scope, short, categories, verbs, subresources = columns
            yield Kind(
                group,
                version,
                kind,
                plural,
                kind.lower(),
                scope == "ns",
                _split(short),
                _split(categories),
                kinds.FULL if verbs == "*" else _split(verbs),
                _split(subresources),
            )


@cache
def _subresources() -> dict[str, Body]:
    """Read :data:`kctl.api.kinds.SUBRESOURCES`."""
    rows = (line.split() for line in kinds.SUBRESOURCES.strip().splitlines())
    return {path: (*_group_version(gv), kind, _split(verbs)) for path, gv, kind, verbs in rows}
