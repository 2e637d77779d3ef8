"""Requests that are wrong as text: addresses, numbers, bodies; each gets its Status at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.apiserver import numbers, texts, yaml
from kctl.apiserver.server import APIServer

MAPS = "/api/v1/namespaces/default/configmaps"
MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "x" * 1000}}
JSON_PATCH = "application/json-patch+json"


def message(server: APIServer, method: str, path: str, body: Any = None, media: str = "application/json") -> str:
    answer = server.http(method, path, body, media)
    return f"{answer.status} {answer.json()['message']}"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("..", "400 Name parameter invalid: \"..\": may not be '..'"),
        ("%2e", "400 Name parameter invalid: \".\": may not be '.'"),
        ("a%25b", "400 Name parameter invalid: \"a%b\": may not contain '%'"),
        ("a%2Fb", "404 the server could not find the requested resource"),
        ("a/b/c", "404 the server could not find the requested resource"),
        ("%C3%A9", '404 configmaps "é" not found'),
        ("a%20b", '404 configmaps "a b" not found'),
    ],
)
def test_names_in_addresses_are_read_as_go_reads_them(server: APIServer, name: str, want: str) -> None:
    assert message(server, "GET", f"{MAPS}/{name}") == want


def test_an_address_with_a_broken_escape_does_not_reach_the_api(server: APIServer) -> None:
    answer = server.http("GET", f"{MAPS}/%zz")
    assert (answer.status, answer.body) == (400, b"400 Bad Request")


@pytest.mark.parametrize(
    ("query", "want"),
    [
        ("limit=1_0", 'strconv.ParseInt: parsing "1_0": invalid syntax'),
        ("limit=%20 1", 'strconv.ParseInt: parsing "  1": invalid syntax'),
        ("limit=\uff11", 'strconv.ParseInt: parsing "\uff11": invalid syntax'),
        ("limit=9223372036854775808", 'strconv.ParseInt: parsing "9223372036854775808": value out of range'),
        ("resourceVersion=" + "9" * 30, "value out of range"),
        ("resourceVersion=" + "9" * 9000, "value out of range"),
        ("resourceVersion=-1", "invalid syntax"),
        ("watch=1&resourceVersion=x", "invalid syntax"),
    ],
)
def test_numbers_in_queries_are_those_of_go(server: APIServer, query: str, want: str) -> None:
    got = message(server, "GET", f"{MAPS}?{query}")
    assert got.startswith("400 ")
    assert got.endswith(want)


def test_options_that_cannot_be_read_are_left_out(server: APIServer) -> None:
    assert server.http("GET", f"{MAPS}?labelSelector=%zz&limit=1;limit=x").status == 200


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("-0", 0), ("+7", 7), ("-9223372036854775808", -(2**63)), ("0" * 40 + "1", 1)]
)
def test_signed_numbers_are_read(text: str, value: int) -> None:
    assert numbers.signed(text) == value


@pytest.mark.parametrize("text", ["", "+", "-", "--1", "0x1", "1e3", "\u0661", "9" * 5000, "-9223372036854775809"])
def test_what_is_no_signed_number_is_refused(text: str) -> None:
    with pytest.raises(numbers.NotANumber):
        numbers.signed(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": NaN}', "invalid character 'N' looking for beginning of value"),
        ('{"a": -Infinity}', "invalid character 'I' in numeric literal"),
        ('{"a": 1e999}', "json: cannot unmarshal number 1e999 into Go value of type float64"),
        ('{"a": 1', "unexpected end of JSON input"),
        ('{"a": 1} x', "invalid character 'x' after top-level value"),
    ],
)
def test_what_is_no_json_is_said_to_be_none(text: str, why: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 the words come from why_not_json
        texts.read_json(text)
    assert texts.why_not_json(text) == why


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{2: a, true: b, 1.5: c}", {"2": "a", "true": "b", "1.5": "c"}),
        ("a: !!binary aGk=", {"a": "hi"}),
        ("a: !!set {x, y}", {"a": {"x": None, "y": None}}),
        ("a: 2001-01-01", {"a": "2001-01-01"}),
        ("a: !!timestamp 2001-01-01", {"a": "2001-01-01T00:00:00Z"}),
    ],
)
def test_yaml_becomes_what_json_has(text: str, value: Any) -> None:
    assert yaml.read(text)[0] == value


BOMB = "\n".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize("text", ["a: .nan", "a: .inf", "~: a", "a: &a [*a]", "[" * 90_000, f"a: &a [x]\n{BOMB}"])
def test_yaml_that_no_json_is_like_is_refused(server: APIServer, text: str) -> None:
    assert message(server, "POST", MAPS, text, "application/yaml").startswith(
        "400 error converting YAML to JSON: yaml: "
    )


@pytest.mark.parametrize("bomb", ["[" * 100_000, '{"a":' * 100_000, '{"metadata":' + "[" * 50_000 + "]" * 50_000 + "}"])
def test_what_is_nested_too_deeply_is_refused(server: APIServer, bomb: str) -> None:
    assert server.http("POST", MAPS, bomb, "application/json").status == 400


def test_a_body_over_three_mebibytes_is_refused(server: APIServer) -> None:
    body = json.dumps({**MAP, "data": {"k": "x" * 3 * 1024 * 1024}})
    assert message(server, "POST", MAPS, body) == "413 Request entity too large: limit is 3145728"


def test_copies_of_copies_end(server: APIServer) -> None:
    server.http("POST", MAPS, json.dumps(MAP), "application/json")
    doubled = json.dumps([{"op": "copy", "from": "/data", "path": f"/data/k{n}"} for n in range(60)])
    answer = server.http("PATCH", f"{MAPS}/a", doubled, JSON_PATCH)
    assert (answer.status, answer.json()["reason"]) == (422, "Invalid")
    once = json.dumps([{"op": "copy", "from": "/data/k", "path": "/data/l"}])
    assert server.http("PATCH", f"{MAPS}/a", once, JSON_PATCH).json()["data"]["l"] == "x" * 1000


@pytest.mark.parametrize(
    ("value", "want"),
    [
        ("[1]", "json: cannot unmarshal array into Go value of type struct"),
        ('"s"', "the server rejected our request due to an error in our request"),
        ("null", "the name of the object (a based on URL) was undeterminable"),
    ],
)
def test_an_object_is_not_replaced_by_something_else(server: APIServer, value: str, want: str) -> None:
    server.http("POST", MAPS, json.dumps(MAP), "application/json")
    body = f'[{{"op": "replace", "path": "", "value": {value}}}]'
    assert want in message(server, "PATCH", f"{MAPS}/a", body, JSON_PATCH)


def test_managed_fields_that_are_none_are_taken_for_nothing(server: APIServer) -> None:
    entry = {
        "manager": "m",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": 1},
    }
    body = {**MAP, "metadata": {"name": "a", "managedFields": [entry]}}
    answer = server.http("POST", MAPS, json.dumps(body), "application/json", [("User-Agent", "me")])
    assert [each["manager"] for each in answer.json()["metadata"]["managedFields"]] == ["me"]


@pytest.mark.parametrize(
    ("schema", "want"),
    [
        ({"type": "array", "items": {"type": 5}}, "JSONSchemaProps.type of type string"),
        ({"type": "object", "additionalProperties": "x"}, "boolean or JSON schema expected"),
        ({"type": "object", "not": {"items": [{"minimum": "1"}]}}, "JSONSchemaProps.minimum of type float64"),
    ],
)
def test_schemas_inside_schemas_are_read_too(server: APIServer, schema: Any, want: str) -> None:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"p": schema}}},
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.a.io"},
        "spec": {
            "group": "a.io",
            "scope": "Namespaced",
            "names": {"plural": "foos", "kind": "Foo"},
            "versions": [version],
        },
    }
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    assert want in message(server, "POST", path, json.dumps(body))


@pytest.mark.parametrize(
    ("options", "want"),
    [
        (
            '{"gracePeriodSeconds": "1"}',
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds",
        ),
        ('{"preconditions": 1}', "json: cannot unmarshal number into Go struct field DeleteOptions.preconditions"),
    ],
)
def test_delete_options_are_read_like_any_object(server: APIServer, options: str, want: str) -> None:
    server.http("POST", MAPS, json.dumps(MAP), "application/json")
    assert want in message(server, "DELETE", f"{MAPS}/a", options)


def test_a_binding_is_read_like_any_object(server: APIServer) -> None:
    path = "/api/v1/namespaces/default/pods/p/binding"
    assert "cannot unmarshal array into Go struct field Binding.metadata" in message(
        server, "POST", path, '{"metadata": []}'
    )


@pytest.mark.parametrize("half", ["/\ud800", "?labelSelector=\ud800", "?fieldSelector=\ud800=a"])
def test_half_a_surrogate_pair_in_an_address_breaks_no_answer(server: APIServer, half: str) -> None:
    assert server.http("GET", MAPS + half).status in (400, 404)


def test_half_a_surrogate_pair_in_a_patch_is_replaced(server: APIServer) -> None:
    server.http("POST", MAPS, json.dumps(MAP), "application/json")
    answer = server.http("PATCH", f"{MAPS}/a", '{"data": {"k": "\ud800"}}', "application/merge-patch+json")
    assert answer.json()["data"]["k"] == "\ufffd" * 3


def test_half_a_surrogate_pair_in_a_name_of_who_acts_breaks_no_answer(server: APIServer) -> None:
    answer = server.http("GET", "/apis/a.b/v1/x", None, "", [("Impersonate-User", "\ud800")])
    assert answer.status in (403, 404)
