"""Schemas of custom resources: what is wrong with them, in the words of apiextensions."""

from __future__ import annotations

import pytest

from kctl.api.crd import paths, schemas
from kctl.api.objects import Obj

TEXT: Obj = {"type": "string"}
NUMBER: Obj = {"type": "integer"}
ITEM: Obj = {"type": "object", "properties": {"k": TEXT}}


def complaints(place: Obj) -> list[str]:
    whole = {"type": "object", "properties": {"spec": place}}
    return [str(error).replace("s.properties[spec]", "@", 1) for error in schemas.check(whole, "s")]


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        (
            {"type": "object", "properties": {"a": {}}},
            "@.properties[a].type: Required value: must not be empty for specified object fields",
        ),
        ({"type": "array"}, "@.items: Required value: must be specified"),
        (
            {"type": "array", "items": TEXT, "uniqueItems": True},
            "@.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        ),
        (
            {"type": "object", "additionalProperties": TEXT, "properties": {"a": TEXT}},
            "@.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            {"type": "strin"},
            '@.type: Unsupported value: "strin": supported values: "array", "boolean", "integer", "number", "object", '
            '"string"',
        ),
        (
            {"type": "string", "pattern": "["},
            '@.pattern: Invalid value: "[": must be a valid regular expression, but isn\'t: error parsing regexp: '
            "missing closing ]: `[`",
        ),
        (
            {"type": "object", "anyOf": [{"type": "string"}]},
            "@.anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            {"type": "array", "items": ITEM, "x-kubernetes-list-type": "map"},
            "@.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            {"type": "array", "items": ITEM, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
            "@.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must "
            "have a default or be a required property",
        ),
        (
            {"type": "object", "x-kubernetes-list-type": "set"},
            '@.type: Invalid value: "object": must be array if x-kubernetes-list-type is specified',
        ),
        (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": False},
            "@.x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined",
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            "@.properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields",
        ),
        ({"type": "object", "$ref": "#/x"}, "@.$ref: Forbidden: $ref is not supported"),
        (
            {"type": "integer", "default": "x"},
            '@.default: Invalid value: "string":  in body must be of type integer: "string"',
        ),
    ],
)
def test_what_a_schema_may_not_say(place: Obj, complaint: str) -> None:
    assert complaints(place) == [complaint]


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (
            {"rule": "self.x == 'a'"},
            "compilation failed: ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(int, string)'"
            "\n | self.x == 'a'\n | .......^",
        ),
        ({"rule": "self.zz"}, "compilation failed: ERROR: <input>:1:5: undefined field 'zz'\n | self.zz\n | ....^"),
        ({"rule": "self.x"}, "cel expression must evaluate to a bool"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression must evaluate to a string"),
        ({"rule": "true", "message": "a\nb"}, "must not contain line breaks"),
        ({"rule": "true", "fieldPath": ".y"}, "must be a valid path"),
        ({"rule": ""}, "rule is not specified"),
        ({"rule": "true", "optionalOldSelf": True}, "may not be set if oldSelf is not used in rule"),
    ],
)
def test_what_is_wrong_with_a_rule(rule: Obj, complaint: str) -> None:
    found = complaints({"type": "object", "properties": {"x": NUMBER}, "x-kubernetes-validations": [rule]})
    assert len(found) == 1
    assert found[0].startswith("@.x-kubernetes-validations[0]")
    assert found[0].endswith(f": {complaint}")


def test_a_rule_that_may_cost_too_much_is_refused() -> None:
    nested = "self.l.all(a, self.l.all(b, self.l.all(c, a == b)))"
    numbers = {"type": "array", "items": NUMBER}
    place = {"type": "object", "properties": {"l": numbers}, "x-kubernetes-validations": [{"rule": nested}]}
    found = complaints(place)
    assert "estimated rule cost exceeds budget by factor of more than 100x" in found[0]
    assert "estimated rule cost total for entire OpenAPIv3 schema exceeds budget" in found[-1]
    bounded = {**place, "properties": {"l": {**numbers, "maxItems": 5}}}
    assert complaints(bounded) == []


def test_a_rule_about_what_was_needs_a_place_that_can_be_found_again() -> None:
    item = {"type": "string", "maxLength": 5, "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    place = {"type": "array", "maxItems": 5, "items": item}
    assert "oldSelf cannot be used on the uncorrelatable portion of the schema within s" in complaints(place)[0]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.x", "spec.x"),
        (".spec['a.b']", "spec.a.b"),
        ("spec", None),
        (".spec.l[0]", None),
        (".zz", None),
    ],
)
def test_paths_name_places_of_a_schema(path: str, found: str | None) -> None:
    place = {"type": "object", "properties": {"x": NUMBER, "a.b": NUMBER, "l": {"type": "array", "items": NUMBER}}}
    schema = {"type": "object", "properties": {"spec": place}}
    if found is None:
        with pytest.raises(paths.BadPath):
            paths.resolve(path, schema)
    else:
        assert paths.resolve(path, schema)[0] == found
