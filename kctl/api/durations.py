"""Durations in the two forms Kubernetes writes them: Go's (``1h30m0s``) and ages (``5d3h``).

In comes text, out come seconds, and the other way round. Instants are in :mod:`kctl.api.clock`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

UNITS = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "μs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
"""Go's units; both the micro sign and the Greek mu are micro."""

LONGEST = Decimal((1 << 63) - 1) * UNITS["ns"]
"""What fits Go's int64 of nanoseconds: about 292 years."""


def parse(text: str) -> float:
    """Return seconds, as time.ParseDuration. Raises ValueError in Go's words."""
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f"time: invalid duration {quoted}")
    total = Decimal(0)
    while rest:
        number, rest = _take(rest, "0123456789.")
        unit, rest = _take_until(rest, "0123456789.")
        try:
            count = Decimal(number)
        except InvalidOperation:
            raise ValueError(f"time: invalid duration {quoted}") from None
        if not unit:
            raise ValueError(f"time: missing unit in duration {quoted}")
        if unit not in UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration {quoted}')
        total += count * UNITS[unit]
        if total > LONGEST:
            raise ValueError(f"time: invalid duration {quoted}")
    return float(-total if text[0] == "-" else total)


def _take(text: str, letters: str) -> tuple[str, str]:
    """Cut off the run of ``letters`` at the start."""
    end = 0
    while end < len(text) and text[end] in letters:
        end += 1
    return text[:end], text[end:]


def _take_until(text: str, letters: str) -> tuple[str, str]:
    """Cut off what comes before the first of ``letters``."""
    end = 0
    while end < len(text) and text[end] not in letters:
        end += 1
    return text[:end], text[end:]


def format(seconds: float) -> str:  # noqa: A001 - read as durations.format
    """Write a duration as Go's Duration.String: ``1h30m0s``, ``1.5s``, ``20ms``."""
    if seconds < 0:
        return "-" + format(-seconds)
    nanos = round(seconds * 1_000_000_000)
    if nanos == 0:
        return "0s"
    for unit, size in (("ns", 1_000), ("µs", 1_000_000), ("ms", 1_000_000_000)):
        if nanos < size:
            return f"{_plain(Decimal(nanos) / (size // 1000))}{unit}"
    minutes, rest = divmod(nanos, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_plain(Decimal(rest) / 1_000_000_000)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _plain(number: Decimal) -> str:
    """Write a number without exponent and without zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def age(seconds: float) -> str:
    """Write an age as kubectl does, with less detail the older: duration.HumanDuration."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = days // 365
    if hours < 24 * 365 * 8:
        return _two(years, "y", days % 365, "d")
    return f"{years}y"


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    """Write two units, the small one only when there is some of it."""
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"
