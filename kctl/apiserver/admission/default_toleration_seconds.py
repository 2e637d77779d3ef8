"""DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or unreachable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SECONDS = 300
ADDED = {key: {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS} for key in TAINTS}


def admit(server: APIServer, request: Request, pod: Obj, old: Obj | None) -> Obj:
    """Add the tolerations a pod does not have in any form."""
    if request.subresource:
        return pod
    spec = pod.get("spec") or {}
    tolerations = spec.get("tolerations") or []
    missing = [ADDED[key] for key in TAINTS if not any(tolerates(t, key) for t in tolerations)]
    if not missing:
        return pod
    return {**pod, "spec": {**spec, "tolerations": [*tolerations, *missing]}}


def tolerates(toleration: Obj, key: str) -> bool:
    """Say whether the toleration speaks of the NoExecute taint of that key."""
    return (toleration.get("key") or "") in (key, "") and (toleration.get("effect") or "") in ("NoExecute", "")
