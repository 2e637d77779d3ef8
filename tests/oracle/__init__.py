"""Comparison with recorded answers of a real control plane: ``python -m tests.oracle``.

A module of this package offers ``SETS``: the name of a set and a function from the folder of the
recordings to the results of its cases, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    """How one case went; ``why`` says what differed first."""

    id: str
    passed: bool
    why: str


Set = Callable[[Path], Iterable[Result]]
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "oracle"
"""Where the recordings are unless told otherwise: beside the checkout."""
