"""Long lists are written item by item, the same items once, in the same bytes as all at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.apiserver import items, templates
from kctl.apiserver.items import Items

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=20) | st.dictionaries(st.text(max_size=3), below), max_leaves=30
)


def plain(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


@given(st.lists(VALUES, max_size=4))
@settings(max_examples=100, deadline=None)
def test_a_value_is_written_as_it_always_is(values: list[Any]) -> None:
    known = Items()
    for value in [*values, *values]:
        assert known.text(value) == plain(value)


def test_what_stays_in_a_list_is_not_written_again() -> None:
    known = Items()
    addresses = [{"ip": f"10.0.0.{n}"} for n in range(20)]
    for n in range(20, 60):
        addresses = [*addresses, {"ip": f"10.0.0.{n}"}]
        assert known.text([{"addresses": addresses}]) == plain([{"addresses": addresses}])
    assert known.written == 60


def test_no_more_are_remembered_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MOST", 30)
    known = Items()
    one, other = ([{"n": n, "of": name} for n in range(20)] for name in "ab")
    assert [known.text(value) for value in (one, other, one)] == [plain(value) for value in (one, other, one)]
    assert known.written > 40


def test_a_list_of_hundreds_fills_one_place() -> None:
    one, other = ({"addresses": [{"ip": f"10.0.{k}.{n}"} for n in range(300)]} for k in (1, 2))
    places: templates.Places = {}
    assert templates.differences(one, other, places)
    assert places == {"addresses": templates.HOLE}
