"""What a component has seen of the cluster: objects by key, indexes and folds.

A cache follows one resource. It is fed with watch events and never calls the server itself.
*Indexes* map a value (an owner's uid, a node's name) to the objects that carry it. *Folds*
keep a running aggregate per value (requested CPU per node, ready pods per owner), so that no
controller walks all its pods on each event.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from kctl.api.objects import Key, Obj, key_of
from kctl.client.client import WatchEvent

A = TypeVar("A")
T = TypeVar("T")
Values = Callable[[Obj], Iterable[Hashable]]
Told = Callable[[Key, "Obj | None", "Obj | None"], None]
"""Is told of the states of an object before and after a change."""

LABELS, OWNERS, META, SPEC, STATUS = 1, 2, 4, 8, 16
"""Parts of an object, as bits. META is all of the metadata that clients change but labels and owners."""
ALL = 31
REST = ("deletionTimestamp", "deletionGracePeriodSeconds", "finalizers", "annotations", "generation", "uid")


def parts_of(old: Obj | None, new: Obj | None) -> int:
    """Return which parts a change may have touched; all of them for an object that comes, goes or has no spec.

    Parts that old and new share have not changed; what is only equal counts as touched.
    """
    if old is None or new is None or "spec" not in new:
        return ALL
    parts = 0
    before, after = old["metadata"], new["metadata"]
    if before is not after:
        if before.get("labels") is not after.get("labels"):
            parts = LABELS
        if before.get("ownerReferences") is not after.get("ownerReferences"):
            parts |= OWNERS
        for name in REST:
            if before.get(name) != after.get(name):
                parts |= META
                break
    if old.get("spec") is not new["spec"]:
        parts |= SPEC
    if old.get("status") is not new.get("status"):
        parts |= STATUS
    return parts


class Change(NamedTuple):
    """An event as a cache took it in: the states before and after, and the parts that may differ."""

    event: WatchEvent
    key: Key
    old: Obj | None
    new: Obj | None
    parts: int


FEW = 16
"""So many keys are put in order whenever they are asked for."""


class Index:
    """Objects by a value derived from them."""

    def __init__(self, values: Values, objects: Mapping[Key, Obj], on: int = ALL) -> None:
        self._values = values
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
        before = self._values(old) if old is not None else ()
        after = self._values(new) if new is not None else ()
        if before == after:
            return
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
        fresh = Index(self._values, objects)
        for key, obj in objects.items():
            fresh.change(key, None, obj)
        return fresh._found == self._found


class Fold(Generic[A]):
    """A running aggregate per value of what each object adds to it.

    ``shares`` names the values and what the object adds under each. ``add`` and ``remove`` return the
    next aggregate and are each other's inverse; an aggregate equal to ``zero`` is dropped.
    """

    def __init__(
        self,
        shares: Callable[[Obj], Iterable[tuple[Hashable, Any]]],
        zero: A,
        add: Callable[[A, Any], A],
        remove: Callable[[A, Any], A],
        on: int = ALL,
    ) -> None:
        self._shares = shares
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
        before = tuple(self._shares(old)) if old is not None else ()
        after = tuple(self._shares(new)) if new is not None else ()
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
        fresh = Fold(self._shares, self._zero, self._add, self._remove)
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
        self._plans: dict[int, list[Told]] = {}
        self._followers: list[tuple[Told, int]] = []
        self.index("namespace", _namespace, on=0)

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

    def index(self, name: str, values: Values, *, on: int = ALL) -> Index:
        """Return the index of that name, made (and filled) on the first call.

        ``on`` says of which parts of an object its values are made.
        """
        found = self._indexes.get(name)
        if found is None:
            found = self._indexes[name] = Index(values, self._objects, on)
            for key, obj in self._objects.items():
                found.change(key, None, obj)
            self._plans.clear()
        return found

    def fold(
        self,
        name: str,
        values: Values,
        zero: A,
        add: Callable[[A, Obj], A],
        remove: Callable[[A, Obj], A],
        *,
        on: int = ALL,
    ) -> Fold[A]:
        """Return the fold of that name over whole objects, made (and filled) on the first call."""
        return self.tally(name, lambda obj: tuple((value, obj) for value in values(obj)), zero, add, remove, on=on)

    def tally(
        self,
        name: str,
        shares: Callable[[Obj], Iterable[tuple[Hashable, T]]],
        zero: A,
        add: Callable[[A, T], A],
        remove: Callable[[A, T], A],
        *,
        on: int = ALL,
    ) -> Fold[A]:
        """Return the fold of that name over what objects add, which is compared before it is taken in.

        ``on`` says of which parts of an object that is made.
        """
        found = self._folds.get(name)
        if found is None:
            found = self._folds[name] = Fold(shares, zero, add, remove, on)
            for key, obj in self._objects.items():
                found.change(key, None, obj)
            self._plans.clear()
        return found

    def follow(self, told: Told, *, on: int = ALL) -> None:
        """Call ``told(key, old, new)`` with every change of these parts, once indexes and folds have it."""
        self._followers.append((told, on))
        self._plans.clear()

    def folds(self) -> dict[str, Fold[Any]]:
        """Return the folds by name."""
        return dict(self._folds)

    def check(self) -> None:
        """Raise AssertionError for an index or fold that is not what its objects make it (tests)."""
        for name, index in self._indexes.items():
            if not index.is_of(self._objects):
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
        return self.take(event).event

    def take(self, event: WatchEvent) -> Change:
        """Take one event in; return it with what changed, as this cache knew it."""
        self.changes += 1
        obj = event.object
        meta = obj["metadata"]
        key = Key(meta.get("namespace") or "", meta["name"])
        objects = self._objects
        old = objects.get(key)
        new = None if event.type == "DELETED" else obj
        if new is None:
            objects.pop(key, None)
        else:
            objects[key] = new
        parts = parts_of(old, new)
        plan = self._plans.get(parts)
        if plan is None:
            plan = self._plans[parts] = self._plan(parts)
        for change in plan:
            change(key, old, new)
        return Change(event if event.old is old else event._replace(old=old), key, old, new, parts)

    def _plan(self, parts: int) -> list[Told]:
        """Return what a change of these parts is told to."""
        every = parts == ALL
        told: list[Index | Fold[Any]] = [*self._indexes.values(), *self._folds.values()]
        changed: list[Told] = [one.change for one in told if every or one.on & parts]
        return changed + [follower for follower, on in self._followers if every or on & parts]


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


def _namespace(obj: Obj) -> tuple[str, ...]:
    return (obj["metadata"].get("namespace") or "",)


def by_claim(pods: Cache) -> Index:
    """Return the standard index: pods by the claims behind their volumes."""
    from kctl.api.volumes import claims_of, has_claims

    def values(pod: Obj) -> tuple[Key, ...]:
        if not has_claims(pod):
            return ()
        namespace = pod["metadata"].get("namespace") or ""
        return tuple(Key(namespace, name) for name in claims_of(pod))

    return pods.index("claims", values, on=SPEC)


def by_controller(cache: Cache) -> Index:
    """Return the standard index: objects by the uid of their controlling owner."""
    return cache.index("controller", _controller_values, on=OWNERS)


def by_node(cache: Cache) -> Index:
    """Return the standard index of pods by ``spec.nodeName``."""
    return cache.index("node", _node_values, on=SPEC)


def _controller_values(obj: Obj) -> tuple[str, ...]:
    return tuple(ref["uid"] for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller"))


def _node_values(obj: Obj) -> tuple[str, ...]:
    node = obj["spec"].get("nodeName")
    return (node,) if node else ()
