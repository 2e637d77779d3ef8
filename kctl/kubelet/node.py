"""What a kubelet says of its node: conditions, capacity, addresses, versions.

In: a Node without a Ready condition. Out: its status, once. Heartbeats are facts that
everybody can compute (a node whose Ready condition is not Unknown is alive *now*), so neither
lastHeartbeatTime nor a Lease is ever renewed. A Node that came with a Ready condition of its
own is left as it is: whoever wrote it simulates that node.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.clock import rfc3339
from kctl.api.names import uid
from kctl.api.objects import Key, Obj, condition, dig, is_deleting, with_condition
from kctl.client.cache import Cache, Caches, Fold
from kctl.client.client import Client
from kctl.kubelet.addresses import node_address, node_offset
from kctl.kubelet.agent import COMPONENT, USER
from kctl.kubelet.facts import NONE_USED, Used, release, take
from kctl.kubelet.pod import node_ip
from kctl.runtime.actions import Emit, update_status
from kctl.runtime.controller import Controller, Decision, Watch

KUBELET_VERSION = "v1.36.2"
DEFAULT_CAPACITY = {"cpu": "4", "ephemeral-storage": "100Gi", "memory": "16Gi", "pods": "110"}
"""What a Node without any capacity of its own is taken to have: an assumption."""

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
ADDRESSES = "kubelet node addresses"


class Seen(NamedTuple):
    """A node and the address it gets when it has none."""

    node: Obj
    address: str


class NodeStatus(Controller):
    """Posts the status of nodes that have none."""

    name = "kubelet-node-status"
    user = USER
    level = 11
    writes = ("nodes", "events")

    def __init__(self) -> None:
        self.watches = (Watch("nodes", _keys),)

    def prepare(self, caches: Caches) -> None:
        """Register the fold of node addresses."""
        node_addresses(caches["nodes"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the node unless it is ready already."""
        node = caches["nodes"].get(key)
        if node is None or is_deleting(node) or condition(node, "Ready") is not None:
            return None
        return Seen(node, node_address(node_addresses(caches["nodes"]).get("")[0]))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Post the status, and say that the node is ready."""
        node = seen.node
        status = status_of(node, seen.address, now)
        return Decision((update_status("nodes", node, status), ready_event(node)))

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; events come from ``kubelet``."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=COMPONENT)


def _keys(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    if new is None or condition(new, "Ready") is not None:
        return ()
    return (Key("", new["metadata"]["name"]),)


def node_addresses(nodes: Cache) -> Fold[Used]:
    """Return the fold of node addresses in use; all are under the value ""."""

    def values(node: Obj) -> tuple[str, ...]:
        return () if node_offset(node_ip(node)) is None else ("",)

    def add(used: Used, node: Obj) -> Used:
        return take(used, node_offset(node_ip(node)) or 0)

    def remove(used: Used, node: Obj) -> Used:
        return release(used, node_offset(node_ip(node)) or 0)

    return nodes.fold(ADDRESSES, values, NONE_USED, add, remove)


def status_of(node: Obj, address: str, now: float) -> Obj:
    """Return the status a kubelet posts; what the node states itself is kept.

    Allocatable is capacity: the simulated nodes reserve nothing for the system.
    """
    old: Obj = node.get("status") or {}
    name = node["metadata"]["name"]
    capacity = old.get("capacity") or old.get("allocatable") or DEFAULT_CAPACITY
    status = {
        **old,
        "capacity": capacity,
        "allocatable": old.get("allocatable") or capacity,
        "conditions": conditions(old.get("conditions") or [], now),
        "addresses": old.get("addresses") or addresses(name, address),
        "daemonEndpoints": dig(old, "daemonEndpoints", default={"kubeletEndpoint": {"Port": 10250}}),
        "nodeInfo": node_info(node),
    }
    status.pop("phase", None)
    return status


def conditions(old: list[Obj], now: float) -> list[Obj]:
    """Return the conditions of a healthy node, those of others kept."""
    out = old
    for type_, state, reason, message in CONDITIONS:
        made = {
            "type": type_,
            "status": state,
            "lastHeartbeatTime": rfc3339(now),
            "lastTransitionTime": rfc3339(now),
            "reason": reason,
            "message": message,
        }
        out = with_condition(out, made)
    return out


def addresses(name: str, address: str) -> list[Obj]:
    """Return the addresses of a node."""
    return [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]


def node_info(node: Obj) -> Obj:
    """Return what a 1.36 kubelet tells of its machine; identifiers derive from the name."""
    name = node["metadata"]["name"]
    labels = node["metadata"].get("labels") or {}
    return {
        "architecture": labels.get("kubernetes.io/arch", "amd64"),
        "bootID": uid("boot", name),
        "containerRuntimeVersion": "containerd://2.2.0",
        "kernelVersion": "6.12.0",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET_VERSION,
        "machineID": uid("machine", name).replace("-", ""),
        "operatingSystem": labels.get("kubernetes.io/os", "linux"),
        "osImage": "simulated by kctl",
        "systemUUID": uid("system", name),
    }


def ready_event(node: Obj) -> Emit:
    """Return kubelet's event about a node that is ready; its uid is the name, as upstream."""
    name = node["metadata"]["name"]
    about = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}
    return Emit(about, "Normal", "NodeReady", f"Node {name} status is now: NodeReady")
