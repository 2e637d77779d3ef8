"""Operators that do not evaluate all of their operands, or look at them in a way of their own.

The logical ones decide by whichever side decides, whatever goes wrong on the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from kctl.api.cel.ast import Call, Expr
from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.running import Code, Failed, Run, Variables
from kctl.api.cel.text import shown
from kctl.api.cel.values import NONE, Optional, key_of, no_overload, type_name


class Compiler(Protocol):
    """Turns expressions into closures; :class:`evaluator.Compiler` does."""

    def code(self, expr: Expr) -> Code:
        """Return the closure of an expression."""
        ...


def _logical(compiler: Compiler, expr: Call) -> Code:
    """Return the closure of ``&&`` or ``||``: whichever side decides, decides."""
    left, right = (compiler.code(arg) for arg in expr.args)
    decides = expr.function == "_||_"

    def logical(variables: Variables, run: Run) -> Any:
        error: EvaluationError | None = None
        first: Any = None
        try:
            first = left(variables, run)
            if first is decides:
                return decides
            if type(first) is Failed:
                error = first.error
        except EvaluationError as found:
            error = found
        try:
            second = right(variables, run)
            if second is decides:
                return decides
        except EvaluationError as found:
            raise error or found from None
        if error is not None:
            raise error
        if type(first) is not bool or type(second) is not bool:
            raise no_overload()
        return not decides

    return logical


def _conditional(compiler: Compiler, expr: Call) -> Code:
    condition, then, otherwise = (compiler.code(arg) for arg in expr.args)

    def conditional(variables: Variables, run: Run) -> Any:
        found = condition(variables, run)
        if found is True:
            return then(variables, run)
        if found is False:
            return otherwise(variables, run)
        raise no_overload()

    return conditional


def _not(compiler: Compiler, expr: Call) -> Code:
    operand = compiler.code(expr.args[0])

    def negated(variables: Variables, run: Run) -> Any:
        value = operand(variables, run)
        run.cost += 1
        if type(value) is Failed:
            return value
        if type(value) is not bool:
            raise no_overload()
        return not value

    return negated


def _not_strictly_false(compiler: Compiler, expr: Call) -> Code:
    operand = compiler.code(expr.args[0])

    def condition(variables: Variables, run: Run) -> Any:
        run.cost += 1
        return operand(variables, run) is not False

    return condition


def _index(compiler: Compiler, expr: Call) -> Code:
    operand, index = (compiler.code(arg) for arg in expr.args)

    def at(variables: Variables, run: Run) -> Any:
        value, key = operand(variables, run), index(variables, run)
        run.spend(1)
        if type(value) is Optional:
            return _optional_item(value, key)
        return _item(value, key)

    return at


def _optional_index(compiler: Compiler, expr: Call) -> Code:
    operand, index = (compiler.code(arg) for arg in expr.args)

    def at(variables: Variables, run: Run) -> Any:
        value, key = operand(variables, run), index(variables, run)
        run.spend(1)
        return _optional_item(value if type(value) is Optional else Optional(value), key)

    return at


def _item(value: Any, key: Any) -> Any:
    if isinstance(value, list):
        at = _position(key)
        if not 0 <= at < len(value):
            raise EvaluationError(f"index out of bounds: {at}")
        return value[at]
    if isinstance(value, dict):
        try:
            return value[key_of(key)]
        except KeyError:
            raise EvaluationError(f"no such key: {shown(key)}") from None
    raise no_overload()


def _position(key: Any) -> int:
    if type(key) is bool or not isinstance(key, int | float) or key != int(key):
        raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")
    return int(key)


def _optional_item(value: Optional, key: Any) -> Optional:
    if not value.has_value:
        return NONE
    try:
        return Optional(_item(value.value, key))
    except EvaluationError as error:
        if str(error).startswith(("no such key", "index out of bounds")):
            return NONE
        raise


SPECIAL: dict[str, Callable[[Compiler, Call], Code]] = {
    "_&&_": _logical,
    "_||_": _logical,
    "_?_:_": _conditional,
    "!_": _not,
    "@not_strictly_false": _not_strictly_false,
    "_[_]": _index,
    "_[?_]": _optional_index,
}
