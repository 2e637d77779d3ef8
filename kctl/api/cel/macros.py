"""Macros: what is written like a call and means a comprehension, a test, or a binding.

The standard ones, ``cel.bind``, those with two variables (ext.TwoVarComprehensions) and those of
optional types. An expander gets the call's parts and returns what it stands for, None when the
call is no macro, and raises :class:`BadMacro` when it is a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.cel.ast import Call, Const, Expr, Fold, Ident, ListExpr, MapExpr, Select

ACCU = "@result"
UNUSED = "#unused"


class BadMacro(Exception):
    """A macro used wrongly, and where."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


Expander = Callable[[int, Any, list[Expr]], Expr | None]


def expand(offset: int, target: Expr | None, function: str, args: list[Expr]) -> Expr | None:
    """Return what a call means if it is a macro."""
    if target is None:
        return _has(offset, args) if function == "has" and len(args) == 1 else None
    found = MEMBERS.get((function, len(args)))
    return found(offset, target, args) if found is not None else None


def _has(offset: int, args: list[Expr]) -> Expr:
    if isinstance(args[0], Select) and not args[0].test:
        return Select(offset, args[0].operand, args[0].field, test=True, optional=args[0].optional)
    raise BadMacro(args[0].offset, "invalid argument to has() macro")


def _var(arg: Expr, message: str = "argument must be a simple name") -> str:
    """Return the name a macro binds."""
    if not isinstance(arg, Ident) or not arg.name or arg.name.startswith("."):
        raise BadMacro(arg.offset, message)
    if arg.name in (ACCU, "__result__"):
        raise BadMacro(arg.offset, "iteration variable overwrites accumulator variable")
    return arg.name


def _and(offset: int, a: Expr, b: Expr) -> Expr:
    return Call(offset, "_&&_", [a, b])


def _quantifier(function: str, variables: int) -> Expander:
    """Return the expander of all, exists, exists_one (existsOne)."""

    def expand_it(offset: int, target: Expr, args: list[Expr]) -> Expr:
        names = [_var(arg) for arg in args[:variables]]
        if len(names) > 1 and names[0] == names[1]:
            raise BadMacro(args[1].offset, f"duplicate variable name: {names[0]}")
        body = args[variables]
        accu = Ident(offset, ACCU)
        condition: Expr
        if function == "all":
            init: Expr = Const(offset, True)
            condition = Call(offset, "@not_strictly_false", [accu])
            step, result = _and(offset, accu, body), Ident(offset, ACCU)
        elif function == "exists":
            init = Const(offset, False)
            condition = Call(offset, "@not_strictly_false", [Call(offset, "!_", [accu])])
            step, result = Call(offset, "_||_", [accu, body]), Ident(offset, ACCU)
        else:
            init, condition = Const(offset, 0), Const(offset, True)
            step = Call(offset, "_?_:_", [body, Call(offset, "_+_", [accu, Const(offset, 1)]), Ident(offset, ACCU)])
            counted = Call(offset, "_==_", [Ident(offset, ACCU), Const(offset, 1)])
            return _fold(offset, target, names, init, condition, step, counted)
        return _fold(offset, target, names, init, condition, step, result)

    return expand_it


def _fold(offset: int, target: Expr, names: list[str], init: Expr, condition: Expr, step: Expr, result: Expr) -> Expr:
    return Fold(
        offset,
        var=names[0],
        var2=names[1] if len(names) > 1 else "",
        over=target,
        accu=ACCU,
        init=init,
        condition=condition,
        step=step,
        result=result,
    )


def _list(variables: int, *, filtered: bool) -> Expander:
    """Return the expander of map (transformList), with or without a filter."""

    def expand_it(offset: int, target: Expr, args: list[Expr]) -> Expr:
        names = [
            _var(arg, "argument is not an identifier" if variables == 1 else "argument must be a simple name")
            for arg in args[:variables]
        ]
        accu = Ident(offset, ACCU)
        step: Expr = Call(offset, "_+_", [accu, ListExpr(offset, [args[-1]])])
        if filtered:
            step = Call(offset, "_?_:_", [args[variables], step, Ident(offset, ACCU)])
        return _fold(offset, target, names, ListExpr(offset, []), Const(offset, True), step, Ident(offset, ACCU))

    return expand_it


