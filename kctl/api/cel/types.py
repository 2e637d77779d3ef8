"""Types of CEL, as the checker knows them.

``limit`` is how many elements (bytes, items, entries) a value of a declared type has at most, None
where nothing is known; ``fields`` are those of a struct. Types are compared by what they are, not by
their limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = {
    "list": "list",
    "map": "map",
    "optional": "optional_type",
    "type": "type",
}


class Type:
    """A type; made once and not changed."""

    __slots__ = ("fields", "kind", "limit", "min_size", "name", "params")

    def __init__(
        self,
        kind: str,
        name: str,
        params: Sequence[Type] = (),
        *,
        fields: Mapping[str, Type] | None = None,
        limit: int | None = None,
        min_size: int = 0,
    ) -> None:
        self.kind = kind
        self.name = name
        self.params = tuple(params)
        self.fields = fields
        self.limit = limit
        self.min_size = min_size

    def __str__(self) -> str:
        if self.kind in SHOWN:
            inner = ", ".join(map(str, self.params)) if self.params else "dyn"
            return f"{SHOWN[self.kind]}({inner})"
        return self.name


DYN = Type("dyn", "dyn")
ERROR = Type("error", "!error!")
NULL = Type("null", "null")
BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION = (
    Type("simple", name) for name in ("bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration")
)
SIMPLE = {one.name: one for one in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION)}
SIMPLE |= {"dyn": DYN, "null_type": NULL, "google.protobuf.Timestamp": TIMESTAMP, "google.protobuf.Duration": DURATION}
SCALARS = frozenset({"bool", "int", "uint", "double", "timestamp", "duration", "null"})


def list_of(item: Type, *, limit: int | None = None, min_size: int = 2) -> Type:
    """Return the type of lists of something."""
    return Type("list", "list", (item,), limit=limit, min_size=min_size)


def map_of(key: Type, value: Type, *, limit: int | None = None, min_size: int = 2) -> Type:
    """Return the type of maps from something to something."""
    return Type("map", "map", (key, value), limit=limit, min_size=min_size)


def optional(of: Type | None) -> Type:
    """Return the type of a value that may be absent."""
    return Type("optional", "optional_type", (of or DYN,))


def type_of(of: Type) -> Type:
    """Return the type of a type."""
    return Type("type", "type", (of,))


class Bindings:
    """What type parameters stand for; :meth:`assignable` finds it out."""

    def __init__(self) -> None:
        self._bound: dict[str, Type] = {}
        self._count = 0

    def fresh(self) -> Type:
        """Return a type parameter that nobody else uses."""
        self._count += 1
        return Type("param", f"_var{self._count}")

    def found(self, of: Type) -> Type:
        """Return a type with its parameters replaced by what is known of them."""
        if of.kind == "param":
            bound = self._bound.get(of.name)
            return of if bound is None else self.found(bound)
        if not of.params:
            return of
        params = [self.found(one) for one in of.params]
        if all(a is b for a, b in zip(params, of.params, strict=True)):
            return of
        return Type(of.kind, of.name, params, fields=of.fields, limit=of.limit, min_size=of.min_size)

    def final(self, of: Type) -> Type:
        """Return a type whose open parameters may be anything."""
        of = self.found(of)
        if of.kind == "param":
            return DYN
        if not of.params:
            return of
        params = [self.final(one) for one in of.params]
        return Type(of.kind, of.name, params, fields=of.fields, limit=of.limit, min_size=of.min_size)

    def mark(self) -> dict[str, Type]:
        """Return what is known now, to go back to."""
        return dict(self._bound)

    def back(self, mark: dict[str, Type]) -> None:
        """Forget what was found out since."""
        self._bound = mark

    def assignable(self, to: Type, given: Type) -> bool:
        """Say whether a value of one type may stand where another is asked for; parameters are bound."""
        to, given = self.found(to), self.found(given)
        if to is given:
            return True
        if to.kind == "param" or given.kind == "param":
            one, other = (to, given) if to.kind == "param" else (given, to)
            if other.kind != "param" and self._occurs(one, other):
                return False
            self._bound[one.name] = other
            return True
        if "dyn" in (to.kind, given.kind) or "error" in (to.kind, given.kind):
            return True
        if given.kind == "null":
            return to.kind in ("null", "object", "opaque") or to.name in ("timestamp", "duration")
        if to.kind != given.kind:
            return False
        if to.kind == "type":
            return True
        if to.params or given.params:
            if len(to.params) != len(given.params):
                return not to.params or not given.params
            return all(self.assignable(a, b) for a, b in zip(to.params, given.params, strict=True))
        return to.name == given.name

    def _occurs(self, param: Type, within: Type) -> bool:
        within = self.found(within)
        return (within.name == param.name and within.kind == "param") or any(
            self._occurs(param, one) for one in within.params
        )


class Overload:
    """One way to call a function."""

    __slots__ = ("args", "is_member", "result")

    def __init__(self, args: Sequence[Type], result: Type, *, is_member: bool) -> None:
        self.args = tuple(args)
        self.result = result
        self.is_member = is_member


def read(text: str) -> Type:
    """Read a type as declarations write it: ``map<A, list<int>>``."""
    text = text.strip()
    head, opened, rest = text.partition("<")
    if opened:
        params = [read(part) for part in split(rest[:-1])]
        kind = head.strip()
        return Type(kind, SHOWN.get(kind, kind), params)
    if text in SIMPLE:
        return SIMPLE[text]
    if len(text) == 1 and text.isupper():
        return Type("param", text)
    return Type("opaque", text)


def split(text: str) -> list[str]:
    """Split at commas that are not inside angle brackets."""
    parts, depth, start = [], 0, 0
    for n, letter in enumerate(text):
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            parts.append(text[start:n])
            start = n + 1
    last = text[start:]
    return [*parts, last] if last.strip() else parts


def overload(text: str) -> Overload:
    """Read a declaration: ``string.(int) string`` or ``(A, A) bool``."""
    opened = text.index("(")
    closed = text.index(")", opened)
    receiver = text[:opened].strip().removesuffix(".")
    args = [read(part) for part in split(text[opened + 1 : closed])]
    if receiver:
        args.insert(0, read(receiver))
    return Overload(args, read(text[closed + 1 :]), is_member=bool(receiver))


def instantiated(of: Type, names: dict[str, Type], bindings: Bindings) -> Type:
    """Return a declared type with parameters of its own."""
    if of.kind == "param":
        found = names.get(of.name)
        if found is None:
            found = names[of.name] = bindings.fresh()
        return found
    if not of.params:
        return of
    return Type(of.kind, of.name, [instantiated(one, names, bindings) for one in of.params])


def shown_call(args: Sequence[Any], *, is_member: bool) -> str:
    """Write the types of a call as errors do: ``(int, string)`` or ``string.(int)``."""
    texts = [str(one) for one in args]
    if is_member and texts:
        return f"{texts[0]}.({', '.join(texts[1:])})"
    return f"({', '.join(texts)})"
