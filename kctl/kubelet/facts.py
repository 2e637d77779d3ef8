"""What a kubelet keeps in memory, derived from the pods of the cluster instead.

Two folds over pods: the images of each node with the instant from which each is present, and
the addresses in use. Both change by one pod at a time; nobody walks a node's pods.

An image is present on a node while a pod that has started a container from it exists there,
or while the node's status lists it. What is being pulled is told by :mod:`kctl.kubelet.pulls`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from kctl.api.behaviour import Behaviours
from kctl.api.objects import Obj
from kctl.client.cache import SPEC, STATUS, Cache, Fold, by_node
from kctl.kubelet.containers import started_at
from kctl.kubelet.images import parse
from kctl.kubelet.phase import TERMINAL, by_name
from kctl.kubelet.pulls import WORKS, Queue, queue_fold
from kctl.runtime.profile import Profile

STATUSES = ("initContainerStatuses", "containerStatuses")
Images = dict[str, dict[float, int]]
"""For each image of a node: the instants from which it is present, each with its pods."""


def image_fold(pods: Cache, profile: Profile, world: Behaviours = WORKS) -> Fold[Images]:
    """Return the fold of images by node."""

    def shares(pod: Obj) -> tuple[tuple[str, tuple[str, float]], ...]:
        node = pod["spec"].get("nodeName")
        return tuple((node, time) for time in _image_times(pod, profile, world)) if node else ()

    return pods.tally(
        "kubelet images", shares, {}, _with_image, _without_image, on=SPEC | STATUS, where=has_images, remembers=True
    )


def _with_image(images: Images, share: tuple[str, float]) -> Images:
    name, at = share
    times = images.get(name, {})
    return {**images, name: {**times, at: times.get(at, 0) + 1}}


def _without_image(images: Images, share: tuple[str, float]) -> Images:
    name, at = share
    times = {**images[name], at: images[name][at] - 1}
    if not times[at]:
        del times[at]
    out = {**images, name: times}
    if not times:
        del out[name]
    return out


def has_images(pod: Obj) -> bool:
    """Say whether a pod has brought an image to its node."""
    status = pod.get("status") or {}
    return any(one.get("imageID") for field in STATUSES for one in status.get(field) or ())


def _image_times(pod: Obj, profile: Profile, world: Behaviours) -> Iterator[tuple[str, float]]:
    """Yield each image that the pod has brought to its node, and from when; what has run again has it long since."""
    status = pod.get("status") or {}
    if not has_images(pod):
        return
    spec = pod["spec"]
    behaviour = world.pod(pod)
    statuses = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        found = statuses.get(container["name"])
        if found and (found.get("restartCount") or found.get("lastState")):
            yield parse(container["image"]).name, 0.0
            continue
        at = started_at(found)
        if at is not None:
            start = None if behaviour is None else behaviour.of(container["name"]).start
            yield parse(container["image"]).name, at - (profile.container_start if start is None else start)


def images_on(node: Obj, found: Mapping[str, Mapping[float, int]]) -> dict[str, float]:
    """Return the instant from which each image is present on the node."""
    out = {name: min(times) for name, times in found.items()}
    for image in (node.get("status") or {}).get("images") or ():
        for name in image.get("names") or ():
            out[parse(name).name] = 0.0
    return out


BLOCK_BITS = 12
"""Addresses are kept by blocks of 4,096, one integer of that many bits each."""

Used = tuple[int, tuple[int, ...]]
"""The addresses of a block in use, as bits, and those that are in use more than once."""
NONE_USED: Used = (0, ())


def take(used: Used, offset: int) -> Used:
    """Return ``used`` with one more use of the address."""
    bits, again = used
    if bits >> offset & 1:
        return bits, tuple(sorted((*again, offset)))
    return bits | 1 << offset, again


def release(used: Used, offset: int) -> Used:
    """Return ``used`` with one use of the address less."""
    bits, again = used
    if offset in again:
        at = again.index(offset)
        return bits, again[:at] + again[at + 1 :]
    return bits & ~(1 << offset), again


def address_fold(pods: Cache) -> Fold[Used]:
    """Return the fold of pod addresses in use by block."""
    mask = (1 << BLOCK_BITS) - 1

    def shares(pod: Obj) -> tuple[tuple[int, int], ...]:
        address = _address_of(pod)
        return () if address is None else ((address >> BLOCK_BITS, address & mask),)

    return pods.tally(
        "kubelet addresses", shares, NONE_USED, take, release, on=SPEC | STATUS, where=_may_have_address, remembers=True
    )


def _may_have_address(pod: Obj) -> bool:
    status = pod.get("status") or {}
    return bool(status.get("podIP")) and status.get("phase") not in TERMINAL


def _address_of(pod: Obj) -> int | None:
    """Return the pod's own IPv4 address as a number; a pod that has ended holds none."""
    status = pod.get("status") or {}
    text = status.get("podIP")
    if not text or status.get("phase") in TERMINAL or pod["spec"].get("hostNetwork"):
        return None
    return ipv4(text)


@lru_cache(maxsize=1 << 16)
def ipv4(text: str) -> int | None:
    """Read a dotted IPv4 address as a number, None when it is not one."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts):
        return None
    a, b, c, d = map(int, parts)
    return a << 24 | b << 16 | c << 8 | d


def dotted(number: int) -> str:
    """Write an IPv4 address."""
    return f"{number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Folds(NamedTuple):
    """What kubelets keep in memory: images and pulls by node, addresses by block."""

    images: Fold[Images]
    queues: Fold[Queue]
    addresses: Fold[Used]


def prepare(pods: Cache, profile: Profile, world: Behaviours = WORKS) -> Folds:
    """Make the folds and the index of pods by node."""
    by_node(pods)
    return Folds(image_fold(pods, profile, world), queue_fold(pods, world), address_fold(pods))
