"""Kubernetes' library of quantities: amounts such as ``500m`` and ``2Gi``."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from kctl.api import quantity
from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.standard import tenth
from kctl.api.cel.values import INT_MAX, INT_MIN, Opaque, cost_size, no_overload

DECLARATIONS = """
quantity: (string) kubernetes.Quantity
isQuantity: (string) bool
sign: kubernetes.Quantity.() int
isInteger: kubernetes.Quantity.() bool
asInteger: kubernetes.Quantity.() int
asApproximateFloat: kubernetes.Quantity.() double
isGreaterThan: kubernetes.Quantity.(kubernetes.Quantity) bool
isLessThan: kubernetes.Quantity.(kubernetes.Quantity) bool
compareTo: kubernetes.Quantity.(kubernetes.Quantity) int
add: kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity; kubernetes.Quantity.(int) kubernetes.Quantity
sub: kubernetes.Quantity.(kubernetes.Quantity) kubernetes.Quantity; kubernetes.Quantity.(int) kubernetes.Quantity
"""


class Quantity(Opaque):
    """An amount."""

    __slots__ = ("amount",)
    type_name = "kubernetes.Quantity"

    def __init__(self, amount: Fraction) -> None:
        self.amount = amount

    def equals(self, other: Any) -> bool:
        """Say whether two amounts are the same."""
        return isinstance(other, Quantity) and other.amount == self.amount


def parse(value: Any) -> Quantity:
    """Read a quantity; EvaluationError for what is none."""
    if type(value) is not str:
        raise no_overload()
    try:
        return Quantity(Fraction(quantity.parse(value)))
    except ValueError as error:
        raise EvaluationError(str(error)) from None


def is_quantity(value: Any) -> bool:
    """Say whether a text is a quantity."""
    try:
        parse(value)
    except EvaluationError as error:
        if str(error) == "no such overload":
            raise
        return False
    return True


def _amount(value: Any) -> Fraction:
    if not isinstance(value, Quantity):
        raise no_overload()
    return value.amount


def _is_integer(value: Any) -> bool:
    amount = _amount(value)
    return amount.denominator == 1 and INT_MIN <= amount <= INT_MAX


def _integer(value: Any) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(_amount(value))


def _other(value: Any) -> Fraction:
    return Fraction(value) if type(value) is int else _amount(value)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "quantity": parse,
    "isQuantity": is_quantity,
    "sign": lambda value: (_amount(value) > 0) - (_amount(value) < 0),
    "isInteger": _is_integer,
    "asInteger": _integer,
    "asApproximateFloat": lambda value: float(_amount(value)),
    "isGreaterThan": lambda value, other: _amount(value) > _amount(other),
    "isLessThan": lambda value, other: _amount(value) < _amount(other),
    "compareTo": lambda value, other: (_amount(value) > _amount(other)) - (_amount(value) < _amount(other)),
    "add": lambda value, other: Quantity(_amount(value) + _other(other)),
    "sub": lambda value, other: Quantity(_amount(value) - _other(other)),
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "quantity": lambda args, _: tenth(cost_size(args[0])),
    "isQuantity": lambda args, _: tenth(cost_size(args[0])),
}
