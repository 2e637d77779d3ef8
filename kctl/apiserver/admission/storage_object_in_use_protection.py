"""StorageObjectInUseProtection: volumes and claims are born with a finalizer that keeps them while used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
    "volumeattributesclasses.storage.k8s.io": "kubernetes.io/vac-protection",
}


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Add the finalizer to a new object."""
    finalizer, meta = FINALIZERS[request.kind.resource], obj["metadata"]
    had = meta.get("finalizers") or []
    if old is not None or finalizer in had:
        return obj
    return {**obj, "metadata": {**meta, "finalizers": [*had, finalizer]}}
