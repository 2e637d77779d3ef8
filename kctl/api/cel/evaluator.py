"""Expressions as closures: compiled once, run on plain values as often as needed.

In: an :mod:`ast`. Out: a function from variables and a :class:`Run`, which counts what the evaluation
costs and stops it at its limit, as interpreter/runtimecost.go counts. Functions come from
:mod:`library`; the logical operators and the conditional are here, as they do not evaluate all of
their operands.
"""

from __future__ import annotations

from typing import Any

from kctl.api.cel import library
from kctl.api.cel.ast import Call, Const, Expr, Fold, Ident, ListExpr, MapExpr, Select, StructExpr
from kctl.api.cel.errors import CostExceeded, EvaluationError
from kctl.api.cel.names import unescape
from kctl.api.cel.operators import SPECIAL
from kctl.api.cel.running import Code, Failed, Lazy, Run, Variables
from kctl.api.cel.values import (
    NONE,
    Instance,
    Optional,
    TypeValue,
    key_of,
    no_overload,
    value_of_key,
)

LIST_COST, MAP_COST, STRUCT_COST = 10, 30, 40
"""What making a value costs (common.ListCreateBaseCost and its siblings)."""
TYPES = {
    "bool": "bool",
    "int": "int",
    "uint": "uint",
    "double": "double",
    "string": "string",
    "bytes": "bytes",
    "list": "list",
    "map": "map",
    "null_type": "null_type",
    "type": "type",
    "optional_type": "optional_type",
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
    "google.protobuf.Timestamp": "google.protobuf.Timestamp",
    "google.protobuf.Duration": "google.protobuf.Duration",
    "net.IP": "net.IP",
    "net.CIDR": "net.CIDR",
    "kubernetes.Quantity": "kubernetes.Quantity",
    "kubernetes.URL": "kubernetes.URL",
    "kubernetes.Semver": "kubernetes.Semver",
}
"""Names that stand for types."""


