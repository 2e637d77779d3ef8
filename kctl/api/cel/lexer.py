"""From the text of an expression to tokens.

In: a text. Out: tokens with their offsets, and what is no token, as an issue. As the lexer rules of
cel-go's grammar (parser/gen/CEL.g4).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kctl.api.cel.errors import Issue

TOKEN = re.compile(
    r"""
    (?P<space>[ \t\n\r\f]+|//[^\n]*)
  | (?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)
  | (?P<uint>0[xX][0-9a-fA-F]+[uU]|\d+[uU])
  | (?P<int>0[xX][0-9a-fA-F]+|\d+)
  | (?P<bytes>[bB][rR]?(?:\"{3}.*?\"{3}|'{3}.*?'{3})|[bB][rR](?:"[^"\n\r]*"|'[^'\n\r]*')
      |[bB](?:"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))
  | (?P<string>[rR](?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')
      |\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*')
  | (?P<ident>[a-zA-Z_][a-zA-Z0-9_]*)
  | (?P<escaped>`[a-zA-Z0-9_.\-/ ]+`)
  | (?P<op>==|!=|<=|>=|&&|\|\||[\[\]{}().,:?\-!*/%+<>])
    """,
    re.VERBOSE | re.DOTALL,
)
KEYWORDS = frozenset({"true", "false", "null", "in"})
RESERVED = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)
"""Words that may not be names of variables."""
MAX_SIZE = 100_000
"""Code points an expression may have, as cel-go's default."""


class Token(NamedTuple):
    """A word of an expression: its kind, its text, where it begins."""

    kind: str
    text: str
    offset: int


def tokens(source: str) -> tuple[list[Token], list[Issue]]:
    """Return the tokens of a text, an ``end`` behind them, and what could not be read."""
    found: list[Token] = []
    issues: list[Issue] = []
    n = 0
    while n < len(source):
        match = TOKEN.match(source, n)
        if match is None:
            issues.append(Issue(n, f"Syntax error: token recognition error at: '{_unread(source, n)}'"))
            n += max(1, len(_unread(source, n)))
            continue
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match.group(), n))
        n = match.end()
    found.append(Token("end", "<EOF>", len(source)))
    return found, issues


def _unread(source: str, n: int) -> str:
    """Return what ANTLR would say it cannot read: a letter, or the rest of an open text."""
    if source[n] in "\"'":
        end = source.find("\n", n)
        return source[n : end if end > 0 else len(source)]
    return source[n : n + 2] if source[n] in "&|=" and n + 1 < len(source) else source[n]
