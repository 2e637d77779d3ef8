"""Table output: who gets it, what is in it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import FixedClock
from kctl.api.objects import Obj
from kctl.apiserver.http import HTTPResponse
from kctl.apiserver.server import APIServer

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
OLD = "application/json;as=Table;v=v1beta1;g=meta.k8s.io"
FUTURE = "application/json;as=Table;v=v2;g=meta.k8s.io"
KUBECTL = f"{TABLE},{OLD},application/json"


def config(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}


def post(server: APIServer, body: Any, path: str = MAPS) -> HTTPResponse:
    made = server.http("POST", path, body, "application/json")
    assert made.status == 201, made.body
    return made


def get(server: APIServer, path: str = MAPS, accept: str = KUBECTL) -> HTTPResponse:
    return server.http("GET", path, headers={"Accept": accept})


@pytest.fixture
def three(server: APIServer, clock: FixedClock) -> APIServer:
    for n in range(3):
        post(server, config(f"c{n}"))
    clock.set(clock.now() + 60)
    return server


def test_a_list_is_a_table_of_its_objects(three: APIServer) -> None:
    table = get(three).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [row["cells"] for row in table["rows"]] == [[f"c{n}", 1, "60s"] for n in range(3)]
    assert table["metadata"] == {"resourceVersion": str(three.revision)}


def test_columns_say_what_they_are(three: APIServer) -> None:
    name, data, age = get(three).json()["columnDefinitions"]
    assert (name["name"], name["type"], name["format"], name["priority"]) == ("Name", "string", "name", 0)
    assert name["description"].startswith("Name must be unique within a namespace.")
    assert data["description"].startswith("Data contains the configuration data.")
    assert age["description"].startswith("CreationTimestamp is a timestamp")


def test_one_object_is_a_table_of_its_own_revision(three: APIServer) -> None:
    obj = get(three, f"{MAPS}/c1", "application/json").json()
    table = get(three, f"{MAPS}/c1").json()
    assert table["metadata"] == {"resourceVersion": obj["metadata"]["resourceVersion"]}
    assert [row["cells"][0] for row in table["rows"]] == ["c1"]


def test_what_is_written_comes_back_as_a_table_too(server: APIServer) -> None:
    made = server.http("POST", MAPS, config("new"), "application/json", {"Accept": TABLE})
    assert made.status == 201
    assert made.json()["rows"][0]["cells"] == ["new", 1, "0s"]


def test_a_page_says_where_to_go_on(three: APIServer) -> None:
    first = get(three, f"{MAPS}?limit=2").json()
    assert first["metadata"]["remainingItemCount"] == 1
    rest = get(three, f"{MAPS}?limit=2&continue={first['metadata']['continue']}").json()
    assert [row["cells"][0] for row in rest["rows"]] == ["c2"]
    assert "continue" not in rest["metadata"]


@pytest.mark.parametrize(
    ("include", "kind"),
    [("", "PartialObjectMetadata"), ("Metadata", "PartialObjectMetadata"), ("Object", "ConfigMap"), ("None", None)],
)
def test_rows_carry_as_much_of_their_objects_as_asked_for(three: APIServer, include: str, kind: str | None) -> None:
    obj = get(three, f"{MAPS}?includeObject={include}").json()["rows"][0]["object"]
    assert (obj and obj["kind"]) == kind
    if obj:
        assert obj["metadata"]["name"] == "c0"
        assert ("data" in obj) == (include == "Object")


def test_rows_cannot_carry_anything_else(three: APIServer) -> None:
    refused = get(three, f"{MAPS}?includeObject=Some")
    assert (refused.status, refused.json()["reason"]) == (400, "BadRequest")
    assert refused.json()["message"] == (
        'Unable to convert to Table as requested: includeObject: Invalid value: "Some": '
        "must be 'Metadata', 'Object', 'None', or empty"
    )


def test_a_client_that_wants_no_table_is_not_asked_what_rows_carry(three: APIServer) -> None:
    assert get(three, f"{MAPS}?includeObject=Some", "application/json").status == 200


def test_nothing_is_a_table_without_rows(server: APIServer) -> None:
    assert get(server).json()["rows"] == []


def test_the_version_asked_for_is_the_one_that_comes(three: APIServer) -> None:
    table = get(three, accept=OLD).json()
    assert table["apiVersion"] == table["rows"][0]["object"]["apiVersion"] == "meta.k8s.io/v1beta1"


@pytest.mark.parametrize("accept", [FUTURE, "application/json;as=Table", "application/json;as=Table;v=v1;g=apps"])
def test_a_version_that_is_not_served_is_not_acceptable(three: APIServer, accept: str) -> None:
    refused = get(three, accept=accept)
    assert (refused.status, refused.json()["reason"]) == (406, "NotAcceptable")


@pytest.mark.parametrize(("accept", "kind"), [(f"{FUTURE},{TABLE}", "Table"), (f"{FUTURE},*/*", "ConfigMapList")])
def test_the_next_clause_counts_when_the_first_is_not_served(three: APIServer, accept: str, kind: str) -> None:
    assert get(three, accept=accept).json()["kind"] == kind


def test_errors_stay_what_they_are(server: APIServer) -> None:
    refused = get(server, f"{MAPS}/absent", TABLE)
    assert (refused.status, refused.json()["kind"]) == (404, "Status")


def test_a_watch_sends_tables_and_the_columns_once(three: APIServer) -> None:
    path = f"{MAPS}?watch=1&resourceVersion={three.revision}"
    stream = get(three, path)
    post(three, config("d"))
    post(three, config("e"))
    first, second = (event["object"] for event in stream.events())
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert [table["rows"][0]["cells"][0] for table in (first, second)] == ["d", "e"]
    assert second["metadata"]["resourceVersion"] == second["rows"][0]["object"]["metadata"]["resourceVersion"]
    post(three, config("f"))
    assert [event["object"]["columnDefinitions"] for event in stream.events()] == [None]


def test_a_watch_that_begins_with_what_is_there_ends_that_with_a_table_too(three: APIServer) -> None:
    options = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    *rows, end = get(three, f"{MAPS}?{options}").events()
    assert [event["object"]["rows"][0]["cells"][0] for event in rows] == ["c0", "c1", "c2"]
    assert (end["type"], end["object"]["kind"]) == ("BOOKMARK", "Table")
    assert end["object"]["metadata"]["resourceVersion"] == str(three.revision)


def test_a_watch_of_metadata_sends_no_data(three: APIServer) -> None:
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    stream = get(three, f"{MAPS}?watch=1&resourceVersion={three.revision}", accept)
    post(three, config("d"))
    assert [set(event["object"]) for event in stream.events()] == [{"kind", "apiVersion", "metadata"}]


def test_flow_schemas_come_in_the_order_they_are_tried(server: APIServer) -> None:
    path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
    for name, precedence in (("late", 9000), ("early", 5), ("b", 100), ("a", 100)):
        spec = {"priorityLevelConfiguration": {"name": "exempt"}, "matchingPrecedence": precedence}
        meta = {"name": name, "labels": {"mine": "yes"}}
        post(server, {"kind": "FlowSchema", "metadata": meta, "spec": spec}, path)
    rows = get(server, f"{path}?labelSelector=mine=yes").json()["rows"]
    assert [row["cells"][0] for row in rows] == ["early", "a", "b", "late"]


def test_a_scale_has_columns_of_its_own(server: APIServer) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    path = "/apis/apps/v1/namespaces/default/deployments"
    post(server, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}, path)
    table = get(server, f"{path}/d/scale").json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["d", 3, 0]


@pytest.mark.parametrize(("phase", "reason"), [("Succeeded", "Succeeded"), ("Running", None)])
def test_the_row_of_a_pod_that_is_done_has_a_condition(server: APIServer, phase: str, reason: str | None) -> None:
    pods = "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "c", "image": "i"}]}
    post(server, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}, pods)
    patch = {"status": {"phase": phase}}
    server.http("PATCH", f"{pods}/p/status", patch, "application/merge-patch+json")
    row = get(server, pods).json()["rows"][0]
    assert row["cells"][2] == phase
    assert [found["reason"] for found in row.get("conditions", [])] == ([reason] if reason else [])
