"""Expressions ready to be run.

In: the text of an expression and the variables it may name, with their types where they are known.
Out: a :class:`Program`; CompileError in the words of cel-go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kctl.api.cel import parser
from kctl.api.cel.ast import Expr
from kctl.api.cel.evaluator import Compiler
from kctl.api.cel.running import Code, Lazy, Run, Variables

PER_CALL = 1_000_000
"""What one expression may cost (apis/cel PerCallLimit)."""
BUDGET = 10_000_000
"""What all expressions about one object may cost together (RuntimeCELCostBudget)."""
STATIC_LIMIT, STATIC_TOTAL = 10_000_000, 100_000_000
"""What an expression, and all of a definition, may be estimated to cost."""
MESSAGE_BYTES = 5 * 1024
"""How long a message an expression computes may be."""


class Program:
    """A compiled expression; runs as often as wanted."""

    __slots__ = ("_code", "expr", "source", "type")

    def __init__(self, source: str, expr: Expr, code: Code, type_: Any = None) -> None:
        self.source = source
        self.expr = expr
        self._code = code
        self.type = type_

    def run(self, variables: Variables, *, limit: int = PER_CALL) -> tuple[Any, int]:
        """Return the value and what it cost; EvaluationError, or CostExceeded beyond the limit."""
        run = Run(limit)
        value = self._code(variables, run)
        if run.cost > limit:
            run.spend(0)
        return value, run.cost

    def later(self, variables: Variables) -> Lazy:
        """Return the value as a variable of others, computed when first asked for."""
        return Lazy(self._code, variables)

    def eval_in(self, variables: Variables, run: Run) -> Any:
        """Return the value, its cost counted in a run that others share."""
        return self._code(variables, run)


def compile(source: str, variables: Mapping[str, Any]) -> Program:  # noqa: A001 - what cel-go calls it
    """Compile an expression; ``variables`` are the names it may use and their types (None: any)."""
    from kctl.api.cel import checker

    expr = parser.parse(source)
    found = checker.check(source, expr, variables)
    code = Compiler(frozenset(variables)).code(expr)
    return Program(source, expr, code, found)


def names_used(expr: Any) -> set[str]:
    """Return the names an expression mentions."""
    found: set[str] = set()
    stack = [expr]
    while stack:
        at = stack.pop()
        if isinstance(at, list | tuple):
            stack += at
        elif isinstance(at, Expr):
            name = getattr(at, "name", None)
            if name is not None and type(at).__name__ == "Ident":
                found.add(name)
            for cls in type(at).__mro__:
                stack += [getattr(at, slot) for slot in getattr(cls, "__slots__", ()) if slot != "type"]
    return found
