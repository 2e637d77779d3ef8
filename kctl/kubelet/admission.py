"""Whether a kubelet takes a pod that was put on its node without the scheduler.

In: a new pod, its node, the node's other pods. Out: reason and message of a refusal, as kubelet's
eviction manager and predicate admission: pressure, resources, node selector and affinity, host ports, NoExecute
taints, the first that fails. The scheduler has checked all but the pressure for the pods it binds. Who makes way for a critical
pod is :mod:`kctl.kubelet.preemption`'s; resources managed by devices, topology or CPU sets are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.nodeselectors import required_node_affinity
from kctl.api.objects import Obj, condition, dig, is_condition_true
from kctl.api.staticpods import is_critical
from kctl.kubelet.allocation import allocated
from kctl.kubelet.phase import TERMINAL, is_sidecar

Refusal = tuple[str, str]
"""Reason and message."""
FIRST = ("cpu", "memory", "ephemeral-storage")
"""Compared in this order, others by name after them."""
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")
MEMORY_PRESSURE = {"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}
EVERY = "0.0.0.0"  # noqa: S104 - nothing is bound: how a pod asks for all addresses of its node


def is_by_hand(pod: Obj) -> bool:
    """Say whether the pod is new and no scheduler has bound it."""
    return not dig(pod, "status", "startTime") and condition(pod, "PodScheduled") is None


def refusal(pod: Obj, node: Obj, on_node: Iterable[Obj]) -> Refusal | None:
    """Return why the kubelet does not take the pod, None when it does, as predicateAdmitHandler.Admit."""
    others = taken_beside(pod, on_node)
    return pressed(pod, node) or _insufficient(pod, node, others) or misplaced(pod, node, others)


def taken_beside(pod: Obj, on_node: Iterable[Obj]) -> list[Obj]:
    """Return the other pods of the node that its kubelet has taken, with what they have."""
    uid = pod["metadata"].get("uid")
    return [allocated(other) for other in on_node if other["metadata"].get("uid") != uid and _is_taken(other)]


def pressed(pod: Obj, node: Obj) -> Refusal | None:
    """Refuse pods under pressure, as the eviction manager's Admit: for memory only those that ask for nothing."""
    conditions = [type_ for type_ in PRESSURES if is_condition_true(node, type_)]
    if not conditions or is_critical(pod):
        return None
    if conditions == ["MemoryPressure"]:
        is_best_effort = pod.get("status", {}).get("qosClass") == "BestEffort"
        if not is_best_effort or any(_tolerates(one, MEMORY_PRESSURE) for one in pod["spec"].get("tolerations") or ()):
            return None
    return "Evicted", f"The node had condition: [{' '.join(conditions)}]. "


def misplaced(pod: Obj, node: Obj, others: Iterable[Obj]) -> Refusal | None:
    """Return why the node is not one for the pod however much room it has."""
    if not _selects(pod["spec"], node):
        return _predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
    if any(_collide(mine, port) for mine in _ports(pod) for other in others for port in _ports(other)):
        return _predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
    tolerations = pod["spec"].get("tolerations") or ()
    for taint in dig(node, "spec", "taints") or ():
        if taint.get("effect") == "NoExecute" and not any(_tolerates(one, taint) for one in tolerations):
            return _predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")
    return None


def _is_taken(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") not in TERMINAL and not is_by_hand(pod)


def _predicate(name: str, why: str) -> Refusal:
    return name, f"Predicate {name} failed: {why}"


class Lack(NamedTuple):
    """A resource of which too little is left."""

    resource: str
    asked: int
    used: int
    capacity: int

    @property
    def text(self) -> str:
        """Return it in kubelet's words."""
        head = f"Node didn't have enough resource: {self.resource}, requested: {self.asked}"
        return f"{head}, used: {self.used}, capacity: {self.capacity}"


def _insufficient(pod: Obj, node: Obj, others: list[Obj]) -> Refusal | None:
    found = next(lacks(pod, node, others), None)
    return None if found is None else (f"OutOf{found.resource}", found.text)


def lacks(pod: Obj, node: Obj, others: list[Obj]) -> Iterator[Lack]:
    """Yield the resources of which too little is left, as noderesources.Fits."""
    allocatable = dig(node, "status", "allocatable") or {}
    if not allocatable:
        return
    room = amount("pods", allocatable.get("pods", 0))
    if len(others) + 1 > room:
        yield Lack("pods", 1, len(others), room)
    wanted = requests(pod["spec"])
    used: dict[str, int] | None = None
    for name in (*FIRST, *sorted(wanted.keys() - set(FIRST))):
        asked = wanted.get(name, 0)
        if not asked or ("/" in name and name not in allocatable):
            continue
        used = used or _sum(requests(other["spec"]) for other in others)
        have = amount(name, allocatable.get(name, 0))
        if asked > have - used.get(name, 0):
            yield Lack(name, asked, used.get(name, 0), have)


@lru_cache(maxsize=4096)
def amount(resource: str, text: str | int | float) -> int:
    """Read a quantity: cpu in thousandths, all else in whole units, fractions rounded up."""
    return quantity.milli(text) if resource == "cpu" else quantity.value(text)


def requests(spec: Obj) -> dict[str, int]:
    """Return what a pod asks for, as k8s.io/component-helpers/resource.PodRequests."""
    running = _sum(map(_requests, spec["containers"]))
    beside: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        if is_sidecar(container):
            beside = _sum((beside, _requests(container)))
            now = beside
        else:
            now = _sum((beside, _requests(container)))
        most = {name: max(most.get(name, 0), now.get(name, 0)) for name in most.keys() | now.keys()}
    running = _sum((running, beside))
    total = {name: max(running.get(name, 0), most.get(name, 0)) for name in running.keys() | most.keys()}
    whole = dig(spec, "resources", "requests") or {}
    total |= {name: amount(name, text) for name, text in whole.items()}
    overhead = {name: amount(name, text) for name, text in (spec.get("overhead") or {}).items()}
    return _sum((total, overhead))


def _requests(container: Obj) -> dict[str, int]:
    return {name: amount(name, text) for name, text in (dig(container, "resources", "requests") or {}).items()}


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    out: dict[str, int] = {}
    for part in parts:
        for name, number in part.items():
            out[name] = out.get(name, 0) + number
    return out


def _selects(spec: Obj, node: Obj) -> bool:
    """Say whether node selector and required affinity allow the node, as GetRequiredNodeAffinity."""
    allows = required_node_affinity(spec)
    metadata = node["metadata"]
    return allows is None or allows(metadata["name"], metadata.get("labels") or {})


def _ports(pod: Obj) -> Iterator[tuple[str, str, int]]:
    """Yield address, protocol and number of each port the pod takes of its node."""
    sidecars = [container for container in pod["spec"].get("initContainers") or () if is_sidecar(container)]
    for container in (*pod["spec"]["containers"], *sidecars):
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield port.get("hostIP") or EVERY, port.get("protocol") or "TCP", port["hostPort"]


def _collide(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or EVERY in (one[0], other[0]))


def _tolerates(toleration: Obj, taint: Obj) -> bool:
    """Say whether the toleration is for the taint, as v1.Toleration.ToleratesTaint."""
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")
