"""How many pods of a workload still fit: what admission lets through, then what the nodes take.

In: a plane that nothing is kept of, and a pod or a workload. Out: the Capacity document. Admission is asked with a dry
run, quotas for as many pods as the nodes would take; the rest is the scheduler's (:mod:`kctl.scheduler.capacity`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import StatusError, UsageError
from kctl.api.objects import Obj, annotations_of, dig, evolve, key_of, labels_of, printed_name
from kctl.plane.amendments import TEMPLATES, Written
from kctl.plane.placing import framework_of, has_scheduler, nodes_told, remedy_data, summary

if TYPE_CHECKING:
    from kctl.api.registry import Kind
    from kctl.plane.plane import ControlPlane
    from kctl.scheduler.capacity import Filled

MOST = 10_000
"""So many pods are tried when nobody says how many."""
HASH = "pod-template-hash"
OWNED = ("deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers")
"""Workloads whose pods are spread by their selector."""


class Asked(NamedTuple):
    """What is to fit: a workload or a pod with its kind, and how many; None: as many as there is room for."""

    kind: Kind
    obj: Obj
    replicas: int | None = None

    @property
    def text(self) -> str:
        """As ``kubectl -o name`` has it."""
        return printed_name(self.kind.kind, self.kind.group, key_of(self.obj).name)


def capacity(plane: ControlPlane, asked: Asked) -> Obj:
    """Return the Capacity document; StatusError when the workload itself is refused."""
    if asked.kind.resource not in TEMPLATES:
        raise UsageError(f"{asked.text} has no pods: fit takes a Pod or what has a template of one")
    wanted = asked.replicas if asked.replicas is not None else wishes(asked)
    most = MOST if asked.replicas is None else asked.replicas
    pod, notes = pod_of(plane, asked)
    try:
        pod = _admitted(plane, pod)
        allowed, refusal = _allowed(plane, pod, most)
    except StatusError as error:
        return _document(asked, wanted, None, notes, _limit("admission", error.message))
    framework = framework_of(plane, pod)
    if framework is None and has_scheduler(plane):
        message = f'no scheduler named "{pod["spec"].get("schedulerName")}" runs here'
        return _document(asked, wanted, None, notes, _limit("scheduler", message))
    manager = plane.converger.manager
    manager.pump()
    pod = _introduced(plane, asked, pod)
    from kctl.scheduler.capacity import fill_up, one_each

    if asked.kind.resource == "daemonsets.apps":
        filled = one_each(manager.caches, evolve(pod, {"spec": {"tolerations": _tolerations(pod)}}), framework)
        allowed = most
    else:
        filled = fill_up(manager.caches, pod, allowed, framework)
    if filled.stopped is not None:
        limit = _by_nodes(plane, asked, filled)
    elif allowed < most:
        limit = _limit("quota", refusal)
    elif asked.replicas is None:
        limit = _limit("none", f"{most} pods were tried, more may fit")
    else:
        limit = _limit("asked", "")
    return _document(asked, wanted, filled, notes, limit)


def wishes(asked: Asked) -> int | None:
    """Return how many pods the workload wants itself."""
    if asked.kind.resource in ("jobs.batch", "cronjobs.batch"):
        path = ("spec", "parallelism") if asked.kind.resource == "jobs.batch" else ()
        return dig(asked.obj, *path, default=1) if path else 1
    if asked.kind.resource == "daemonsets.apps":
        return None
    return 1 if asked.kind.resource == "pods" else dig(asked.obj, "spec", "replicas", default=1)


def pod_of(plane: ControlPlane, asked: Asked) -> tuple[Obj, list[str]]:
    """Return the pod that the workload's controller would create, and what of it is left out."""
    namespace, name = key_of(asked.obj)
    namespace = namespace or "default"
    if asked.kind.resource == "pods":
        meta, spec = asked.obj["metadata"], asked.obj["spec"]
    else:
        found = asked.obj
        for step in TEMPLATES[asked.kind.resource][:-1]:
            found = found.get(step) or {}
        meta, spec = found.get("metadata") or {}, found.get("spec") or {}
    notes = []
    claimed = {claim["metadata"]["name"] for claim in dig(asked.obj, "spec", "volumeClaimTemplates", default=())}
    if claimed:
        notes.append(f"the claims of its volumeClaimTemplates ({', '.join(sorted(claimed))}) are left out")
        containers = [
            {**c, "volumeMounts": [m for m in c.get("volumeMounts") or () if m["name"] not in claimed]}
            for c in spec.get("containers") or ()
        ]
        spec = {**spec, "containers": containers}
    labels = dict(meta.get("labels") or {})
    if asked.kind.resource in ("deployments.apps", "replicasets.apps"):
        labels[HASH] = labels.get(HASH, "fit")
    kept = {"name": f"{name}-fit", "namespace": namespace, "labels": labels}
    if annotations_of({"metadata": meta}):
        kept["annotations"] = meta["annotations"]
    spec = {field: value for field, value in spec.items() if field != "nodeName"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}, notes


