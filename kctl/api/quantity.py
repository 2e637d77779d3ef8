"""Quantities: ``250m``, ``1.5Gi``, ``1e3``; exact numbers with a family of suffixes.

In comes what a manifest holds (text or a number); out come exact integers and fractions, and
the canonical text that a real API server stores. The grammar, its tolerance (``.5`` and ``+1``
are fine, and so is a lone ``-``), the rounding up to a whole nano and the texts that stay as
they were typed (``1.500``) are those of k8s.io/apimachinery/pkg/api/resource. No floating point.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

FORMAT_WRONG = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
NUMERIC_WRONG = "unable to parse numeric part of quantity"
SUFFIX_WRONG = "unable to parse quantity's suffix"

DECIMAL_SI = "DecimalSI"
BINARY_SI = "BinarySI"
DECIMAL_EXPONENT = "DecimalExponent"

DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
DECIMAL_SUFFIX = {power: suffix for suffix, power in DECIMAL.items()}
BINARY_SUFFIX = {power: suffix for suffix, power in BINARY.items()}

INT64_MAX = (1 << 63) - 1
FAST_DIGITS = 18
"""Numbers of up to so many digits take upstream's fast path, which may keep the text as typed."""
BINARY_DIGITS = 14
NANO = -9
MILLI = -3
MAX_POWER = 1000
MAX_DIGITS = 1000
"""Upstream would try larger ones; here they are refused before they eat the memory."""


class Amount(NamedTuple):
    """A parsed quantity: ``unscaled * 10 ** scale``, and how it wants to be written."""

    unscaled: int
    scale: int
    format: str
    typed: str
    """The text as given where that is how it will be written, else ""."""

    @property
    def number(self) -> int | Fraction:
        """Return the exact value, as an int where it is whole."""
        if self.scale >= 0:
            return int(self.unscaled * 10**self.scale)
        parts = int(10**-self.scale)
        whole, rest = divmod(self.unscaled, parts)
        if not rest:
            return whole
        from fractions import Fraction  # costs 2 ms that most commands do not need

        return Fraction(self.unscaled, parts)


def parse(text: str | float) -> int | Fraction:
    """Return the exact value. Raises ValueError in resource.ParseQuantity's words."""
    return amount(as_text(text)).number


def canonical(text: str | float) -> str:
    """Return the text a real API server stores, as Quantity.CanonicalizeBytes."""
    return _canonical(as_text(text))


def rounded(text: str | float) -> str:
    """Return the canonical text rounded up to a whole milli, as SetDefaults_ResourceList."""
    return _rounded(as_text(text))


def value(text: str | float) -> int:
    """Return the value in whole units, rounded away from zero, as Quantity.Value."""
    return _scaled(amount(as_text(text)), 0)


def milli(text: str | float) -> int:
    """Return the value in thousandths, rounded away from zero, as Quantity.MilliValue."""
    return _scaled(amount(as_text(text)), MILLI)


def format(number: int | Fraction, *, like: str = "") -> str:  # noqa: A001 - read as quantity.format
    """Write a number in the suffix family of ``like``; decimal suffixes when there is none."""
    family = amount(like).format if like else DECIMAL_SI
    scale = 0
    while number.denominator != 1 and scale > NANO:
        number *= 1000
        scale -= 3
    return write(Amount(_ceil(number.numerator, number.denominator), scale, family, ""))


def as_text(given: object) -> str:
    """Write what JSON holds as Quantity.UnmarshalJSON sees it: a number is its digits."""
    if isinstance(given, str):
        return given
    if given is None:
        return "0"
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(FORMAT_WRONG)
    if isinstance(given, float) and given.is_integer() and abs(given) < 1e21:
        return str(int(given))
    return str(given)


@lru_cache(maxsize=4096)
def amount(text: str) -> Amount:
    """Parse a quantity. Raises ValueError in resource.ParseQuantity's words."""
    text = text.strip()
    if not text:
        raise ValueError(FORMAT_WRONG)
    if text == "0":
        return Amount(0, 0, DECIMAL_SI, text)
    typed_value, whole, part, suffix = _split(text)
    if len(typed_value) > MAX_DIGITS:
        raise ValueError(NUMERIC_WRONG)
    base, power, family = _interpret(suffix)
    fast = _fast(text, whole, part, (base, power, family))
    return fast or _slow(typed_value, (base, power, family))


def _split(text: str) -> tuple[str, str, str, str]:
    """Cut a text into number, digits before and after the dot, and suffix."""
    position = 1 if text[0] in "+-" else 0
    start = _span(text, position, "0")
    if start == len(text):
        return "0", "0", "", ""
    position = _span(text, start, "0123456789")
    whole = text[start:position] or "0"
    part = ""
    if position < len(text) and text[position] == ".":
        start = position + 1
        position = _span(text, start, "0123456789")
        part = text[start:position]
    number, suffix = text[:position], text[position:]
    end = _span(suffix, 0, "eEinumkKMGTP")
    if end < len(suffix) and suffix[end] in "+-":
        end += 1
    if _span(suffix, end, "0123456789") < len(suffix):
        raise ValueError(FORMAT_WRONG)
    return number, whole, part, suffix


