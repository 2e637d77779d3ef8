"""The type checker: which types the parts of an expression have, and what does not fit.

In: an :mod:`ast` and the types of the variables (None is anything). Out: the expression's type, noted
on every node; CompileError with everything that does not fit, in the words of cel-go's checker.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from kctl.api.cel import library, types, validators
from kctl.api.cel.ast import Call, Const, Expr, Fold, Ident, ListExpr, MapExpr, Select, StructExpr
from kctl.api.cel.errors import CompileError, Issue
from kctl.api.cel.evaluator import TYPES
from kctl.api.cel.types import BOOL, BYTES, DOUBLE, DYN, ERROR, INT, NULL, STRING, UINT, Bindings, Overload, Type
from kctl.api.cel.values import UInt

CONSTANTS = {bool: BOOL, int: INT, UInt: UINT, float: DOUBLE, str: STRING, bytes: BYTES, type(None): NULL}
STRUCTS = ("Object", "JSONPatch")
"""Types that expressions may make values of, and what begins with them."""


def check(source: str, expr: Expr, variables: Mapping[str, Any]) -> Type:
    """Return the type of an expression; CompileError when it has none."""
    checker = _Checker({name: found or DYN for name, found in variables.items()})
    found = checker.type_of(expr)
    if checker.issues:
        raise CompileError(source, sorted(set(checker.issues)))
    wrong = validators.issues(expr)
    if wrong:
        raise CompileError(source, wrong)
    checker.settle()
    return checker.bindings.final(found)


@cache
def _declared() -> dict[str, list[str]]:
    """Return the declarations of every function, not read yet."""
    found: dict[str, list[str]] = {}
    for line in library.DECLARATIONS.splitlines():
        name, colon, rest = line.strip().partition(": ")
        if colon:
            found.setdefault(name, []).extend(rest.split(";"))
    return found


@cache
def overloads(name: str) -> tuple[Overload, ...]:
    """Return the ways a function may be called; none for what is no function."""
    return tuple(types.overload(text) for text in _declared().get(name, ()))


class _Checker:
    def __init__(self, variables: dict[str, Type]) -> None:
        self._variables = variables
        self._scopes: list[dict[str, Type]] = []
        self._typed: list[Expr] = []
        self._is_mixed = False
        """Whether literals here may hold values of several types: the arguments of ``format``."""
        self.bindings = Bindings()
        self.issues: list[Issue] = []

    def settle(self) -> None:
        """Replace parameters in the types noted by what was found out about them."""
        for node in self._typed:
            node.type = self.bindings.final(node.type)

    def type_of(self, expr: Expr) -> Type:
        """Find the type of a part and note it."""
        found: Type = getattr(self, f"_{type(expr).__name__.lower()}")(expr)
        expr.type = found
        self._typed.append(expr)
        return found

    def _fail(self, offset: int, message: str) -> Type:
        self.issues.append(Issue(offset, message))
        return ERROR

    def _undeclared(self, offset: int, name: str) -> Type:
        return self._fail(offset, f"undeclared reference to '{name}' (in container '')")

    def _lookup(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self._variables.get(name)

    def _named_type(self, name: str) -> Type | None:
        if name not in TYPES:
            return None
        if name in ("list", "map", "optional_type", "type"):
            kind = {"optional_type": "optional"}.get(name, name)
            return types.type_of(Type(kind, name, [DYN] * (2 if name == "map" else 1)))
        return types.type_of(types.read(name))

    # parts

    def _const(self, expr: Const) -> Type:
        return CONSTANTS[type(expr.value)]

    def _ident(self, expr: Ident) -> Type:
        name = expr.name.removeprefix(".")
        found = self._lookup(name) or self._named_type(name)
        return found if found is not None else self._undeclared(expr.offset, expr.name)

    def _select(self, expr: Select) -> Type:
        qualified = _qualified(expr)
        if qualified and self._lookup(qualified.partition(".")[0]) is None:
            found = self._lookup(qualified) or self._named_type(qualified)
            if found is not None:
                return found
        elif qualified and qualified in self._variables:
            return self._variables[qualified]
        operand = self.bindings.found(self.type_of(expr.operand))
        is_optional = operand.kind == "optional"
        inner = self.bindings.found(operand.params[0]) if is_optional and operand.params else operand
        found = self._field(expr, inner)
        if expr.test:
            return BOOL
        return types.optional(found) if is_optional or expr.optional else found

    def _field(self, expr: Select, holder: Type) -> Type:
        if holder.kind in ("dyn", "error", "param"):
            return DYN
        if holder.kind == "map":
            return holder.params[1] if len(holder.params) > 1 else DYN
        if holder.kind == "object" and holder.fields is not None:
            found = holder.fields.get(expr.field)
            return found if found is not None else self._fail(expr.offset, f"undefined field '{expr.field}'")
        return self._fail(expr.offset, f"type '{self.bindings.final(holder)}' does not support field selection")

    def _listexpr(self, expr: ListExpr) -> Type:
        item: Type | None = None
        for n, one in enumerate(expr.items):
            found = self._unwrapped(one, is_optional=n in expr.optional)
            item = self._common(one.offset, item, found)
        return types.list_of(item or self.bindings.fresh())

    def _unwrapped(self, expr: Expr, *, is_optional: bool) -> Type:
        found = self.bindings.found(self.type_of(expr))
        if not is_optional or found.kind in ("dyn", "error"):
            return found
        if found.kind == "optional":
            return found.params[0]
        return self._fail(expr.offset, f"expected type 'optional_type(A)' but found '{self.bindings.final(found)}'")

    def _common(self, offset: int, known: Type | None, found: Type) -> Type:
        """Return the type of the parts of a literal, which must all be of one."""
        if known is None or known.kind == "dyn":
            return found if known is None else DYN
        if self.bindings.found(found).kind == "dyn":
            return DYN
        if self.bindings.assignable(known, found):
            return known
        if self._is_mixed:
            return DYN
        final = self.bindings.final
        return self._fail(offset, f"expected type '{final(known)}' but found '{final(found)}'")

    def _mapexpr(self, expr: MapExpr) -> Type:
        key: Type | None = None
        value: Type | None = None
        for at, item, is_optional in expr.entries:
            key = self._common(at.offset, key, self.bindings.found(self.type_of(at)))
            value = self._common(item.offset, value, self._unwrapped(item, is_optional=is_optional))
        return types.map_of(key or self.bindings.fresh(), value or self.bindings.fresh())

    def _structexpr(self, expr: StructExpr) -> Type:
        for _, value, _, _ in expr.fields:
            self.type_of(value)
        if expr.name.partition(".")[0] not in STRUCTS:
            return self._undeclared(expr.offset, expr.name)
        return Type("opaque", expr.name)

    # calls

    def _call(self, expr: Call) -> Type:
        if expr.target is None:
            known = overloads(expr.function)
            if not known:
                for arg in expr.args:
                    self.type_of(arg)
                return self._undeclared(expr.offset, expr.function)
            return self._resolved(expr, known, [self.type_of(arg) for arg in expr.args], is_member=False)
        qualified = _qualified(expr.target)
        if qualified and self._lookup(qualified.partition(".")[0]) is None:
            known = overloads(f"{qualified}.{expr.function}")
            if known:
                return self._resolved(expr, known, [self.type_of(arg) for arg in expr.args], is_member=False)
        before, self._is_mixed = self._is_mixed, self._is_mixed or expr.function == "format"
        args = [self.type_of(expr.target), *(self.type_of(arg) for arg in expr.args)]
        self._is_mixed = before
        known = overloads(expr.function)
        if not known:
            return self._undeclared(expr.offset, expr.function)
        return self._resolved(expr, known, args, is_member=True)

    def _resolved(self, expr: Call, known: tuple[Overload, ...], args: list[Type], *, is_member: bool) -> Type:
        """Return the result of the overloads that take the arguments."""
        result: Type | None = None
        bindings = self.bindings
        for one in known:
            if one.is_member != is_member or len(one.args) != len(args):
                continue
            mark = bindings.mark()
            names: dict[str, Type] = {}
            wanted = [types.instantiated(arg, names, bindings) for arg in one.args]
            if not all(bindings.assignable(a, b) for a, b in zip(wanted, args, strict=True)):
                bindings.back(mark)
                continue
            found = bindings.found(types.instantiated(one.result, names, bindings))
            if result is None:
                result = found
            elif str(bindings.final(result)) != str(bindings.final(found)):
                return DYN
        if result is not None:
            return result
        if any(bindings.found(arg).kind == "error" for arg in args):
            return ERROR
        name = expr.function if is_member or expr.target is None else f"{_qualified(expr.target)}.{expr.function}"
        shown = types.shown_call([bindings.final(arg) for arg in args], is_member=is_member)
        return self._fail(expr.offset, f"found no matching overload for '{name}' applied to '{shown}'")

    # comprehensions

    def _fold(self, expr: Fold) -> Type:
        over = self.bindings.found(self.type_of(expr.over))
        accu = self.type_of(expr.init)
        first, second = self._variables_of(expr, over)
        self._scopes.append({expr.accu: accu})
        self._scopes.append({expr.var: first, **({expr.var2: second} if expr.var2 else {})})
        self._expect(expr.condition, BOOL)
        step = self.type_of(expr.step)
        if not self.bindings.assignable(accu, step):
            final = self.bindings.final
            self._fail(expr.step.offset, f"expected type '{final(accu)}' but found '{final(step)}'")
        self._scopes.pop()
        result = self.type_of(expr.result)
        self._scopes.pop()
        return result

    def _expect(self, expr: Expr, wanted: Type) -> None:
        found = self.type_of(expr)
        if not self.bindings.assignable(wanted, found):
            self._fail(expr.offset, f"expected type '{wanted}' but found '{self.bindings.final(found)}'")

    def _variables_of(self, expr: Fold, over: Type) -> tuple[Type, Type]:
        if over.kind == "list":
            item = over.params[0] if over.params else DYN
            return (INT, item) if expr.var2 else (item, DYN)
        if over.kind == "map":
            return (over.params[0], over.params[1]) if over.params else (DYN, DYN)
        if over.kind not in ("dyn", "error", "param"):
            shown = self.bindings.final(over)
            why = f"expression of type '{shown}' cannot be range of a comprehension (must be list, map, or dynamic)"
            self._fail(expr.over.offset, why)
        return DYN, DYN


def _qualified(expr: Expr) -> str:
    if isinstance(expr, Ident):
        return expr.name.removeprefix(".")
    if isinstance(expr, Select) and not expr.test and not expr.optional:
        head = _qualified(expr.operand)
        return f"{head}.{expr.field}" if head else ""
    return ""
