"""The scale subresource: what it shows, and who owns the replicas once it was written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.api.objects import Obj
from kctl.apiserver.server import APIServer

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PATCH = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


def deployment() -> Obj:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def send(server: APIServer, method: str, path: str, body: Any = None, kind: str = "") -> tuple[int, Obj]:
    content = PATCH.get(kind, "application/json")
    answer = server.http(method, path, None if body is None else json.dumps(body), content)
    return answer.status, json.loads(answer.body)


@pytest.fixture
def applied(server: APIServer) -> APIServer:
    status, _ = send(server, "PATCH", f"{DEPLOYMENTS}/d?fieldManager=m1", deployment(), "apply")
    assert status == 201
    return server


def scale(replicas: int) -> Obj:
    spec = {"replicas": replicas}
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": spec}


def owners(server: APIServer) -> dict[tuple[str, str, str], bool]:
    """Return the managers, and whether each owns the replicas."""
    _, found = send(server, "GET", f"{DEPLOYMENTS}/d")
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): "f:replicas"
        in entry["fieldsV1"].get("f:spec", {})
        for entry in found["metadata"]["managedFields"]
    }


def test_an_apply_of_the_scale_meets_the_owner_of_the_replicas(applied: APIServer) -> None:
    status, body = send(applied, "PATCH", f"{DEPLOYMENTS}/d/scale?fieldManager=hpa", scale(4), "apply")
    assert status == 409
    assert body["message"] == 'Apply failed with 1 conflict: conflict with "m1": .spec.replicas'
    assert owners(applied) == {("m1", "Apply", ""): True}


def test_a_forced_apply_of_the_scale_takes_the_replicas_over(applied: APIServer) -> None:
    status, body = send(applied, "PATCH", f"{DEPLOYMENTS}/d/scale?fieldManager=hpa&force=true", scale(4), "apply")
    assert (status, body["kind"], body["spec"]) == (200, "Scale", {"replicas": 4})
    assert "managedFields" not in body["metadata"]
    assert owners(applied) == {("hpa", "Apply", "scale"): True, ("m1", "Apply", ""): False}
    status, body = send(applied, "PATCH", f"{DEPLOYMENTS}/d?fieldManager=m1", deployment(), "apply")
    assert status == 409
    assert body["details"]["causes"][0]["message"] == 'conflict with "hpa" with subresource "scale"'


@pytest.mark.parametrize("kind", ["put", "merge", "json"])
def test_every_other_write_of_the_scale_takes_them_too(applied: APIServer, kind: str) -> None:
    path = f"{DEPLOYMENTS}/d/scale?fieldManager=me"
    body: Any = scale(3)
    if kind == "merge":
        body = {"spec": {"replicas": 3}}
    elif kind == "json":
        body = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    status, made = send(applied, "PUT" if kind == "put" else "PATCH", path, body, kind)
    assert (status, made["spec"]) == (200, {"replicas": 3})
    assert owners(applied) == {("m1", "Apply", ""): False, ("me", "Update", "scale"): True}


def test_scaling_to_what_is_asked_already_changes_no_owner(applied: APIServer) -> None:
    before = send(applied, "GET", f"{DEPLOYMENTS}/d")[1]
    assert send(applied, "PUT", f"{DEPLOYMENTS}/d/scale?fieldManager=me", scale(2))[0] == 200
    assert send(applied, "GET", f"{DEPLOYMENTS}/d")[1] == before


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        pytest.param(
            {**scale(3), "metadata": {"name": "d", "resourceVersion": "1"}},
            409,
            'Operation cannot be fulfilled on deployments.apps "d": the object has been modified; please apply your '
            "changes to the latest version and try again",
            id="of an older state",
        ),
        pytest.param(
            scale(-1),
            422,
            'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
            id="below nothing",
        ),
        pytest.param(
            {**scale(3), "metadata": {"name": "other"}},
            400,
            "the name of the object (other) does not match the name on the URL (d)",
            id="of another name",
        ),
    ],
)
def test_what_is_wrong_with_a_scale_is_said_in_upstreams_words(
    applied: APIServer, body: Obj, code: int, message: str
) -> None:
    status, answer = send(applied, "PUT", f"{DEPLOYMENTS}/d/scale", body)
    assert (status, answer["message"]) == (code, message)


def test_a_patch_that_makes_no_scale_quotes_it_with_its_owners(applied: APIServer) -> None:
    status, answer = send(applied, "PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": "x"}}, "merge")
    assert status == 422
    assert (
        '\\"manager\\":\\"m1\\",\\"operation\\":\\"Apply\\",\\"apiVersion\\":\\"autoscaling/v1\\"' in answer["message"]
    )
    assert answer["message"].endswith(
        "json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32"
    )


DEFINITION: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "fleets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "fleets", "kind": "Fleet"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                "subresources": {
                    "scale": {"specReplicasPath": ".spec.ships.count", "statusReplicasPath": ".status.ships"}
                },
            }
        ],
    },
}


def test_the_scale_of_a_custom_resource_has_owners_too(server: APIServer) -> None:
    made = send(server, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    assert made[0] == 201, made
    fleets = "/apis/example.com/v1/namespaces/default/fleets"
    fleet = {
        "apiVersion": "example.com/v1",
        "kind": "Fleet",
        "metadata": {"name": "d"},
        "spec": {"ships": {"count": 2, "size": 3}},
    }
    assert send(server, "PATCH", f"{fleets}/d?fieldManager=m1", fleet, "apply")[0] == 201
    status, body = send(server, "PATCH", f"{fleets}/d/scale?fieldManager=hpa", scale(4), "apply")
    assert (status, body["details"]["causes"][0]["message"]) == (409, 'conflict with "m1"')
    status, body = send(server, "PATCH", f"{fleets}/d/scale?fieldManager=hpa&force=true", scale(4), "apply")
    assert (status, body["spec"]) == (200, {"replicas": 4})
    _, found = send(server, "GET", f"{fleets}/d")
    assert found["spec"] == {"ships": {"count": 4, "size": 3}}
    fields = {entry["manager"]: entry["fieldsV1"] for entry in found["metadata"]["managedFields"]}
    assert fields == {
        "hpa": {"f:spec": {"f:ships": {"f:count": {}}}},
        "m1": {"f:spec": {".": {}, "f:ships": {".": {}, "f:size": {}}}},
    }