def _filter(offset: int, target: Expr, args: list[Expr]) -> Expr:
    name = _var(args[0], "argument is not an identifier")
    accu = Ident(offset, ACCU)
    more = Call(offset, "_+_", [accu, ListExpr(offset, [Ident(args[0].offset, name)])])
    step = Call(offset, "_?_:_", [args[1], more, Ident(offset, ACCU)])
    return _fold(offset, target, [name], ListExpr(offset, []), Const(offset, True), step, Ident(offset, ACCU))


def _map(function: str, *, filtered: bool) -> Expander:
    """Return the expander of transformMap and transformMapEntry."""

    def expand_it(offset: int, target: Expr, args: list[Expr]) -> Expr:
        names = [_var(arg) for arg in args[:2]]
        accu = Ident(offset, ACCU)
        if function == "transformMap":
            step: Expr = Call(offset, "cel.@mapInsert", [accu, Ident(offset, names[0]), args[-1]])
        else:
            step = Call(offset, "cel.@mapInsert", [accu, args[-1]])
        if filtered:
            step = Call(offset, "_?_:_", [args[2], step, Ident(offset, ACCU)])
        return _fold(offset, target, names, MapExpr(offset, []), Const(offset, True), step, Ident(offset, ACCU))

    return expand_it


def _bind(offset: int, target: Expr, args: list[Expr]) -> Expr | None:
    if not isinstance(target, Ident) or target.name != "cel":
        return None
    name = _var(args[0], "cel.bind() variable names must be simple identifiers")
    return Fold(
        offset,
        var=UNUSED,
        over=ListExpr(offset, []),
        accu=name,
        init=args[1],
        condition=Const(offset, False),
        step=Ident(offset, name),
        result=args[2],
    )


def _optional_map(*, flat: bool) -> Expander:
    """Return the expander of optMap and optFlatMap."""

    def expand_it(offset: int, target: Expr, args: list[Expr]) -> Expr:
        name = _var(args[0], "optMap() variable name must be a simple identifier")
        bound = Fold(
            offset,
            var=UNUSED,
            over=ListExpr(offset, []),
            accu=name,
            init=Call(offset, "value", [], target),
            condition=Const(offset, False),
            step=Ident(offset, name),
            result=args[1],
        )
        then: Expr = bound if flat else Call(offset, "optional.of", [bound])
        none = Call(offset, "optional.none", [])
        return Call(offset, "_?_:_", [Call(offset, "hasValue", [], target), then, none])

    return expand_it


MEMBERS: dict[tuple[str, int], Expander] = {
    ("all", 2): _quantifier("all", 1),
    ("exists", 2): _quantifier("exists", 1),
    ("exists_one", 2): _quantifier("exists_one", 1),
    ("existsOne", 2): _quantifier("exists_one", 1),
    ("all", 3): _quantifier("all", 2),
    ("exists", 3): _quantifier("exists", 2),
    ("existsOne", 3): _quantifier("exists_one", 2),
    ("exists_one", 3): _quantifier("exists_one", 2),
    ("map", 2): _list(1, filtered=False),
    ("map", 3): _list(1, filtered=True),
    ("filter", 2): _filter,
    ("transformList", 3): _list(2, filtered=False),
    ("transformList", 4): _list(2, filtered=True),
    ("transformMap", 3): _map("transformMap", filtered=False),
    ("transformMap", 4): _map("transformMap", filtered=True),
    ("transformMapEntry", 3): _map("transformMapEntry", filtered=False),
    ("transformMapEntry", 4): _map("transformMapEntry", filtered=True),
    ("bind", 3): _bind,
    ("optMap", 2): _optional_map(flat=False),
    ("optFlatMap", 2): _optional_map(flat=True),
}
"""Macros by name and number of arguments."""
