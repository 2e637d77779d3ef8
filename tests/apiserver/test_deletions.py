"""Deleting many objects together leaves what deleting one after the other leaves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import recorded
from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj
from kctl.api.recorded import Form, Own
from kctl.apiserver.encoding import Codec
from kctl.apiserver.server import APIServer
from kctl.client.client import Client
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
GROUP = "rbac.authorization.k8s.io"
Made = tuple[str, int | None, bool, str]
MADE = st.tuples(
    st.sampled_from(("", "n1")), st.sampled_from((None, 0, 5)), st.booleans(), st.sampled_from(("", "f/f"))
)
ASKED = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(("", "right", "wrong"))), max_size=10)
OPTIONS = st.fixed_dictionaries(
    {
        "grace": st.sampled_from((None, 0, 3, -1)),
        "propagation": st.sampled_from((None, "Background", "Foreground", "Orphan")),
    }
)


def world(made: list[Made]) -> tuple[APIServer, LocalClient]:
    server = APIServer(MemoryStore(), clock=FixedClock(), frozen=True)
    client = LocalClient(server, field_manager="tests")
    client.create("serviceaccounts", ACCOUNT)
    for n, (node, grace, is_deleting, finalizer) in enumerate(made):
        meta: Obj = {"namespace": "default", "name": f"p-{n}"}
        if finalizer:
            meta["finalizers"] = [finalizer]
        spec: Obj = {"containers": [{"name": "c", "image": "i"}]}
        if node:
            spec["nodeName"] = node
        if grace is not None:
            spec["terminationGracePeriodSeconds"] = grace
        client.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        client.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
        if is_deleting and (finalizer or (node and grace != 0)):
            client.delete("pods", Key("default", f"p-{n}"))
    return server, client


def state(server: APIServer) -> Any:
    return server.revision, {resource: dict(server.storage.objects(resource)) for resource in ("pods", "configmaps")}


def one_by_one(client: Client, resource: str, wanted: list[tuple[Key, str]], **options: Any) -> list[Any]:
    out: list[Any] = []
    for key, uid in wanted:
        try:
            out.append(client.delete(resource, key, uid=uid, **options))
        except StatusError as error:
            out.append(error.status())
    return out


def each(client: LocalClient, resource: str, wanted: list[tuple[Key, str]], **options: Any) -> list[Any]:
    found = client.delete_each(resource, wanted, **options)
    return [one.status() if isinstance(one, StatusError) else one for one in found]


def in_a_row(client: LocalClient, resource: str, wanted: list[tuple[Key, str]], **options: Any) -> list[Any]:
    return one_by_one(client.in_a_row(), resource, wanted, **options)


@pytest.mark.parametrize("together", [each, in_a_row])
@settings(max_examples=25, deadline=None)
@given(st.lists(MADE, max_size=6), ASKED, OPTIONS, st.sampled_from(("pods", "configmaps")))
def test_each_deletion_of_many_ends_as_it_would_alone(
    together: Any, made: list[Made], asked: list[tuple[int, str]], options: dict[str, Any], resource: str
) -> None:
    server, client = world(made)
    other_server, other = world(made)
    uids = {key: obj["metadata"]["uid"] for key, obj in server.storage.objects(resource).items()}
    keys = [(Key("default", f"p-{n}"), how) for n, how in asked]
    wanted = [(key, uids.get(key, "none") if how == "right" else how and "another") for key, how in keys]
    found = together(client, resource, wanted, **options)
    assert found == one_by_one(other, resource, wanted, **options)
    assert state(server) == state(other_server)


def test_policies_judge_every_one_of_many_and_the_first_refusal_ends_it() -> None:
    server, client = world([("n1", None, False, "")] * 3)
    expression = {"expression": "oldObject.metadata.name != 'p-1'"}
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]}]
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    client.create(
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        {
            **api,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "keep"},
            "spec": {"matchConstraints": {"resourceRules": rules}, "validations": [expression]},
        },
    )
    client.create(
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        {
            **api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "keep"},
            "spec": {"policyName": "keep", "validationActions": ["Deny"]},
        },
    )
    found = client.delete_each("pods", [(Key("default", f"p-{n}"), "") for n in range(3)])
    assert [isinstance(one, StatusError) for one in found] == [False, True]
    marks = [pod["metadata"].get("deletionTimestamp") for _, pod in sorted(server.storage.objects("pods").items())]
    assert [bool(mark) for mark in marks] == [True, False, False]


def test_who_may_delete_one_by_name_deletes_that_one() -> None:
    server = APIServer(MemoryStore(), clock=FixedClock(), authorization=("RBAC",))
    admin, jane = LocalClient(server), LocalClient(server, user="jane")
    for n in range(2):
        meta = {"name": f"c-{n}", "namespace": "default"}
        admin.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["delete"], "resourceNames": ["c-0"]}
    meta = {"name": "r", "namespace": "default"}
    admin.create(f"roles.{GROUP}", {"apiVersion": f"{GROUP}/v1", "kind": "Role", "metadata": meta, "rules": [rule]})
    subject = {"kind": "User", "name": "jane", "apiGroup": GROUP}
    binding = {"apiVersion": f"{GROUP}/v1", "kind": "RoleBinding", "metadata": meta, "subjects": [subject]}
    admin.create(f"rolebindings.{GROUP}", {**binding, "roleRef": {"kind": "Role", "name": "r", "apiGroup": GROUP}})
    found = jane.delete_each("configmaps", [(Key("default", f"c-{n}"), "") for n in range(2)])
    assert [isinstance(one, StatusError) and one.code for one in found] == [False, 403]
    with pytest.raises(StatusError) as refused:
        jane.delete_collection("configmaps", "default")
    assert refused.value.code == 403


# -- Events, which are taken out unread


def with_events(number: int, **meta: Any) -> tuple[APIServer, LocalClient]:
    """Return a server that has Events as the store keeps them."""
    server, client = world([])
    about = {"kind": "Pod", "namespace": "default", "name": "p", "uid": "u"}
    for n in range(number):
        body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": f"e-{n:04}", "namespace": "default"}}
        client.create("events", {**body, "involvedObject": about, "reason": "R", "message": f"m {n}", "type": "Normal"})
    if meta:
        client.patch("events", Key("default", "e-0000"), {"metadata": meta})
    server.commit()
    return server, client


def count_decoding(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counted = [0]
    decode = Codec.decode

    def counting(self: Codec, value: bytes) -> Obj:
        counted[0] += 1
        return decode(self, value)

    monkeypatch.setattr(Codec, "decode", counting)
    return counted


def test_no_event_is_read_to_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = with_events(100)
    before = server.revision
    counted = count_decoding(monkeypatch)
    client.delete_collection("events", "default")
    server.commit()
    assert counted == [0]
    assert server.revision == before + 100
    assert client.list("events").items == []


def test_a_watch_from_before_hears_of_every_event_that_went_as_it_ended() -> None:
    server, client = with_events(40)
    before = server.revision
    known = dict(server.storage.objects("events"))
    client.delete_collection("events", "default")
    heard = list(client.watch("events", revision=before).events())
    assert [(event.type, event.old) for event in heard] == [("DELETED", known[key]) for key in sorted(known)]
    assert [event.object["metadata"]["resourceVersion"] for event in heard] == [
        str(before + n) for n in range(1, len(known) + 1)
    ]
    assert server.storage.at("events", before) == known


def test_who_follows_events_hears_of_them_at_once() -> None:
    server, client = with_events(3)
    watch = client.watch("events", revision=server.revision)
    client.delete_collection("events", "default")
    assert [event.object["metadata"]["name"] for event in watch.events()] == ["e-0000", "e-0001", "e-0002"]


def test_a_fork_gives_events_back() -> None:
    server, client = with_events(40)
    known, revision = dict(server.storage.objects("events")), server.revision
    with server.fork():
        client.delete_collection("events", "default")
        assert client.list("events").items == []
    assert dict(server.storage.objects("events")) == known
    assert server.revision == revision


def test_an_event_with_a_finalizer_stays_and_is_marked() -> None:
    _, client = with_events(40, finalizers=["example.com/keep"])
    client.delete_collection("events", "default")
    (held,) = client.list("events").items
    assert held["metadata"]["name"] == "e-0000"
    assert held["metadata"]["deletionTimestamp"]


def test_a_collection_over_the_api_returns_what_it_deleted() -> None:
    server, _ = with_events(3)
    answer = server.http("DELETE", "/api/v1/namespaces/default/events")
    assert len(answer.json()["items"]) == 3


# -- what a dying namespace is told


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(("alike", "other reason", "malformed", "no name", "elsewhere")), max_size=8))
def test_a_dying_namespace_refuses_events_together_as_it_does_alone(sorts: list[str]) -> None:
    _, client = world([])
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "doomed"}}
    client.create("namespaces", namespace)
    client.delete("namespaces", Key("", "doomed"))
    form = Form("doomed", "Pod", "v1", "doomed", "R", "Normal", "", "me", "2026-01-01T00:00:00Z")
    forms = {
        "other reason": form._replace(reason="Another"),
        "malformed": form._replace(type="Odd"),
        "elsewhere": form._replace(namespace="default", about_namespace="default"),
    }
    events = [
        (forms.get(sort, form), Own("" if sort == "no name" else f"e-{n}", f"p-{n}", f"u-{n}", "1", "", f"m {n}", ""))
        for n, sort in enumerate(sorts)
    ]
    found = client.record(events)
    for (at, own), one in zip(events, found, strict=True):
        if one is None:
            client.delete("events", Key(at.namespace, own.name))
    for event, one in zip(events, found, strict=True):
        body = recorded.event(*event)
        if one is not None:
            with pytest.raises(StatusError) as alone:
                client.create("events", body)
            assert alone.value.status() == one.status()
        else:
            assert client.create("events", body)
