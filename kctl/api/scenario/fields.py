"""Reading the fields of a scenario strictly: what is not known, or of another type, is an error of its field.

In: a JSON value and its path. Out: values, and :class:`kctl.api.errors.FieldError` in a list that all share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from kctl.api import durations, quantity
from kctl.api.errors import FieldError, invalid, not_supported, required
from kctl.api.scenario import formulas

T = TypeVar("T")
D = TypeVar("D")
NEVER = math.inf
MAX_SECONDS = 100 * 365.25 * 86400


class Fields:
    """A map and its place. Each read checks the type and ticks the field off; :meth:`close` names the rest."""

    def __init__(self, value: Any, path: str, errors: list[FieldError]) -> None:
        self.path = path
        self.errors = errors
        self._read: set[str] = set()
        self.value: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            errors.append(invalid(path, value, "must be a map"))

    def __contains__(self, name: str) -> bool:
        return self.value.get(name) is not None

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def fail(self, name: str, detail: str) -> None:
        """Say that a field is wrong."""
        self.errors.append(invalid(self.at(name), self.value.get(name), detail))

    def raw(self, name: str) -> Any:
        """Return a field as it is."""
        self._read.add(name)
        return self.value.get(name)

    def close(self) -> None:
        """Complain about every field that nobody has read."""
        known = ", ".join(sorted(self._read))
        for name in self.value:
            if name not in self._read:
                self.errors.append(invalid(self.at(str(name)), self.value[name], f"unknown field; known are {known}"))

    def _checked(self, name: str, read: Callable[[Any], T], default: D) -> T | D:
        value = self.raw(name)
        if value is None:
            return default
        try:
            return read(value)
        except ValueError as error:
            self.fail(name, str(error))
            return default

    def text(self, name: str, default: str = "") -> str:
        """Return a text."""
        return self._checked(name, _text, default)

    def needed(self, name: str) -> str:
        """Return a text that must be there."""
        found = self.text(name)
        if not found and name not in self:
            self.errors.append(required(self.at(name)))
        return found

    def choice(self, name: str, among: Sequence[str], default: str) -> str:
        """Return one of some words."""
        found = self.text(name, default)
        if found not in among and name in self and isinstance(self.value[name], str):
            self.errors.append(not_supported(self.at(name), found, among))
            return default
        return found

    def seconds(self, name: str, default: T) -> float | T:
        """Return a duration in seconds."""
        return self._checked(name, seconds_of, default)

    def seconds_or_never(self, name: str) -> float | None:
        """Return a duration, infinity for the word ``never``."""
        return self._checked(name, lambda value: NEVER if value == "never" else seconds_of(value), None)

    def whole(self, name: str, default: T, *, least: int = 0) -> int | T:
        """Return a whole number."""

        def read(value: Any) -> int:
            if isinstance(value, bool) or not isinstance(value, int) or value < least or value > 2**31 - 1:
                raise ValueError(f"must be a whole number from {least} to 2147483647")
            return value

        return self._checked(name, read, default)

    def number(self, name: str, default: float, *, most: float = math.inf) -> float:
        """Return a number, 0 or greater."""

        def read(value: Any) -> float:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise ValueError(f"must be a number from 0 to {most:g}" if most < math.inf else "must be 0 or greater")
            if not math.isfinite(value):
                raise ValueError("must be finite")
            return float(value)

        return self._checked(name, read, default)

    def size(self, name: str) -> int | None:
        """Return a quantity in whole units."""

        def read(value: Any) -> int:
            found = quantity.value(_plain(value))
            if found < 0:
                raise ValueError("must be 0 or greater")
            return found

        return self._checked(name, read, None)

    def formula(self, name: str) -> formulas.Formula | None:
        """Return a formula of what is used."""
        return self._checked(name, lambda value: formulas.parse(_plain(value)), None)

    def texts(self, name: str) -> Mapping[str, str]:
        """Return a map of texts to texts."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
            self.fail(name, "must be a map of texts")
            return {}
        return value

    def inside(self, name: str) -> Fields | None:
        """Return the map in a field, None when it is not there."""
        value = self.raw(name)
        return None if value is None else Fields(value, self.at(name), self.errors)

    def each(self, name: str) -> Iterator[tuple[int, Any, str]]:
        """Yield number, value and path of the items of a list."""
        value = self.raw(name)
        if value is not None and not isinstance(value, list):
            self.fail(name, "must be a list")
        elif value is not None:
            yield from ((n, item, f"{self.at(name)}[{n}]") for n, item in enumerate(value))


def seconds_of(value: Any) -> float:
    """Return the seconds of a duration (``90s``, ``1h30m``); a bare number is one of seconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError('must be a duration such as "30s"')
    found = durations.parse(value) if isinstance(value, str) else float(value)
    if not 0 <= found < MAX_SECONDS:
        raise ValueError("must be from 0 to 100 years")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("must be a quantity or a formula")
    return str(value)
