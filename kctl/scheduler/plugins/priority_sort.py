"""PrioritySort: higher priority first, then who has waited longest."""

from __future__ import annotations

from kctl.api.objects import Key
from kctl.scheduler.podinfo import PodInfo


class PrioritySort:
    """Orders the queue."""

    name = "PrioritySort"

    def sort_key(self, pod: PodInfo, since: float) -> tuple[int, float, Key]:
        """Return priority (descending) and queueing time; equal pods go by namespace and name."""
        return (-pod.priority, since, pod.key)
