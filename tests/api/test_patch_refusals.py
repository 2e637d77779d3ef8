"""What a patch that makes nonsense is told, and what it is shown of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kctl.api import schema
from kctl.api.objects import Obj
from kctl.api.patch import fieldsets, quoting, remains, restoring, scaled
from kctl.api.registry import Kind, builtin


def kind(api_version: str, name: str) -> Kind:
    found = builtin().by_kind(api_version, name)
    assert found is not None
    return found


DEPLOYMENT = kind("apps/v1", "Deployment")
CONFIG = kind("v1", "ConfigMap")
SECRET = kind("v1", "Secret")


def containers(*found: Any) -> Obj:
    return {"spec": {"template": {"spec": {"containers": list(found)}}}}


@pytest.mark.parametrize(
    ("of", "obj", "why"),
    [
        (CONFIG, {"data": {"k": 1}}, "cannot convert int64 to string"),
        (CONFIG, {"data": {"k": True}}, "cannot convert bool to string"),
        (CONFIG, {"data": {"k": {"a": 1}}}, "cannot convert map[string]interface {} to string"),
        (CONFIG, {"data": ["a"]}, "cannot restore map from slice"),
        (CONFIG, {"metadata": "x"}, "cannot restore struct from: string"),
        (CONFIG, {"immutable": "x"}, "cannot convert string to bool"),
        (SECRET, {"data": {"k": "!"}}, "error decoding from json: illegal base64 data at input byte 0"),
        (DEPLOYMENT, {"spec": {"replicas": "x"}}, "cannot convert string to int32"),
        (DEPLOYMENT, containers({"env": "x"}), "cannot restore slice from string"),
        (DEPLOYMENT, containers("x"), "cannot restore struct from: string"),
        (
            DEPLOYMENT,
            {"spec": {"strategy": {"rollingUpdate": {"maxSurge": True}}}},
            "json: cannot unmarshal bool into Go value of type int32",
        ),
        (CONFIG, {"data": {"k": "v"}}, ""),
    ],
)
def test_what_a_strategic_patch_made_is_refused_as_gos_converter_does(of: Kind, obj: Obj, why: str) -> None:
    assert restoring.why(of, obj) == why


OBJECT: Obj = {
    "kind": "Deployment",
    "metadata": {"labels": {"b": "1", "a": "<2>"}, "uid": "u", "name": "d"},
    "apiVersion": "apps/v1",
    "spec": {"template": {"spec": {"containers": [{"image": "i", "name": "c"}]}}, "replicas": 1, "paused": True},
}


def names(text: str, *path: str | int) -> list[str]:
    at = json.loads(text)
    for step in path:
        at = at[step]
    return list(at)


def quoted(touched: Any) -> str:
    return quoting.text_of(OBJECT, schema.of(DEPLOYMENT), set(touched))


def test_a_struct_is_quoted_in_the_order_of_its_fields_and_a_map_sorted() -> None:
    text = quoted(quoting.merge_path({"spec": None}))
    assert names(text) == ["apiVersion", "kind", "metadata", "spec"]
    assert names(text, "metadata") == ["name", "uid", "labels"]
    assert names(text, "metadata", "labels") == ["a", "b"]
    assert names(text, "spec") == ["replicas", "template", "paused"]
    assert names(text, "spec", "template", "spec", "containers", 0) == ["name", "image"]
    assert "\\u003c2\\u003e" in text


def test_what_a_merge_patch_walked_through_is_sorted() -> None:
    text = quoted(quoting.merge_path({"spec": {"replicas": "x"}}))
    assert names(text, "spec") == ["paused", "replicas", "template"]
    assert names(text, "metadata") == ["name", "uid", "labels"]


def test_what_a_json_patch_walked_through_is_sorted() -> None:
    operation = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": 1}
    text = quoted(quoting.operations_path([operation]))
    assert names(text, "spec") == ["paused", "replicas", "template"]
    assert names(text, "spec", "template", "spec", "containers", 0) == ["image", "name"]
    escaped = {"op": "add", "path": "/metadata/labels/x~1y", "value": "1"}
    assert ("metadata", "labels") in set(quoting.operations_path([escaped]))


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"replicas": None, "paused": "x"}, {"replicas": None, "paused": "x"}),
        ({"$patch": "replace", "replicas": None}, {"replicas": None}),
        ({"$patch": "delete"}, {"$patch": "delete"}),
        ({"strategy": {"$retainKeys": ["type"], "type": 1}}, {"strategy": {"type": 1}}),
        ({"selector": {"matchLabels": None, "x": {"y": None}}}, {"selector": {"x": {}}}),
        ({"selector": {"x": {"$patch": "delete"}, "y": [{"$patch": "delete"}]}}, {"selector": {"y": []}}),
        ({"$deleteFromPrimitiveList/x": ["a"]}, {"$deleteFromPrimitiveList/x": ["a"]}),
    ],
)
def test_a_carried_out_patch_is_shown_without_what_was_carried_out(change: Obj, left: Obj) -> None:
    spec = {"replicas": 1, "strategy": {"type": "Recreate"}, "template": {}}
    assert remains.of({"spec": spec}, {"spec": change}, schema.of(DEPLOYMENT)) == {"spec": left}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ([{"name": "a", "$retainKeys": ["name"]}], [{"name": "a"}]),
        ([{"name": "b", "$retainKeys": ["name"], "image": None}], None),
        ([{"name": "a", "$patch": "delete"}], None),
        ([1], None),
    ],
)
def test_items_of_a_carried_out_patch_are_shown_as_they_merged(change: Any, left: Any) -> None:
    old, node = containers({"name": "a"}), schema.of(DEPLOYMENT)
    assert remains.of(old, containers(*change), node) == containers(*(change if left is None else left))
    spec = {"$setElementOrder/containers": [{"name": "a"}], "containers": change, "hostname": 1}
    shown = remains.of(old, {"spec": {"template": {"spec": spec}}}, node)
    assert shown == {"spec": {"template": {"spec": {"hostname": 1}}}}


def test_numbers_in_path_elements_are_sorted_as_numbers() -> None:
    ports = {f'k:{{"port":{port},"protocol":"TCP"}}': {} for port in (443, 53, 80)}
    found = fieldsets.in_order({"f:ports": {".": {}, **ports}})
    assert list(found["f:ports"]) == [".", *(f'k:{{"port":{port},"protocol":"TCP"}}' for port in (53, 80, 443))]
    assert list(fieldsets.paths({"f:l": {"v:10": {}, "v:9": {}, 'v:"a"': {}}})) == [".l[=9]", ".l[=10]", '.l[="a"]']


def entry(manager: str, fields: Obj, operation: str = "Update", version: str = "apps/v1", **more: str) -> Obj:
    head = {"manager": manager, "operation": operation, "apiVersion": version}
    return {**head, "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


REPLICAS: Obj = {"f:spec": {"f:replicas": {}}}


def test_the_owners_of_replicas_are_those_of_the_scale_and_find_the_way_back() -> None:
    both = {"f:spec": {"f:paused": {}, "f:replicas": {}}}
    parent = {"apiVersion": "apps/v1", "metadata": {"managedFields": [entry("a", both), entry("b", {"f:x": {}})]}}
    scale = scaled.with_scale_owners({"metadata": {}}, parent)
    (only,) = scale["metadata"]["managedFields"]
    assert (only["manager"], only["apiVersion"], only["fieldsV1"]) == ("a", "autoscaling/v1", REPLICAS)
    assert scaled.with_parent_owners(parent, scale) == parent
    taken = entry("c", REPLICAS, version="autoscaling/v1", subresource="scale")
    after = scaled.with_parent_owners(parent, {"metadata": {"managedFields": [taken]}})
    owners = {found["manager"]: found["fieldsV1"] for found in after["metadata"]["managedFields"]}
    assert owners == {"a": {"f:spec": {"f:paused": {}}}, "b": {"f:x": {}}, "c": REPLICAS}
