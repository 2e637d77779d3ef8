r"""JSONPath expressions as kubectl reads them: one path in braces, evaluated on an object.

``{.spec.containers[*].image}``, ``{.status.conditions[?(@.type=="Ready")].status}``, ``{..name}``,
``['a.b']``, ``a\.b``, ``[0]``, ``[-1:]``, ``[0,2]``. Templates with text and ``{range}`` are not read here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kctl.api.errors import UsageError

Step = Callable[[Any], Iterator[Any]]
NAME = re.compile(r"(?:[^.\[\]\\]|\\.)+")
FILTER = re.compile(r"^\(\s*@(?P<path>[^=!<>]*?)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.*?))?\s*\)$")
SLICE = re.compile(r"^(-?\d*)?:(-?\d*)?(?::(-?\d+))?$")


def relaxed(expression: str) -> str:
    """Return the expression with the braces and the leading dot that may be left out."""
    text = expression.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    if not text or "{" in text or "}" in text:
        raise UsageError(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
            f"'{{.name1.name2}}': {expression}"
        )
    text = text.removeprefix("$").removeprefix("@")
    return text if text.startswith((".", "[")) else f".{text}"


def compile_path(expression: str) -> Callable[[Any], list[Any]]:
    """Return what finds the values of a path in an object; UsageError when it cannot be read."""
    steps = list(_steps(relaxed(expression), expression))

    def find(obj: Any) -> list[Any]:
        found = [obj]
        for step in steps:
            found = [value for each in found for value in step(each)]
        return found

    return find


def text(value: Any) -> str:
    """Write a value as kubectl prints it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _steps(path: str, whole: str) -> Iterator[Step]:
    at = 0
    while at < len(path):
        if path.startswith("..", at):
            yield _below
            at += 2 if path.startswith("[", at + 2) else 1
            continue
        if path[at] == "[":
            end = _closing(path, at, whole)
            yield _bracket(path[at + 1 : end], whole)
            at = end + 1
            continue
        if path[at] == ".":
            at += 1
        found = NAME.match(path, at)
        if found is None:
            if at >= len(path):
                return  # "{.}": the object itself
            raise UsageError(f"cannot read the path {whole!r} at {path[at:]!r}")
        at = found.end()
        name = re.sub(r"\\(.)", r"\1", found.group())
        yield _every if name == "*" else _field((name,))


def _closing(path: str, at: int, whole: str) -> int:
    quote = ""
    for n in range(at + 1, len(path)):
        if quote:
            quote = "" if path[n] == quote else quote
        elif path[n] in "'\"":
            quote = path[n]
        elif path[n] == "]":
            return n
    raise UsageError(f"unterminated array in the path {whole!r}")


def _bracket(inside: str, whole: str) -> Step:
    inside = inside.strip()
    if inside == "*":
        return _every
    if inside.startswith("?"):
        return _filter(inside[1:], whole)
    sliced = SLICE.match(inside)
    if sliced is not None:
        start, stop, step = (int(part) if part else None for part in sliced.groups())
        return _slice(slice(start, stop, step))
    parts = [part.strip() for part in inside.split(",")]
    if all(re.fullmatch(r"-?\d+", part) for part in parts):
        return _index([int(part) for part in parts])
    if all(len(part) >= 2 and part[0] == part[-1] and part[0] in "'\"" for part in parts):
        return _field([part[1:-1] for part in parts])
    raise UsageError(f"invalid array index {inside!r} in the path {whole!r}")


def _field(names: Sequence[str]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            yield from (value[name] for name in names if name in value)

    return step


def _index(indexes: list[int]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from (value[n] for n in indexes if -len(value) <= n < len(value))

    return step


def _slice(part: slice) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[part]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (value[name] for name in sorted(value))
    elif isinstance(value, list):
        yield from value


def _below(value: Any) -> Iterator[Any]:
    yield value
    for each in _every(value):
        yield from _below(each)


def _filter(condition: str, whole: str) -> Step:
    found = FILTER.match(condition)
    if found is None:
        raise UsageError(f"cannot read the filter {condition!r} in the path {whole!r}")
    path = compile_path(found["path"] or ".") if found["path"] else lambda value: [value]
    wanted = _literal(found["value"], whole) if found["op"] else None

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            for each in value:
                left = path(each)
                if left and (found["op"] is None or _compare(left[0], found["op"], wanted)):
                    yield each

    return step


def _literal(value: str, whole: str) -> Any:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    try:
        return json.loads(value)
    except ValueError:
        raise UsageError(f"cannot read the value {value!r} in the path {whole!r}") from None


def _compare(left: Any, operator: str, right: Any) -> bool:
    if operator in ("==", "!="):
        is_same = left == right and isinstance(left, bool) == isinstance(right, bool)
        return is_same == (operator == "==")
    try:
        compared = {"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}
    except TypeError:
        return False
    return bool(compared[operator])
