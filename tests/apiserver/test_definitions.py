"""Custom resource definitions at work: what they bring, what they refuse, how they go."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import FixedClock
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, evolve
from kctl.apiserver.server import APIServer
from kctl.client.local import LocalClient
from kctl.store.memory import MemoryStore

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
FOOS = "foos.example.com"
BASE = "/apis/example.com/v1/namespaces/default/foos"
SPEC: Obj = {
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1},
        "s": {"type": "string", "default": "x"},
        "l": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            "items": {
                "type": "object",
                "required": ["k"],
                "properties": {"k": {"type": "string"}, "v": {"type": "string"}},
            },
        },
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "maybe": {"type": "string", "nullable": True},
    },
}


def definition(**changes: Any) -> Obj:
    version: Obj = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC, "status": {"type": "object"}}}},
    }
    names = {"plural": "foos", "kind": "Foo", "shortNames": ["fo"]}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    made: Obj = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.com"},
        "spec": {**spec, **changes},
    }
    return made


def foo(name: str, spec: Obj | None = None, **more: Any) -> Obj:
    out: Obj = {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": name, "namespace": "default"}}
    return {**out, **({"spec": spec} if spec is not None else {}), **more}


@pytest.fixture
def served(client: LocalClient) -> LocalClient:
    client.create(CRDS, definition())
    return client


def conditions(server: APIServer, name: str = FOOS) -> dict[str, tuple[str, str]]:
    found = server.storage.objects(CRDS)[Key("", name)]
    return {c["type"]: (c["status"], c["reason"]) for c in found["status"]["conditions"]}


def test_a_definition_is_established_and_its_resources_are_served(server: APIServer, served: LocalClient) -> None:
    assert conditions(server) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    kind = server.registry.find("fo")
    assert kind is not None
    assert (kind.resource, kind.kind, kind.namespaced) == (FOOS, "Foo", True)
    made = served.create(FOOS, foo("a", {"n": 1}))
    assert (made["spec"], made["metadata"]["generation"]) == ({"n": 1, "s": "x"}, 1)
    assert [one["metadata"]["name"] for one in served.list(FOOS).items] == ["a"]


def test_another_process_sees_the_kinds_too(clock: FixedClock) -> None:
    store = MemoryStore()
    first = APIServer(store, clock=clock)
    first.commit()
    second = APIServer(store, clock=clock)
    assert second.registry.find("foos") is None
    LocalClient(first).create(CRDS, definition())
    first.commit()
    second.refresh()
    assert second.registry.find("foos") is not None
    assert APIServer(store, clock=clock).registry.find("foos") is not None


def test_what_a_fork_brings_goes_with_it(server: APIServer, client: LocalClient) -> None:
    with server.fork():
        client.create(CRDS, definition())
        client.create(FOOS, foo("a"))
        assert server.registry.find("foos") is not None
    assert server.registry.find("foos") is None
    with pytest.raises(StatusError):
        client.get(FOOS, "default", "a")


def test_unknown_fields_are_pruned_and_told(server: APIServer, served: LocalClient) -> None:
    answer = server.http("POST", BASE, foo("a", {"zz": 1, "free": {"q": [1]}, "l": [{"k": "a", "y": 2}]}))
    assert answer.json()["spec"] == {"free": {"q": [1]}, "l": [{"k": "a"}], "s": "x"}
    told = [value for name, value in answer.headers if name == "Warning"]
    assert told == ['299 - "unknown field \\"spec.l[0].y\\""', '299 - "unknown field \\"spec.zz\\""']
    strict = server.http("POST", f"{BASE}?fieldValidation=Strict", foo("b", {"zz": 1}))
    assert (strict.status, strict.json()["message"]) == (
        400,
        'Foo in version "v1" cannot be handled as a Foo: strict decoding error: unknown field "spec.zz"',
    )


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"n": "x"}, ("spec.n", 'Invalid value: "string": spec.n in body must be of type integer: "string"')),
        ({"n": 0}, ("spec.n", "Invalid value: 0: spec.n in body should be greater than or equal to 1")),
        ({"n": 1.5}, ("spec.n", 'Invalid value: "number": spec.n in body must be of type integer: "number"')),
        (
            {"port": True},
            ("spec.port", 'Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'),
        ),
        ({"l": [{"v": "1"}]}, ("spec.l[0].k", "Required value")),
        ({"l": [{"k": "a"}, {"k": "a"}]}, ("spec.l[1]", 'Duplicate value: {"k":"a"}')),
        ({"l": {}}, ("spec.l", 'Invalid value: "object": spec.l in body must be of type array: "object"')),
    ],
)
def test_values_are_judged_in_the_words_of_the_real_server(
    server: APIServer, served: LocalClient, spec: Obj, cause: tuple[str, str]
) -> None:
    answer = server.http("POST", BASE, foo("a", spec))
    assert answer.status == 422
    causes = answer.json()["details"]["causes"]
    assert [(one["field"], one["message"]) for one in causes] == [cause]


def test_null_is_kept_where_it_may_be_and_defaulted_where_not(server: APIServer, served: LocalClient) -> None:
    made = server.http("POST", BASE, foo("a", {"maybe": None, "s": None, "n": None})).json()
    assert made["spec"] == {"maybe": None, "s": "x"}


def test_what_did_not_change_is_not_judged_again(served: LocalClient, server: APIServer) -> None:
    served.create(FOOS, foo("a", {"n": 5, "s": "long"}))
    crd = served.get(CRDS, "", FOOS)
    spec = evolve(SPEC, {"properties": {"s": {"maxLength": 2}}})
    versions = [evolve(crd["spec"]["versions"][0], {"schema": {"openAPIV3Schema": {"properties": {"spec": spec}}}})]
    served.update(CRDS, evolve(crd, {"spec": {"versions": versions}}))
    changed = served.patch(FOOS, Key("default", "a"), {"spec": {"n": 6}})
    assert changed["spec"]["n"] == 6
    with pytest.raises(StatusError, match="Too long: may not be more than 2 bytes"):
        served.patch(FOOS, Key("default", "a"), {"spec": {"s": "longer"}})


def test_server_side_apply_merges_by_the_keys_of_the_schema(served: LocalClient) -> None:
    served.apply(FOOS, foo("a", {"l": [{"k": "a", "v": "1"}]}), field_manager="one")
    out = served.apply(FOOS, foo("a", {"l": [{"k": "b", "v": "2"}]}), field_manager="two")
    assert [item["k"] for item in out["spec"]["l"]] == ["a", "b"]
    with pytest.raises(StatusError) as refused:
        served.apply(FOOS, foo("a", {"l": [{"k": "a", "v": "3"}]}), field_manager="two")
    assert refused.value.code == 409
    assert '.spec.l[k="a"].v' in refused.value.message


def test_a_strategic_patch_is_not_understood(server: APIServer, served: LocalClient) -> None:
    served.create(FOOS, foo("a"))
    kind = "application/strategic-merge-patch+json"
    assert server.http("PATCH", f"{BASE}/a", {"spec": {}}, kind).status == 415


def test_status_is_written_through_its_subresource_alone(server: APIServer, client: LocalClient) -> None:
    version = evolve(definition()["spec"]["versions"][0], {"subresources": {"status": {}}})
    client.create(CRDS, definition(versions=[version]))
    client.create(FOOS, foo("a", {"n": 1}, status={"x": 1}))
    assert "status" not in client.get(FOOS, "default", "a")
    patch = {"metadata": {"labels": {"a": "b"}}, "spec": {"n": 9}, "status": {}}
    out = client.patch(FOOS, Key("default", "a"), patch, subresource="status")
    assert (out["spec"]["n"], out["metadata"].get("labels"), out["metadata"]["generation"]) == (1, None, 1)
    assert client.patch(FOOS, Key("default", "a"), {"spec": {"n": 2}})["metadata"]["generation"] == 2


def test_versions_differ_in_what_they_show(server: APIServer, client: LocalClient) -> None:
    one = definition()["spec"]["versions"][0]
    schema = {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        }
    }
    two = {"name": "v2", "served": True, "storage": False, "schema": schema, "deprecated": True}
    client.create(CRDS, definition(versions=[one, two]))
    client.create(FOOS, foo("a", {"n": 1, "s": "y"}))
    answer = server.http("GET", "/apis/example.com/v2/namespaces/default/foos/a")
    assert answer.json()["spec"] == {"n": 1}
    assert answer.header("Warning") == '299 - "example.com/v2 Foo is deprecated"'
    assert server.http("GET", "/apis/example.com/v3/namespaces/default/foos/a").status == 404


def test_a_conversion_webhook_is_refused_and_not_passed_over(server: APIServer, client: LocalClient) -> None:
    one = definition()["spec"]["versions"][0]
    two = {**one, "name": "v2", "storage": False}
    hook = {"clientConfig": {"url": "https://x.example.com"}, "conversionReviewVersions": ["v1"]}
    conversion = {"strategy": "Webhook", "webhook": hook}
    client.create(CRDS, definition(versions=[one, two], conversion=conversion))
    client.create(FOOS, foo("a", {"n": 1}))
    answer = server.http("GET", "/apis/example.com/v2/namespaces/default/foos/a")
    assert answer.status == 500
    assert "kctl calls no webhooks" in answer.json()["message"]


def test_a_name_that_is_taken_is_not_accepted_until_it_is_free(server: APIServer, served: LocalClient) -> None:
    names = {"plural": "bars", "kind": "Bar", "shortNames": ["fo"]}
    other = definition(names=names)
    served.create(CRDS, {**other, "metadata": {"name": "bars.example.com"}})
    assert conditions(server, "bars.example.com") == {
        "NamesAccepted": ("False", "ShortNamesConflict"),
        "Established": ("False", "NotAccepted"),
    }
    served.delete(CRDS, Key("", FOOS))
    assert conditions(server, "bars.example.com")["Established"] == ("True", "InitialNamesAccepted")


def test_a_definition_takes_its_instances_with_it(server: APIServer, served: LocalClient) -> None:
    served.create(FOOS, foo("a"))
    served.delete(CRDS, Key("", FOOS))
    assert server.storage.objects(FOOS) == {}
    assert server.storage.objects(CRDS) == {}
    assert server.registry.find("foos") is None


def test_a_definition_waits_for_an_instance_that_is_held(server: APIServer, served: LocalClient) -> None:
    held = foo("a")
    held["metadata"] = {**held["metadata"], "finalizers": ["example.com/wait"]}
    served.create(FOOS, held)
    served.delete(CRDS, Key("", FOOS))
    assert conditions(server)["Terminating"] == ("True", "InstanceDeletionCheck")
    with pytest.raises(StatusError) as refused:
        served.create(FOOS, foo("b"))
    assert refused.value.code == 405
    served.patch(FOOS, Key("default", "a"), {"metadata": {"finalizers": None}})
    assert server.storage.objects(CRDS) == {}


def test_rules_in_cel_are_carried_out_and_share_a_budget(server: APIServer, client: LocalClient) -> None:
    rules = [{"rule": "!has(self.n) || self.n < 10", "messageExpression": "'n is %d'.format([self.n])"}]
    old = {"s": {"x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "immutable"}], "maxLength": 9}}
    spec = evolve(SPEC, {"properties": {**old, "n": {"type": "integer"}}})
    schema = {
        "openAPIV3Schema": {"type": "object", "properties": {"spec": {**spec, "x-kubernetes-validations": rules}}}
    }
    client.create(CRDS, definition(versions=[evolve(definition()["spec"]["versions"][0], {"schema": schema})]))
    with pytest.raises(StatusError, match="spec: Invalid value: n is 11"):
        client.create(FOOS, foo("a", {"n": 11}))
    client.create(FOOS, foo("a", {"n": 1, "s": "y"}))
    with pytest.raises(StatusError, match=r'spec\.s: Invalid value: "z": immutable'):
        client.patch(FOOS, Key("default", "a"), {"spec": {"s": "z"}})


@pytest.mark.parametrize("body", [None, [], "x", {}, {"kind": 1}, {"apiVersion": [], "kind": "Foo"}, {"kind": "Foo"}])
def test_a_body_that_is_no_object_of_the_kind_is_refused(server: APIServer, served: LocalClient, body: Any) -> None:
    answer = server.http("POST", BASE, body)
    assert answer.status == 400


def test_fields_can_be_selected_by_when_the_definition_says_so(server: APIServer, client: LocalClient) -> None:
    version = {**definition()["spec"]["versions"][0], "selectableFields": [{"jsonPath": ".spec.s"}]}
    client.create(CRDS, definition(versions=[version]))
    for name, text in (("a", "1"), ("b", "2")):
        client.create(FOOS, foo(name, {"s": text}))
    found = client.list(FOOS, "default", field_selector="spec.s=2").items
    assert [one["metadata"]["name"] for one in found] == ["b"]
    answer = server.http("GET", f"{BASE}?fieldSelector=spec.n=1")
    assert (answer.status, answer.json()["message"]) == (400, "field label not supported: spec.n")
