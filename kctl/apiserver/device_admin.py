"""Claims with admin access are for namespaces that say so: devices in use by others are reached through them.

In: a new ResourceClaim or ResourceClaimTemplate. Out: what is wrong with it (resource.AuthorizedForAdmin).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import FieldError, forbidden_field
from kctl.api.objects import Key, Obj, dig, labels_of

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

LABEL = "resource.kubernetes.io/admin-access"
SPECS = {"ResourceClaim": ("spec",), "ResourceClaimTemplate": ("spec", "spec")}


def errors_of(server: APIServer, kind: str, obj: Obj) -> list[FieldError]:
    """Return the complaint about a claim that may not have admin access."""
    if kind not in SPECS:
        return []
    requests = dig(obj, *SPECS[kind], "devices", "requests", default=())
    if not any(dig(request, "exactly", "adminAccess") for request in requests):
        return []
    namespace = server.storage.get("namespaces", Key("", obj["metadata"].get("namespace", "")))
    if namespace is not None and labels_of(namespace).get(LABEL) == "true":
        return []
    return [
        forbidden_field("", f"admin access to devices requires the `{LABEL}: true` label on the containing namespace")
    ]
