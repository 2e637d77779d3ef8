"""The cluster as it was when a decision was made, for whoever asks why.

In: the cluster of now and a position in its journal. Out: a copy with all that happened to pods since then undone.
A decision made the fast way is explained by making it again there, the plain way.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj
from kctl.scheduler.cluster import IMAGES, PLACED, REMOVED, Cluster
from kctl.scheduler.framework import Framework, Outcome
from kctl.scheduler.podinfo import PodInfo


class Placed(NamedTuple):
    """A decision made the fast way; :meth:`recall` writes it as the plain way would have."""

    pod: PodInfo
    node: str
    obj: Obj
    """The pod as it was when it was decided about."""
    at: int
    """The end of the journal then."""
    nominated: dict[str, dict[Key, PodInfo]]
    cluster: Cluster
    framework: Framework
    epoch: int

    def recall(self) -> Outcome | None:
        """Return the decision with all that explains it; None when the cluster has moved on too far."""
        past = rewound(self.cluster, self.at, self.epoch, self.nominated)
        return None if past is None else self.framework.schedule(past, PodInfo(self.obj))


def rewound(cluster: Cluster, at: int, epoch: int, nominated: dict[str, dict[Key, PodInfo]]) -> Cluster | None:
    """Return the cluster of then; None when nodes have changed since, or the journal does not reach back."""
    lines = cluster.journal.since(at)
    if lines is None or cluster.nodes_version != epoch:
        return None
    past = Cluster(cluster.caches)
    past.images = cluster.images
    past.images_epoch = cluster.images_epoch
    past.nominated = nominated
    past.is_past = True
    for node in cluster.order():
        copy = past.nodes[node.name] = node.clone()
        past.tree.put(copy)
    of_decision = next((n for n, line in enumerate(lines) if line[0] != IMAGES), len(lines))
    for what, pod, name, before in reversed(lines[of_decision:]):
        info = past.nodes.get(name)
        if info is None:
            continue
        if what == IMAGES:
            info.images = before
        elif what == PLACED:
            info.remove_pod(pod.key)
        elif what == REMOVED:
            info.add_pod(pod)
        else:
            traits, _, obj = before
            info.remove_pod(pod.key)
            info.add_pod(PodInfo(obj, traits))
    past.affinity_nodes = {node.name: node for node in past.order() if node.affinity_pods}
    past.pods = {key: pod for node in past.order() for key, pod in node.pods.items()}
    return past
