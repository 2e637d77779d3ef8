"""NodePorts: a host port can be used once per address and protocol."""

from __future__ import annotations

from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.shape import PODS, Shape

REFUSAL = No("NodePorts", ("node(s) didn't have free ports for the requested pod ports",))


class NodePorts:
    """Filters by free host ports."""

    name = "NodePorts"
    shape = Shape(filters=PODS)

    def pre_filter(self, cycle: Cycle) -> Skip | None:
        """Step aside for pods without host ports."""
        return None if cycle.pod.ports else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node where a wanted port is taken."""
        return REFUSAL if node.has_conflict(cycle.pod.ports) else None
