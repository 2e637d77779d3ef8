"""What a write changes, as a value: writes with the same outline change who owns what alike.

In: two states of an object and their shape. Out: nested tuples that name the changed fields, without
their values. As :func:`typed.compare` sees it: equal outlines have equal Changes. Whatever is
unusual (values of the wrong type, items without a place) has no outline, None.
:class:`Memo` remembers the managedFields that followed from an outline, so that objects written
alike share them; whoever makes many writes keeps one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.objects import Obj
from kctl.api.patch.shape import DEDUCED, KEYED, LEAF, MAP, BadItem, Shape

if TYPE_CHECKING:
    from kctl.api.patch.timeless import Timeless

Outline = tuple[Any, ...]


class Steps(tuple[Any, ...]):
    """The steps of an outline, whose hash is worked out once: many writes have the very same ones."""

    def __hash__(self) -> int:
        """Return the hash of the tuple."""
        found: int | None = self.__dict__.get("hash")
        if found is None:
            found = self.__dict__["hash"] = super().__hash__()
        return found


LIMIT = 4096
"""So many outcomes are remembered."""
KIN = 200_000
"""So many lists that differ from one of those in their address are known, and as many of those before them."""
ADDRESS = 'k:{"ip":'
"""How the path element of an address begins."""
_ADDRESSES = re.compile(r'k:\{\\"ip\\":\\"[^"\\]*\\"\}')
"""Such elements, as they stand in JSON."""


class Drawn(NamedTuple):
    """An outline. Its one new address is left out of the steps; of several none is."""

    steps: Outline
    address: str = ""
    addresses: tuple[str, ...] = ()


class _Unusual(Exception):
    """There is no outline."""


def outline(shape: Shape, old: Obj, new: Obj) -> Drawn | None:
    """Return the outline of a change of a whole object."""
    addresses: list[str] = []
    try:
        steps = _maps(shape, old, new, addresses)
    except (_Unusual, BadItem):
        return None
    if len(addresses) == 1:
        return Drawn(Steps(steps), addresses[0], tuple(addresses))
    return Drawn(Steps((steps, *addresses)), "", tuple(addresses))


def _maps(shape: Shape, old: dict[str, Any], new: dict[str, Any], addresses: list[str]) -> Outline:
    out: list[Any] = []
    for name, right in new.items():
        left = old.get(name, _unusual)
        if left is right or left == right:
            continue
        below = shape.field(name)
        if below is None:
            continue
        if left is _unusual:
            out += ("+", name, _whole(below, right, addresses))
        else:
            out += ("~", name, _both(below, left, right, addresses))
    for name, left in old.items():
        if name not in new:
            below = shape.field(name)
            if below is not None:
                out += ("-", name, _whole(below, left, addresses))
    return tuple(out)


def _unusual() -> None:
    """Stand for a field that is not there."""


def _both(shape: Shape, left: Any, right: Any, addresses: list[str]) -> Any:
    """Return the outline of two different values at one place."""
    kind = shape.kind
    if kind == LEAF:
        return 0
    if kind == MAP and isinstance(left, dict) and isinstance(right, dict):
        return _maps(shape, left, right, addresses)
    if kind == KEYED and isinstance(left, list) and isinstance(right, list):
        return _lists(shape, left, right, addresses)
    raise _Unusual


def _lists(shape: Shape, left: list[Any], right: list[Any], addresses: list[str]) -> Outline:
    element_of, items = shape.element_of, shape.items
    before = {element_of(item): item for item in left}
    after = {element_of(item): item for item in right}
    if len(before) != len(left) or len(after) != len(right) or any(e.startswith(ADDRESS) for e in (*before, *after)):
        raise _Unusual
    out: list[Any] = []
    for element, item in after.items():
        was = before.get(element, _unusual)
        if was is _unusual:
            out += ("+", element, _whole(items, item, addresses))
        elif was is not item and was != item:
            out += ("~", element, _both(items, was, item, addresses))
    for element, item in before.items():
        if element not in after:
            out += ("-", element, _whole(items, item, addresses))
    return tuple(out)


def _whole(shape: Shape, value: Any, addresses: list[str]) -> Any:
    """Return the outline of a value that is there on one side only."""
    kind = shape.kind
    if kind == DEDUCED:
        kind = MAP if isinstance(value, dict) else LEAF
    if kind == LEAF:
        return 2 if value == [] else bool(value)  # an empty list is not the zero value
    if not value:
        return None
    out: list[Any] = []
    if kind == MAP and isinstance(value, dict):
        for name, child in value.items():
            below = shape.field(name)
            if below is not None:
                out += (name, _whole(below, child, addresses))
        return tuple(out)
    if not isinstance(value, list):
        raise _Unusual
    for item in value:
        element = shape.element_of(item)
        if element.startswith(ADDRESS):
            addresses.append(element)
            element = ADDRESS
        out += (element, _whole(shape.items, item, addresses) if kind == KEYED else 0)
    return tuple(out)


class Outcome(NamedTuple):
    """managedFields that followed from a write, and the address in them that is the object's own."""

    entries: list[Obj] | None
    address: str = ""
    entry: int = 0
    path: tuple[str, ...] = ()
    """Where the address stands: in which entry, below which elements."""


