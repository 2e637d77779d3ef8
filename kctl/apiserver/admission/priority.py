"""Priority: a pod's priority is its class's number; one class at most is the global default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api.errors import forbidden
from kctl.api.objects import Key, Obj
from kctl.apiserver.request import Request, shown_name

if TYPE_CHECKING:
    from kctl.apiserver.server import APIServer

CLASSES = "priorityclasses.scheduling.k8s.io"


def admit(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> Obj:
    """Resolve the priority of a new pod; keep it through updates."""
    if request.kind.resource != "pods" or request.subresource:
        return obj
    spec = obj.get("spec") or {}
    if old is not None:
        before = old.get("spec") or {}
        if spec.get("priority") is None and before.get("priority") is not None:
            spec = {**spec, "priority": before["priority"]}
        if spec.get("preemptionPolicy") is None and before.get("preemptionPolicy") is not None:
            spec = {**spec, "preemptionPolicy": before["preemptionPolicy"]}
        return obj if spec is obj.get("spec") else {**obj, "spec": spec}
    pod_name = shown_name(obj)
    name = spec.get("priorityClassName") or ""
    if name:
        found = server.storage.get(CLASSES, Key("", name))
        if found is None:
            raise forbidden("pods", pod_name, f"no PriorityClass with name {name} was found")
    else:
        found = global_default(server)
        name = found["metadata"]["name"] if found else ""
    value = (found or {}).get("value") or 0
    policy = (found or {}).get("preemptionPolicy") or "PreemptLowerPriority"
    computed = "priority admission controller computed"
    asked = spec.get("priority")
    if asked is not None and asked != value:
        why = (
            f"the integer value of priority ({asked}) must not be provided in pod spec; "
            f"{computed} {value} from the given PriorityClass name"
        )
        raise forbidden("pods", pod_name, why)
    asked = spec.get("preemptionPolicy")
    if asked is not None and asked != policy:
        why = (
            f"the string value of PreemptionPolicy ({asked}) must not be provided in pod spec; "
            f"{computed} {policy} from the given PriorityClass name"
        )
        raise forbidden("pods", pod_name, why)
    spec = {**spec, "priority": value, "preemptionPolicy": policy}
    if name:
        spec["priorityClassName"] = name
    return {**obj, "spec": spec}


def global_default(server: APIServer) -> Obj | None:
    """Return the class marked as default; of several (a race upstream allows) the lowest."""
    found = [c for c in server.storage.objects(CLASSES).values() if c.get("globalDefault")]
    return min(found, key=lambda c: (c.get("value") or 0, c["metadata"]["name"]), default=None)


def validate(server: APIServer, request: Request, obj: Obj, old: Obj | None) -> None:
    """Refuse a second global default."""
    if request.kind.resource != CLASSES or not obj.get("globalDefault"):
        return
    name = obj["metadata"]["name"]
    default = global_default(server)
    if default is not None and (old is None or default["metadata"]["name"] != name):
        other = default["metadata"]["name"]
        why = f"PriorityClass {other} is already marked as default. Only one default can exist"
        raise forbidden(CLASSES, name, why)
