"""NodeUnschedulable: a cordoned node takes no pods, unless they tolerate that."""

from __future__ import annotations

from kctl.api.tolerations import tolerates
from kctl.scheduler.extension import Cycle, No
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import TAINTS, Shape

REFUSAL = No("NodeUnschedulable", ("node(s) were unschedulable",), True)
CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


class NodeUnschedulable:
    """Filters by spec.unschedulable."""

    name = "NodeUnschedulable"
    shape = Shape(filters=TAINTS)

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a cordoned node."""
        if not node.unschedulable or any(tolerates(t, CORDON) for t in cycle.pod.tolerations):
            return None
        return REFUSAL
