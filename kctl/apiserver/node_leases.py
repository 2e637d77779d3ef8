"""Leases of nodes, made when somebody reads them.

In: the Nodes at a revision, the time it was. Out: for each the Lease its kubelet renews: now for a node that is heard of,
when it fell silent for one that is not. No heartbeat is ever a write, so these Leases are in no log, and nobody is
told that they change. A Lease of that name that somebody wrote stands before. Components of the control plane do not
see them: they know the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kctl.api.behaviour import silent_since
from kctl.api.clock import rfc3339_micro
from kctl.api.names import uid
from kctl.api.objects import Key, Obj, condition, is_deleting

if TYPE_CHECKING:
    from kctl.apiserver.request import Request
    from kctl.apiserver.server import APIServer

LEASES, NODES = "leases.coordination.k8s.io", "nodes"
NAMESPACE = "kube-node-lease"
DURATION = 40
"""Seconds (nodeLeaseDurationSeconds)."""
COMPONENTS = ("system:kube-controller-manager", "system:serviceaccount:kube-system:")


def is_meant(request: Request) -> bool:
    """Say whether the request may be about Leases of nodes."""
    is_there = request.kind.resource == LEASES and request.namespace in (NAMESPACE, "")
    return is_there and not request.user.name.startswith(COMPONENTS)


def one(server: APIServer, name: str) -> Obj | None:
    """Return the Lease of a node, None when there is no such node."""
    node = server.storage.get(NODES, Key("", name))
    return None if node is None else lease_of(node, server.clock.now())


def beside(server: APIServer, written: Mapping[Key, Obj], revision: int) -> Mapping[Key, Obj]:
    """Return the Leases that were written and those of the nodes."""
    if revision == server.revision:
        nodes, now = server.storage.objects(NODES), server.clock.now()
    else:
        nodes, now = server.storage.at(NODES, revision), _time_of(server, revision)
    made = {Key(NAMESPACE, key.name): lease_of(node, now) for key, node in nodes.items()}
    return {**{key: lease for key, lease in made.items() if lease is not None}, **written}


def lease_of(node: Obj, now: float) -> Obj | None:
    """Return the Lease as the node's kubelet would have renewed it; None when no kubelet has spoken yet."""
    if is_deleting(node) or condition(node, "Ready") is None:
        return None
    meta = node["metadata"]
    silent = silent_since(node)
    owner = {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": meta["name"],
            "namespace": NAMESPACE,
            "uid": uid("lease", meta["uid"]),
            "resourceVersion": meta["resourceVersion"],
            "creationTimestamp": meta["creationTimestamp"],
            "ownerReferences": [owner],
        },
        "spec": {
            "holderIdentity": meta["name"],
            "leaseDurationSeconds": DURATION,
            "renewTime": rfc3339_micro(now if silent is None else silent),
        },
    }


def _time_of(server: APIServer, revision: int) -> float:
    """Return when a revision was written, as far as the log knows."""
    entries = server.storage.store.entries()
    return next((entry.now for entry in entries if entry.last >= revision), server.clock.now())
