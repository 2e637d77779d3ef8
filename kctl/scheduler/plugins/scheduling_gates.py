"""SchedulingGates: a pod with gates does not enter the queue."""

from __future__ import annotations

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import No
from kctl.scheduler.podinfo import PodInfo

GATED = No("SchedulingGates", ("Scheduling is blocked due to non-empty scheduling gates",), True)


class SchedulingGates:
    """Keeps gated pods out."""

    name = "SchedulingGates"

    def pre_enqueue(self, pod: PodInfo, cluster: Cluster) -> No | None:
        """Refuse a pod with scheduling gates."""
        return GATED if pod.spec.get("schedulingGates") else None
