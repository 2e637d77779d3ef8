"""The Client protocol: how every component talks to the API server.

Resources are named by their *group resource*: ``pods``, ``deployments.apps``. Every method
raises :class:`kctl.api.errors.StatusError` with the server's own reason, code and message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj

if TYPE_CHECKING:
    from kctl.api.recorded import Recorded

Propagation = Literal["Background", "Foreground", "Orphan"]
Warnings = list[str]
PatchType = Literal["merge", "json", "strategic"]
EventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]


class WatchEvent(NamedTuple):
    """One change of one object. ``old`` is what the object was before, None when it was new."""

    type: EventType
    resource: str
    object: Obj
    old: Obj | None


class Listing(NamedTuple):
    """A consistent list: the objects, sorted by namespace and name, and its revision."""

    items: list[Obj]
    revision: int


class Watch(Protocol):
    """A subscription to changes; it never blocks."""

    def events(self) -> Iterator[WatchEvent]:
        """Yield what has happened since the last call, in order of revision."""
        ...

    def waiting(self) -> bool:
        """Say whether :meth:`events` would yield something."""
        ...

    def stop(self) -> None:
        """End the subscription."""
        ...


class Client(Protocol):
    """What a component may do with the API server, as one user."""

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        """Return the object; NotFound when there is none."""
        ...

    def find_many(self, resource: str, keys: Sequence[Key]) -> Sequence[Obj | None]:
        """Return the objects with these keys, None in the place of one that is not there."""
        ...

    def list(
        self, resource: str, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing:
        """Return the objects of one namespace, or of all when ``namespace`` is ""."""
        ...

    def watch(self, resource: str, *, revision: int) -> Watch:
        """Subscribe to every change of the resource after ``revision``; Expired when compacted."""
        ...

    def create(self, resource: str, obj: Obj, *, subresource: str = "", dry_run: bool = False) -> Obj:
        """Create the object and return it as stored; AlreadyExists, Invalid, Forbidden."""
        ...

    def create_many(self, resource: str, template: Obj, metadata: Sequence[Obj]) -> Sequence[Obj]:
        """Create one object per metadata from one template, validated once; stops at the first error."""
        ...

    def record(self, events: Sequence[Recorded]) -> Sequence[StatusError | None]:
        """Create Events one by one, as components record them; return why each was refused, None for those made."""
        ...

    def update(
        self, resource: str, obj: Obj, *, subresource: str = "", dry_run: bool = False, like: object = None
    ) -> Obj:
        """Replace the object; Conflict when its resourceVersion is not the current one.

        In a row, updates with the same ``like`` are alike, so that nobody has to find that out again.
        """
        ...

    def update_each(self, resource: str, objs: Sequence[Obj], *, subresource: str = "") -> Sequence[Obj | StatusError]:
        """Replace the objects one by one and return each as stored, or why it was refused."""
        ...

    def in_a_row(self) -> Client:
        """Return the client for many requests in a row, with nobody else's in between; it is let go after them.

        What was found out about one request (that it is allowed, what is made of it) holds for others like it.
        """
        ...

    def patch(
        self,
        resource: str,
        key: Key,
        patch: Any,
        *,
        type: PatchType = "merge",
        subresource: str = "",
        dry_run: bool = False,
    ) -> Obj:
        """Patch the object and return it as stored."""
        ...

    def apply(
        self,
        resource: str,
        obj: Obj,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
        warnings: Warnings | None = None,
    ) -> Obj:
        """Server-side apply; Conflict names the fields that other managers own.

        What the server remarks (its Warning headers) is added to ``warnings``.
        """
        ...

    def delete(
        self,
        resource: str,
        key: Key,
        *,
        uid: str = "",
        grace: int | None = None,
        propagation: Propagation | None = None,
        dry_run: bool = False,
    ) -> Obj:
        """Delete the object; with ``uid`` only that very one (Conflict otherwise)."""
        ...

    def delete_each(
        self,
        resource: str,
        wanted: Sequence[tuple[Key, str]],
        *,
        grace: int | None = None,
        propagation: Propagation | None = None,
    ) -> Sequence[Obj | StatusError]:
        """Delete each (object, uid), "" for any uid; stops after the first refusal, but for what is gone already.

        Returns each as :meth:`delete` leaves it, the refusals in their places.
        """
        ...

    def delete_collection(self, resource: str, namespace: str, *, propagation: Propagation | None = None) -> None:
        """Delete all objects of a namespace."""
        ...

    def bind(self, key: Key, uid: str, node: str) -> None:
        """Bind a pod to a node; Conflict when it is bound already."""
        ...

    def bind_many(self, bindings: Sequence[tuple[Key, str, str]]) -> None:
        """Bind each (pod, uid, node)."""
        ...

    def evict(self, key: Key, *, grace: int | None = None, dry_run: bool = False) -> None:
        """Evict a pod through the eviction API; TooManyRequests when a budget forbids it."""
        ...
