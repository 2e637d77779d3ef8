"""How full the nodes are: what the pods on each ask for, beside what it has.

In: nodes and pods. Out: a record a node, as data: requests and limits beside allocatable, pods, zone,
conditions that are not as they should be, taints, devices if it has some. Pods that have ended ask for nothing, as
kubectl describe counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kctl.api import podresources, quantity
from kctl.api.objects import Obj, dig, labels_of
from kctl.api.resourcelist import add, compare, written
from kctl.client.client import Client
from kctl.plan import devicefill

ZONE = "topology.kubernetes.io/zone"
ENDED = ("Succeeded", "Failed")
NEGATIVE = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
"""Conditions that are trouble when they are true; all others are when they are not."""


def records(client: Client) -> list[Obj]:
    """Return the records, in order of name."""
    pods: dict[str, list[Obj]] = {}
    for pod in client.list("pods").items:
        node = pod["spec"].get("nodeName")
        if node and dig(pod, "status", "phase") not in ENDED:
            pods.setdefault(node, []).append(pod)
    devices = devicefill.by_node(client)
    found = []
    for node in client.list("nodes").items:
        name = node["metadata"]["name"]
        has = {"devices": devices[name]} if name in devices else {}
        found.append(record(node, pods.get(name, [])) | has)
    return found


def record(node: Obj, pods: Iterable[Obj]) -> Obj:
    """Return the record of one node with the pods on it."""
    pods = list(pods)
    allocatable = written(dig(node, "status", "allocatable", default={}))
    requests, limits = _sum(pods, "requests"), _sum(pods, "limits")
    spec = node.get("spec") or {}
    return {
        "name": node["metadata"]["name"],
        "zone": labels_of(node).get(ZONE, ""),
        "status": _status(node),
        "conditions": troubles(node),
        "taints": [_taint(taint) for taint in spec.get("taints") or ()],
        "unschedulable": bool(spec.get("unschedulable")),
        "pods": len(pods),
        "allocatable": allocatable,
        "requests": requests,
        "limits": limits,
        "fill": {name: percent(requests.get(name, "0"), allocatable[name]) for name in sorted(allocatable)}
        | {"pods": percent(str(len(pods)), allocatable.get("pods", "0"))},
    }


def _sum(pods: Iterable[Obj], field: str) -> dict[str, str]:
    """Add up what pods ask for; the overhead of their runtime classes counts."""
    total: dict[str, str] = {}
    for pod in pods:
        spec = pod["spec"]
        own: Mapping[str, str] = podresources.total(spec, "requests" if field == "requests" else "limits")
        total = add(total, own)
        if spec.get("overhead") and (field == "requests" or own):
            total = add(total, written(spec["overhead"]))
    return {name: quantity.canonical(total[name]) for name in sorted(total)}


def percent(part: str, whole: str) -> int:
    """Return a part in whole percent, 0 of nothing, as kubectl describe rounds it."""
    if compare(whole, "0") <= 0:
        return 0
    return int(quantity.parse(part) * 100 / quantity.parse(whole))


def _status(node: Obj) -> str:
    """Return Ready, NotReady or Unknown, and whether new pods may come, as kubectl prints it."""
    states = [c.get("status") for c in dig(node, "status", "conditions", default=()) if c.get("type") == "Ready"]
    word = "Ready" if states[:1] == ["True"] else "NotReady" if states else "Unknown"
    return f"{word},SchedulingDisabled" if dig(node, "spec", "unschedulable") else word


def troubles(node: Obj) -> list[str]:
    """Return the conditions that are not as they should be."""
    found = []
    for condition in dig(node, "status", "conditions", default=()):
        is_bad = condition.get("status") != ("False" if condition.get("type") in NEGATIVE else "True")
        if is_bad:
            found.append(f"{condition.get('type')}={condition.get('status')}")
    return found


def _taint(taint: Obj) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"
