"""Whether expectations hold: what they ask is noted at every instant, and judged at the end.

In: a :class:`World` to ask (how things are now), the instants, how the run ended. Out: a :class:`Judgement` each.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from kctl.api.scenario.expectations import Arith, Compare, Const, Logic, Node, Point, Temporal, Value, temporals


class World(Protocol):
    """How things are now."""

    def value(self, point: Point) -> Value:
        """Return what a function of the instant is; of the end, once that has come."""
        ...


class Judgement(NamedTuple):
    """Whether an expectation holds, and what was found instead."""

    text: str
    holds: bool
    found: str


class Series:
    """A value over time: from each instant on what it was, until the next."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.values: list[Value] = []

    def add(self, at: float, value: Value) -> None:
        """Note what the value is from ``at`` on."""
        if self.times and self.times[-1] == at:
            self.values[-1] = value
        elif not self.values or self.values[-1] != value:
            self.times.append(at)
            self.values.append(value)

    def between(self, first: float, last: float | None) -> list[tuple[float, Value]]:
        """Return the values from ``first`` to ``last``: the one in force at ``first``, then each new one."""
        begin = max(bisect_right(self.times, first) - 1, 0)
        end = len(self.times) if last is None else max(bisect_right(self.times, last), begin + 1)
        return [
            (max(at, first), value) for at, value in zip(self.times[begin:end], self.values[begin:end], strict=True)
        ]


class Judge:
    """Follows one expectation through a run."""

    def __init__(self, text: str, node: Node) -> None:
        self.text = text
        self.node = node
        self._series = {found.number: Series() for found in temporals(node)}
        self._temporals = list(temporals(node))
        self._start = 0.0

    def observe(self, world: World, at: float) -> None:
        """Note how things are at the end of an instant."""
        for found in self._temporals:
            self._series[found.number].add(at, self._value(found.inner, world))

    def judge(self, world: World, start: float) -> Judgement:
        """Say whether it holds at the end; the scenario's clock started at ``start``."""
        self._start = start
        value = self._value(self.node, world)
        holds = _is_true(value)
        found: list[str] = []
        self._tell(self.node, world, found)
        return Judgement(self.text, holds, ", ".join(dict.fromkeys(found)))

    def _value(self, node: Node, world: World) -> Value:
        match node:
            case Const():
                return node.value
            case Point():
                return world.value(node)
            case Temporal():
                return self._over_time(node)[1]
            case Compare():
                return _compared(node.op, self._value(node.left, world), self._value(node.right, world))
            case Arith():
                left, right = _number(self._value(node.left, world)), _number(self._value(node.right, world))
                return left + right if node.op == "+" else left - right if node.op == "-" else left * right
            case Logic(op, parts):
                if op == "not":
                    return not _is_true(self._value(parts[0], world))
                truths = (_is_true(self._value(part, world)) for part in parts)
                return all(truths) if op == "and" else any(truths)

    def _over_time(self, node: Temporal) -> tuple[float | None, Value]:
        """Return what a function over time gives, and the instant that decided it."""
        start = self._start
        last = None if node.last is None else start + node.last
        found = self._series[node.number].between(start + node.first, last)
        if not found:
            return None, False if node.name in ("ever", "always", "within") else 0.0
        match node.name:
            case "min":
                at, value = min(found, key=lambda sample: _number(sample[1]))
                return at - start, value
            case "max":
                at, value = max(found, key=lambda sample: _number(sample[1]))
                return at - start, value
            case "ever" | "within":
                return next(((at - start, True) for at, value in found if _is_true(value)), (None, False))
            case "always":
                return next(((at - start, False) for at, value in found if not _is_true(value)), (None, True))
            case "at":
                return None, found[0][1]
            case _:
                return None, found[-1][1]

    def _tell(self, node: Node, world: World, found: list[str]) -> None:
        """Collect what the parts of the expectation were."""
        match node:
            case Point():
                found.append(f"{node.text} was {_shown(world.value(node))}")
            case Temporal():
                at, value = self._over_time(node)
                when = "" if at is None else f" at +{at:g}s"
                text = written(node)
                if node.name == "always" and not value:
                    found.append(f"{written(node.inner)} did not hold{when}")
                elif node.name in ("ever", "within") and not value:
                    found.append(f"{written(node.inner)} never held{' in that time' if node.name == 'within' else ''}")
                elif node.name in ("ever", "within", "always"):
                    found.append(f"{text} held{when}")
                else:
                    found.append(f"{text} was {_shown(value)}{when}")
            case Compare() | Arith():
                self._tell(node.left, world, found)
                self._tell(node.right, world, found)
            case Logic():
                for part in node.parts:
                    self._tell(part, world, found)


def written(node: Node) -> str:
    """Return a part of an expectation as it may be written."""
    match node:
        case Const():
            return _shown(node.value)
        case Point():
            return node.text
        case Temporal():
            inner = written(node.inner)
            if node.name == "at":
                return f"at({node.first:g}s, {inner})"
            if node.name == "within":
                return f"{inner} within {node.last:g}s"
            window = "" if not node.first and node.last is None else f", {node.first:g}s"
            window += "" if node.last is None else f", {node.last:g}s"
            return f"{node.name}({inner}{window})"
        case Compare() | Arith():
            return f"{written(node.left)} {node.op} {written(node.right)}"
        case Logic(op, parts):
            return f"not {written(parts[0])}" if op == "not" else f" {op} ".join(map(written, parts))


def judged(judges: Sequence[Judge], world: World, start: float) -> list[Judgement]:
    """Return what became of each expectation, in their order."""
    return [judge.judge(world, start) for judge in judges]


def _compared(op: str, left: Value, right: Value) -> bool:
    if op in ("==", "!="):
        return (left == right) == (op == "==")
    if isinstance(left, str) or isinstance(right, str):
        return False
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]


def _is_true(value: Value) -> bool:
    """Return whether a value counts as true: a condition that is, a number that is not 0."""
    return value == "True" if isinstance(value, str) else bool(value)


def _number(value: Value) -> float:
    return 0.0 if isinstance(value, str) else float(value)


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    return str(int(value)) if value == int(value) else f"{value:.6f}".rstrip("0")
