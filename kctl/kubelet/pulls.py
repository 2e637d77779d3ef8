"""The queue for the image puller of a node: one pull at a time, as ``serializeImagePulls: true``.

In: the images a node has with the instants from which it has them, and what its pods want, all
read off the pods' statuses. Out: when a container's image is there. A kubelet asks for an image
when the container's turn comes; requests are served in that order, those of one instant in the
order in which their pods were bound, then by name. A request for an image that another has
brought meanwhile waits its turn and then takes no time: the layers are there. A pull that fails does so at
once; it is asked for anew when its back-off ends, in the queue of that instant.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from math import inf
from operator import is_, itemgetter
from typing import Any, NamedTuple, cast

from kctl.api.behaviour import ON_DEMAND, Behaviours, PodBehaviour, Pulling, Works
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, is_deleting
from kctl.client.cache import META, SPEC, STATUS, Cache, Fold
from kctl.kubelet.containers import wanted
from kctl.kubelet.images import parse
from kctl.kubelet.phase import by_name
from kctl.kubelet.restarts import attempt_number

WORKS = Works()
"""A world in which everything works."""


class Request(NamedTuple):
    """What a container wants: since when, and its place among those of the same instant."""

    since: float
    bound: float
    namespace: str
    pod: str
    number: int
    image: str
    always: bool
    pulling: Pulling = ON_DEMAND


class Pull(NamedTuple):
    """How a request fares: not pulled at all when the image ``was_there``; begun and done when.

    inf as ``done`` for an image that cannot be had.
    """

    was_there: bool
    begun: float
    done: float


def sandbox_since(status: Obj) -> float | None:
    """Return since when the pod's sandbox is there, None when it is not."""
    for found in status.get("conditions") or ():
        if found.get("type") == "PodReadyToStartContainers":
            if found.get("status") == "True" and found.get("lastTransitionTime"):
                return parse_time(found["lastTransitionTime"])
            return None
    return None


def bound_at(pod: Obj, default: float) -> float:
    """Return when the pod was bound: since when it counts as scheduled."""
    for found in (pod.get("status") or {}).get("conditions") or ():
        if found.get("type") == "PodScheduled":
            since = found.get("lastTransitionTime")
            return parse_time(since) if since else default
    return default


def pulling_of(pod: Obj, container: Obj, world: Behaviours, behaviour: PodBehaviour | None) -> Pulling:
    """Say what comes of pulling the image of a container of the pod."""
    own = None if behaviour is None else behaviour.of(container["name"]).pulling
    return own or world.image(container["image"], pod["spec"].get("nodeName", ""))


def request(pod: Obj, number: int, container: Obj, since: float, pulling: Pulling = ON_DEMAND) -> Request:
    """Return the request of a container, the ``number``-th of its pod, whose turn came at ``since``.

    What fails at first counts from the attempt that succeeds.
    """
    meta = pod["metadata"]
    always = container.get("imagePullPolicy") == "Always"
    name = parse(container["image"]).name
    if pulling.failures:
        since += attempt_number(pulling.failures)
    bound = bound_at(pod, since)
    return Request(since, bound, meta.get("namespace", ""), meta["name"], number, name, always, pulling)


def requests_of(pod: Obj, world: Behaviours = WORKS) -> Iterator[Request]:
    """Yield what the pod wants of its node's puller and gets."""
    status = pod.get("status") or {}
    if status.get("phase") != "Pending" or is_deleting(pod):
        return
    since = sandbox_since(status)
    if since is None:
        return
    statuses = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    behaviour = world.pod(pod)
    for number, container, begun in wanted(pod["spec"], statuses, since, behaviour):
        if container.get("imagePullPolicy") == "Never" or parse(container["image"]).error:
            continue
        pulling = pulling_of(pod, container, world, behaviour)
        if pulling.failures < inf:
            yield request(pod, number, container, begun, pulling)


def _may_pull(pod: Obj) -> bool:
    status = pod.get("status") or {}
    return status.get("phase") == "Pending" and not is_deleting(pod) and sandbox_since(status) is not None


KIND = itemgetter(0, 5, 6)
"""Of a request: since when, which image, whether it is always pulled."""
POD, IMAGE, PULLING = itemgetter(3), itemgetter(5), itemgetter(7)
Kind = tuple[float, str, bool]


class Queue(tuple[Request, ...]):
    """The requests of a node in the order in which they are served.

    ``kind`` is what all of them want when that is the same and nothing unusual, else None.
    """

    kind: Kind | None = None

    @classmethod
    def of(cls, requests: Iterable[Request], kind: Kind | None) -> Queue:
        """Return a queue of requests that are of one kind, or None."""
        found = cls(requests)
        found.kind = kind
        return found


def _kind_of(requests: Sequence[Request]) -> Kind | None:
    """Return the kind of requests that are all alike and nothing but simply to be pulled."""
    if KIND(requests[0]) != KIND(requests[-1]):
        return None  # as it is where workloads meet; nobody looks at the rest then
    kinds = set(map(KIND, requests))
    if len(kinds) != 1 or not all(map(is_, map(PULLING, requests), repeat(ON_DEMAND))):
        return None
    (kind,) = kinds
    return cast("Kind", kind)