def _admitted(plane: ControlPlane, pod: Obj) -> Obj:
    """Return the pod as the API server would store it."""
    stored = plane.client.create("pods", pod, dry_run=True)
    return evolve(stored, {"metadata": {"uid": "fit"}})


def _allowed(plane: ControlPlane, pod: Obj, most: int) -> tuple[int, str]:
    """Return how many such pods the quotas of the namespace let through, and how the next is refused."""
    from kctl.apiserver.admission.resource_quota import room
    from kctl.apiserver.request import Request

    server = plane.server
    request = Request("create", server.registry.storage("pods"), pod["metadata"]["namespace"])
    refusal = ""

    def lets(number: int) -> bool:
        nonlocal refusal
        try:
            room(server, request, pod, number)
        except StatusError as error:
            refusal = error.message
            return False
        return True

    if lets(most):
        return most, ""
    low, high = 0, most  # low is let through, high is not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if lets(middle) else (low, middle)
    lets(low + 1)
    return low, refusal


def _tolerations(pod: Obj) -> list[Obj]:
    """Return the pod's tolerations and those that the DaemonSet controller adds."""
    added = [("not-ready", "NoExecute"), ("unreachable", "NoExecute")]
    added += [(name, "NoSchedule") for name in ("disk-pressure", "memory-pressure", "pid-pressure", "unschedulable")]
    given = pod["spec"].get("tolerations") or ()
    return [
        *given,
        *({"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect} for name, effect in added),
    ]


def _introduced(plane: ControlPlane, asked: Asked, pod: Obj) -> Obj:
    """Return the pod with a controller, by whose selector it is spread, which the scheduler's caches know."""
    from kctl.client.client import WatchEvent

    if asked.kind.resource not in OWNED:
        return pod
    resource = "replicasets.apps" if asked.kind.resource == "deployments.apps" else asked.kind.resource
    kind = plane.server.registry.storage(resource)
    name = f"{key_of(asked.obj).name}-fit"
    meta = {"name": name, "namespace": pod["metadata"]["namespace"], "uid": "fit", "resourceVersion": "0"}
    spec = {"selector": dig(asked.obj, "spec", "selector"), "replicas": MOST}
    owner = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec}
    plane.converger.manager.caches[resource].deliver(WatchEvent("ADDED", resource, owner, None))
    reference = {"apiVersion": kind.api_version, "kind": kind.kind, "name": name, "uid": "fit", "controller": True}
    return evolve(pod, {"metadata": {"ownerReferences": [reference]}})


def _by_nodes(plane: ControlPlane, asked: Asked, filled: Filled) -> Obj:
    """Say why the next pod found no node, and what would let it in."""
    decision = filled.decision() or {}
    if filled.trial is None:
        return _limit("nodes", decision.get("message", ""))
    view = filled.trial.view()
    owner = Written(asked.kind, asked.obj)
    evicts = decision["victims"]
    message = decision["message"] or f"it would preempt {', '.join(evicts)} on {decision['nominated']}"
    return {
        **_limit("nodes", message),
        "why": summary(view),
        "nodes": nodes_told(decision, view),
        "remedies": [remedy_data(plane, owner, remedy) for remedy in filled.trial.remedies()],
    }


def _limit(by: str, message: str) -> Obj:
    return {"by": by, "message": message, "why": "", "nodes": {}, "remedies": []}


def _document(asked: Asked, wanted: int | None, filled: Filled | None, notes: list[str], limit: Obj) -> Obj:
    nodes = filled.nodes if filled is not None else {}
    rooms = filled.rooms if filled is not None else {}
    zones: dict[str, int] = {}
    for name, count in nodes.items():
        zone = rooms[name]["zone"]
        zones[zone] = zones.get(zone, 0) + count
    return {
        "apiVersion": "kctl.dev/v1",
        "kind": "Capacity",
        "object": asked.text,
        "namespace": key_of(asked.obj).namespace or ("default" if asked.kind.namespaced else ""),
        "labels": labels_of(asked.obj),
        "wanted": wanted,
        "asked": asked.replicas,
        "fits": sum(nodes.values()),
        "zones": dict(sorted(zones.items())),
        "nodes": [{"name": name, "pods": nodes.get(name, 0), **room} for name, room in rooms.items()],
        "limit": limit,
        "notes": notes,
    }
