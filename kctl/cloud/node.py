"""cloud-node-controller: what the cloud knows of a machine becomes part of its Node.

In: Nodes with the taint ``node.cloudprovider.kubernetes.io/uninitialized`` and their machines.
Out: provider ID, type and place labels, addresses, the taint gone. A Node whose machine the
cloud does not know keeps the taint. What becomes of Nodes later is in :mod:`kctl.cloud.nodelifecycle`.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, dig, key_of
from kctl.client.cache import Cache, Caches, Index
from kctl.cloud.provider import CloudProvider, InstanceMetadata
from kctl.runtime.actions import Action, Emit, Update
from kctl.runtime.controller import Controller, Decision, Watch

INSTANCES = "instances.cloud.kctl.dev"
UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
LABEL_DOMAINS = ("kubernetes.io", "k8s.io")


class Seen(NamedTuple):
    """A node that is to be initialized, and its machine."""

    node: Obj
    machine: Obj | None


class CloudNode(Controller):
    """Initializes nodes."""

    name = "cloud-node-controller"
    user = "system:serviceaccount:kube-system:cloud-node-controller"
    level = 12
    writes = ("nodes", "events")

    def __init__(self, cloud: CloudProvider) -> None:
        self.cloud = cloud
        self.watches = (Watch("nodes", _node_keys), Watch(INSTANCES, _instance_keys))

    def prepare(self, caches: Caches) -> None:
        """Register the index of machines by node."""
        by_node_name(caches[INSTANCES])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a node that still has the taint."""
        node = caches["nodes"].get(key)
        if node is None or not is_uninitialized(node):
            return None
        found = by_node_name(caches[INSTANCES]).get(key.name)
        return Seen(node, found[0] if found else None)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Write what the cloud says, once."""
        metadata = self.cloud.instance(seen.node, seen.machine)
        if metadata is None:
            return Decision()
        actions: list[Action] = []
        node = initialized(seen.node, metadata)
        wanted = [{"type": type_, "address": address} for type_, address in metadata.addresses]
        if wanted and wanted != dig(node, "status", "addresses"):
            status = {**(node.get("status") or {}), "addresses": wanted}
            actions.append(Update("nodes", {**seen.node, "status": status}, "status"))
            return Decision(tuple(actions))  # the taint goes with the next look
        actions.append(Update("nodes", node))
        actions.append(Emit(node, "Normal", "Synced", "Node synced successfully"))
        return Decision(tuple(actions))


def is_uninitialized(node: Obj) -> bool:
    """Say whether the node waits for its cloud."""
    return any(taint.get("key") == UNINITIALIZED for taint in dig(node, "spec", "taints", default=()))


def initialized(node: Obj, metadata: InstanceMetadata) -> Obj:
    """Return the node as the cloud makes it; labels and provider ID it has are kept."""
    labels = dict(node["metadata"].get("labels") or {})
    for name, value in cloud_labels(metadata).items():
        labels.setdefault(name, value)
    spec = dict(node.get("spec") or {})
    if not spec.get("providerID"):
        spec["providerID"] = metadata.provider_id
    left = [taint for taint in spec.get("taints") or () if taint.get("key") != UNINITIALIZED]
    if left:
        spec["taints"] = left
    else:
        spec.pop("taints", None)
    return {**node, "metadata": {**node["metadata"], "labels": labels}, "spec": spec}


def cloud_labels(metadata: InstanceMetadata) -> dict[str, str]:
    """Return the labels the controller sets; a provider may not add Kubernetes' own."""
    places = {
        "node.kubernetes.io/instance-type": metadata.instance_type,
        "beta.kubernetes.io/instance-type": metadata.instance_type,
        "topology.kubernetes.io/zone": metadata.zone,
        "failure-domain.beta.kubernetes.io/zone": metadata.zone,
        "topology.kubernetes.io/region": metadata.region,
        "failure-domain.beta.kubernetes.io/region": metadata.region,
    }
    extra = {name: value for name, value in metadata.labels.items() if not _is_reserved(name)}
    return {**{name: value for name, value in places.items() if value}, **extra}


def _is_reserved(label: str) -> bool:
    prefix, slash, _ = label.partition("/")
    return bool(slash) and any(prefix == domain or prefix.endswith(f".{domain}") for domain in LABEL_DOMAINS)


def by_node_name(instances: Cache) -> Index:
    """Return the index of machines by the name of their node."""
    return instances.index("node name", _node_names)


def node_name_of(instance: Obj) -> str:
    """Return the name of the machine's node."""
    return str(dig(instance, "spec", "nodeName") or instance["metadata"]["name"])


def _node_names(instance: Obj) -> tuple[str, ...]:
    return (node_name_of(instance),)


def _node_keys(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    return (key_of(new),) if new is not None and is_uninitialized(new) else ()


def _instance_keys(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Wake the node of a new machine; a machine that only changes its status wakes nobody."""
    if new is None or (old is not None and old.get("spec") == new.get("spec")):
        return ()
    return (Key("", node_name_of(new)),)
