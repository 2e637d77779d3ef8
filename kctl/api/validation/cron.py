"""Cron schedules as robfig/cron reads them: what one says, or what is wrong with it.

Five fields, or a descriptor such as ``@daily``; lists, ranges, steps and the names of months and
days. The first error counts, field by field from the left.
"""

from __future__ import annotations

from typing import NamedTuple


class Bounds(NamedTuple):
    """What a field may hold."""

    low: int
    high: int
    names: tuple[str, ...] = ()
    """Names, the first of which stands for ``low``."""


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (Bounds(0, 59), Bounds(0, 23), Bounds(1, 31), Bounds(1, 12, MONTHS), Bounds(0, 6, DAYS))
DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
EVERY = "@every "
LARGEST = (1 << 63) - 1


class Field(NamedTuple):
    """What a field allows; ``is_open`` when it says ``*``, and so leaves the choice of the day to the other."""

    values: frozenset[int]
    is_open: bool = False


class Schedule(NamedTuple):
    """Fields from minute to day of the week, or a number of seconds between two times."""

    fields: tuple[Field, ...] = ()
    every: float = 0.0
    zone: str = ""


class Malformed(ValueError):
    """What is wrong with a schedule."""


def error(schedule: str) -> str:
    """Return why the schedule cannot be read, as cron.ParseStandard."""
    try:
        parse(schedule)
    except Malformed as why:
        return str(why)
    return ""


def parse(schedule: str) -> Schedule:
    """Read a schedule; Malformed says what is wrong with it."""
    name = ""
    if not schedule:
        raise Malformed("empty spec string")
    if schedule.startswith(("TZ=", "CRON_TZ=")):
        zone, space, schedule = schedule.partition(" ")
        name = zone.partition("=")[2]
        if not space or not is_time_zone(name):
            raise Malformed(f"provided bad location {name}: unknown time zone {name}")
        schedule = schedule.strip()
    if schedule.startswith("@"):
        return _descriptor(schedule)._replace(zone=name)
    fields = schedule.split()
    if len(fields) != len(FIELDS):
        raise Malformed(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    return Schedule(tuple(_field(*pair) for pair in zip(fields, FIELDS, strict=True)), zone=name)


def _field(text: str, bounds: Bounds) -> Field:
    """Read the ranges of a field."""
    ranges = [_range(part, bounds) for part in text.split(",") if part]
    return Field(frozenset().union(*(found.values for found in ranges)), any(found.is_open for found in ranges))


def _descriptor(text: str) -> Schedule:
    """Read ``@daily`` and the like."""
    if text in DESCRIPTORS:
        return parse(DESCRIPTORS[text])
    if text.startswith(EVERY):
        from kctl.api import durations

        try:
            return Schedule(every=max(float(int(durations.parse(text.removeprefix(EVERY)))), 1.0))
        except ValueError as why:
            raise Malformed(f"failed to parse duration {text}: {why}") from None
    raise Malformed(f"unrecognized descriptor: {text}")


def _range(text: str, bounds: Bounds) -> Field:
    """Read one range with its step; only a ``*`` without steps leaves the field open."""
    values, *steps = text.split("/")
    ends = values.split("-")
    if ends[0] in {"*", "?"}:
        low, high = bounds.low, bounds.high
    else:
        low = high = _number(ends[0], bounds)
        if len(ends) == 2:
            high = _number(ends[1], bounds)
        elif len(ends) > 2:
            raise Malformed(f"too many hyphens: {text}")
    step = 1
    if len(steps) == 1:
        step = _integer(steps[0])
        if len(ends) == 1:
            high = bounds.high
    elif len(steps) > 1:
        raise Malformed(f"too many slashes: {text}")
    if low < bounds.low:
        raise Malformed(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise Malformed(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise Malformed(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise Malformed(f"step of range should be a positive number: {text}")
    return Field(frozenset(range(low, high + 1, step)), ends[0] in {"*", "?"} and step == 1)


def _number(text: str, bounds: Bounds) -> int:
    """Return the number a text or name stands for."""
    name = text.lower()
    return bounds.low + bounds.names.index(name) if name in bounds.names else _integer(text)


def _integer(text: str) -> int:
    """Return a number, in the words of strconv when it is none."""
    digits = text[1:] if text[:1] in {"+", "-"} else text
    quoted = f'failed to parse int from {text}: strconv.Atoi: parsing "{text}"'
    if not (digits.isascii() and digits.isdigit()):
        raise Malformed(f"{quoted}: invalid syntax")
    number = int(text)
    if not -LARGEST <= number <= LARGEST:
        raise Malformed(f"{quoted}: value out of range")
    if number < 0:
        raise Malformed(f"negative number ({number}) not allowed: {text}")
    return number


def is_time_zone(name: str) -> bool:
    """Say whether the machine's time zone database has the name; without one, every name will do."""
    from zoneinfo import ZoneInfo

    if name == "UTC":
        return True
    if not name or name.startswith("/") or any(part in {"", ".", ".."} for part in name.split("/")):
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return not _has_zones()
    return True


def _has_zones() -> bool:
    """Say whether there is a time zone database at all."""
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo("Etc/UTC")
    except (ValueError, OSError, KeyError):
        return False
    return True
