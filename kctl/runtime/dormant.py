"""A loop that is not there until it has something to do.

In: the kinds a controller is about, and what makes its loop. Out: nothing while no object of these kinds
exists: neither is the controller's module loaded nor does it hear of pods. With the first object the loop
is made, finds everything in the caches, and takes this one's place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kctl.client.cache import Change
from kctl.runtime.controller import Loop

if TYPE_CHECKING:
    from kctl.runtime.manager import Manager


class Dormant:
    """Stands for a loop; implements :class:`kctl.runtime.controller.Loop`."""

    level = 0

    def __init__(self, name: str, resources: tuple[str, ...], make: Callable[[], Loop], manager: Manager) -> None:
        self.name = name
        self.resources = resources
        self._make = make
        self._manager = manager
        self._is_over = False

    def deliver(self, changes: Sequence[Change]) -> None:
        """Make way for the loop when an object has come."""
        if not self._is_over and any(change.new is not None for change in changes):
            self._is_over = True
            self._manager.loops.remove(self)
            self._manager.add(self._make())

    def has_work(self) -> bool:
        """Say that there is nothing to do."""
        return False

    def step(self, now: float) -> int:
        """Do nothing."""
        return 0

    def next_wake(self, *, periodic: bool) -> float | None:
        """Wait for nothing."""
        return None

    def wake(self, now: float) -> None:
        """Have no timers."""


def add(manager: Manager, name: str, resources: tuple[str, ...], make: Callable[[], Loop]) -> None:
    """Add a loop to the manager: at once when objects of its kinds exist, else when the first comes."""
    is_needed = any(len(manager.caches[resource]) for resource in resources)
    manager.add(make() if is_needed else Dormant(name, resources, make, manager))
