"""What a component has seen of the cluster: objects by key, indexes and folds.

A cache follows one resource. It is fed with watch events and never calls the server itself.
*Indexes* map a value (an owner's uid, a node's name) to the objects that carry it. *Folds*
keep a running aggregate per value (requested CPU per node, ready pods per owner), so that no
controller walks all its pods on each event.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from kctl.api.objects import Key, Obj, key_of
from kctl.client.client import WatchEvent

A = TypeVar("A")
Values = Callable[[Obj], Iterable[Hashable]]


class Index:
    """Objects by a value derived from them."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._found: dict[Hashable, dict[Key, Obj]] = {}

    def get(self, value: Hashable) -> list[Obj]:
        """Return the objects carrying ``value``, in order of namespace and name."""
        found = self._found.get(value)
        return [found[key] for key in sorted(found)] if found else []

    def count(self, value: Hashable) -> int:
        """Return how many objects carry ``value``."""
        return len(self._found.get(value, ()))

    def values(self) -> list[Hashable]:
        """Return every value some object carries."""
        return list(self._found)

    def change(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        """Take the old state of one object out and put its new state in."""
        if old is not None:
            for value in self._values(old):
                bucket = self._found.get(value)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del self._found[value]
        if new is not None:
            for value in self._values(new):
                self._found.setdefault(value, {})[key] = new

    def is_of(self, objects: Iterable[Obj]) -> bool:
        """Say whether the index is what one made of ``objects`` now would be (tests)."""
        fresh = Index(self._values)
        for obj in objects:
            fresh.change(key_of(obj), None, obj)
        return fresh._found == self._found


class Fold(Generic[A]):
    """A running aggregate per value.

    ``add`` and ``remove`` return the next aggregate and are each other's inverse; an aggregate
    equal to ``zero`` is dropped.
    """

    def __init__(self, values: Values, zero: A, add: Callable[[A, Obj], A], remove: Callable[[A, Obj], A]) -> None:
        self._values = values
        self._zero = zero
        self._add = add
        self._remove = remove
        self._found: dict[Hashable, A] = {}

    def get(self, value: Hashable) -> A:
        """Return the aggregate of the objects carrying ``value``."""
        return self._found.get(value, self._zero)

    def items(self) -> dict[Hashable, A]:
        """Return every aggregate that is not zero."""
        return dict(self._found)

    def change(self, key: Key, old: Obj | None, new: Obj | None) -> None:
        """Take the old state of one object out and put its new state in."""
        for obj, step in ((old, self._remove), (new, self._add)):
            if obj is None:
                continue
            for value in self._values(obj):
                now = step(self._found.get(value, self._zero), obj)
                if now == self._zero:
                    self._found.pop(value, None)
                else:
                    self._found[value] = now

    def recompute(self, objects: Iterable[Obj]) -> dict[Hashable, A]:
        """Return what the aggregates should be; tests compare it with :meth:`items`."""
        fresh = Fold(self._values, self._zero, self._add, self._remove)
        for obj in objects:
            fresh.change(key_of(obj), None, obj)
        return fresh.items()


class Cache:
    """The objects of one resource as last seen."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.revision = 0
        self.changes = 0
        """How many events came in: while it stays, so does all that derives from this cache."""
        self._objects: dict[Key, Obj] = {}
        self._indexes: dict[str, Index] = {}
        self._folds: dict[str, Fold[Any]] = {}
        self.index("namespace", lambda obj: (key_of(obj).namespace,))

    def get(self, key: Key) -> Obj | None:
        """Return the object, None when it has not been seen."""
        return self._objects.get(key)

    def all(self) -> list[Obj]:
        """Return every object in order of namespace and name."""
        return [self._objects[key] for key in sorted(self._objects)]

    def __iter__(self) -> Iterator[Obj]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    def in_namespace(self, namespace: str) -> list[Obj]:
        """Return the objects of a namespace in order of name."""
        return self._indexes["namespace"].get(namespace)

    def index(self, name: str, values: Values) -> Index:
        """Return the index of that name, made (and filled) on the first call."""
        found = self._indexes.get(name)
        if found is None:
            found = self._indexes[name] = Index(values)
            for key, obj in self._objects.items():
                found.change(key, None, obj)
        return found

    def fold(
        self, name: str, values: Values, zero: A, add: Callable[[A, Obj], A], remove: Callable[[A, Obj], A]
    ) -> Fold[A]:
        """Return the fold of that name, made (and filled) on the first call."""
        found = self._folds.get(name)
        if found is None:
            found = self._folds[name] = Fold(values, zero, add, remove)
            for key, obj in self._objects.items():
                found.change(key, None, obj)
        return found

    def folds(self) -> dict[str, Fold[Any]]:
        """Return the folds by name."""
        return dict(self._folds)

    def check(self) -> None:
        """Raise AssertionError for an index or fold that is not what its objects make it (tests)."""
        for name, index in self._indexes.items():
            if not index.is_of(self):
                raise AssertionError(f"index {name} of {self.resource} is not what its objects make it")
        for name, fold in self._folds.items():
            if (kept := fold.items()) != (due := fold.recompute(self)):
                raise AssertionError(f"fold {name} of {self.resource} is {kept}, its objects make it {due}")

    def replace(self, objects: Iterable[Obj], revision: int) -> list[WatchEvent]:
        """Take a fresh list for the truth and return the changes that lead to it."""
        fresh = {key_of(obj): obj for obj in objects}
        events = [
            WatchEvent("DELETED", self.resource, old, old) for key, old in self._objects.items() if key not in fresh
        ]
        for key in sorted(fresh):
            old = self._objects.get(key)
            new = fresh[key]
            if old is None:
                events.append(WatchEvent("ADDED", self.resource, new, None))
            elif old["metadata"].get("resourceVersion") != new["metadata"].get("resourceVersion"):
                events.append(WatchEvent("MODIFIED", self.resource, new, old))
        for event in events:
            self.deliver(event)
        self.revision = revision
        return events

    def deliver(self, event: WatchEvent) -> WatchEvent:
        """Take one event in; return it with ``old`` as this cache knew it."""
        self.changes += 1
        key = key_of(event.object)
        old = self._objects.get(key)
        new = None if event.type == "DELETED" else event.object
        if new is None:
            self._objects.pop(key, None)
        else:
            self._objects[key] = new
        for index in self._indexes.values():
            index.change(key, old, new)
        for fold in self._folds.values():
            fold.change(key, old, new)
        return event._replace(old=old)


class Caches:
    """The caches of one process, by resource; made when first asked for."""

    def __init__(self, fill: Callable[[Cache], None]) -> None:
        self._fill = fill
        self._caches: dict[str, Cache] = {}

    def __getitem__(self, resource: str) -> Cache:
        found = self._caches.get(resource)
        if found is None:
            found = self._caches[resource] = Cache(resource)
            self._fill(found)
        return found

    def known(self) -> list[Cache]:
        """Return the caches made so far."""
        return list(self._caches.values())


def by_controller(cache: Cache) -> Index:
    """Return the standard index: objects by the uid of their controlling owner."""
    return cache.index("controller", _controller_values)


def by_node(cache: Cache) -> Index:
    """Return the standard index of pods by ``spec.nodeName``."""
    return cache.index("node", _node_values)


def _controller_values(obj: Obj) -> tuple[str, ...]:
    return tuple(ref["uid"] for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller"))


def _node_values(obj: Obj) -> tuple[str, ...]:
    node = obj["spec"].get("nodeName")
    return (node,) if node else ()
