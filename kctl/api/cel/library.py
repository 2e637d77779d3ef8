"""All functions there are: what they do, what they cost, and how they are declared.

The functions of the standard library and of each library by its module. A function takes its
arguments as values, a member function's target first, and raises EvaluationError for arguments it
is not made for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.cel import (
    addresses,
    authorizers,
    images,
    lists,
    named_formats,
    optionals,
    pointers,
    quantities,
    semvers,
    sets,
    standard,
    strings,
    urls,
)
from kctl.api.cel.text import shown

Cost = Callable[[list[Any], Any], int]
MODULES = (
    standard,
    strings,
    optionals,
    lists,
    sets,
    urls,
    quantities,
    addresses,
    named_formats,
    semvers,
    authorizers,
    pointers,
    images,
)

FUNCTIONS: dict[str, Callable[..., Any]] = {}
COSTS: dict[str, Cost] = {}
DECLARATIONS = "\n".join(module.DECLARATIONS for module in MODULES)
for _module in MODULES:
    for _name, _function in _module.FUNCTIONS.items():
        if _name in FUNCTIONS:
            _earlier = FUNCTIONS[_name]

            def _either(*args: Any, _first: Any = _earlier, _second: Any = _function) -> Any:
                from kctl.api.cel.errors import EvaluationError

                try:
                    return _first(*args)
                except (EvaluationError, TypeError) as error:
                    if isinstance(error, EvaluationError) and str(error) != "no such overload":
                        raise
                    return _second(*args)

            FUNCTIONS[_name] = _either
        else:
            FUNCTIONS[_name] = _function
    COSTS.update(_module.COSTS)

__all__ = ["COSTS", "DECLARATIONS", "FUNCTIONS", "shown"]
