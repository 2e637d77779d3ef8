from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import FixedClock
from kctl.api.objects import Obj
from kctl.apiserver.http import HTTPResponse
from kctl.apiserver.server import APIServer
from kctl.store.memory import MemoryStore

MAPS = "/api/v1/namespaces/default/configmaps"
JSON = "application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def config(name: str = "c", **meta: object) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}, "data": {"a": "1"}}


def post(server: APIServer, body: Any, path: str = MAPS, **headers: str) -> HTTPResponse:
    return server.http("POST", path, body, JSON, headers)


def get(server: APIServer, path: str, accept: str = JSON) -> HTTPResponse:
    return server.http("GET", path, headers={"Accept": accept})


def names(response: HTTPResponse) -> list[str]:
    return [item["metadata"]["name"] for item in response.json()["items"]]


@pytest.fixture
def five(server: APIServer) -> APIServer:
    for n in range(5):
        post(server, config(f"c{n}", labels={"tier": "ab"[n % 2], "n": str(n)}))
    return server


def test_create_answers_201_and_get_the_same(server: APIServer) -> None:
    made = post(server, config())
    assert made.status == 201
    assert get(server, f"{MAPS}/c").json() == made.json()


@pytest.mark.parametrize(
    "form", [dict, json.dumps, lambda body: json.dumps(body).encode()], ids=["dict", "str", "bytes"]
)
def test_a_body_may_be_a_value_or_text(server: APIServer, form: Any) -> None:
    assert post(server, form(config())).status == 201


def test_a_yaml_body_and_answer(server: APIServer) -> None:
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {a: '1'}\n"
    assert server.http("POST", MAPS, body, "application/yaml").status == 201
    text = get(server, f"{MAPS}/y", "application/yaml").body.decode()
    assert 'a: "1"' in text


def test_an_answer_is_a_status_with_code_and_reason(server: APIServer) -> None:
    answer = get(server, f"{MAPS}/nope")
    assert answer.status == 404
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "nope" not found',
        "reason": "NotFound",
        "details": {"name": "nope", "kind": "configmaps"},
        "code": 404,
    }


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("DELETE", "/api/v1/namespaces", 405),
        ("PUT", MAPS, 405),
        ("POST", f"{MAPS}/c", 405),
        ("OPTIONS", MAPS, 405),
        ("POST", "/version", 405),
        ("GET", "/api/v1/namespaces/default/foos", 404),
        ("GET", "/api/v2", 404),
        ("GET", "/nope", 404),
        ("GET", "/apis/nope.io/v1/x", 404),
        ("GET", f"{MAPS}/c/status", 404),
        ("GET", f"{MAPS}/c/d/e", 404),
        ("GET", "/api/v1/namespaces/default/pods/p/log", 501),
    ],
)
def test_paths_and_methods_that_are_not_served(server: APIServer, method: str, path: str, code: int) -> None:
    assert server.http(method, path, {} if method in ("POST", "PUT") else None, JSON).status == code


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("labelSelector=tier%3Da", ["c0", "c2", "c4"]),
        ("labelSelector=n%20notin%20(1,2,3)", ["c0", "c4"]),
        ("fieldSelector=metadata.name%3Dc1", ["c1"]),
        ("fieldSelector=metadata.name!%3Dc1&labelSelector=tier%3Db", ["c3"]),
        ("limit=0", ["c0", "c1", "c2", "c3", "c4"]),
        ("limit=2&resourceVersion=0", ["c0", "c1", "c2", "c3", "c4"]),
    ],
)
def test_lists_are_selected_and_sorted(five: APIServer, query: str, found: list[str]) -> None:
    assert names(get(five, f"{MAPS}?{query}")) == found


