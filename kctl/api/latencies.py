"""How latencies are written: a duration, a range from which the seed draws, a rate.

In: the name of a field of a profile and a text. Out: the fields of the profile that it sets; ValueError for what is none.
"""

from __future__ import annotations

from kctl.api import durations, quantity

MOST = "_most"
"""What the upper end of a range is called, behind the name of the latency."""
RANGES = ("image_pull", "container_start")
"""The latencies that may be ranges."""
RATE = "image_pull_rate"


def read(name: str, text: str) -> dict[str, float]:
    """Read ``5s``, ``1s..10s``, or ``50Mi`` of a rate."""
    if name == RATE:
        rate = quantity.value(text)
        if rate <= 0:
            raise ValueError("must be greater than 0")
        return {name: float(rate)}
    low, dots, high = text.partition("..")
    seconds = [durations.parse(part) for part in (low, *([high] if dots else ()))]
    if min(seconds) < 0:
        raise ValueError("must not be negative")
    if not dots:
        return {name: seconds[0]}
    if name not in RANGES:
        raise ValueError("may not be a range; imagePull and containerStart may")
    if seconds[0] >= seconds[1]:
        raise ValueError("a range must begin below its end")
    return {name: seconds[0], f"{name}{MOST}": seconds[1]}


def whole(said: dict[str, float]) -> dict[str, float]:
    """Return latencies without the range of an earlier word where there is a new one."""
    return {**{f"{name}{MOST}": 0.0 for name in RANGES if name in said}, **said}
