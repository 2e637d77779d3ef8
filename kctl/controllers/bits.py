"""Sets of small numbers as the bits of one integer: ordinals, nodes.

A set of ten thousand numbers is a kilobyte; union, difference and size are single operations,
whatever is in it.
"""

from __future__ import annotations

from collections.abc import Iterator


def span(start: int, count: int) -> int:
    """Return the set of ``count`` numbers from ``start`` on."""
    return ((1 << count) - 1) << start if count > 0 else 0


def lowest(bits: int) -> int:
    """Return the lowest member, -1 of nothing."""
    return (bits & -bits).bit_length() - 1


def highest(bits: int) -> int:
    """Return the highest member, -1 of nothing."""
    return bits.bit_length() - 1


def each(bits: int) -> Iterator[int]:
    """Yield the members in ascending order."""
    while bits:
        bit = bits & -bits
        yield bit.bit_length() - 1
        bits ^= bit
