"""The API server: the only door to the store.

Every request, from a component in the process or over HTTP, takes the same way: authorise,
decode, own, default, mutate, allocate, prepare, validate, store. The verbs live in one file
each and are loaded when first used, so that reading costs no more than reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kctl.api import names
from kctl.api.clock import Clock, rfc3339
from kctl.api.objects import Key, Obj, evolve
from kctl.api.registry import Kind, Registry, builtin
from kctl.apiserver import bootstrap, definitions
from kctl.apiserver.request import MASTERS, Listing, Request, User, wrong_method
from kctl.apiserver.storage import Storage, Subscription

if TYPE_CHECKING:
    from pathlib import Path

    from kctl.api.patch.outline import Memo
    from kctl.apiserver.admission import Admission
    from kctl.apiserver.alike import Models
    from kctl.apiserver.allocate import Allocator
    from kctl.apiserver.authz import Authorizer
    from kctl.apiserver.http import HTTPResponse
    from kctl.apiserver.jwt import SigningKey
    from kctl.store.api import Store

ALLOW_ALL = ("AlwaysAllow",)


class APIServer:
    """Serves one store.

    Writes are numbered and visible in memory at once; :meth:`commit` makes them durable.
    ``frozen`` (tests) makes every stored object refuse changes in place.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        registry: Registry | None = None,
        seed: int = 0,
        admission: Mapping[str, Any] | None = None,
        service_cidr: str = "10.96.0.0/12",
        node_ports: tuple[int, int] = (30000, 32767),
        frozen: bool = False,
        authorization: tuple[str, ...] = ALLOW_ALL,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.authorization = authorization
        self._service_cidr = service_cidr
        self.storage = Storage(store, clock, frozen=frozen, given=self._given)
        self.definitions = definitions.Definitions(self, registry or builtin())
        self._authorizer: Authorizer | None = None
        self.static_tokens: Mapping[str, User] = {}
        """Tokens a front was configured with (--token-auth-file) and whose they are."""
        self._admission_config = admission
        self._admission: Admission | None = None
        self._node_ports = node_ports
        self._allocator: Allocator | None = None
        self._ownership: Memo | None = None
        self._models: Models | None = None
        self.folder: Path | None = None
        """Where secrets of the server's own are kept; the plane says so, None: in memory only."""
        self.token_key: SigningKey | None = None
        self._previews = 0
        if admission:
            self.admission  # noqa: B018 - a plugin that does not exist is told now
        if self.storage.revision == 0:
            for resource, key, obj in bootstrap.objects(seed, clock.now(), service_cidr):
                self.storage.put(resource, key, obj)

    def restore(self) -> None:
        """Make again what every cluster starts with and somebody deleted, as upstream's own controllers do."""
        for resource, key, obj in bootstrap.objects(self.seed, self.clock.now(), self._service_cidr):
            if self.storage.get(resource, key) is None:
                uid = names.uid(self.seed, resource, key.namespace, key.name, self.revision)
                self.storage.put(resource, key, evolve(obj, {"metadata": {"uid": uid}}))

    @property
    def registry(self) -> Registry:
        """Return the kinds there are now, those of custom resources among them; it changes with their definitions."""
        return self.definitions.registry

    def definitions_kind(self, resource: str) -> Kind | None:
        """Return the kind that instances of a definition are stored in; None when it is not served."""
        try:
            return self.registry.storage(resource)
        except KeyError:
            return None

    @property
    def revision(self) -> int:
        """Return the revision of the last write."""
        return self.storage.revision

    @property
    def authorizer(self) -> Authorizer:
        """Return what says who may do what."""
        if self._authorizer is None:
            from kctl.apiserver.authz import Authorizer

            self._authorizer = Authorizer(self, self.authorization)
        return self._authorizer

    def authorize(self, request: Request) -> None:
        """Forbidden unless the user of the request may do what it asks."""
        if self.authorization != ALLOW_ALL and MASTERS not in request.user.groups:
            self.authorizer.check_request(request)

    def _given(self, resource: str) -> Mapping[Key, Obj]:
        """Return what every cluster has of a resource although nobody wrote it: service ranges, roles and bindings."""
        is_range = resource == bootstrap.RANGES
        if not is_range and not ("RBAC" in self.authorization and resource.endswith(".rbac.authorization.k8s.io")):
            return {}
        began = self.storage.get("namespaces", Key("", "kube-system"))
        created = began["metadata"]["creationTimestamp"] if began else rfc3339(self.clock.now())
        if is_range:
            return bootstrap.service_range(self.seed, created, self._service_cidr)
        from kctl.apiserver import bootstrap_rbac

        return bootstrap_rbac.objects(resource, self.seed, created)

    def next_preview(self) -> int:
        """Return the number of a dry run, so that each shows an object of its own."""
        self._previews += 1
        return self._previews

    def handle(self, request: Request) -> Obj | Listing:
        """Carry out one request and return its answer; StatusError when the server refuses."""
        self.authorize(request)
        verb = request.verb
        if request.subresource:
            from kctl.apiserver import subresources

            return subresources.handle(self, request)
        if verb == "get" or verb == "list":
            from kctl.apiserver import read

            return read.get(self, request) if verb == "get" else read.list_(self, request)
        if verb not in request.kind.verbs and verb != "apply":
            raise wrong_method()
        if request.kind.group == "rbac.authorization.k8s.io":
            from kctl.apiserver import rbac_writes

            return rbac_writes.handle(self, request)
        answer = self.write(request)
        if request.kind.custom is not None or request.kind.group == definitions.GROUP:
            definitions.after_write(self, request)
        return answer

    def write(self, request: Request) -> Obj | Listing:
        """Carry out a write that is authorised."""
        verb = request.verb
        if verb == "create":
            if "get" not in request.kind.verbs:
                return self._ask(request)
            from kctl.apiserver import create

            return create.handle(self, request)
        if verb == "update":
            from kctl.apiserver import update

            return update.handle(self, request)
        if verb == "patch" or verb == "apply":
            from kctl.apiserver import patch

            return patch.handle(self, request)
        if verb == "deletecollection":
            from kctl.apiserver import deletions

            return deletions.collection(self, request)
        from kctl.apiserver import delete

        return delete.handle(self, request)

    def _ask(self, request: Request) -> Obj:
        """Answer kinds that are never stored: Bindings and reviews."""
        if request.kind.kind == "Binding":
            from kctl.apiserver import binding

            return binding.handle(self, request)
        from kctl.apiserver import reviews

        return reviews.handle(self, request)

    def http(
        self,
        method: str,
        path: str,
        body: bytes | str | Obj | list[Any] | None = None,
        content_type: str = "",
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        user: User | Mapping[str, Any] | str | None = None,
    ) -> HTTPResponse:
        """Answer one HTTP request; never raises. ``user`` None is the admin, "" is anonymous."""
        from kctl.apiserver import http

        return http.serve(self, method, path, body, content_type, headers, user)

    def watch(self, resource: str, revision: int) -> Subscription:
        """Subscribe to every change of a resource after ``revision``; Expired when compacted."""
        return self.storage.watch(self.stored_as(resource), revision)

    def stored_as(self, resource: str) -> str:
        """Return the resource that objects of ``resource`` are stored under."""
        try:
            return self.registry.storage(resource).resource
        except KeyError:
            return resource

    def commit(self, *, cause: str = "", request_id: bytes = b"", always: bool = False) -> None:
        """Make all writes so far durable as one entry; HeadMoved when another process wrote.

        After HeadMoved call :meth:`refresh` and redo the work. Without writes nothing is
        stored, unless ``always``: then the entry holds the time alone.
        """
        self.storage.commit(cause=cause, request_id=request_id, always=always)

    def refresh(self) -> bool:
        """Take in what other processes committed; uncommitted writes are dropped."""
        return self.storage.refresh()

    @contextmanager
    def fork(self) -> Iterator[None]:
        """Let everything written inside be taken back at the end; nothing of it is stored."""
        with self.storage.fork():
            yield

    def compact(self) -> None:
        """Forget all history, as a server restarted after a compaction."""
        self.storage.compact()

    @property
    def admission(self) -> Admission:
        """Return the admission chain."""
        if self._admission is None:
            from kctl.apiserver.admission import Admission

            self._admission = Admission(self, self._admission_config)
        return self._admission

    @property
    def allocator(self) -> Allocator:
        """Return the allocator of service addresses and node ports."""
        if self._allocator is None:
            from kctl.apiserver.allocate import Allocator

            self._allocator = Allocator(self.storage, self._node_ports)
        return self._allocator

    @property
    def ownership(self) -> Memo:
        """Return what is remembered of who owns what after writes alike."""
        if self._ownership is None:
            from kctl.api.patch.outline import Memo

            self._ownership = Memo()
        return self._ownership

    @property
    def models(self) -> Models:
        """Return the writes that others may be like."""
        if self._models is None:
            from kctl.apiserver.alike import Models

            self._models = Models()
        return self._models

    def in_version(self, kind: Kind, obj: Obj) -> Obj:
        """Return a stored object in the version of ``kind``."""
        if kind.custom is not None:
            from kctl.api.crd import decoding

            return decoding.read(kind, kind.custom, obj)
        if obj.get("apiVersion") == kind.api_version:
            return obj
        from kctl.apiserver import convert

        return convert.to_version(kind, obj)
