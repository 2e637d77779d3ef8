"""The scale subresource: of workloads, and of custom resources that say where their replicas stand.

A write of a Scale goes the way of every write, and what it leaves of the Scale's managedFields
becomes the object's: scaling takes the replicas over, and an apply of the Scale meets conflicts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.errors import internal, invalid, not_found, required, unprocessable
from kctl.api.objects import Key, Obj, dig, evolve
from kctl.api.patch.scaled import with_parent_owners, with_scale_owners
from kctl.api.registry import Kind
from kctl.apiserver import metadata, patch, rules, update
from kctl.apiserver.body import checked
from kctl.apiserver.request import Request, wrong_method
from kctl.apiserver.server import APIServer

if TYPE_CHECKING:
    from kctl.api.crd.version import Version


class Places(NamedTuple):
    """Where an object keeps what its Scale shows."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ()
    """Where a selector stands as text; none: ``spec.selector`` is a label selector."""
    is_custom: bool = False

    @property
    def owned(self) -> tuple[str, ...]:
        """Return the path elements of the replicas in managedFields."""
        return tuple(f"f:{name}" for name in self.spec)


BUILT_IN = Places()


def handle(server: APIServer, request: Request) -> Obj:
    """Read or change how many replicas an object asks for."""
    kind = server.registry.subresource(request.kind, "scale")
    if kind is None:
        raise wrong_method()
    old = server.storage.get(server.stored_as(request.kind.resource), Key(request.namespace, request.name))
    if old is None:
        raise not_found(request.kind.resource, request.name)
    places = BUILT_IN if request.kind.custom is None else places_of(request.kind.custom)
    if places.is_custom:
        old = server.in_version(request.kind, old)
    if request.verb == "get":
        return shown(old, places)
    seen = with_scale_owners(shown(old, places, must=request.verb == "patch"), old, places.owned)
    wanted = _written(server, request, kind, seen)
    metadata.check_preconditions(request.kind.resource, request.name, wanted["metadata"], old)
    replicas = dig(wanted, "spec", "replicas", default=0)
    if replicas < 0:
        error = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise unprocessable("Scale", "autoscaling", request.name, [error])
    change: Any = replicas
    for name in reversed(places.spec):
        change = {name: change}
    changed = with_parent_owners(evolve(old, change), wanted, places.owned)
    made = update.replace(server, request._replace(subresource="scale"), changed, old, owned=True)
    return shown(made, places)


def _written(server: APIServer, request: Request, kind: Kind, seen: Obj) -> Obj:
    """Return the Scale that the request makes of the one there is, with its managedFields."""
    verb, now = request.verb, server.clock.now()
    if verb == "apply":
        return _applied(server, request, kind, seen)
    if verb == "update":
        wanted = rules.decode(request, kind, checked(request, kind))
    elif verb == "patch":
        request = patch.with_unknown_members(request) if request.patch_type == "json" else request
        scaled = request._replace(kind=kind)
        outcome = patch.patched(scaled, seen)
        wanted = rules.decode_patched(request, kind, outcome, lambda: patch.shown(scaled, outcome), seen)
    else:
        raise wrong_method()
    wanted = metadata.placed(request, wanted)
    metadata.check_name(request, wanted)
    return rules.owned(kind, wanted, seen, manager=request.manager, now=now, subresource="scale")


def _applied(server: APIServer, request: Request, kind: Kind, seen: Obj) -> Obj:
    manager = request.options.field_manager
    if not manager:
        error = required("fieldManager", "is required for apply patch")
        raise unprocessable("PatchOptions", "meta.k8s.io", "", [error])
    intent = metadata.placed(request, checked(request, kind))
    if intent["metadata"].get("name") not in (None, "", request.name):
        metadata.check_name(request, intent)
    now, force = server.clock.now(), request.options.force
    merged = rules.applied(kind, seen, intent, manager=manager, now=now, force=force, subresource="scale")
    return metadata.placed(request, rules.decode(request, kind, merged))


def places_of(version: Version) -> Places:
    """Return where a custom resource says its replicas stand."""
    found = version.scale or {}
    paths = (found.get(f"{name}Path") or "" for name in ("specReplicas", "statusReplicas", "labelSelector"))
    spec, status, selector = (tuple(path.removeprefix(".").split(".")) if path else () for path in paths)
    return Places(spec, status, selector, is_custom=True)


def shown(obj: Obj, places: Places, *, must: bool = True) -> Obj:
    """Return the Scale of an object; a custom resource that asks for no number has none (``must``)."""
    if not places.is_custom:
        return scale_of(obj)
    replicas = dig(obj, *places.spec)
    if replicas is None and must:
        path = json.dumps("." + ".".join(places.spec))
        raise internal(f"the spec replicas field {path} does not exist")
    status: Obj = {"replicas": dig(obj, *places.status, default=0)}
    selector = dig(obj, *places.selector) if places.selector else ""
    return _scale(obj, replicas or 0, {**status, "selector": selector} if selector else status)


def scale_of(obj: Obj) -> Obj:
    """Return the Scale of an object, as ScaleFromDeployment and its siblings."""
    status: Obj = {"replicas": dig(obj, "status", "replicas", default=0)}
    selector = selector_text(dig(obj, "spec", "selector", default={}))
    if selector:
        status["selector"] = selector
    return _scale(obj, dig(obj, "spec", "replicas", default=0), status)


def _scale(obj: Obj, replicas: int, status: Obj) -> Obj:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: obj["metadata"][k] for k in kept if k in obj["metadata"]},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


OPERATORS = {"In": "in", "NotIn": "notin"}


def selector_text(selector: Obj) -> str:
    """Write a label selector as metav1.FormatLabelSelector does; a plain map is equality."""
    plain = selector if "matchLabels" not in selector and "matchExpressions" not in selector else None
    parts = [(k, f"{k}={v}") for k, v in (plain or selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or () if plain is None else ():
        key, operator = expression["key"], expression["operator"]
        if operator in OPERATORS:
            values = ",".join(sorted(expression.get("values") or ()))
            parts.append((key, f"{key} {OPERATORS[operator]} ({values})"))
        else:
            parts.append((key, key if operator == "Exists" else f"!{key}"))
    return ",".join(text for _, text in sorted(parts))
