"""Kubernetes' library of semantic versions."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import total_ordering
from typing import Any

from kctl.api.cel.errors import EvaluationError
from kctl.api.cel.standard import tenth
from kctl.api.cel.values import Opaque, cost_size, no_overload

DECLARATIONS = """
semver: (string) kubernetes.Semver; (string, bool) kubernetes.Semver
isSemver: (string) bool; (string, bool) bool
major: kubernetes.Semver.() int
minor: kubernetes.Semver.() int
patch: kubernetes.Semver.() int
isGreaterThan: kubernetes.Semver.(kubernetes.Semver) bool
isLessThan: kubernetes.Semver.(kubernetes.Semver) bool
compareTo: kubernetes.Semver.(kubernetes.Semver) int
"""
FORM = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?"
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?",
    re.ASCII,
)


@total_ordering
class Semver(Opaque):
    """A version: three numbers and what it comes before."""

    __slots__ = ("numbers", "pre")
    type_name = "kubernetes.Semver"

    def __init__(self, numbers: tuple[int, int, int], pre: tuple[tuple[int, int, str], ...]) -> None:
        self.numbers = numbers
        self.pre = pre

    def _key(self) -> Any:
        return self.numbers, not self.pre, self.pre

    def equals(self, other: Any) -> bool:
        """Say whether two versions rank the same."""
        return isinstance(other, Semver) and other._key() == self._key()

    def __eq__(self, other: object) -> bool:
        return self.equals(other)

    def __lt__(self, other: Semver) -> bool:
        return bool(self._key() < other._key())

    __hash__ = None  # type: ignore[assignment]


def parse(value: Any, normalize: Any = False) -> Semver:
    """Read a version; ``normalize`` allows a leading v, leading zeros and missing numbers."""
    if type(value) is not str or type(normalize) is not bool:
        raise no_overload()
    text = _normalized(value) if normalize else value
    found = FORM.fullmatch(text)
    if not found:
        raise EvaluationError(
            "No Major.Minor.Patch elements found"
            if text.count(".") < 2
            else f'Invalid character(s) found in version "{value}"'
        )
    pre = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in (found[4] or "").split(".") if p)
    return Semver((int(found[1]), int(found[2]), int(found[3])), pre)


def _normalized(text: str) -> str:
    text = text.strip().removeprefix("v")
    core, sep, rest = re.match(r"([^-+]*)([-+]?)(.*)", text).groups()  # type: ignore[union-attr]
    parts = [str(int(p)) if p.isdigit() else p for p in core.split(".")]
    return ".".join([*parts, *["0"] * (3 - len(parts))]) + sep + rest


def is_semver(value: Any, normalize: Any = False) -> bool:
    """Say whether a text is a version."""
    try:
        parse(value, normalize)
    except EvaluationError as error:
        if str(error) == "no such overload":
            raise
        return False
    return True


def _version(value: Any) -> Semver:
    if not isinstance(value, Semver):
        raise no_overload()
    return value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "semver": parse,
    "isSemver": is_semver,
    "major": lambda value: _version(value).numbers[0],
    "minor": lambda value: _version(value).numbers[1],
    "patch": lambda value: _version(value).numbers[2],
    "isGreaterThan": lambda value, other: _version(other) < _version(value),
    "isLessThan": lambda value, other: _version(value) < _version(other),
    "compareTo": lambda value, other: (_version(other) < _version(value)) - (_version(value) < _version(other)),
}
COSTS: dict[str, Callable[[list[Any], Any], int]] = {
    "semver": lambda args, _: tenth(cost_size(args[0])),
    "isSemver": lambda args, _: tenth(cost_size(args[0])),
}
