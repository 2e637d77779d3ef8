"""JSON values out as YAML, as ``kubectl get -o yaml`` writes them.

The look is go-yaml v2's: keys in natural order, lists at the indentation of their key, texts of
several lines as literal blocks, and quotes wherever a plain text would be read as something
else (see ``scalars.py``). What is written here is read back as the same value.
"""

from __future__ import annotations

import io
import re
from functools import cache, cmp_to_key
from typing import Any

from yaml import events
from yaml.cyaml import CEmitter  # type: ignore[attr-defined]  # missing in types-PyYAML

from kctl.gitops import scalars

WIDTH = 80
PLAIN = (True, True)


def dump(value: Any) -> str:
    """Write one document."""
    out = io.StringIO()
    emitter = CEmitter(out, width=WIDTH, indent=2, allow_unicode=True)
    emit = emitter.emit
    emit(events.StreamStartEvent())
    emit(events.DocumentStartEvent(explicit=False))
    _value(emit, value)
    emit(events.DocumentEndEvent(explicit=False))
    emit(events.StreamEndEvent())
    return out.getvalue().removesuffix("...\n")


def _value(emit: Any, value: Any) -> None:
    if isinstance(value, dict):
        emit(events.MappingStartEvent(None, None, True, flow_style=not value))
        for key in natural(value):
            _text(emit, key, is_key=True)
            _value(emit, value[key])
        emit(events.MappingEndEvent())
    elif isinstance(value, list | tuple):
        emit(events.SequenceStartEvent(None, None, True, flow_style=not value))
        for item in value:
            _value(emit, item)
        emit(events.SequenceEndEvent())
    elif isinstance(value, str):
        _text(emit, value)
    else:
        plain = {None: "null", True: "true", False: "false"}[value] if _is_word(value) else repr(value)
        emit(events.ScalarEvent(None, None, PLAIN, plain))


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _text(emit: Any, text: str, *, is_key: bool = False) -> None:
    style = None
    if "\n" in text and not is_key:
        style = "|"
    elif _needs_quotes(text) or (is_key and text == "<<") or "\n" in text:
        style = '"'
    emit(events.ScalarEvent(None, None, PLAIN, text, style=style))


@cache
def _sexagesimal() -> re.Pattern[str]:
    """Match what YAML 1.1 readers other than kubectl take for a number to the base 60."""
    return re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")


def _needs_quotes(text: str) -> bool:
    """Say whether a plain text would be read as something else, by kubectl or by others."""
    if not isinstance(scalars.resolve(text), str):
        return True
    if text[0] not in scalars.STARTS:
        return False
    return scalars.is_date(text) or bool(_sexagesimal().fullmatch(text))


def natural(keys: Any) -> list[str]:
    """Return keys in go-yaml's order: numbers by value, letters behind everything else."""
    plain = sorted(keys)
    return plain if all(key.isalpha() for key in plain) else sorted(plain, key=cmp_to_key(_compare))


def _compare(left: str, right: str) -> int:
    """Compare at the first difference, as go-yaml's keyList.Less."""
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if at is None:
        return len(left) - len(right)
    a, b = left[at], right[at]
    if a.isalpha() or b.isalpha():
        both = a.isalpha() and b.isalpha()
        return (ord(a) - ord(b)) if both else (1 if a.isalpha() else -1)
    start = at
    while start and left[start - 1].isdecimal():
        start -= 1
    first, second = _digits(left, at, start), _digits(right, at, start)
    return (int(first or "0") - int(second or "0")) or len(first) - len(second) or ord(a) - ord(b)


def _digits(text: str, at: int, start: int) -> str:
    """Return the number around ``at``, when there is one at ``at``."""
    end = at
    while end < len(text) and text[end] in "0123456789":
        end += 1
    return text[start:end] if end > at else ""
