"""Bodies as text: JSON read into values, with what the text says twice.

A value alone cannot tell that a field was given twice, so reading finds it: out come the value
(objects given twice are merged, as Go decodes into what is there) and :class:`Repeats`, which
knows every duplicate and the order of all fields, because warnings come in the order of the text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

SHOWN = 30
"""So many bytes of an unreadable body are quoted."""
MANY_DIGITS = 400
"""Integers of so many digits are beyond every number of Go."""


class Repeats:
    """What is wrong with a text beyond its value, and where its fields stand."""

    def __init__(self, texts: Sequence[str], order: dict[str, int], *, yaml: bool = False) -> None:
        self.texts = tuple(texts)
        self._order = order
        self._yaml = yaml

    def warnings(self, others: Iterable[str]) -> list[str]:
        """Return these and the other complaints in the order of the text."""
        return sorted([*self.texts, *others], key=self._place) if self._order else [*self.texts, *others]

    def errors(self, others: Iterable[str]) -> str:
        """Return all complaints as one strict decoding error."""
        if self._yaml and self.texts:
            lines = "".join(f"\n  {text}" for text in self.texts)
            return ", ".join([f"yaml: unmarshal errors:{lines}", *others])
        return ", ".join(self.warnings(others))

    def _place(self, text: str) -> int:
        found = self._order.get(text)
        if found is None:
            found = self._order.get(text.partition('"')[2].rstrip('"'), len(self._order))
        return found


class _Pairs(list[Any]):
    """An object as the text has it: names and values, also those given twice."""


def read_json(text: bytes | str) -> tuple[Any, Repeats | None]:
    """Read JSON; ValueError when it is none."""
    twice = False

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        out = dict(pairs)
        twice = twice or len(out) != len(pairs)
        return out

    if isinstance(text, bytes):
        text = text.decode(errors="replace")  # as Go; json would take UTF-16, too
    halves = "\\ud" in text.lower()
    value = _loads(text, build)
    if not twice:
        return _whole(value) if halves else value, None
    order: dict[str, int] = {}
    found: list[str] = []
    merged = _merge(_loads(text, _Pairs), "", order, found)
    return _whole(merged) if halves else merged, Repeats(found, order)


def _loads(text: str, build: Callable[[list[tuple[str, Any]]], Any], integer: Any = None) -> Any:
    """Read JSON alone: no NaN, no infinities, no number beyond those of Go."""
    return json.loads(text, object_pairs_hook=build, parse_constant=_constant, parse_float=_float, parse_int=integer)


def _constant(name: str) -> None:
    place = "in numeric literal" if name.startswith("-") else "looking for beginning of value"
    raise ValueError(f"invalid character '{name.lstrip('-')[0]}' {place}")


def _float(text: str) -> float:
    value = float(text)
    if value in (math.inf, -math.inf):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _int(text: str) -> int | float:
    return int(text) if len(text) < MANY_DIGITS else _float(text)


def _whole(value: Any) -> Any:
    """Return the value with halves of surrogate pairs replaced, as Go's decoder does."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def _merge(value: Any, at: str, order: dict[str, int], found: list[str]) -> Any:
    """Turn pairs into objects, noting the place of each field and those that come again."""
    if isinstance(value, _Pairs):
        out: dict[str, Any] = {}
        for name, inner in value:
            path = f"{at}.{name}" if at else name
            if name in out:
                found.append(f'duplicate field "{path}"')
                order.setdefault(found[-1], len(order))
            order.setdefault(path, len(order))
            new = _merge(inner, path, order, found)
            before = out.get(name)
            out[name] = {**before, **new} if isinstance(before, dict) and isinstance(new, dict) else new
        return out
    if isinstance(value, list):
        return [_merge(inner, f"{at}[{n}]", order, found) for n, inner in enumerate(value)]
    return value


def quoted(raw: bytes) -> str:
    """Quote the start of an unreadable body: objects as text, anything else in hex."""
    if not raw:
        return "<empty>"
    start = raw[:SHOWN]
    text = start.decode(errors="replace") if raw.startswith(b"{") else start.hex()
    return f"{text} ..." if len(raw) > SHOWN else text


def why_not_json(text: str) -> str:
    """Say what is wrong with a JSON text, in the words of Go's encoding/json where they are known."""
    try:
        _loads(text, dict, _int)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            return "unexpected end of JSON input"
        where = "after top-level value" if error.msg == "Extra data" else "looking for beginning of value"
        return f"invalid character '{text[error.pos]}' {where}"
    except RecursionError:
        return "exceeded max depth"
    except ValueError as error:
        return str(error)
    return "invalid JSON"
