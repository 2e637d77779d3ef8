"""The language of ``expect:``, read into a tree: ``min(available(deploy/web)) >= 8 and converged within 10m``.

In: a text. Out: a tree of the values below, its types checked; :mod:`kctl.api.scenario.judging` computes them.

    values      12  0.5  "text"  30s     objects  deploy/web  shop/deploy/web (the namespace first)
    now         available ready replicas updated pods pending running succeeded failed restarts nodes zones
                condition reason phase exists node warnings field        (POINTS below)
    the end     converged settled oscillating horizon seconds blocked    (ENDS below)
    over time   min max ever always finally at within                    (TEMPORAL below)
    together    = == != < <= > >=   + - *   and or not   ( )

What stands outside of anything over time is asked at the end. ``at(30s, X)`` is X at that instant, ``X within 5m``
that X has held at some instant until then; ``min(X, 1m, 5m)`` looks from one instant to another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from kctl.api.scenario.fields import seconds_of
from kctl.api.scenario.happenings import target_of
from kctl.api.scenario.model import Target

Type = Literal["number", "truth", "text", "any"]
Value = float | bool | str


class Signature(NamedTuple):
    """What a function takes: ``o`` an object, ``O`` one or none, ``w`` a word, ``W`` one or none; and gives."""

    takes: str
    gives: Type


POINTS: dict[str, Signature] = {
    "available": Signature("o", "number"),
    "ready": Signature("o", "number"),
    "replicas": Signature("o", "number"),
    "updated": Signature("o", "number"),
    "pods": Signature("OW", "number"),
    "pending": Signature("O", "number"),
    "running": Signature("O", "number"),
    "succeeded": Signature("O", "number"),
    "failed": Signature("O", "number"),
    "restarts": Signature("O", "number"),
    "nodes": Signature("o", "number"),
    "zones": Signature("o", "number"),
    "condition": Signature("ow", "text"),
    "reason": Signature("ow", "text"),
    "phase": Signature("o", "text"),
    "exists": Signature("o", "truth"),
    "node": Signature("o", "text"),
    "warnings": Signature("WO", "number"),
    "field": Signature("ow", "any"),
}
ENDS: dict[str, Type] = {
    "converged": "truth",
    "settled": "truth",
    "oscillating": "truth",
    "horizon": "truth",
    "seconds": "number",
    "blocked": "number",
}
TEMPORAL: dict[str, Type] = {"min": "number", "max": "number", "ever": "truth", "always": "truth", "finally": "any"}
RELATIONS = ("==", "!=", "<=", ">=", "<", ">", "=")
MAX_LENGTH = 2000
MAX_DEPTH = 50
TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"[^"\n]*"|'[^'\n]*')
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[a-zµ]+(?:[\d.]+[a-zµ]+)*)?(?![\w/]))
    |(?P<word>[A-Za-z0-9][\w.*-]*(?:/[\w.*:-]+){0,2})
    |(?P<op>==|!=|<=|>=|&&|\|\||[<>=!(),+*-])
    )""",
    re.VERBOSE,
)


class ExpectationError(ValueError):
    """A text that is no expectation."""


class Const(NamedTuple):
    """A value that was written."""

    value: Value


