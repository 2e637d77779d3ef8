"""How many pods of one kind still fit, and what stops the next.

In: the caches, one pod as admission let it through, how many are wanted at most. Out: :class:`Filled`. The pods are
placed one after the other as the scheduler would, on a picture of the cluster of its own; nobody is preempted for them.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.client.cache import Caches
from kctl.scheduler.amounts import written
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.explain import describe, fill
from kctl.scheduler.framework import Framework, Outcome
from kctl.scheduler.kernel import Kernel
from kctl.scheduler.nodeinfo import ZONE
from kctl.scheduler.obstacles import free_of
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from kctl.scheduler.trial import Trial


class Filled(NamedTuple):
    """Where the pods went; ``stopped`` is the decision for the first one that found no node, None when all did."""

    nodes: dict[str, int]
    stopped: Outcome | None
    trial: Trial | None
    """The full cluster, to ask what would let the next pod in."""
    rooms: dict[str, Obj]
    """What is left of each node: zone, and what is not requested of cpu and memory."""

    @property
    def count(self) -> int:
        """How many fit."""
        return sum(self.nodes.values())

    def decision(self) -> Obj | None:
        """Return the decision for the pod that found no node, as explanations have it."""
        return None if self.stopped is None else describe(self.stopped)


def fill_up(caches: Caches, pod: Obj, most: int, framework: Framework | None = None) -> Filled:
    """Place pods like this one until the next finds no node, or ``most`` are placed."""
    framework = framework or default_profile()
    kernel = Kernel(framework)
    cluster = Cluster(caches)
    fill(cluster)
    counts: dict[str, int] = {}
    stopped: Outcome | None = None
    for n in range(most):
        info = PodInfo(numbered(pod, n))
        placed = kernel.schedule(cluster, info)
        if placed is None:
            outcome = framework.gated(info) or framework.schedule(cluster, info)
            if not outcome.node:
                stopped = outcome
                break
        node = outcome.node if placed is None else placed.node
        counts[node] = counts.get(node, 0) + 1
        cluster.place(info, node)
    trial = None if stopped is None else Trial(caches, numbered(pod, most), framework, cluster)
    return Filled(counts, stopped, trial, _rooms(cluster))


def numbered(pod: Obj, n: int) -> Obj:
    """Return the pod under a name and uid of its own; the spec is shared, so that the kernel knows its class."""
    name = f"{pod['metadata'].get('name') or 'fit'}-{n}"
    return {**pod, "metadata": {**pod["metadata"], "name": name, "uid": f"fit-{n}"}}


def _rooms(cluster: Cluster) -> dict[str, Obj]:
    out = {}
    for node in cluster.order():
        free = free_of(node)
        out[node.name] = {
            "zone": node.labels.get(ZONE, ""),
            "free": {name: written(name, free[name]) for name in ("cpu", "memory")},
        }
    return out
