"""Numbers that come as text in a request: revisions, limits, seconds.

In comes the text; out comes the number, or :class:`NotANumber` in the words of Go's strconv.
Python's own ``int`` takes more: spaces, underscores, digits of other scripts.
"""

from __future__ import annotations

MAX_UNSIGNED = 2**64 - 1
MAX_SIGNED = 2**63 - 1
DIGITS = 20
"""No number of 64 bits has more of them, leading zeros aside."""


class NotANumber(ValueError):
    """The text is no number, or one that does not fit; the message is Go's."""


def unsigned(text: str) -> int:
    """Read a number as strconv.ParseUint with base 10 and 64 bits."""
    return _number("ParseUint", text, text, 0, MAX_UNSIGNED)


def signed(text: str) -> int:
    """Read a number as strconv.ParseInt with base 10 and 64 bits."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return _number("ParseInt", text, digits, -MAX_SIGNED - 1, MAX_SIGNED)


def _number(function: str, text: str, digits: str, least: int, most: int) -> int:
    if not (digits.isascii() and digits.isdigit()):
        raise NotANumber(f'strconv.{function}: parsing "{text}": invalid syntax')
    short = digits.lstrip("0") or "0"
    value = int(short) if len(short) <= DIGITS else most + 1
    value = -value if text.startswith("-") else value
    if not least <= value <= most:
        raise NotANumber(f'strconv.{function}: parsing "{text}": value out of range')
    return value
