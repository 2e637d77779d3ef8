"""ttl-controller: tell kubelets for how long they may keep Secrets and ConfigMaps without asking.

In: nodes, and how many there are. Out: an annotation of each. Upstream remembers which step of
the table the cluster is at, so that one node more or less does not go back and forth; here a node
keeps its value for as long as the cluster's size is within that value's step.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, annotations_of, is_deleting, key_of
from kctl.client.cache import Caches
from kctl.runtime.actions import Patch
from kctl.runtime.controller import Controller, Decision, Watch

ANNOTATION = "node.alpha.kubernetes.io/ttl"
STEPS = ((0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, 10**9, 300))
"""Fewest nodes, most nodes, seconds, as ttlBoundaries."""


class Seen(NamedTuple):
    """A node and the number of all."""

    node: Obj
    size: int


class TTLController(Controller):
    """Annotates nodes."""

    name = "ttl-controller"
    user = "system:serviceaccount:kube-system:ttl-controller"
    level = 12
    reads = ("nodes",)
    writes = ("nodes",)

    def __init__(self) -> None:
        self.watches = (Watch("nodes", keys_of_new),)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the node."""
        nodes = caches["nodes"]
        node = nodes.get(key)
        return None if node is None else Seen(node, len(nodes))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what the annotation is to be."""
        return decide(seen)


def keys_of_new(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map a node that came, or whose annotation was changed, to itself."""
    if new is None or (old is not None and annotations_of(old).get(ANNOTATION) == annotations_of(new).get(ANNOTATION)):
        return ()
    return (key_of(new),)


def decide(seen: Seen) -> Decision:
    """Annotate the node unless its value still goes with the cluster's size, as updateNodeIfNeeded."""
    known = annotations_of(seen.node).get(ANNOTATION)
    fitting = [str(ttl) for fewest, most, ttl in STEPS if fewest <= seen.size <= most]
    if known in fitting or is_deleting(seen.node):
        return Decision()
    return Decision((Patch("nodes", key_of(seen.node), {"metadata": {"annotations": {ANNOTATION: fitting[0]}}}),))
