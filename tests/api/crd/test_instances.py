"""Custom resources by their schema: what is pruned, filled in and refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.crd import formats, lists, pruning, values, version
from kctl.api.objects import Obj

NUMBER: Obj = {"type": "integer"}
EITHER = [{"required": ["a"]}, {"required": ["b"]}]


@pytest.mark.parametrize(
    ("value", "schema", "complaints"),
    [
        (1, {"type": "string"}, ['v: Invalid value: "integer": v in body must be of type string: "integer"']),
        (1.5, {"type": "integer"}, ['v: Invalid value: "number": v in body must be of type integer: "number"']),
        (None, {"type": "string"}, ['v: Invalid value: "null": v in body must be of type string: "null"']),
        (None, {"type": "string", "nullable": True}, []),
        ("abc", {"type": "string", "maxLength": 2}, ["v: Too long: may not be more than 2 bytes"]),
        (
            "a",
            {"type": "string", "minLength": 2},
            ['v: Invalid value: "a": v in body should be at least 2 chars long'],
        ),
        ("a", {"type": "string", "enum": ["b", "c"]}, ['v: Unsupported value: "a": supported values: "b", "c"']),
        ("a", {"type": "string", "pattern": "^b$"}, ["v: Invalid value: \"a\": v in body should match '^b$'"]),
        (5, {"type": "integer", "maximum": 4}, ["v: Invalid value: 5: v in body should be less than or equal to 4"]),
        (5, {"type": "integer", "multipleOf": 2}, ["v: Invalid value: 5: v in body should be a multiple of 2"]),
        ([1, 2, 3], {"type": "array", "items": NUMBER, "maxItems": 2}, ["v: Too many: 3: must have at most 2 items"]),
        ({}, {"type": "object", "required": ["a"]}, ["v.a: Required value"]),
        (
            "x",
            {"type": "string", "format": "date-time"},
            ['v: Invalid value: "x": v in body must be of type date-time: "x"'],
        ),
        (
            1.5,
            {"x-kubernetes-int-or-string": True},
            ['v: Invalid value: "number": v in body must be of type integer,string: "number"'],
        ),
        ({"a": 1}, {"type": "object", "oneOf": EITHER}, []),
        (
            {"a": 1, "b": 1},
            {"type": "object", "oneOf": EITHER},
            ['<nil>: Invalid value: "": "v" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
        ),
        (
            [["x"]],
            {"type": "array", "items": {"type": "array", "items": NUMBER}},
            ['v[0][0]: Invalid value: "string": v[0][0] in body must be of type integer: "string"'],
        ),
    ],
)
def test_what_a_value_must_be(value: Any, schema: Obj, complaints: list[str]) -> None:
    found = values.check({"v": value}, {"type": "object", "properties": {"v": schema}})
    assert [str(error) for error in found] == complaints


def test_lists_that_are_sets_or_maps_hold_nothing_twice() -> None:
    sets = {"type": "object", "properties": {"l": {"type": "array", "x-kubernetes-list-type": "set"}}}
    assert [str(one) for one in lists.check({"l": ["a", "a"]}, sets)] == ['l[1]: Duplicate value: "a"']
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {}}
    found = lists.check({"l": [{"k": "a"}, {"k": "a", "v": 1}]}, {"type": "object", "properties": {"l": keyed}})
    assert [str(one) for one in found] == ['l[1]: Duplicate value: {"k":"a"}']


def test_what_the_schema_does_not_know_is_pruned() -> None:
    inner = {"type": "object", "properties": {"c": NUMBER}}
    schema = {"type": "object", "properties": {"b": inner, "l": {"type": "array", "items": inner}}}
    unknown: list[str] = []
    given_value = {"a": 1, "b": {"c": 1, "d": 2}, "apiVersion": "x", "l": [{"q": 1}]}
    pruned = pruning.prune(given_value, schema, unknown)
    assert pruned == {"b": {"c": 1}, "apiVersion": "x", "l": [{}]}
    assert unknown == ["a", "b.d", "l[0].q"]


def test_defaults_are_filled_in_below_what_is_there() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "integer", "default": 5}}}
    schema = {"type": "object", "properties": {"a": {**inner, "default": {}}, "c": inner}}
    assert pruning.default({}, schema) == {"a": {"b": 5}}
    assert pruning.default({"c": {}}, schema) == {"a": {"b": 5}, "c": {"b": 5}}


def test_versions_are_ordered_as_upstream_orders_them() -> None:
    names = ["v1", "v2", "v1beta1", "v10", "v1alpha2", "foo", "v2beta1", "v1beta2"]
    assert sorted(names, key=version.priority) == [
        "v10",
        "v2",
        "v1",
        "v2beta1",
        "v1beta2",
        "v1beta1",
        "v1alpha2",
        "foo",
    ]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2020-01-01T00:00:00Z", "x"),
        ("ipv4", "1.2.3.4", "1.2.3"),
        ("byte", "YQ==", "@"),
        ("duration", "1h", "x"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
    ],
)
def test_formats_are_checked_and_unknown_ones_are_not(name: str, good: str, bad: str) -> None:
    assert formats.fits(name, good)
    assert not formats.fits(name, bad)
    assert formats.fits("nobody-knows", bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
PLACE: Obj = {
    "type": "object",
    "properties": {
        "a": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string", "default": "x"}}}},
        "b": {"type": "string", "nullable": True},
        "c": {"type": "object", "additionalProperties": {"type": "integer", "maximum": 3}},
    },
}


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first draw on a busy machine
@given(st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4))
def test_pruning_and_defaulting_settle_at_once(value: Obj) -> None:
    before = repr(value)
    pruned = pruning.prune(value, PLACE)
    filled = pruning.default(pruned, PLACE)
    assert pruning.prune(pruned, PLACE) == pruned
    assert pruning.default(filled, PLACE) == filled
    assert pruning.prune(filled, PLACE) == filled
    assert all(str(error) for error in values.check(filled, PLACE))
    assert repr(value) == before
