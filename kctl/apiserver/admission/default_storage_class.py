"""DefaultStorageClass: a claim that names no class gets the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj, annotations_of
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

IS_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def admit(server: APIServer, request: Request, claim: Obj, old: Obj | None) -> Obj:
    """Set storageClassName of a new claim that says nothing about it."""
    spec = claim.get("spec") or {}
    if old is not None or "storageClassName" in spec or BETA_CLASS in annotations_of(claim):
        return claim
    found = default_class(server)
    return {**claim, "spec": {**spec, "storageClassName": found}} if found else claim


def default_class(server: APIServer) -> str:
    """Return the name of the default class, the newest of several; "" for none."""
    classes = [
        c
        for c in server.storage.objects("storageclasses.storage.k8s.io").values()
        if any(annotations_of(c).get(name) == "true" for name in IS_DEFAULT)
    ]
    if not classes:
        return ""
    classes.sort(key=lambda c: c["metadata"]["name"])
    newest = max(c["metadata"]["creationTimestamp"] for c in classes)
    return next(str(c["metadata"]["name"]) for c in classes if c["metadata"]["creationTimestamp"] == newest)
