"""Explain a decision: per node, the filter that refused it or the score of each plugin.

In: an :class:`~kctl.scheduler.framework.Outcome`, or the caches and a pod to decide about anew. Out: plain JSON
values. Nothing is written.
"""

from __future__ import annotations

from kctl.api.objects import Obj
from kctl.client.cache import Caches
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.framework import Framework, Outcome
from kctl.scheduler.podinfo import PodInfo, is_terminal
from kctl.scheduler.profile import default_profile


def explain(caches: Caches, pod: Obj, framework: Framework | None = None, cluster: Cluster | None = None) -> Obj:
    """Decide about ``pod`` as if it came now (a bound pod: as if it were not placed) and say why.

    The answer has ``node`` (None when no node fits), ``message``, ``nodes`` (per node: ``reason`` and the ``plugin``
    that gave it, or ``scores`` by plugin and ``total``), ``best`` (all nodes with the highest total), ``nominated`` and
    ``victims`` (pods that preemption would delete). ``cluster`` is one that is filled already, without the pod.
    """
    framework = framework or default_profile()
    info = PodInfo(without_node(pod))
    if cluster is None:
        cluster = Cluster(caches)
        fill(cluster, skip=info)
    cluster.next_start = 0
    outcome = framework.gated(info, cluster) or framework.schedule(cluster, info)
    return describe(outcome)


def without_node(pod: Obj) -> Obj:
    """Return the pod as it was before it was bound."""
    if not pod["spec"].get("nodeName"):
        return pod
    return {**pod, "spec": {name: value for name, value in pod["spec"].items() if name != "nodeName"}}


def fill(cluster: Cluster, *, skip: PodInfo | None = None) -> None:
    """Take in every node, assigned pod and nomination that the caches hold."""
    for node in cluster.caches["nodes"]:
        cluster.put_node(node)
    for pod in cluster.caches["pods"].all():
        if skip is not None and pod["metadata"].get("uid", "") == skip.obj["metadata"].get("uid"):
            continue
        if pod["spec"].get("nodeName"):
            cluster.put_pod(pod)
        elif (pod.get("status") or {}).get("nominatedNodeName") and not is_terminal(pod):
            cluster.nominate(PodInfo(pod), pod["status"]["nominatedNodeName"])


def describe(outcome: Outcome) -> Obj:
    """Write an outcome as JSON values."""
    preemption = outcome.preemption
    return {
        "node": outcome.node or None,
        "message": outcome.message,
        "nodes": {**_refused(outcome), **_feasible(outcome)},
        "best": list(outcome.best),
        "nominated": (preemption.node if preemption else "") or None,
        "victims": [victim_name(outcome.pod, v) for v in preemption.victims] if preemption else [],
    }


def victim_name(pod: PodInfo, victim: PodInfo) -> str:
    """Name a victim, with its namespace only when that is not the pod's own."""
    return victim.key.name if victim.namespace == pod.namespace else str(victim.key)


def _refused(outcome: Outcome) -> Obj:
    refused = {name: outcome.refusals.get(name, outcome.absent) for name in outcome.considered}
    return {
        name: {"reason": ", ".join(no.reasons), "plugin": no.plugin, "scores": {}, "total": None}
        for name, no in refused.items()
        if no is not None and name not in outcome.feasible
    }


def _feasible(outcome: Outcome) -> Obj:
    found: Obj = {}
    for n, name in enumerate(outcome.feasible):
        scores = {plugin: values[n] for plugin, values in outcome.scores.items()}
        total = outcome.totals[n] if outcome.totals else None
        found[name] = {"reason": None, "plugin": None, "scores": scores, "total": total}
    return found
