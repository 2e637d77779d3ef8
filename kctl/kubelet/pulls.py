"""The queue for the image puller of a node: one pull at a time, as ``serializeImagePulls: true``.

In: the images a node has with the instants from which it has them, and what its pods want, all
read off the pods' statuses. Out: when a container's image is there. A kubelet asks for an image
when the container's turn comes; requests are served in that order, those of one instant in the
order in which their pods were bound, then by name. A request for an image that another has
brought meanwhile waits its turn and then takes no time: the layers are there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, is_deleting
from kctl.client.cache import META, SPEC, STATUS, Cache, Fold
from kctl.kubelet.containers import wanted
from kctl.kubelet.images import parse
from kctl.kubelet.phase import by_name


class Request(NamedTuple):
    """What a container wants: since when, and its place among those of the same instant."""

    since: float
    bound: float
    namespace: str
    pod: str
    number: int
    image: str
    always: bool


class Pull(NamedTuple):
    """How a request fares: not pulled at all when the image ``was_there``; begun and done when."""

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


def request(pod: Obj, number: int, container: Obj, since: float) -> Request:
    """Return the request of a container, the ``number``-th of its pod, whose turn came at ``since``."""
    meta = pod["metadata"]
    always = container.get("imagePullPolicy") == "Always"
    name = parse(container["image"]).name
    return Request(since, bound_at(pod, since), meta.get("namespace", ""), meta["name"], number, name, always)


def requests_of(pod: Obj) -> Iterator[Request]:
    """Yield what the pod wants of its node's puller."""
    status = pod.get("status") or {}
    if status.get("phase") != "Pending" or is_deleting(pod):
        return
    since = sandbox_since(status)
    if since is None:
        return
    statuses = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    for number, container, begun in wanted(pod["spec"], statuses, since):
        if container.get("imagePullPolicy") != "Never" and not parse(container["image"]).error:
            yield request(pod, number, container, begun)


def queue_fold(pods: Cache) -> Fold[tuple[Request, ...]]:
    """Return the fold of requests by node, in the order in which they are served."""

    def shares(pod: Obj) -> tuple[tuple[str, Request], ...]:
        node = pod["spec"].get("nodeName")
        return tuple((node, asked) for asked in requests_of(pod)) if node else ()

    def add(queue: tuple[Request, ...], asked: Request) -> tuple[Request, ...]:
        at = bisect_left(queue, asked)
        return (*queue[:at], asked, *queue[at:])

    def remove(queue: tuple[Request, ...], asked: Request) -> tuple[Request, ...]:
        at = bisect_left(queue, asked)
        return (*queue[:at], *queue[at + 1 :])

    return pods.tally("kubelet pulls", shares, (), add, remove, on=META | SPEC | STATUS)


def serve(own: Request, queue: Sequence[Request], images: Mapping[str, float], seconds: float) -> Pull:
    """Return how ``own`` fares behind the others of the queue; a pull takes ``seconds``.

    ``images`` came by pulls that are done: each had the puller for itself until its instant.
    """
    begin = min(own.since, queue[0].since) if queue else own.since
    busy = sorted(at for at in set(images.values()) if at > begin)
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
                insort(busy, pull.done)
    return _serve(own, images, brought, busy, seconds, turn)


def _serve(
    asked: Request,
    images: Mapping[str, float],
    brought: Mapping[str, float],
    busy: Sequence[float],
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
    for until in busy[bisect_right(busy, turn) :]:
        if until - seconds > turn:
            break
        turn = until
    return Pull(False, turn, turn if there is not None and there <= turn else turn + seconds)
