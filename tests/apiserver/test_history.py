"""Reading while others write: pages of one state, tokens that expire, watches that fall behind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.apiserver.http import HTTPResponse
from kctl.apiserver.read import write_continue
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

MAPS = "/api/v1/namespaces/default/configmaps"
JSON = "application/json"
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


def get(server: APIServer, query: str) -> HTTPResponse:
    return server.http("GET", f"{MAPS}?{query}", headers={"Accept": JSON})


def write(server: APIServer, name: str, value: str) -> None:
    """Create or change a ConfigMap; "" deletes it."""
    if not value:
        server.http("DELETE", f"{MAPS}/{name}")
        return
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"v": value}}
    if server.http("POST", MAPS, json.dumps(body), JSON).status == 409:
        assert server.http("PUT", f"{MAPS}/{name}", json.dumps(body), JSON).status == 200


def made() -> APIServer:
    server = APIServer(MemoryStore(), clock=FixedClock(), frozen=True)
    for n in range(6):
        write(server, f"c{n}", "0")
    return server


def contents(items: list[Obj]) -> dict[str, str]:
    return {item["metadata"]["name"]: item["data"]["v"] for item in items}


WRITES = st.lists(st.tuples(st.sampled_from([f"c{n}" for n in range(9)]), st.sampled_from(["", "1", "2"])), max_size=6)


@given(st.lists(WRITES, min_size=1, max_size=4), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_all_pages_show_the_state_of_the_first_whatever_is_written_between(
    between: list[list[tuple[str, str]]], limit: int
) -> None:
    server = made()
    page = get(server, f"limit={limit}").json()
    version, found, left = page["metadata"]["resourceVersion"], contents(page["items"]), 6 - len(page["items"])
    turn = 0
    while page["metadata"].get("continue"):
        assert page["metadata"].get("remainingItemCount") == left
        for name, value in between[turn % len(between)]:
            write(server, name, value)
        turn += 1
        page = get(server, f"limit={limit}&continue={page['metadata']['continue']}").json()
        assert page["metadata"]["resourceVersion"] == version
        found |= contents(page["items"])
        left -= len(page["items"])
    assert found == {f"c{n}": "0" for n in range(6)}
    assert left == 0


def test_a_token_that_expired_brings_one_that_goes_on_in_the_present() -> None:
    server = made()
    token = get(server, "limit=2").json()["metadata"]["continue"]
    write(server, "c1", "")  # listed already: nobody will hear of it
    write(server, "c4", "1")
    write(server, "c9", "1")
    server.compact()
    expired = get(server, f"limit=2&continue={token}")
    assert (expired.status, expired.json()["reason"], expired.json()["message"]) == (410, "Expired", EXPIRED)
    page = get(server, f"limit=2&continue={expired.json()['metadata']['continue']}").json()
    assert contents(page["items"]) == {"c2": "0", "c3": "0"}
    assert page["metadata"]["resourceVersion"] == str(server.revision)
    write(server, "c5", "")  # from here on the list is of one state again
    page = get(server, f"continue={page['metadata']['continue']}").json()
    assert contents(page["items"]) == {"c4": "1", "c5": "0", "c9": "1"}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("continue=%25%25%25", 400, "continue key is not valid: illegal base64 data at input byte 0"),
        ("continue=e30", 400, "continue key is not valid: "),
        ("limit=1&continue={token}&resourceVersion=5", 400, "specifying resource version is not allowed when using"),
        ("limit=1&continue={token}&resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden when continue"),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=2&resourceVersionMatch=Exact", 410, "The resourceVersion for the provided list is too old."),
    ],
)
def test_what_asks_for_no_state_is_refused_in_upstreams_words(query: str, code: int, message: str) -> None:
    server = made()
    token = get(server, "limit=2").json()["metadata"]["continue"]
    server.compact()
    answer = get(server, query.replace("{token}", token))
    assert answer.status == code
    assert message in answer.json()["message"]


def test_a_token_of_a_state_that_never_was_is_none() -> None:
    server = made()
    token = write_continue(server.revision + 100, Key("default", "c1"))
    assert get(server, f"limit=2&continue={token}").status == 410


def watched(server: APIServer, version: str, more: str = "") -> Any:
    return get(server, f"watch=1&resourceVersion={version}{more}")


def test_a_watch_that_fell_behind_is_told_so_with_what_it_asked_and_what_there_is() -> None:
    server = made()
    old = get(server, "").json()["metadata"]["resourceVersion"]
    for n in range(3):
        write(server, "c0", str(n + 1))
    server.compact()
    late = watched(server, old)
    assert late.status == 200  # the stream is open, and says it in its first event
    (event,) = late.events()
    assert event == {
        "type": "ERROR",
        "object": {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": f"too old resource version: {old} ({server.revision})",
            "reason": "Expired",
            "code": 410,
        },
    }
    assert list(late.events()) == []


def test_after_an_expiry_a_list_and_a_watch_from_it_miss_nothing() -> None:
    server = made()
    server.compact()
    page = get(server, "").json()
    watch = watched(server, page["metadata"]["resourceVersion"])
    write(server, "c7", "1")
    seen = [(event["type"], event["object"]["metadata"]["name"]) for event in watch.events()]
    assert seen == [("ADDED", "c7")]


def test_in_process_the_same_is_an_error() -> None:
    server = made()
    client = LocalClient(server)
    old = server.revision
    write(server, "c0", "1")
    assert [event.object["data"] for event in client.watch("configmaps", revision=old).events()] == [{"v": "1"}]
    server.compact()
    with pytest.raises(StatusError, match=rf"too old resource version: {old} \({server.revision}\)") as refused:
        client.watch("configmaps", revision=old)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")


def test_an_open_watch_does_not_expire_with_the_history() -> None:
    server = made()
    watch = watched(server, str(server.revision))
    write(server, "c0", "1")
    server.compact()
    write(server, "c1", "1")
    assert [event["object"]["metadata"]["name"] for event in watch.events()] == ["c0", "c1"]


@pytest.mark.parametrize(("asked", "wanted"), [("&allowWatchBookmarks=true", 1), ("", 0)])
def test_a_quiet_watch_gets_a_bookmark_every_minute_if_it_asks(asked: str, wanted: int) -> None:
    clock = FixedClock()
    server = APIServer(MemoryStore(), clock=clock)
    watch = watched(server, str(server.revision), asked)
    for _ in range(3):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{server.revision}"}}
        server.http("POST", "/api/v1/namespaces", json.dumps(body), JSON)
        assert list(watch.events()) == []
        clock.set(clock.now() + 60)
        marks = list(watch.events())
        assert [mark["type"] for mark in marks] == ["BOOKMARK"] * wanted
        for mark in marks:
            version = str(server.revision)
            assert mark["object"] == {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": version}}


@given(st.lists(WRITES, min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_what_a_watch_tells_adds_up_to_what_a_list_shows(turns: list[list[tuple[str, str]]]) -> None:
    server = made()
    page = get(server, "").json()
    known = contents(page["items"])
    watch = watched(server, page["metadata"]["resourceVersion"])
    for turn in turns:
        for name, value in turn:
            write(server, name, value)
        for event in watch.events():
            name = event["object"]["metadata"]["name"]
            if event["type"] == "DELETED":
                del known[name]
            else:
                assert (event["type"] == "ADDED") == (name not in known)
                known[name] = event["object"]["data"]["v"]
        assert known == contents(get(server, "").json()["items"])
