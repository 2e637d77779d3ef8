"""Custom resource definitions at work: the kinds they bring, and what the server does about them.

In: the definitions in the storage. Out: the registry as it is now, which follows them (also when
another process writes, and when a fork is taken back), and the writes that upstream's controllers
within the API server make: names and establishing, and taking instances away with their definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.clock import rfc3339
from kctl.api.objects import Key, Obj
from kctl.api.registry import Growing, Kind, Registry
from kctl.apiserver.storage import Event

if TYPE_CHECKING:
    from kctl.apiserver.request import Request
    from kctl.apiserver.server import APIServer

RESOURCE = "customresourcedefinitions.apiextensions.k8s.io"
GROUP = "apiextensions.k8s.io"
MANAGER = "kube-apiserver"


class Definitions:
    """The definitions of one server; nothing is read before a kind is asked for that is not built in."""

    def __init__(self, server: APIServer, base: Registry) -> None:
        self._server = server
        self._base = base
        self._registry: Registry | None = None
        self._known: dict[str, tuple[Obj, list[Kind], Kind | None]] = {}
        self.settled: dict[str, Obj] = {}
        """Those that have all they wish for, and need no more looking at while they stay as they are."""
        server.storage.subscribe(RESOURCE, self._changed)

    @property
    def registry(self) -> Registry:
        """The kinds there are now; another one whenever definitions changed."""
        if self._registry is None:
            self._registry = Growing(self._base, self._load)
        return self._registry

    def _changed(self, event: Event) -> None:
        self._registry = None

    def _load(self) -> tuple[list[Kind], dict[str, Kind]]:
        served: list[Kind] = []
        stored: dict[str, Kind] = {}
        objects = self._server.storage.objects(RESOURCE)
        if not objects:
            return served, stored
        from kctl.api.crd import version

        for key in sorted(objects):
            definition = objects[key]
            if not version.is_established(definition):
                continue
            known = self._known.get(key.name)
            if known is None or known[0] is not definition:
                known = self._known[key.name] = self._kinds(definition)
            served += known[1]
            if known[2] is not None:
                stored[known[2].resource] = known[2]
        return sorted(served, key=lambda kind: kind.group), stored

    @staticmethod
    def _kinds(definition: Obj) -> tuple[Obj, list[Kind], Kind | None]:
        from kctl.api.crd import version

        kinds = version.kinds(definition)
        name = version.stored(definition)
        entry = next((v for v in definition["spec"]["versions"] if v["name"] == name), None)
        if not kinds or entry is None:
            return definition, kinds, None
        stored = kinds[0]._replace(version=name, custom=version.version_of(definition, entry))
        return definition, kinds, next((kind for kind in kinds if kind.version == name), stored)


def settle(server: APIServer) -> None:
    """Give every definition the status it deserves, and let go what nothing holds any more."""
    from kctl.api.crd import naming, version

    now = rfc3339(server.clock.now())
    known = server.definitions.settled
    for key in sorted(server.storage.objects(RESOURCE)):
        definition = server.storage.objects(RESOURCE)[key]
        if known.get(key.name) is definition:
            continue
        if definition["metadata"].get("deletionTimestamp"):
            _finalize(server, key, definition, now)
            continue

        def names(key: Key = key, group: str = definition["spec"]["group"]) -> naming.Names:
            return naming.taken((d for k, d in server.storage.objects(RESOURCE).items() if k != key), group)

        new = naming.settled(definition, names, now)
        if new is not definition:
            _put(server, key, new, definition)
        elif version.is_established(new) and new["status"]["acceptedNames"] == new["spec"]["names"]:
            known[key.name] = new


def _put(server: APIServer, key: Key, new: Obj, old: Obj) -> Obj:
    """Write a definition's status as the server itself."""
    from kctl.apiserver import rules

    kind = server.registry.storage(RESOURCE)
    now = server.clock.now()
    new = rules.owned(kind, new, old, manager=MANAGER, now=now, subresource="status")
    return server.storage.put(RESOURCE, key, new)


def _finalize(server: APIServer, key: Key, definition: Obj, now: str) -> None:
    """Delete the instances of a definition that goes, and then the definition."""
    from kctl.api.crd import naming
    from kctl.apiserver import update

    if naming.FINALIZER not in (definition["metadata"].get("finalizers") or ()):
        return
    left = _delete_instances(server, key.name)
    new = naming.leaving(definition, now, left=left)
    if left:
        if new != definition:
            _put(server, key, new, definition)
        return
    gone = naming.without_finalizer(new)
    if update.deletable(gone):
        server.storage.remove(RESOURCE, key, gone)
        settle(server)  # the names are free now
    else:
        _put(server, key, gone, definition)


def _delete_instances(server: APIServer, resource: str) -> int:
    """Delete every object of a resource as far as finalizers let; return how many are left."""
    from kctl.apiserver import delete
    from kctl.apiserver.request import Request

    kind = server.definitions_kind(resource)
    if kind is None:
        return 0
    for key, obj in sorted(server.storage.objects(resource).items()):
        request = Request("delete", kind, key.namespace, key.name)
        delete.remove(server, request, resource, obj)
    return len(server.storage.objects(resource))


def after_write(server: APIServer, request: Request) -> None:
    """Do what a write of a definition, or of an instance of one that goes, makes necessary."""
    if request.options.dry_run:
        return
    if request.kind.resource == RESOURCE or (request.kind.custom is not None and request.kind.custom.is_terminating):
        settle(server)


def doom(server: APIServer, old: Obj) -> Obj:
    """Begin the deletion of a definition: it waits for its instances, as the storage of definitions has it."""
    from kctl.api.crd import naming

    key = Key("", old["metadata"]["name"])
    return server.storage.put(RESOURCE, key, naming.doomed(old, rfc3339(server.clock.now())))
