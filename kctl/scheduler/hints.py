"""Queueing hints: which event may help which unschedulable pod.

In: an event (what changed, the object before and after) and a pod with the plugins that refused it. Out:
whether to try again. Each plugin has registered the kinds of events it cares about; a plugin that did
not refuse the pod is not asked. A wrong yes costs an attempt, a wrong no leaves the pod waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from kctl.api.objects import Obj
from kctl.api.tolerations import tolerates
from kctl.scheduler import volume_hints as storage
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.match import untolerated
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins import dynamic_resources_hints as devices
from kctl.scheduler.plugins.node_resources_fit import insufficient
from kctl.scheduler.plugins.node_unschedulable import CORDON
from kctl.scheduler.plugins.spread_constraints import Constraint, constraints_of
from kctl.scheduler.podinfo import AffinityTerm, PodInfo
from kctl.scheduler.requests import Requests

if TYPE_CHECKING:
    from kctl.scheduler.framework import Framework

NODE_ADD = "node add"
NODE_DELETE = "node delete"
NODE_LABEL = "node label"
NODE_TAINT = "node taint"
NODE_ALLOCATABLE = "node allocatable"
POD_ADD = "pod add"
POD_DELETE = "pod delete"
POD_LABEL = "pod label"
POD_SCALE_DOWN = "pod scale down"
POD_TOLERATION = "pod toleration"
POD_GATES = "pod gates eliminated"


class Event(NamedTuple):
    """What happened: a kind from the list above, to a node (shown without its pods), a pod, or another object."""

    kind: str
    old_node: NodeInfo | None = None
    new_node: NodeInfo | None = None
    old_pod: PodInfo | None = None
    new_pod: PodInfo | None = None
    old_obj: Obj | None = None
    new_obj: Obj | None = None

    @property
    def pods(self) -> list[PodInfo]:
        """The pod before and after, as far as there is one."""
        return [pod for pod in (self.old_pod, self.new_pod) if pod is not None]


@runtime_checkable
class Hinting(Protocol):
    """A plugin whose arguments change what may help its pods."""

    def hint(self, cluster: Cluster, pod: PodInfo, event: Event) -> bool | None:
        """Say whether the event may help, None for what is usual."""
        ...


def worth_trying(
    cluster: Cluster, pod: PodInfo, plugins: frozenset[str], event: Event, framework: Framework | None = None
) -> bool:
    """Say whether the event may make the pod schedulable (isPodWorthRequeuing).

    A pod that nobody refused found no nodes at all: any new node helps. Without a framework plugins have
    no arguments.
    """
    if not plugins:
        return event.kind == NODE_ADD
    for plugin in sorted(plugins):
        hint = HINTS.get(plugin, {}).get(event.kind)
        if hint is None:
            continue
        made = framework.by_name.get(plugin) if framework is not None else None
        said = made.hint(cluster, pod, event) if isinstance(made, Hinting) else None
        if hint(cluster, pod, event) if said is None else said:
            return True
    return False


def interested(kind: str) -> list[str]:
    """Return the plugins that registered this kind of event; "" stands for pods that nobody refused."""
    return [
        *(plugin for plugin, registered in HINTS.items() if kind in registered),
        *([""] if kind == NODE_ADD else ()),
    ]


def node_events(old: Obj, new: Obj) -> list[str]:
    """Name what changed about a node, as NodeSchedulingPropertiesChange; heartbeats name nothing."""
    found = []
    old_spec, new_spec = old.get("spec") or {}, new.get("spec") or {}
    if old_spec.get("unschedulable") and not new_spec.get("unschedulable"):
        found.append(NODE_TAINT)
    old_status, new_status = old.get("status") or {}, new.get("status") or {}
    if (old_status.get("allocatable") or {}) != (new_status.get("allocatable") or {}):
        found.append(NODE_ALLOCATABLE)
    if (old["metadata"].get("labels") or {}) != (new["metadata"].get("labels") or {}):
        found.append(NODE_LABEL)
    if (old_spec.get("taints") or []) != (new_spec.get("taints") or []):
        found.append(NODE_TAINT)
    return found


def pod_events(old: PodInfo, new: PodInfo) -> list[str]:
    """Name what changed about a pod, as PodSchedulingPropertiesChange."""
    found = []
    if old.labels != new.labels:
        found.append(POD_LABEL)
    if old.spec is not new.spec or old.obj.get("status") is not new.obj.get("status"):
        if new.spec.get("resourceClaims") and _generated(old.obj) != _generated(new.obj):
            found.append(devices.POD_CLAIMS)
        if scaled_down(old.requests, new.requests):
            found.append(POD_SCALE_DOWN)
        if old.spec.get("schedulingGates") and not new.spec.get("schedulingGates"):
            found.append(POD_GATES)
        if len(old.tolerations) != len(new.tolerations):
            found.append(POD_TOLERATION)
    return found


def _generated(pod: Obj) -> object:
    return (pod.get("status") or {}).get("resourceClaimStatuses")


def scaled_down(old: Requests, new: Requests) -> bool:
    """Say whether any request is lower than it was."""
    if old.cpu > new.cpu or old.memory > new.memory or old.ephemeral > new.ephemeral:
        return True
    return any(value > new.scalar.get(name, 0) for name, value in old.scalar.items())


# -- one function a plugin and event; each says whether the event may help


def always(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """Help in any case."""
    return True


def itself(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """Help if it is the pod itself that changed."""
    return event.new_pod is not None and event.new_pod.uid == pod.uid


def became_schedulable(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeUnschedulable: the node is new or was cordoned, and is not now."""
    was = event.old_node is not None and not event.old_node.unschedulable
    return event.new_node is not None and not event.new_node.unschedulable and not was


