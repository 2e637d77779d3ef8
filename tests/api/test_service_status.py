"""The status a cloud writes of a Service, and what an emptied managedFields means."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.validation.services import service_status

ONLY = "Forbidden: may only be used when `spec.type` is 'LoadBalancer'"


@pytest.mark.parametrize(
    ("type_", "ingress", "wanted"),
    [
        ("LoadBalancer", [{"ip": "1.2.3.4"}, {"hostname": "lb.example"}], []),
        ("ClusterIP", [{"ip": "1.2.3.4"}], [f"status.loadBalancer.ingress: {ONLY}"]),
        ("ClusterIP", [], []),
        ("LoadBalancer", [{"hostname": "1.2.3.4"}], ["must be a DNS name, not an IP address"]),
        ("LoadBalancer", [{"ip": "1.2.3"}], ["status.loadBalancer.ingress[0].ip: Invalid value"]),
        ("LoadBalancer", [{"hostname": "A_b"}], ["status.loadBalancer.ingress[0].hostname: Invalid value"]),
    ],
)
def test_only_a_load_balancer_has_addresses_and_they_are_some(
    type_: str, ingress: list[Any], wanted: list[str]
) -> None:
    out: list[Any] = []
    service_status({"spec": {"type": type_}, "status": {"loadBalancer": {"ingress": ingress}}}, {}, out)
    assert len(out) == len(wanted)
    for error, text in zip(out, wanted, strict=True):
        assert text in str(error)


@pytest.mark.parametrize("kind", ["merge", "strategic-merge"])
@pytest.mark.parametrize("empty", [[], [{}]])
def test_a_patch_that_empties_managed_fields_resets_them(kind: str, empty: list[Any]) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    with ControlPlane.open(None, controllers=[]) as plane:
        assert plane.request("POST", path, body={"metadata": {"name": "c"}, "data": {"a": "b"}}).status == 201
        before = plane.request("GET", f"{path}/c").json()
        answer = plane.request(
            "PATCH",
            f"{path}/c",
            body={"metadata": {"managedFields": empty}},
            content_type=f"application/{kind}-patch+json",
        )
        assert "managedFields" in before["metadata"]
        assert (answer.status, "managedFields" in answer.json()["metadata"]) == (200, False)
        assert answer.json()["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]
