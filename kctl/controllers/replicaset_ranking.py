"""Which pods of a ReplicaSet go first when there are too many.

In: active pods, and how many active pods of the same owner group each node has. Out: the pods
to delete, first the one that is missed least. As controller.ActivePodsWithRanks, whose
comparison is no total order, so it is written as a comparison too; equals go by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cmp_to_key
from heapq import nsmallest
from math import log2
from typing import NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, annotations_of
from kctl.controllers.pods import phase_of, ready_since

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


class Ranked(NamedTuple):
    """A pod with what decides about it."""

    first: tuple[bool, int, bool, int, int]
    ready: float
    restarts: tuple[int, int]
    created: float
    uid: str
    name: str
    pod: Obj


def first_to_go(pods: Iterable[Obj], count: int, neighbours: Mapping[str, int], now: float) -> list[Obj]:
    """Return the ``count`` pods to delete; ``neighbours`` counts related active pods per node."""
    ranked = [rank(pod, neighbours) for pod in pods]

    def order(one: Ranked, other: Ranked) -> int:
        return compare(one, other, now)

    chosen = nsmallest(count, ranked, key=cmp_to_key(order))
    return [found.pod for found in chosen]


def rank(pod: Obj, neighbours: Mapping[str, int]) -> Ranked:
    """Return the pod with its sort values, computed once."""
    meta = pod["metadata"]
    node = pod["spec"].get("nodeName") or ""
    since = ready_since(pod)
    first = (
        bool(node),
        PHASES.get(phase_of(pod), 0),
        since is not None,
        deletion_cost(pod),
        -neighbours.get(node, 0),
    )
    return Ranked(
        first,
        parse_time(since) if since else 0.0,
        _restarts(pod),
        parse_time(meta["creationTimestamp"]) if meta.get("creationTimestamp") else 0.0,
        meta.get("uid", ""),
        meta["name"],
        pod,
    )


def compare(one: Ranked, other: Ranked, now: float) -> int:
    """Say which pod goes first (negative: ``one``), as ActivePodsWithRanks.Less."""
    if one.first != other.first:
        return -1 if one.first < other.first else 1
    if one.first[2] and one.ready != other.ready:
        return _younger(one.ready, other.ready, now) or _by(one.uid, other.uid)
    if one.restarts != other.restarts:
        return 1 if one.restarts < other.restarts else -1
    if one.created != other.created:
        return _younger(one.created, other.created, now) or _by(one.uid, other.uid)
    return _by(one.name, other.name)


def _by(one: str, other: str) -> int:
    return (one > other) - (one < other)


def _younger(one: float, other: float, now: float) -> int:
    """Compare ages in powers of two, as LogarithmicScaleDown does, so that age matters only coarsely."""
    if not one or not other:
        return -1 if not one else 1
    return _age_rank(now - one) - _age_rank(now - other)


def _age_rank(seconds: float) -> int:
    return int(log2(seconds * 1e9)) if seconds > 0 else -1


def deletion_cost(pod: Obj) -> int:
    """Return the cost the user gave the pod, 0 for none or a malformed one."""
    text = annotations_of(pod).get(DELETION_COST)
    try:
        return int(text) if text is not None else 0
    except ValueError:
        return 0


def _restarts(pod: Obj) -> tuple[int, int]:
    """Return the highest restart count of regular containers and of sidecars."""
    status = pod.get("status") or {}
    regular = max([found.get("restartCount", 0) for found in status.get("containerStatuses") or ()], default=0)
    of_init = status.get("initContainerStatuses")
    if not of_init:
        return regular, 0
    sidecars = {c["name"] for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"}
    side = (found.get("restartCount", 0) for found in of_init if found["name"] in sidecars)
    return regular, max(side, default=0)
