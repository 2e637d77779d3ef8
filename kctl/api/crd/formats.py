"""Formats of strings that custom resources may ask for, as k8s.io/kube-openapi strfmt checks them.

In: a value and the name of a format. Out: whether it is one. Formats nobody knows are not checked,
which is said when the definition is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from kctl.api.objects import Obj
from kctl.api.schema.wire import base64_error
from kctl.api.validation import formats

HOSTNAME = re.compile(r"([a-zA-Z0-9¡-￿_][a-zA-Z0-9¡-￿_-]{0,62})(\.[a-zA-Z0-9¡-￿_][a-zA-Z0-9¡-￿_-]{0,62})*\.?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
EMAIL = re.compile(r"(?:[^<>]*<)?[^@\s<>\"]+@[^@\s<>\"]+>?")
DATETIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d|60)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
GO_DURATION = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*")
WORDY_DURATION = re.compile(
    r"((\d+)\s*(nano(second)?s?|ns|micro(second)?s?|us|µs|milli(second)?s?|ms|s(ec)?(ond)?s?|m(in)?(ute)?s?|"
    r"h(ou)?r?s?|d(ay)?s?|w(ee)?k?s?)\s*)+"
)
UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
PATTERNS = {
    "bsonobjectid": re.compile(r"[0-9a-fA-F]{24}"),
    "mac": re.compile(r"([0-9a-fA-F]{2}([:-]|$)){6}|([0-9a-fA-F]{4}(\.|$)){3}"),
    "uuid": re.compile(UUID % ("[0-9a-f]", "[0-9a-f]"), re.IGNORECASE),
    "uuid3": re.compile(UUID % ("3", "[0-9a-f]"), re.IGNORECASE),
    "uuid4": re.compile(UUID % ("4", "[89ab]"), re.IGNORECASE),
    "uuid5": re.compile(UUID % ("5", "[89ab]"), re.IGNORECASE),
    "hexcolor": re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": re.compile(
        r"rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,"
        r"\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)"
    ),
    "ssn": re.compile(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
}


def is_known(name: str) -> bool:
    """Say whether a format is one that is checked."""
    return name in CHECKS or name in PATTERNS or name in UNCHECKED


def unrecognized(definition: Obj) -> set[str]:
    """Return the formats in the schemas of a definition that nobody knows."""
    from kctl.api.crd.structural import children

    found: set[str] = set()
    stack: list[Obj] = [
        version["schema"]["openAPIV3Schema"]
        for version in definition["spec"]["versions"]
        if (version.get("schema") or {}).get("openAPIV3Schema")
    ]
    while stack:
        schema = stack.pop()
        if schema.get("format") and not is_known(schema["format"]):
            found.add(schema["format"])
        stack += [below for _, below in children(schema)]
    return found


def fits(name: str, value: str) -> bool:
    """Say whether a value has a format; yes for formats nobody knows."""
    pattern = PATTERNS.get(name)
    if pattern is not None:
        return pattern.fullmatch(value) is not None
    check = CHECKS.get(name)
    return check is None or check(value)


def _uri(value: str) -> bool:
    """As url.ParseRequestURI: absolute, or a path."""
    if not value or any(ord(c) < 0x20 or ord(c) == 0x7F for c in value) or " " in value:
        return False
    if value.startswith("/"):
        return True
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value) is not None and not re.search("%(?![0-9A-Fa-f]{2})", value)


def _email(value: str) -> bool:
    return EMAIL.fullmatch(value) is not None


def _hostname(value: str) -> bool:
    """As IsHostname of strfmt: an underscore alone is none."""
    if not HOSTNAME.fullmatch(value):
        return False
    return all(LABEL.fullmatch(part) or not part.isascii() for part in value.rstrip(".").split("."))


def _ipv4(value: str) -> bool:
    return formats.parse_ip(value) is not None and ":" not in value


def _ipv6(value: str) -> bool:
    return formats.parse_ip(value) is not None and ":" in value


def _cidr(value: str) -> bool:
    address, slash, bits = value.partition("/")
    limit = 128 if ":" in address else 32
    return bool(slash) and formats.parse_ip(address) is not None and bits.isdecimal() and int(bits) <= limit


def _date(value: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _date_time(value: str) -> bool:
    found = DATETIME.fullmatch(value)
    if not found:
        return False
    return _date(value[:10]) and int(found[4]) < 24 and int(found[5]) < 60


def _duration(value: str) -> bool:
    return value == "0" or bool(GO_DURATION.fullmatch(value) or WORDY_DURATION.fullmatch(value))


def _byte(value: str) -> bool:
    return not base64_error(value)


def _digits(value: str) -> str:
    return re.sub("[ -]", "", value)


def _isbn10(value: str) -> bool:
    text = _digits(value)
    if not re.fullmatch(r"\d{9}[\dX]", text):
        return False
    total = sum((n + 1) * int(c) for n, c in enumerate(text[:9])) + 10 * (10 if text[9] == "X" else int(text[9]))
    return total % 11 == 0


def _isbn13(value: str) -> bool:
    text = _digits(value)
    return (
        bool(re.fullmatch(r"\d{13}", text)) and sum(int(c) * (3 if n % 2 else 1) for n, c in enumerate(text)) % 10 == 0
    )


def _credit_card(value: str) -> bool:
    text = _digits(value)
    if not re.fullmatch(r"\d{12,19}", text):
        return False
    total = 0
    for n, letter in enumerate(reversed(text)):
        digit = int(letter) * (2 if n % 2 else 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0


UNCHECKED = frozenset({"password", "int32", "int64", "float", "double"})
CHECKS: dict[str, Callable[[str], bool]] = {
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "cidr": _cidr,
    "byte": _byte,
    "date": _date,
    "date-time": _date_time,
    "datetime": _date_time,
    "duration": _duration,
    "isbn": lambda value: _isbn10(value) or _isbn13(value),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "k8s-short-name": lambda value: not formats.dns_label(value),
    "k8s-long-name": lambda value: not formats.dns_subdomain(value),
}
