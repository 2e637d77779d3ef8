"""The scale subresource of custom resources, whose definition says where their replicas stand.

As apiextensions-apiserver pkg/registry/customresource/etcd.go: what is written is judged as the custom
resource it makes, not as a Scale.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.api.crd.instances import replicas
from kctl.api.crd.version import Version
from kctl.api.errors import internal, not_found
from kctl.api.objects import Key, Obj, dig, evolve
from kctl.api.patch.scaled import with_parent_owners, with_scale_owners
from kctl.apiserver import metadata, update
from kctl.apiserver.request import Request, wrong_method
from kctl.apiserver.scale import written
from kctl.apiserver.server import APIServer

KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def handle(server: APIServer, request: Request) -> Obj:
    """Read or change how many replicas a custom resource asks for."""
    kind = server.registry.subresource(request.kind, "scale")
    version = request.kind.custom
    if kind is None or version is None or version.scale is None:
        raise wrong_method()
    old = server.storage.get(request.kind.resource, Key(request.namespace, request.name))
    if old is None:
        raise not_found(request.kind.resource, request.name)
    old = server.in_version(request.kind, old)
    if request.verb == "get":
        return scale_of(version, old)
    place = tuple(f"f:{name}" for name in _steps(version.scale["specReplicasPath"]))
    seen = with_scale_owners(scale_of(version, old), old, place)
    wanted = written(server, request, kind, seen)
    metadata.check_preconditions(request.kind.resource, request.name, wanted["metadata"], old)
    asked = dig(wanted, "spec", "replicas", default=0)
    changed = with_parent_owners(evolve(old, _at(version.scale["specReplicasPath"], asked)), wanted, place)
    made = update.replace(server, request._replace(subresource="scale"), changed, old, owned=True)
    return scale_of(version, made)


def _steps(path: str) -> list[str]:
    return path.removeprefix(".").split(".")


def _at(path: str, value: Any) -> Obj:
    """Return the change that puts a value at a path."""
    out: Any = value
    for name in reversed(_steps(path)):
        out = {name: out}
    changed: Obj = out
    return changed


def scale_of(version: Version, obj: Obj) -> Obj:
    """Return the Scale of a custom resource, as scaleFromCustomResource."""
    paths = version.scale or {}
    asked = replicas(obj, paths["specReplicasPath"])
    if asked is None:
        plural = version.definition["spec"]["names"]["plural"]
        raise internal(f"the spec replicas field {json.dumps(paths['specReplicasPath'])} does not exist in {plural}")
    status: Obj = {"replicas": replicas(obj, paths["statusReplicasPath"]) or 0}
    selector = replicas(obj, paths["labelSelectorPath"]) if paths.get("labelSelectorPath") else None
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: obj["metadata"][k] for k in KEPT if k in obj["metadata"]},
        "spec": {"replicas": asked} if asked else {},
        "status": status,
    }
