"""Merge patch, JSON patch and strategic merge patch."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import registry, schema
from kctl.api.errors import StatusError
from kctl.api.objects import freeze
from kctl.api.patch import jsonpatch, merge, strategic


@pytest.mark.parametrize(
    ("target", "patch", "want"),
    [  # the table of RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_follows_the_rfc(target, patch, want):
    assert merge.patch(freeze(target), freeze(patch)) == want


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(json_values, json_values)
def test_merging_the_same_patch_twice_changes_nothing_more(target, patch):
    once = merge.patch(freeze(target), freeze(patch))
    assert merge.patch(once, patch) == once


def test_a_merge_patch_that_changes_nothing_returns_the_very_object():
    target = {"a": {"b": [1], "c": "x"}}
    assert merge.patch(target, {"a": {"b": [1], "z": None}}) is target


def test_a_merge_patch_tells_true_from_one():
    assert merge.patch({"a": 1}, {"a": True})["a"] is True


TARGET = freeze({"a": "x", "l": [1, 2, {"k": "v"}], "m": {"a/b": 1, "c~d": 2}})


@pytest.mark.parametrize(
    ("ops", "want"),
    [
        ([{"op": "replace", "path": "/a", "value": "y"}], {"a": "y"}),
        ([{"op": "add", "path": "/l/-", "value": 3}], {"l": [1, 2, {"k": "v"}, 3]}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {"l": [0, 1, 2, {"k": "v"}]}),
        ([{"op": "remove", "path": "/l/1"}], {"l": [1, {"k": "v"}]}),
        ([{"op": "remove", "path": "/m/a~1b"}], {"m": {"c~d": 2}}),
        ([{"op": "replace", "path": "/m/c~0d", "value": 9}], {"m": {"a/b": 1, "c~d": 9}}),
        ([{"op": "test", "path": "/l/2/k", "value": "v"}], {}),
        ([{"op": "copy", "from": "/a", "path": "/n"}], {"n": "x"}),
        ([{"op": "move", "from": "/l/0", "path": "/n"}], {"l": [2, {"k": "v"}], "n": 1}),
        ([{"op": "add", "path": "/l/-1", "value": 3}], {"l": [1, 2, {"k": "v"}, 3]}),
        ([{"op": "replace", "path": "/l/-1/k", "value": "w"}], {"l": [1, 2, {"k": "w"}]}),
        ([{"op": "replace", "path": "/l/01", "value": 9}], {"l": [1, 9, {"k": "v"}]}),
        ([{"op": "add", "path": "/n", "value": [1]}, {"op": "add", "path": "/n/-", "value": 2}], {"n": [1, 2]}),
        ([{"op": "copy", "from": "/l", "path": "/n"}, {"op": "remove", "path": "/n/0"}], {"n": [2, {"k": "v"}]}),
        ([], {}),
    ],
)
def test_json_patch_operations(ops, want):
    assert jsonpatch.patch(TARGET, ops) == {**TARGET, **want}


@pytest.mark.parametrize(
    "ops",
    [
        [{"op": "remove", "path": "/zzz"}],
        [{"op": "replace", "path": "/zzz/y", "value": 1}],
        [{"op": "replace", "path": "/l/7", "value": 1}],
        [{"op": "replace", "path": "/l/-4", "value": 1}],
        [{"op": "add", "path": "/a/x", "value": 1}],
        [{"op": "test", "path": "/a", "value": "other"}],
        [{"op": "test", "path": "/a", "value": 1}],
        [{"op": "frob", "path": "/a"}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"path": "/a"}],
        [{"op": "add"}],
        [{"op": 7, "path": 7}],
        [{"op": "add", "path": "/n"}],
    ],
)
def test_a_json_patch_that_cannot_be_carried_out_is_unprocessable(ops):
    with pytest.raises(StatusError) as caught:
        jsonpatch.patch(TARGET, ops)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert caught.value.message == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("ops", "code", "message"),
    [
        ({"op": "add"}, 400, "cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        ("x", 400, "cannot unmarshal string into Go value"),
        ([1], 400, "cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        ([{"op": "remove", "path": "/a"}] * 10_001, 413, "maximum operations in a JSON patch is 10000, got 10001"),
    ],
)
def test_what_is_no_json_patch_is_refused(ops, code, message):
    with pytest.raises(StatusError) as caught:
        jsonpatch.patch(TARGET, ops)
    assert caught.value.code == code
    assert message in caught.value.message


DEPLOYMENT = schema.of(registry.builtin().by_kind("apps/v1", "Deployment"))
META = schema.definition("meta.v1.ObjectMeta")


def deployment(**pod_spec):
    containers = [
        {"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        {"name": "b", "image": "1", "ports": [{"containerPort": 80}, {"containerPort": 90}]},
        {"name": "c", "image": "1"},
    ]
    spec = {"containers": containers, "nodeSelector": {"a": "b"}, "tolerations": [{"key": "k"}], **pod_spec}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    return freeze({"metadata": {"labels": {"l": "1"}}, "spec": {"strategy": strategy, "template": {"spec": spec}}})


def patched(change, **pod_spec):
    """Return the pod spec after a strategic merge patch of it."""
    out = strategic.patch(deployment(**pod_spec), freeze({"spec": {"template": {"spec": change}}}), DEPLOYMENT)
    return out["spec"]["template"]["spec"]


def names(spec, field="containers"):
    return [item["name"] for item in spec[field]]


def test_lists_merge_by_the_key_the_schema_names():
    spec = patched({"containers": [{"name": "b", "image": "2"}, {"name": "d", "image": "3"}]})
    found = [(container["name"], container["image"]) for container in spec["containers"]]
    assert found == [("a", "1"), ("b", "2"), ("d", "3"), ("c", "1")]
    assert len(spec["containers"][1]["ports"]) == 2


def test_lists_without_a_key_are_replaced():
    assert patched({"tolerations": [{"key": "z"}]})["tolerations"] == [{"key": "z"}]


def test_null_takes_a_field_out_of_a_list_item():
    env = [{"name": "X", "value": None, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
    found = patched({"containers": [{"name": "a", "env": env}]})["containers"][0]["env"]
    assert found == [
        {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "Y", "value": "2"},
    ]


def test_items_are_deleted_by_their_key():
    spec = patched({"containers": [{"name": "b", "$patch": "delete"}, {"name": "zz", "$patch": "delete"}]})
    assert names(spec) == ["a", "c"]


def test_a_list_is_replaced_as_a_whole():
    assert patched({"containers": [{"$patch": "replace"}, {"name": "z"}]})["containers"] == [{"name": "z"}]


def test_a_map_is_replaced_as_a_whole():
    assert patched({"nodeSelector": {"$patch": "replace", "x": "y"}})["nodeSelector"] == {"x": "y"}


def test_a_map_is_emptied():
    assert patched({"nodeSelector": {"$patch": "delete"}})["nodeSelector"] == {}


def test_the_order_of_items_is_set():
    order = [{"name": "c"}, {"name": "b"}, {"name": "a"}]
    assert names(patched({"$setElementOrder/containers": order})) == ["c", "b", "a"]


def test_items_the_order_does_not_name_keep_their_place():
    order = [{"name": "c"}, {"name": "a"}]
    change = {"$setElementOrder/containers": order, "containers": [{"name": "a", "image": "9"}]}
    spec = patched(change)
    assert names(spec) == ["b", "c", "a"]
    assert spec["containers"][2]["image"] == "9"


def test_fields_that_are_not_retained_go():
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic.patch(deployment(), change, DEPLOYMENT)["spec"]["strategy"] == {"type": "Recreate"}


def test_scalars_are_taken_out_of_a_set():
    target = freeze({"finalizers": ["a", "b", "c"]})
    change = freeze({"$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"]})
    assert sorted(strategic.patch(target, change, META)["finalizers"]) == ["a", "c", "d"]


def test_a_set_of_scalars_is_ordered():
    target = freeze({"finalizers": ["a", "b"]})
    change = freeze({"$setElementOrder/finalizers": ["z", "b", "a"], "finalizers": ["z"]})
    assert strategic.patch(target, change, META)["finalizers"] == ["z", "b", "a"]


def test_where_nothing_was_maps_with_a_patch_directive_are_left_out_and_other_directives_are_fields():
    volumes = [{"name": "v", "$retainKeys": ["name"]}, {"name": "w", "$patch": "delete"}, {"$patch": "replace"}]
    spec = patched({"volumes": volumes, "affinity": {"$patch": "delete"}})
    assert spec["volumes"] == [{"name": "v", "$retainKeys": ["name"]}]
    assert "affinity" not in spec


@pytest.mark.parametrize(
    ("change", "finalizers"),
    [
        ({"$deleteFromPrimitiveList/finalizers": None}, None),
        ({"$deleteFromPrimitiveList/finalizers": 5}, ["a", "b"]),
        ({"$deleteFromPrimitiveList/finalizers": ["a", "b"]}, []),
        ({"$deleteFromPrimitiveList/labels": ["a"]}, ["a", "b"]),
        ({"$setElementOrder/finalizers": [], "finalizers": ["c"]}, ["c", "a", "b"]),
    ],
)
def test_odd_directives_do_what_upstream_does(change, finalizers):
    assert strategic.patch(freeze({"finalizers": ["a", "b"]}), freeze(change), META).get("finalizers") == finalizers


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"containers": [{"image": "x"}]}, 500, "map: map[image:x] does not contain declared merge key: name"),
        (
            {"containers": [{"name": "a", "$patch": "bogus"}]},
            500,
            "unknown patch type: bogus in map: map[$patch:bogus name:a]",
        ),
        ({"nodeSelector": {"$patch": "merge"}}, 500, "unknown patch type: merge in map: map[$patch:merge]"),
        ({"$retainKeys": "x"}, 400, "invalid patch format of retainKeys"),
        ({"$retainKeys": ["y"], "hostNetwork": True}, 400, "invalid patch format of retainKeys"),
        ({"$patch": None}, 500, "unknown patch type: %!s(<nil>) in map: map[$patch:<nil>]"),
        ({"$patch": ["a", 1]}, 500, "unknown patch type: [a %!s(int64=1)] in map: map[$patch:[a 1]]"),
        ({"$setElementOrder/x": []}, 500, 'unable to find api field in struct PodSpec for the json field "x"'),
        ({"$setElementOrder/containers": 5}, 500, "expected a []interface {}, but received a int64"),
        ({"$setElementOrder/containers": None}, 500, "expected a []interface {}, but received a %!s(<nil>)"),
        (
            {"$setElementOrder/containers": [], "containers": {}},
            500,
            "expected a []interface {}, but received a map[string]interface {}",
        ),
        (
            {"$setElementOrder/containers": ["a"], "containers": [{"name": "a"}]},
            500,
            "expected a map[string]interface {}, but received a string",
        ),
        (
            {"$setElementOrder/containers": [{}], "containers": [{"name": "a"}]},
            500,
            "map: map[] does not contain declared merge key: name",
        ),
        ({"$setElementOrder/initContainers": [], "initContainers": []}, 500, "no elements in any of the given slices"),
        (
            {"volumes": [1]},
            500,
            "list element types are not identical: [[map[name:v]] [1]]",
        ),
        (
            {
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                "containers": [{"name": "a", "image": "n"}, {"name": "b", "image": "n"}],
            },
            500,
            "The order in patch list:\n[map[image:n name:a] map[image:n name:b]]\n doesn't match "
            "$setElementOrder list:\n[map[name:b] map[name:a]]\n",
        ),
    ],
)
def test_directives_that_make_no_sense_are_refused_in_upstreams_words(change, code, message):
    with pytest.raises(StatusError) as caught:
        patched(change, volumes=[{"name": "v"}])
    assert (caught.value.code, caught.value.message) == (code, message)


maps = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["1", "2"]), max_size=3)


@settings(max_examples=60)
@given(maps, st.dictionaries(st.sampled_from("abc"), st.none() | st.sampled_from(["1", "2"]), max_size=3))
def test_for_maps_a_strategic_merge_patch_is_a_merge_patch(target, change):
    assert strategic.patch({"labels": target}, {"labels": change}, META) == {"labels": merge.patch(target, change)}
