"""cloud-node-lifecycle-controller: nodes follow their machines.

In: Nodes that a cloud initialized, its machines. Out: the Node of a machine that is gone is
deleted; one whose machine is switched off has the taint ``node.cloudprovider.kubernetes.io/shutdown``
until it is ready again.

As upstream only nodes are looked at whose kubelet is not heard of any more, which the
node-lifecycle-controller takes 50 s to find out; upstream does so every 5 s, here it follows at once.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, dig, is_condition_true, is_deleting, key_of
from kctl.client.cache import Caches
from kctl.cloud.node import INSTANCES, by_node_name, node_name_of
from kctl.cloud.provider import CloudProvider
from kctl.runtime.actions import Delete, Emit, Patch
from kctl.runtime.controller import Controller, Decision, Watch

SHUTDOWN = {"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"}


class Seen(NamedTuple):
    """A node with a provider ID, and the machine of its name."""

    node: Obj
    machine: Obj | None


class CloudNodeLifecycle(Controller):
    """Deletes nodes without a machine, taints those whose machine is off."""

    name = "cloud-node-lifecycle-controller"
    user = "system:serviceaccount:kube-system:cloud-node-lifecycle-controller"
    level = 13
    writes = ("nodes", "events")

    def __init__(self, cloud: CloudProvider) -> None:
        self.cloud = cloud
        self.watches = (Watch("nodes", _node_keys), Watch(INSTANCES, _instance_keys))

    def prepare(self, caches: Caches) -> None:
        """Register the index of machines by node."""
        by_node_name(caches[INSTANCES])
        caches["nodes"]

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a node that has been initialized, and its machine."""
        node = caches["nodes"].get(key)
        if node is None or is_deleting(node) or not dig(node, "spec", "providerID"):
            return None
        found = by_node_name(caches[INSTANCES]).get(key.name)
        return Seen(node, found[0] if found else None)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Delete the node, or bring its taint in step (MonitorNodes)."""
        node, name = seen.node, seen.node["metadata"]["name"]
        if not is_condition_true(node, "Ready") and not self.cloud.instance_exists(node, seen.machine):
            about = {"apiVersion": "", "kind": "Node", "metadata": {"name": name, "uid": node["metadata"]["uid"]}}
            message = f"Deleting node {name} because it does not exist in the cloud provider"
            gone = Delete("nodes", key_of(node), node["metadata"]["uid"])
            return Decision((Emit(about, "Normal", "DeletingNode", message), gone))
        is_off = not is_condition_true(node, "Ready") and self.cloud.instance_shutdown(node, seen.machine)
        have = dig(node, "spec", "taints", default=[])
        kept = [taint for taint in have if not _is_shutdown(taint)]
        if is_off == (len(kept) < len(have)):
            return Decision()
        body: Obj = {"spec": {"taints": [*kept, *([SHUTDOWN] if is_off else ())] or None}}
        body["metadata"] = {"resourceVersion": node["metadata"]["resourceVersion"]}
        return Decision((Patch("nodes", key_of(node), body),))


def _is_shutdown(taint: Obj) -> bool:
    return taint.get("key") == SHUTDOWN["key"] and taint.get("effect") == SHUTDOWN["effect"]


def _node_keys(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Wake a node that gets its provider ID or other taints, or is heard of no more or again."""
    if new is None or not dig(new, "spec", "providerID"):
        return ()
    is_ready = is_condition_true(new, "Ready")
    if old is not None and old.get("spec") == new.get("spec") and is_condition_true(old, "Ready") == is_ready:
        return ()
    return (key_of(new),)


def _instance_keys(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Wake the node of a machine that goes, or is switched on or off."""
    if old is not None and new is not None and dig(old, "status", "state") == dig(new, "status", "state"):
        return []
    return [Key("", node_name_of(machine)) for machine in (old, new) if machine is not None]
