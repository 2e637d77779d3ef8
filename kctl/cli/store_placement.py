"""What the places of the replicas survive: which disk each lies on, and how many may fail.

In: directories, the kernel's tables of mounts and block devices. Out: the disks of each directory
and how many replicas, disks and hosts the log can lose and still be written to. Partitions,
logical volumes and loop devices count as the disks below them; what cannot be found out counts as
one disk with everything else that cannot. A disk array is one disk: that it survives the loss of a
member is its own affair.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MOUNTS = "/proc/self/mountinfo"
DEVICES = "/sys/dev/block"
MEMORY = "memory"
UNKNOWN = "unknown"
IN_MEMORY = frozenset(("tmpfs", "ramfs"))
DEPTH = 8
"""Block devices may stand on each other so deep."""


class Place(NamedTuple):
    """Where one directory lies: the disks below it and the type of its file system."""

    disks: tuple[str, ...]
    filesystem: str


class Survival(NamedTuple):
    """How many of what may be lost at once, in the worst case, with writes going on."""

    replicas: int
    disks: int
    hosts: int
    domains: int


def place_of(directory: Path, *, mounts: str = MOUNTS, devices: str = DEVICES) -> Place:
    """Return where a directory lies, or will: of one that is not there its nearest parent counts."""
    there = Path(os.path.realpath(directory))
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        device = there.stat().st_dev
    except OSError:
        return Place((UNKNOWN,), "")
    kind, source = _mount(there, mounts)
    if kind in IN_MEMORY:
        return Place((MEMORY,), kind)
    disks = _disks(device, Path(devices), DEPTH)
    if not disks and source.startswith("/"):  # the device of btrfs, and of what lies over others, is no disk's
        try:
            disks = _disks(os.stat(source).st_rdev, Path(devices), DEPTH)  # noqa: PTH116
        except OSError:
            disks = set()
    return Place(tuple(sorted(disks)) or (UNKNOWN,), kind)


def _mount(path: Path, mounts: str) -> tuple[str, str]:
    """Return type and source of the file system that holds a path."""
    try:
        lines = Path(mounts).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return "", ""
    below = f"{path}/"
    best, found = -1, ("", "")
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, what = left.split(" "), right.split(" ")
        if len(fields) < 5 or len(what) < 2:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\").rstrip("/") + "/"
        if below.startswith(point) and len(point) >= best:  # the later of two on one point is on top
            best, found = len(point), (what[0], what[1])
    return found


def _disks(device: int, devices: Path, depth: int) -> set[str]:
    """Return the names of the disks that a block device stands on, none when it is no block device."""
    link = devices / f"{os.major(device)}:{os.minor(device)}"
    if depth == 0 or not link.exists():
        return set()
    return _below(Path(os.path.realpath(link)), devices, depth)


def _below(node: Path, devices: Path, depth: int) -> set[str]:
    if (node / "partition").exists():
        node = node.parent
    try:
        slaves = sorted((node / "slaves").iterdir())
    except OSError:
        slaves = []
    if slaves and depth:
        return {name for slave in slaves for name in _below(Path(os.path.realpath(slave)), devices, depth - 1)}
    try:
        backing = (node / "loop" / "backing_file").read_text().strip()
        device = os.stat(backing).st_dev  # noqa: PTH116
    except OSError:
        return {node.name}
    return _disks(device, devices, depth - 1) or {node.name}


def survival(places: Sequence[Place]) -> Survival:
    """Return what voters at these places survive: a majority of them has to stay."""
    majority = len(places) // 2 + 1
    domains: list[tuple[set[str], int]] = []
    for place in places:
        disks, count = set(place.disks), 1
        apart = []
        for known, size in domains:
            if known & disks:
                disks, count = disks | known, count + size
            else:
                apart.append((known, size))
        domains = [*apart, (disks, count)]
    left, lost = len(places), 0
    for _, size in sorted(domains, key=lambda domain: -domain[1]):
        left -= size
        if left < majority:
            break
        lost += 1
    return Survival(len(places) - majority, lost, 0, len(domains))


def sentences(places: Sequence[Place]) -> list[str]:
    """Say in words what the placement survives and what it does not."""
    found = survival(places)
    count = len(places)
    disks = sorted({disk for place in places for disk in place.disks})
    lines = []
    if count == 1:
        lines.append("survives: a crash or kill of kctl, and a power cut on an honest disk")
        lines.append("does not survive: the loss of the file or its disk; rot is noticed, not repaired")
    else:
        replicas = _counted(found.replicas, "replica")
        lines.append(
            f"survives: a crash, a power cut, the loss or rot of {replicas}, {_counted(found.disks, 'disk')}, 0 hosts"
        )
        domains = _counted(found.domains, "failure domain")
        lines.append(f"{count} replicas, {domains}: {', '.join(disks)}")
        if found.domains == 1:
            lines.append("warning: the replicas share a disk: its loss is the loss of the log")
        elif not found.disks:
            lines.append("warning: most of the replicas share a disk: without it nothing can be written")
    if MEMORY in disks:
        lines.append("warning: a replica lies in memory: a power cut takes it")
    return lines


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
