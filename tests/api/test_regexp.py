"""Patterns of Go: what they match, what is no pattern, and that none of them takes for ever."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.api import regexp


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^[a-z]+$", "abc", True),
        ("^[a-z]+$", "abc\n", False),
        ("b", "abc", True),
        ("(?i)ABC", "xabcx", True),
        (r"^\d{2,3}$", "12", True),
        (r"^\pL+$", "äb", True),
        (r"\A[[:alpha:]]\z", "x", True),
        ("^(a|b)*$", "abab", True),
        ("", "x", True),
    ],
)
def test_what_a_pattern_matches(pattern: str, text: str, found: bool) -> None:
    assert regexp.compiled(pattern).matches(text) is found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("x{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("(", "missing closing ): `(`"),
        ("[", "missing closing ]: `[`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("x{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("*a", "missing argument to repetition operator: `*`"),
    ],
)
def test_what_is_no_pattern(pattern: str, reason: str) -> None:
    with pytest.raises(regexp.BadRegexp) as wrong:
        regexp.compiled(pattern)
    assert str(wrong.value) == f"error parsing regexp: {reason}"


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(x+x+)+y", "a{1,1000}b", "(a*)*b", "(.*a){12}b"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    begun = time.process_time()
    assert regexp.compiled(pattern).matches("a" * 20_000 + "c") is False
    assert time.process_time() - begun < 2


@given(st.text(alphabet="ab01()[]{}|*+?.^$\\-,:", max_size=12), st.text(alphabet="ab01", max_size=20))
def test_any_text_is_a_pattern_or_said_to_be_none(pattern: str, text: str) -> None:
    found = None
    with contextlib.suppress(regexp.BadRegexp):
        found = regexp.compiled(pattern)
    assert found is None or found.matches(text) in (True, False)
