"""What the pods of a node use of its memory and disk, as far as anybody said.

In: pods and what their containers do. Out: the sum for each node, kept as pods change, and which
signals are below kubelet's default hard thresholds: memory.available<100Mi, nodefs.available<10%.
Containers of which nothing is said use nothing: there is no model behind it but that.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api import quantity
from kctl.api.behaviour import Behaviours
from kctl.api.objects import Obj, dig
from kctl.client.cache import META, SPEC, STATUS, Cache, Fold
from kctl.kubelet.containers import state_of
from kctl.kubelet.phase import TERMINAL, by_name

MEMORY, DISK = "memory", "ephemeral-storage"
MEMORY_THRESHOLD = 100 << 20
DISK_SHARE = 10
"""One part in so many of a disk is to be free."""
CAPACITY = {"memory": MEMORY, "disk": DISK}


class Used(NamedTuple):
    """Bytes in use."""

    memory: int = 0
    disk: int = 0


class Shortage(NamedTuple):
    """A signal below its threshold: what is to be left, and what is."""

    signal: str
    threshold: int
    available: int


def used_by(pod: Obj, world: Behaviours) -> Used:
    """Return what the running containers of a pod use."""
    behaviour = world.pod(pod)
    status = pod.get("status") or {}
    if behaviour is None or status.get("phase") in TERMINAL:
        return Used()
    memory = disk = 0
    statuses = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    for name, found in statuses.items():
        if state_of(found) == "running":
            does = behaviour.of(name)
            memory += does.memory or 0
            disk += does.disk or 0
    return Used(memory, disk)


def usage_fold(pods: Cache, world: Behaviours) -> Fold[Used]:
    """Return the fold of what is used by node."""

    def shares(pod: Obj) -> tuple[tuple[str, Used], ...]:
        node = pod["spec"].get("nodeName")
        if not node:
            return ()
        used = used_by(pod, world)
        return ((node, used),) if used.memory or used.disk else ()

    def add(one: Used, other: Used) -> Used:
        return Used(one.memory + other.memory, one.disk + other.disk)

    def remove(one: Used, other: Used) -> Used:
        return Used(one.memory - other.memory, one.disk - other.disk)

    return pods.tally("kubelet usage", shares, Used(), add, remove, on=META | SPEC | STATUS)


def shortages(node: Obj, used: Used) -> list[Shortage]:
    """Return what the node has too little left of."""
    found = []
    if used.memory:
        left = capacity(node, MEMORY) - used.memory
        if left < MEMORY_THRESHOLD:
            found.append(Shortage("memory", MEMORY_THRESHOLD, left))
    if used.disk:
        whole = capacity(node, DISK)
        if whole - used.disk < whole // DISK_SHARE:
            found.append(Shortage("disk", whole // DISK_SHARE, whole - used.disk))
    return found


def capacity(node: Obj, resource: str) -> int:
    """Return how many bytes of a resource the node has."""
    text = dig(node, "status", "capacity", resource)
    return quantity.value(text) if text else 0