class Compiler:
    """Turns expressions into closures; ``variables`` are the names that are bound."""

    def __init__(self, variables: frozenset[str]) -> None:
        self._variables = variables

    def code(self, expr: Expr) -> Code:
        """Return the closure of an expression."""
        made: Code = getattr(self, f"_{type(expr).__name__.lower()}")(expr)
        return made

    def _const(self, expr: Const) -> Code:
        value = expr.value
        return lambda *_: value

    def _ident(self, expr: Ident) -> Code:
        name = expr.name.removeprefix(".")
        if name not in self._variables and name in TYPES:
            found = TypeValue(TYPES[name])
            return lambda *_: found

        def ident(variables: Variables, run: Run) -> Any:
            run.cost += 1
            try:
                value = variables[name]
            except KeyError:
                raise EvaluationError(f"no such attribute(s): {name}") from None
            return value.force(run) if type(value) is Lazy else value

        return ident

    def _select(self, expr: Select) -> Code:
        qualified = _qualified(expr)
        if qualified in TYPES and qualified.partition(".")[0] not in self._variables:
            found = TypeValue(TYPES[qualified])
            return lambda *_: found
        if qualified and qualified in self._variables:
            return self._ident(Ident(expr.offset, qualified))
        operand, field = self.code(expr.operand), expr.field
        plain = unescape(field)
        if expr.test:
            return _test(operand, field, plain, optional=expr.optional)
        if expr.optional:
            return _optional_select(operand, field, plain)

        if isinstance(expr.operand, Ident) and expr.operand.name == "variables":
            return _variable(operand, field)

        def select(variables: Variables, run: Run) -> Any:
            value = operand(variables, run)
            run.cost += 1
            if isinstance(value, dict):
                if plain in value:
                    return value[plain]
                if field in value:
                    return value[field]
                raise EvaluationError(f"no such key: {field}")
            if type(value) is Optional:
                return _of_optional(value, field, plain)
            raise no_overload()

        return select

    def _listexpr(self, expr: ListExpr) -> Code:
        items = [self.code(item) for item in expr.items]
        optional = expr.optional

        def make(variables: Variables, run: Run) -> Any:
            run.spend(LIST_COST)
            if not optional:
                return [item(variables, run) for item in items]
            out = []
            for n, item in enumerate(items):
                value = item(variables, run)
                if n in optional:
                    if type(value) is not Optional:
                        raise EvaluationError(
                            f"cannot initialize optional list element from non-optional value {value}"
                        )
                    if not value.has_value:
                        continue
                    value = value.value
                out.append(value)
            return out

        return make

    def _mapexpr(self, expr: MapExpr) -> Code:
        entries = [(self.code(key), self.code(value), optional) for key, value, optional in expr.entries]

        def make(variables: Variables, run: Run) -> Any:
            run.spend(MAP_COST)
            out: dict[Any, Any] = {}
            for key, item, optional in entries:
                at = key_of(key(variables, run))
                value = item(variables, run)
                if optional:
                    if type(value) is not Optional:
                        raise EvaluationError(
                            f"cannot initialize optional entry '{at}' from non-optional value {value}"
                        )
                    if not value.has_value:
                        continue
                    value = value.value
                if at in out:
                    raise EvaluationError(f"Failed with repeated key: {at}")
                out[at] = value
            return out

        return make

    def _structexpr(self, expr: StructExpr) -> Code:
        fields = [(name, self.code(value), optional) for name, value, optional, _ in expr.fields]
        name = expr.name

        def make(variables: Variables, run: Run) -> Any:
            run.spend(STRUCT_COST)
            out: dict[str, Any] = {}
            for field, item, optional in fields:
                value = item(variables, run)
                if optional:
                    if type(value) is not Optional or not value.has_value:
                        continue
                    value = value.value
                out[unescape(field)] = value
            return Instance(name, out)

        return make

    # calls

    def _call(self, expr: Call) -> Code:
        special = SPECIAL.get(expr.function)
        if special is not None:
            made: Code = special(self, expr)
            return made
        args = [self.code(arg) for arg in expr.args]
        name = expr.function
        if expr.target is not None:
            qualified = _qualified(expr.target)
            root = qualified.partition(".")[0]
            if qualified and root not in self._variables and f"{qualified}.{name}" in library.FUNCTIONS:
                name = f"{qualified}.{name}"
            else:
                args.insert(0, self.code(expr.target))
        return _call(name, args)

    def _fold(self, expr: Fold) -> Code:
        names = {expr.var, expr.var2, expr.accu} - {""}
        inner = Compiler(self._variables | names)
        over, init = self.code(expr.over), self.code(expr.init)
        step, result = expr.step, inner.code(expr.result)
        if _appends(step, expr.accu):
            return _collect(expr, over, result, inner)
        condition, next_ = inner.code(expr.condition), inner.code(step)
        var, var2, accu = expr.var, expr.var2, expr.accu

        def fold(variables: Variables, run: Run) -> Any:
            scope = dict(variables)
            found = over(variables, run)
            scope[accu] = init(variables, run)
            for key, value in _pairs(found, two=bool(var2)):
                scope[var] = key
                if var2:
                    scope[var2] = value
                if run.cost > run.limit:
                    raise CostExceeded
                if condition(scope, run) is False:
                    break
                try:
                    scope[accu] = next_(scope, run)
                except EvaluationError as error:
                    if not _absorbs(expr):
                        raise
                    scope[accu] = Failed(error)
            found = scope[accu]
            if type(found) is Failed:
                raise found.error
            return result(scope, run)

        return fold


def _absorbs(expr: Fold) -> bool:
    """Say whether the fold is one of ``all`` and ``exists``, whose logic may do without an item."""
    return isinstance(expr.step, Call) and expr.step.function in ("_&&_", "_||_")


def _pairs(found: Any, *, two: bool) -> Any:
    if isinstance(found, list):
        return enumerate(found) if two else ((item, None) for item in list(found))
    if isinstance(found, dict):
        return ((value_of_key(key), value) for key, value in list(found.items()))
    raise no_overload()


