"""What a cache keeps of its objects: indexes, running sums, and sums over what objects have in common.

In: the states of an object before and after a change. Out: the objects that carry a value; for each value the sum
of what its objects add.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from kctl.api.objects import Key, Obj, key_of
from kctl.client.changes import ALL

A = TypeVar("A")
Values = Callable[[Obj], Iterable[Hashable]]
Where = Callable[[Obj], bool]
Found = tuple[Hashable, ...]

FEW = 16
"""So many keys are put in order whenever they are asked for."""


class Index:
    """Objects by a value derived from them."""

    def __init__(
        self,
        values: Values,
        objects: Mapping[Key, Obj],
        on: int = ALL,
        *,
        alike: bool = False,
        where: Where | None = None,
        remembers: bool = False,
    ) -> None:
        self.of = values
        self.alike, self.where = alike, where
        self._had: dict[Key, Iterable[Hashable]] | None = {} if remembers else None
        """The values of objects, of those that have some."""
        self._objects = objects
        self._found: dict[Hashable, dict[Key, None]] = {}
        self._order: dict[Hashable, list[Key]] = {}
        """The keys of a value in order, until they change."""
        self.on = on

    def get(self, value: Hashable) -> list[Obj]:
        """Return the objects carrying ``value``, in order of namespace and name."""
        order, objects = self._order.get(value), self._objects
        if order is None:
            found = self._found.get(value)
            if not found:
                return []
            order = sorted(found)
            if len(order) > FEW:
                self._order[value] = order
        return [objects[key] for key in order]

    @property
    def found(self) -> Mapping[Hashable, object]:
        """Return what holds the values that some object carries, for as long as the index lasts."""
        return self._found

    def count(self, value: Hashable) -> int:
        """Return how many objects carry ``value``."""
        return len(self._found.get(value, ()))

    def __len__(self) -> int:
        return len(self._found)

    def values(self) -> list[Hashable]:
        """Return every value some object carries."""
        return list(self._found)

    def change(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        """Take the old state of one object out and put its new state in."""
        after = self.of(new) if new is not None else ()
        had = self._had
        if had is None:
            before = self.of(old) if old is not None else ()
        else:
            before = had.pop(key, ())
            if after:
                had[key] = after
        if before != after:
            self.swap(key, before, after)

    def swap(self, key: Key, before: Iterable[Hashable], after: Iterable[Hashable]) -> None:
        """Move an object from some values to others."""
        for value in before:
            self._order.pop(value, None)
            bucket = self._found.get(value)
            if bucket is not None:
                bucket.pop(key, None)
                if not bucket:
                    del self._found[value]
        for value in after:
            self._order.pop(value, None)
            self._found.setdefault(value, {})[key] = None

    def is_of(self, objects: Mapping[Key, Obj]) -> bool:
        """Say whether the index is what one made of ``objects`` now would be (tests)."""
        fresh = Index(self.of, objects)
        for key, obj in objects.items():
            fresh.change(key, None, obj)
        return fresh._found == self._found


class Fold(Generic[A]):
    """A running aggregate per value of what each object adds to it.

    ``shares`` names the values and what the object adds under each. ``add`` and ``remove`` return the
    next aggregate and are each other's inverse; an aggregate equal to ``zero`` is dropped. One that ``remembers``
    what each object adds need not find it out again: worth it where few objects add something, and that is dear.
    """

    def __init__(
        self,
        shares: Callable[[Obj], Iterable[tuple[Hashable, Any]]],
        zero: A,
        add: Callable[[A, Any], A],
        remove: Callable[[A, Any], A],
        on: int = ALL,
        *,
        where: Where | None = None,
        remembers: bool = False,
    ) -> None:
        self.of = shares
        self.where = where
        self._added: dict[Key, tuple[tuple[Hashable, Any], ...]] | None = {} if remembers else None
        """What objects have added, those that add something."""
        self._zero = zero
        self._add = add
        self._remove = remove
        self._found: dict[Hashable, A] = {}
        self.on = on

    def get(self, value: Hashable) -> A:
        """Return the aggregate of the objects carrying ``value``."""
        return self._found.get(value, self._zero)

    def items(self) -> dict[Hashable, A]:
        """Return every aggregate that is not zero."""
        return dict(self._found)

    def change(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        """Take the old state of one object out and put its new state in."""
        after = tuple(self.of(new)) if new is not None else ()
        added = self._added
        if added is None:
            before = tuple(self.of(old)) if old is not None else ()
        else:
            before = added.pop(key, ())
            if after:
                added[key] = after
        if before == after:
            return
        for shares, step in ((before, self._remove), (after, self._add)):
            for value, share in shares:
                now = step(self._found.get(value, self._zero), share)
                if now == self._zero:
                    self._found.pop(value, None)
                else:
                    self._found[value] = now

    def recompute(self, objects: Iterable[Obj]) -> dict[Hashable, A]:
        """Return what the aggregates should be; tests compare it with :meth:`items`."""
        fresh = Fold(self.of, self._zero, self._add, self._remove)
        for obj in objects:
            fresh.change(key_of(obj), None, obj)
        return fresh.items()


class Census(Fold[A]):
    """A fold over what objects have in common, which counts those alike together, and not before it is asked.

    ``step`` returns the aggregate with a share counted so many times more, or less.
    """

    def __init__(
        self,
        shares: Callable[[Obj], Iterable[tuple[Hashable, Any]]],
        zero: A,
        step: Callable[[A, Any, int], A],
        on: int,
        settle: Callable[[], None],
    ) -> None:
        super().__init__(
            shares, zero, lambda now, share: step(now, share, 1), lambda now, share: step(now, share, -1), on
        )
        self._step = step
        self._settle = settle

    def get(self, value: Hashable) -> A:
        """Return the aggregate of the objects carrying ``value``."""
        self._settle()
        return self._found.get(value, self._zero)

    def items(self) -> dict[Hashable, A]:
        """Return every aggregate that is not zero."""
        self._settle()
        return dict(self._found)

    def count(self, value: Hashable, share: Any, by: int) -> None:
        """Count a share of ``value`` so many times more."""
        now = self._step(self._found.get(value, self._zero), share, by)
        if now == self._zero:
            self._found.pop(value, None)
        else:
            self._found[value] = now
