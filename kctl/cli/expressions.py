"""``-o jsonpath=TEMPLATE`` and ``-o custom-columns=SPEC``: kubectl's output forms that take an expression.

In: the text behind ``=``. Out: a function from a document to text. Paths are those of
:mod:`kctl.cli.jsonpath`; templates from files and Go templates are not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kctl.api.errors import UsageError
from kctl.api.objects import Obj
from kctl.cli import jsonpath

JSONPATH, COLUMNS = "jsonpath=", "custom-columns="
PREFIXES = (JSONPATH, COLUMNS)
LEAST_WIDTH = 3  # a tabwriter's cell is six wide, three of them padding
LITERAL = re.compile(r"""^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')$""", re.DOTALL)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
Part = Callable[[Any], str]


def template(text: str) -> Part:
    """Return what writes a document through a JSONPath template; UsageError when it cannot be read."""
    if not text:
        raise UsageError("template format specified but no template given")
    text = text if "{" in text else f"{{{text}}}"
    tokens = list(_tokens(text))
    parts, rest = _parts(tokens, text)
    if rest:
        raise UsageError(f"error parsing jsonpath {text}: not in range, nothing to end")
    return _joined(parts)


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """Yield what stands in braces (True) and outside of them; braces in quotes are text."""
    at = 0
    while at < len(text):
        start = text.find("{", at)
        if start < 0:
            start = len(text)
        if start > at:
            yield False, text[at:start]
        if start == len(text):
            return
        end = _end_of_action(text, start)
        yield True, text[start + 1 : end].strip()
        at = end + 1


def _end_of_action(text: str, start: int) -> int:
    quote, n = "", start + 1
    while n < len(text):
        letter = text[n]
        if quote and letter == "\\":
            n += 1
        elif quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "}":
            return n
        n += 1
    raise UsageError(f"error parsing jsonpath {text}: unclosed action")


def _parts(tokens: list[tuple[bool, str]], whole: str) -> tuple[list[Part], bool]:
    """Read tokens to the end of the template, or of the range that they are in; say if an ``end`` closed it."""
    parts: list[Part] = []
    while tokens:
        is_action, text = tokens.pop(0)
        if not is_action:
            parts.append(_literal(text))
        elif text == "end":
            return parts, True
        elif re.match(r"range\s", text):
            below, is_closed = _parts(tokens, whole)
            if not is_closed:
                raise UsageError(f"error parsing jsonpath {whole}: unclosed range")
            parts.append(_range(jsonpath.compile_path(text[5:].strip()), below))
        else:
            quoted = LITERAL.match(text)
            parts.append(_literal(_unquoted(quoted)) if quoted else _values(text))
    return parts, False


def _unquoted(found: re.Match[str]) -> str:
    raw = found[1] if found[1] is not None else found[2]
    return re.sub(r"\\(.)", lambda escape: ESCAPES.get(escape[1], escape[1]), raw, flags=re.DOTALL)


def _literal(text: str) -> Part:
    return lambda _: text


def _values(path: str) -> Part:
    find = jsonpath.compile_path(path)
    return lambda value: " ".join(jsonpath.text(found) for found in find(value))


def _range(find: Callable[[Any], list[Any]], parts: Sequence[Part]) -> Part:
    each = _joined(parts)
    return lambda value: "".join(each(found) for found in find(value))


def _joined(parts: Sequence[Part]) -> Part:
    return lambda value: "".join(part(value) for part in parts)


def columns(spec: str) -> Callable[[Sequence[Obj], bool], str]:
    """Return what writes objects as a table of one's own; UsageError when the spec cannot be read."""
    if not spec:
        raise UsageError("custom-columns format specified but no custom columns given")
    heads, finds = [], []
    for part in spec.split(","):
        head, colon, path = part.partition(":")
        if not colon:
            raise UsageError(f"unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
        heads.append(head)
        finds.append(jsonpath.compile_path(path))

    def write(items: Sequence[Obj], show_headers: bool) -> str:
        rows = [heads] if show_headers else []
        rows += [[_cell(find(item)) for find in finds] for item in items]
        widths = [max(LEAST_WIDTH, *(len(row[n]) for row in rows)) if rows else 0 for n in range(len(heads))]
        lines = ("   ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in rows)
        return "".join(f"{line}\n" for line in lines)

    return write


def _cell(found: Sequence[Any]) -> str:
    """Write the values of a cell as kubectl's custom columns: Go's way, ``<none>`` for none."""
    return ",".join(map(_go, found)) or "<none>"


def _go(value: Any) -> str:
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_go(v)}" for k, v in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
