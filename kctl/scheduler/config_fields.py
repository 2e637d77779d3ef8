"""Reading one mapping of a configuration, field by field.

In: a value as YAML or JSON has it, and its path. Out: values of the types asked for; what has another type,
and whatever nobody asked for, becomes an error with its path. What values mean is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kctl.api.errors import FieldError, invalid
from kctl.api.objects import Obj

INT32 = 2**31
INT64 = 2**63
MISSING: Any = object()


def under(path: str, name: str) -> str:
    """Return the path of a field."""
    return f"{path}.{name}" if path else name


class Fields:
    """A mapping that is read once; :meth:`finish` names the fields that were not."""

    def __init__(self, value: Any, path: str, errors: list[FieldError]) -> None:
        self.path = path
        self.errors = errors
        self._asked: list[str] = []
        if value is not None and not isinstance(value, Mapping):
            errors.append(invalid(path, value, "must be a map"))
            value = None
        self.value: Mapping[str, Any] = value or {}

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return under(self.path, name)

    def get(self, name: str) -> Any:
        """Return a field as it is; null is as good as absent, and is None."""
        self._asked.append(name)
        return self.value.get(name)

    def integer(self, name: str, default: Any = None, *, below: int = INT32) -> Any:
        """Return a whole number."""
        found = self.get(name)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, int) or not -below <= found < below:
            self.errors.append(invalid(self.at(name), found, "must be an integer"))
            return default
        return found

    def text(self, name: str, default: Any = "") -> Any:
        """Return a string."""
        found = self.get(name)
        if found is None:
            return default
        if not isinstance(found, str):
            self.errors.append(invalid(self.at(name), found, "must be a string"))
            return default
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        found = self.get(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            self.errors.append(invalid(self.at(name), found, "must be true or false"))
            return default
        return found

    def items(self, name: str) -> Iterator[tuple[str, Any]]:
        """Yield the elements of a list with their paths."""
        found = self.get(name)
        if found is None:
            return
        if not isinstance(found, list | tuple):
            self.errors.append(invalid(self.at(name), found, "must be a list"))
            return
        for n, item in enumerate(found):
            yield f"{self.at(name)}[{n}]", item

    def texts(self, name: str) -> list[tuple[str, str]]:
        """Return the strings of a list with their paths."""
        found = []
        for path, item in self.items(name):
            if isinstance(item, str):
                found.append((path, item))
            else:
                self.errors.append(invalid(path, item, "must be a string"))
        return found

    def fields(self, name: str) -> Fields:
        """Return the mapping in a field, empty when it is absent."""
        return Fields(self.get(name), self.at(name), self.errors)

    def finish(self) -> None:
        """Complain about every field that nobody asked for."""
        for name in self.value:
            if name not in self._asked:
                known = ", ".join(sorted(set(self._asked)))
                why = f"unknown field; known are {known}" if known else "unknown field"
                self.errors.append(invalid(self.at(str(name)), self.value[name], why))


def decoded(definition: str, value: Any, path: str, errors: list[FieldError]) -> Obj | None:
    """Return a value of the Kubernetes API (``core.v1.NodeAffinity``), None when it is not well formed."""
    from kctl.api import structural

    if not isinstance(value, dict):
        errors.append(invalid(path, value, "must be a map"))
        return None
    found = structural.faults(definition, value)
    errors += [invalid(under(path, fault.path), _inside(value, fault.steps), fault.text) for fault in found]
    return None if found else value


def _inside(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value
