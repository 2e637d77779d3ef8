"""Objects of a cohort are what each would have been by itself, wherever they are looked at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import recorded
from kctl.api.clock import FixedClock, rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.api.recorded import Form, Own, Recorded
from kctl.apiserver import alike_events, encoding
from kctl.apiserver.cohorts import CLOSE, OPEN, Cohort
from kctl.apiserver.packed import PackedObjects
from kctl.apiserver.server import APIServer
from kctl.apiserver.steps import Event
from kctl.apiserver.storage import Storage
from kctl.apiserver.templates import Template, differences, written
from kctl.client.local import LocalClient
from kctl.store.errors import HeadMoved
from kctl.store.memory import MemoryStore

ALWAYS, NEVER = 1, 1_000_000
FORM = Form("default", "Pod", "v1", "default", "Pulled", "Normal", "", "kubelet", "2026-01-01T00:00:00Z")


def cluster() -> tuple[APIServer, LocalClient]:
    server = APIServer(MemoryStore(), clock=FixedClock(), frozen=True)
    return server, LocalClient(server, user="system:kube-controller-manager", field_manager="kubelet")


def own(n: int, **more: str) -> Own:
    found = Own(
        f"web-{n}.1", f"web-{n}", f"u{n}", str(n + 1), "spec.containers{main}", f"Pulled image {n}", f"node-{n % 2}"
    )
    return found._replace(**more)


def many(*forms: Form, number: int = 12) -> list[Recorded]:
    """Return Events of several forms, one of each form about each object."""
    return [(form, own(n, name=f"web-{n}.{at}")) for n in range(number) for at, form in enumerate(forms)]


def recording(events: list[Recorded], least: int) -> tuple[APIServer, list[str]]:
    """Return a server that took the Events, those of a form together from ``least`` on, and what it said."""
    server, client = cluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike_events, "MANY", least)
        patch.setattr(encoding, "MIN_ALIKE", 8)
        said = [str(error) for error in client.record(events)]
        server.commit()
    return server, said


def rows(server: APIServer) -> list[Any]:
    """Return all that is stored."""
    return [tuple(change) for change in server.storage.store.changes(0)]


TEXT = st.sampled_from(["a", "b", "", "x/y", ".", 'quote " and %s', "é\n", f"{OPEN}1{CLOSE}"])
OWNS = st.builds(
    Own,
    name=st.sampled_from([f"e{n}" for n in range(20)]) | TEXT,
    about=TEXT,
    uid=st.sampled_from(["u1", "u2", ""]),
    resource_version=st.sampled_from(["1", "2", "3"]),
    field_path=st.sampled_from(["spec.containers{a}", "spec.containers{b}", ""]),
    message=TEXT,
    host=st.sampled_from(["n1", "n2", "n1", ""]),
)
FORMS = st.sampled_from(
    [
        FORM,
        FORM._replace(reason="Failed", type="Warning"),
        FORM._replace(action="Binding"),
        FORM._replace(type="Odd"),
        FORM._replace(about_namespace="elsewhere"),
        FORM._replace(namespace="kube-system", about_namespace="kube-system"),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(FORMS, OWNS), min_size=2, max_size=40))
def test_events_recorded_together_are_stored_as_those_recorded_alone(events: list[Recorded]) -> None:
    (one, said), (other, said_alone) = recording(events, ALWAYS), recording(events, NEVER)
    assert said == said_alone
    assert rows(one) == rows(other)
    assert one.storage.objects("events") == other.storage.objects("events")


TOLD_AT = st.sampled_from(["now", "now", "2025-01-01T00:00:00Z", "2025-01-01T00:00:00+01:00", "soon"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), TOLD_AT, st.lists(st.tuples(FORMS, OWNS), max_size=5)), max_size=8))
def test_events_of_different_moments_are_stored_as_those_recorded_alone(
    calls: list[tuple[int, str, list[Recorded]]],
) -> None:
    outcomes = []
    for least in (ALWAYS, 4, NEVER):
        server, client = cluster()
        said = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(alike_events, "MANY", least)
            patch.setattr(encoding, "MIN_ALIKE", 8)
            for passed, at, events in calls:
                server.clock.set(server.clock.now() + passed)  # type: ignore[attr-defined]
                told = rfc3339(server.clock.now()) if at == "now" else at
                said += [str(error) for error in client.record([(form._replace(at=told), own) for form, own in events])]
                server.commit()
        outcomes.append((said, rows(server), dict(server.storage.objects("events"))))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_many_events_are_stored_by_what_is_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = Cohort.make
    monkeypatch.setattr(Cohort, "make", lambda self, values: made.append(values) or make(self, values))
    server, said = recording(many(FORM, FORM._replace(reason="Created")), ALWAYS)
    assert set(said) == {"None"}
    assert len(server.storage.store.list("/events/").items) == 24
    assert len(made) < 24 + 20  # samples of templates, and examples: most objects were never made
    reopened = Storage(server.storage.store, FixedClock())
    assert reopened.objects("events") == server.storage.objects("events")


def test_what_is_held_as_its_own_values_is_read_everywhere() -> None:
    events = many(FORM)
    server, client = cluster()
    watch, told = client.watch("events", revision=0), []
    stop = server.storage.subscribe("events", told.append)
    before = server.revision
    client.record(events)
    stop()
    expected = [recorded.event(*event) for event in events]

    def same(found: list[Obj]) -> bool:
        said = {obj["metadata"]["name"]: {**obj, "metadata": {}} for obj in found}
        return len(found) == len(expected) and all(
            {**said[body["metadata"]["name"]], **body, "metadata": {}} == said[body["metadata"]["name"]]
            for body in expected
        )

    assert same(client.list("events").items)
    assert same([event.object for event in watch.events()])
    assert same([event.object for event in told])
    assert [event.read() for event in told] == server.storage.since("events", before)
    assert all(isinstance(event.read(), Event) and event.old is None for event in told)
    assert {event.field("reason") for event in told} == {"Pulled"}
    assert same(list(server.storage.at("events", server.revision).values()))
    assert server.storage.at("events", before) == {}
    found = client.get("events", "default", "web-3.0")
    assert found is client.get("events", "default", "web-3.0")
    with pytest.raises(TypeError):
        found["message"] = "other"


def test_events_of_a_cohort_go_with_a_fork_and_are_counted_and_deleted_as_any_other() -> None:
    server, client = cluster()
    with server.storage.fork():
        client.record(many(FORM))
        assert len(client.list("events").items) == 12
    assert client.list("events").items == []
    client.record(many(FORM))
    key = Key("default", "web-9.0")
    client.patch("events", key, {"count": 2})
    client.delete("events", Key("default", "web-8.0"))
    server.commit()
    stored = Storage(server.storage.store, FixedClock()).objects("events")
    assert stored == server.storage.objects("events")
    assert stored[key]["count"] == 2
    assert len(stored) == 11


def test_events_of_a_lost_race_are_taken_back_and_can_be_recorded_again() -> None:
    store = MemoryStore()
    servers = [APIServer(store, clock=FixedClock(), frozen=True) for _ in range(2)]
    first, second = (LocalClient(server, user="system:kube-controller-manager") for server in servers)
    for server in servers:
        server.storage.objects("events")
    told: list[str] = []
    servers[1].storage.subscribe("events", lambda event: told.append(event.type))
    first.record([(FORM, own(99))])
    servers[0].commit()
    second.record(many(FORM))
    with pytest.raises(HeadMoved):
        servers[1].commit()
    servers[1].refresh()
    assert told == ["ADDED"] * 12 + ["DELETED"] * 12 + ["ADDED"]
    assert [event["metadata"]["name"] for event in second.list("events").items] == ["web-99.1"]
    second.record(many(FORM))
    servers[1].commit()
    assert Storage(store, FixedClock()).objects("events") == servers[1].storage.objects("events")
    assert len(second.list("events").items) == 13


def test_a_name_that_is_taken_is_refused_among_many() -> None:
    _, client = cluster()
    found = client.record([*many(FORM), (FORM, own(3, name="web-3.0")), *many(FORM._replace(reason="Late"))])
    reasons = [error.reason if isinstance(error, StatusError) else "" for error in found]
    assert reasons == [""] * 12 + ["AlreadyExists"] * 13


def test_quotas_do_not_count_events(monkeypatch: pytest.MonkeyPatch) -> None:
    filled: list[Any] = []
    fill = PackedObjects.fill
    monkeypatch.setattr(PackedObjects, "fill", lambda self, *event: filled.append(event) or fill(self, *event))
    server, client = cluster()
    spec = {"hard": {"count/events": "5", "pods": "0"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": "default"}}
    made = client.create("resourcequotas", {**quota, "spec": spec})
    client.update("resourcequotas", {**made, "status": {**spec, "used": {"pods": "0"}}}, subresource="status")
    assert set(client.record(many(FORM))) == {None}
    assert len(server.storage.objects("events")) == 12
    assert len(filled) == 11


STRINGS = st.sampled_from(["a", "b", "%", '"', "x y", "10.0.0.1"])
OBJECTS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"name": STRINGS, "uid": STRINGS, "labels": st.just({"app": "web"})}),
        "about": st.fixed_dictionaries({"name": STRINGS, "ips": st.tuples(STRINGS).map(lambda one: [{"ip": one[0]}])}),
        "message": STRINGS,
        "count": st.just(1),
    }
)
PATHS = (("metadata", "name"), ("metadata", "uid"), ("about", "name"), ("about", "ips", 0, "ip"), ("message",))


def values_of(obj: Any) -> tuple[str, ...]:
    meta, about = obj["metadata"], obj["about"]
    return meta["name"], meta["uid"], about["name"], about["ips"][0]["ip"], obj["message"]


@settings(max_examples=200, deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=4), st.lists(OBJECTS, min_size=1, max_size=8))
def test_a_way_writes_what_a_template_reads_and_nothing_else(samples: list[Obj], objects: list[Obj]) -> None:
    places: Any = {}
    assert all(differences(samples[0], other, places) for other in samples[1:])
    template = Template.of(samples[0], places)
    cohort = Cohort.of("things", objects[0], [(path, n) for n, path in enumerate(PATHS)])
    assert cohort is not None
    way = cohort.way("T", template)
    for obj in objects:
        found = template.read(obj)
        want = written("T", found) if found is not None else None
        assert (way.write(values_of(obj)) if way is not None else None) == want
        assert json.dumps(cohort.make(values_of(obj)), sort_keys=True) == json.dumps(obj, sort_keys=True)


@pytest.mark.parametrize(
    "other",
    [{"count": True}, {"count": 2}, {"more": 1}, {"message": 1}, {"about": {"name": {"a": "b"}, "ips": []}}],
    ids=str,
)
def test_a_template_of_other_objects_has_no_way(other: Obj) -> None:
    obj: Obj = {
        "metadata": {"name": "n", "uid": "u", "labels": {"app": "web"}},
        "about": {"name": "m", "ips": [{"ip": "i"}]},
        "message": "said",
        "count": 1,
    }
    cohort = Cohort.of("things", obj, [(path, n) for n, path in enumerate(PATHS)])
    assert cohort is not None
    places: Any = {"metadata": {"name": {}, "uid": {}}}
    assert cohort.way("T", Template.of({**obj, **other}, places)) is None
    assert cohort.way("U", Template.of(obj, {**places, "about": {}, "message": {}})) is not None


def test_an_object_with_a_mark_or_a_fraction_is_no_cohort() -> None:
    paths = [(("name",), 0)]
    assert Cohort.of("things", {"name": "a", "text": f"{OPEN}0{CLOSE}"}, paths) is None
    assert Cohort.of("things", {"name": "a", "part": 0.5}, paths) is None
