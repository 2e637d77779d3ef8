"""Values as texts: what ``string(x)`` and ``format`` write, and how texts are read as times and spans."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.values import NANO, BoolKey, Duration, Timestamp, UInt, checked_duration, checked_time

UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": NANO, "m": 60 * NANO, "h": 3600 * NANO}
PART = re.compile(r"(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)")
TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_duration(text: str) -> Duration:
    """Read a span of time as Go's time.ParseDuration."""
    rest, sign = text, 1
    if rest[:1] in ("-", "+"):
        sign = -1 if rest[0] == "-" else 1
        rest = rest[1:]
    if rest == "0":
        return Duration(0)
    total, at = 0, 0
    while at < len(rest):
        found = PART.match(rest, at)
        if not found or not (found[1] or found[2]):
            raise ValueError(text)
        unit = UNITS[found[3]]
        total += int(found[1] or 0) * unit
        if found[2]:
            total += int(found[2]) * unit // 10 ** len(found[2])
        at = found.end()
    if not rest:
        raise ValueError(text)
    return checked_duration(sign * total)


def read_time(text: str) -> Timestamp:
    """Read an instant as RFC 3339 writes it."""
    found = TIME.fullmatch(text)
    if not found:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    nanos = int(((moment - EPOCH) // timedelta(seconds=1)) * NANO) + int((found[7] or "0").ljust(9, "0"))
    zone = found[8]
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:]) * 60
        nanos -= (offset if zone[0] == "+" else -offset) * NANO
    return checked_time(nanos)


def write_duration(value: int) -> str:
    """Write a span as CEL does: seconds, with a fraction where there is one."""
    seconds, rest = divmod(abs(int(value)), NANO)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{seconds}{fraction}s"


def moment(value: int) -> datetime:
    """Return an instant as a datetime in UTC, to the second."""
    return EPOCH + timedelta(seconds=int(value) // NANO)


def write_time(value: int) -> str:
    """Write an instant in RFC 3339."""
    rest = int(value) % NANO
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    at = moment(value)
    return f"{at.year:04d}-{at.month:02d}-{at.day:02d}T{at.hour:02d}:{at.minute:02d}:{at.second:02d}{fraction}Z"


def write_double(value: float) -> str:
    """Write a double as Go's shortest form."""
    from kctl.api.crd.values import go_float

    return go_float(value)


def string_of(value: Any) -> str:
    """Return ``string(value)``; EvaluationError for what has no text."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is UInt:
        return str(int(value))
    if kind is float:
        return write_double(value)
    if kind is bytes:
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    if kind is Duration:
        return write_duration(value)
    if kind is Timestamp:
        return write_time(value)
    raise EvaluationError("no such overload")


def shown(value: Any) -> str:
    """Return a value as error messages show it."""
    if isinstance(value, BoolKey):
        value = value.value
    try:
        return string_of(value)
    except EvaluationError:
        return str(value)
