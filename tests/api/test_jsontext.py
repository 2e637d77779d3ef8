"""Canonical text is what the standard library writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.jsontext import as_given, canonical

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=3), below, max_size=4),
    max_leaves=20,
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_a_value_has_the_text_the_standard_library_gives_it(value: Any) -> None:
    assert canonical(value) == json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    assert as_given(value) == json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        canonical({"a": {1}})
