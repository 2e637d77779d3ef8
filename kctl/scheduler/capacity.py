"""How many pods of one kind still fit, and what stops the next.

In: the caches, one pod as admission let it through, how many are wanted at most. Out: :class:`Filled`. The pods are
placed one after the other as the scheduler would, on a picture of the cluster of its own; nobody is preempted for them.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.client.cache import Caches
from kctl.scheduler import devices_trial
from kctl.scheduler.amounts import written
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.explain import describe, fill
from kctl.scheduler.extension import No
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
    has_devices = devices_trial.asks_for_devices(pod)

    def one(n: int) -> Obj:
        made = numbered(pod, n)
        return devices_trial.with_claims(cluster, made) if has_devices else made

    stopped = framework.gated(PodInfo(one(most)), cluster)
    for n in range(0 if stopped is not None else most):
        info = PodInfo(one(n))
        placed = kernel.schedule(cluster, info)
        if placed is None:
            outcome = framework.schedule(cluster, info)
            if not outcome.node:
                stopped = outcome
                break
        node = outcome.node if placed is None else placed.node
        counts[node] = counts.get(node, 0) + 1
        cluster.place(info, node)
        if has_devices:
            devices_trial.take(cluster, info, node)
    trial = None if stopped is None else Trial(caches, one(most), framework, cluster)
    return Filled(counts, stopped, trial, _rooms(cluster))


def one_each(caches: Caches, pod: Obj, framework: Framework | None = None) -> Filled:
    """Place one pod on every node that takes it, as the pods of a DaemonSet, which are each bound to their node.

    Nodes that a DaemonSet leaves out by its own will (labels, taints) do not count as refusing.
    """
    framework = framework or default_profile()
    trial = Trial(caches, pod, framework)
    trial.pod = devices_trial.with_claims(trial.cluster, trial.pod)
    view = trial.view()
    counts = dict.fromkeys(view.feasible, 1)
    refusing = [said for said in view.obstacles.values() if not any(one.kind in LEFT_OUT for one in said)]
    outcome = framework.schedule(trial.cluster, PodInfo(pod)) if view.refused is not None else None
    if refusing:
        considered = tuple(view.obstacles)
        refusals = {
            name: No(said[0].plugin, tuple(one.reason for one in said)) for name, said in view.obstacles.items()
        }
        outcome = Outcome(PodInfo(pod), "", "Unschedulable", f"{len(refusing)} nodes take no pod", considered, refusals)
    return Filled(counts, outcome, trial if outcome is not None else None, _rooms(trial.cluster))


LEFT_OUT = ("affinity", "taint")
"""Obstacles that keep a DaemonSet from wanting a pod on a node at all."""


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
