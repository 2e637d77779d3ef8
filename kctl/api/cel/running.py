"""One evaluation: what it has cost, and values that are computed when they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kctl.api.cel.errors import CostExceeded, EvaluationError

Variables = Mapping[str, Any]


class Run:
    """One evaluation: what it has cost, and what it may."""

    __slots__ = ("cost", "limit")

    def __init__(self, limit: int) -> None:
        self.cost = 0
        self.limit = limit

    def spend(self, amount: int) -> None:
        """Count a cost; CostExceeded beyond the limit."""
        self.cost += amount
        if self.cost > self.limit:
            raise CostExceeded


Code = Callable[[Variables, Run], Any]


class Failed:
    """An accumulator that could not be computed; a later step may still decide."""

    __slots__ = ("error",)

    def __init__(self, error: EvaluationError) -> None:
        self.error = error


class Lazy:
    """A variable that is computed when first used, and then known."""

    __slots__ = ("_code", "_error", "_value", "_variables", "cost", "is_known")

    def __init__(self, code: Code, variables: Variables) -> None:
        self._code = code
        self._variables = variables
        self.is_known = False
        self._value: Any = None
        self._error: EvaluationError | None = None

    def force(self, run: Run) -> Any:
        """Return the value, computing it now if nobody has; an error is given again to everybody."""
        if not self.is_known:
            self.is_known = True
            try:
                self._value = self._code(self._variables, run)
            except EvaluationError as error:
                self._error = error
        if self._error is not None:
            raise self._error
        return self._value
