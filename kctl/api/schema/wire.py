"""Times and bytes as Go reads them from JSON, with its error texts."""

from __future__ import annotations

from functools import lru_cache

from kctl.api.clock import parse_time, rfc3339, rfc3339_micro

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
SECONDS = "2006-01-02T15:04:05Z07:00"
MICROS = "2006-01-02T15:04:05.000000Z07:00"


def base64_error(text: str) -> str:
    """Return base64.CorruptInputError's text for what is not standard base64, "" for what is."""
    clean = text.replace("\r", "").replace("\n", "")
    if clean and len(clean) % 4 == 0 and LETTERS.issuperset(clean):
        return ""
    return _base64_error(text)


def _base64_error(text: str) -> str:
    """Find the first byte at fault, as base64.Encoding.decodeQuantum."""
    data = text.encode()
    position, quantum = 0, 0
    while position < len(data):
        letter = chr(data[position])
        if letter in "\r\n":
            position += 1
            continue
        if letter == "=":
            return _padding_error(data, position, quantum)
        if letter not in LETTERS:
            return f"illegal base64 data at input byte {position}"
        quantum = (quantum + 1) % 4
        position += 1
    if quantum:
        return f"illegal base64 data at input byte {position - quantum}"
    return ""


def _padding_error(data: bytes, position: int, quantum: int) -> str:
    """Check what stands at and behind the first ``=``."""
    if quantum < 2:
        return f"illegal base64 data at input byte {position}"
    rest = position + 1
    if quantum == 2:
        while rest < len(data) and data[rest] in b"\r\n":
            rest += 1
        if rest == len(data):
            return f"illegal base64 data at input byte {len(data)}"
        if data[rest] != ord("="):
            return f"illegal base64 data at input byte {rest - 1}"
        rest += 1
    while rest < len(data) and data[rest] in b"\r\n":
        rest += 1
    return f"illegal base64 data at input byte {rest}" if rest < len(data) else ""


def is_time(value: object) -> bool:
    """Say whether a value is a time to the second, as the server writes it."""
    return isinstance(value, str) and read_time(value, micro=False) == (value, "")


def is_micro_time(value: object) -> bool:
    """Say whether a value is a time to the microsecond, as the server writes it."""
    return isinstance(value, str) and read_time(value, micro=True) == (value, "")


@lru_cache(maxsize=4096)
def read_time(text: str, *, micro: bool) -> tuple[str, str]:
    """Return a time as the server writes it, and time.ParseError's text when it is none."""
    wrong = _time_error(text, MICROS if micro else SECONDS)
    if wrong:
        return text, wrong
    instant = parse_time(text)
    return (rfc3339_micro(instant) if micro else rfc3339(instant)), ""


RANGES = {
    "01": (1, 12, "month"),
    "02": (1, 31, "day"),
    "15": (0, 23, "hour"),
    "04": (0, 59, "minute"),
    "05": (0, 59, "second"),
}
ELEMENTS = ("2006", "-", "01", "-", "02", "T", "15", ":", "04", ":", "05")


def _time_error(text: str, layout: str) -> str:
    """Go through the layout's elements, as time.Parse."""
    start = f'parsing time "{text}"'
    rest = text
    numbers = []
    for element in ELEMENTS:
        digits = len(element) if element[0].isdigit() else 0
        given = rest[: digits or 1]
        if digits and (len(given) < digits or not (given.isascii() and given.isdigit())):
            return f'{start} as "{layout}": cannot parse "{rest}" as "{element}"'
        if not digits and given != element:
            return f'{start} as "{layout}": cannot parse "{rest}" as "{element}"'
        if digits:
            numbers.append(int(given))
        if element in RANGES and not RANGES[element][0] <= int(given) <= RANGES[element][1]:
            return f"{start}: {RANGES[element][2]} out of range"
        rest = rest[digits or 1 :]
    fraction = _fraction(rest)
    if layout == MICROS and fraction != 7:
        if fraction < 7:
            return f'{start} as "{layout}": cannot parse "{rest}" as ".000000"'
        fraction = 7
    rest = rest[fraction:]
    zone = _zone(rest)
    if not zone:
        return f'{start} as "{layout}": cannot parse "{rest}" as "Z07:00"'
    if rest[zone:]:
        return f'{start}: extra text: "{rest[zone:]}"'
    return f"{start}: day out of range" if numbers[2] > _days(numbers[0], numbers[1]) else ""


def _fraction(text: str) -> int:
    """Return how long the fraction of a second is, with its dot."""
    if text[:1] not in (".", ","):
        return 0
    end = 1
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return end if end > 1 else 0


def _zone(text: str) -> int:
    """Return how long the zone is, 0 when there is none."""
    if text[:1] == "Z":
        return 1
    zone = text[:6]
    good = len(zone) == 6 and zone[0] in "+-" and zone[3] == ":" and (zone[1:3] + zone[4:]).isdigit()
    return 6 if good and zone.isascii() and int(zone[1:3]) <= 24 and int(zone[4:]) < 60 else 0


def _days(year: int, month: int) -> int:
    """Return how many days a month has."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
