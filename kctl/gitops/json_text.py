"""JSON text: objects one after another, as kubectl takes them from a stream.

Numbers become what they are in YAML (``1.0`` is 1). Whatever is not plain JSON is left to the
YAML reader, which names the place of what is wrong.
"""

from __future__ import annotations

import json
from typing import Any

from kctl.gitops import scalars
from kctl.gitops.documents import MAX_DEPTH, Document, is_too_large, positions_of
from kctl.gitops.positions import Place

SPACE = " \t\r\n"


def read(data: bytes) -> list[Document] | None:
    """Return the objects of a text; None when it is not plain JSON or breaks a limit."""
    text = data.decode()
    values = _values(text)
    if values is None:
        return None
    documents: list[Document] = []
    line, counted = 1, 0
    for index, (value, at, _) in enumerate(values):
        line, counted = line + text.count("\n", counted, at), at
        start = Place(line, at - text.rfind("\n", 0, at))
        documents.append(Document(*start, value, positions_of(start, index, lambda: data)))
    return documents


def slices(data: bytes) -> list[bytes] | None:
    """Return each object's text alone, in its line and column; None when it is not plain JSON."""
    text = data.decode()
    values = _values(text)
    if values is None:
        return None
    parts = []
    for _, at, end in values:
        column = at - text.rfind("\n", 0, at) - 1
        parts.append(("\n" * text.count("\n", 0, at) + " " * column + text[at:end]).encode())
    return parts


def _values(text: str) -> list[tuple[dict[str, Any], int, int]] | None:
    """Return each object with where it begins and ends."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_refuse_constant
    )
    found: list[tuple[dict[str, Any], int, int]] = []
    has_surrogates = "\\ud" in text or "\\uD" in text
    at = _skip_space(text, 0)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict) or _is_deeper(value, MAX_DEPTH) or is_too_large(value, end - at):
            return None
        found.append((_without_halves(value) if has_surrogates else value, at, end))
        at = _skip_space(text, end)
    return found


def _without_halves(value: Any) -> Any:
    """Return the value with halves of surrogate pairs replaced, as Go's decoder does."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _has_half(value) else value
    if isinstance(value, dict):
        return {_without_halves(key): _without_halves(part) for key, part in value.items()}
    return [_without_halves(part) for part in value] if isinstance(value, list) else value


def _has_half(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("duplicate key")
    return out


def _int(digits: str) -> Any:
    return scalars.json_value(float(digits) if len(digits) > scalars.LONGEST_INT else int(digits))


def _float(digits: str) -> Any:
    return scalars.json_value(float(digits))


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _is_deeper(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            part
            for container in level
            for part in (container.values() if isinstance(container, dict) else container)
            if isinstance(part, dict | list)
        ]
        if not level:
            return False
    return True
