"""A node and what runs on it, kept up to date pod by pod.

Aggregates change by O(size of the pod) when a pod comes or goes, never by walking the node's
pods. ``generation`` grows with every change, so that whoever remembers an answer about the
node can tell whether it still holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kctl.api.objects import Key, Obj
from kctl.scheduler.podinfo import ANY_ADDRESS, HostPort, PodInfo
from kctl.scheduler.requests import NATIVE, amounts

HARD_EFFECTS = ("NoSchedule", "NoExecute")
ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
LIKE = "sim.kctl.dev/devices-like"
"""The annotation of a node that does not exist, and would have devices as another has."""


class NodeInfo:
    """The pods assigned to a node name, and the node itself unless it does not exist (yet)."""

    __slots__ = (
        "affinity_pods",
        "allocatable_cpu",
        "allocatable_ephemeral",
        "allocatable_memory",
        "allocatable_scalar",
        "allowed_pods",
        "anti_affinity_pods",
        "cpu",
        "ephemeral",
        "generation",
        "hard_taints",
        "images",
        "images_epoch",
        "labels",
        "memory",
        "name",
        "node",
        "nonzero_cpu",
        "nonzero_memory",
        "place",
        "pods",
        "ports",
        "scalar",
        "soft_taints",
        "unschedulable",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.generation = 0
        self.pods: dict[Key, PodInfo] = {}
        self.affinity_pods: dict[Key, PodInfo] = {}
        self.anti_affinity_pods: dict[Key, PodInfo] = {}
        self.cpu = self.memory = self.ephemeral = 0
        self.nonzero_cpu = self.nonzero_memory = 0
        self.scalar: dict[str, int] = {}
        self.ports: dict[tuple[str, int], set[str]] = {}
        self.images: dict[str, tuple[int, int]] = {}
        """Size of each image here and how many nodes had it when this node last changed."""
        self.images_epoch = -1
        self.place = -1
        """Its place in scheduling order, -1 while the node does not exist."""
        self.set_node(None)

    def set_node(self, node: Obj | None) -> None:
        """Take over the node object; None when it is gone and only its pods are left."""
        self.node = node
        self.generation += 1
        spec: Obj = (node or {}).get("spec") or {}
        status: Obj = (node or {}).get("status") or {}
        self.labels: dict[str, str] = ((node or {}).get("metadata") or {}).get("labels") or {}
        self.unschedulable = bool(spec.get("unschedulable"))
        taints = spec.get("taints") or ()
        self.hard_taints = tuple(t for t in taints if t.get("effect") in HARD_EFFECTS)
        self.soft_taints = tuple(t for t in taints if t.get("effect") == "PreferNoSchedule")
        allocatable = amounts(status.get("allocatable"))
        self.allocatable_cpu = allocatable.get("cpu", 0)
        self.allocatable_memory = allocatable.get("memory", 0)
        self.allocatable_ephemeral = allocatable.get("ephemeral-storage", 0)
        self.allowed_pods = allocatable.get("pods", 0)
        self.allocatable_scalar = {name: value for name, value in allocatable.items() if name not in NATIVE}

    def add_pod(self, pod: PodInfo) -> None:
        """Count a pod in."""
        self.pods[pod.key] = pod
        if pod.traits.has_affinity:
            self.affinity_pods[pod.key] = pod
            if pod.anti_affinity:
                self.anti_affinity_pods[pod.key] = pod
        self._count(pod, 1)

    def remove_pod(self, key: Key) -> PodInfo | None:
        """Count a pod out; None when it was not here."""
        pod = self.pods.pop(key, None)
        if pod is None:
            return None
        self.affinity_pods.pop(key, None)
        self.anti_affinity_pods.pop(key, None)
        self._count(pod, -1)
        return pod

    def _count(self, pod: PodInfo, sign: int) -> None:
        self.generation += 1
        cpu, memory, ephemeral, scalar, nonzero_cpu, nonzero_memory, _, _ = pod.traits.requests
        if sign > 0:
            self.cpu += cpu
            self.memory += memory
            self.nonzero_cpu += nonzero_cpu
            self.nonzero_memory += nonzero_memory
        else:
            self.cpu -= cpu
            self.memory -= memory
            self.nonzero_cpu -= nonzero_cpu
            self.nonzero_memory -= nonzero_memory
        if ephemeral:
            self.ephemeral += sign * ephemeral
        for name, value in scalar.items():
            left = self.scalar.get(name, 0) + sign * value
            if left:
                self.scalar[name] = left
            else:
                self.scalar.pop(name, None)
        for port in pod.traits.ports:
            self._count_port(port, sign)

    def _count_port(self, port: HostPort, sign: int) -> None:
        """Take or free a port. It is free once one of several users goes, as in HostPortInfo.

        Several pods share a port only where they were placed past the scheduler.
        """
        place = (port.protocol, port.port)
        users = self.ports.setdefault(place, set())
        if sign > 0:
            users.add(port.ip)
        else:
            users.discard(port.ip)
        if not users:
            del self.ports[place]

    def has_conflict(self, wanted: Iterable[HostPort]) -> bool:
        """Say whether a wanted port is taken, as HostPortInfo.CheckConflict: 0.0.0.0 is every address."""
        for port in wanted:
            users = self.ports.get((port.protocol, port.port))
            if users and (port.ip == ANY_ADDRESS or port.ip in users or ANY_ADDRESS in users):
                return True
        return False

    def clone(self) -> NodeInfo:
        """Return a copy to try things on; pods and the node object are shared."""
        copy = NodeInfo.__new__(NodeInfo)
        for slot in NodeInfo.__slots__:
            value = getattr(self, slot)
            setattr(copy, slot, value.copy() if isinstance(value, dict) and slot != "labels" else value)
        copy.ports = {place: set(users) for place, users in self.ports.items()}
        return copy

    def aggregates(self) -> dict[str, Any]:
        """Return what must equal a recomputation from the pods; for tests."""
        return {
            "pods": sorted(self.pods),
            "cpu": self.cpu,
            "memory": self.memory,
            "ephemeral": self.ephemeral,
            "nonzero": (self.nonzero_cpu, self.nonzero_memory),
            "scalar": self.scalar,
            "ports": self.ports,
            "affinity": (sorted(self.affinity_pods), sorted(self.anti_affinity_pods)),
        }

    def zone(self) -> str:
        """Return the node's region and zone as one key, "" when it has neither (GetZoneKey)."""
        region, zone = self.labels.get(REGION, ""), self.labels.get(ZONE, "")
        return f"{region}:\0:{zone}" if region or zone else ""
