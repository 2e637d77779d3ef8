"""From a remedy to what a person would apply: patches of the objects that people write.

In: the changes of a remedy and the pod. Out: JSON values, one for each object: its resource, namespace and name, and
a JSON patch (RFC 6902) or the object to create. A pod's change belongs into the template of the workload above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.errors import StatusError
from kctl.api.objects import Obj, controller_of, dig, key_of, labels_of, printed_name

if TYPE_CHECKING:
    from kctl.api.registry import Kind
    from kctl.plane.plane import ControlPlane
    from kctl.scheduler.remedies import Change

INSTANCES = "instances.cloud.kctl.dev"
HOSTNAME = "kubernetes.io/hostname"
TEMPLATES = {
    "deployments.apps": ("spec", "template", "spec"),
    "replicasets.apps": ("spec", "template", "spec"),
    "statefulsets.apps": ("spec", "template", "spec"),
    "daemonsets.apps": ("spec", "template", "spec"),
    "replicationcontrollers": ("spec", "template", "spec"),
    "jobs.batch": ("spec", "template", "spec"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
    "pods": ("spec",),
}
"""Where a kind has the spec of its pods."""


class Written(NamedTuple):
    """An object that a person wrote, by its kind."""

    kind: Kind
    obj: Obj

    @property
    def text(self) -> str:
        """As ``kubectl -o name`` has it."""
        return printed_name(self.kind.kind, self.kind.group, key_of(self.obj).name)


def template_owner(plane: ControlPlane, pod: Obj) -> Written:
    """Return the topmost object above the pod that has a template of it; the pod itself when there is none."""
    registry = plane.server.registry
    kind = registry.storage("pods")
    found = Written(kind, pod)
    obj = pod
    while (ref := controller_of(obj)) is not None:
        above = registry.by_kind(ref["apiVersion"], ref["kind"])
        if above is None or above.resource not in TEMPLATES:
            break
        try:
            obj = plane.client.get(above.resource, key_of(pod).namespace, ref["name"])
        except StatusError:
            break
        found = Written(above, obj)
    return found


def amendments(plane: ControlPlane, owner: Written, changes: Sequence[Change]) -> list[Obj]:
    """Return what to apply so that the changes are made; events, which nobody can write, are left out."""
    from kctl.api.patch.jsonpatch import between

    out: list[Obj] = []
    of_pod = [change for change in changes if change.target == "pod"]
    if of_pod:
        new: Obj | None = owner.obj
        try:
            for change in of_pod:
                new = _with_spec(new or {}, TEMPLATES[owner.kind.resource], change)
        except KeyError:
            new = None  # the pod was not made from this template: it lacks what is to be changed
        if new is not None:
            if takes_all_at_once(owner, changes):
                new = {**new, "spec": {**new["spec"], "strategy": {"type": "Recreate"}}}
            recreate = _is_immutable(owner, changes)
            out.append(_amendment(owner.kind.resource, owner.obj, between(owner.obj, new), recreate))
    by_node: dict[str, list[Change]] = {}
    for change in changes:
        if change.target == "node" and not change.is_event:
            by_node.setdefault(change.name, []).append(change)
        elif change.target == "newNode":
            out.append(_new_node(plane, change))
    for name, found in sorted(by_node.items()):
        out += _of_node(plane, name, found)
    return out


def _with_spec(obj: Obj, path: Sequence[str], change: Change) -> Obj:
    """Return the object with the pod spec at ``path`` changed."""
    name, *rest = path
    inner = obj[name]
    return {**obj, name: _with_spec(inner, rest, change) if rest else _edited(inner, change)}


def _edited(spec: Obj, change: Change) -> Obj:
    """Return the changed spec; a priority is the API server's to fill in, from the class."""
    new = change.edit(spec)
    if new.get("priorityClassName") == spec.get("priorityClassName"):
        return new
    return {name: value for name, value in new.items() if name not in ("priority", "preemptionPolicy")}


def takes_all_at_once(owner: Written, changes: Sequence[Change]) -> bool:
    """Say whether a rolling update would not get there: the old pods, while they run, keep the new ones off."""
    return owner.kind.resource == "deployments.apps" and any(change.siblings for change in changes)


def _is_immutable(owner: Written, changes: Sequence[Change]) -> bool:
    """Say whether the object has to be made anew: the API server would refuse the change, or no pod would follow it."""
    resource = owner.kind.resource
    if resource in ("statefulsets.apps", "daemonsets.apps"):
        return any(change.siblings for change in changes)
    return resource in ("pods", "jobs.batch", "replicasets.apps", "replicationcontrollers")


def _amendment(resource: str, obj: Obj, patch: Sequence[Obj], recreate: bool = False, subresource: str = "") -> Obj:
    namespace, name = key_of(obj)
    return {
        "resource": resource,
        "namespace": namespace,
        "name": name,
        "subresource": subresource,
        "patch": list(patch),
        "recreate": recreate,
    }


def _of_node(plane: ControlPlane, name: str, changes: Sequence[Change]) -> list[Obj]:
    """Return the patches of a node: its status has a request of its own."""
    from kctl.api.patch.jsonpatch import between

    try:
        old = plane.client.get("nodes", "", name)
    except StatusError:
        return []  # one that another change of the remedy brings
    new = old
    for change in changes:
        new = change.edit(new)
    out = []
    for part, subresource in ((("metadata", "spec"), ""), (("status",), "status")):
        before, after = ({key: obj.get(key) or {} for key in part} for obj in (old, new))
        if before != after:
            out.append(_amendment("nodes", old, between(before, after), subresource=subresource))
    return out


def _new_node(plane: ControlPlane, change: Change) -> Obj:
    """Return the machine to create where machines bring nodes, else the Node."""
    node = change.edit({})
    like = node["metadata"]["name"].removesuffix("-more")
    machines = {dig(m, "spec", "nodeName"): m for m in plane.client.list(INSTANCES).items}
    machine = machines.get(like)
    if machine is None:
        return {"resource": "nodes", "namespace": "", "name": node["metadata"]["name"], "create": node}
    name = node["metadata"]["name"]
    have = node["status"].get("allocatable") or {}
    size = {field: have[field] for field in ("cpu", "memory") if field in have}
    size |= _labels_of_machine(plane, like, node, machine)
    made = {
        "apiVersion": machine["apiVersion"],
        "kind": machine["kind"],
        "metadata": {"name": name},
        "spec": {**machine["spec"], **size, "nodeName": name},
    }
    return {"resource": INSTANCES, "namespace": "", "name": name, "create": made}


def _labels_of_machine(plane: ControlPlane, like: str, node: Obj, machine: Obj) -> Obj:
    """Return the fields of a machine that bring the labels which its node has, and the node it is like has not."""
    try:
        known = labels_of(plane.client.get("nodes", "", like))
    except StatusError:
        return {}
    fields = {"topology.kubernetes.io/zone": "zone", "topology.kubernetes.io/region": "region"}
    new = {key: value for key, value in labels_of(node).items() if known.get(key) != value and key != HOSTNAME}
    out: Obj = {fields[key]: value for key, value in new.items() if key in fields}
    more = {key: value for key, value in new.items() if key not in fields}
    return {**out, "labels": {**(machine["spec"].get("labels") or {}), **more}} if more else out
