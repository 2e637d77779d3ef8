"""What one write is: to those who watch, to the history, to the store's keys.

Values only; who keeps them and what they are for stands in :mod:`kctl.apiserver.storage`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.objects import Key, Obj

if TYPE_CHECKING:
    from kctl.apiserver.cohorts import Cohort


class Event(NamedTuple):
    """One change; ``old`` is None for a new object. The form of client.WatchEvent."""

    type: str
    resource: str
    object: Obj
    old: Obj | None

    def read(self) -> Event:
        """Return the event with its objects."""
        return self

    def field(self, name: str) -> Any:
        """Return a field of the object."""
        return self.object.get(name)


class Unread:
    """The end of an object that nobody has looked at: what stands in an :class:`Event`, made when it is asked for."""

    __slots__ = ("_decode", "_revision", "_value", "resource")
    type = "DELETED"

    def __init__(self, resource: str, value: bytes, revision: int, decode: Callable[[bytes], Obj]) -> None:
        self.resource = resource
        self._value = value
        self._revision = revision
        self._decode = decode

    @property
    def old(self) -> Obj:
        """Return the object as it was."""
        return self._decode(self._value)

    @property
    def object(self) -> Obj:
        """Return its final state."""
        old = self.old
        return {**old, "metadata": {**old["metadata"], "resourceVersion": str(self._revision)}}

    def read(self) -> Event:
        """Return the event with its objects."""
        return Event(self.type, self.resource, self.object, self.old)

    def field(self, name: str) -> Any:
        """Return a field of the object."""
        return self.object.get(name)


class Filled:
    """A new object of a cohort: what stands in an :class:`Event`, made when it is asked for."""

    __slots__ = ("cohort", "values")
    type = "ADDED"
    old: Obj | None = None

    def __init__(self, cohort: Cohort, values: tuple[str, ...]) -> None:
        self.cohort = cohort
        self.values = values

    @property
    def resource(self) -> str:
        """Return the resource of the object."""
        return self.cohort.resource

    @property
    def object(self) -> Obj:
        """Return the object."""
        return self.cohort.make(self.values)

    def read(self) -> Event:
        """Return the event with its object."""
        return Event(self.type, self.resource, self.object, None)

    def field(self, name: str) -> Any:
        """Return a field that is the same in all objects of the cohort."""
        return self.cohort.field(name)


Deliver = Callable[[Event], None]
Given = Callable[[str], Mapping[Key, Obj]]
"""What a resource holds although nobody wrote it: in the store stands only what was changed of it."""


class Step(NamedTuple):
    """One write in the history: enough to deliver it again and to take it back."""

    revision: int
    key: Key
    event: Event | Unread | Filled
    created: int

    def stored(self) -> Obj | Filled:
        """Return what is to be stored."""
        return self.event if isinstance(self.event, Filled) else self.event.object


class Table:
    """The objects of one resource, and the revision each was created at."""

    __slots__ = ("created", "objects")

    def __init__(self, objects: MutableMapping[Key, Obj]) -> None:
        self.objects = objects
        self.created: dict[Key, int] = {}


class Subscription:
    """Events of one resource, kept until they are asked for."""

    def __init__(self, subscribe: Callable[[Deliver], Callable[[], None]], backlog: list[Event]) -> None:
        self._events = deque(backlog)
        self._stop = subscribe(self._events.append)

    def events(self) -> Iterator[Event]:
        """Yield what has happened since the last call, in order of revision."""
        while self._events:
            yield self._events.popleft().read()

    def waiting(self) -> bool:
        """Say whether something has happened since the last call."""
        return bool(self._events)

    def stop(self) -> None:
        """End the subscription."""
        self._stop()


def store_key(resource: str, key: Key) -> str:
    """Return where the store keeps an object: ``/pods/default/web-1``."""
    return f"/{resource}/{key.namespace}/{key.name}"


def place_of(name: str) -> tuple[str, Key]:
    """Split ``/pods/default/web-1`` into resource and key."""
    _, resource, namespace, rest = name.split("/", 3)
    return resource, Key(namespace, rest)


def put_back(objects: MutableMapping[Key, Obj], step: Step) -> None:
    """Make an object what it was before a write."""
    if step.event.old is None:
        objects.pop(step.key, None)
    else:
        objects[step.key] = step.event.old


def last_of_each(history: list[Step], mark: int) -> tuple[list[Step], dict[tuple[str, Key], Step]]:
    """Return the last step of each key since a mark, in their order, and the first step of those that end."""
    seen: dict[str, set[Key]] = {}
    last: list[Step] = []
    first: dict[tuple[str, Key], Step] = {}
    for n in range(len(history) - 1, mark - 1, -1):
        step = history[n]
        resource = step.event.resource
        keys = seen.get(resource)
        if keys is None:
            keys = seen[resource] = set()
        if step.key not in keys:
            keys.add(step.key)
            last.append(step)
            if step.event.type == "DELETED":
                first[resource, step.key] = step
        elif first and (resource, step.key) in first:
            first[resource, step.key] = step
    last.reverse()
    return last, first
