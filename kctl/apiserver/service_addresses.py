"""IPAddresses of Services, made when somebody reads them.

In: the Services at a revision. Out: an IPAddress for each cluster IP, as upstream's allocator writes it beside its
Service. Here addresses are allocated without them, so they are in no log, and nobody is told that they come and go.
An IPAddress of that name that somebody wrote stands before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from kctl.api.names import uid
from kctl.api.objects import Key, Obj
from kctl.apiserver.allocate import addresses

if TYPE_CHECKING:
    from kctl.apiserver.request import Request
    from kctl.apiserver.server import APIServer

ADDRESSES, SERVICES = "ipaddresses.networking.k8s.io", "services"
FAMILY, MANAGED_BY = "ipaddress.kubernetes.io/ip-family", "ipaddress.kubernetes.io/managed-by"


def is_meant(request: Request) -> bool:
    """Say whether the request is about IPAddresses."""
    return request.kind.resource == ADDRESSES


def one(server: APIServer, name: str) -> Obj | None:
    """Return the IPAddress of that name, None when no Service has it."""
    return _made(server.storage.objects(SERVICES)).get(Key("", name))


def beside(server: APIServer, written: Mapping[Key, Obj], revision: int) -> Mapping[Key, Obj]:
    """Return the IPAddresses that were written and those of the Services."""
    is_now = revision == server.revision
    services = server.storage.objects(SERVICES) if is_now else server.storage.at(SERVICES, revision)
    return {**_made(services), **written}


def _made(services: Mapping[Key, Obj]) -> dict[Key, Obj]:
    return {Key("", obj["metadata"]["name"]): obj for service in services.values() for obj in _of(service)}


def _of(service: Obj) -> Iterator[Obj]:
    """Yield the IPAddresses of a Service, as newIPAddress."""
    meta = service["metadata"]
    for address in addresses(service):
        yield {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": {
                "name": address,
                "uid": uid("address", meta["uid"], address),
                "resourceVersion": meta["resourceVersion"],
                "generation": 1,
                "creationTimestamp": meta["creationTimestamp"],
                "labels": {FAMILY: "IPv6" if ":" in address else "IPv4", MANAGED_BY: "ipallocator.k8s.io"},
            },
            "spec": {
                "parentRef": {
                    "group": "",
                    "resource": SERVICES,
                    "namespace": meta["namespace"],
                    "name": meta["name"],
                }
            },
        }
