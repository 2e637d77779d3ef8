"""Objects that are many and seldom read, kept as the store keeps them: Events.

In: objects, what they have of their own in a cohort, and the values they were stored as. Out: the objects again, made anew whenever one
is asked for. Ten thousand pods have fifty thousand Events; as objects they take half the memory
of a run, as values a tenth of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from kctl.api.objects import Key, Obj
from kctl.apiserver.steps import Filled

PACKED = frozenset({"events"})
READ = 4096
"""So many objects that were asked for one at a time are kept as they were made."""


class PackedObjects(MutableMapping[Key, Obj]):
    """Objects by key, those that are stored already as bytes."""

    def __init__(self, decode: Callable[[bytes], Obj]) -> None:
        self._decode = decode
        self._held: dict[Key, Obj | bytes | Filled] = {}
        self._listed = 0
        self._read: dict[Key, tuple[bytes | Filled, Obj]] = {}
        """What was last asked for, as it was made: a recorder reads the Events about an object again and again."""

    def __getitem__(self, key: Key) -> Obj:
        """Return the object, as one of a listing; what is listed again and again is held as it is."""
        found = self._held[key]
        if isinstance(found, dict):
            return found
        self._listed += 1
        obj = self._made(found)
        if self._listed > len(self._held):
            self._held[key] = obj
        return obj

    def get(self, key: Key, default: Any = None) -> Any:
        """Return the object, ``default`` when there is none; this is how they are asked for one at a time."""
        found = self._held.get(key)
        if found is None or isinstance(found, dict):
            return default if found is None else found
        known = self._read.get(key)
        if known is not None and known[0] is found:
            return known[1]
        obj = self._made(found)
        if len(self._read) >= READ:
            self._read.clear()
        self._read[key] = found, obj
        return obj

    def _made(self, found: bytes | Filled) -> Obj:
        return self._decode(found) if isinstance(found, bytes) else found.object

    def fill(self, key: Key, filled: Filled) -> None:
        """Hold an object of a cohort as what is its own."""
        self._held[key] = filled

    def packed(self, key: Key) -> bytes | None:
        """Return the value an object is held as, None when it is not there or held as it is."""
        found = self._held.get(key)
        return found if isinstance(found, bytes) else None

    def __setitem__(self, key: Key, obj: Obj) -> None:
        """Hold an object as it is."""
        self._held[key] = obj

    def pack(self, key: Key, value: bytes) -> None:
        """Hold an object as the value it is stored as."""
        self._held[key] = value
        self._listed = 0

    def __delitem__(self, key: Key) -> None:
        """Let go of an object."""
        del self._held[key]

    def __iter__(self) -> Iterator[Key]:
        """Yield the keys."""
        return iter(self._held)

    def __len__(self) -> int:
        """Return how many objects there are."""
        return len(self._held)

    def __contains__(self, key: object) -> bool:
        """Say whether there is an object of that key."""
        return key in self._held
