"""What is wrong with an expression: when it is compiled, and when it is run.

CelError
├── CompileError       the text is no expression, or its types do not fit; has issues
├── EvaluationError    the value cannot be computed (no such key, division by zero)
└── CostExceeded       computing it takes more than it may
"""

from __future__ import annotations

from typing import NamedTuple


class Issue(NamedTuple):
    """One thing wrong with a text, at an offset in it."""

    offset: int
    message: str


class CelError(Exception):
    """Anything wrong with an expression."""


class CompileError(CelError):
    """A text that is no valid expression; its text is what cel-go prints."""

    def __init__(self, source: str, issues: list[Issue]) -> None:
        self.issues = issues
        super().__init__("\n".join(_shown(source, issue) for issue in issues))


class EvaluationError(CelError):
    """A value that cannot be computed."""


class CostExceeded(CelError):
    """An expression that took more than it may."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


def _shown(source: str, issue: Issue) -> str:
    """Return an issue as common.Error.ToDisplayString writes it, with the line and a caret."""
    before = source[: issue.offset]
    line = before.count("\n") + 1
    column = issue.offset - (before.rfind("\n") + 1)
    text = source.split("\n")[line - 1] if source else ""
    head = f"ERROR: <input>:{line}:{column + 1 if source else 0}: {issue.message}"
    if not source:
        return head
    text = text.replace("\t", " ")
    marks = "".join(WIDE_DOT if ord(letter) > WIDE else "." for letter in text[:column])
    caret = WIDE_CARET if column < len(text) and ord(text[column]) > WIDE else "^"
    return f"{head}\n | {text}\n | {marks}{caret}"


WIDE_DOT, WIDE_CARET = "\uff0e", "\uff3e"
WIDE = 0x10FF
"""Characters behind this one are taken for double width, as cel-go does by their bytes."""
