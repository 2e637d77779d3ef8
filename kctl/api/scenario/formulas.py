"""What a container uses, as arithmetic: ``50m + 2m * load / replicas``.

In: a text with quantities (``300Mi``), ``load`` (requests a second that reach the workload), ``replicas`` (its
ready pods), ``seconds`` (since the container started), ``min`` and ``max``. Out: a function to a number: CPUs,
or bytes. The word ``base`` may stand before the first summand. Nothing is ever evaluated as Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kctl.api import quantity

NAMES = ("load", "replicas", "seconds")
WORD = re.compile(r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)[A-Za-z]*)|(?P<name>[a-z]+)|(?P<op>[-+*/(),]))")
MAX_LENGTH = 500
MAX_DEPTH = 50

Values = Mapping[str, float]


class FormulaError(ValueError):
    """A text that is no formula."""


class Formula(NamedTuple):
    """A formula: its text, and what computes it."""

    text: str
    compute: Callable[[Values], float]
    names: frozenset[str]

    def value(self, values: Values) -> float:
        """Return what is used, never less than nothing; dividing by nothing gives nothing."""
        return max(0.0, self.compute(values))


def parse(text: str) -> Formula:
    """Return the formula; FormulaError with what is wrong."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"may not be longer than {MAX_LENGTH} characters")
    parser = _Parser(_words(text))
    compute = parser.sum(0)
    if parser.word:
        raise FormulaError(f'"{parser.word}" was not expected')
    return Formula(text, compute, frozenset(parser.names))


def _words(text: str) -> list[str]:
    words, at = [], 0
    text = text.rstrip()
    while at < len(text):
        found = WORD.match(text, at)
        if found is None:
            raise FormulaError(f'"{text[at:].strip()[:1]}" was not expected')
        words.append(found[found.lastgroup or 0])
        at = found.end()
    return words[1:] if words[:1] == ["base"] else words


class _Parser:
    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0
        self.names: set[str] = set()

    @property
    def word(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self) -> str:
        word = self.word
        self._at += 1
        return word

    def _want(self, word: str) -> None:
        if self._take() != word:
            raise FormulaError(f'"{word}" is missing')

    def sum(self, depth: int) -> Callable[[Values], float]:
        left = self._product(depth)
        while self.word in ("+", "-"):
            left = _joined(self._take(), left, self._product(depth))
        return left

    def _product(self, depth: int) -> Callable[[Values], float]:
        left = self._single(depth)
        while self.word in ("*", "/"):
            left = _joined(self._take(), left, self._single(depth))
        return left

    def _single(self, depth: int) -> Callable[[Values], float]:
        if depth > MAX_DEPTH:
            raise FormulaError("is nested too deeply")
        word = self._take()
        if word == "-":
            inner = self._single(depth + 1)
            return lambda values: -inner(values)
        if word == "(":
            whole = self.sum(depth + 1)
            self._want(")")
            return whole
        if word in ("min", "max"):
            return self._of_two(word, depth)
        if word in NAMES:
            self.names.add(word)
            return lambda values: values.get(word, 0.0)
        return _number(word)

    def _of_two(self, word: str, depth: int) -> Callable[[Values], float]:
        self._want("(")
        one = self.sum(depth + 1)
        self._want(",")
        other = self.sum(depth + 1)
        self._want(")")
        pick = min if word == "min" else max
        return lambda values: pick(one(values), other(values))


def _number(word: str) -> Callable[[Values], float]:
    if not word:
        raise FormulaError("a number or a name is missing at the end")
    if not word[0].isdigit() and word[0] != ".":
        raise FormulaError(f'"{word}" is not known; there are {", ".join(NAMES)}, min and max')
    try:
        number = float(quantity.parse(word))
    except ValueError:
        raise FormulaError(f'"{word}" is not a quantity') from None
    return lambda _: number


def _joined(op: str, one: Callable[[Values], float], other: Callable[[Values], float]) -> Callable[[Values], float]:
    if op == "+":
        return lambda values: one(values) + other(values)
    if op == "-":
        return lambda values: one(values) - other(values)
    if op == "*":
        return lambda values: one(values) * other(values)

    def divided(values: Values) -> float:
        by = other(values)
        return one(values) / by if by else 0.0

    return divided
