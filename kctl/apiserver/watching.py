"""Watch over HTTP: selectors, initial events, bookmarks, and events as the client sees them.

An object that begins to match appears as ADDED, one that ceases to match as DELETED, as the
watch cache does it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from kctl.api.errors import StatusError, forbidden_field, unprocessable
from kctl.api.objects import Obj
from kctl.apiserver import fields, negotiate, paths, read
from kctl.apiserver.request import Request
from kctl.apiserver.storage import Event, Subscription

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer


BOOKMARK_SECONDS = 60.0
"""How often a watch that asks for bookmarks gets one (cacher's defaultBookmarkFrequency)."""


class WatchStream:
    """The events of one watch; asking again yields what has happened since."""

    def __init__(
        self,
        server: APIServer,
        request: Request,
        first: list[Obj],
        subscription: Subscription | None,
        represent: Callable[[Obj], Obj],
    ) -> None:
        options = request.options
        self._server = server
        self._request = request
        self._matches = fields.matcher(request.kind, options.label_selector, options.field_selector)
        self._first = first
        self._subscription = subscription
        self._represent = represent
        self.sends_bookmarks = False
        self._marked = server.clock.now()

    def events(self) -> Iterator[Obj]:
        """Yield ``{"type", "object"}`` of what has happened up to now, at its end a bookmark when one is due."""
        first, self._first = self._first, []
        yield from first
        if self._subscription is not None:
            for event in self._subscription.events():
                shown = self._shown(event)
                if shown is not None:
                    yield shown
            now = self._server.clock.now()
            if self.sends_bookmarks and now - self._marked >= BOOKMARK_SECONDS:
                self._marked = now
                yield bookmark(self._server, self._request, self._represent)

    def stop(self) -> None:
        """End the watch."""
        if self._subscription is not None:
            self._subscription.stop()

    def _shown(self, event: Event) -> Obj | None:
        if not self.selects(event.object) and not (event.old is not None and self.selects(event.old)):
            return None
        kind, obj = event.type, event.object
        if kind != "DELETED":
            now, before = self.selects(obj), event.old is not None and self.selects(event.old)
            kind = ("MODIFIED" if before else "ADDED") if now else "DELETED"
            if not now and event.old is not None:
                meta = {**event.old["metadata"], "resourceVersion": obj["metadata"]["resourceVersion"]}
                obj = {**event.old, "metadata": meta}
        obj = self._server.in_version(self._request.kind, obj)
        return {"type": kind, "object": self._represent(obj)}

    def selects(self, obj: Obj) -> bool:
        """Say whether the watch is about the object."""
        namespace = self._request.namespace
        if namespace and obj["metadata"].get("namespace") != namespace:
            return False
        name = self._request.name
        if name and obj["metadata"]["name"] != name:
            return False
        return self._matches is None or self._matches(obj)


def open_stream(server: APIServer, request: Request, route: paths.Route, accept: str) -> WatchStream:
    """Begin a watch; what is too old is told as an ERROR event, as upstream."""
    check(route)
    represent = negotiate.representation(server, request, accept)
    version = request.options.resource_version
    revision = read.revision(version)
    initial = route.flag("sendInitialEvents")
    resource = server.stored_as(request.kind.resource)
    try:
        if version in ("", "0") or initial:
            subscription = server.storage.watch(resource, server.revision)
        else:
            subscription = server.storage.watch(resource, revision)
    except StatusError as error:
        expired = {k: v for k, v in error.status().items() if k != "details"}
        return WatchStream(server, request, [{"type": "ERROR", "object": expired}], None, represent)
    stream = WatchStream(server, request, [], subscription, represent)
    stream.sends_bookmarks = route.flag("allowWatchBookmarks")
    if version in ("", "0") or initial:
        ends = initial and stream.sends_bookmarks
        stream._first = list(_initial(server, request, stream, represent, bookmarked=ends))
    return stream


def _initial(
    server: APIServer, request: Request, stream: WatchStream, represent: Callable[[Obj], Obj], *, bookmarked: bool
) -> Iterator[Obj]:
    current = server.storage.objects(server.stored_as(request.kind.resource))
    for key in sorted(current):
        if stream.selects(current[key]):
            yield {"type": "ADDED", "object": represent(server.in_version(request.kind, current[key]))}
    if bookmarked:
        yield bookmark(server, request, represent, {"k8s.io/initial-events-end": "true"})


def bookmark(
    server: APIServer, request: Request, represent: Callable[[Obj], Obj], annotations: Obj | None = None
) -> Obj:
    """Return the event that says up to which revision a watch has seen everything."""
    meta: Obj = {"resourceVersion": str(server.revision)}
    if annotations:
        meta["annotations"] = annotations
    head = {"kind": request.kind.kind, "apiVersion": request.kind.api_version}
    return {"type": "BOOKMARK", "object": represent({**head, "metadata": meta})}


def check(route: paths.Route) -> None:
    """Refuse options that do not go together in a watch, as ValidateListOptions."""
    sends, match = route.values("sendInitialEvents"), route.value("resourceVersionMatch")
    errors = []
    if sends:
        if match != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            errors.append(forbidden_field("resourceVersionMatch", why))
    elif match:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        errors.append(forbidden_field("resourceVersionMatch", why))
    if errors:
        raise unprocessable("ListOptions", "meta.k8s.io", "", errors)
