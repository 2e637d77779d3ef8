"""When a run is too big to be finished: more pods than a cluster like this could ever hold.

In: the caches. Out: why the run has to stop, "" when it need not. A Deployment of 2,000,000,000 replicas is
valid; making its pods would take days and all memory, and tell nothing that the first of them do not tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import add, sub

from kctl.api.objects import Obj, dig, key_of
from kctl.client.cache import STATUS, Cache, Caches, Fold

FREE_PODS = 20_000
"""So many pods are made whatever the cluster's size."""
TIMES_ROOM = 4
"""Beyond those, so many times the pods that the nodes have room for."""
COUNTS = (
    ("deployments.apps", ("spec", "replicas")),
    ("statefulsets.apps", ("spec", "replicas")),
    ("replicasets.apps", ("spec", "replicas")),
    ("replicationcontrollers", ("spec", "replicas")),
    ("jobs.batch", ("spec", "parallelism")),
)


def too_big(caches: Caches) -> str:
    """Say why no more pods are to be made."""
    known = {cache.resource: cache for cache in caches.known()}
    pods, nodes = known.get("pods"), known.get("nodes")
    if pods is None or len(pods) <= FREE_PODS:
        return ""
    room = _room_of_all(nodes).get("") if nodes is not None else 0
    most = FREE_PODS + TIMES_ROOM * room
    if len(pods) <= most:
        return ""
    asked = max(_asked(caches, frozenset(known)), default=(0, ""))
    wish = f"; {asked[1]} asks for {asked[0]}" if asked[0] else ""
    return (
        f"{len(pods)} pods were made and the nodes have room for {room}: kctl stops at {most} pods "
        f"({FREE_PODS} and {TIMES_ROOM} times the room){wish}"
    )


def _room_of_all(nodes: Cache) -> Fold[int]:
    """Return the fold of the pods that all nodes have room for."""
    return nodes.tally("room", lambda node: (("", _room(node)),), 0, add, sub, on=STATUS)


def _room(node: Obj) -> int:
    from kctl.api import quantity

    try:
        return quantity.value(dig(node, "status", "allocatable", "pods", default=0))
    except ValueError:
        return 0


def _asked(caches: Caches, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    for resource, path in COUNTS:
        for obj in caches[resource].all() if resource in known else ():
            count = dig(obj, *path, default=0)
            name = "/".join(part for part in key_of(obj) if part)
            yield (count if isinstance(count, int) else 0), f"{resource} {name}"
