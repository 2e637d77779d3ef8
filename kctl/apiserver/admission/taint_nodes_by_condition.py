"""TaintNodesByCondition: a new node is tainted as not ready until something says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def admit(server: APIServer, request: Request, node: Obj, old: Obj | None) -> Obj:
    """Add the not-ready taint to a new node."""
    if old is not None:
        return node
    spec = node.get("spec") or {}
    taints = spec.get("taints") or []
    if any((t.get("key"), t.get("effect")) == (NOT_READY["key"], NOT_READY["effect"]) for t in taints):
        return node
    return {**node, "spec": {**spec, "taints": [*taints, NOT_READY]}}
