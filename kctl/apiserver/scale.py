"""The scale subresource of Deployments, ReplicaSets, StatefulSets and ReplicationControllers."""

from __future__ import annotations

from kctl.api.errors import invalid, not_found, unprocessable
from kctl.api.objects import Key, Obj, dig, evolve
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
    seen = scale_of(old)
    if request.verb == "get":
        return seen
    if request.verb == "update":
        wanted = rules.decode(request, kind, checked(request, kind))
    elif request.verb == "patch":
        request = patch.with_unknown_members(request) if request.patch_type == "json" else request
        outcome = patch.patched(request._replace(kind=kind), seen)
        wanted = rules.decode_patched(request, kind, outcome, lambda: patch.shown(request, outcome), seen)
    else:
        raise wrong_method()
    wanted = metadata.placed(request, wanted)
    metadata.check_name(request, wanted)
    metadata.check_preconditions(request.kind.resource, request.name, wanted["metadata"], old)
    replicas = dig(wanted, "spec", "replicas", default=0)
    if replicas < 0:
        error = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise unprocessable("Scale", "autoscaling", request.name, [error])
    changed = evolve(old, {"spec": {"replicas": replicas}})
    return scale_of(update.replace(server, request._replace(subresource="scale"), changed, old))


def scale_of(obj: Obj) -> Obj:
    """Return the Scale of an object, as ScaleFromDeployment and its siblings."""
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Obj = {"replicas": dig(obj, "status", "replicas", default=0)}
    selector = selector_text(dig(obj, "spec", "selector", default={}))
    if selector:
        status["selector"] = selector
    replicas = dig(obj, "spec", "replicas", default=0)
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
