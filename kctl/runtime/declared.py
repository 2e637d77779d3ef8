"""A client that writes only the kinds its owner has declared.

In: a client, the resources of a controller's ``writes``. Out: the same client, for which any other write is an
:class:`UndeclaredWrite`: a bug of the controller, contained as any other. ``*`` declares everything,
``*/scale`` the scale of every kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj

if TYPE_CHECKING:
    from kctl.api.recorded import Recorded
    from kctl.client.client import Client

EVERYTHING = "*"


class UndeclaredWrite(LookupError):
    """A controller wants to write a kind that it has not declared."""


def only(client: Client, resources: Iterable[str], name: str) -> Client:
    """Return the client as the loop called ``name`` may use it."""
    declared = frozenset(resources)
    return client if EVERYTHING in declared else cast("Client", _Declared(client, declared, name))


class _Declared:
    """Passes everything on; checks what is written first."""

    def __init__(self, client: Client, declared: frozenset[str], name: str) -> None:
        self._client = client
        self._declared = declared
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _check(self, resource: str) -> None:
        if resource not in self._declared:
            raise UndeclaredWrite(f"{self._name} has not declared that it writes {resource}")

    def create(self, resource: str, obj: Obj, **more: Any) -> Obj:
        """Create an object of a declared kind."""
        self._check(resource)
        return self._client.create(resource, obj, **more)

    def create_many(self, resource: str, template: Obj, metadata: Sequence[Obj]) -> Sequence[Obj]:
        """Create objects of a declared kind."""
        self._check(resource)
        return self._client.create_many(resource, template, metadata)

    def record(self, events: Sequence[Recorded]) -> Sequence[StatusError | None]:
        """Record Events, when they are declared."""
        self._check("events")
        return self._client.record(events)

    def update(self, resource: str, obj: Obj, **more: Any) -> Obj:
        """Replace an object of a declared kind, or its declared subresource."""
        if resource not in self._declared and f"*/{more.get('subresource')}" not in self._declared:
            self._check(resource)
        return self._client.update(resource, obj, **more)

    def update_each(self, resource: str, objs: Sequence[Obj], **more: Any) -> Sequence[Obj | StatusError]:
        """Replace objects of a declared kind, or their declared subresource."""
        if f"*/{more.get('subresource')}" not in self._declared:
            self._check(resource)
        return self._client.update_each(resource, objs, **more)

    def in_a_row(self) -> Client:
        """Return the client for many requests in a row; it checks as this one does."""
        return cast("Client", _Declared(self._client.in_a_row(), self._declared, self._name))

    def patch(self, resource: str, key: Key, patch: Any, **more: Any) -> Obj:
        """Patch an object of a declared kind."""
        self._check(resource)
        return self._client.patch(resource, key, patch, **more)

    def apply(self, resource: str, obj: Obj, **more: Any) -> Obj:
        """Apply an object of a declared kind."""
        self._check(resource)
        return self._client.apply(resource, obj, **more)

    def delete(self, resource: str, key: Key, **more: Any) -> Obj:
        """Delete an object of a declared kind."""
        self._check(resource)
        return self._client.delete(resource, key, **more)

    def delete_each(self, resource: str, wanted: Sequence[tuple[Key, str]], **more: Any) -> Sequence[Obj | StatusError]:
        """Delete objects of a declared kind."""
        self._check(resource)
        return self._client.delete_each(resource, wanted, **more)

    def delete_collection(self, resource: str, namespace: str, **more: Any) -> None:
        """Delete all objects of a declared kind in a namespace."""
        self._check(resource)
        self._client.delete_collection(resource, namespace, **more)

    def bind(self, key: Key, uid: str, node: str) -> None:
        """Bind a pod, when pods are declared."""
        self._check("pods")
        self._client.bind(key, uid, node)

    def bind_many(self, bindings: Sequence[tuple[Key, str, str]]) -> None:
        """Bind pods, when pods are declared."""
        self._check("pods")
        self._client.bind_many(bindings)

    def evict(self, key: Key, **more: Any) -> None:
        """Evict a pod, when pods are declared."""
        self._check("pods")
        self._client.evict(key, **more)
