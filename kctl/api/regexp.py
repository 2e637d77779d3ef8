"""Regular expressions of Go (RE2): what they mean here, and never slower than the text is long.

In comes a pattern as CRDs and CEL write it; out comes a :class:`Regexp`. Patterns are translated to
Python's ``re``, which agrees on all that RE2 has. What RE2 does not have (look-around, references)
is refused, in Go's words. Python goes back and forth where RE2 does not, so a pattern with a
repetition inside a repetition is run on an automaton instead: it only says whether a text matches.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MAX_REPEAT = 1000
"""As regexp/syntax: more repetitions than this are an error."""
MAX_STATES = 20_000

CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7F",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1F\\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
PROPERTIES = {"L": "^\\W\\d_", "N": "0-9", "Nd": "0-9", "Lu": "A-Z", "Ll": "a-z", "P": "!-/:-@\\[-`{-~"}
"""Unicode classes, as far as they can be said in ``re``."""


class BadRegexp(ValueError):
    """A pattern that Go would not compile; the text is Go's."""

    def __init__(self, why: str, expression: str) -> None:
        super().__init__(f"error parsing regexp: {why}: `{expression}`")


class Regexp:
    """A compiled pattern."""

    __slots__ = ("_compiled", "_machine", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        text = translated(pattern)
        try:
            self._compiled = re.compile(text)
        except re.error as error:
            reason = _go_reason(str(error))
            raise BadRegexp(reason, _blamed(reason, pattern)) from None
        except (OverflowError, RecursionError):
            raise BadRegexp("expression nests too deeply", pattern) from None
        tree: Any = re._parser.parse(text)  # type: ignore[attr-defined]
        self._machine: Any = None
        if _is_risky(tree):
            from kctl.api.automaton import Machine, TooBig

            try:
                self._machine = Machine(tree)
            except TooBig:
                raise BadRegexp("expression too large", pattern) from None

    def matches(self, text: str) -> bool:
        """Say whether the pattern is found anywhere in the text."""
        if self._machine is not None:
            return bool(self._machine.found_in(text))
        return self._compiled.search(text) is not None

    def find(self, text: str) -> str | None:
        """Return the first match."""
        found = self._compiled.search(text)
        return None if found is None else found.group()

    def find_all(self, text: str, limit: int = -1) -> list[str]:
        """Return the matches from left to right, at most ``limit`` unless it is negative."""
        found: list[str] = []
        for match in self._compiled.finditer(text):
            if 0 <= limit <= len(found):
                break
            found.append(match.group())
        return found


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Regexp:
    """Return the compiled pattern; BadRegexp when Go would not have it."""
    return Regexp(pattern)


NESTED, RANGE = "invalid nested repetition operator", "invalid character class range"
NOTHING = "missing argument to repetition operator"
REPEAT = r"(?:[*+?]|\{\d+(?:,\d*)?\})"
BLAMED = {NESTED: rf"{REPEAT}\??{REPEAT}", RANGE: r"[^\[\]\\]-[^\[\]\\]", NOTHING: REPEAT}
REASONS = {
    "missing ), unterminated subpattern": "missing closing )",
    "unbalanced parenthesis": "unexpected )",
    "unterminated character set": "missing closing ]",
    "bad character range": RANGE,
    "nothing to repeat": NOTHING,
    "multiple repeat": NESTED,
    "min repeat greater than max repeat": "invalid repeat count",
    "bad escape": "invalid escape sequence",
}


def _go_reason(text: str) -> str:
    return next((go for python, go in REASONS.items() if text.startswith(python)), "invalid or unsupported Perl syntax")


def _blamed(reason: str, pattern: str) -> str:
    """Return the part of a pattern that Go's message shows, the whole where that is not known."""
    looked = BLAMED.get(reason)
    found = [part.group() for part in re.finditer(looked, pattern)] if looked else []
    if reason == RANGE:
        found = [part for part in found if part[0] > part[2]]
    return found[0] if found else pattern


def translated(pattern: str) -> str:
    """Return the pattern in the syntax of ``re``; BadRegexp for what RE2 does not know."""
    out: list[str] = []
    n, depth_of_class = 0, False
    while n < len(pattern):
        letter = pattern[n]
        if letter == "\\":
            text, n = _escape(pattern, n, inside=depth_of_class)
            out.append(text)
            continue
        if depth_of_class:
            if letter == "[" and pattern.startswith("[:", n):
                text, n = _posix(pattern, n)
                out.append(text)
                continue
            if letter == "]" and out[-1] not in ("[", "[^"):
                depth_of_class = False
            out.append("\\[" if letter == "[" else "\\]" if depth_of_class and letter == "]" else letter)
        elif letter == "[":
            depth_of_class = True
            negated = pattern.startswith("[^", n)
            out.append("[^" if negated else "[")
            n += negated
        elif letter == "(" and pattern.startswith("(?", n):
            text, n = _group(pattern, n)
            out.append(text)
            continue
        elif letter == "$":
            out.append("\\Z")
        else:
            if letter == "{":
                _check_repeat(pattern, n)
            out.append(letter)
        n += 1
    return "".join(out)


def _check_repeat(pattern: str, n: int) -> None:
    found = re.match(r"\{(\d+)(?:,(\d*))?\}", pattern[n:])
    if found and (max(int(found[1]), int(found[2] or 0)) > MAX_REPEAT or int(found[2] or found[1]) < int(found[1])):
        raise BadRegexp("invalid repeat count", found[0])


def _group(pattern: str, n: int) -> tuple[str, int]:
    """Read the start of a group that is not a plain one."""
    found = re.match(r"\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>", pattern[n:])
    if found:
        return f"(?P<{found[1]}>", n + found.end()
    found = re.match(r"\(\?([imsU]*)(?:-([imsU]+))?(:|\))", pattern[n:])
    if not found:
        raise BadRegexp("invalid or unsupported Perl syntax", pattern[n : n + 3])
    on, off, end = found[1].replace("U", ""), (found[2] or "").replace("U", ""), found[3]
    if end == ":":
        flags = on + (f"-{off}" if off else "")
        return f"(?{flags}:", n + found.end()
    if n == 0 and not off:
        return (f"(?{on})" if on else ""), n + found.end()
    return "", n + found.end()


ESCAPES = {"z": "\\Z", "A": "\\A", "Q": "", "C": "."}


def _escape(pattern: str, n: int, *, inside: bool) -> tuple[str, int]:
    """Read what a backslash begins."""
    if n + 1 >= len(pattern):
        raise BadRegexp("trailing backslash at end of expression", "")
    letter = pattern[n + 1]
    if letter in "pP":
        return _property(pattern, n, inside=inside)
    if letter == "x" and pattern.startswith("\\x{", n):
        end = pattern.find("}", n)
        digits = pattern[n + 3 : end] if end > 0 else ""
        if not re.fullmatch("[0-9A-Fa-f]{1,6}", digits):
            raise BadRegexp("invalid escape sequence", pattern[n : n + 3])
        return re.escape(chr(int(digits, 16))), end + 1
    if letter == "Q":
        end = pattern.find("\\E", n)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[n + 2 : end]), min(end + 2, len(pattern))
    if letter == "E":
        return "", n + 2
    if letter.isdigit() and letter != "0":
        raise BadRegexp("invalid escape sequence", pattern[n : n + 2])
    if letter.isascii() and letter.isalpha() and letter not in "abfnrtvdDsSwWxAzB":
        raise BadRegexp("invalid escape sequence", pattern[n : n + 2])
    if letter in "dDsSwW":
        return _perl(letter, inside=inside), n + 2
    if letter == "b" and inside:
        raise BadRegexp("invalid escape sequence", pattern[n : n + 2])
    return ESCAPES.get(letter, "\\" + letter), n + 2


