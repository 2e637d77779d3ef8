"""Paths into a schema, as rules in CEL and selectable fields write them: ``.spec['a.b'].c``.

As ValidFieldPath of apiextensions-apiserver pkg/apiserver/schema/cel.
"""

from __future__ import annotations

import re

from kctl.api.objects import Obj

TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|[.\[\]]|[^.\[\]]+")
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class BadPath(ValueError):
    """A path that leads nowhere; the text is upstream's."""


def resolve(path: str, schema: Obj, *, with_brackets: bool = True) -> tuple[str, Obj]:
    """Return the path as field errors write it and the schema it leads to; BadPath."""
    tokens = TOKEN.findall(path)
    written = ""
    n = 0
    while n < len(tokens):
        if tokens[n] == "[":
            if not with_brackets:
                raise BadPath("array notation is not allowed")
            name = _quoted(tokens, n + 1)
            if n + 2 >= len(tokens):
                raise BadPath("unexpected end of JSON path")
            if tokens[n + 2] != "]":
                raise BadPath(f"expected ] but got {tokens[n + 2]}")
            n += 3
        elif tokens[n] == ".":
            if n + 1 >= len(tokens):
                raise BadPath("unexpected end of JSON path")
            name = tokens[n + 1]
            n += 2
        else:
            raise BadPath(f"expected [ or . but got: {tokens[n]}")
        properties, additional = schema.get("properties"), schema.get("additionalProperties")
        if properties is not None:
            if name not in properties:
                raise BadPath("does not refer to a valid field")
            schema = properties[name]
            written += f".{name}"
        elif isinstance(additional, dict):
            schema = additional
            written += f"[{name}]"
        else:
            raise BadPath("does not refer to a valid field")
    return written.removeprefix("."), schema


def _quoted(tokens: list[str], n: int) -> str:
    if n >= len(tokens):
        raise BadPath("unexpected end of JSON path")
    token = tokens[n]
    if len(token) < len("''") or token[0] != "'" or token[-1] != "'":
        raise BadPath(f"expected single quoted string but got {token}")

    def unescape(found: re.Match[str]) -> str:
        if found[1] not in ESCAPES:
            raise BadPath(f"invalid string literal: invalid escape char {found[0]}")
        return ESCAPES[found[1]]

    return re.sub(r"\\(.)", unescape, token[1:-1])