def _appends(step: Expr, accu: str) -> bool:
    """Say whether a fold's step does nothing but append an item, on a condition perhaps."""
    if isinstance(step, Call) and step.function == "_?_:_":
        step = step.args[1]
    return (
        isinstance(step, Call)
        and step.function == "_+_"
        and isinstance(step.args[0], Ident)
        and step.args[0].name == accu
        and isinstance(step.args[1], ListExpr)
        and accu == "@result"
    )


def _collect(expr: Fold, over: Code, result: Code, inner: Compiler) -> Code:
    """Return the closure of a fold that collects items: one list grows, instead of a list an item."""
    step = expr.step
    condition: Code | None = None
    if isinstance(step, Call) and step.function == "_?_:_":
        condition = inner.code(step.args[0])
        step = step.args[1]
    assert isinstance(step, Call)  # noqa: S101 - as _appends found
    assert isinstance(step.args[1], ListExpr)  # noqa: S101
    item = inner.code(step.args[1].items[0])
    var, var2, accu = expr.var, expr.var2, expr.accu

    def collect(variables: Variables, run: Run) -> Any:
        scope = dict(variables)
        found = over(variables, run)
        run.spend(LIST_COST)
        out: list[Any] = []
        for key, value in _pairs(found, two=bool(var2)):
            scope[var] = key
            if var2:
                scope[var2] = value
            if condition is not None:
                wanted = condition(scope, run)
                if wanted is False:
                    run.spend(1)
                    continue
                if wanted is not True:
                    raise no_overload()
            out.append(item(scope, run))
            run.spend(LIST_COST + 2)
        scope[accu] = out
        return result(scope, run)

    return collect


def _qualified(expr: Expr) -> str:
    """Return ``a.b.c`` for selections of a name, "" for anything else."""
    if isinstance(expr, Ident):
        return expr.name.removeprefix(".")
    if isinstance(expr, Select) and not expr.test and not expr.optional:
        head = _qualified(expr.operand)
        return f"{head}.{expr.field}" if head else ""
    return ""


def _of_optional(value: Optional, field: str, plain: str) -> Optional:
    if not value.has_value:
        return NONE
    inner = value.value
    if not isinstance(inner, dict):
        raise no_overload()
    for name in (plain, field):
        if name in inner:
            return Optional(inner[name])
    return NONE


def _variable(operand: Code, name: str) -> Code:
    """Return the closure of ``variables.name``: what others compute, when it is first needed."""

    def variable(variables: Variables, run: Run) -> Any:
        value = operand(variables, run)
        run.cost += 1
        if not isinstance(value, dict) or name not in value:
            raise EvaluationError(f"no such key: {name}")
        found = value[name]
        return found.force(run) if type(found) is Lazy else found

    return variable


def _optional_select(operand: Code, field: str, plain: str) -> Code:
    def select(variables: Variables, run: Run) -> Any:
        value = operand(variables, run)
        run.cost += 1
        return _of_optional(value if type(value) is Optional else Optional(value), field, plain)

    return select


def _test(operand: Code, field: str, plain: str, *, optional: bool) -> Code:
    def test(variables: Variables, run: Run) -> Any:
        value = operand(variables, run)
        if type(value) is Optional:
            return _of_optional(value, field, plain).has_value
        if optional:
            return _of_optional(Optional(value), field, plain).has_value
        if not isinstance(value, dict):
            raise no_overload()
        return plain in value or field in value

    return test


def _call(name: str, args: list[Code]) -> Code:
    """Return the closure of a function call; its cost is known when its value is."""
    function = library.FUNCTIONS.get(name)
    cost = library.COSTS.get(name)

    def call(variables: Variables, run: Run) -> Any:
        given = [arg(variables, run) for arg in args]
        if function is None:
            raise no_overload()
        if any(type(value) is Failed for value in given):
            raise next(value.error for value in given if type(value) is Failed)
        try:
            value = function(*given)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise no_overload() from None
            raise no_overload() from None
        run.spend(1 if cost is None else cost(given, value))
        return value

    return call
