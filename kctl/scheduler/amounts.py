"""Amounts of resources in the unit the scheduler counts them in, as people write them."""

from __future__ import annotations

from fractions import Fraction

from kctl.api import quantity

MIB = 2**20


def rounded_up(name: str, value: int) -> int:
    """Round bytes up to whole MiB, so that people can read them; everything else stays."""
    if name not in ("memory", "ephemeral-storage") and not name.startswith("hugepages-"):
        return value
    return -(-value // MIB) * MIB if value >= MIB else value


def printed_amount(name: str, value: int) -> str:
    """Write an amount counted in the scheduler's unit, rounded up where that reads better."""
    return written(name, rounded_up(name, value))


def written(name: str, value: int) -> str:
    """Write an amount counted in the scheduler's unit exactly, as a quantity."""
    if name == "cpu":
        return quantity.format(Fraction(value, 1000))
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        return quantity.format(value, like="1Mi")
    return str(value)
