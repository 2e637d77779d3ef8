"""What a controller is: a descriptor and three steps.

*observe* reads caches and folds, *decide* is a pure function from the observation and ``now``
to actions and a wake-up time, *act* carries the actions out through the client. A controller
holds no state of its own between syncs: everything it knows is in the caches.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, ClassVar, NamedTuple, Protocol

from kctl.api.objects import Key, Obj, key_of
from kctl.client.cache import ALL, Caches, Changes
from kctl.client.client import Client
from kctl.runtime.actions import Action
from kctl.runtime.flags import DEFAULT_FLAGS, Flags
from kctl.runtime.queue import DEFAULT_LIMITER, Limiter

KeysOf = Callable[[Obj | None, Obj | None, Caches], Iterable[Key]]
Where = Callable[["Obj | None", "Obj | None"], bool]


class Watch(NamedTuple):
    """What wakes a controller: ``keys(old, new, caches)`` names what to sync after a change.

    ``old`` is None for a new object, ``new`` is None for a deleted one. Returning nothing for
    a change that does not matter is the predicate. ``on`` says which parts of an object ``keys``
    looks at: it is not asked about a change of others.

    Two things may be said of changes alike (:mod:`kctl.client.faces`). ``alike``: they have the same keys, of which
    the first is asked. ``where``, which the first is asked too: whether any may have keys at all.
    """

    resource: str
    keys: KeysOf
    on: int = ALL
    alike: bool = False
    where: Where | None = None


class Decision(NamedTuple):
    """What to do now, and when to look again although nothing changed.

    ``wake_at`` is an instant (seconds since 1970). A *progress* timer keeps convergence going;
    a *periodic* one only fires when time is asked to pass (CronJob schedules, resyncs).
    """

    actions: tuple[Action, ...] = ()
    wake_at: float | None = None
    periodic: bool = False


class Controller:
    """Base of every controller; subclasses set the attributes and write the steps.

    ``name`` is upstream's canonical name, ``user`` who it is to the API server; controllers of
    a lower ``level`` run first within an instant. All are started whether or not there is anything
    for them to do: loading all of them costs a few milliseconds.
    """

    name: ClassVar[str] = ""
    user: ClassVar[str] = ""
    level: ClassVar[int] = 50
    watches: tuple[Watch, ...] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    writes: ClassVar[tuple[str, ...]] = ()
    component: str = ""
    """What events name as their source, the name when it is empty."""
    flags: Flags = DEFAULT_FLAGS
    """What kube-controller-manager was started with; set before :meth:`prepare`."""
    batch: ClassVar[int] = 1
    """So many keys are synced in one step. The caches take in what is written; Events are recorded together."""
    limiter: ClassVar[Limiter] = DEFAULT_LIMITER
    """How often and when a key that was refused is tried again."""
    in_order: ClassVar[bool] = False
    """Whether the keys of one step go in order of namespace and name: for whoever comes first is served first."""

    def prepare(self, caches: Caches) -> None:
        """Register the indexes and folds the controller reads."""

    def place(self, caches: Caches, key: Key) -> Hashable | None:
        """Return the part of the world that a sync of the key sees and writes, None when that may be any.

        Of the keys of one step those in different places are observed and decided together, before any is written:
        what one writes the others do not look at.
        """
        return None

    def observe(self, caches: Caches, key: Key) -> Any | None:
        """Read what :meth:`decide` needs, None when there is nothing to do for the key."""
        raise NotImplementedError

    def decide(self, seen: Any, now: float) -> Decision:
        """Say what to do; pure: the same observation and instant give the same decision."""
        raise NotImplementedError

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; StatusError makes the manager try the key again later."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=self.component or self.name)


class Loop(Protocol):
    """What the manager drives. Controllers are adapted to it; the scheduler is one itself."""

    name: str
    level: int
    resources: tuple[str, ...]

    def deliver(self, changes: Changes) -> None:
        """Take notice of changes of one resource; the caches have all of them already."""
        ...

    def has_work(self) -> bool:
        """Say whether :meth:`step` would do something at this instant."""
        ...

    def step(self, now: float) -> int:
        """Do a bounded piece of work and return how many keys were synced."""
        ...

    def next_wake(self, *, periodic: bool) -> float | None:
        """Return the earliest timer; periodic ones only when ``periodic``."""
        ...

    def wake(self, now: float) -> None:
        """Move the timers due at ``now`` into the queue."""
        ...


def keys_of_self(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map a change to the object's own key."""
    obj = new or old
    return (key_of(obj),) if obj else ()


def keys_of_controller(kind: str) -> KeysOf:
    """Map a change of a dependent to its controlling owner of ``kind``, old and new."""

    def keys(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
        found: list[Key] = []
        for obj in (old, new):
            for ref in (obj or {}).get("metadata", {}).get("ownerReferences") or ():
                if ref.get("controller") and ref["kind"] == kind and obj:
                    key = Key(key_of(obj).namespace, ref["name"])
                    if key not in found:
                        found.append(key)
        return found

    return keys


def is_bound(old: Obj | None, new: Obj | None) -> bool:
    """Say whether a pod has a node, as it is or was last: ``where`` of a watch."""
    pod = new or old
    return pod is not None and bool(pod["spec"].get("nodeName"))
