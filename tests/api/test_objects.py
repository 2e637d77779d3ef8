"""Objects are read and changed without ever changing what was there."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import objects
from kctl.api.objects import REMOVED, Key, Obj, evolve, freeze

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"])
NAMES = st.sampled_from(["a", "b", "c"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)
CHANGES: st.SearchStrategy[Any] = st.dictionaries(
    NAMES,
    st.recursive(VALUES | st.just(REMOVED), lambda inner: st.dictionaries(NAMES, inner, max_size=2), max_leaves=4),
)


@settings(max_examples=200)
@given(OBJECTS, CHANGES)
def test_evolve_never_changes_its_input(obj: Obj, changes: Obj) -> None:
    before, asked = copy.deepcopy(obj), copy.deepcopy(changes)
    evolve(freeze(obj), changes)
    evolve(obj, changes)
    assert obj == before
    assert repr(changes) == repr(asked)


@settings(max_examples=200)
@given(OBJECTS, CHANGES)
def test_evolving_twice_is_evolving_once(obj: Obj, changes: Obj) -> None:
    once = evolve(obj, changes)
    assert evolve(once, changes) == once


@settings(max_examples=100)
@given(OBJECTS)
def test_no_changes_make_an_equal_object(obj: Obj) -> None:
    assert evolve(obj, {}) == obj


def test_what_does_not_change_is_shared() -> None:
    obj = {"spec": {"a": {"deep": 1}}, "status": {"b": [1]}}
    new = evolve(obj, {"spec": {"c": 2}})
    assert new["status"] is obj["status"]
    assert new["spec"]["a"] is obj["spec"]["a"]


@pytest.mark.parametrize(
    ("obj", "changes", "want"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3, "c": 2}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": {"b": 1}}, {"a": {"b": REMOVED}}, {"a": {}}),
        ({"a": 1}, {"b": REMOVED}, {"a": 1}),
        ({}, {"a": {"b": REMOVED, "c": 1}}, {"a": {"c": 1}}),
        ({"a": 1}, {"a": None}, {"a": None}),
    ],
)
def test_changes_are_laid_over_an_object(obj: Obj, changes: Obj, want: Obj) -> None:
    assert evolve(obj, changes) == want


def test_replace_sets_whole_fields() -> None:
    obj = freeze({"spec": {"a": 1}, "status": {"b": 2}})
    assert objects.replace(obj, spec={"c": 3}, status=REMOVED) == {"spec": {"c": 3}}


@pytest.mark.parametrize(
    ("path", "want"),
    [
        (("a", "b"), 1),
        (("a", "x"), "-"),
        (("l", 0, "n"), "first"),
        (("l", -1, "n"), "last"),
        (("l", 5, "n"), "-"),
        (("l", "n"), "-"),
        (("null",), "-"),
        (("null", "deeper"), "-"),
        (("zero",), 0),
        ((), {"whole"}),
    ],
)
def test_dig_reads_along_a_path(path: tuple[str | int, ...], want: Any) -> None:
    obj = {"a": {"b": 1}, "l": [{"n": "first"}, {"n": "last"}], "null": None, "zero": 0}
    got = objects.dig(obj, *path, default="-")
    assert got == (obj if path == () else want)


def test_a_key_names_an_object_within_its_resource() -> None:
    assert objects.key_of({"metadata": {"name": "n", "namespace": "ns"}}) == Key("ns", "n")
    assert objects.key_of({"metadata": {"name": "n"}}) == Key("", "n")
    assert [str(Key("ns", "n")), str(Key("", "n"))] == ["ns/n", "n"]


OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "rs", "uid": "u1"}}


def test_the_controller_is_the_owner_that_says_so() -> None:
    reference = objects.owner_reference(OWNER)
    other = {**reference, "uid": "u2", "controller": False}
    pod = {"metadata": {"ownerReferences": [other, reference]}}
    assert objects.controller_of(pod) == reference
    assert objects.controller_uid(pod) == "u1"
    for orphan in ({"metadata": {}}, {"metadata": {"ownerReferences": [other]}}):
        assert objects.controller_of(orphan) is None
        assert objects.controller_uid(orphan) == ""


def test_labels_annotations_and_deletion() -> None:
    bare = {"metadata": {"labels": None}}
    assert objects.labels_of(bare) == objects.annotations_of(bare) == {}
    assert objects.labels_of({"metadata": {"labels": {"a": "b"}}}) == {"a": "b"}
    assert objects.annotations_of({"metadata": {"annotations": {"a": "b"}}}) == {"a": "b"}
    assert objects.is_deleting({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert not objects.is_deleting(bare)


def test_conditions_are_found_and_replaced_by_type() -> None:
    ready, other = {"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}
    obj = {"status": {"conditions": [ready, other]}}
    assert objects.condition(obj, "Ready") == ready
    assert objects.condition(obj, "Nope") is None
    assert objects.is_condition_true(obj, "Ready")
    assert not objects.is_condition_true(obj, "Other")
    assert not objects.is_condition_true({}, "Ready")
    unready = {"type": "Ready", "status": "False"}
    assert objects.with_condition(freeze([ready, other]), unready) == [unready, other]
    assert objects.with_condition([other], ready) == [other, ready]


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o.__setitem__("a", 1),
        lambda o: o.pop("a"),
        lambda o: o.update(a=1),
        lambda o: o.setdefault("z", 1),
        lambda o: o["l"].append(1),
        lambda o: o["l"].sort(),
        lambda o: o["d"].clear(),
        lambda o: o["l"].__setitem__(0, 2),
        lambda o: o["l"][0].__setitem__("x", 2),
    ],
)
def test_a_frozen_object_refuses_to_change(change: Any) -> None:
    frozen = freeze({"a": 0, "l": [{"x": 1}], "d": {"y": 1}})
    with pytest.raises(TypeError, match=r"use evolve\(\)"):
        change(frozen)
    assert frozen == {"a": 0, "l": [{"x": 1}], "d": {"y": 1}}
    assert freeze(frozen) is frozen
