"""Literals that can be judged before anything is run: durations, times and patterns.

As cel-go's ValidateDurationLiterals, ValidateTimestampLiterals and ValidateRegexLiterals, which
kube-apiserver asks for.
"""

from __future__ import annotations

from typing import Any

from kctl.api.cel.ast import Call, Const, Expr
from kctl.api.cel.errors import EvaluationError, Issue

JUDGED = ("duration", "timestamp", "matches")


def issues(expr: Expr) -> list[Issue]:
    """Return what is wrong with the literals of an expression whose types fit."""
    found: list[Issue] = []
    stack: list[Any] = [expr]
    while stack:
        at = stack.pop()
        if isinstance(at, list | tuple):
            stack += at
        elif isinstance(at, Expr):
            if isinstance(at, Call) and at.function in JUDGED and not _is_good(at):
                found.append(Issue(at.args[0].offset, f"invalid {at.function} argument"))
            for cls in type(at).__mro__:
                stack += [getattr(at, slot) for slot in getattr(cls, "__slots__", ()) if slot != "type"]
    return sorted(found)


def _is_good(call: Call) -> bool:
    first = call.args[0] if call.args else None
    if not isinstance(first, Const) or not isinstance(first.value, str):
        return True
    from kctl.api.cel import library
    from kctl.api.regexp import BadRegexp, compiled

    try:
        if call.function == "matches":
            compiled(first.value)
        else:
            library.FUNCTIONS[call.function](first.value)
    except (BadRegexp, EvaluationError):
        return False
    return True
