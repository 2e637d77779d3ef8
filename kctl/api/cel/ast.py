"""The parts an expression is made of; each knows where it stands in the text.

Nodes are made by the parser and not changed, but for ``type``, which the checker notes.
"""

from __future__ import annotations

from typing import Any


class Expr:
    """Any part of an expression."""

    __slots__ = ("offset", "type")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.type: Any = None


class Const(Expr):
    """A literal."""

    __slots__ = ("value",)

    def __init__(self, offset: int, value: Any) -> None:
        super().__init__(offset)
        self.value = value


class Ident(Expr):
    """A variable, or a part of a qualified name."""

    __slots__ = ("name",)

    def __init__(self, offset: int, name: str) -> None:
        super().__init__(offset)
        self.name = name


class Select(Expr):
    """A field of something; ``test`` asks only whether it is there, ``optional`` whether it may be."""

    __slots__ = ("field", "operand", "optional", "test")

    def __init__(self, offset: int, operand: Expr, field: str, *, test: bool = False, optional: bool = False) -> None:
        super().__init__(offset)
        self.operand = operand
        self.field = field
        self.test = test
        self.optional = optional


class Call(Expr):
    """A function or operator applied to arguments, of something when there is a target."""

    __slots__ = ("args", "function", "target")

    def __init__(self, offset: int, function: str, args: list[Expr], target: Expr | None = None) -> None:
        super().__init__(offset)
        self.function = function
        self.args = args
        self.target = target


class ListExpr(Expr):
    """A list literal; those items at ``optional`` positions are left out when absent."""

    __slots__ = ("items", "optional")

    def __init__(self, offset: int, items: list[Expr], optional: frozenset[int] = frozenset()) -> None:
        super().__init__(offset)
        self.items = items
        self.optional = optional


class MapExpr(Expr):
    """A map literal: keys, values, and whether an absent value leaves the entry out."""

    __slots__ = ("entries",)

    def __init__(self, offset: int, entries: list[tuple[Expr, Expr, bool]]) -> None:
        super().__init__(offset)
        self.entries = entries


class StructExpr(Expr):
    """A struct literal: its type's name and fields."""

    __slots__ = ("fields", "name")

    def __init__(self, offset: int, name: str, fields: list[tuple[str, Expr, bool, int]]) -> None:
        super().__init__(offset)
        self.name = name
        self.fields = fields


class Fold(Expr):
    """A comprehension: goes over a range, computing a result step by step while a condition holds."""

    __slots__ = ("accu", "condition", "init", "over", "result", "step", "var", "var2")

    def __init__(
        self,
        offset: int,
        *,
        var: str,
        over: Expr,
        accu: str,
        init: Expr,
        condition: Expr,
        step: Expr,
        result: Expr,
        var2: str = "",
    ) -> None:
        super().__init__(offset)
        self.var = var
        self.var2 = var2
        self.over = over
        self.accu = accu
        self.init = init
        self.condition = condition
        self.step = step
        self.result = result
