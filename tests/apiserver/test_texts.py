from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.errors import StatusError
from kctl.apiserver.server import APIServer
from kctl.apiserver.texts import quoted, read_json
from kctl.apiserver.yaml import read as read_yaml

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.mark.parametrize(
    ("text", "value", "complaints"),
    [
        pytest.param('{"a": 1}', {"a": 1}, None, id="nothing twice"),
        pytest.param('{"a": 1, "a": 2}', {"a": 2}, ['duplicate field "a"'], id="the last one counts"),
        pytest.param(
            '{"d": {"a": 1, "a": 2}, "d": {"z": 3}}',
            {"d": {"a": 2, "z": 3}},
            ['duplicate field "d.a"', 'duplicate field "d"'],
            id="objects given twice are merged",
        ),
        pytest.param(
            '{"l": [{"p": 1, "p": 2}]}', {"l": [{"p": 2}]}, ['duplicate field "l[0].p"'], id="positions are named"
        ),
    ],
)
def test_json(text: str, value: Any, complaints: list[str] | None) -> None:
    found, repeats = read_json(text)
    assert found == value
    assert (list(repeats.texts) if repeats else None) == complaints


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'{"k": "\ud83d\ude00"}', "\U0001f600"),
        (r'{"k": "a\uD800b"}', "a\ufffdb"),
        (r'{"k": "\ude00\ud83d"}', "\ufffd\ufffd"),
        (r'{"k": "\\ud800"}', r"\ud800"),
    ],
    ids=["a pair", "half a pair", "halves the wrong way round", "an escaped backslash"],
)
def test_halves_of_surrogate_pairs_are_replaced_as_go_does(text: str, value: str) -> None:
    assert read_json(text)[0] == read_json(text.encode())[0] == {"k": value}


def test_what_is_no_utf_8_is_replaced_as_go_does(server: APIServer) -> None:
    body = b'{"metadata": {"name": "a"}, "data": {"k": "a\xffb"}}'
    assert server.http("POST", MAPS, body, "application/json").json()["data"] == {"k": "a\ufffdb"}
    assert server.http("POST", MAPS, '{"metadata": {"name": "\ud800"}}', "application/json").status == 422


def test_complaints_come_in_the_order_of_the_text() -> None:
    _, repeats = read_json('{"spec": {"x": 1, "replicas": 1, "replicas": 2, "y": 3}}')
    assert repeats is not None
    others = ['unknown field "spec.y"', 'unknown field "spec.x"']
    assert repeats.warnings(others) == [
        'unknown field "spec.x"',
        'duplicate field "spec.replicas"',
        'unknown field "spec.y"',
    ]


def test_yaml_keys_given_twice_are_named_by_line() -> None:
    value, repeats = read_yaml("a: 1\nb:\n  c: 1\n  c: 2\n")
    assert value == {"a": 1, "b": {"c": 2}}
    assert repeats is not None
    assert repeats.texts == ('line 4: key "c" already set in map',)


def test_yaml_dates_are_text() -> None:
    assert read_yaml("a: 2001-12-14\nb: 2001-12-14T21:59:43Z\n")[0] == {"a": "2001-12-14", "b": "2001-12-14T21:59:43Z"}


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(StatusError, match="excessive aliasing"):
        read_yaml("\n".join(lines))


@pytest.mark.parametrize("text", ["{a: [}", "a: b: c", "\t- x", "&a [*a", "a: \x00"])
def test_broken_yaml_is_a_bad_request(text: str) -> None:
    with pytest.raises(StatusError) as refused:
        read_yaml(text)
    assert refused.value.code == 400


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"", "<empty>"),
        (b"[1]", "5b315d"),
        (b'{"a"', '{"a"'),
        (b"{" + b"x" * 40, "{" + "x" * 29 + " ..."),
        (b"x" * 31, "78" * 30 + " ..."),
    ],
)
def test_what_cannot_be_read_is_quoted_in_short(raw: bytes, shown: str) -> None:
    assert quoted(raw) == shown


@pytest.mark.parametrize(
    ("mode", "status", "told"),
    [
        ("Strict", 400, 'strict decoding error: duplicate field "data.a", unknown field "zz"'),
        ("Warn", 201, ['299 - "duplicate field \\"data.a\\""', '299 - "unknown field \\"zz\\""']),
        ("", 201, ['299 - "duplicate field \\"data.a\\""', '299 - "unknown field \\"zz\\""']),
        ("Ignore", 201, []),
    ],
)
def test_field_validation_decides_what_becomes_of_them(server: APIServer, mode: str, status: int, told: Any) -> None:
    body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1","a":"2"},"zz":1}'
    query = f"?fieldValidation={mode}" if mode else ""
    answer = server.http("POST", MAPS + query, body, "application/json")
    assert answer.status == status
    if status == 400:
        assert answer.json()["message"].endswith(told)
    else:
        assert [value for name, value in answer.headers if name == "Warning"] == told
        assert answer.json()["data"] == {"a": "2"}
        assert "zz" not in answer.json()


def test_a_body_beyond_three_megabytes_is_refused(server: APIServer) -> None:
    answer = server.http("POST", MAPS, b" " * (3 * 1024 * 1024 + 1), "application/json")
    assert (answer.status, answer.json()["reason"]) == (413, "RequestEntityTooLarge")


def test_a_body_nested_without_end_is_refused(server: APIServer) -> None:
    for media in ("application/json", "application/yaml"):
        assert server.http("POST", MAPS, "[" * 100_000, media).status == 400


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_reading_json_gives_what_was_written(value: Any) -> None:
    assert read_json(json.dumps(value)) == (value, None)
