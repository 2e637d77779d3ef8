"""IPAddresses are there for who reads them, one for each address of a Service."""

from __future__ import annotations

from kctl.api.objects import Key, Obj
from kctl.apiserver.service_addresses import ADDRESSES
from kctl.client.local import LocalClient


def service(name: str, **spec: object) -> Obj:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}


def held(client: LocalClient) -> dict[str, str]:
    found = client.list(ADDRESSES).items
    return {obj["metadata"]["name"]: obj["spec"]["parentRef"]["name"] for obj in found}


def test_each_service_with_an_address_has_one_and_takes_it_along(client: LocalClient) -> None:
    address = client.create("services", service("a"))["spec"]["clusterIP"]
    client.create("services", service("headless", clusterIP="None"))
    assert held(client) == {"10.96.0.1": "kubernetes", address: "a"}
    assert client.get(ADDRESSES, "", address)["metadata"]["labels"] == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    client.delete("services", Key("default", "a"))
    assert held(client) == {"10.96.0.1": "kubernetes"}


def test_one_that_somebody_wrote_stands_before(client: LocalClient) -> None:
    parent = {"group": "", "resource": "services", "namespace": "default", "name": "other"}
    obj = {"apiVersion": "networking.k8s.io/v1", "kind": "IPAddress", "metadata": {"name": "10.96.0.1"}}
    client.create(ADDRESSES, {**obj, "spec": {"parentRef": parent}})
    assert held(client) == {"10.96.0.1": "other"}
