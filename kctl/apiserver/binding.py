"""pods/binding: give a pod its node.

As kube-apiserver's pod BindingREST: only an unbound pod that is not being deleted can be bound,
annotations and labels of the Binding go to the pod, and PodScheduled becomes True.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError, conflict, not_found
from kctl.api.objects import Key, Obj, dig, evolve, with_condition
from kctl.apiserver import rules
from kctl.apiserver.body import checked
from kctl.apiserver.request import Request
from kctl.apiserver.server import APIServer

TOPOLOGY_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
"""What PodTopologyLabels copies from the node to the pod."""


def handle(server: APIServer, request: Request) -> Obj:
    """Bind the pod the request names (or, at ``bindings``, the body names) to its target."""
    kind = server.registry.by_kind("v1", "Binding") or request.kind
    body = rules.decode(request, kind, checked(request, kind))
    meta = body.get("metadata") or {}
    target = body.get("target") or {}
    check_target(target)
    name = request.name or meta.get("name") or ""
    key = Key(request.namespace, name)
    bind(
        server,
        key,
        uid=meta.get("uid") or "",
        node=target["name"],
        labels=meta.get("labels") or {},
        annotations=meta.get("annotations") or {},
        dry_run=request.options.dry_run,
    )
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def check_target(target: Any) -> None:
    """Refuse a target that is no node; kube-apiserver answers 500 here, in these words."""
    errors = []
    kind = target.get("kind") or ""
    if kind not in ("", "Node"):
        errors.append(f'target.kind: Unsupported value: "{kind}": supported values: "Node", "<empty>"')
    if not target.get("name"):
        errors.append("target.name: Required value")
    if errors:
        raise StatusError(500, "", errors[0] if len(errors) == 1 else "[" + ", ".join(errors) + "]")


def bind(
    server: APIServer,
    key: Key,
    *,
    uid: str,
    node: str,
    labels: Obj | None = None,
    annotations: Obj | None = None,
    dry_run: bool = False,
) -> Obj:
    """Set the pod's node; Conflict when it has one, is another pod, or is being deleted."""
    pod = bindable(server, key, uid)
    changed = bound_pod(pod, node, {**(labels or {}), **topology(server, node)}, annotations or {}, server.clock.now())
    return changed if dry_run else server.storage.put("pods", key, changed)


def bind_many(server: APIServer, bindings: Sequence[tuple[Key, str, str]]) -> None:
    """Bind each (pod, uid, node) as :func:`bind`; pods alike share what that makes of their status and labels."""
    now = server.clock.now()
    statuses: dict[int, tuple[Obj, Obj]] = {}
    labelled: dict[tuple[int, str], tuple[Obj, Obj]] = {}
    for key, uid, node in bindings:
        pod = bindable(server, key, uid)
        old: Obj = pod.get("status") or {}
        status = statuses.get(id(old))  # which is kept with it: no other gets its id meanwhile
        if status is None:
            status = statuses[id(old)] = (old, bound_status(old, now))
        changed = {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status[1]}
        added = topology(server, node)
        if added:
            labels: Obj = pod["metadata"].get("labels") or {}
            place = (id(labels), repr(added))
            found = labelled.get(place)
            if found is None:
                found = labelled[place] = (labels, {**labels, **added})
            changed["metadata"] = {**pod["metadata"], "labels": found[1]}
        server.storage.put("pods", key, changed)


def bindable(server: APIServer, key: Key, uid: str) -> Obj:
    """Return the pod that is to be bound; Conflict when it cannot be."""
    pod = server.storage.get("pods", key)
    if pod is None:
        raise not_found("pods", key.name)
    meta = pod["metadata"]
    if uid and uid != meta["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {meta['uid']}"
        raise conflict("pods/binding", key.name, why)
    if meta.get("deletionTimestamp"):
        raise conflict("pods/binding", key.name, f"pod {key.name} is being deleted, cannot be assigned to a host")
    bound = dig(pod, "spec", "nodeName")
    if bound:
        raise conflict("pods/binding", key.name, f'pod {key.name} is already assigned to node "{bound}"')
    if dig(pod, "spec", "schedulingGates"):
        raise conflict("pods/binding", key.name, f"pod {key.name} has non-empty .spec.schedulingGates")
    return pod


def bound_pod(pod: Obj, node: str, labels: Obj, annotations: Obj, now: float) -> Obj:
    """Return the pod on its node, with PodScheduled True."""
    status = bound_status(pod.get("status") or {}, now)
    change: Obj = {"spec": {**pod["spec"], "nodeName": node}, "status": status}
    out = {**pod, **change}
    meta: Obj = {}
    if labels:
        meta["labels"] = labels
    if annotations:
        meta["annotations"] = annotations
    return evolve(out, {"metadata": meta}) if meta else out


def bound_status(status: Obj, now: float) -> Obj:
    """Return the status with PodScheduled True."""
    condition: Obj = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(now),
    }
    for old in status.get("conditions") or ():
        if old["type"] == "PodScheduled" and old["status"] == "True":
            condition["lastTransitionTime"] = old["lastTransitionTime"]
    return {**status, "conditions": with_condition(status.get("conditions") or (), condition)}


def topology(server: APIServer, node: str) -> Obj:
    """Return the zone and region labels of a node, as the PodTopologyLabels admission plugin."""
    if not server.admission.enabled("PodTopologyLabels"):
        return {}
    found = server.storage.get("nodes", Key("", node))
    labels = (found or {}).get("metadata", {}).get("labels") or {}
    return {name: labels[name] for name in TOPOLOGY_LABELS if name in labels}