NO_QUEUE = Queue()


def queue_fold(pods: Cache, world: Behaviours = WORKS) -> Fold[Queue]:
    """Return the fold of requests by node, in the order in which they are served."""

    def shares(pod: Obj) -> tuple[tuple[str, Request], ...]:
        node = pod["spec"].get("nodeName")
        return tuple((node, asked) for asked in requests_of(pod, world)) if node else ()

    on = META | SPEC | STATUS
    return pods.tally("kubelet pulls", shares, NO_QUEUE, queued, served, on=on, where=_may_pull, remembers=True)


def queued(queue: Queue, asked: Request) -> Queue:
    """Return a queue with one request more."""
    kind = _kind_of((asked,))
    at = bisect_left(queue, asked)
    return Queue.of((*queue[:at], asked, *queue[at:]), kind if not queue or queue.kind == kind else None)


def served(queue: Queue, asked: Request) -> Queue:
    """Return a queue without one of its requests."""
    at = bisect_left(queue, asked)
    left = (*queue[:at], *queue[at + 1 :])
    return Queue.of(left, queue.kind or _kind_of(left)) if left else NO_QUEUE


def serve(own: Request, queue: Sequence[Request], images: Mapping[str, float], seconds: float) -> Pull:
    """Return how ``own`` fares behind the others of the queue; a pull takes ``seconds`` unless it says otherwise.

    ``images`` came by pulls that are done: each had the puller for itself until its instant.
    """
    if own.since == inf:
        return Pull(False, inf, inf)
    begin = min(own.since, queue[0].since) if queue else own.since
    took = {asked.image: asked.pulling.seconds for asked in queue if asked.pulling.seconds is not None}
    busy = sorted((at, took.get(image, seconds)) for image, at in images.items() if at > begin)
    brought: dict[str, float] = {}
    turn = begin
    for asked in queue:
        if asked >= own:
            break
        if asked.pod == own.pod and asked.number == own.number and asked.namespace == own.namespace:
            continue
        pull = _serve(asked, images, brought, busy, seconds, turn)
        if not pull.was_there:
            turn = pull.begun
            if pull.done > turn:
                brought[asked.image] = pull.done
                insort(busy, (pull.done, pull.done - pull.begun))
    return _serve(own, images, brought, busy, seconds, turn)


LIMIT = 4096
"""So many answers are remembered."""


class Served:
    """What pullers answered: of requests alike behind requests alike becomes the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], Pull] = {}

    def serve(self, like: Request, pod: str, queue: Queue, images: Mapping[str, float], seconds: float) -> Pull:
        """Return how a pod of the same namespace fares with such a request, as :func:`serve`."""
        place = _situation(like, pod, queue, images, seconds)
        found = None if place is None else self._known.get(place)
        if found is None:
            found = serve(like._replace(pod=pod), queue, images, seconds)
            if len(self._known) >= LIMIT:
                self._known.clear()
            if place is not None:
                self._known[place] = found
        return found


def _situation(
    like: Request, pod: str, queue: Queue, images: Mapping[str, float], seconds: float
) -> tuple[Any, ...] | None:
    """Return what the answer to a request depends on; None when that is more than the common things.

    Of requests that are all alike two are as good as many: the second finds what the first has brought.
    """
    since, _, _, _, number, image, always, pulling = like
    head: Any = ()
    begin, wanted = since, {image}
    ahead = queue[: bisect_left(queue, (since, like.bound, like.namespace, pod, number))] if queue else ()
    if queue and queue.kind is None and not all(map(is_, map(PULLING, queue), repeat(ON_DEMAND))):
        return None
    if ahead:
        if pod in map(POD, ahead):
            return None
        head = (queue.kind, min(len(ahead), 2)) if queue.kind is not None else tuple(map(KIND, ahead))
        begin = min(begin, ahead[0].since)
        wanted.update(map(IMAGE, ahead) if queue.kind is None else (queue.kind[1],))
    there = tuple((name, at) for name, at in images.items() if at > begin or name in wanted) if images else ()
    return since, image, always, pulling, head, there, seconds


def _serve(
    asked: Request,
    images: Mapping[str, float],
    brought: Mapping[str, float],
    busy: Sequence[tuple[float, float]],
    seconds: float,
    turn: float,
) -> Pull:
    """Return how a request fares; its turn comes no sooner than that of the one before it, ``turn``."""
    since = asked.since
    there = images.get(asked.image)
    if there is None or (asked.image in brought and brought[asked.image] < there):
        there = brought.get(asked.image)
    if there is not None and there <= since and not asked.always:
        return Pull(True, since, since)
    turn = max(since, turn)
    for until, took in busy[bisect_right(busy, (turn, inf)) :]:
        if until - took > turn:
            break
        turn = until
    took = seconds if asked.pulling.seconds is None else asked.pulling.seconds
    return Pull(False, turn, turn if there is not None and there <= turn else turn + took)
