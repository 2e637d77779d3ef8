"""node-lifecycle-controller: what a node's conditions say becomes taints the scheduler obeys.

In: a Node. Out: its NoSchedule taints for not ready, unreachable, pressure, missing network and
cordon, as upstream's doNoScheduleTaintingPass.

Not simulated: heartbeats, so a node's conditions never become Unknown by themselves; the NoExecute
taints not-ready and unreachable that follow, at rates by zone which slow down when most of a zone
fails; and the Ready conditions of the pods of such a node. A NoExecute taint that somebody else
sets is for :mod:`kctl.controllers.tainteviction`.
"""

from __future__ import annotations

from kctl.api.clock import rfc3339
from kctl.api.objects import Key, Obj, is_deleting, key_of
from kctl.client.cache import Caches
from kctl.runtime.actions import Patch
from kctl.runtime.controller import Controller, Decision, Watch

PREFIX = "node.kubernetes.io/"
TAINTS = (
    ("Ready", "False", PREFIX + "not-ready"),
    ("Ready", "Unknown", PREFIX + "unreachable"),
    ("MemoryPressure", "True", PREFIX + "memory-pressure"),
    ("DiskPressure", "True", PREFIX + "disk-pressure"),
    ("NetworkUnavailable", "True", PREFIX + "network-unavailable"),
    ("PIDPressure", "True", PREFIX + "pid-pressure"),
)
"""Condition, its status, and the key of the taint it means."""
UNSCHEDULABLE = PREFIX + "unschedulable"
MANAGED = frozenset((*(key for _, _, key in TAINTS), UNSCHEDULABLE))


class NodeLifecycleController(Controller):
    """Keeps the NoSchedule taints of each node in step with its conditions."""

    name = "node-lifecycle-controller"
    user = "system:serviceaccount:kube-system:node-controller"
    level = 12
    reads = ("nodes",)
    writes = ("nodes",)

    def __init__(self) -> None:
        self.watches = (Watch("nodes", keys_of_node),)

    def observe(self, caches: Caches, key: Key) -> Obj | None:
        """Read the node."""
        return caches["nodes"].get(key)

    def decide(self, seen: Obj, now: float) -> Decision:
        """Add and remove the managed taints that differ; all others stay."""
        wanted = wanted_taints(seen)
        have = (seen.get("spec") or {}).get("taints") or []
        kept = [taint for taint in have if not _is_managed(taint) or taint["key"] in wanted]
        there = {taint["key"] for taint in kept if _is_managed(taint)}
        added = [{"key": key, "effect": "NoSchedule", "timeAdded": rfc3339(now)} for key in wanted if key not in there]
        if is_deleting(seen) or (not added and len(kept) == len(have)):
            return Decision()
        body: Obj = {"spec": {"taints": [*kept, *added] or None}}
        if seen["metadata"].get("resourceVersion"):
            body["metadata"] = {"resourceVersion": seen["metadata"]["resourceVersion"]}
        return Decision((Patch("nodes", key_of(seen), body),))


def wanted_taints(node: Obj) -> list[str]:
    """Return the keys of the NoSchedule taints the node's state asks for."""
    statuses = {found["type"]: found["status"] for found in (node.get("status") or {}).get("conditions") or ()}
    wanted = [key for type_, status, key in TAINTS if statuses.get(type_) == status]
    if (node.get("spec") or {}).get("unschedulable"):
        wanted.append(UNSCHEDULABLE)
    return wanted


def _is_managed(taint: Obj) -> bool:
    return taint.get("effect") == "NoSchedule" and taint["key"] in MANAGED


def keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map a node to itself when its taints or what they follow from has changed."""
    if new is None:
        return ()
    if old is not None and wanted_taints(old) == wanted_taints(new) and _taints(old) == _taints(new):
        return ()
    return (key_of(new),)


def _taints(node: Obj) -> object:
    return (node.get("spec") or {}).get("taints")
