"""What an expression may cost at most, before it is run.

In: a checked expression, whose types say how large values may be. Out: the cost in the worst case, as
cel-go's checker/cost.go with the estimates of Kubernetes' libraries (apiserver/pkg/cel/library/cost.go).
What nothing is known of is taken to be as large as can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from kctl.api.cel.ast import Call, Const, Expr, Fold, Ident, ListExpr, MapExpr, Select, StructExpr
from kctl.api.cel.authorizers import CHECK_COST
from kctl.api.cel.evaluator import LIST_COST, MAP_COST, STRUCT_COST
from kctl.api.cel.types import SCALARS

MOST = (1 << 64) - 1


class Size(NamedTuple):
    """How many elements a value has, at least and at most."""

    low: int
    high: int


UNKNOWN = Size(0, MOST)
ONE = Size(1, 1)


def at_most(amount: float) -> int:
    """Return an amount that is not larger than what can be counted."""
    return MOST if amount >= MOST else math.ceil(amount)


def _tenth(size: int) -> int:
    return size if size == MOST else -(-size // 10)


def cost_of(expr: Expr) -> int:
    """Return the cost of an expression in the worst case."""
    return _Estimator().cost(expr)


class _Estimator:
    def __init__(self) -> None:
        self._sizes: list[dict[str, Size]] = []

    def cost(self, expr: Expr) -> int:
        """Return the cost of a part and all below it."""
        if isinstance(expr, Const):
            return 0
        if isinstance(expr, Ident):
            return 1
        if isinstance(expr, Select):
            return self.cost(expr.operand) + (0 if expr.test else 1)
        if isinstance(expr, ListExpr):
            return LIST_COST + sum(self.cost(item) for item in expr.items)
        if isinstance(expr, MapExpr):
            return MAP_COST + sum(self.cost(key) + self.cost(value) for key, value, _ in expr.entries)
        if isinstance(expr, StructExpr):
            return STRUCT_COST + sum(self.cost(value) for _, value, _, _ in expr.fields)
        if isinstance(expr, Fold):
            return self._fold(expr)
        assert isinstance(expr, Call)  # noqa: S101 - there are no other parts
        return self._call(expr)

    def _fold(self, expr: Fold) -> int:
        over = self.size(expr.over)
        self._sizes.append({expr.accu: self.size(expr.init)})
        a_time = self.cost(expr.condition) + self.cost(expr.step)
        total = self.cost(expr.over) + self.cost(expr.init) + self.cost(expr.result)
        self._sizes.pop()
        return at_most(total + over.high * a_time)

    def _call(self, expr: Call) -> int:
        args = [*([] if expr.target is None else [expr.target]), *expr.args]
        if expr.function == "_?_:_":
            return self.cost(args[0]) + max(self.cost(args[1]), self.cost(args[2]))
        below = sum(self.cost(arg) for arg in args)
        if expr.function in ("_&&_", "_||_"):
            return at_most(below)
        own = OWN.get(expr.function)
        if own is None:
            return at_most(below + 1)
        return at_most(below + own([self.size(arg) for arg in args], self.size(expr)))

    # sizes

    def size(self, expr: Expr) -> Size:
        """Return how large the value of a part may be."""
        if isinstance(expr, Const):
            return Size(len(expr.value), len(expr.value)) if isinstance(expr.value, str | bytes) else ONE
        if isinstance(expr, ListExpr):
            return Size(len(expr.items) - len(expr.optional), len(expr.items))
        if isinstance(expr, MapExpr):
            return Size(0, len(expr.entries))
        if isinstance(expr, Ident):
            for scope in reversed(self._sizes):
                if expr.name in scope:
                    return scope[expr.name]
        of = expr.type
        if isinstance(expr, Call):
            found = self._result(expr)
            if found is not None:
                return found
        if isinstance(expr, Fold):
            return self._folded(expr)
        if of is not None and of.limit is not None:
            return Size(0, of.limit)
        if of is not None and (of.name in SCALARS or of.kind in ("null", "opaque", "type")):
            return ONE
        return UNKNOWN

    def _folded(self, expr: Fold) -> Size:
        if isinstance(expr.init, ListExpr | MapExpr) and expr.accu == "@result":
            return Size(0, self.size(expr.over).high)
        if expr.type is not None and expr.type.name in SCALARS:
            return ONE
        return UNKNOWN

    def _result(self, expr: Call) -> Size | None:
        args = [*([] if expr.target is None else [expr.target]), *expr.args]
        if expr.function == "_?_:_":
            one, two = self.size(args[1]), self.size(args[2])
            return Size(min(one.low, two.low), max(one.high, two.high))
        if expr.function == "_+_" and expr.type is not None and expr.type.name not in SCALARS:
            one, two = self.size(args[0]), self.size(args[1])
            return Size(one.low + two.low, at_most(one.high + two.high))
        if expr.function in SAME_SIZE:
            return Size(0, self.size(args[0]).high)
        return None


SAME_SIZE = frozenset(
    {
        "lowerAscii",
        "upperAscii",
        "substring",
        "trim",
        "charAt",
        "find",
        "split",
        "bytes",
        "dyn",
        "sort",
        "reverse",
        "distinct",
        "slice",
    }
)
"""Functions whose result is not larger than what they are given."""
Own = Callable[[list[Size], Size], int]


def _once(args: list[Size], result: Size) -> int:
    return _tenth(args[0].high)


def _whole(args: list[Size], result: Size) -> int:
    return args[0].high


def _twice(args: list[Size], result: Size) -> int:
    return _tenth(at_most(args[0].high * 2))


def _smaller(args: list[Size], result: Size) -> int:
    return _tenth(min(args[0].high, args[1].high))


def _regex(args: list[Size], result: Size) -> int:
    return at_most(_tenth(at_most(args[0].high + 1)) * max(1, -(-args[1].high // 4)))


def _product(args: list[Size], result: Size) -> int:
    return at_most(1 + args[0].high * args[1].high)


OWN: dict[str, Own] = {
    "_==_": _smaller,
    "_!=_": _smaller,
    "_<_": _smaller,
    "_<=_": _smaller,
    "_>_": _smaller,
    "_>=_": _smaller,
    "_+_": lambda args, _: _tenth(at_most(args[0].high + args[1].high)) if args[0] != ONE or args[1] != ONE else 1,
    "@in": lambda args, _: args[1].high,
    "matches": _regex,
    "find": _regex,
    "findAll": _regex,
    "contains": lambda args, _: at_most(_tenth(args[0].high) * _tenth(args[1].high)),
    "startsWith": lambda args, _: _tenth(args[1].high),
    "endsWith": lambda args, _: _tenth(args[1].high),
    "bytes": _once,
    "format": _once,
    "strings.quote": _once,
    "lowerAscii": _once,
    "upperAscii": _once,
    "substring": _once,
    "trim": _once,
    "charAt": _once,
    "replace": _twice,
    "split": _twice,
    "join": lambda args, _: _tenth(at_most(args[0].high * 2)),
    "isSorted": _whole,
    "min": _whole,
    "max": _whole,
    "sum": _whole,
    "indexOf": _whole,
    "lastIndexOf": _whole,
    "distinct": lambda args, _: at_most(args[0].high * args[0].high),
    "sort": _whole,
    "url": _once,
    "isURL": _once,
    "quantity": _once,
    "isQuantity": _once,
    "semver": _once,
    "isSemver": _once,
    "ip": _once,
    "isIP": _once,
    "cidr": _once,
    "isCIDR": _once,
    "ip.isCanonical": _twice,
    "validate": _once,
    "check": lambda *_: CHECK_COST,
    "sets.contains": _product,
    "sets.intersects": _product,
    "sets.equivalent": lambda args, _: at_most(1 + 2 * args[0].high * args[1].high),
}
"""What functions cost by the sizes of their arguments; all others cost 1."""