class Memo:
    """managedFields by what they followed from.

    Lists of managedFields count as equal when they are the same one; they are kept here, so that
    none of them is mistaken for another made in its place. A pod's address is an element of its
    field sets, so no two pods' are the same: they count as equal when they differ in it alone.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], tuple[Any, Any, Outcome]] = {}
        self._kin: dict[int, tuple[list[Obj], Outcome]] = {}
        """Lists with an address of their own, and the first of their kind."""
        self._older: dict[int, tuple[list[Obj], Outcome]] = {}
        self._read: dict[int, tuple[list[Obj], list[Obj]]] = {}
        """Lists that came from elsewhere, with the first that says the same."""
        self._texts: dict[str, list[Obj]] = {}
        """The first of them by what they say."""
        self._kinds: dict[str, Outcome] = {}
        """The first of those with an address of their own, by what they say but for it."""
        self.beside: Timeless | None = None
        """What is remembered of writes whatever their moment."""

    def own_fields(self, entries: list[Obj]) -> tuple[int, Obj, str] | None:
        """Return which entry of a list names an address of its own, the first field set like it, and the address."""
        kin = self._kin.get(id(entries)) or self._older.get(id(entries))
        if kin is None or kin[0] is not entries or kin[1].entries is None:
            return None
        return kin[1].entry, kin[1].entries[kin[1].entry]["fieldsV1"], _address_in(*kin)

    def updated(
        self, old: Any, given: Any, outlined: Drawn, how: tuple[Any, ...], make: Callable[[], list[Obj] | None]
    ) -> list[Obj] | None:
        """Return the managedFields after a write, made when they are not remembered."""
        kin = self._kin.get(id(old)) or self._older.get(id(old))
        if kin is None and old:
            first = self._first(old)
            if first is not old:
                given = first if given is old else given
                old = first
            else:
                kin = self._kin.get(id(old))
        address = outlined.address
        if kin is not None:
            if outlined.addresses or (given is not old and given is not None):
                return make()
            address, old = _address_in(*kin), kin[1].entries
            given = None if given is None else old
        place = (id(old), id(given), outlined.steps, how)
        found = self._found.get(place)
        if found is None:
            made = make()
            outcome = None if address and kin is None and _names_addresses(old) else located(made, address)
            if outcome is None:
                return made
            self._keep(place, (old, given, outcome))
            if outcome.address and outcome.entries is not None:
                self._note(outcome.entries, outcome)
            return outcome.entries
        outcome = found[2]
        if not outcome.address or outcome.address == address or outcome.entries is None:
            return outcome.entries
        entries = _readdressed(outcome, address)
        self._note(entries, outcome)
        return entries

    def _first(self, entries: list[Obj]) -> list[Obj]:
        """Return the first list that says the same as one that was read; itself, noted, when it has an address."""
        known = self._read.get(id(entries))
        if known is not None:
            return known[1]
        text = json.dumps(entries)
        addresses = set(_ADDRESSES.findall(text))
        first = entries
        if not addresses:
            first = self._texts.setdefault(text, entries)
        elif len(addresses) == 1:
            found = addresses.pop()
            place = text.replace(found, "")
            outcome = self._kinds.get(place)
            if outcome is None:
                outcome = self._kinds[place] = located(entries, json.loads(f'"{found}"')) or Outcome(None)
            if outcome.address:
                self._note(entries, outcome)
                return entries
        if len(self._read) >= KIN:
            self._read.clear()
            self._texts.clear()
            self._kinds.clear()
        self._read[id(entries)] = entries, first
        return first

    def _note(self, entries: list[Obj], outcome: Outcome) -> None:
        if len(self._kin) >= KIN:
            self._older, self._kin = self._kin, {}
        self._kin[id(entries)] = (entries, outcome)

    def _keep(self, place: tuple[Any, ...], what: tuple[Any, Any, Outcome]) -> None:
        if len(self._found) >= LIMIT:
            self._found.clear()
        self._found[place] = what


def _names_addresses(entries: list[Obj] | None) -> bool:
    return bool(entries) and any(
        ADDRESS in json.dumps(entry.get("fieldsV1")).replace("\\", "") for entry in entries or ()
    )


def located(entries: list[Obj] | None, address: str) -> Outcome | None:
    """Return the outcome with the place of its address; None when that is not one place of its own."""
    if not address or not entries:
        return Outcome(entries)
    found = [(n, path) for n, entry in enumerate(entries) for path in _paths(entry.get("fieldsV1") or {}, address)]
    if not found:
        return Outcome(entries)
    (n, path), *more = found
    level: Any = entries[n]["fieldsV1"]
    for element in path:
        level = level[element]
    return None if more or not level.keys() <= {".", address} else Outcome(entries, address, n, path)


def _paths(fields: Obj, address: str) -> Iterator[tuple[str, ...]]:
    if address in fields:
        yield ()
    for element, below in fields.items():
        if below:
            for path in _paths(below, address):
                yield (element, *path)


def _address_in(entries: list[Obj], like: Outcome) -> str:
    level: Any = entries[like.entry]["fieldsV1"]
    for element in like.path:
        level = level[element]
    return str(next(element for element in level if element != "."))


def _readdressed(outcome: Outcome, address: str) -> list[Obj]:
    """Return the entries of an outcome with another address in the place of its own."""
    entries = list(outcome.entries or ())
    entry = entries[outcome.entry]
    entries[outcome.entry] = {**entry, "fieldsV1": addressed(entry["fieldsV1"], outcome, address)}
    return entries


def addressed(fields: Obj, outcome: Outcome, address: str) -> Obj:
    """Return the field set of an outcome in which its own address stands with another in its place."""

    def at(level: Obj, path: tuple[str, ...]) -> Obj:
        if path:
            return {**level, path[0]: at(level[path[0]], path[1:])}
        return {address if element == outcome.address else element: below for element, below in level.items()}

    return at(fields, outcome.path)
