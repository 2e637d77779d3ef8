"""Quantities read, compare and are written as a real API server does."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api import quantity

CANONICAL = [
    # text, canonical, rounded to milli
    ("0", "0", "0"),
    ("100m", "100m", "100m"),
    ("0.1", "100m", "100m"),
    (".5", "500m", "500m"),
    ("1.5", "1500m", "1500m"),
    ("1000m", "1", "1"),
    ("1000", "1k", "1k"),
    ("1000000k", "1G", "1G"),
    ("1500000", "1500k", "1500k"),
    ("1024Mi", "1Gi", "1Gi"),
    ("1536Mi", "1536Mi", "1536Mi"),
    ("1.5Gi", "1536Mi", "1536Mi"),
    ("-1.5Gi", "-1536Mi", "-1536Mi"),
    ("0.5Mi", "512Ki", "512Ki"),
    ("1.1Ki", "1126400m", "1126400m"),
    ("0.5Ki", "512", "512"),
    ("1e3", "1e3", "1e3"),
    ("1E3", "1E3", "1E3"),
    ("1000e3", "1e6", "1e6"),
    ("1E", "1E", "1E"),
    ("5n", "5n", "1m"),
    ("0.1n", "1n", "1m"),
    ("0.1m", "100u", "1m"),
    ("-0.1m", "-100u", "-1m"),
    ("9999999999Gi", "9223372036854775807", "9223372036854775807"),
    (1, "1", "1"),
    (0.5, "500m", "500m"),
    (1000.0, "1k", "1k"),
    (None, "0", "0"),
]


@pytest.mark.parametrize(("text", "canonical", "rounded"), CANONICAL)
def test_canonical_texts(text: str, canonical: str, rounded: str) -> None:
    assert quantity.canonical(text) == canonical
    assert quantity.rounded(text) == rounded


@pytest.mark.parametrize(
    ("text", "kept"), [("1.500", "1.500"), ("010", "010"), ("+1", "+1"), ("1.", "1."), ("01.250", "01.250")]
)
def test_some_texts_stay_as_they_were_typed(text: str, kept: str) -> None:
    assert quantity.canonical(text) == kept


@pytest.mark.parametrize(("text", "zero"), [("-", "0"), ("Ki", "0"), (".", "0"), ("000", "0"), ("0.0", "0")])
def test_what_upstream_takes_for_zero(text: str, zero: str) -> None:
    assert quantity.canonical(text) == zero


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", quantity.FORMAT_WRONG),
        ("abc", quantity.FORMAT_WRONG),
        ("1g", quantity.FORMAT_WRONG),
        ("1 Gi", quantity.FORMAT_WRONG),
        ("1.1.1", quantity.FORMAT_WRONG),
        ("1Kb", quantity.FORMAT_WRONG),
        ("\u0661", quantity.FORMAT_WRONG),
        (True, quantity.FORMAT_WRONG),
        ([], quantity.FORMAT_WRONG),
        ({}, quantity.FORMAT_WRONG),
        ("1i", quantity.SUFFIX_WRONG),
        ("1mi", quantity.SUFFIX_WRONG),
        ("1e", quantity.SUFFIX_WRONG),
        ("1Ki5", quantity.SUFFIX_WRONG),
        ("1e999999999999", quantity.SUFFIX_WRONG),
        ("1" * 5000, quantity.NUMERIC_WRONG),
        ("1e" + "1" * 5000, quantity.SUFFIX_WRONG),
    ],
)
def test_what_is_no_quantity_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        quantity.canonical(text)


@pytest.mark.parametrize(
    ("text", "whole", "milli"),
    [
        ("1", 1, 1000),
        ("1m", 1, 1),
        ("1500m", 2, 1500),
        ("-1500m", -2, -1500),
        ("1n", 1, 1),
        ("1Ki", 1024, 1024000),
        ("0.0005", 1, 1),
    ],
)
def test_whole_and_thousandths_round_away_from_zero(text: str, whole: int, milli: int) -> None:
    assert (quantity.value(text), quantity.milli(text)) == (whole, milli)


@pytest.mark.parametrize(
    ("number", "like", "want"),
    [
        (2 * 1024**3, "1Gi", "2Gi"),
        (1500, "1Ki", "1500"),
        (500, "100m", "500"),
        (Fraction(1, 4), "100m", "250m"),
        (Fraction(1, 3), "", "333333334n"),
        (3000, "1e3", "3e3"),
        (0, "1Gi", "0"),
    ],
)
def test_a_number_is_written_in_the_family_of_another(number: int, like: str, want: str) -> None:
    assert quantity.format(number, like=like) == want


NUMBERS = st.from_regex(r"[+-]?[0-9]{1,15}(\.[0-9]{1,6})?", fullmatch=True)
SUFFIXES = st.sampled_from([*quantity.DECIMAL, *quantity.BINARY, "e2", "E-1", "e+3"])


@settings(max_examples=200)
@given(NUMBERS, SUFFIXES)
def test_the_canonical_text_means_the_same_and_is_its_own_canonical_text(number: str, suffix: str) -> None:
    text = quantity.canonical(number + suffix)
    exact = quantity.amount(number + suffix).number
    if abs(exact) < 10**20:  # beyond exa the real server writes no suffix at all
        assert quantity.parse(text) == exact
        again = quantity.write(quantity.amount(text))
        assert quantity.write(quantity.amount(again)) == again


@settings(max_examples=100)
@given(st.text(alphabet="0123456789.+-eEinumkKMGTP", max_size=8))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        exact = quantity.parse(text)
    except ValueError:
        return
    assert quantity.value(text) >= exact if exact >= 0 else quantity.value(text) <= exact
