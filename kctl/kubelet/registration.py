"""Registration: each machine (``instances.cloud.kctl.dev``) brings its Node, once.

In: an Instance that has not registered. Out: its Node with labels, taints, pod range and
status, and ``status.registered`` on the Instance. A Node that is deleted afterwards does not
come back, as a kubelet registers when it starts; nothing is ever deleted here. A machine that takes
the name of a former one waits until the pods that ran there are gone: a kubelet that came up in
between would take them for its own. Providers other than ``none`` get the uninitialized taint,
which their cloud-node-controller takes off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, dig, is_deleting, key_of
from kctl.client.cache import Cache, Caches, Fold, by_node
from kctl.client.client import Client
from kctl.kubelet import node as nodes
from kctl.kubelet.addresses import lowest_free, node_address, pod_range, range_number
from kctl.kubelet.agent import COMPONENT, USER
from kctl.kubelet.facts import NONE_USED, Used, release, take
from kctl.kubelet.node import INSTANCES, PROVIDED_IP, by_node_name, node_name
from kctl.runtime.actions import Action, Create, update_status
from kctl.runtime.controller import Controller, Decision, Watch
from kctl.runtime.profile import Profile

UNINITIALIZED = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}
RANGES = "kubelet pod ranges"


class Seen(NamedTuple):
    """An unregistered instance, its Node if one is there, a free pod range and address.

    ``is_waited_for`` says that pods which ran on a former node of the name are still there.
    """

    instance: Obj
    node: Obj | None
    pod_cidr: str
    address: str
    is_waited_for: bool = False


class Registration(Controller):
    """Creates the Node of each Instance."""

    name = "kubelet-registration"
    user = USER
    level = 10
    reads = ("nodes",)
    writes = ("nodes", INSTANCES, "events")

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.watches = (Watch(INSTANCES, _keys), Watch("pods", _keys_of_pod, 0))

    def prepare(self, caches: Caches) -> None:
        """Register the folds of pod ranges and node addresses."""
        pod_ranges(caches["nodes"])
        nodes.node_addresses(caches["nodes"])
        by_node(caches["pods"])
        by_node_name(caches[INSTANCES])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read an instance that has yet to register."""
        instance = caches[INSTANCES].get(key)
        if instance is None or is_registered(instance) or is_deleting(instance):
            return None
        cache = caches["nodes"]
        name = node_name(instance)
        node = cache.get(Key("", name))
        return Seen(
            instance,
            node,
            pod_range(lowest_free(pod_ranges(cache).get("")[0])),
            node_address(nodes.node_addresses(cache).get("")[0]),
            node is None and any(_has_run(pod) for pod in by_node(caches["pods"]).get(name)),
        )

    def decide(self, seen: Seen, now: float) -> Decision:
        """Create the Node when the machine has booted, and remember that it was."""
        created = dig(seen.instance, "metadata", "creationTimestamp")
        boots_at = (parse_time(created) if created else now) + self.profile.node_boot
        if now < boots_at:
            return Decision(wake_at=boots_at)
        if seen.is_waited_for:
            return Decision()
        actions: list[Action] = []
        if seen.node is None:
            made = new_node(seen.instance, seen.pod_cidr, seen.address, now)
            actions += [Create("nodes", made), nodes.ready_event(made)]
        status = {**(seen.instance.get("status") or {}), "registered": True, "registeredAt": rfc3339(now)}
        actions.append(update_status(INSTANCES, seen.instance, status))
        return Decision(tuple(actions))

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; events come from ``kubelet``."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=COMPONENT)


def _keys(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    return () if new is None or is_registered(new) else (key_of(new),)


def _keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod that is gone to the instances that wait to take the name of its node."""
    name = old["spec"].get("nodeName") if old is not None and new is None else None
    if not name or caches["nodes"].get(Key("", name)) is not None:
        return []
    found = by_node_name(caches[INSTANCES]).get(name)
    return [key_of(instance) for instance in found if not is_registered(instance)]


def _has_run(pod: Obj) -> bool:
    """Say whether a kubelet has taken the pod on."""
    return dig(pod, "status", "startTime") is not None


def is_registered(instance: Obj) -> bool:
    """Say whether the instance has brought its Node."""
    return bool(dig(instance, "status", "registered"))


def pod_ranges(cache: Cache) -> Fold[Used]:
    """Return the fold of pod ranges in use by number; all are under the value ""."""

    def number(node: Obj) -> int | None:
        return range_number(dig(node, "spec", "podCIDR", default=""))

    def values(node: Obj) -> tuple[str, ...]:
        return () if number(node) is None else ("",)

    def add(used: Used, node: Obj) -> Used:
        return take(used, number(node) or 0)

    def remove(used: Used, node: Obj) -> Used:
        return release(used, number(node) or 0)

    return cache.fold(RANGES, values, NONE_USED, add, remove)


def new_node(instance: Obj, pod_cidr: str, address: str, now: float) -> Obj:
    """Return the Node as its kubelet registers it."""
    spec: Obj = instance.get("spec") or {}
    name = node_name(instance)
    provider = spec.get("provider") or "none"
    taints = [*(spec.get("taints") or ()), *([UNINITIALIZED] if provider != "none" else ())]
    annotations = {} if provider == "none" else {PROVIDED_IP: address}
    capacity: Mapping[str, str] = capacity_of(spec)
    allocatable = capacity
    if spec.get("kubelet") is not None:
        from kctl.api.kubeletconfig import allocatable_of, notes_of

        annotations = {**annotations, **notes_of(spec["kubelet"])}
        allocatable = allocatable_of(capacity, spec["kubelet"])
    node: Obj = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels_of(name, spec, provider),
            "annotations": {
                **annotations,
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {"podCIDR": pod_cidr, "podCIDRs": [pod_cidr], **({"taints": taints} if taints else {})},
        "status": {"capacity": capacity, "allocatable": allocatable},
    }
    return {**node, "status": nodes.status_of(node, address, now)}


def labels_of(name: str, spec: Obj, provider: str) -> dict[str, str]:
    """Return the labels a kubelet gives its Node; without a cloud also the place it is told."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    if provider == "none":
        for label, field in (("topology.kubernetes.io/region", "region"), ("topology.kubernetes.io/zone", "zone")):
            if spec.get(field):
                labels[label] = spec[field]
    return {**labels, **(spec.get("labels") or {})}


def capacity_of(spec: Obj) -> dict[str, str]:
    """Return the capacity of a machine, what it does not say by default."""
    return {
        "cpu": str(spec.get("cpu") or nodes.DEFAULT_CAPACITY["cpu"]),
        "ephemeral-storage": str(spec.get("ephemeralStorage") or nodes.DEFAULT_CAPACITY["ephemeral-storage"]),
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": str(spec.get("memory") or nodes.DEFAULT_CAPACITY["memory"]),
        "pods": str(spec.get("pods") or nodes.DEFAULT_CAPACITY["pods"]),
    }
