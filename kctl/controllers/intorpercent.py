"""Numbers that may be given as percentages: maxSurge, maxUnavailable.

In: an integer or a text such as ``25%``, and what it is a share of. Out: a whole number.
"""

from __future__ import annotations


def scaled(value: int | str | None, total: int, *, round_up: bool) -> int:
    """Return the number, or the share of ``total``, as intstr.GetScaledValueFromIntOrPercent."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * total
    return -(-share // 100) if round_up else share // 100
