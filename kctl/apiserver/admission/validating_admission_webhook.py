"""ValidatingAdmissionWebhook: see :mod:`webhooks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.apiserver.request import Request

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

RESOURCE = "validatingwebhookconfigurations.admissionregistration.k8s.io"


def validate(server: APIServer, request: Request, obj: Obj | None, old: Obj | None) -> None:
    """Treat validating webhooks as not reachable."""
    if server.storage.objects(RESOURCE):
        from kctl.apiserver.admission import webhooks

        webhooks.consult(server, RESOURCE, request, obj, old)
