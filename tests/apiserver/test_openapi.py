"""OpenAPI documents, the list of paths, and health checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kctl.apiserver import openapi
from kctl.apiserver.server import APIServer


def get(server: APIServer, path: str, **headers: str) -> Any:
    return server.http("GET", path, headers=list(headers.items()))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for child in value.values():
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


def test_every_document_is_complete_in_itself(server: APIServer) -> None:
    paths = get(server, "/openapi/v3").json()["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/rbac.authorization.k8s.io/v1"} <= set(paths)
    assert not any("kctl.dev" in path for path in paths)
    ids: list[str] = []
    for path, entry in paths.items():
        answer = get(server, entry["serverRelativeURL"])
        assert answer.status == 200, path
        document = answer.json()
        known = {f"{openapi.schemas.PREFIX}{name}" for name in document["components"]["schemas"]}
        assert set(references(document)) <= known, path
        assert entry["serverRelativeURL"].endswith(answer.header("etag").strip('"'))
        ids += [op["operationId"] for ops in document["paths"].values() for m, op in ops.items() if m != "parameters"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("path", "method", "name"),
    [
        ("/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch", "patchAppsV1NamespacedDeployment"),
        ("/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale", "get", "readAppsV1NamespacedDeploymentScale"),
        ("/apis/apps/v1/deployments", "get", "listAppsV1DeploymentForAllNamespaces"),
    ],
)
def test_kubectl_finds_what_it_validates_by(server: APIServer, path: str, method: str, name: str) -> None:
    found = get(server, "/openapi/v3/apis/apps/v1").json()["paths"][path]
    assert found[method]["operationId"] == name
    if method == "patch":
        assert "fieldValidation" in [each["name"] for each in found[method]["parameters"]]


def test_a_document_that_did_not_change_is_not_sent_again(server: APIServer) -> None:
    first = get(server, "/openapi/v3/apis/batch/v1")
    again = server.http("GET", "/openapi/v3/apis/batch/v1", headers=[("If-None-Match", first.header("etag"))])
    assert (again.status, again.body) == (304, b"")


def test_of_v2_there_is_what_kubectl_needs(server: APIServer) -> None:
    asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    answer = get(server, "/openapi/v2", accept=asked)
    assert (answer.body, answer.header("content-type")) == (b"\n\x032.0", openapi.V2_PROTOBUF)
    assert get(server, "/openapi/v2").json()["swagger"] == "2.0"


def test_the_root_lists_what_is_there(server: APIServer) -> None:
    for path in json.loads(get(server, "/").body)["paths"]:
        assert get(server, path).status in (200, 501), path
    assert get(server, "/healthz/nothing").status == 404
    assert get(server, "/openapi/v3/apis/nobody.io/v1").status == 404
    assert server.http("POST", "/openapi/v3").status == 405
