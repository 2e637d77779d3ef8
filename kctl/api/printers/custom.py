"""Rows of custom resources: the columns their definition asks for.

In: ``additionalPrinterColumns`` of a CustomResourceDefinition's version. As apiextensions-apiserver's
tableconvertor: a column is a simple JSONPath, of which the first result is shown if it has the
column's type. Without columns of their own custom resources have Name and Age.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kctl.api import durations
from kctl.api.clock import parse_time
from kctl.api.objects import Obj
from kctl.api.printers import AGE, NAME, Cell, Column, Printer, name

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
Step = Callable[[Any], Iterable[Any]]
AGES = [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def of(definition: Obj | None, version: str) -> Printer:
    """Return the printer of a version of the custom resource that ``definition`` brings."""
    versions = ((definition or {}).get("spec") or {}).get("versions") or ()
    found: Obj = next((one for one in versions if one.get("name") == version), {})
    wanted = found.get("additionalPrinterColumns")
    if wanted:
        return printer(wanted)
    return printer(AGES)._replace(columns=(NAME, AGE._replace(type="date")))


def printer(wanted: list[Obj]) -> Printer:
    """Return the printer of these ``additionalPrinterColumns``."""
    columns = [NAME]
    readers: list[tuple[str, list[Step]]] = []
    for one in wanted:
        about = one.get("description") or f"Custom resource definition column (in JSONPath format): {one['jsonPath']}"
        columns.append(Column(one["name"], one["type"], one.get("priority", 0), one.get("format", ""), about))
        readers.append((one["type"], _steps(one["jsonPath"])))

    def cells(obj: Obj, now: float) -> list[Cell]:
        return [name(obj), *(_cell(type_, _find(obj, steps), now) for type_, steps in readers)]

    return Printer(tuple(columns), cells)


def _cell(type_: str, found: list[Any], now: float) -> Cell:
    """Return the first result as the column's type, None when it is of another one."""
    value = found[0] if found else None
    if value is None:
        return None
    if type_ == "string":
        return _text(value)
    if type_ == "date":
        return _since(value, now)
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if type_ == "integer" else value


def _text(value: Any) -> str:
    """Write a value as JSONPath prints it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _since(value: Any, now: float) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return durations.age(now - parse_time(value))
    except ValueError:
        return "<invalid>"


# JSONPath, as far as columns use it


def _find(value: Any, steps: list[Step]) -> list[Any]:
    """Return what the steps lead to; empty when one leads nowhere."""
    found = [value]
    for step in steps:
        found = [child for one in found for child in step(one)]
    return found


def _steps(path: str) -> list[Step]:
    """Read fields, indexes, ``[*]`` and ``[?(@.type=="x")]``; what is no path finds nothing."""
    steps: list[Step] = []
    rest = path
    while rest:
        if rest[0] == ".":
            field, rest = _field(rest[1:])
            steps.append(_child(field))
            continue
        end = _closing(rest)
        if rest[0] != "[" or end < 0:
            return [_nothing]
        steps.append(_bracket(rest[1:end].strip()))
        rest = rest[end + 1 :]
    return steps


def _field(text: str) -> tuple[str, str]:
    """Cut a field off; a backslash takes the next character as it is."""
    out, n = "", 0
    while n < len(text) and text[n] not in ".[":
        n += text[n] == "\\"
        out += text[n : n + 1]
        n += 1
    return out, text[n:]


def _closing(text: str) -> int:
    """Return where the bracket at the start closes, quoted text apart; -1 for nowhere."""
    quote = ""
    for n, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == "]":
            return n
    return -1


def _bracket(inner: str) -> Step:
    if inner == "*":
        return _every
    if inner[:1] in "'\"" and inner[-1:] == inner[:1] and len(inner) > 1:
        return _child(inner[1:-1].replace("\\.", "."))
    if inner.startswith("?(") and inner.endswith(")"):
        return _filter(inner[2:-1])
    try:
        return _index(*(int(part) if part else None for part in inner.split(":")))
    except (ValueError, TypeError):
        return _nothing


def _nothing(_: Any) -> Iterable[Any]:
    return ()


def _every(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()


def _child(field: str) -> Step:
    def step(value: Any) -> Iterable[Any]:
        if field == "*":
            return _every(value)
        return [value[field]] if isinstance(value, dict) and field in value else ()

    return step


def _index(start: int | None = None, *end: int | None) -> Step:
    def step(value: Any) -> Iterable[Any]:
        if not isinstance(value, list):
            return ()
        if end:
            return value[slice(start, *end)]
        return [value[start]] if start is not None and -len(value) <= start < len(value) else ()

    return step


def _filter(condition: str) -> Step:
    """Return the step that keeps what compares: ``@.type=="Ready"``, or has the field at all: ``@.type``."""
    for operator, is_equal in (("==", True), ("!=", False)):
        left, found, right = condition.partition(operator)
        if found:
            return _keep(_steps(left.strip().removeprefix("@")), _literal(right.strip()), is_equal=is_equal)
    steps = _steps(condition.strip().removeprefix("@"))
    return lambda value: [one for one in _items(value) if _find(one, steps)]


def _keep(steps: list[Step], wanted: Any, *, is_equal: bool) -> Step:
    def step(value: Any) -> Iterator[Any]:
        for one in _items(value):
            found = _find(one, steps)
            if found and (found[0] == wanted) == is_equal:
                yield one

    return step


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _literal(text: str) -> Any:
    """Read what a filter compares with; text in either quotes."""
    if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return None
