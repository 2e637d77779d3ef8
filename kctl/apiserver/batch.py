"""create_many: one template, many objects, checked once.

The first object takes the whole pipeline. The others differ from it in metadata alone, so they
share its spec and what it was found to own; only existence is looked at again. Names are taken
to be made by one rule, so that the first being valid means all are.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.errors import already_exists
from kctl.api.objects import Obj, key_of
from kctl.apiserver import create, metadata
from kctl.apiserver.request import Request
from kctl.apiserver.server import APIServer

SHAPE = ("namespace", "labels", "annotations", "finalizers", "ownerReferences")
"""Metadata that must be alike for objects to count as made from one template."""


def create_many(server: APIServer, request: Request, template: Obj, metas: Sequence[Obj]) -> list[Obj]:
    """Create one object per metadata; stops at the first error."""
    out: list[Obj] = []
    first: Obj | None = None
    shape: list[object] = []
    for meta in metas:
        alike = first is not None and shape == [meta.get(field) for field in SHAPE]
        if not alike or first is None or not meta.get("name"):
            body = {**template, "metadata": meta}
            namespaced = request._replace(namespace=meta.get("namespace") or request.namespace, body=body)
            first = create.handle(server, namespaced)
            shape = [meta.get(field) for field in SHAPE]
            out.append(first)
            continue
        out.append(_another(server, request, first, meta))
    return out


def _another(server: APIServer, request: Request, first: Obj, meta: Obj) -> Obj:
    """Store one more object like ``first`` under its own metadata."""
    kind = request.kind
    given = {**meta, "managedFields": first["metadata"].get("managedFields")}
    if kind.namespaced:
        given["namespace"] = meta.get("namespace") or request.namespace
    if first["metadata"].get("generation"):
        given["generation"] = first["metadata"]["generation"]
    obj = metadata.fill_new(
        kind, {**first, "metadata": given}, seed=server.seed, revision=server.revision + 1, now=server.clock.now()
    )
    resource = server.stored_as(kind.resource)
    key = key_of(obj)
    if server.storage.get(resource, key) is not None:
        raise already_exists(kind.resource, key.name)
    return server.storage.put(resource, key, obj)
