"""An automaton for patterns on which going back and forth could take for ever.

In: the tree Python's parser makes of a pattern. Out: whether the pattern is found in a text, in time
proportional to both lengths (Thompson's construction, all states at once, as RE2 does it). What
exactly was matched is not said here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MAX_STATES = 20_000
Test = Callable[[str], bool]


class TooBig(Exception):
    """A pattern with more states than are kept."""


class Machine:
    """States are numbers; ``_steps`` leads on by a character, ``_free`` without one."""

    def __init__(self, tree: Any) -> None:
        self._steps: list[tuple[Test, int] | None] = []
        self._free: list[list[int]] = []
        self._guards: dict[int, str] = {}
        self._ignore_case = bool(tree.state.flags & 2)
        self._dot_all = bool(tree.state.flags & 16)
        start = self._state()
        self._start = start
        self._end = self._sequence(tree, start)
        self._closures: dict[tuple[int, bool, bool], frozenset[int]] = {}

    def found_in(self, text: str) -> bool:
        """Say whether the pattern matches anywhere in the text."""
        current: set[int] = set()
        for n in range(len(text) + 1):
            first, last = n == 0, n == len(text)
            current = {s for state in (*current, self._start) for s in self._closure(state, first, last)}
            if self._end in current:
                return True
            if last:
                return False
            letter = text[n]
            steps = self._steps
            current = {step[1] for state in current if (step := steps[state]) is not None and step[0](letter)}
        return False

    def _closure(self, state: int, first: bool, last: bool) -> frozenset[int]:
        known = self._closures.get((state, first, last))
        if known is None:
            seen = {state}
            stack = [state]
            while stack:
                at = stack.pop()
                guard = self._guards.get(at)
                if (guard == "start" and not first) or (guard == "end" and not last):
                    continue
                for after in self._free[at]:
                    if after not in seen:
                        seen.add(after)
                        stack.append(after)
            known = self._closures[state, first, last] = frozenset(seen)
        return known

    def _state(self) -> int:
        if len(self._free) >= MAX_STATES:
            raise TooBig
        self._free.append([])
        self._steps.append(None)
        return len(self._free) - 1

    def _sequence(self, tree: Any, at: int) -> int:
        for operator, argument in tree:
            at = self._one(str(operator), argument, at)
        return at

    def _one(self, name: str, argument: Any, at: int) -> int:
        if name == "SUBPATTERN":
            return self._sequence(argument[3], at)
        if name == "BRANCH":
            end = self._state()
            for branch in argument[1]:
                start = self._state()
                self._free[at].append(start)
                self._free[self._sequence(branch, start)].append(end)
            return end
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            return self._repeat(argument, at)
        if name == "AT":
            after = self._state()
            where = str(argument)
            self._guards[at] = "start" if "BEGINNING" in where else "end" if "END" in where else ""
            self._free[at].append(after)
            held = self._state()  # a state of its own, so that the guard holds for this way only
            self._free[after].append(held)
            return held
        after = self._state()
        self._steps[at] = (self._test(name, argument), after)
        return after

    def _repeat(self, argument: Any, at: int) -> int:
        low, high, inner = argument
        for _ in range(low):
            start = self._state()
            self._free[at].append(start)
            at = self._sequence(inner, start)
        end = self._state()
        self._free[at].append(end)
        if high > MAX_STATES:
            start = self._state()
            self._free[at].append(start)
            back = self._sequence(inner, start)
            self._free[back] += [start, end]
            return end
        for _ in range(high - low):
            start = self._state()
            self._free[at].append(start)
            at = self._sequence(inner, start)
            self._free[at].append(end)
        return end

    def _test(self, name: str, argument: Any) -> Test:
        if name == "LITERAL":
            return self._cased(lambda letter: ord(letter) == argument)
        if name == "NOT_LITERAL":
            return lambda letter: ord(letter) != argument
        if name == "ANY":
            return (lambda _: True) if self._dot_all else (lambda letter: letter != "\n")
        if name == "IN":
            return self._cased(_in(argument))
        raise TooBig

    def _cased(self, test: Test) -> Test:
        if not self._ignore_case:
            return test
        return lambda letter: test(letter) or test(letter.swapcase()[:1])


def _in(items: Any) -> Test:
    negated = bool(items) and str(items[0][0]) == "NEGATE"
    singles: set[int] = set()
    ranges: list[tuple[int, int]] = []
    tests: list[Test] = []
    for operator, argument in items:
        name = str(operator)
        if name == "LITERAL":
            singles.add(argument)
        elif name == "RANGE":
            ranges.append(argument)
        elif name == "CATEGORY":
            tests.append(_category(str(argument)))

    def test(letter: str) -> bool:
        code = ord(letter)
        hit = code in singles or any(low <= code <= high for low, high in ranges) or any(t(letter) for t in tests)
        return hit != negated

    return test


def _category(name: str) -> Test:
    base: Test
    if "DIGIT" in name:
        base = str.isdigit
    elif "SPACE" in name:
        base = str.isspace
    else:
        base = _is_word
    return (lambda letter: not base(letter)) if "NOT" in name else base


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"
