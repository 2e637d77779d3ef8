"""ttl-controller: how long kubelets may keep what they have read, by the size of the cluster.

In: nodes. Out: the annotation ``node.alpha.kubernetes.io/ttl`` of each. Upstream moves between the
sizes with some slack at their borders; here a border is a number. Which nodes have the annotation
also tells who has been taken note of (:mod:`kctl.controllers.nodelifecycle`).
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, annotations_of, is_deleting, key_of
from kctl.client.cache import Caches
from kctl.runtime.actions import Patch
from kctl.runtime.controller import Controller, Decision, Watch

TTL = "node.alpha.kubernetes.io/ttl"
SIZES = ((100, 0), (500, 15), (1000, 30), (2000, 60))
"""Up to so many nodes, so many seconds."""
LONGEST = 300


class Seen(NamedTuple):
    """A node and what its annotation is to say."""

    node: Obj
    wanted: str


class TTLController(Controller):
    """Annotates nodes."""

    name = "ttl-controller"
    user = "system:serviceaccount:kube-system:ttl-controller"
    level = 26
    writes = ("nodes",)

    def __init__(self) -> None:
        self.watches = (Watch("nodes", _keys),)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the node, and how many there are."""
        node = caches["nodes"].get(key)
        return None if node is None or is_deleting(node) else Seen(node, str(seconds_for(len(caches["nodes"]))))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Write the annotation when it is another."""
        if annotations_of(seen.node).get(TTL) == seen.wanted:
            return Decision()
        return Decision((Patch("nodes", key_of(seen.node), {"metadata": {"annotations": {TTL: seen.wanted}}}),))


def seconds_for(nodes: int) -> int:
    """Return the seconds for a cluster of so many nodes (ttlBoundaries)."""
    return next((seconds for most, seconds in SIZES if nodes <= most), LONGEST)


def _keys(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a node without the right annotation to itself; all nodes when their number passes a border."""
    count = len(caches["nodes"])
    wanted = str(seconds_for(count))
    if (old is None) != (new is None) and count in _BORDERS:
        return [key_of(node) for node in caches["nodes"] if annotations_of(node).get(TTL) != wanted]
    return [] if new is None or annotations_of(new).get(TTL) == wanted else [key_of(new)]


_BORDERS = frozenset(border for most, _ in SIZES for border in (most, most + 1))
