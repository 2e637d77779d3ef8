"""NodeName: a pod that names its node goes nowhere else."""

from __future__ import annotations

from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import LABELS, Shape

REFUSAL = No("NodeName", ("node(s) didn't match the requested node name",), True)


class NodeName:
    """Filters by spec.nodeName."""

    name = "NodeName"
    shape = Shape(filters=LABELS)

    def pre_filter(self, cycle: Cycle) -> Skip | None:
        """Step aside for pods that name no node; upstream asks every node instead, to the same end."""
        return None if cycle.pod.spec.get("nodeName") else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse every node but the named one."""
        return None if cycle.pod.spec.get("nodeName") == node.name else REFUSAL
