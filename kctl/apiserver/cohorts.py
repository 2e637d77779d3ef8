"""Objects of a cohort: one object taken apart once, and of each other only what is its own.

In: an object, and the places in which others like it have texts of their own. Out: any of them, made when
somebody looks at it; and its stored value, without making it. That is exact: where a template has no place for
what is an object's own, it has a text that is compared with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from kctl.api.objects import Obj, dig, freeze
from kctl.apiserver.templates import HOLE, Path, Places, Template, getter_of, written

OPEN, CLOSE = "\ufdd0", "\ufdd1"
"""Characters that no text should have (Unicode keeps them for use inside programs): what has them is no cohort."""
_MARKED = re.compile(f'"{OPEN}([0-9]+){CLOSE}"')

Values = tuple[str, ...]
"""What an object of a cohort has of its own."""


class Way(NamedTuple):
    """How objects of a cohort are written with a template: what each must have, and the text to fill in."""

    wants: tuple[tuple[int, str], ...]
    text: str
    own: Callable[[Values], Values]

    def write(self, values: Values) -> bytes | None:
        """Return the stored value of an object, None when it is not of the template."""
        for n, want in self.wants:
            if values[n] != want:
                return None
        return (self.text % tuple(map(encode_basestring, self.own(values)))).encode()


class Cohort:
    """What objects of a resource have in common; ``paths`` says which of an object's values stands where."""

    __slots__ = ("_freeze", "_order", "_paths", "_template", "_ways", "example", "resource")

    def __init__(
        self,
        resource: str,
        template: Template,
        paths: Sequence[tuple[Path, int]],
        order: Sequence[int],
        *,
        frozen: bool,
    ) -> None:
        self.resource = resource
        self._template = template
        self._paths = paths
        self._order = getter_of(order)
        self._freeze = frozen
        self._ways: dict[str, Way | None] = {}
        self.example = self.make(tuple(map(_mark, range(1 + max(order)))))
        """One of the objects, with a mark for each of its own values."""

    @classmethod
    def of(cls, resource: str, obj: Obj, paths: Sequence[tuple[Path, int]], *, frozen: bool = False) -> Cohort | None:
        """Return the cohort of an object; None when it cannot be told apart."""
        places: Places = {}
        for path, _ in paths:
            below = places
            for step in path[:-1]:
                below = below.setdefault(step, {})
            below[path[-1]] = HOLE
        template = Template.of(obj, places)
        order = template.read(_with(template.example, [(path, n) for path, n in paths]))
        if order is None or len(order) != len(paths) or OPEN.encode() in template.text:
            return None
        return cls(resource, template, paths, order, frozen=frozen)

    def make(self, values: Values) -> Obj:
        """Return the object that has these values."""
        made = self._template.make(self._order(values))
        return freeze(made) if self._freeze else made

    def field(self, name: str) -> Any:
        """Return a field that is the same in all its objects."""
        return self.example.get(name)

    def way(self, name: str, template: Template) -> Way | None:
        """Return how its objects are written with a template; None when none of them is of it."""
        if name not in self._ways:
            self._ways[name] = self._found(name, template)
        return self._ways[name]

    def _found(self, name: str, template: Template) -> Way | None:
        wants: dict[int, str] = {}
        for path, n in self._paths:
            if _has_place(template.places, path):
                continue
            want = dig(template.example, *path)
            if not isinstance(want, str) or wants.setdefault(n, want) != want:
                return None
        values = tuple(wants.get(n, _mark(n)) for n in range(1 + max(n for _, n in self._paths)))
        found = template.read(self._template.make(self._order(values)))
        if found is None:
            return None
        parts = _MARKED.split(written(name, found).decode())
        text = "%s".join(part.replace("%", "%%") for part in parts[::2])
        return Way(tuple(sorted(wants.items())), text, getter_of([int(n) for n in parts[1::2]]))


def _mark(n: int) -> str:
    return f"{OPEN}{n}{CLOSE}"


def _with(value: Any, filled: Sequence[tuple[Path, Any]]) -> Any:
    """Return an object with values in places."""
    for path, new in filled:
        value = _put(value, path, new)
    return value


def _put(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    out = dict(value) if isinstance(value, dict) else list(value)
    out[path[0]] = _put(value[path[0]], path[1:], new)
    return out


def _has_place(places: Places, path: Path) -> bool:
    """Say whether a place is at a path, or above it."""
    for step in path:
        below = places.get(step)
        if below is None:
            return False
        if not below:
            return True
        places = below
    return False
