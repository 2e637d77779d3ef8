"""The second layer: what the control plane did, told from the changes of one run.

In: the changes with their virtual times, in order, all at once or as they happen. Out: a few
records, aggregated by the workload a person wrote, whatever the number of pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kctl.api.health import without_pod
from kctl.api.objects import Obj, condition, controller_of, dig
from kctl.client.client import WatchEvent
from kctl.plan.ownership import Owners, Ref, ref_of
from kctl.plan.podfacts import Facts, Followed, facts_of
from kctl.plan.volumes import Volumes

COUNTED = ("replicasets.apps", "endpointslices.discovery.k8s.io")
"""Made by controllers and worth a line, but not one each."""


class Workload:
    """The pods of one workload while a run lasts."""

    def __init__(self) -> None:
        self.created: dict[str, int] = {}
        self.deleted: dict[str, int] = {}
        self.nodes: set[str] = set()
        self.active = self.peak = 0
        self.available = self.least = 0
        self.troubled: dict[str, int] = {}
        self.first = 0.0
        self.last = 0.0

    def change(self, before: Facts, after: Facts, pod: Obj, at: float) -> None:
        """Take one change of one pod in."""
        if not self.created and not self.deleted:
            self.first = at
        self.last = at
        if before == after:
            return
        was, is_ = before.is_active, after.is_active
        if is_ and not was:
            name = _parent_name(pod)
            self.created[name] = self.created.get(name, 0) + 1
            self.active += 1
            self.peak = max(self.peak, self.active)
        if was and not is_:
            name = _parent_name(pod)
            self.deleted[name] = self.deleted.get(name, 0) + 1
            self.active -= 1
        self.available += after.is_available - before.is_available
        self.least = min(self.least, self.available)
        if after.node and is_ and not before.node:
            self.nodes.add(after.node)
        if after.trouble and after.trouble != before.trouble:
            self.troubled[after.trouble] = self.troubled.get(after.trouble, 0) + 1


class Consequence:
    """What came of a run, while it lasts; ``owners`` know the chains above what changes."""

    def __init__(self, owners: Owners) -> None:
        self._owners = owners
        self._workloads: dict[Ref, Workload] = {}
        self._new_nodes: set[str] = set()
        self._gone_nodes: set[str] = set()
        self._addresses: dict[Ref, tuple[list[str], list[str]]] = {}
        self._counts: dict[str, list[int]] = {resource: [0, 0] for resource in COUNTED}
        self._rollouts: dict[Ref, tuple[str, Obj]] = {}
        self._warnings: dict[str, Obj] = {}
        self._refs: dict[str, Ref] = {}
        self._volumes = Volumes()

    def pod(self, event: WatchEvent, owner: Ref, facts: tuple[Facts, Facts], at: float) -> None:
        """Take a change of a pod in."""
        workload = self._workloads.get(owner)
        if workload is None:
            workload = self._workloads[owner] = Workload()
        workload.change(*facts, event.object, at)

    def other(self, event: WatchEvent) -> None:
        """Take a change of something else in."""
        resource, obj = event.resource, event.object
        is_new, is_gone = event.type == "ADDED" and event.old is None, event.type == "DELETED"
        if resource == "events":
            if not is_gone and obj.get("type") == "Warning":
                self._warnings[obj["metadata"]["uid"]] = obj
            return
        uid = obj["metadata"].get("uid")
        if uid and self._owners.parent(obj) is None:
            self._refs[uid] = ref_of(obj)
        if resource in self._counts:
            counts = self._counts[resource]
            counts[0] += is_new
            counts[1] += is_gone
        elif resource in ("persistentvolumeclaims", "persistentvolumes"):
            self._volumes.change(event)
        elif resource == "nodes":
            if is_new:
                self._new_nodes.add(obj["metadata"]["name"])
            if is_gone:
                self._gone_nodes.add(obj["metadata"]["name"])
        elif resource == "deployments.apps":
            ref = ref_of(obj)
            if is_gone:
                self._rollouts.pop(ref, None)
            for end in () if is_gone else rollout_ends(event.old, obj):
                self._rollouts[ref] = (end, obj)
        elif resource == "services":
            before = load_balancer_addresses(event.old)
            after = [] if is_gone else load_balancer_addresses(obj)
            if before != after:
                ref = ref_of(obj)
                self._addresses[ref] = (self._addresses[ref][0] if ref in self._addresses else before, after)

    def records(self, pods: Iterable[Obj]) -> list[Obj]:
        """Return the records; ``pods`` are those there at the end."""
        pods = list(pods)
        out = [*self._pods(pods), *self._stuck(), *self._nodes(), *self._load_balancers()]
        return [*out, *self._volumes.records(), *self._objects(), *self._warned(pods)]

    def _pods(self, pods: Sequence[Obj]) -> list[Obj]:
        at_end: dict[Ref, tuple[int, int]] = {}
        for pod in pods:
            top, facts = self._owners.top(pod), facts_of(pod)
            active, ready = at_end.get(top, (0, 0))
            at_end[top] = (active + facts.is_active, ready + facts.is_available)
        out = []
        for ref in sorted(self._workloads):
            workload = self._workloads[ref]
            if not workload.created and not workload.deleted:
                continue
            active, ready = at_end.get(ref, (0, 0))
            base, ready_base = active - workload.active, ready - workload.available
            out.append(
                {
                    "type": "pods",
                    "namespace": ref.namespace,
                    "owner": ref.text,
                    "created": dict(sorted(workload.created.items())),
                    "deleted": dict(sorted(workload.deleted.items())),
                    "nodes": sorted(workload.nodes),
                    "peak": base + workload.peak,
                    "minAvailable": ready_base + workload.least if ready_base > 0 else None,
                    "troubled": dict(sorted(workload.troubled.items())),
                    "virtualSeconds": round(workload.last - workload.first, 3),
                }
            )
        return out

    def _stuck(self) -> list[Obj]:
        """Return the rollouts that gave up in this run; those that went well are told by their pods."""
        return [
            {
                "type": "rollout",
                "namespace": ref.namespace,
                "owner": ref.text,
                "outcome": end,
                "message": (condition(obj, "Progressing") or {}).get("message", ""),
            }
            for ref, (end, obj) in sorted(self._rollouts.items(), key=lambda found: found[0])
            if end == STUCK
        ]

    def _nodes(self) -> list[Obj]:
        if not self._new_nodes and not self._gone_nodes:
            return []
        return [{"type": "nodes", "created": sorted(self._new_nodes), "deleted": sorted(self._gone_nodes)}]

    def _load_balancers(self) -> list[Obj]:
        return [
            {"type": "loadBalancer", "namespace": ref.namespace, "owner": ref.text, "before": before, "after": after}
            for ref, (before, after) in sorted(self._addresses.items())
            if before != after
        ]

    def _objects(self) -> list[Obj]:
        return [
            {"type": "objects", "resource": resource, "created": created, "deleted": deleted}
            for resource, (created, deleted) in self._counts.items()
            if created or deleted
        ]

    def _warned(self, pods: Iterable[Obj]) -> list[Obj]:
        """Return the Warning events of the run, equal ones of one workload counted together."""
        if not self._warnings:
            return []
        refs = {pod["metadata"].get("uid"): self._owners.top(pod) for pod in pods}
        counts: dict[tuple[Ref, str, str], int] = {}
        for seen in self._warnings.values():
            about = seen["involvedObject"]
            namespace, uid = about.get("namespace", ""), about.get("uid", "")
            ref = refs.get(uid) or self._owners.top_of(uid) or self._refs.get(uid)
            ref = ref or Ref(namespace, f"{about['kind'].lower()}/{about['name']}")
            key = (ref, seen["reason"], without_pod(seen["message"]))
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


def records(
    trace: Sequence[WatchEvent], times: Sequence[float], pods: Sequence[Obj], replicasets: Iterable[Obj] = ()
) -> list[Obj]:
    """Return the records of a run; ``pods`` and ``replicasets`` are those there at its end."""
    owners = Owners([*replicasets, *pods])
    for event in trace:
        owners.see(event.object)
    told, followed = Consequence(owners), Followed()
    for event, at in zip(trace, times, strict=True):
        if event.resource == "pods":
            told.pod(event, owners.top(event.object), followed.change(event), at)
        else:
            told.other(event)
    return told.records(pods)


STUCK = "progress deadline exceeded"
ENDS = {"ProgressDeadlineExceeded": STUCK, "NewReplicaSetAvailable": "rolled out"}


def rollout_ends(old: Obj | None, new: Obj) -> Iterator[str]:
    """Yield how a rollout ended with a change of its Deployment, if it did."""
    was, is_ = ((condition(obj, "Progressing") or {}).get("reason") if obj else None for obj in (old, new))
    if is_ != was and is_ in ENDS:
        yield ENDS[is_]


def _parent_name(pod: Obj) -> str:
    owner = controller_of(pod)
    return str(owner["name"] if owner and owner["kind"] != "Node" else pod["metadata"]["name"])


def load_balancer_addresses(service: Obj | None) -> list[str]:
    """Return the addresses that the cloud gave a Service."""
    ingress = dig(service, "status", "loadBalancer", "ingress", default=())
    return [str(found.get("ip") or found.get("hostname")) for found in ingress]
