"""Files and functions stay small enough to be read in one go."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

KCTL = Path(__file__).resolve().parents[2] / "kctl"
MAX_FILE = 500
MAX_FUNCTION = 60
DATA = {"kinds.py", "gotypes.py"}
"""Tables: long because there is much to say."""


@cache
def modules() -> dict[Path, ast.Module]:
    """Return every module of kctl, parsed."""
    return {path.relative_to(KCTL): ast.parse(path.read_text("utf-8")) for path in sorted(KCTL.rglob("*.py"))}


def functions() -> Iterator[tuple[int, str]]:
    """Yield the length and place of every function."""
    for path, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                yield (node.end_lineno or 0) - node.lineno + 1, f"{path}:{node.lineno} {node.name}"


def test_no_file_is_too_long() -> None:
    sizes = {path.relative_to(KCTL): path.read_text(encoding="utf-8").count("\n") for path in KCTL.rglob("*.py")}
    assert {path: size for path, size in sizes.items() if size > MAX_FILE and path.name not in DATA} == {}


def test_no_function_is_too_long() -> None:
    longest = sorted(functions(), reverse=True)[:5]
    print("longest functions:", *longest, sep="\n  ")
    assert [place for size, place in longest if size > MAX_FUNCTION] == []


def test_every_public_function_says_what_it_does() -> None:
    silent = [
        f"{path}:{node.lineno} {node.name}"
        for path, module in modules().items()
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