def tolerates_cordon(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeUnschedulable: the pod itself now tolerates cordoned nodes."""
    return itself(cluster, pod, event) and any(tolerates(t, CORDON) for t in pod.tolerations)


def became_tolerated(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """TaintToleration: the node's taints were in the way, and are not now."""
    old, new = event.old_node, event.new_node
    was = old is not None and untolerated(old.hard_taints, pod.tolerations) is None
    return new is not None and not was and untolerated(new.hard_taints, pod.tolerations) is None


def became_matching(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeAffinity: the node did not match, and does now."""
    old, new = event.old_node, event.new_node
    matches = pod.required_node_affinity
    if matches is None or new is None or not matches(new.name, new.labels):
        return False
    return old is None or not matches(old.name, old.labels)


def has_place(pod: PodInfo) -> bool:
    """Say whether the pod counts on a node: it is there, or nominated to it."""
    return bool(pod.node_name or pod.nominated)


def freed_port(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodePorts: the pod that is gone held a port this one wants."""
    gone = event.old_pod
    if gone is None or not has_place(gone):
        return False
    node = NodeInfo("")
    node.add_pod(gone)
    return node.has_conflict(pod.ports)


def freed_resources(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeResourcesFit: a pod left a node, or was about to take one."""
    gone = event.old_pod
    return gone is not None and has_place(gone)


def needs_less(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeResourcesFit: the pod itself, or a placed one, now asks for less of what this one needs."""
    old, new = event.old_pod, event.new_pod
    if old is None or new is None:
        return False
    if new.uid == pod.uid:
        return True
    if not new.node_name:
        return False
    wanted, before, after = pod.requests, old.requests, new.requests
    return (
        (wanted.cpu > 0 and before.cpu > after.cpu)
        or (wanted.memory > 0 and before.memory > after.memory)
        or (wanted.ephemeral > 0 and before.ephemeral > after.ephemeral)
        or any(v > 0 and before.scalar.get(n, 0) > after.scalar.get(n, 0) for n, v in wanted.scalar.items())
    )


def has_room(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """NodeResourcesFit: the pod fits the node when empty, and the node is new or offers more than before."""
    old, new = event.old_node, event.new_node
    if new is None or insufficient(pod.requests, new):
        return False
    return old is None or offers_more(pod.requests, old, new)


def offers_more(wanted: Requests, old: NodeInfo, new: NodeInfo) -> bool:
    """Say whether more of what is wanted is allocatable, or more pods are."""
    return (
        new.allowed_pods > old.allowed_pods
        or (wanted.cpu > 0 and new.allocatable_cpu > old.allocatable_cpu)
        or (wanted.memory > 0 and new.allocatable_memory > old.allocatable_memory)
        or (wanted.ephemeral > 0 and new.allocatable_ephemeral > old.allocatable_ephemeral)
        or any(
            v > 0 and new.allocatable_scalar.get(n, 0) > old.allocatable_scalar.get(n, 0)
            for n, v in wanted.scalar.items()
        )
    )


def spread_after_pod(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """PodTopologySpread: a pod that is spread came, went, or began or ceased to match."""
    return spread_changed(constraints_of(pod, "DoNotSchedule"), pod, event)


def spread_after_node(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """PodTopologySpread: a node with the topology keys came, went or changed them, or its taints."""
    return topology_changed(constraints_of(pod, "DoNotSchedule"), event)


def spread_changed(constraints: Sequence[Constraint], pod: PodInfo, event: Event) -> bool:
    """Say whether an event of a pod changes what constraints count (isSchedulableAfterPodChange)."""
    if any(other.uid != pod.uid and not _is_spread_with(pod, other) for other in event.pods):
        return False
    if event.kind == POD_TOLERATION:
        return itself_with_honored_taints(constraints, pod, event)
    if event.old_pod is not None and event.new_pod is not None:
        before, after = event.old_pod.labels, event.new_pod.labels
        return any(c.matches(before) != c.matches(after) for c in constraints)
    return any(c.matches(other.labels) for c in constraints for other in event.pods)


def _is_spread_with(pod: PodInfo, other: PodInfo) -> bool:
    return has_place(other) and other.namespace == pod.namespace


def itself_with_honored_taints(constraints: Sequence[Constraint], pod: PodInfo, event: Event) -> bool:
    """Say whether the pod itself tolerates more and a constraint counts by that (nodeTaintsPolicy: Honor)."""
    return any(other.uid == pod.uid for other in event.pods) and any(c.honor_taints for c in constraints)


def topology_changed(constraints: Sequence[Constraint], event: Event) -> bool:
    """Say whether an event of a node changes where constraints count (isSchedulableAfterNodeChange)."""
    keys = [c.topology_key for c in constraints]
    old, new = event.old_node, event.new_node
    before = old is not None and all(key in old.labels for key in keys)
    after = new is not None and all(key in new.labels for key in keys)
    if before != after:
        return True
    if not after or old is None or new is None:
        return False
    moved = any(old.labels[key] != new.labels[key] for key in keys)
    return moved or (old.hard_taints, old.soft_taints) != (new.hard_taints, new.soft_taints)


def affinity_after_pod(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """InterPodAffinity: a pod to be near came, one to be far from went, or the pod itself got other labels."""
    if event.kind == POD_LABEL and itself(cluster, pod, event):
        return True
    if not all(has_place(other) for other in event.pods):
        return False
    old, new = event.old_pod, event.new_pod
    if new is not None:
        gained = meets_all(cluster, pod.affinity, new) and not (old and meets_all(cluster, pod.affinity, old))
        if old is None:
            return gained
        lost = meets_any(cluster, pod.anti_affinity, old) and not meets_any(cluster, pod.anti_affinity, new)
        return gained or lost
    if old is None:
        return False
    return meets_any(cluster, pod.anti_affinity, old) or meets_any(cluster, old.anti_affinity, pod)


def meets_all(cluster: Cluster, terms: Sequence[AffinityTerm], other: PodInfo) -> bool:
    """Say whether there are terms and the pod meets them all."""
    namespaces = cluster.namespace_labels()
    return bool(terms) and all(term.matches(other, namespaces) for term in terms)


def meets_any(cluster: Cluster, terms: Sequence[AffinityTerm], other: PodInfo) -> bool:
    """Say whether the pod meets any of the terms."""
    namespaces = cluster.namespace_labels()
    return any(term.matches(other, namespaces) for term in terms)


def affinity_after_node(cluster: Cluster, pod: PodInfo, event: Event) -> bool:
    """InterPodAffinity: a node entered, left or moved between domains of the pod's terms."""
    old, new = event.old_node, event.new_node
    if new is None:
        return False
    after: Mapping[str, str] = new.labels
    if old is None:
        return bool(pod.anti_affinity) or any(t.topology_key in after for t in pod.affinity)
    before: Mapping[str, str] = old.labels
    entered = any(t.topology_key in after and before.get(t.topology_key) != after[t.topology_key] for t in pod.affinity)
    return entered or any(
        t.topology_key in before and before[t.topology_key] != after.get(t.topology_key) for t in pod.anti_affinity
    )


Hint = Callable[[Cluster, PodInfo, Event], bool]
HINTS: dict[str, dict[str, Hint]] = {
    "SchedulingGates": {POD_GATES: itself},
    "NodeUnschedulable": {
        NODE_ADD: became_schedulable,
        NODE_TAINT: became_schedulable,
        POD_TOLERATION: tolerates_cordon,
    },
    "NodeName": {NODE_ADD: always, NODE_TAINT: always},
    "TaintToleration": {NODE_ADD: became_tolerated, NODE_TAINT: became_tolerated, POD_TOLERATION: itself},
    "NodeAffinity": {NODE_ADD: became_matching, NODE_LABEL: became_matching, NODE_TAINT: always},
    "NodePorts": {NODE_ADD: always, NODE_TAINT: always, POD_DELETE: freed_port},
    "NodeResourcesFit": {
        NODE_ADD: has_room,
        NODE_ALLOCATABLE: has_room,
        NODE_TAINT: always,
        POD_DELETE: freed_resources,
        POD_SCALE_DOWN: needs_less,
    },
    "VolumeRestrictions": {
        NODE_ADD: always,
        NODE_TAINT: always,
        POD_DELETE: storage.frees_disk,
        storage.CLAIM_ADD: storage.names_shared_claim,
    },
    "NodeVolumeLimits": {
        POD_DELETE: storage.frees_volume,
        storage.CSI_NODE_ADD: always,
        storage.CSI_NODE_UPDATE: storage.allows_more,
        storage.CLAIM_ADD: storage.names_claim,
        storage.ATTACHMENT_DELETE: storage.was_attached,
    },
    "VolumeBinding": {
        NODE_ADD: always,
        NODE_LABEL: always,
        NODE_TAINT: always,
        storage.CLASS_ADD: storage.provisions_elsewhere,
        storage.CLASS_UPDATE: storage.provisions_elsewhere,
        storage.CLAIM_ADD: storage.names_claim,
        storage.CLAIM_UPDATE: storage.names_claim,
        storage.VOLUME_ADD: always,
        storage.VOLUME_UPDATE: always,
        storage.CSI_NODE_ADD: storage.migrates,
        storage.CSI_NODE_UPDATE: storage.migrates,
        storage.DRIVER_UPDATE: storage.stops_counting,
        storage.CAPACITY_ADD: storage.holds_more,
        storage.CAPACITY_UPDATE: storage.holds_more,
    },
    "VolumeZone": {
        NODE_ADD: always,
        NODE_LABEL: always,
        NODE_TAINT: always,
        storage.CLASS_ADD: storage.waits_for_consumers,
        storage.CLAIM_ADD: storage.names_shared_claim,
        storage.CLAIM_UPDATE: storage.names_shared_claim,
        storage.VOLUME_ADD: storage.is_elsewhere,
        storage.VOLUME_UPDATE: storage.is_elsewhere,
    },
    "PodTopologySpread": {
        NODE_ADD: spread_after_node,
        NODE_DELETE: spread_after_node,
        NODE_LABEL: spread_after_node,
        NODE_TAINT: spread_after_node,
        POD_ADD: spread_after_pod,
        POD_DELETE: spread_after_pod,
        POD_LABEL: spread_after_pod,
        POD_TOLERATION: spread_after_pod,
    },
    "InterPodAffinity": {
        NODE_ADD: affinity_after_node,
        NODE_LABEL: affinity_after_node,
        NODE_TAINT: always,
        POD_ADD: affinity_after_pod,
        POD_DELETE: affinity_after_pod,
        POD_LABEL: affinity_after_pod,
    },
    "DynamicResources": {
        NODE_ADD: always,
        NODE_LABEL: always,
        NODE_TAINT: always,
        devices.DEVICE_CLAIM_ADD: devices.frees_or_serves,
        devices.DEVICE_CLAIM_UPDATE: devices.frees_or_serves,
        devices.POD_CLAIMS: devices.has_its_claims,
        devices.CLASS_ADD: always,
        devices.CLASS_UPDATE: always,
        devices.SLICE_ADD: always,
        devices.SLICE_UPDATE: always,
    },
}
"""What each plugin registered, as its EventsToRegister.

Upstream lets every plugin that waits for new nodes, and did not ask for changes of taints, be woken by those
too, in any case (buildQueueingHintMap).
"""
