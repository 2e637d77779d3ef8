"""Shares of devices: how much of a device's capacity a request takes, and whether there is so much left.

In: what a request asks for, a device's capacity with its policy, what others have of it. Out: amounts. As
consumable_capacity.go of the allocator: without a policy a request takes what it says, or all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from kctl.api import quantity
from kctl.api.objects import Obj

Amounts = Mapping[str, str]
"""Quantities by the name of the capacity."""


def share(asked: Amounts, capacity: Mapping[str, Obj]) -> dict[str, str] | None:
    """Return what a request takes of each capacity; None when it asks for one that is not there, or not so."""
    if any(name not in capacity for name in asked):
        return None
    found: dict[str, str] = {}
    for name in sorted(capacity):
        one = capacity[name]
        policy = one.get("requestPolicy") or {}
        amount = _taken(asked.get(name), one, policy)
        if not _is_allowed(amount, policy):
            return None
        found[name] = amount
    return found


def fits(taken: Amounts, capacity: Mapping[str, Obj], used: Mapping[str, Any]) -> bool:
    """Say whether a device has so much left beside what others use."""
    return all(
        _number(amount) + used.get(name, 0) <= _number(capacity[name]["value"]) for name, amount in taken.items()
    )


def added(used: Mapping[str, Any], taken: Amounts) -> dict[str, Any]:
    """Return what is used with what one more takes."""
    return {name: used.get(name, 0) + (_number(taken[name]) if name in taken else 0) for name in {**used, **taken}}


def _number(text: Any) -> Fraction:
    return Fraction(quantity.parse(str(text)))


def _taken(asked: str | None, capacity: Obj, policy: Obj) -> str:
    """Return what a request takes: the default, or what it asks for rounded up as the policy says."""
    if asked is None:
        return str(policy["default"] if policy.get("default") is not None else capacity["value"])
    span, values = policy.get("validRange") or {}, policy.get("validValues")
    if span.get("min") is not None:
        return _rounded(asked, span)
    if values:
        return str(next((value for value in values if _number(asked) <= _number(value)), asked))
    return asked


def _rounded(asked: str, span: Obj) -> str:
    """Return the amount raised to the smallest allowed, and to a whole number of steps above it."""
    if _number(asked) < _number(span["min"]):
        return str(span["min"])
    if span.get("step") is None:
        return asked
    wanted, step, least = quantity.value(asked), quantity.value(span["step"]), quantity.value(span["min"])
    steps = -((least - wanted) // step) if step > 0 else 0
    rounded = least + step * steps
    return asked if rounded == _number(asked) else quantity.format(rounded, like="1Gi")


def _is_allowed(amount: str, policy: Obj) -> bool:
    """Say whether an amount keeps to the policy."""
    if policy.get("default") is not None and _number(amount) == _number(policy["default"]):
        return True
    span, values = policy.get("validRange"), policy.get("validValues")
    if span is not None:
        if span.get("max") is not None and _number(amount) > _number(span["max"]):
            return False
        step = quantity.value(span["step"]) if span.get("step") is not None else 0
        least = quantity.value(span["min"]) if span.get("min") is not None else 0
        return step <= 0 or (quantity.value(amount) - least) % step == 0
    return not values or any(_number(amount) == _number(value) for value in values)
