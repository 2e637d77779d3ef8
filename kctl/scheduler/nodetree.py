"""The order in which nodes are looked at: round robin over zones, as upstream's nodeTree.

Within a zone nodes stand in order of creation (then name, because times have whole seconds); zones
stand in order of their first node. The order is worked out again after nodes or their zones
change, not on every event.
"""

from __future__ import annotations

from kctl.scheduler.nodeinfo import NodeInfo


class NodeTree:
    """The existing nodes, in scheduling order."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._order: list[NodeInfo] | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    def put(self, node: NodeInfo) -> None:
        """Take in a node, or notice that it changed."""
        self._nodes[node.name] = node
        self._order = None

    def remove(self, name: str) -> None:
        """Forget a node."""
        node = self._nodes.pop(name, None)
        if node is not None:
            node.place = -1
        self._order = None

    def order(self) -> list[NodeInfo]:
        """Return all nodes in scheduling order; callers do not change the list."""
        if self._order is None:
            self._order = round_robin(sorted(self._nodes.values(), key=_creation))
            for place, node in enumerate(self._order):
                node.place = place
        return self._order


def _creation(node: NodeInfo) -> tuple[str, str]:
    meta = (node.node or {}).get("metadata") or {}
    return (meta.get("creationTimestamp") or "", node.name)


def round_robin(nodes: list[NodeInfo]) -> list[NodeInfo]:
    """Take the first of each zone, then the second of each, and so on."""
    zones: dict[str, list[NodeInfo]] = {}
    for node in nodes:
        zones.setdefault(node.zone(), []).append(node)
    deepest = max(map(len, zones.values()), default=0)
    return [zone[n] for n in range(deepest) for zone in zones.values() if n < len(zone)]
