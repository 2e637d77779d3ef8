"""The state the API server holds in memory, and how it becomes durable.

In: writes of whole objects, numbered here, one revision each. Out: current objects by resource,
past states, events to whoever subscribed, and, on :meth:`Storage.commit`, one entry in the store
with the last state of every key the batch touched.

Resources are read from the store when first touched. One list, the history, is everything else:
what a watch replays, what a commit stores, and what a fork or a lost race takes back. Nothing is
validated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from kctl.api.clock import Clock
from kctl.api.errors import gone
from kctl.api.garbage import uncollected
from kctl.api.objects import Key, Obj, freeze
from kctl.apiserver.packed import PACKED, PackedObjects
from kctl.apiserver.steps import (
    Deliver,
    Event,
    Filled,
    Given,
    Step,
    Subscription,
    Table,
    Unread,
    last_of_each,
    place_of,
    put_back,
    store_key,
)

if TYPE_CHECKING:
    from kctl.apiserver.cohorts import Cohort
    from kctl.apiserver.encoding import Codec, Encoded
    from kctl.store.api import KV, Change, Head, Store, Write

__all__ = ["Event", "Storage", "Subscription", "store_key"]
HISTORY_LIMIT = 2_000
"""Events kept for watches after a commit; older ones are read back from the store."""
RELOADS = 20
"""So often is read anew what other processes compact meanwhile."""


class Storage:
    """Current objects, their history in this process, and the batch not yet committed."""

    def __init__(self, store: Store, clock: Clock, *, frozen: bool = False, given: Given | None = None) -> None:
        self.store = store
        self._clock = clock
        self._frozen = frozen
        self._given = given
        self.head: Head = store.head()
        self.revision = self.head.revision
        self._tables: dict[str, Table] = {}
        self._history: list[Step] = []
        self._mark = 0
        self._oldest = self.revision
        self._forks = 0
        self._subscribers: dict[str, list[Deliver]] = {}
        self._codec: Codec | None = None

    # reading

    @property
    def is_frozen(self) -> bool:
        """Say whether objects refuse to be changed (tests)."""
        return self._frozen

    @property
    def is_forked(self) -> bool:
        """Say whether what is written now will be taken back."""
        return bool(self._forks)

    def objects(self, resource: str) -> Mapping[Key, Obj]:
        """Return the current objects of a resource, in no order; not to be changed."""
        found = self._tables.get(resource)
        return (found or self._load(resource)).objects

    def get(self, resource: str, key: Key) -> Obj | None:
        """Return the current object, None when there is none."""
        found = self._tables.get(resource)
        return (found or self._load(resource)).objects.get(key)

    def at(self, resource: str, revision: int) -> dict[Key, Obj]:
        """Return the objects as they were at ``revision``; Expired when compacted."""
        if revision >= self._oldest:
            past = dict(self.objects(resource))
            for step in reversed(self._history):
                if step.revision <= revision:
                    break
                if step.event.resource == resource:
                    put_back(past, step)
            return past
        self._check_compacted(revision)
        page = self.store.list(f"/{resource}/", revision=revision)
        given = self._given(resource) if self._given is not None else {}
        return {**given, **{place_of(kv.key)[1]: self.decode(kv.value) for kv in page.items}}

    def since(self, resource: str, revision: int) -> list[Event]:
        """Return the events of a resource after ``revision``; Expired when compacted."""
        if revision >= self._oldest:
            return [s.event.read() for s in self._history if s.revision > revision and s.event.resource == resource]
        self._check_compacted(revision)
        older = [self._past_event(c) for c in self._changes(resource, revision)]
        newer = [s for s in self._history if s.revision > self.head.revision and s.event.resource == resource]
        return older + [step.event.read() for step in newer]

    def has(self, resource: str, key: Key) -> bool:
        """Say whether there is an object, without looking at it."""
        return key in (self._tables.get(resource) or self._load(resource)).objects

    # writing

    def put(self, resource: str, key: Key, obj: Obj) -> Obj:
        """Write an object under the next revision and return it as stored."""
        table = self._tables.get(resource) or self._load(resource)
        old = table.objects.get(key)
        revision = self.revision = self.revision + 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}
        if self._frozen:
            obj = freeze(obj)
        created = table.created.get(key, 0)
        if old is None:
            table.created[key] = revision
        table.objects[key] = obj
        event = Event("MODIFIED" if old is not None else "ADDED", resource, obj, old)
        self._history.append(Step(revision, key, event, created))
        self._deliver(event)
        return obj

    def put_filled(self, key: Key, cohort: Cohort, own: tuple[str, ...]) -> None:
        """Write a new object that nobody has seen yet; its revision is the last of its own values."""
        resource = cohort.resource
        table = self._tables.get(resource) or self._load(resource)
        revision = self.revision = self.revision + 1
        event = Filled(cohort, (*own, str(revision)))
        table.created[key] = revision
        if isinstance(table.objects, PackedObjects):
            table.objects.fill(key, event)
        else:
            table.objects[key] = event.object
        self._history.append(Step(revision, key, event, 0))
        for deliver in self._subscribers.get(resource, ()):
            deliver(cast("Event", event))  # which reads as one

    def put_changed(self, resource: str, key: Key, obj: Obj, old: Obj) -> Obj:
        """Write the new state of an object, which nobody has seen yet: its metadata is completed in place."""
        revision = self.revision = self.revision + 1
        obj["metadata"]["resourceVersion"] = str(revision)
        if self._frozen:
            obj = freeze(obj)
        table = self._tables[resource]
        table.objects[key] = obj
        event = Event("MODIFIED", resource, obj, old)
        self._history.append(Step(revision, key, event, table.created.get(key, 0)))
        for deliver in self._subscribers.get(resource, ()):
            deliver(event)
        return obj

    def remove(self, resource: str, key: Key, final: Obj) -> Obj:
        """Take an object out under the next revision and return its final state."""
        table = self._tables.get(resource) or self._load(resource)
        old = table.objects.pop(key)
        revision = self.revision = self.revision + 1
        final = {**final, "metadata": {**final["metadata"], "resourceVersion": str(revision)}}
        if self._frozen:
            final = freeze(final)
        event = Event("DELETED", resource, final, old)
        self._history.append(Step(revision, key, event, table.created.pop(key, 0)))
        self._deliver(event)
        return final

    def remove_unread(self, resource: str, key: Key, words: tuple[bytes, ...]) -> bool:
        """Take an object out that is held as it is stored; False when it is not, or may have one of the words."""
        table = self._tables.get(resource) or self._load(resource)
        objects = table.objects
        value = objects.packed(key) if isinstance(objects, PackedObjects) else None
        if value is None or self.codec.may_mention(value, words):
            return False
        del objects[key]
        revision = self.revision = self.revision + 1
        event = Unread(resource, value, revision, self.decode)
        self._history.append(Step(revision, key, event, table.created.pop(key, 0)))
        for deliver in self._subscribers.get(resource, ()):
            deliver(cast("Event", event))  # which reads as one
        return True

    # durability

    def commit(self, *, cause: str = "", request_id: bytes = b"", always: bool = False) -> None:
        """Make the batch durable as one entry; HeadMoved when another process wrote.

        Without writes nothing is stored, unless ``always`` (then the time alone is).
        """
        self._refuse_in_fork()
        if self.revision == self.head.revision and not always:
            return
        last, now = self.revision, self._clock.now()
        steps, encoded, writes = self._batch()
        try:
            self.head = self.store.commit(
                self.head, writes, revision=self.revision, now=now, cause=cause, request_id=request_id
            )
        except BaseException:
            self.revision = last  # the templates, which took the revisions after it, are not there
            raise
        self.codec.keep(encoded.fresh)
        self._pack(steps, encoded.values)
        if len(self._history) > 2 * HISTORY_LIMIT:
            dropped = self._history[:-HISTORY_LIMIT]
            self._oldest = dropped[-1].revision
            self._history = self._history[-HISTORY_LIMIT:]
        self._mark = len(self._history)
        if encoded.fresh and self._has_many_templates():
            self._sweep()

    def refresh(self) -> bool:
        """Take in what other processes committed, dropping uncommitted writes; say if anything changed."""
        self._refuse_in_fork()
        changed = len(self._history) > self._mark
        self._take_back(self._mark)
        self.revision = self.head.revision
        head = self.store.head()
        if head != self.head:
            known = self.head.revision
            self.head = head
            self.revision = head.revision
            self._take_in(known)
            changed = True
        return changed

    @contextmanager
    def fork(self) -> Iterator[None]:
        """Let writes inside go nowhere: at the end they are taken back, and subscribers told so."""
        mark, revision = len(self._history), self.revision
        self._forks += 1
        try:
            yield
        finally:
            self._forks -= 1
            self._take_back(mark)
            self.revision = revision

    def move(self, store: Store) -> bool:
        """Go over to an empty store: everything written so far is committed to it next.

        When the store is not empty (another process made it meanwhile) what was written here is
        dropped for what is there; say which it was.
        """
        if self._mark:
            raise RuntimeError("what is committed already cannot be moved")
        self.store = store
        self._codec = None
        self.head = store.head()
        if not self.head.revision:
            return True
        self._take_back(0)
        self.revision = self.head.revision
        self._take_in(0)
        return False

    def compact(self) -> None:
        """Forget every past state; watches and lists from before now are Expired."""
        self.commit()
        self.head = self.store.compact(self.head.revision)
        self._history.clear()
        self._mark = 0
        self._oldest = self.revision
        self._sweep()

    # watching

    def subscribe(self, resource: str, deliver: Deliver) -> Callable[[], None]:
        """Call ``deliver`` on every change of the resource from now on; return what ends it."""
        self._subscribers.setdefault(resource, []).append(deliver)

        def stop() -> None:
            found = self._subscribers.get(resource, [])
            if deliver in found:
                found.remove(deliver)

        return stop

    def watch(self, resource: str, revision: int) -> Subscription:
        """Subscribe to the changes after ``revision``; Expired when compacted."""
        return Subscription(partial(self.subscribe, resource), self.since(resource, revision))

    # inside

    def _deliver(self, event: Event) -> None:
        for deliver in self._subscribers.get(event.resource, ()):
            deliver(event)

    @property
    def codec(self) -> Codec:
        """Return what writes and reads the values of the store."""
        if self._codec is None:
            from kctl.apiserver.encoding import Codec

            self._codec = Codec(self.store)
        return self._codec

    def _stored(self, resource: str) -> list[KV]:
        """Return what the store has of a resource at our head.

        When another process compacted past it, that of the head it is now; HeadMoved when what was
        written here since would be lost by that.
        """
        from kctl.store.errors import Compacted, HeadMoved

        for _ in range(RELOADS):
            try:
                return self.store.list(f"/{resource}/", revision=self.head.revision).items
            except Compacted:
                if len(self._history) > self._mark or self._forks:
                    raise HeadMoved(self.store.head()) from None
                self.refresh()
        raise HeadMoved(self.store.head())

    def _load(self, resource: str) -> Table:
        objects: dict[Key, Obj] | PackedObjects = PackedObjects(self.decode) if resource in PACKED else {}
        table = Table(objects)
        with uncollected():
            for kv in self._stored(resource):
                key = place_of(kv.key)[1]
                if isinstance(objects, PackedObjects):
                    objects.pack(key, kv.value)
                else:
                    objects[key] = self.decode(kv.value)
                table.created[key] = kv.create_revision
        if self._given is not None:
            for key, obj in self._given(resource).items():
                if key not in table.objects:
                    table.objects[key] = freeze(obj) if self._frozen else obj
                    table.created[key] = 1
        self._tables[resource] = table
        return table

    def decode(self, value: bytes) -> Obj:
        """Return the object that a value of the store holds."""
        obj = self.codec.decode(value)
        return freeze(obj) if self._frozen else obj

    def _refuse_in_fork(self) -> None:
        if self._forks:
            raise RuntimeError("a fork is never committed or refreshed")

    def _batch(self) -> tuple[list[Step], Encoded, list[Write]]:
        """Return the steps whose objects are stored, their values, and one Write per key the batch touched.

        The templates that became worth having are written with it, under the revisions after the last.
        """
        from kctl.apiserver.encoding import PLACE
        from kctl.store.api import Write

        steps, first = last_of_each(self._history, self._mark)
        kept = [step for step in steps if step.event.type != "DELETED"]
        encoded = self.codec.encode([(step.event.resource, step.stored()) for step in kept])
        values = iter(encoded.values)
        writes: list[Write] = []
        created = {resource: table.created for resource, table in self._tables.items()}
        for step in steps:
            revision, key, event, _ = step
            resource = event.resource
            name = f"/{resource}/{key.namespace}/{key.name}"
            if event.type != "DELETED":
                writes.append(Write(name, next(values), revision, created[resource][key]))
            elif first[resource, key].event.type != "ADDED":
                writes.append(Write(name, None, revision, first[resource, key].created))
        for name, template in encoded.fresh.items():
            self.revision += 1
            writes.append(Write(PLACE + name, template.text, self.revision, self.revision))
        return kept, encoded, writes

    def _pack(self, steps: list[Step], values: list[bytes]) -> None:
        """Hold objects that are seldom read as what they are stored as now."""
        packed = {resource: table.objects for resource, table in self._tables.items() if resource in PACKED}
        for step, value in zip(steps, values, strict=True):
            objects = packed.get(step.event.resource)
            if isinstance(objects, PackedObjects):
                objects.pack(step.key, value)

    def _has_many_templates(self) -> bool:
        from kctl.apiserver.sweep import is_due

        return is_due(self.store, self.codec.count)

    def _sweep(self) -> None:
        """Remove the templates that nothing refers to."""
        from kctl.apiserver.sweep import sweep

        self._history = [step._replace(event=step.event.read()) for step in self._history]
        self.head = sweep(self.store, self.head)
        self.revision = self.head.revision
        self.codec.forget()

    def _take_back(self, mark: int) -> None:
        """Undo the history down to ``mark`` and tell subscribers, one event a key."""
        taken = self._history[mark:]
        del self._history[mark:]
        newest: dict[tuple[str, Key], Obj | None] = {}
        for step in reversed(taken):
            table = self._tables[step.event.resource]
            newest.setdefault((step.event.resource, step.key), table.objects.get(step.key))
            put_back(table.objects, step)
            if step.created:
                table.created[step.key] = step.created
            else:
                table.created.pop(step.key, None)
        for (resource, key), was in newest.items():
            self._announce(resource, was, self._tables[resource].objects.get(key))

    def _announce(self, resource: str, old: Obj | None, new: Obj | None) -> Event | None:
        """Tell subscribers that an object went from ``old`` to ``new`` and return the event."""
        if new is None:
            event = Event("DELETED", resource, old, old) if old is not None else None
        else:
            event = Event("ADDED" if old is None else "MODIFIED", resource, new, old)
        if event is not None:
            self._deliver(event)
        return event

    def _take_in(self, known: int) -> None:
        """Bring the loaded tables from revision ``known`` to the head."""
        from kctl.apiserver.encoding import TEMPLATES
        from kctl.store.errors import Compacted

        self.codec.forget()
        try:
            changes = [change for change in self.store.changes(known) if place_of(change.key)[0] != TEMPLATES]
        except Compacted:
            self._reload()
            return
        if any(place_of(change.key)[0] not in self._tables for change in changes):
            self._oldest = self.revision  # the history has gaps: the store tells what was before
        for change in changes:
            resource, key = place_of(change.key)
            table = self._tables.get(resource)
            if table is None:
                continue
            old = table.objects.get(key)
            new = None if change.value is None else self.decode(change.value)
            created = table.created.get(key, 0)
            if new is None:
                table.objects.pop(key, None)
                table.created.pop(key, None)
            else:
                table.objects[key] = new
                table.created[key] = change.create_revision
            event = self._announce(resource, old, new)
            if event is not None:
                self._history.append(Step(change.revision, key, event, created))
        self._mark = len(self._history)

    def _reload(self) -> None:
        """Read the loaded tables anew: too much was compacted to follow the changes."""
        for resource, table in list(self._tables.items()):
            fresh = self._load(resource)
            for key in sorted(table.objects.keys() | fresh.objects.keys()):
                old, new = table.objects.get(key), fresh.objects.get(key)
                if old != new:
                    self._announce(resource, old, new)
        self._history.clear()
        self._mark = 0
        self._oldest = self.revision

    def _check_compacted(self, revision: int) -> None:
        compacted = self.store.compacted()
        if revision < compacted:
            raise gone(f"too old resource version: {revision} ({compacted})")

    def _changes(self, resource: str, revision: int) -> Iterator[Change]:
        prefix = f"/{resource}/"
        return (c for c in self.store.changes(revision) if c.key.startswith(prefix))

    def _past_event(self, change: Change) -> Event:
        resource, key = place_of(change.key)
        before = self.store.get(store_key(resource, key), revision=change.revision - 1)
        old = self.decode(before.value) if before is not None else None
        if change.value is not None:
            new = self.decode(change.value)
            return Event("ADDED" if change.create_revision == change.revision else "MODIFIED", resource, new, old)
        final = old or {"metadata": {"namespace": key.namespace, "name": key.name}}
        final = {**final, "metadata": {**final["metadata"], "resourceVersion": str(change.revision)}}
        return Event("DELETED", resource, final, old)