PERL = {"d": "0-9", "s": "\\t\\n\\f\\r ", "w": "0-9A-Za-z_"}


def _perl(letter: str, *, inside: bool) -> str:
    """Return a Perl class; RE2's know ASCII only."""
    known = PERL[letter.lower()]
    if letter.islower():
        return known if inside else f"[{known}]"
    if not inside:
        return f"[^{known}]"
    return f"\\{letter}"


def _posix(pattern: str, n: int) -> tuple[str, int]:
    end = pattern.find(":]", n)
    name = pattern[n + 2 : end] if end > 0 else ""
    if name not in CLASSES:
        raise BadRegexp("invalid character class range", pattern[n : end + 2 if end > 0 else n + 2])
    return CLASSES[name], end + 2


def _property(pattern: str, n: int, *, inside: bool) -> tuple[str, int]:
    """Read a Unicode class; those that ``re`` cannot say are taken for letters and digits."""
    found = re.match(r"\\[pP](?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))", pattern[n:])
    if not found:
        raise BadRegexp("invalid character class range", pattern[n : n + 3])
    name = found[2] or found[3]
    negated = (pattern[n + 1] == "P") != bool(found[1])
    known = PROPERTIES.get(name)
    if known is None:
        raise BadRegexp("invalid character class range", found[0])
    if name == "L":
        return ("\\W\\d_" if negated else "A-Za-z\\u00aa-\\uffff") if inside else (
            "[\\W\\d_]" if negated else "[^\\W\\d_]"
        ), n + found.end()
    if inside:
        return known, n + found.end()
    return f"[^{known}]" if negated else f"[{known}]", n + found.end()


def _is_risky(tree: Any, *, repeated: bool = False) -> bool:
    """Say whether a repetition stands inside or next to one that may be long."""
    for operator, argument in tree:
        name = str(operator)
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, high, inner = argument
            is_long = high > 10
            if (is_long and repeated) or _is_risky(inner, repeated=repeated or is_long):
                return True
        elif name == "SUBPATTERN":
            if _is_risky(argument[3], repeated=repeated):
                return True
        elif name == "BRANCH" and (repeated or any(_is_risky(one) for one in argument[1])):
            return True
    return sum(_is_long(one) for one in tree) > 2


def _is_long(item: Any) -> bool:
    return str(item[0]) in ("MAX_REPEAT", "MIN_REPEAT") and item[1][1] > 100
