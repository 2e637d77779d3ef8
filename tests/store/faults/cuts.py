"""The power goes after every disk operation of a workload; what is recovered is judged.

In: a world, a workload that notes what it does. Out: how many operations, images and recoveries
there were; a Violation that names operation, image and quorum when one of them is wrong. The
image in which everything arrived is also what kill -9 leaves at that moment.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from kctl.store.errors import StoreError
from tests.store.faults import platter
from tests.store.faults.disk import Disk, Step
from tests.store.faults.platter import MODES, Image, Platter
from tests.store.faults.witness import Noted, Violation, Witness
from tests.store.faults.world import World

Workload = Callable[[World, Noted], None]


class Cut(NamedTuple):
    """One image: after which operation, how the rest arrived, what was known by then."""

    operation: int
    step: Step
    mode: str
    image: Image
    witness: Witness


class Figures(NamedTuple):
    """Disk operations of the workload, different images they may leave, recoveries of those."""

    operations: int
    images: int
    recoveries: int


class Recorder:
    """Collects the images of a workload, each different one once."""

    def __init__(
        self, world: World, witness: Witness, *, seed: int, every: int, modes: tuple[str, ...] = MODES
    ) -> None:
        self.cuts: list[Cut] = []
        self.operations = 0
        self._world, self._platter, self._witness = world, Platter(world.root), witness
        self._dice, self._every, self._modes = random.Random(seed), every, modes
        self._seen: set[bytes] = set()

    def watch(self, step: Step) -> int | None:
        """Take one operation and the images that a cut behind it may leave."""
        bad = self._world.fails(step)
        if bad or step.kind == "open":
            return bad
        self._platter.take(step)
        self.operations += 1
        if self._every > 1 and self._dice.randrange(self._every):
            return None
        for mode in self._modes:
            image = self._platter.image(mode, self._dice)
            key = _key(image, self._witness)
            if key not in self._seen:
                self._seen.add(key)
                self.cuts.append(Cut(self.operations, step, mode, image, self._witness.copy()))
        return None


def _key(image: Image, witness: Witness) -> bytes:
    found = blake2b(repr(sorted(witness.known.items())).encode())
    for path, content in image.items():
        found.update(f"{path}\0{len(content)}\0".encode())
        found.update(content)
    return found.digest()


def run(world: World, workload: Workload, *, seed: int, every: int = 1, modes: tuple[str, ...] = MODES) -> Figures:
    """Record a workload, then recover every image with every quorum."""
    witness = Witness()
    recorder = Recorder(world, witness, seed=seed, every=every, modes=modes)
    disk = Disk(world.root, recorder.watch)
    with disk.watched():
        workload(world, witness)
    recoveries = 0
    for cut in recorder.cuts:
        for quorum in world.quorums():
            recover(world, cut, quorum)
            recoveries += 1
    return Figures(recorder.operations, len(recorder.cuts), recoveries)


def recover(world: World, cut: Cut, quorum: tuple[int, ...]) -> None:
    """Lay one image down, recover it with some replicas, then with all; raise Violation."""
    place = world.root.with_name(world.root.name + "-cut")
    shutil.rmtree(place, ignore_errors=True)
    again = world.at(place)
    platter.write(cut.image, world.root, place)
    try:
        again.judge_with(quorum, cut.witness.copy())
    except (Violation, StoreError) as error:
        path = Path(cut.step.path).relative_to(world.root)
        said = (
            f"after operation {cut.operation} ({cut.step.kind} {path} {cut.step.offset}), {cut.mode}, replicas {quorum}"
        )
        raise Violation(f"{said}: {type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)