def test_pages_show_one_state_whatever_is_written_meanwhile(five: APIServer) -> None:
    first = get(five, f"{MAPS}?limit=2").json()
    assert first["metadata"]["remainingItemCount"] == 3
    post(five, config("c2a"))
    five.http("DELETE", f"{MAPS}/c3")
    second = get(five, f"{MAPS}?limit=5&continue={first['metadata']['continue']}")
    assert names(second) == ["c2", "c3", "c4"]
    assert second.json()["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_an_expired_page_offers_a_token_that_works(five: APIServer) -> None:
    token = get(five, f"{MAPS}?limit=2").json()["metadata"]["continue"]
    post(five, config("c9"))
    five.compact()
    expired = get(five, f"{MAPS}?limit=2&continue={token}")
    assert (expired.status, expired.json()["reason"]) == (410, "Expired")
    again = get(five, f"{MAPS}?continue={expired.json()['metadata']['continue']}")
    assert names(again) == ["c2", "c3", "c4", "c9"]


def test_items_of_a_list_leave_out_what_the_list_says(five: APIServer) -> None:
    answer = get(five, MAPS).json()
    assert (answer["kind"], answer["apiVersion"]) == ("ConfigMapList", "v1")
    assert "kind" not in answer["items"][0]


def test_a_future_version_times_out(five: APIServer) -> None:
    answer = get(five, f"{MAPS}?resourceVersion=999999")
    assert (answer.status, answer.json()["reason"]) == (504, "Timeout")


def test_a_watch_shows_what_happens_through_its_selector(five: APIServer) -> None:
    version = get(five, MAPS).json()["metadata"]["resourceVersion"]
    watch = get(five, f"{MAPS}?watch=1&labelSelector=tier%3Da&resourceVersion={version}")
    merge = "application/merge-patch+json"
    five.http("PATCH", f"{MAPS}/c1", {"metadata": {"labels": {"tier": "a"}}}, merge)
    five.http("PATCH", f"{MAPS}/c0", {"data": {"a": "2"}}, merge)
    five.http("PATCH", f"{MAPS}/c2", {"metadata": {"labels": {"tier": "b"}}}, merge)
    five.http("PATCH", f"{MAPS}/c3", {"data": {"a": "2"}}, merge)
    shown = [(e["type"], e["object"]["metadata"]["name"]) for e in watch.events()]
    assert shown == [("ADDED", "c1"), ("MODIFIED", "c0"), ("DELETED", "c2")]
    assert list(watch.events()) == []
    five.http("DELETE", f"{MAPS}/c4")
    assert [e["type"] for e in watch.events()] == ["DELETED"]


def test_a_watch_from_zero_begins_with_what_is_there(five: APIServer) -> None:
    watch = get(five, f"{MAPS}?watch=1&resourceVersion=0")
    assert [e["type"] for e in watch.events()] == ["ADDED"] * 5


def test_a_watch_list_ends_its_beginning_with_a_bookmark(five: APIServer) -> None:
    query = "watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    *_, last = get(five, f"{MAPS}?{query}").events()
    assert last["type"] == "BOOKMARK"
    assert last["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_watch_from_before_a_compaction_says_so_in_the_stream(five: APIServer) -> None:
    five.compact()
    watch = get(five, f"{MAPS}?watch=1&resourceVersion=1")
    (event,) = watch.events()
    assert watch.status == 200
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)


def test_the_user_agent_is_the_field_manager_unless_one_is_named(server: APIServer) -> None:
    managers = []
    for n, query in enumerate(("", "?fieldManager=me")):
        made = post(server, config(f"c{n}"), MAPS + query, **{"User-Agent": "curl/8.1 (linux)"})
        managers.append(made.json()["metadata"]["managedFields"][0]["manager"])
    assert managers == ["curl", "me"]


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("text/plain", 415),
        ("application/vnd.kubernetes.protobuf", 415),
        ("", 201),
        ("application/json; charset=utf-8", 201),
    ],
)
def test_bodies_are_read_by_content_type(server: APIServer, content_type: str, code: int) -> None:
    assert server.http("POST", MAPS, json.dumps(config()), content_type).status == code


def test_delete_options_come_in_body_or_query(server: APIServer) -> None:
    for how in ("body", "query"):
        post(server, config(how))
        if how == "body":
            server.http("DELETE", f"{MAPS}/{how}", {"propagationPolicy": "Orphan"}, JSON)
        else:
            server.http("DELETE", f"{MAPS}/{how}?propagationPolicy=Orphan")
        assert get(server, f"{MAPS}/{how}").json()["metadata"]["finalizers"] == ["orphan"]


def test_a_collection_is_deleted_by_selector(five: APIServer) -> None:
    gone = five.http("DELETE", f"{MAPS}?labelSelector=tier%3Da")
    assert names(gone) == ["c0", "c2", "c4"]
    assert names(get(five, MAPS)) == ["c1", "c3"]


def test_metadata_alone_can_be_asked_for(five: APIServer) -> None:
    answer = get(five, f"{MAPS}/c1", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1").json()
    assert answer["kind"] == "PartialObjectMetadata"
    assert "data" not in answer


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;as=Foo;v=v1;g=meta.k8s.io"])
def test_what_cannot_be_written_is_not_acceptable(server: APIServer, accept: str) -> None:
    assert get(server, MAPS, accept).status == 406


def test_discovery_lists_every_resource_once(server: APIServer) -> None:
    groups = [g["name"] for g in get(server, "/apis").json()["groups"]]
    assert "apps" in groups
    assert not [g for g in groups if g.endswith("kctl.dev")]
    listed = [r["name"] for r in get(server, "/apis/apps/v1").json()["resources"]]
    assert listed == sorted(set(listed))
    assert "deployments/scale" in listed


def test_aggregated_discovery_says_what_it_is(server: APIServer) -> None:
    answer = get(server, "/apis", AGGREGATED)
    assert answer.header("Content-Type") == AGGREGATED
    assert answer.json()["kind"] == "APIGroupDiscoveryList"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_ok(server: APIServer, path: str) -> None:
    assert get(server, path).body == b"ok"


def test_somebody_else_can_ask_who_they_are(server: APIServer) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    user = {"username": "jane", "groups": ["devs"]}
    answer = server.http("POST", path, {}, JSON, None, user).json()
    assert answer["status"]["userInfo"] == {"username": "jane", "groups": ["devs", "system:authenticated"]}


SEGMENT = st.sampled_from(
    ["", "api", "apis", "v1", "apps", "namespaces", "default", "pods", "p", "status", "watch", "é", "%2F"]
)
TEXT = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.text(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["apiVersion", "kind", "metadata", "name", "spec", "x"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    ).map(json.dumps),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"]),
    st.lists(SEGMENT, max_size=7),
    st.sampled_from(["", "?", "?watch=1", "?limit=x", "?resourceVersion=z", "?dryRun=All&force=1", "?continue=a%ff"]),
    TEXT,
    st.sampled_from(["", JSON, "application/yaml", "application/merge-patch+json", "application/json-patch+json", "x"]),
)
def test_no_request_makes_the_server_fail(method: str, parts: list[str], query: str, body: Any, media: str) -> None:
    server = APIServer(MemoryStore(), clock=FixedClock(), frozen=True)
    answer = server.http(method, "/" + "/".join(parts) + query, body, media)
    assert 200 <= answer.status < 600
    assert b"Internal error occurred" not in answer.body


def test_a_closed_watch_hears_no_more(five: APIServer) -> None:
    watch = get(five, f"{MAPS}?watch=1&resourceVersion={five.revision}")
    watch.close()
    post(five, config("late"))
    assert list(watch.events()) == []
