"""Caches that lag behind the server, as informers do.

Events come in the order they happened, some of them late. Each resource lags on its own, so a
controller may know of a pod and not yet of its owner. How far is random but a function of the seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from random import Random

from kctl.client.client import WatchEvent


class SeededLag:
    """Keeps up to ``most`` events of each resource back, another number each time it is asked."""

    def __init__(self, seed: int, most: int) -> None:
        self._random = Random(seed)
        self._most = most
        self._kept: dict[str, deque[WatchEvent]] = {}
        self.longest = 0
        """The most events that any resource was behind while somebody had work."""

    def pass_on(self, resource: str, events: Iterator[WatchEvent], *, idle: bool) -> Iterator[WatchEvent]:
        kept = self._kept.setdefault(resource, deque())
        kept.extend(events)
        behind = self._random.randint(0, self._most)
        if idle:
            behind = min(behind, len(kept) - 1)
        else:
            self.longest = max(self.longest, min(behind, len(kept)))
        while len(kept) > max(behind, 0):
            yield kept.popleft()