def _span(text: str, start: int, letters: str) -> int:
    """Return the position after the run of ``letters`` that begins at ``start``."""
    while start < len(text) and text[start] in letters:
        start += 1
    return start


def _interpret(suffix: str) -> tuple[int, int, str]:
    """Return base, exponent and family of a suffix."""
    if suffix in DECIMAL:
        return 10, DECIMAL[suffix], DECIMAL_SI
    if suffix in BINARY:
        return 2, BINARY[suffix], BINARY_SI
    if len(suffix) > 1 and suffix[0] in "eE":
        try:
            power = int(suffix[1:])
        except ValueError:
            raise ValueError(SUFFIX_WRONG) from None
        if abs(power) <= MAX_POWER:
            return 10, power, DECIMAL_EXPONENT
    raise ValueError(SUFFIX_WRONG)


def _fast(text: str, whole: str, part: str, unit: tuple[int, int, str]) -> Amount | None:
    """Parse what fits an int64, and keep the text where upstream does; None for all other."""
    _, power, family = unit
    if family == BINARY_SI:
        if part or BINARY_DIGITS - len(whole) - power * 3 // 10 < 0:
            return None
        factor, scale = 1 << power, 0
    else:
        if FAST_DIGITS - len(whole) - len(part) < 0:
            return None
        factor, scale = 1, power - len(part)
    digits = whole + part
    unscaled = int(digits) * factor
    if scale < NANO or unscaled > INT64_MAX:
        return None
    if family == BINARY_SI:
        keep = int(digits) & 7 != 0
    else:
        keep = scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0"
    return Amount(-unscaled if text[0] == "-" else unscaled, scale, family, text if keep else "")


def _slow(typed_value: str, unit: tuple[int, int, str]) -> Amount:
    """Parse numbers of any size: round up beyond nano, cap binary ones at an int64."""
    base, power, family = unit
    whole, _, part = typed_value.lstrip("+-").partition(".")
    if not whole + part:
        raise ValueError(NUMERIC_WRONG)
    unscaled, scale = int(whole + part), -len(part)
    if base == 10:
        scale += power
    else:
        unscaled <<= power
    if scale < NANO:
        unscaled, scale = _ceil(unscaled, 10 ** (NANO - scale)), NANO
    if family == BINARY_SI:
        if unscaled > INT64_MAX * 10**-scale:
            unscaled, scale = INT64_MAX, 0
        if 0 < unscaled < 10**-scale:
            family = DECIMAL_SI
    return Amount(-unscaled if typed_value[0] == "-" else unscaled, scale, family, "")


def _ceil(dividend: int, divisor: int) -> int:
    """Divide, rounding away from zero."""
    quotient = -(-abs(dividend) // divisor)
    return quotient if dividend >= 0 else -quotient


def _scaled(parsed: Amount, scale: int) -> int:
    """Return the value in units of ``10 ** scale``, rounded away from zero."""
    shift = parsed.scale - scale
    if shift >= 0:
        return int(parsed.unscaled * 10**shift)
    return _ceil(parsed.unscaled, 10**-shift)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    """Remember canonical texts: manifests repeat few of them."""
    parsed = amount(text)
    return parsed.typed or write(parsed)


@lru_cache(maxsize=4096)
def _rounded(text: str) -> str:
    """Remember rounded texts, as :func:`_canonical`."""
    parsed = amount(text)
    if parsed.scale >= MILLI:
        return parsed.typed or write(parsed)
    return write(Amount(_scaled(parsed, MILLI), MILLI, parsed.format, ""))


def write(parsed: Amount) -> str:
    """Write an amount with the largest suffix of its family that loses nothing."""
    if parsed.unscaled == 0:
        return "0"
    number = parsed.number
    if parsed.format == BINARY_SI and isinstance(number, int) and abs(number) >= 1024:
        power = 0
        while number % 1024 == 0:
            number //= 1024
            power += 10
        return f"{number}{BINARY_SUFFIX.get(power, '')}"
    unscaled, power = parsed.unscaled, parsed.scale
    while unscaled % 10 == 0:
        unscaled //= 10
        power += 1
    spare = power % 3
    unscaled, power = unscaled * 10**spare, power - spare
    if parsed.format == DECIMAL_EXPONENT:
        return f"{unscaled}e{power}" if power else str(unscaled)
    return f"{unscaled}{DECIMAL_SUFFIX.get(power, '')}"