class Point(NamedTuple):
    """A function of how things are at an instant, or of how it ended."""

    name: str
    target: Target | None
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return it as it is written."""
        args = [*([self.target.text] if self.target else []), *self.words]
        return f"{self.name}({', '.join(args)})" if args or self.name in POINTS else self.name


class Temporal(NamedTuple):
    """A function of how something went: from ``first`` to ``last`` (None: the end); ``number`` tells them apart."""

    name: str
    inner: Node
    first: float
    last: float | None
    number: int


class Compare(NamedTuple):
    """Two values side by side."""

    op: str
    left: Node
    right: Node


class Logic(NamedTuple):
    """``and``, ``or``, ``not`` of one or two."""

    op: str
    parts: tuple[Node, ...]


class Arith(NamedTuple):
    """A sum, a difference or a product."""

    op: str
    left: Node
    right: Node


Node = Const | Point | Temporal | Compare | Logic | Arith


def parse(text: str) -> Node:
    """Return the tree; ExpectationError with what is wrong with the text."""
    if len(text) > MAX_LENGTH:
        raise ExpectationError(f"may not be longer than {MAX_LENGTH} characters")
    parser = _Parser(_tokens(text))
    node = parser.either(0)
    if parser.word:
        raise ExpectationError(f"{parser.word!r} was not expected")
    if parser.type_of(node) == "text" and not _is_condition(node):
        raise ExpectationError("is a text: compare it with one")
    return node


def points(node: Node) -> Iterator[Point]:
    """Yield every function of an instant in the tree."""
    match node:
        case Point():
            yield node
        case Temporal():
            yield from points(node.inner)
        case Compare() | Arith():
            yield from points(node.left)
            yield from points(node.right)
        case Logic():
            for part in node.parts:
                yield from points(part)


def temporals(node: Node) -> Iterator[Temporal]:
    """Yield everything over time in the tree; none stands within another."""
    match node:
        case Temporal():
            yield node
        case Compare() | Arith():
            yield from temporals(node.left)
            yield from temporals(node.right)
        case Logic():
            for part in node.parts:
                yield from temporals(part)


def _is_condition(node: Node) -> bool:
    return isinstance(node, Point) and node.name == "condition"


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        token = TOKEN.match(text, at)
        if token is None or token.lastgroup is None:
            raise ExpectationError(f"{text[at:].strip()[:1]!r} was not expected")
        found.append((token.lastgroup, token[token.lastgroup]))
        at = token.end()
    if not found:
        raise ExpectationError("is empty")
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = [*tokens, ("end", "")]
        self._at = 0
        self._depth = 0
        self._in_time = False
        self._count = 0

    @property
    def word(self) -> str:
        return self._tokens[self._at][1]

    def _take(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at += token[0] != "end"
        return token

    def _accept(self, *words: str) -> str:
        kind, word = self._tokens[self._at]
        if word in words and kind in ("op", "word"):
            self._at += 1
            return word
        return ""

    def _want(self, word: str) -> None:
        if not self._accept(word):
            found = self.word
            raise ExpectationError(f"{word!r} is missing" + (f" before {found!r}" if found else ""))

    def either(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ExpectationError("is nested too deeply")
        left = self._both(depth)
        while self._accept("or", "||"):
            left = Logic("or", (self._truth(left), self._truth(self._both(depth))))
        return left

    def _both(self, depth: int) -> Node:
        left = self._not(depth)
        while self._accept("and", "&&"):
            left = Logic("and", (self._truth(left), self._truth(self._not(depth))))
        return left

    def _not(self, depth: int) -> Node:
        if self._accept("not", "!"):
            if depth > MAX_DEPTH:
                raise ExpectationError("is nested too deeply")
            return Logic("not", (self._truth(self._not(depth + 1)),))
        return self._within(self._relation(depth))

    def _within(self, node: Node) -> Node:
        if not self._accept("within"):
            return node
        if self._in_time or any(temporals(node)):
            raise ExpectationError("'within' cannot stand with another function over time")
        seconds = self._duration()
        if isinstance(node, Point) and node.name == "converged":
            return Logic("and", (node, Compare("<=", Point("seconds", None, ()), Const(seconds))))
        self._no_ends(node, "within")
        return self._numbered("within", self._truth(node), 0.0, seconds)

    def _relation(self, depth: int) -> Node:
        left = self._sum(depth)
        op = self._accept(*RELATIONS)
        if not op:
            return left
        right = self._sum(depth)
        types = {self.type_of(left), self.type_of(right)} - {"any"}
        if len(types) > 1:
            raise ExpectationError(f"cannot compare a {self.type_of(left)} with a {self.type_of(right)}")
        op = "==" if op == "=" else op
        if types & {"text", "truth"} and op not in ("==", "!="):
            raise ExpectationError(f"{op} is for numbers")
        return Compare(op, left, right)

    def _sum(self, depth: int) -> Node:
        left = self._product(depth)
        while op := self._accept("+", "-"):
            left = Arith(op, self._number(left), self._number(self._product(depth)))
        return left

    def _product(self, depth: int) -> Node:
        left = self._single(depth)
        while self._accept("*"):
            left = Arith("*", self._number(left), self._number(self._single(depth)))
        return left

    def _single(self, depth: int) -> Node:
        kind, word = self._take()
        if kind == "text":
            return Const(word[1:-1])
        if kind == "number":
            return Const(_number(word))
        if word == "(":
            inner = self.either(depth + 1)
            self._want(")")
            return inner
        if word == "-":
            return Arith("-", Const(0.0), self._number(self._single(depth + 1)))
        if kind != "word":
            raise ExpectationError(f"{word!r} was not expected" if word else "something is missing at the end")
        return self._named(word, depth)

    def _named(self, word: str, depth: int) -> Node:
        if word in ("true", "false"):
            return Const(word == "true")
        if word in TEMPORAL or word == "at":
            return self._over_time(word, depth)
        if word in ENDS and self._in_time:
            raise ExpectationError(f"{word} is known at the end only, not at every instant")
        if word in ENDS and word != "blocked":
            if self._accept("("):
                self._want(")")
            return Point(word, None, ())
        if word == "blocked":
            return self._point(word, Signature("W", "number"))
        if word in POINTS:
            return self._point(word, POINTS[word])
        known = ", ".join(sorted({*POINTS, *ENDS, *TEMPORAL, "at"}))
        raise ExpectationError(f"{word!r} is not known; there are {known}")

    def _over_time(self, word: str, depth: int) -> Node:
        if self._in_time:
            raise ExpectationError(f"{word!r} cannot stand within another function over time")
        self._want("(")
        first, last = 0.0, None
        if word == "at":
            first = self._duration()
            self._want(",")
        self._in_time = True
        inner = self.either(depth + 1)
        self._in_time = False
        if word != "at" and word != "finally" and self._accept(","):
            first = self._duration()
            if self._accept(","):
                last = self._duration()
                if last < first:
                    raise ExpectationError(f"{word}: the second instant is before the first")
        self._want(")")
        if word in ("min", "max"):
            inner = self._number(inner)
        elif word in ("ever", "always"):
            inner = self._truth(inner)
        return self._numbered(word, inner, first, last)

    def _numbered(self, name: str, inner: Node, first: float, last: float | None) -> Temporal:
        self._count += 1
        return Temporal(name, inner, first, last, self._count)

    def _no_ends(self, node: Node, what: str) -> None:
        for point in points(node):
            if point.name in ENDS:
                raise ExpectationError(f"{point.name} is known at the end only: it cannot stand before {what!r}")

    def _point(self, name: str, signature: Signature) -> Point:
        target: Target | None = None
        words: list[str] = []
        if self._accept("("):
            given = self._arguments()
            for kind in signature.takes:
                is_object = bool(given) and given[0][0] == "word" and "/" in given[0][1]
                if kind in "oO" and is_object:
                    target = target_of(given.pop(0)[1])
                elif kind in "wW" and given and not is_object:
                    words.append(given.pop(0)[1].strip("\"'"))
                elif kind.islower():
                    what = "an object, as deploy/web" if kind == "o" else "a word"
                    raise ExpectationError(f"{name} wants {what}")
            if given:
                raise ExpectationError(f"{name}: {given[0][1]!r} was not expected")
        elif signature.takes != signature.takes.upper():
            raise ExpectationError(f"{name} wants an object, as {name}(deploy/web)")
        return Point(name, target, tuple(words))

    def _arguments(self) -> list[tuple[str, str]]:
        found = []
        while not self._accept(")"):
            kind, word = self._take()
            if kind not in ("word", "text"):
                raise ExpectationError(f"{word!r} was not expected" if word else "')' is missing")
            found.append((kind, word))
            if not self._accept(","):
                self._want(")")
                break
        return found

    def _duration(self) -> float:
        kind, word = self._take()
        if kind != "number":
            raise ExpectationError(f"{word!r} is not a duration")
        try:
            return seconds_of(word if not word.replace(".", "").isdecimal() else float(word))
        except ValueError as error:
            raise ExpectationError(str(error)) from None

    # types

    def type_of(self, node: Node) -> Type:
        match node:
            case Const(value):
                return "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
            case Point():
                return POINTS[node.name].gives if node.name in POINTS else ENDS[node.name]
            case Temporal():
                if node.name in ("at", "finally"):
                    return self.type_of(node.inner)
                return TEMPORAL.get(node.name, "truth")
            case Arith():
                return "number"
            case _:
                return "truth"

    def _number(self, node: Node) -> Node:
        if self.type_of(node) not in ("number", "any"):
            raise ExpectationError("a number is wanted")
        return node

    def _truth(self, node: Node) -> Node:
        if self.type_of(node) == "text" and not _is_condition(node):
            raise ExpectationError("a text is neither true nor false: compare it with one")
        return node


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        pass
    try:
        return seconds_of(word)
    except ValueError as error:
        raise ExpectationError(str(error)) from None
