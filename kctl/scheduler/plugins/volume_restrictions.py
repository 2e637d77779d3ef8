"""VolumeRestrictions: disks that one writer may use, and claims that one pod may use (ReadWriteOncePod)."""

from __future__ import annotations

from kctl.api.objects import Key, Obj, key_of
from kctl.client.cache import by_claim
from kctl.scheduler.extension import SKIP, Cycle, No, Skip
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo

NAME = "VolumeRestrictions"
DISK_CONFLICT = No(NAME, ("node(s) had no available disk",))
IN_USE = No(
    NAME,
    (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by "
        "another pod",
    ),
)
READ_WRITE_ONCE_POD = "ReadWriteOncePod"


class State:
    """The pod's claims that nobody may share, and how often others use them."""

    __slots__ = ("claims", "conflicts")

    def __init__(self, claims: frozenset[str], conflicts: int) -> None:
        self.claims = claims
        self.conflicts = conflicts

    def clone(self) -> State:
        """Return a copy to try things on."""
        return State(self.claims, self.conflicts)


class VolumeRestrictions:
    """Refuses nodes with a pod that has the disk, and all of them while another pod has the claim."""

    name = NAME

    def pre_filter(self, cycle: Cycle) -> No | Skip | frozenset[str] | None:
        """Look the claims up; step aside when the pod has nothing that is not shared."""
        pod = cycle.pod
        alone: set[str] = set()
        for name, is_ephemeral in pod.claims:
            if is_ephemeral:
                continue
            claim = cycle.cluster.volumes.claim(pod.namespace, name)
            if claim is None:
                return missing(NAME, name)
            if READ_WRITE_ONCE_POD in (claim["spec"].get("accessModes") or ()):
                alone.add(name)
        conflicts = sum(is_in_use(cycle, Key(pod.namespace, name)) for name in sorted(alone))
        if not conflicts and not pod.disks:
            return SKIP
        cycle.data[self.name] = State(frozenset(alone), conflicts)
        return None

    def add_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Count the claims of a pod that is tried on the node."""
        self._count(cycle, pod, 1)

    def remove_pod(self, cycle: Cycle, pod: PodInfo, node: NodeInfo) -> None:
        """Do not count the claims of a pod that is tried away."""
        self._count(cycle, pod, -1)

    def _count(self, cycle: Cycle, pod: PodInfo, by: int) -> None:
        state: State | None = cycle.data.get(self.name)
        if state is not None and pod.namespace == cycle.pod.namespace:
            state.conflicts += by * sum(name in state.claims for name, is_ephemeral in pod.claims if not is_ephemeral)

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node where a disk of the pod is taken, and any node while one of its claims is."""
        if cycle.pod.disks and any(conflict(cycle.pod, other) for other in node.pods.values() if other.disks):
            return DISK_CONFLICT
        state: State | None = cycle.data.get(self.name)
        return IN_USE if state is not None and state.conflicts > 0 else None


def missing(plugin: str, name: str) -> No:
    """Return the refusal of a pod whose claim is not there."""
    return No(plugin, (f'persistentvolumeclaim "{name}" not found',), True)


def is_in_use(cycle: Cycle, claim: Key) -> bool:
    """Say whether a pod that has its node uses the claim (ephemeral volumes aside)."""
    placed = cycle.cluster.pods
    for obj in by_claim(cycle.cluster.caches["pods"]).get(claim):
        pod = placed.get(key_of(obj))
        if pod is not None and (claim.name, False) in pod.claims:
            return True
    return False


def conflict(pod: PodInfo, other: PodInfo) -> bool:
    """Say whether two pods want a disk that they cannot share, as isVolumeConflict."""
    return any(_same_disk(one, two) for one in pod.disks for two in other.disks)


def _same_disk(one: Obj, two: Obj) -> bool:
    for kind, is_same in SAME.items():
        a, b = one.get(kind), two.get(kind)
        if a is not None and b is not None and is_same(a, b):
            return kind == "awsElasticBlockStore" or not (a.get("readOnly") and b.get("readOnly"))
    return False


def _same_image(a: Obj, b: Obj) -> bool:
    shared = set(a.get("monitors") or ()) & set(b.get("monitors") or ())
    return bool(shared) and (a.get("pool"), a.get("image")) == (b.get("pool"), b.get("image"))


SAME = {
    "gcePersistentDisk": lambda a, b: a.get("pdName") == b.get("pdName"),
    "awsElasticBlockStore": lambda a, b: a.get("volumeID") == b.get("volumeID"),
    "iscsi": lambda a, b: a.get("iqn") == b.get("iqn"),
    "rbd": _same_image,
}
"""When two inline volumes are one disk; an EBS volume is not even read by two."""
