"""Texts beyond the standard: cel-go's ext.Strings, version 2, and Kubernetes' ``find``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kctl.api.cel import text
from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.standard import regex_cost, tenth
from kctl.api.cel.values import (
    Duration,
    Timestamp,
    TypeValue,
    UInt,
    cost_size,
    no_overload,
    type_name,
    value_of_key,
)
from kctl.api.regexp import BadRegexp, Regexp, compiled

DECLARATIONS = """
charAt: string.(int) string
indexOf: string.(string) int; string.(string, int) int
lastIndexOf: string.(string) int; string.(string, int) int
lowerAscii: string.() string
upperAscii: string.() string
replace: string.(string, string) string; string.(string, string, int) string
split: string.(string) list<string>; string.(string, int) list<string>
substring: string.(int) string; string.(int, int) string
trim: string.() string
join: list<string>.() string; list<string>.(string) string
format: string.(list<dyn>) string
strings.quote: (string) string
reverse: string.() string
find: string.(string) string
findAll: string.(string) list<string>; string.(string, int) list<string>
"""
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def _text(value: Any) -> str:
    if type(value) is not str:
        raise no_overload()
    return value


def _int(value: Any) -> int:
    if type(value) is not int:
        raise no_overload()
    return value


def char_at(value: Any, at: Any) -> str:
    """Return one character, "" just behind the last."""
    whole, n = _text(value), _int(at)
    if not 0 <= n <= len(whole):
        raise EvaluationError(f"index out of range: {n}")
    return whole[n : n + 1]


def index_of(value: Any, part: Any, start: Any = 0) -> int:
    """Return where a text first occurs, -1 for nowhere."""
    if isinstance(value, list):
        raise no_overload()
    whole, sought, n = _text(value), _text(part), _int(start)
    if not sought:
        return n
    if not 0 <= n < len(whole):
        if whole or n:
            raise EvaluationError(f"index out of range: {n}")
        return -1
    return whole.find(sought, n)


def last_index_of(value: Any, part: Any, start: Any = None) -> int:
    """Return where a text last occurs, -1 for nowhere."""
    whole, sought = _text(value), _text(part)
    if start is None:
        return len(whole) if not sought else whole.rfind(sought)
    n = _int(start)
    if not sought:
        return n
    if not 0 <= n < max(len(whole), 1):
        raise EvaluationError(f"index out of range: {n}")
    return whole.rfind(sought, 0, n + len(sought))


def replace(value: Any, old: Any, new: Any, count: Any = -1) -> str:
    """Return a text with another in the place of a part."""
    return _text(value).replace(_text(old), _text(new), _int(count))


def split(value: Any, by: Any, count: Any = -1) -> list[str]:
    """Return the parts between separators."""
    whole, separator, limit = _text(value), _text(by), _int(count)
    if limit == 0:
        return []
    if not separator:
        if limit < 0 or limit >= len(whole):
            return list(whole)
        return [*whole[: limit - 1], whole[limit - 1 :]]
    return whole.split(separator, limit - 1 if limit > 0 else -1)


def substring(value: Any, start: Any, end: Any = None) -> str:
    """Return the characters from a position, up to another."""
    whole, low = _text(value), _int(start)
    high = len(whole) if end is None else _int(end)
    if not 0 <= low <= len(whole):
        raise EvaluationError(f"index out of range: {low}")
    if not 0 <= high <= len(whole):
        raise EvaluationError(f"index out of range: {high}")
    if low > high:
        raise EvaluationError(f"invalid substring range. start: {low}, end: {high}")
    return whole[low:high]


def join(value: Any, by: Any = "") -> str:
    """Return the texts of a list as one."""
    if not isinstance(value, list) or any(type(item) is not str for item in value):
        raise no_overload()
    return _text(by).join(value)


def lower(value: Any) -> str:
    """Return a text with its ASCII letters small."""
    return "".join(c.lower() if c.isascii() else c for c in _text(value))


def upper(value: Any) -> str:
    """Return a text with its ASCII letters capital."""
    return "".join(c.upper() if c.isascii() else c for c in _text(value))


QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quote(value: Any) -> str:
    """Return a text as a literal."""
    return '"' + "".join(QUOTED.get(c, c) for c in _text(value)) + '"'


def _pattern(pattern: Any) -> Regexp:
    try:
        return compiled(_text(pattern))
    except BadRegexp as error:
        raise EvaluationError(f"Illegal regex: {error}") from None


def find(value: Any, pattern: Any) -> str:
    """Return the first match of a pattern, "" for none."""
    return _pattern(pattern).find(_text(value)) or ""


def find_all(value: Any, pattern: Any, limit: Any = -1) -> list[str]:
    """Return the matches of a pattern."""
    return _pattern(pattern).find_all(_text(value), _int(limit))


def _reverse(value: Any) -> str:
    return _text(value)[::-1]


# format


def format_(template: Any, args: Any) -> str:
    """Return a template with its clauses filled in: %s %d %f %e %b %x %X %o."""
    if type(template) is not str or not isinstance(args, list):
        raise no_overload()
    out: list[str] = []
    n = used = 0
    while n < len(template):
        letter = template[n]
        if letter != "%":
            out.append(letter)
            n += 1
            continue
        n += 1
        if template[n : n + 1] == "%":
            out.append("%")
            n += 1
            continue
        precision = -1
        if template[n : n + 1] == ".":
            end = n + 1
            while template[end : end + 1].isdigit():
                end += 1
            if end == n + 1:
                raise EvaluationError("error during formatting: could not find end of precision specifier")
            precision, n = int(template[n + 1 : end]), end
        if n >= len(template):
            raise EvaluationError("unexpected end of string")
        verb = template[n]
        n += 1
        if used >= len(args):
            raise EvaluationError(f"index {used} out of range")
        out.append(_clause(verb, args[used], precision))
        used += 1
    return "".join(out)


def _clause(verb: str, value: Any, precision: int) -> str:
    if verb == "s":
        return _shown(value)
    if verb == "d":
        if type(value) in (int, UInt):
            return str(int(value))
        if type(value) is float and not math.isfinite(value):
            return _infinite(value)
        raise _bad("decimal clause can only be used on integers", value)
    if verb in "fe":
        number = float(value) if type(value) in (int, UInt, float) else None
        if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
            return str(value)
        if number is None:
            word = "fixed-point" if verb == "f" else "scientific"
            raise _bad(f"{word} clause can only be used on doubles", value)
        if not math.isfinite(number):
            return _infinite(number)
        return f"{number:.{6 if precision < 0 else precision}{verb}}"
    if verb == "b":
        if type(value) in (int, UInt, bool):
            return f"{'-' if value < 0 else ''}{abs(int(value)):b}"
        raise _bad("only integers and bools can be formatted as binary", value)
    if verb in "xX":
        return _hex(value, verb)
    if verb == "o":
        if type(value) in (int, UInt):
            return f"{'-' if value < 0 else ''}{abs(int(value)):o}"
        raise _bad("octal clause can only be used on integers", value)
    raise EvaluationError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


def _bad(what: str, value: Any) -> EvaluationError:
    return EvaluationError(f"error during formatting: {what}, was given {type_name(value)}")


def _hex(value: Any, verb: str) -> str:
    if type(value) in (int, UInt):
        out = f"{'-' if value < 0 else ''}{abs(int(value)):x}"
    elif type(value) is str:
        out = value.encode().hex()
    elif type(value) is bytes:
        out = value.hex()
    else:
        raise _bad("only integers, byte buffers, and strings can be formatted as hex", value)
    return out.upper() if verb == "X" else out


def _infinite(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _shown(value: Any, *, inside: bool = False) -> str:
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(_shown(item, inside=True) for item in value) + "]"
    if isinstance(value, dict):
        items = sorted(value.items(), key=lambda item: _shown(value_of_key(item[0])))
        return (
            "{" + ", ".join(f"{_shown(value_of_key(k), inside=True)}: {_shown(v, inside=True)}" for k, v in items) + "}"
        )
    if isinstance(value, TypeValue):
        return value.name
    if type(value) is float:
        return _infinite(value) if not math.isfinite(value) else text.write_double(value)
    if type(value) is bytes:
        return value.decode(errors="replace")
    if type(value) in (str, bool, int, UInt, Duration, Timestamp):
        return text.string_of(value)
    raise _bad(
        "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
        value,
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "charAt": char_at,
    "indexOf": index_of,
    "lastIndexOf": last_index_of,
    "lowerAscii": lower,
    "upperAscii": upper,
    "replace": replace,
    "split": split,
    "substring": substring,
    "trim": lambda value: _text(value).strip(SPACE),
    "join": join,
    "format": format_,
    "strings.quote": quote,
    "reverse": _reverse,
    "find": find,
    "findAll": find_all,
}


def _once(args: list[Any], result: Any) -> int:
    return tenth(cost_size(args[0]))


def _twice(args: list[Any], result: Any) -> int:
    return tenth(cost_size(args[0]) * 2)


COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "lowerAscii": _once,
    "upperAscii": _once,
    "substring": _once,
    "trim": _once,
    "charAt": lambda *_: 1,
    "format": _once,
    "strings.quote": _once,
    "replace": _twice,
    "split": _twice,
    "join": lambda _, result: tenth(cost_size(result) * 2),
    "find": regex_cost,
    "findAll": regex_cost,
}
