"""MutatingAdmissionWebhook: see :mod:`webhooks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

RESOURCE = "mutatingwebhookconfigurations.admissionregistration.k8s.io"


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Treat mutating webhooks as not reachable; the object stays as it is."""
    if server.storage.objects(RESOURCE):
        from kctl.apiserver.admission import webhooks

        webhooks.consult(server, RESOURCE, request, obj, old)
    return obj
