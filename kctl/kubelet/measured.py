"""Latencies that differ from image to image: drawn from a range by the seed, or from the size and a rate of pulling.

In: what others say of images and containers, the profile, a seed. Out: the same, with the seconds where nobody has said any.
A draw is a function of the seed and the image's name: every node and every run has the same, and small values are
likelier than large ones (each doubling is as likely as the next). What is said for good, by a scenario or an annotation, stays.
"""

from __future__ import annotations

from hashlib import blake2b
from math import exp, log

from kctl.api.behaviour import Annotated, Behaviours, ContainerBehaviour, PodBehaviour, Pulling
from kctl.api.objects import Obj
from kctl.kubelet.images import parse
from kctl.runtime.profile import Profile

LIMIT = 4096


def draw(seed: int, what: str, least: float, most: float) -> float:
    """Return whole seconds from ``least`` to ``most``."""
    number = int.from_bytes(blake2b(f"{seed}\0{what}".encode(), digest_size=8).digest(), "big") / 2**64
    low, high = log(1 + least), log(1 + most)
    return float(min(max(round(exp(low + number * (high - low)) - 1), least), most))


class Measured(Annotated):
    """Annotations and what is below them, with seconds of its own where they say none."""

    def __init__(self, below: Behaviours | None, profile: Profile, seed: int) -> None:
        super().__init__(below)
        self._profile = profile
        self._seed = seed
        self._plain: dict[tuple[tuple[str, str], ...], PodBehaviour] = {}
        """Of pods of which nobody says anything, by the images of their containers."""

    def image(self, image: str, node: str) -> Pulling:
        """Say how long the image takes to pull."""
        return self._pulling(super().image(image, node), image)

    def pod(self, pod: Obj) -> PodBehaviour | None:
        """Say how long the pod's containers take to start, and its own images to be pulled."""
        found = super().pod(pod)
        if found is None and not self._profile.container_start_most:
            return None
        spec = pod["spec"]
        images = tuple(
            (one["name"], one["image"]) for one in (*(spec.get("initContainers") or ()), *spec["containers"])
        )
        if found is not None:
            return self._of_pod(found, images)
        known = self._plain.get(images)
        if known is None:
            if len(self._plain) >= LIMIT:
                self._plain.clear()
            known = self._plain[images] = self._of_pod(PodBehaviour(), images)
        return known

    def _of_pod(self, found: PodBehaviour, images: tuple[tuple[str, str], ...]) -> PodBehaviour:
        return PodBehaviour(found.every, {name: self._container(found.of(name), image) for name, image in images})

    def _container(self, found: ContainerBehaviour, image: str) -> ContainerBehaviour:
        most = self._profile.container_start_most
        if most and found.start is None:
            start = draw(self._seed, f"start {parse(image).name}", self._profile.container_start, most)
            found = found._replace(start=start)
        if found.pulling is not None:
            found = found._replace(pulling=self._pulling(found.pulling, image))
        return found

    def _pulling(self, found: Pulling, image: str) -> Pulling:
        if found.seconds is not None:
            return found
        if found.size and self._profile.image_pull_rate:
            return found._replace(seconds=float(max(1, round(found.size / self._profile.image_pull_rate))))
        if not self._profile.image_pull_most:
            return found
        name = parse(image).name
        seconds = draw(self._seed, f"pull {name}", self._profile.image_pull, self._profile.image_pull_most)
        return found._replace(seconds=seconds)
