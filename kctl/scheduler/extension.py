"""The extension points of the scheduling framework, and the values that pass between them.

A plugin has a ``name`` and whichever extension points it defines; plugins keep no state of their own
between calls, what they work out for a pod goes into the :class:`Cycle`. A refusal is a value
(:class:`No`), not an error. What a pod has to wait for between its decision and its binding is a
:class:`Reservation`: Reserve, PreBind and Unreserve in one. Permit has no plugin that would use it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, runtime_checkable

from kctl.api.objects import Key
from kctl.client.client import Client
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo

if TYPE_CHECKING:
    from kctl.runtime.actions import Action
    from kctl.scheduler.framework import Framework

MAX_SCORE = 100


class No(NamedTuple):
    """A refusal. ``unresolvable``: removing pods would not help (UnschedulableAndUnresolvable).

    ``is_error``: the plugin cannot tell, because of what the pod asks for; no other node counts then.
    """

    plugin: str
    reasons: tuple[str, ...]
    unresolvable: bool = False
    is_error: bool = False


class Skip:
    """The type of :data:`SKIP`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SKIP"


SKIP: Final = Skip()
"""Returned by PreFilter or PreScore: the plugin has nothing to say about this pod."""


class Preemption(NamedTuple):
    """What a PostFilter plugin achieved: room on ``node`` once ``victims`` are gone.

    ``candidates`` are all nodes it tried with success, ``message`` says why there is none.
    """

    node: str = ""
    victims: tuple[PodInfo, ...] = ()
    candidates: dict[str, tuple[PodInfo, ...]] = {}  # noqa: RUF012 never written to
    message: str = ""
    clears: bool = True
    """Whether an older nomination of the pod is withdrawn when there is no node."""
    actions: tuple[Action, ...] = ()
    """What the plugin wants written, so that the pod fits later."""


NOT_FOUND = "not found"
"""What DynamicResources answers, ending PostFilter, when PreFilter never came to it."""


Checks = Sequence[Callable[["Cycle", NodeInfo], No | None]]
"""The filters that have something to say about a pod, in order."""


class Cycle:
    """One pod's way through the framework; plugins keep their findings in ``data``."""

    __slots__ = ("cluster", "data", "pod")

    def __init__(self, cluster: Cluster, pod: PodInfo, data: dict[str, Any] | None = None) -> None:
        self.cluster = cluster
        self.pod = pod
        self.data: dict[str, Any] = {} if data is None else data

    def clone(self) -> Cycle:
        """Return a copy to try things on; entries that change have a ``clone`` of their own."""
        data = {name: value.clone() if hasattr(value, "clone") else value for name, value in self.data.items()}
        return Cycle(self.cluster, self.pod, data)


@runtime_checkable
class PreEnqueue(Protocol):
    """Keeps a pod out of the queue altogether."""

    def pre_enqueue(self, pod: PodInfo, cluster: Cluster) -> No | None:
        """Refuse the pod, or None."""
        ...


@runtime_checkable
class QueueSort(Protocol):
    """Orders the queue."""

    def sort_key(self, pod: PodInfo, since: float) -> tuple[Any, ...]:
        """Return what to order by; ``since`` is when the pod was queued."""
        ...


@runtime_checkable
class PreFilter(Protocol):
    """Looks at the pod once, before any node."""

    name: str

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Refuse the pod, step aside, name the only nodes to look at, or None."""
        ...


@runtime_checkable
class PreFilterExtensions(Protocol):
    """Keeps what PreFilter found true while preemption tries pods out."""

    name: str

    def add_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Take in that ``pod`` runs on ``node``."""
        ...

    def remove_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Take in that ``pod`` does not run on ``node``."""
        ...


@runtime_checkable
class Filter(Protocol):
    """Looks at one node."""

    name: str

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse the node, or None."""
        ...


@runtime_checkable
class PostFilter(Protocol):
    """Has a last word when no node passed."""

    name: str

    def post_filter(self, framework: Framework, cycle: Cycle, refused: Refused) -> Preemption:
        """Make room, or say why not."""
        ...


@runtime_checkable
class PreScore(Protocol):
    """Looks at the feasible nodes once, before they are scored."""

    name: str

    def pre_score(self, cycle: Cycle, nodes: Sequence[NodeInfo]) -> Skip | None:
        """Prepare, or step aside."""
        ...


@runtime_checkable
class Score(Protocol):
    """Rates one node."""

    name: str

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Return the raw score."""
        ...


@runtime_checkable
class NormalizeScore(Protocol):
    """Brings raw scores into 0..100."""

    name: str

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Return the scores normalised, in the same order."""
        ...


class PreBindError(Exception):
    """What a pod waits for before it is bound will not come: it is to be scheduled again."""


class Reservation(Protocol):
    """What was promised to a pod that has its node, and has to come true before it is bound.

    ``plugin`` made the promise. ``is_immediate``: once it is written there is nothing to wait for.
    """

    plugin: str

    @property
    def is_immediate(self) -> bool:
        """Whether nothing has to come true beyond what :meth:`write` writes."""
        ...

    def write(self, client: Client, now: float) -> None:
        """Ask for it (the beginning of PreBind); StatusError when that is refused."""
        ...

    def concerns(self, resource: str, key: Key) -> bool:
        """Say whether a change of the object may end the wait."""
        ...

    def is_done(self) -> bool:
        """Say whether it has come (the end of PreBind); PreBindError when it will not."""
        ...

    def release(self) -> None:
        """Give it up (Unreserve)."""
        ...


@runtime_checkable
class Reserve(Protocol):
    """Promises a pod what it needs on its node."""

    name: str

    def reserve(self, cluster: Cluster, pod: PodInfo, node: str) -> Reservation | None:
        """Promise it at once; None when there is nothing to wait for."""
        ...


@runtime_checkable
class Bind(Protocol):
    """Says how a pod is bound; the loop binds many at once."""

    def binding(self, pod: PodInfo, node: str) -> tuple[Key, str, str]:
        """Return the pod's key and uid, and the node."""
        ...


class Refused(NamedTuple):
    """Which nodes said no, and why; ``absent`` speaks for those not looked at."""

    nodes: Sequence[NodeInfo]
    refusals: dict[str, No]
    absent: No | None
    pod_refused: bool = False
    """PreFilter refused the pod before any node was looked at."""

    def of(self, node: str) -> No | None:
        """Return the node's refusal."""
        return self.refusals.get(node, self.absent)
