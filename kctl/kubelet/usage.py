"""What the pods of a node use of its memory and disk, as far as anybody said, and the images they brought.

In: pods and what their containers do. Out: the sum for each node, kept as pods change, and which
signals are below kubelet's default hard thresholds: memory.available<100Mi, nodefs.available<10%.
Containers of which nothing is said use nothing: there is no model behind it but that. Of images those
are told whose size is known: what a node lists moves pods (ImageLocality), and by how much is their size.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.behaviour import EVICTION_HARD, Annotated, Behaviours
from kctl.api.objects import Obj, dig
from kctl.client.cache import META, SPEC, STATUS, Cache, Fold
from kctl.kubelet.containers import state_of
from kctl.kubelet.images import parse
from kctl.kubelet.phase import TERMINAL, by_name
from kctl.kubelet.pulls import pulling_of

MEMORY, DISK = "memory", "ephemeral-storage"
MEMORY_THRESHOLD = 100 << 20
DISK_SHARE = 10
"""One part in so many of a disk is to be free."""
MOST_IMAGES = 50
"""So many images a node lists (nodeStatusMaxImages)."""
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


def _has_run(pod: Obj) -> bool:
    """Say whether a container of the pod runs or has its image; of others there is nothing to tell."""
    status = pod.get("status") or {}
    fields = (status.get("initContainerStatuses"), status.get("containerStatuses"))
    return any(state_of(found) == "running" or found.get("imageID") for field in fields for found in field or ())


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

    return pods.tally(
        "kubelet usage", shares, Used(), add, remove, on=META | SPEC | STATUS, where=_has_run, remembers=True
    )


def sized_images(pod: Obj, world: Behaviours) -> dict[str, int]:
    """Return the images of known size that a pod has brought to its node, by full name."""
    found: dict[str, int] = {}
    status = pod.get("status") or {}
    statuses = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    behaviour = world.pod(pod)
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        if (statuses.get(container["name"]) or {}).get("imageID"):
            size = pulling_of(pod, container, world, behaviour).size
            if size:
                found[parse(container["image"]).name] = size
    return found


Brought = dict[tuple[tuple[str, int], ...], int]
"""Sets of images of known size, each with how many pods of the node have brought it."""


def images_fold(pods: Cache, world: Annotated) -> Fold[Brought]:
    """Return the fold of images of known size by node."""

    def shares(pod: Obj) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
        node = pod["spec"].get("nodeName")
        images = sized_images(pod, world) if node and world.may_size(pod) else None
        return ((node, tuple(sorted(images.items()))),) if images else ()

    def add(known: Brought, images: tuple[tuple[str, int], ...]) -> Brought:
        return {**known, images: known.get(images, 0) + 1}

    def remove(known: Brought, images: tuple[tuple[str, int], ...]) -> Brought:
        left = {**known, images: known[images] - 1}
        return {one: count for one, count in left.items() if count}

    return pods.tally(
        "kubelet sized images", shares, {}, add, remove, on=META | SPEC | STATUS, where=_has_run, remembers=True
    )


def listed_images(node: Obj, brought: Iterable[tuple[tuple[str, int], ...]]) -> list[Obj]:
    """Return what the node's status lists with the images that were brought, the largest first."""
    known = {name: image for image in dig(node, "status", "images", default=()) for name in image.get("names") or ()}
    listed: list[Obj] = list(dig(node, "status", "images", default=()))
    for images in sorted(brought):
        for name, size in images:
            if name not in known:
                known[name] = {"names": [parse(name).id, name], "sizeBytes": size}
                listed.append(known[name])
    return sorted(listed, key=lambda image: -int(image.get("sizeBytes") or 0))[:MOST_IMAGES]


HIGH, LOW = 85, 80
"""Images go from a disk that is fuller than the one percentage, down to the other (imageGC...ThresholdPercent)."""


def without_unused(node: Obj, images: list[Obj], in_use: Container[str], disk: int, *, is_short: bool) -> list[Obj]:
    """Return the images that stay on a disk with ``disk`` bytes of other things, as the image garbage collector.

    Where the node is short of disk all go that no pod uses.
    """
    whole = capacity(node, DISK)
    full = disk + sum(int(image.get("sizeBytes") or 0) for image in images)
    if not is_short and (not whole or full * 100 < whole * HIGH):
        return images
    kept = []
    for image in images:
        is_used = any(parse(name).name in in_use for name in image.get("names") or ())
        if is_used or (not is_short and full * 100 <= whole * LOW):
            kept.append(image)
        else:
            full -= int(image.get("sizeBytes") or 0)
    return kept


def _least(node: Obj, resource: str, whole: int) -> int:
    """Return how much of a resource a node has to have left."""
    if EVICTION_HARD not in (node["metadata"].get("annotations") or {}):
        return MEMORY_THRESHOLD if resource == MEMORY else whole // DISK_SHARE
    from kctl.api.kubeletconfig import least_of, thresholds_of

    hard = thresholds_of(node)
    return least_of(hard[resource], whole) if resource in hard else 0


def shortages(node: Obj, used: Used) -> list[Shortage]:
    """Return what the node has too little left of."""
    found = []
    for signal, resource in CAPACITY.items():
        in_use = used.memory if resource == MEMORY else used.disk
        if in_use:
            whole = capacity(node, resource)
            least = _least(node, resource, whole)
            if whole - in_use < least:
                found.append(Shortage(signal, least, whole - in_use))
    return found


def capacity(node: Obj, resource: str) -> int:
    """Return how many bytes of a resource the node has."""
    text = dig(node, "status", "capacity", resource)
    return quantity.value(text) if text else 0
