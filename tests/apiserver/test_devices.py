"""What the API server says of claims for devices beyond their form: who may administer, what of a status may change."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import EPOCH, FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.api.registry import builtin
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

Obj = dict[str, Any]
CLAIMS, TEMPLATES = "resourceclaims.resource.k8s.io", "resourceclaimtemplates.resource.k8s.io"
ADMIN = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu", "adminAccess": True}}]}}
PLAIN = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu"}}]}}
RESULT = {"request": "r", "driver": "d.example.com", "pool": "p", "device": "gpu-0"}
ALLOCATION = {"devices": {"results": [RESULT]}}
USER = {"resource": "pods", "name": "p", "uid": "u"}


@pytest.fixture
def client() -> LocalClient:
    return LocalClient(APIServer(MemoryStore(), clock=FixedClock(EPOCH), registry=builtin(), frozen=True))


def claim(spec: Obj, name: str = "c") -> Obj:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaim", "metadata": meta, "spec": spec}


def template(spec: Obj) -> Obj:
    made = claim({"spec": spec})
    return {**made, "kind": "ResourceClaimTemplate"}


@pytest.mark.parametrize(("resource", "made"), [(CLAIMS, claim(ADMIN)), (TEMPLATES, template(ADMIN))])
def test_admin_access_is_for_namespaces_that_say_so(client: LocalClient, resource: str, made: Obj) -> None:
    with pytest.raises(StatusError) as caught:
        client.create(resource, made)
    assert caught.value.reason == "Invalid"
    assert (
        "admin access to devices requires the `resource.kubernetes.io/admin-access: true` label" in caught.value.message
    )
    labels = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    client.patch("namespaces", Key("", "default"), labels)
    assert client.create(resource, made)


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        pytest.param({}, {"reservedFor": [USER]}, "status.reservedFor", id="nobody uses what is not allocated"),
        pytest.param(
            {"allocation": ALLOCATION},
            {"allocation": {"devices": {"results": [{**RESULT, "device": "gpu-1"}]}}},
            "status.allocation",
            id="an allocation is not changed",
        ),
        pytest.param(
            {"allocation": ALLOCATION},
            {"allocation": ALLOCATION, "reservedFor": [USER, {**USER, "name": "q"}]},
            "status.reservedFor[1].uid",
            id="no consumer twice",
        ),
        pytest.param(
            {"allocation": ALLOCATION},
            {"allocation": ALLOCATION, "reservedFor": [{**USER, "uid": f"u{n}"} for n in range(257)]},
            "status.reservedFor",
            id="not too many",
        ),
    ],
)
def test_a_status_that_cannot_be_is_refused(client: LocalClient, before: Obj, after: Obj, field: str) -> None:
    made = client.create(CLAIMS, claim(PLAIN))
    if before:
        made = client.update(CLAIMS, {**made, "status": before}, subresource="status")
    with pytest.raises(StatusError) as caught:
        client.update(CLAIMS, {**made, "status": after}, subresource="status")
    assert [error.field for error in caught.value.errors] == [field] or field in caught.value.message


def test_what_is_allocated_may_be_given_back_and_allocated_anew(client: LocalClient) -> None:
    made = client.create(CLAIMS, claim(PLAIN))
    other = {"devices": {"results": [{**RESULT, "device": "gpu-1"}]}}
    for status in ({"allocation": ALLOCATION, "reservedFor": [USER]}, {}, {"allocation": other}):
        made = client.update(CLAIMS, {**made, "status": status}, subresource="status")
    assert made["status"]["allocation"]["devices"]["results"][0]["device"] == "gpu-1"
