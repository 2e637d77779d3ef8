"""The client in the same process: calls become structured requests, no bytes, no URLs.

It goes through the whole pipeline of the API server, as any other client; only parsing is saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.api.registry import Kind
from kctl.apiserver.request import ADMIN, Options, Request, component
from kctl.apiserver.request import Listing as ServerListing
from kctl.apiserver.server import ALLOW_ALL
from kctl.client.client import Client, Listing, PatchType, Propagation, Warnings, Watch

if TYPE_CHECKING:
    from kctl.api.recorded import Recorded
    from kctl.apiserver.alike_statuses import Statuses
    from kctl.apiserver.server import APIServer


def _namespace(event: Recorded) -> str:
    return event[0].namespace


class LocalClient:
    """A Client that calls an APIServer directly, as one user and one field manager."""

    def __init__(self, server: APIServer, *, user: str = ADMIN.name, field_manager: str = "kctl") -> None:
        self._server = server
        self._user = component(user)
        self._manager = field_manager
        self._registry = server.registry
        self._kinds: dict[tuple[str, str], Kind] = {}

    def as_user(self, user: str, *, field_manager: str = "") -> LocalClient:
        """Return a client of the same server for another user."""
        return LocalClient(self._server, user=user, field_manager=field_manager or self._manager)

    def in_a_row(self) -> Client:
        """Return the client for many requests in a row, with nobody else's in between."""
        return RowClient(self._server, user=self._user.name, field_manager=self._manager)

    def _kind(self, resource: str, api_version: str = "") -> Kind:
        """Return the kind of a resource in the version of the object at hand, or as stored."""
        if self._registry is not self._server.registry:
            self._registry = self._server.registry
            self._kinds.clear()
        kind = self._kinds.get((resource, api_version))
        if kind is None:
            kind = self._kinds[resource, api_version] = self._find_kind(resource, api_version)
        return kind

    def _find_kind(self, resource: str, api_version: str) -> Kind:
        from kctl.apiserver.request import unknown_resource

        registry = self._server.registry
        plural, _, group = resource.partition(".")
        if api_version:
            sent_group, _, version = api_version.rpartition("/")
            if sent_group == group:
                found = registry.by_path(group, version, plural)
                if found is not None:
                    return found
        try:
            stored = registry.storage(resource)
        except KeyError:
            raise unknown_resource() from None
        if stored.resource == resource:
            return stored
        found = next((k for k in registry.all() if k.resource == resource), None)
        return found or stored

    def _request(self, verb: str, kind: Kind, namespace: str, name: str, **more: Any) -> Request:
        options = more.pop("options", None) or Options(field_manager=self._manager)
        namespace = namespace if kind.namespaced else ""
        return Request(verb, kind, namespace, name, options=options, user=self._user, **more)

    def _handle(self, request: Request) -> Obj:
        return cast("Obj", self._server.handle(request))

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        """Return the object; NotFound when there is none."""
        return self._handle(self._request("get", self._kind(resource), namespace, name))

    def find_many(self, resource: str, keys: Sequence[Key]) -> Sequence[Obj | None]:
        """Return the objects with these keys, None in the place of one that is not there."""
        server, kind = self._server, self._kind(resource)
        for namespace in {key.namespace for key in keys}:
            if not self._may(self._request("get", kind, namespace, "")):
                for key in keys:
                    server.authorize(self._request("get", kind, *key))
        get = server.storage.objects(server.stored_as(kind.resource)).get
        found = map(get, keys if kind.namespaced else [Key("", key.name) for key in keys])
        return [None if obj is None else server.in_version(kind, obj) for obj in found]

    def _may(self, request: Request) -> bool:
        """Say whether the user may ask for this, whatever the name: then it need not be asked for every name."""
        try:
            self._server.authorize(request)
        except StatusError:
            return False
        return True

    def list(
        self, resource: str, namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> Listing:
        """Return the objects of one namespace, or of all when ``namespace`` is ""."""
        options = Options(label_selector=label_selector, field_selector=field_selector)
        request = self._request("list", self._kind(resource), namespace, "", options=options)
        found = cast("ServerListing", self._server.handle(request))
        return Listing(found.items, found.revision)

    def watch(self, resource: str, *, revision: int) -> Watch:
        """Subscribe to every change of the resource after ``revision``; Expired when compacted."""
        self._server.authorize(self._request("watch", self._kind(resource), "", ""))
        return cast("Watch", self._server.watch(resource, revision))

    def create(self, resource: str, obj: Obj, *, subresource: str = "", dry_run: bool = False) -> Obj:
        """Create the object and return it as stored; AlreadyExists, Invalid, Forbidden.

        With ``subresource`` the object is a request about the one of its name: a TokenRequest.
        """
        kind = self._kind(resource, "" if subresource else obj.get("apiVersion", ""))
        namespace = obj["metadata"].get("namespace") or ""
        name = obj["metadata"]["name"] if subresource else ""
        options = Options(field_manager=self._manager, dry_run=dry_run)
        return self._handle(
            self._request("create", kind, namespace, name, subresource=subresource, body=obj, options=options)
        )

    def create_many(self, resource: str, template: Obj, metadata: Sequence[Obj]) -> Sequence[Obj]:
        """Create one object per metadata from one template, validated once; stops at the first error."""
        from kctl.apiserver import batch

        kind = self._kind(resource, template.get("apiVersion", ""))
        if not metadata:
            return []
        request = self._request("create", kind, metadata[0].get("namespace") or "", "")
        self._server.authorize(request)
        return batch.create_many(self._server, request, template, metadata)

    def record(self, events: Sequence[Recorded]) -> Sequence[StatusError | None]:
        """Create Events one by one, as components record them; return why each was refused, None for those made."""
        from kctl.apiserver import batch

        kind = self._kind("events", "v1")
        out: list[StatusError | None] = []
        for namespace, found in groupby(events, _namespace):
            run = list(found)
            request = self._request("create", kind, namespace, "")
            try:
                self._server.authorize(request)
                out += batch.create_events(self._server, request, run)
            except StatusError as error:
                out += (error,) * len(run)
        return out

    def update(
        self, resource: str, obj: Obj, *, subresource: str = "", dry_run: bool = False, like: object = None
    ) -> Obj:
        """Replace the object; Conflict when its resourceVersion is not the current one."""
        kind = self._kind(resource, obj.get("apiVersion", ""))
        meta = obj["metadata"]
        options = Options(field_manager=self._manager, dry_run=dry_run)
        return self._handle(
            self._request(
                "update",
                kind,
                meta.get("namespace") or "",
                meta["name"],
                subresource=subresource,
                body=obj,
                options=options,
            )
        )

    def update_each(self, resource: str, objs: Sequence[Obj], *, subresource: str = "") -> Sequence[Obj | StatusError]:
        """Replace the objects one by one and return each as stored, or why it was refused."""
        row = self.in_a_row()
        out: list[Obj | StatusError] = []
        for obj in objs:
            try:
                out.append(row.update(resource, obj, subresource=subresource))
            except StatusError as error:
                out.append(error)
        return out

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
        options = Options(field_manager=self._manager, dry_run=dry_run)
        return self._handle(
            self._request(
                "patch",
                self._kind(resource),
                key.namespace,
                key.name,
                subresource=subresource,
                body=patch,
                patch_type=type,
                options=options,
            )
        )

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
        """Server-side apply; Conflict names the fields that other managers own."""
        kind = self._kind(resource, obj.get("apiVersion", ""))
        meta = obj["metadata"]
        options = Options(field_manager=field_manager, force=force, dry_run=dry_run)
        return self._handle(
            self._request(
                "apply",
                kind,
                meta.get("namespace") or "",
                meta["name"],
                subresource=subresource,
                body=obj,
                options=options,
                warnings=warnings,
            )
        )

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
        options = Options(uid=uid, grace=grace, propagation=propagation or "", dry_run=dry_run)
        return self._handle(self._request("delete", self._kind(resource), key.namespace, key.name, options=options))

    def delete_each(
        self,
        resource: str,
        wanted: Sequence[tuple[Key, str]],
        *,
        grace: int | None = None,
        propagation: Propagation | None = None,
    ) -> Sequence[Obj | StatusError]:
        """Delete each (object, uid), "" for any uid; stops after the first refusal, but for what is gone already."""
        from kctl.apiserver import deletions

        kind = self._kind(resource)
        options = Options(grace=grace, propagation=propagation or "")
        out: list[Obj | StatusError] = []
        for namespace, found in groupby(wanted, lambda one: one[0].namespace):
            run = list(found)
            request = self._request("delete", kind, namespace, "", options=options)
            if self._may(request):
                out += deletions.each(self._server, request, run)
            else:
                out += self._delete_alone(request, run)
            if isinstance(out[-1], StatusError) and out[-1].reason not in deletions.GONE:
                break
        return out

    def _delete_alone(self, request: Request, wanted: Sequence[tuple[Key, str]]) -> Iterator[Obj | StatusError]:
        """Delete each, asking for each whether the user may; end with the first that is refused."""
        from kctl.apiserver import deletions

        for one in wanted:
            try:
                self._server.authorize(request._replace(name=one[0].name))
            except StatusError as error:
                yield error
                return
            yield from deletions.each(self._server, request, [one])

    def delete_collection(self, resource: str, namespace: str, *, propagation: Propagation | None = None) -> None:
        """Delete all objects of a namespace."""
        from kctl.apiserver import deletions

        options = Options(propagation=propagation or "")
        request = self._request("deletecollection", self._kind(resource), namespace, "", options=options)
        self._server.authorize(request)
        deletions.empty(self._server, request)

    def bind(self, key: Key, uid: str, node: str) -> None:
        """Bind a pod to a node; Conflict when it is bound already."""
        from kctl.apiserver import binding

        self._authorize_binding(key)
        binding.bind(self._server, key, uid=uid, node=node)

    def _authorize_binding(self, key: Key) -> None:
        if self._server.authorization != ALLOW_ALL:
            pods = self._kind("pods")
            self._server.authorize(self._request("create", pods, key.namespace, key.name, subresource="binding"))

    def bind_many(self, bindings: Sequence[tuple[Key, str, str]]) -> None:
        """Bind each (pod, uid, node)."""
        from kctl.apiserver import binding

        for namespace in dict.fromkeys(key.namespace for key, _, _ in bindings):
            if not self._may(self._request("create", self._kind("pods"), namespace, "", subresource="binding")):
                for key, _, _ in bindings:
                    self._authorize_binding(key)
        binding.bind_many(self._server, bindings)

    def evict(self, key: Key, *, grace: int | None = None, dry_run: bool = False) -> None:
        """Evict a pod through the eviction API; TooManyRequests when a budget forbids it."""
        from kctl.apiserver import eviction

        request = self._request("create", self._kind("pods"), key.namespace, key.name, subresource="eviction")
        self._server.authorize(request)
        eviction.evict(self._server, request, key, grace=grace, dry_run=dry_run)


class RowClient(LocalClient):
    """The client of one row: what was found out about one request holds for those after it.

    Only statuses of pods and deletions add up to so many that it matters.
    """

    _statuses: Statuses | None = None
    _deletions: dict[tuple[object, ...], Request | None] | None = None
    """What is the same in deletions, and allowed whatever the name; None where each is to be asked about."""

    def in_a_row(self) -> Client:
        """Return the client itself: the row goes on."""
        return self

    def update(
        self, resource: str, obj: Obj, *, subresource: str = "", dry_run: bool = False, like: object = None
    ) -> Obj:
        """Replace the object as any other client does."""
        if resource != "pods" or subresource != "status" or dry_run or obj.get("apiVersion") != "v1":
            return super().update(resource, obj, subresource=subresource, dry_run=dry_run)
        if self._statuses is None:
            from kctl.apiserver.alike_statuses import Statuses

            self._statuses = Statuses(self._server, self._request("update", self._kind("pods"), "", ""))
        return self._statuses.update(obj, like)

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
        """Delete the object as any other client does."""
        from kctl.apiserver import deletions

        if self._deletions is None:
            self._deletions = {}
        place = (resource, key.namespace, grace, propagation)
        if place not in self._deletions:
            options = Options(grace=grace, propagation=propagation or "")
            request = self._request("delete", self._kind(resource), key.namespace, "", options=options)
            self._deletions[place] = request if self._may(request) else None
        same = self._deletions[place]
        if same is None or dry_run:
            return super().delete(resource, key, uid=uid, grace=grace, propagation=propagation, dry_run=dry_run)
        return deletions.one(self._server, same, key, uid)
