"""What a component has seen of the cluster: objects by key, indexes and folds.

A cache follows one resource. It is fed with watch events and never calls the server itself.
*Indexes* map a value (an owner's uid, a node's name) to the objects that carry it. *Folds*
keep a running aggregate per value (requested CPU per node, ready pods per owner), so that no
controller walks all its pods on each event.

Most pods change as others do. What an index or a *census* asks of pods alike (:mod:`kctl.client.faces`) is
asked once for a change from one face to another, and holds for every pod that makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from kctl.api.objects import Key, Obj, key_of
from kctl.client.changes import (
    ALL,
    LABELS,
    META,
    OWNERS,
    SPEC,
    STATUS,
    Change,
    Changes,
    Move,
    is_alike,
    parts_of,
)
from kctl.client.client import WatchEvent
from kctl.client.folds import Census, Fold, Index, Values, Where

if TYPE_CHECKING:
    from kctl.client.faces import Face, Faces

__all__ = (
    "ALL",
    "LABELS",
    "META",
    "OWNERS",
    "SPEC",
    "STATUS",
    "Cache",
    "Caches",
    "Change",
    "Changes",
    "Fold",
    "Index",
    "Move",
    "by_claim",
    "by_controller",
    "by_node",
    "parts_of",
)
A = TypeVar("A")
T = TypeVar("T")
Told = Callable[[Key, "Obj | None", "Obj | None"], None]
"""Is told of the states of an object before and after a change."""


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
        self._faces = _faces() if resource == "pods" else None
        self._face_of: dict[Key, Face] = {}
        """The faces of pods that have changed since the first list."""
        self._moves: dict[tuple[Face | None, int, tuple[Any, ...]], Move] = {}
        self._due: list[Move] = []
        self._arrivals: Changes | None = None
        """Every object as a change that brings it, while nothing has changed."""
        self.index("namespace", _namespace, on=0, alike=True)

    def get(self, key: Key) -> Obj | None:
        """Return the object, None when it has not been seen."""
        return self._objects.get(key)

    def all(self) -> list[Obj]:
        """Return every object in order of namespace and name."""
        return [self._objects[key] for key in sorted(self._objects)]

    def arrivals(self) -> Changes:
        """Return a change for every object, as if all of them came now, in order of namespace and name."""
        if self._arrivals is None:
            moves: dict[Face, Move] = {}
            found = self._arrivals = Changes()
            for key in sorted(self._objects):
                obj = self._objects[key]
                alike = None
                if self._faces is not None:
                    face = self._faces.of(obj)
                    alike = moves.get(face) or moves.setdefault(face, Move(face, (), (), ()))
                found.append(Change(WatchEvent("ADDED", self.resource, obj, None), key, None, obj, ALL, alike))
        return self._arrivals

    def __iter__(self) -> Iterator[Obj]:
        return iter(self._objects.values())

    def __len__(self) -> int:
        return len(self._objects)

    def in_namespace(self, namespace: str) -> list[Obj]:
        """Return the objects of a namespace in order of name."""
        return self._indexes["namespace"].get(namespace)

    def index(
        self,
        name: str,
        values: Values,
        *,
        on: int = ALL,
        alike: bool = False,
        where: Where | None = None,
        remembers: bool = False,
    ) -> Index:
        """Return the index of that name, made (and filled) on the first call.

        ``on`` says of which parts of an object its values are made. ``alike`` that pods alike have the same; else
        ``where``, which is asked of pods alike, that any have some.
        """
        found = self._indexes.get(name)
        if found is None:
            found = self._indexes[name] = Index(
                values, self._objects, on, alike=alike, where=where, remembers=remembers
            )
            self._tell_all(found)
            self._forget()
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
        where: Where | None = None,
        remembers: bool = False,
    ) -> Fold[A]:
        """Return the fold of that name over what objects add, which is compared before it is taken in.

        ``on`` says of which parts of an object that is made; ``where``, which is asked of pods alike, that any add some.
        """
        found = self._folds.get(name)
        return (
            self._filled(name, Fold(shares, zero, add, remove, on, where=where, remembers=remembers))
            if found is None
            else found
        )

    def census(
        self,
        name: str,
        shares: Callable[[Obj], Iterable[tuple[Hashable, T]]],
        zero: A,
        step: Callable[[A, T, int], A],
        *,
        on: int = ALL,
    ) -> Fold[A]:
        """Return the fold of that name over what objects add, of which pods alike add the same.

        A share must be hashable; ``step`` counts one so many times more.
        """
        found = self._folds.get(name)
        return self._filled(name, Census(shares, zero, step, on, self._settle)) if found is None else found

    def _filled(self, name: str, fold: Fold[A]) -> Fold[A]:
        """Take a new fold in."""
        self._settle()
        self._folds[name] = fold
        self._tell_all(fold)
        self._forget()
        return fold

    def _tell_all(self, new: Index | Fold[Any]) -> None:
        """Let a new index or fold take every object in; what holds for pods alike is found out once."""
        if not self._objects:
            return
        if self._faces is None or not (isinstance(new, Census) or new.where or (isinstance(new, Index) and new.alike)):
            for key, obj in self._objects.items():
                new.change(key, None, obj)
            return
        sorts: dict[Move, list[tuple[Key, Obj]]] = {}
        for change in self.arrivals():
            if change.alike is not None and change.new is not None:
                sorts.setdefault(change.alike, []).append((change.key, change.new))
        for alike in sorts.values():
            _, first = alike[0]
            if isinstance(new, Census):
                for value, share in new.of(first):
                    new.count(value, share, len(alike))
            elif isinstance(new, Index) and new.alike:
                values = tuple(new.of(first))
                for key, _ in alike if values else ():
                    new.swap(key, (), values)
            elif new.where is None or new.where(first):
                for key, obj in alike:
                    new.change(key, None, obj)

    def _forget(self) -> None:
        """Think anew about what a change is told to."""
        self._plans.clear()
        self._moves.clear()

    def follow(self, told: Told, *, on: int = ALL) -> None:
        """Call ``told(key, old, new)`` with every change of these parts, once indexes and folds have it."""
        self._followers.append((told, on))
        self._forget()

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
        self._arrivals = None
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
        alike: Move | None = None
        if self._faces is not None:
            alike = self._take_alike(self._faces, key, old, new, parts)
        else:
            for change in self._plans.get(parts) or self._plan(parts):
                change(key, old, new)
        return Change(event if event.old is old else event._replace(old=old), key, old, new, parts, alike)

    def _plan(self, parts: int) -> list[Told]:
        """Return what a change of these parts is told to."""
        every = parts == ALL
        told: list[Index | Fold[Any]] = [*self._indexes.values(), *self._folds.values()]
        changed: list[Told] = [one.change for one in told if every or one.on & parts]
        plan = self._plans[parts] = changed + [follower for follower, on in self._followers if every or on & parts]
        return plan

    def _take_alike(self, faces: Faces, key: Key, old: Obj | None, new: Obj | None, parts: int) -> Move | None:
        """Do what a change makes of indexes and folds, as it was found out for those before; return it if it is alike."""
        before: Face | None = None
        if old is not None:
            before = self._face_of.get(key) or faces.of(old)
        told = faces.told(new, parts) if new is not None else ()
        move = self._moves.get((before, parts, told))
        if move is None:
            if len(self._moves) > faces.most:
                self._moves.clear()
            after = faces.of(new) if new is not None else None
            move = self._moves[before, parts, told] = self._move(old, new, parts, after)
        if move.after is not None:
            self._face_of[key] = move.after
        else:
            self._face_of.pop(key, None)
        if move.steps:
            if not move.due:
                self._due.append(move)
            move.due += 1
        for index, left, joined in move.indexed:
            index.swap(key, left, joined)
        for tell in move.told:
            tell(key, old, new)
        return move if is_alike(old, new, parts) else None

    def _move(self, old: Obj | None, new: Obj | None, parts: int, after: Face | None) -> Move:
        """Find out what a change makes of indexes and folds."""
        every = parts == ALL
        states = [state for state in (old, new) if state is not None]
        indexed: list[tuple[Index, tuple[Hashable, ...], tuple[Hashable, ...]]] = []
        steps: list[tuple[Census[Any], Hashable, Any, int]] = []
        told: list[Told] = []
        known: list[Index | Fold[Any]] = [*self._indexes.values(), *self._folds.values()]
        for one in known:
            if not every and not one.on & parts:
                continue
            if isinstance(one, Index) and one.alike:
                left, joined = (tuple(one.of(state)) if state is not None else () for state in (old, new))
                if left != joined:
                    indexed.append((one, left, joined))
            elif isinstance(one, Census):
                was, now = (tuple(one.of(state)) if state is not None else () for state in (old, new))
                if was != now:
                    steps += ((one, value, share, -1) for value, share in was)
                    steps += ((one, value, share, 1) for value, share in now)
            elif one.where is None or any(map(one.where, states)):
                told.append(one.change)
        told += [follower for follower, on in self._followers if every or on & parts]
        return Move(after, tuple(indexed), tuple(steps), tuple(told))

    def _settle(self) -> None:
        """Let each census count what is due."""
        if not self._due:
            return
        due, self._due = self._due, []
        net: dict[tuple[Census[Any], Hashable, Any], int] = {}
        for move in due:
            number, move.due = move.due, 0
            for census, value, share, by in move.steps:
                place = (census, value, share)
                net[place] = net.get(place, 0) + by * number
        for (census, value, share), by in net.items():
            if by:
                census.count(value, share, by)


def _faces() -> Faces:
    from kctl.client.faces import Faces

    return Faces()


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

    return pods.index("claims", values, on=SPEC, where=has_claims)


def by_controller(cache: Cache) -> Index:
    """Return the standard index: objects by the uid of their controlling owner."""
    return cache.index("controller", _controller_values, on=OWNERS, alike=True)


def by_node(cache: Cache) -> Index:
    """Return the standard index of pods by ``spec.nodeName``."""
    return cache.index("node", _node_values, on=SPEC, where=_has_node)


def _controller_values(obj: Obj) -> tuple[str, ...]:
    return tuple(ref["uid"] for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller"))


def _has_node(pod: Obj) -> bool:
    return bool(pod["spec"].get("nodeName"))


def _node_values(obj: Obj) -> tuple[str, ...]:
    node = obj["spec"].get("nodeName")
    return (node,) if node else ()
