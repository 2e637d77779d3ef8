"""What annotations say of a container, field by field: how each is read, and which part of a behaviour it is.

In: a text. Out: a value; ValueError for what cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from kctl.api import durations, quantity


def seconds(text: str) -> float:
    """Read a duration."""
    found = durations.parse(text)
    if found < 0:
        raise ValueError("it is below 0")
    return found


def _or_never(text: str) -> float:
    return inf if text == "never" else seconds(text)


def _or_fail(text: str) -> float:
    return inf if text == "fail" else seconds(text)


def _text(text: str) -> str:
    return text


def _exit_code(text: str) -> int:
    code = int(text)
    if not 0 <= code <= 255:
        raise ValueError("it is not from 0 to 255")
    return code


def _count(text: str) -> float:
    found = int(text)
    if found < 0:
        raise ValueError("it is below 0")
    return float(found)


def _milli(text: str) -> int:
    return quantity.milli(text)


def _size(text: str) -> int:
    return quantity.value(text)


FIELDS: Mapping[str, Callable[[str], object]] = {
    "start": seconds,
    "up-after": _or_never,
    "ready-after": _or_never,
    "hangs-after": _or_never,
    "hangs-times": _count,
    "run": _or_never,
    "exit-code": _exit_code,
    "exit-reason": _text,
    "exit-times": _count,
    "stop": _or_never,
    "stop-code": _exit_code,
    "pre-stop": seconds,
    "post-start": _text,
    "cpu": _milli,
    "memory": _size,
    "disk": _size,
    "pull": _or_fail,
    "pull-error": _text,
    "pull-times": _count,
    "size": _size,
}
"""What can be said of a container, and how it is read; ValueError for what cannot be."""
PLAIN = {
    "start": "start",
    "up-after": "up_after",
    "ready-after": "ready_after",
    "hangs-after": "hangs_after",
    "hangs-times": "hang_times",
    "stop": "stop",
    "stop-code": "stop_code",
    "pre-stop": "pre_stop",
    "post-start": "post_start_error",
    "cpu": "cpu",
    "memory": "memory",
    "disk": "disk",
}
ENDING = {"run": "after", "exit-code": "exit_code", "exit-reason": "reason", "exit-times": "times"}
PULLING = {"pull-error": "error", "pull-times": "failures", "size": "size"}
