from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kctl.api.objects import freeze
from kctl.apiserver.templates import Places, Template, differences, is_same

LEAVES = st.sampled_from([None, True, False, 0, 1, -1, 2**70, 0.0, -0.0, 1.0, 1.5, "", "a", "b", 'ü"\n', "\x00"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdé"), inner, max_size=4)
)
OBJECTS = st.dictionaries(st.sampled_from(["metadata", "spec", "status", "data"]), VALUES, max_size=4)


def canonical(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def template_of(*objects: Any) -> Template | None:
    places: Places = {}
    if not all(differences(objects[0], other, places) for other in objects[1:]):
        return None
    return Template.of(objects[0], places)


@st.composite
def variations(draw: st.DrawFn) -> list[Any]:
    """Return objects that are alike but for a few places."""
    example = draw(OBJECTS)
    text = canonical(example)
    return [example, *(varied(draw, json.loads(text)) for _ in range(draw(st.integers(1, 4))))]


def varied(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: varied(draw, value[name])}
    if isinstance(value, list) and value and draw(st.booleans()):
        n = draw(st.integers(0, len(value) - 1))
        return [*value[:n], varied(draw, value[n]), *value[n + 1 :]]
    return draw(VALUES) if draw(st.booleans()) else value


@settings(max_examples=150, deadline=None)
@given(variations())
def test_what_a_template_reads_it_makes_again_to_the_byte(objects: list[Any]) -> None:
    template = template_of(*objects)
    assume(template is not None)
    assert template is not None
    again = Template.parse(template.text)
    for obj in objects:
        values = template.read(obj)
        assert values is not None, "the objects a template was made from are of it"
        assert again.read(obj) == values
        assert canonical(template.make(values)) == canonical(obj)
        assert canonical(again.make(json.loads(canonical(values)))) == canonical(obj)


@settings(max_examples=150, deadline=None)
@given(variations(), OBJECTS)
def test_an_object_that_no_template_makes_is_not_read(objects: list[Any], stranger: Any) -> None:
    template = template_of(*objects[:-1])
    assume(template is not None)
    assert template is not None
    for obj in (objects[-1], stranger):
        values = template.read(obj)
        if values is not None:
            assert canonical(template.make(values)) == canonical(obj)


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES)
def test_same_means_the_same_bytes(one: Any, other: Any) -> None:
    assert is_same(one, other) == (canonical(one) == canonical(other))


@pytest.mark.parametrize(
    ("example", "other"),
    [
        ({"spec": {"n": 1}}, {"spec": {"n": True}}),
        ({"spec": {"n": 1}}, {"spec": {"n": 1.0}}),
        ({"spec": {"n": 0}}, {"spec": {"n": False}}),
        ({"spec": {"n": None}}, {"spec": {}}),
        ({"spec": {"n": None}}, {"spec": {"m": None}}),
        ({"spec": {"list": [{"n": 1}, {"n": 0}]}}, {"spec": {"list": [{"n": True}, {"n": 0}]}}),
        ({"spec": {"n": "a"}}, {"spec": "n"}),
        ({"spec": ["a"]}, {"spec": {"0": "a"}}),
        ({"spec": ["a"]}, {"spec": "a"}),
    ],
)
def test_nearly_the_same_is_not_the_same(example: Any, other: Any) -> None:
    places: Places = {"name": {}}
    template = Template.of({**example, "name": "x"}, places)
    assert template.read({**example, "name": "y"}) == ["y"]
    assert template.read({**other, "name": "y"}) is None


def test_objects_of_one_template_share_what_they_have_in_common() -> None:
    template = template_of(*({"metadata": {"name": name}, "spec": {"containers": [{"name": "c"}]}} for name in "ab"))
    assert template is not None
    one, two = template.make(["x"]), template.make(["y"])
    assert one["spec"] is two["spec"]
    assert (one["metadata"], two["metadata"]) == ({"name": "x"}, {"name": "y"})


def test_frozen_objects_are_read_as_others() -> None:
    template = template_of(*({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}} for name in "ab"))
    assert template is not None
    assert template.read(freeze({"metadata": {"name": "c"}, "spec": {"ports": [{"port": 80}]}})) == ["c"]
    assert template.read(freeze({"metadata": {"name": "c"}, "spec": {"ports": [{"port": True}]}})) is None


def test_the_order_of_fields_does_not_matter() -> None:
    template = template_of(*({"metadata": {"name": name, "uid": name}, "spec": {"a": 1, "b": [1]}} for name in "ab"))
    assert template is not None
    found = template.read({"spec": {"b": [1], "a": 1}, "metadata": {"uid": "u", "name": "n"}})
    assert found is not None
    assert template.make(found) == {"metadata": {"name": "n", "uid": "u"}, "spec": {"a": 1, "b": [1]}}
