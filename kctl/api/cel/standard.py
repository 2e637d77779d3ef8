"""The standard library: operators, sizes, conversions, times, texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

from kctl.api.cel import values
from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.text import moment, read_duration, read_time, string_of
from kctl.api.cel.values import (
    INT_MAX,
    INT_MIN,
    NANO,
    UINT_MAX,
    Duration,
    Timestamp,
    TypeValue,
    UInt,
    cost_size,
    key_of,
    no_overload,
    type_name,
)
from kctl.api.regexp import BadRegexp, compiled

DECLARATIONS = """
!_: (bool) bool
-_: (int) int; (double) double
_&&_: (bool, bool) bool
_||_: (bool, bool) bool
_?_:_: (bool, A, A) A
@not_strictly_false: (bool) bool
_==_: (A, A) bool
_!=_: (A, A) bool
_<_: (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
_<=_: (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
_>_: (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
_>=_: (bool, bool) bool; (int, int) bool; (int, double) bool; (int, uint) bool; (uint, uint) bool; (uint, double) bool; (uint, int) bool; (double, double) bool; (double, int) bool; (double, uint) bool; (string, string) bool; (bytes, bytes) bool; (timestamp, timestamp) bool; (duration, duration) bool
_+_: (int, int) int; (uint, uint) uint; (double, double) double; (string, string) string; (bytes, bytes) bytes; (list<A>, list<A>) list<A>; (timestamp, duration) timestamp; (duration, timestamp) timestamp; (duration, duration) duration
_-_: (int, int) int; (uint, uint) uint; (double, double) double; (timestamp, timestamp) duration; (timestamp, duration) timestamp; (duration, duration) duration
_*_: (int, int) int; (uint, uint) uint; (double, double) double
_/_: (int, int) int; (uint, uint) uint; (double, double) double
_%_: (int, int) int; (uint, uint) uint
@in: (A, list<A>) bool; (A, map<A, B>) bool
_[_]: (list<A>, int) A; (map<A, B>, A) B; (optional<list<A>>, int) optional<A>; (optional<map<A, B>>, A) optional<B>
_[?_]: (list<A>, int) optional<A>; (map<A, B>, A) optional<B>; (optional<list<A>>, int) optional<A>; (optional<map<A, B>>, A) optional<B>
size: (string) int; (bytes) int; (list<A>) int; (map<A, B>) int; string.() int; bytes.() int; list<A>.() int; map<A, B>.() int
type: (A) type<A>
dyn: (A) dyn
bool: (bool) bool; (string) bool
int: (int) int; (uint) int; (double) int; (string) int; (timestamp) int; (duration) int
uint: (uint) uint; (int) uint; (double) uint; (string) uint
double: (double) double; (int) double; (uint) double; (string) double
string: (string) string; (bool) string; (int) string; (uint) string; (double) string; (bytes) string; (timestamp) string; (duration) string
bytes: (bytes) bytes; (string) bytes
timestamp: (timestamp) timestamp; (string) timestamp; (int) timestamp
duration: (duration) duration; (string) duration; (int) duration
matches: (string, string) bool; string.(string) bool
contains: string.(string) bool
startsWith: string.(string) bool
endsWith: string.(string) bool
getFullYear: timestamp.() int; timestamp.(string) int
getMonth: timestamp.() int; timestamp.(string) int
getDayOfYear: timestamp.() int; timestamp.(string) int
getDayOfMonth: timestamp.() int; timestamp.(string) int
getDate: timestamp.() int; timestamp.(string) int
getDayOfWeek: timestamp.() int; timestamp.(string) int
getHours: timestamp.() int; timestamp.(string) int; duration.() int
getMinutes: timestamp.() int; timestamp.(string) int; duration.() int
getSeconds: timestamp.() int; timestamp.(string) int; duration.() int
getMilliseconds: timestamp.() int; timestamp.(string) int; duration.() int
cel.@mapInsert: (map<A, B>, A, B) map<A, B>; (map<A, B>, map<A, B>) map<A, B>
"""


def _conversion(value: Any, name: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{type_name(value)}' to '{name}'")


def to_int(value: Any) -> int:
    """Return ``int(value)``."""
    kind = type(value)
    if kind is int:
        return int(value)
    if kind is UInt:
        if value > INT_MAX:
            raise EvaluationError("integer overflow")
        return int(value)
    if kind is float:
        if not -(2.0**63) < value < 2.0**63 or value != value:
            raise EvaluationError("integer overflow")
        return int(value)
    if kind is str:
        try:
            found = int(value) if value.isascii() and "_" not in value and value.strip() == value else None
        except ValueError:
            found = None
        if found is None or not INT_MIN <= found <= INT_MAX:
            raise _conversion(value, "int")
        return found
    if kind is Timestamp:
        return int(value) // NANO
    if kind is Duration:
        return int(value)
    raise no_overload()


def to_uint(value: Any) -> UInt:
    """Return ``uint(value)``."""
    kind = type(value)
    if kind is UInt:
        return UInt(value)
    if kind is int:
        if value < 0:
            raise EvaluationError("unsigned integer overflow")
        return UInt(value)
    if kind is float:
        if not 0 <= value < 2.0**64:
            raise EvaluationError("unsigned integer overflow")
        return UInt(int(value))
    if kind is str:
        if not (value.isascii() and value.isdigit()) or int(value) > UINT_MAX:
            raise _conversion(value, "uint")
        return UInt(int(value))
    raise no_overload()


def to_double(value: Any) -> float:
    """Return ``double(value)``."""
    kind = type(value)
    if kind in (float, int, UInt):
        return float(value)
    if kind is str:
        try:
            return float(value)
        except ValueError:
            raise _conversion(value, "double") from None
    raise no_overload()


def to_bool(value: Any) -> bool:
    """Return ``bool(value)``."""
    if type(value) is bool:
        return value
    if type(value) is str:
        if value in ("1", "t", "true", "TRUE", "True"):
            return True
        if value in ("0", "f", "false", "FALSE", "False"):
            return False
        raise _conversion(value, "bool")
    raise no_overload()


def to_bytes(value: Any) -> bytes:
    """Return ``bytes(value)``."""
    if type(value) is bytes:
        return value
    if type(value) is str:
        return value.encode()
    raise no_overload()


def to_time(value: Any) -> Timestamp:
    """Return ``timestamp(value)``."""
    if type(value) is Timestamp:
        return value
    if type(value) is str:
        try:
            return read_time(value)
        except ValueError:
            raise _conversion(value, "google.protobuf.Timestamp") from None
    if type(value) is int:
        return values.checked_time(value * NANO)
    raise no_overload()


def to_duration(value: Any) -> Duration:
    """Return ``duration(value)``."""
    if type(value) is Duration:
        return value
    if type(value) is str:
        try:
            return read_duration(value)
        except (ValueError, EvaluationError):
            raise _conversion(value, "google.protobuf.Duration") from None
    if type(value) is int:
        return Duration(value)
    raise no_overload()


def type_of(value: Any) -> TypeValue:
    """Return ``type(value)``."""
    return TypeValue(type_name(value))


def matches(value: Any, pattern: Any) -> bool:
    """Say whether a pattern is found in a text."""
    if type(value) is not str or type(pattern) is not str:
        raise no_overload()
    try:
        return compiled(pattern).matches(value)
    except BadRegexp as error:
        raise EvaluationError(str(error)) from None


def _text(method: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def function(value: Any, other: Any) -> bool:
        if type(value) is not str or type(other) is not str:
            raise no_overload()
        return method(value, other)

    return function


def _part(of_time: Callable[[datetime], int], of_span: Callable[[int], int] | None = None) -> Callable[..., int]:
    """Return a function that reads a part of an instant, in a zone perhaps, or of a span."""

    def function(value: Any, zone: Any = "") -> int:
        if type(value) is Duration and of_span is not None and not zone:
            return of_span(int(value))
        if type(value) is not Timestamp or type(zone) is not str:
            raise no_overload()
        at = moment(value).replace(microsecond=int(value) % NANO // 1000)
        return of_time(at.astimezone(_zone(zone)) if zone else at)

    return function


def _zone(name: str) -> Any:
    sign = -1 if name[0] == "-" else 1
    hours, colon, minutes = name.lstrip("+-").partition(":")
    if colon and hours.isdigit() and minutes.isdigit():
        return timezone(sign * timedelta(hours=int(hours), minutes=int(minutes)))
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise EvaluationError(f"unknown time zone {name}") from None


def map_insert(holder: Any, *entry: Any) -> dict[Any, Any]:
    """Return a map with entries it must not have yet."""
    more = entry[0] if len(entry) == 1 else {key_of(entry[0]): entry[1]}
    if not isinstance(holder, dict) or not isinstance(more, dict):
        raise no_overload()
    for key in more:
        if key in holder:
            raise EvaluationError(f"insert failed: key {key} already exists")
    return {**holder, **more}


def not_strictly_false(value: Any) -> bool:
    """Return True unless the value is false."""
    return value is not False


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **values.BINARY,
    "-_": values.negate,
    "size": values.size,
    "type": type_of,
    "dyn": lambda value: value,
    "bool": to_bool,
    "int": to_int,
    "uint": to_uint,
    "double": to_double,
    "string": string_of,
    "bytes": to_bytes,
    "timestamp": to_time,
    "duration": to_duration,
    "matches": matches,
    "contains": _text(lambda value, other: other in value),
    "startsWith": _text(str.startswith),
    "endsWith": _text(str.endswith),
    "getFullYear": _part(lambda at: at.year),
    "getMonth": _part(lambda at: at.month - 1),
    "getDayOfYear": _part(lambda at: at.timetuple().tm_yday - 1),
    "getDayOfMonth": _part(lambda at: at.day - 1),
    "getDate": _part(lambda at: at.day),
    "getDayOfWeek": _part(lambda at: at.isoweekday() % 7),
    "getHours": _part(lambda at: at.hour, lambda span: _cut(span, 3600 * NANO)),
    "getMinutes": _part(lambda at: at.minute, lambda span: _cut(span, 60 * NANO)),
    "getSeconds": _part(lambda at: at.second, lambda span: _cut(span, NANO)),
    "getMilliseconds": _part(lambda at: at.microsecond // 1000, lambda span: _cut(span, 1_000_000)),
    "cel.@mapInsert": map_insert,
}


def _cut(value: int, unit: int) -> int:
    return value // unit if value >= 0 else -(-value // unit)


def tenth(amount: float) -> int:
    """Return what going through so many characters costs."""
    return math.ceil(amount * 0.1)


def _smaller(args: list[Any], result: Any) -> int:
    return tenth(min(cost_size(args[0]), cost_size(args[1])))


def _equality(args: list[Any], result: Any) -> int:
    return _smaller(args, result)


def _ordering(args: list[Any], result: Any) -> int:
    return _smaller(args, result) if isinstance(args[0], str | bytes) else 1


def _joining(args: list[Any], result: Any) -> int:
    if isinstance(args[0], str | bytes):
        return tenth(cost_size(args[0]) + cost_size(args[1]))
    return 1


def regex_cost(args: list[Any], result: Any) -> int:
    """Return what matching a pattern costs."""
    return tenth(1.0 + cost_size(args[0])) * math.ceil(cost_size(args[1]) * 0.25)


def _membership(args: list[Any], result: Any) -> int:
    return cost_size(args[1]) if isinstance(args[1], list) else 1


COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "_==_": _equality,
    "_!=_": _equality,
    "_<_": _ordering,
    "_<=_": _ordering,
    "_>_": _ordering,
    "_>=_": _ordering,
    "_+_": _joining,
    "@in": _membership,
    "matches": regex_cost,
    "contains": lambda args, _: tenth(cost_size(args[0])) * tenth(cost_size(args[1])),
    "startsWith": lambda args, _: tenth(cost_size(args[0])),
    "endsWith": lambda args, _: tenth(cost_size(args[0])),
    "bytes": lambda args, _: tenth(cost_size(args[0])) if isinstance(args[0], str) else 1,
    "string": lambda args, _: tenth(cost_size(args[0])) if isinstance(args[0], bytes) else 1,
}
