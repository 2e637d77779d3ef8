"""The scale subresource of workloads; that of custom resources is :mod:`kctl.apiserver.custom_scale`.

A write of a Scale goes the way of every write, and what it leaves of the Scale's managedFields
becomes the object's: scaling takes the replicas over, and an apply of the Scale meets conflicts.
"""

from __future__ import annotations

from kctl.api.errors import invalid, not_found, required, unprocessable
from kctl.api.objects import Key, Obj, dig, evolve
from kctl.api.patch.scaled import with_parent_owners, with_scale_owners
from kctl.api.registry import Kind
from kctl.apiserver import metadata, patch, rules, update
from kctl.apiserver.body import checked
from kctl.apiserver.request import Request, wrong_method
from kctl.apiserver.server import APIServer


def handle(server: APIServer, request: Request) -> Obj:
    """Read or change how many replicas an object asks for."""
    kind = server.registry.subresource(request.kind, "scale")
    if kind is None:
        raise wrong_method()
    old = server.storage.get(server.stored_as(request.kind.resource), Key(request.namespace, request.name))
    if old is None:
        raise not_found(request.kind.resource, request.name)
    if request.verb == "get":
        return scale_of(old)
    wanted = written(server, request, kind, with_scale_owners(scale_of(old), old))
    metadata.check_preconditions(request.kind.resource, request.name, wanted["metadata"], old)
    replicas = dig(wanted, "spec", "replicas", default=0)
    if replicas < 0:
        error = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise unprocessable("Scale", "autoscaling", request.name, [error])
    changed = with_parent_owners(evolve(old, {"spec": {"replicas": replicas}}), wanted)
    return scale_of(update.replace(server, request._replace(subresource="scale"), changed, old, owned=True))


def written(server: APIServer, request: Request, kind: Kind, seen: Obj) -> Obj:
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
