"""Keys in the paths of JSON patches: ``jsonpatch.escapeKey``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kctl.api.cel.standard import tenth
from kctl.api.cel.values import cost_size, no_overload

DECLARATIONS = "jsonpatch.escapeKey: (string) string\n"


def _escaped(key: Any) -> str:
    if not isinstance(key, str):
        raise no_overload()
    return key.replace("~", "~0").replace("/", "~1")


FUNCTIONS: dict[str, Callable[..., Any]] = {"jsonpatch.escapeKey": _escaped}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "jsonpatch.escapeKey": lambda args, _: tenth(cost_size(args[0])),
}
