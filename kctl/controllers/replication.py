"""replicationcontroller-controller: what ReplicaSets replaced, kept by the same code.

In: ReplicationControllers, whose selectors are plain labels, and their pods. Out: as
:mod:`kctl.controllers.replicaset`.
"""

from __future__ import annotations

from kctl.controllers.replicaset import CONTROLLERS, ReplicaSetController


class ReplicationControllerController(ReplicaSetController):
    """Keeps ``spec.replicas`` pods of each ReplicationController running."""

    name = "replicationcontroller-controller"
    component = "replication-controller"
    user = "system:serviceaccount:kube-system:replication-controller"
    reads = (CONTROLLERS, "pods")
    writes = ("pods", CONTROLLERS, "events")
    resource = CONTROLLERS
