"""The second layer: what the control plane did, told from the changes of one run.

In: the changes with their virtual times, in order. Out: a few records, aggregated by the
workload a person wrote, whatever the number of pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api.objects import Obj, controller_of, dig, is_condition_true, is_deleting
from kctl.client.client import WatchEvent
from kctl.plan.ownership import Owners, Ref, ref_of

COUNTED = ("replicasets.apps", "endpointslices.discovery.k8s.io")
"""Made by controllers and worth a line, but not one each."""


class Workload:
    """The pods of one workload while a run lasts."""

    def __init__(self) -> None:
        self.created: dict[str, int] = {}
        self.deleted: dict[str, int] = {}
        self.nodes: set[str] = set()
        self.net: list[int] = [0]
        self.available: list[int] = [0]
        self.first = 0.0
        self.last = 0.0

    def change(self, old: Obj | None, new: Obj | None, name: str, at: float) -> None:
        """Take one change of one pod in; ``name`` is that of its direct owner."""
        if not self.created and not self.deleted:
            self.first = at
        was, is_ = _is_active(old), _is_active(new)
        if is_ and not was:
            self.created[name] = self.created.get(name, 0) + 1
            self.net.append(self.net[-1] + 1)
        if was and not is_:
            self.deleted[name] = self.deleted.get(name, 0) + 1
            self.net.append(self.net[-1] - 1)
        if _is_ready(old) != _is_ready(new):
            self.available.append(self.available[-1] + (1 if _is_ready(new) else -1))
        node = dig(new, "spec", "nodeName")
        if node and is_ and not dig(old, "spec", "nodeName"):
            self.nodes.add(node)
        self.last = at


def _is_active(pod: Obj | None) -> bool:
    return pod is not None and not is_deleting(pod) and dig(pod, "status", "phase") not in ("Succeeded", "Failed")


def _is_ready(pod: Obj | None) -> bool:
    return pod is not None and _is_active(pod) and is_condition_true(pod, "Ready")


def records(
    trace: Sequence[WatchEvent], times: Sequence[float], pods: Sequence[Obj], replicasets: Iterable[Obj] = ()
) -> list[Obj]:
    """Return the records of a run; ``pods`` and ``replicasets`` are those there at its end."""
    owners = Owners([*replicasets, *pods])
    for event in trace:
        owners.see(event.object)
    workloads: dict[Ref, Workload] = {}
    for event, at in zip(trace, times, strict=True):
        if event.resource == "pods":
            new = None if event.type == "DELETED" else event.object
            workload = workloads.setdefault(owners.top(event.object), Workload())
            workload.change(event.old, new, _parent_name(event.object), at)
    out = _pods(workloads, owners, pods)
    out += _nodes(trace)
    out += _load_balancers(trace)
    out += _counts(trace)
    out += _warnings(trace, owners, pods)
    return out


def _parent_name(pod: Obj) -> str:
    owner = controller_of(pod)
    return str(owner["name"]) if owner else str(pod["metadata"]["name"])


def _pods(workloads: dict[Ref, Workload], owners: Owners, pods: Iterable[Obj]) -> list[Obj]:
    at_end: dict[Ref, tuple[int, int]] = {}
    for pod in pods:
        top = owners.top(pod)
        active, ready = at_end.get(top, (0, 0))
        at_end[top] = (active + _is_active(pod), ready + _is_ready(pod))
    out = []
    for ref in sorted(workloads):
        workload = workloads[ref]
        if not workload.created and not workload.deleted:
            continue
        active, ready = at_end.get(ref, (0, 0))
        base, ready_base = active - workload.net[-1], ready - workload.available[-1]
        out.append(
            {
                "type": "pods",
                "namespace": ref.namespace,
                "owner": ref.text,
                "created": dict(sorted(workload.created.items())),
                "deleted": dict(sorted(workload.deleted.items())),
                "nodes": sorted(workload.nodes),
                "peak": base + max(workload.net),
                "minAvailable": ready_base + min(workload.available) if ready_base > 0 else None,
                "virtualSeconds": round(workload.last - workload.first, 3),
            }
        )
    return out


def _nodes(trace: Sequence[WatchEvent]) -> list[Obj]:
    created = sorted({event.object["metadata"]["name"] for event in trace if _is_new(event, "nodes")})
    gone = {
        event.object["metadata"]["name"] for event in trace if event.resource == "nodes" and event.type == "DELETED"
    }
    return [{"type": "nodes", "created": created, "deleted": sorted(gone)}] if created or gone else []


def _is_new(event: WatchEvent, resource: str) -> bool:
    return event.resource == resource and event.type == "ADDED" and event.old is None


def _load_balancers(trace: Sequence[WatchEvent]) -> list[Obj]:
    found: dict[Ref, tuple[list[str], list[str]]] = {}
    for event in trace:
        if event.resource != "services":
            continue
        before = load_balancer_addresses(event.old)
        after = [] if event.type == "DELETED" else load_balancer_addresses(event.object)
        if before != after:
            ref = ref_of(event.object)
            found[ref] = (found[ref][0] if ref in found else before, after)
    return [
        {"type": "loadBalancer", "namespace": ref.namespace, "owner": ref.text, "before": before, "after": after}
        for ref, (before, after) in sorted(found.items())
        if before != after
    ]


def load_balancer_addresses(service: Obj | None) -> list[str]:
    """Return the addresses that the cloud gave a Service."""
    ingress = dig(service, "status", "loadBalancer", "ingress", default=())
    return [str(found.get("ip") or found.get("hostname")) for found in ingress]


def _counts(trace: Sequence[WatchEvent]) -> list[Obj]:
    out: list[Obj] = []
    for resource in COUNTED:
        created = sum(_is_new(event, resource) for event in trace)
        deleted = sum(event.resource == resource and event.type == "DELETED" for event in trace)
        if created or deleted:
            out.append({"type": "objects", "resource": resource, "created": created, "deleted": deleted})
    return out


def _warnings(trace: Sequence[WatchEvent], owners: Owners, pods: Iterable[Obj]) -> list[Obj]:
    """Return the Warning events of the run, equal ones of one workload counted together."""
    refs = {pod["metadata"].get("uid"): owners.top(pod) for pod in pods}
    refs |= {event.object["metadata"].get("uid"): owners.top(event.object) for event in trace}
    last: dict[str, Obj] = {}
    for event in trace:
        if event.resource == "events" and event.type != "DELETED" and event.object.get("type") == "Warning":
            last[event.object["metadata"]["uid"]] = event.object
    counts: dict[tuple[Ref, str, str], int] = {}
    for seen in last.values():
        about = seen["involvedObject"]
        namespace = about.get("namespace", "")
        ref = refs.get(about.get("uid")) or Ref(namespace, f"{about['kind'].lower()}/{about['name']}")
        key = (ref, seen["reason"], seen["message"])
        counts[key] = counts.get(key, 0) + 1
    return [
        {
            "type": "warning",
            "namespace": ref.namespace,
            "owner": ref.text,
            "reason": reason,
            "message": message,
            "count": count,
        }
        for (ref, reason, message), count in sorted(counts.items())
    ]
