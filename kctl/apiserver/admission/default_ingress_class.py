"""DefaultIngressClass: an Ingress that names no class gets the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import forbidden
from kctl.api.objects import Obj, annotations_of
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"


def admit(server: APIServer, request: Request, ingress: Obj, old: Obj | None) -> Obj:
    """Set ingressClassName of a new Ingress that says nothing about it."""
    spec = ingress.get("spec") or {}
    if old is not None or "ingressClassName" in spec or OLD_CLASS in annotations_of(ingress):
        return ingress
    classes = sorted(
        c["metadata"]["name"]
        for c in server.storage.objects("ingressclasses.networking.k8s.io").values()
        if annotations_of(c).get(IS_DEFAULT) == "true"
    )
    if len(classes) > 1:
        why = f"{len(classes)} default IngressClasses were found, only 1 allowed"
        raise forbidden(request.kind.resource, shown_name(ingress), why)
    return {**ingress, "spec": {**spec, "ingressClassName": classes[0]}} if classes else ingress
