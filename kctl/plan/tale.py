"""A run told while it lasts, so that nothing of it need be kept: layer two and the timeline.

In: the changes of each instant once they are durable. Out: the records and rows of the report.
Ten thousand pods change forty thousand times; kept, those states would be most of the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from kctl.api.objects import Obj
from kctl.client.client import Client, WatchEvent
from kctl.plan.consequence import Consequence
from kctl.plan.ownership import Owners
from kctl.plan.podfacts import Followed
from kctl.plan.timeline import Diary, Row, history

if TYPE_CHECKING:
    from kctl.plane.plane import ControlPlane


class Tale:
    """What happened in a run. ``before`` lists the ReplicaSets there are when the first change is told.

    ``started`` is when that was.
    """

    def __init__(self, before: Callable[[], Iterable[Obj]]) -> None:
        self._before: Callable[[], Iterable[Obj]] | None = before
        self._owners = Owners()
        self._consequence = Consequence(self._owners)
        self._diary = Diary()
        self._followed = Followed()
        self.is_empty = True
        self.started = 0.0

    @classmethod
    def of(cls, client: Client, trace: Sequence[WatchEvent], times: Sequence[float]) -> Tale:
        """Return the tale of a run whose changes were kept."""
        told = cls(lambda: client.list("replicasets.apps").items)
        if trace:
            told.take(trace, times)
        return told

    @classmethod
    def of_log(cls, plane: ControlPlane) -> Tale:
        """Return the tale of all that the log still knows; Compacted when that is nothing but the present."""
        told = cls(lambda: plane.client.list("replicasets.apps").items)
        for events, at in history(plane):
            told.take(events, [at] * len(events))
        return told

    def take(self, events: Sequence[WatchEvent], times: Sequence[float]) -> None:
        """Take the changes of an instant in."""
        owners = self._owners
        if self._before is not None:
            for obj in self._before():
                owners.see(obj)
            self._before = None
        if self.is_empty and times:
            self.is_empty, self.started = False, times[0]
        for event in events:
            if not owners.knows(event.object):
                owners.see(event.object)
        for event, at in zip(events, times, strict=True):
            if event.resource == "pods":
                owner, facts = owners.top(event.object), self._followed.change(event)
                self._consequence.pod(event, owner, facts, at)
                self._diary.pod(owner, facts, at, event.object["metadata"]["name"])
            else:
                self._consequence.other(event)
                self._diary.other(event, at)

    def records(self, pods: Iterable[Obj]) -> list[Obj]:
        """Return the second layer; ``pods`` are those there at the end."""
        return self._consequence.records(pods)

    def rows(self, started: float) -> list[Row]:
        """Return the timeline; times count from ``started``."""
        return self._diary.rows(started)
