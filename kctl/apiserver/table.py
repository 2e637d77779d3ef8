"""Table output: objects as the rows of their kind's columns, as kubectl asks for them.

In: the objects of an answer, and ``Accept: application/json;as=Table;v=v1;g=meta.k8s.io``. Out: a
meta.k8s.io Table. What the cells say is decided in :mod:`kctl.api.printers`; which clause of an
Accept header counts, in :mod:`kctl.apiserver.negotiate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kctl.api import printers
from kctl.api.errors import bad_request, invalid
from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.api.printers import Column, Printer
    from kctl.api.registry import Kind
    from kctl.apiserver.server import APIServer

META_VERSIONS = ("v1", "v1beta1")
"""The versions of meta.k8s.io whose Table and PartialObjectMetadata are served."""


def is_served(params: dict[str, str]) -> bool:
    """Say whether the server makes what an Accept clause converts to, as AllowsMediaTypeTransform."""
    return params.get("g") == "meta.k8s.io" and params.get("v") in META_VERSIONS


def check(request: Request) -> None:
    """Refuse an ``includeObject`` that says nothing, as ValidateTableOptions."""
    include = request.options.include_object
    if include not in ("", "None", "Metadata", "Object"):
        error = invalid("includeObject", include, "must be 'Metadata', 'Object', 'None', or empty")
        raise bad_request(f"Unable to convert to Table as requested: {error}")


def build(
    server: APIServer, request: Request, items: list[Obj], meta: Obj, *, version: str = "v1", headers: bool = True
) -> Obj:
    """Return the Table of objects; ``meta`` is its metadata. Later events of a watch have no headers."""
    check(request)
    printer = printer_of(server, request.kind, request.subresource)
    now = server.clock.now()
    group_version = f"meta.k8s.io/{version}"
    if printer.order is not None:
        items = sorted(items, key=printer.order)
    rows = []
    for obj in items:
        row: Obj = {"cells": printer.cells(obj, now)}
        conditions = printer.conditions(obj) if printer.conditions else None
        if conditions:
            row["conditions"] = conditions
        row["object"] = _included(obj, request.options.include_object, group_version)
        rows.append(row)
    definitions = [_definition(column) for column in printer.columns] if headers else None
    return {
        "kind": "Table",
        "apiVersion": group_version,
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def events(server: APIServer, request: Request, version: str) -> Callable[[Obj], Obj]:
    """Return how a watch shows its objects: each a Table, the first alone with headers."""
    check(request)
    is_first = True

    def shown(obj: Obj) -> Obj:
        nonlocal is_first
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        table = build(server, request, [obj], meta, version=version, headers=is_first)
        is_first = False
        return table

    return shown


def printer_of(server: APIServer, kind: Kind, subresource: str = "") -> Printer:
    """Return the printer of a kind, or of its subresource; custom resources say their columns themselves."""
    if subresource == "scale":
        return printers.of("scales.autoscaling")
    if kind.custom is None and not kind.group.endswith("kctl.dev"):
        return printers.of(kind.resource)
    from kctl.api.printers import custom

    return custom.of(kind.custom.definition if kind.custom is not None else None, kind.version)


def _included(obj: Obj, include: str, group_version: str) -> Obj | None:
    """Return what a row carries of its object."""
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": group_version, "metadata": _metadata(obj)}


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def _metadata(obj: Obj) -> Obj:
    """Return the metadata of the internal object: what a conversion adds (of DaemonSets) is not in it."""
    meta: Obj = obj["metadata"]
    annotations = meta.get("annotations") or {}
    if obj.get("kind") != "DaemonSet" or TEMPLATE_GENERATION not in annotations:
        return meta
    left = {k: v for k, v in annotations.items() if k != TEMPLATE_GENERATION}
    rest = {k: v for k, v in meta.items() if k != "annotations"}
    return {**rest, "annotations": left} if left else rest


def _definition(column: Column) -> Obj:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.about or _description(column.field),
        "priority": column.priority,
    }


def _description(path: str) -> str:
    """Return what the schema says of a field: ``core.v1.PodSpec.nodeName``."""
    if not path:
        return ""
    from kctl.api import schema

    definition, _, field = path.rpartition(".")
    return schema.describe(schema.definition(definition))[1][field]
