"""The scalar rules of kubectl: every row was recorded from kubectl 1.32 (label --local -o json)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kctl.gitops.documents import load

WORDS: list[tuple[str, Any]] = [
    *((text, True) for text in ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE")),
    *((text, False) for text in ("n", "N", "no", "NO", "off", "Off", "OFF", "false", "False", "FALSE")),
    *((text, None) for text in ("~", "null", "Null", "NULL", "")),
    *((text, text) for text in ("yEs", "oN", "tRUE", "fALSE", "nULL", "=", "<<", "inf", "nan", "NaN", "Infinity")),
]
INTEGERS: list[tuple[str, Any]] = [
    ("0o17", 15),
    ("0O17", 15),
    ("017", 15),
    ("-017", -15),
    ("+017", 15),
    ("0777", 511),
    ("08", 8),
    ("0o8", "0o8"),
    ("0b11", 3),
    ("0B11", 3),
    ("-0b11", -3),
    ("0b2", "0b2"),
    ("0x1F", 31),
    ("0X1f", 31),
    ("-0x1F", -31),
    ("+0x1f", 31),
    ("0x", "0x"),
    ("0b", "0b"),
    ("0o", "0o"),
    ("1_000", 1000),
    ("1__0", 10),
    ("1_", 1),
    ("_1", "_1"),
    ("0_7", 7),
    ("0_x1", 1),
    ("+1", 1),
    ("++1", "++1"),
    ("-0", 0),
    ("9223372036854775807", 9223372036854775807),
    ("-9223372036854775808", -9223372036854775808),
    ("9223372036854775808", 9223372036854775808.0),
    ("12345678901234567890", 12345678901234567890.0),
    ("18446744073709551616", 18446744073709551616.0),
    ("-9223372036854775809", -9223372036854775809.0),
    ("0xFFFFFFFFFFFFFFFF", 18446744073709551615.0),
]
FLOATS: list[tuple[str, Any]] = [
    ("1e3", 1000),
    ("1E3", 1000),
    ("1e+3", 1000),
    ("1.0", 1),
    ("1.", 1),
    (".5", 0.5),
    ("+.5", 0.5),
    ("-.5", -0.5),
    (".5e1", 5),
    ("1.5_0", 1.5),
    (".5_0", 0.5),
    ("._5", "._5"),
    ("1_.5", 1.5),
    ("09.5", 9.5),
    ("0.1e1", 1),
    ("1e18", 10**18),
    ("1e19", 1e19),
    ("1e21", 1e21),
    ("1e-7", 1e-7),
    ("1e400", "1e400"),
    (".5e400", ".5e400"),
    ("1.5e-400", 0),
    ("-0.0", 0),
    ("0x1p3", "0x1p3"),
    ("1e", "1e"),
    (".e1", ".e1"),
    (".", "."),
    ("..", ".."),
    ("+", "+"),
    ("1.2.3", "1.2.3"),
    ("123456789012345678.5", 123456789012345680),
]
TIMES: list[tuple[str, Any]] = [
    (text, text) for text in ("12:30:00", "1:30", "190:20:30", "2001-12-14", "2001-1-1", "2001-12-14T21:59:43Z")
]
TAGS: list[tuple[str, Any]] = [
    ("!!binary aGVsbG8=", "hello"),
    ('!!binary "/w=="', "\ufffd"),
    ("!!str 123", "123"),
    ("!!str", ""),
    ('!!int "3"', 3),
    ('!!int "0x1F"', 31),
    ("!<tag:yaml.org,2002:int> 3", 3),
    ("!!float 1", 1),
    ('!!float "1.5"', 1.5),
    ("!foo 123", "123"),
    ("! 12", "12"),
    ('!!null ""', None),
    ('!!bool "yes"', True),
    ("!!timestamp 2001-01-01", "2001-01-01"),
    ("!!map x", "x"),
    ("!!merge x", "x"),
    ("!!python/object:os.system x", "x"),
    ("!!set {x}", {"x": None}),
    ("!!omap [x: 1]", [{"x": 1}]),
    ("!!str {b: 1}", {"b": 1}),
    ('"1"', "1"),
    ("'yes'", "yes"),
]
KEYS = [
    ("1", "1"),
    ("0x10", "16"),
    ("1.5", "1.5"),
    ("0.1", "0.1"),
    ("1e3", "1000"),
    ("1e6", "1e+06"),
    ("1234567", "1234567"),
    ("123456789.5", "1.2345679e+08"),
    ("16777217.0", "1.6777216e+07"),
    ("1e-5", "1e-05"),
    ("true", "true"),
    ("yes", "true"),
    ("y", "true"),
    ("off", "false"),
    ("2001-01-01", "2001-01-01"),
    (".inf", ".inf"),
    ("1e400", "1e400"),
    ('"<<"', "<<"),
    ("!!str <<", "<<"),
    ('!!int "3"', "3"),
    ("!!str 3", "3"),
    ('""', ""),
    ("=", "="),
]
REFUSED = [
    ("a: .inf", ".inf is not a number that JSON can hold"),
    ("a: -.INF", "-.inf is not a number that JSON can hold"),
    ("a: .nan", ".nan is not a number that JSON can hold"),
    ("a: !!int abc", "cannot decode !!str `abc` as a !!int"),
    ("a: !!int 1.5", "cannot decode !!float `1.5` as a !!int"),
    ("a: !!null x", "cannot decode !!str `x` as a !!null"),
    ("a: !!timestamp x", "cannot decode !!str `x` as a !!timestamp"),
    ('a: !!binary "*"', "!!binary value contains invalid base64 data"),
    ("{~: x}", "a key must not be null"),
    ("{12345678901234567890: x}", "the key 12345678901234567890 is too large: quote it"),
    ("{[a]: x}", "a key must be a scalar"),
    ("{{a: b}: x}", "a key must be a scalar"),
]


def value_of(text: str) -> Any:
    loaded = load(text.encode())
    assert loaded.problems == []
    return loaded.documents[0].value


@pytest.mark.parametrize(("text", "value"), [*WORDS, *INTEGERS, *FLOATS, *TIMES, *TAGS])
def test_a_scalar_means_what_it_means_to_kubectl(text: str, value: Any) -> None:
    found = value_of(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "key"), KEYS)
def test_a_key_becomes_the_string_it_becomes_to_kubectl(text: str, key: str) -> None:
    assert value_of(f"{text} : x\n") == {key: "x"}


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_json_cannot_hold_is_refused(text: str, message: str) -> None:
    loaded = load(text.encode())
    assert loaded.documents == []
    assert [problem.message for problem in loaded.problems] == [message]
    assert loaded.problems[0].line == 1


@pytest.mark.parametrize("digits", ["1.0", "1e3", "12345678901234567890", "0.5", "-0.0", "9" * 400, "1" + "0" * 5000])
def test_numbers_are_the_same_in_json_and_yaml(digits: str) -> None:
    from_json = value_of('{"a": ' + digits + "}")["a"]
    if math.isfinite(float(digits)):
        from_yaml = value_of(f"a: {digits}\n")["a"]
        assert (from_json, type(from_json)) == (from_yaml, type(from_yaml))
