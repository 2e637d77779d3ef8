"""PersistentVolumeClaimResize: claims grow only where their storage class allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import forbidden
from kctl.api.objects import Key, Obj, annotations_of, dig
from kctl.api.resourcelist import compare
from kctl.apiserver.admission.default_storage_class import BETA_CLASS
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer


def validate(server: APIServer, request: Request, claim: Obj, old: Obj | None) -> None:
    """Refuse to grow a claim that is not bound, or whose class does not allow it."""
    if old is None or request.subresource:
        return
    asked, had = (dig(each, "spec", "resources", "requests", "storage", default="0") for each in (claim, old))
    if compare(str(asked), str(had)) <= 0:
        return
    name = shown_name(claim)
    if dig(old, "status", "phase") != "Bound":
        raise forbidden(request.kind.resource, name, "Only bound persistent volume claims can be expanded")
    wanted, before = _class_of(claim), _class_of(old)
    found = server.storage.get("storageclasses.storage.k8s.io", Key("", wanted)) if wanted == before else None
    if not (found or {}).get("allowVolumeExpansion"):
        why = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
            "support resize"
        )
        raise forbidden(request.kind.resource, name, why)


def _class_of(claim: Obj) -> str:
    return annotations_of(claim).get(BETA_CLASS) or dig(claim, "spec", "storageClassName") or ""
