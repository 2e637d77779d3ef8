"""What a YAML scalar means to kubectl: sigs.k8s.io/yaml, which is go-yaml v2 and then JSON.

In: the text of a scalar and its tag. Out: a JSON value, or the string a mapping key becomes.
These are YAML 1.1's rules with go-yaml's own additions, not the rules of PyYAML: ``y`` is a
bool, ``0o17`` is 15, ``1.0`` is 1, ``2001-12-14`` and ``12:30:00`` stay strings. The table in
``tests/gitops/test_scalars.py`` was recorded from kubectl 1.32.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

PREFIX: Final = "tag:yaml.org,2002:"
STR: Final = PREFIX + "str"
BINARY: Final = PREFIX + "binary"
MERGE: Final = PREFIX + "merge"
INT64 = 1 << 63
UINT64 = 1 << 64
EXACT = 1 << 53
"""Up to here every whole float is the integer it looks like."""
LONGEST_INT = 20
"""More decimal digits than this never fit 64 bits."""


class ScalarError(ValueError):
    """A scalar that has no JSON value; the text says why."""


def _words() -> dict[str, bool | float | None]:
    """Build go-yaml's table of words (resolve.go, resolveMapList)."""
    table: dict[str, bool | float | None] = {"": None}
    table |= dict.fromkeys(("~", "null", "Null", "NULL"))
    for text in ("y", "yes", "true", "on"):
        table |= dict.fromkeys((text, text.capitalize(), text.upper()), True)
    for text in ("n", "no", "false", "off"):
        table |= dict.fromkeys((text, text.capitalize(), text.upper()), False)
    table |= dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
    for text in (".inf", ".Inf", ".INF"):
        table |= {text: float("inf"), "+" + text: float("inf"), "-" + text: float("-inf")}
    return table


WORDS: Final = _words()
STARTS: Final = frozenset("+-.0123456789")
Resolved = str | int | float | bool | None


@cache
def _integer() -> re.Pattern[str]:
    """Match what Go's ParseInt takes with base 0."""
    return re.compile(r"([-+]?)(?:(0[xX][0-9a-fA-F]+)|(0[bB][01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))")


@cache
def _decimal() -> re.Pattern[str]:
    """Match a float as go-yaml's yamlStyleFloat."""
    return re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolve(text: str) -> Resolved:
    """Return what a plain scalar is to go-yaml v2, before it becomes JSON."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in STARTS or not text.isascii():
        return text
    if text[0] == ".":
        return _float(text, text)
    digits = text.replace("_", "")
    number = _int(digits)
    if number is not None:
        return number
    return _float(digits, text) if _decimal().fullmatch(digits) else text


def _int(digits: str) -> int | None:
    """Read an integer that fits int64 or, without a sign, uint64."""
    found = _integer().fullmatch(digits)
    if found is None:
        return None
    sign, hexa, binary, octal, decimal = found.groups()
    if len(decimal or "") > LONGEST_INT:
        return None
    number = int(hexa or binary or octal or decimal, 0 if hexa or binary else 8 if octal else 10)
    if sign == "-":
        return -number if number <= INT64 else None
    return number if number < (INT64 if sign else UINT64) else None


def _float(digits: str, text: str) -> float | str:
    """Read a float; what Go calls out of range stays text."""
    try:
        number = float(digits)
    except ValueError:
        return text
    return text if number in (float("inf"), float("-inf")) else number


def tagged(tag: str, text: str) -> Resolved:
    """Return what a scalar with an explicit tag is; ScalarError when it cannot be that."""
    if tag == BINARY:
        return _binary(text)
    kind = tag.removeprefix(PREFIX)
    if tag == STR or kind not in ("bool", "int", "float", "null", "timestamp"):
        return text
    if kind == "timestamp" and is_date(text):
        return text
    value = resolve(text)
    found = kind_of(value)
    if found == kind:
        return value
    if (kind, found) == ("float", "int") and isinstance(value, int):
        return float(value)
    raise ScalarError(f"cannot decode !!{found} `{text}` as a !!{kind}")


@cache
def _date() -> re.Pattern[str]:
    return re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?")


def is_date(text: str) -> bool:
    """Say whether a text looks like a timestamp."""
    return bool(_date().fullmatch(text))


def kind_of(value: Resolved) -> str:
    """Return go-yaml's short tag of a resolved scalar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "str"
    return "int" if isinstance(value, int) else "float"


def _binary(text: str) -> str:
    """Decode ``!!binary`` as go-yaml: the bytes as text, each stray byte as U+FFFD."""
    from base64 import b64decode
    from binascii import Error

    try:
        data = b64decode(text.replace("\n", "").replace("\r", "").encode("ascii"), validate=True)
    except (Error, ValueError):
        raise ScalarError("!!binary value contains invalid base64 data") from None
    return re.sub("[\udc80-\udcff]", "\ufffd", data.decode("utf-8", "surrogateescape"))


def json_value(value: Resolved) -> Any:
    """Return the value after its way through JSON: whole floats and 64-bit integers are int."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ScalarError(f"{_go_special(value)} is not a number that JSON can hold")
        if not value.is_integer() or abs(value) > INT64:
            return value
        if abs(value) <= EXACT:
            return int(value)
        number = _shortest_digits(value)
        return number if -INT64 <= number < INT64 else value
    return value if -INT64 <= value < INT64 else float(value)


def _shortest_digits(value: float) -> int:
    """Return the whole number Go's encoding/json writes for a float: the shortest that reads back."""
    from decimal import Decimal

    return int(Decimal(repr(value)))


def _go_special(value: float) -> str:
    return ".nan" if value != value else ".inf" if value > 0 else "-.inf"


def key_text(value: Resolved) -> str:
    """Return the string a mapping key becomes, as sigs.k8s.io/yaml's convertToJSONableObject."""
    if isinstance(value, str):
        return value
    if value is None:
        raise ScalarError("a key must not be null")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float32_text(value)
    if value >= INT64:
        raise ScalarError(f"the key {value} is too large: quote it")
    return str(value)


def _float32_text(value: float) -> str:
    """Write a float as Go's FormatFloat(value, 'g', -1, 32)."""
    single = _single(value)
    if single != single or single in (float("inf"), float("-inf")):
        return _go_special(single)
    for digits in range(9):
        mantissa, exponent = f"{single:.{digits}e}".split("e")
        if _single(float(f"{mantissa}e{exponent}")) == single:
            break
    power = int(exponent)
    if -4 <= power < 6:
        return f"{single:.{max(digits - power, 0)}f}"
    return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _single(value: float) -> float:
    """Round to single precision; infinite when it does not fit."""
    from struct import pack, unpack

    try:
        return float(unpack("f", pack("f", value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
