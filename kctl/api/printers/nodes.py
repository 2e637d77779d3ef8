"""Rows of nodes and of what scheduling takes from classes and devices."""

from __future__ import annotations

from kctl.api.objects import Obj, condition, dig, labels_of
from kctl.api.printers import AGE, AGED, NAME, Cell, Printer, columns, joined, row, spec_of, status_of

ROLE_PREFIX = "node-role.kubernetes.io/"
ROLE_LABEL = "kubernetes.io/role"
UNKNOWN = "<unknown>"


def _node(obj: Obj) -> list[Cell]:
    ready = condition(obj, "Ready")
    status = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if spec_of(obj).get("unschedulable"):
        status += ",SchedulingDisabled"
    return [status, joined(roles(obj))]


def roles(node: Obj) -> list[str]:
    """Return the roles its labels give a node, as findNodeRoles."""
    labels = labels_of(node)
    found = {key.removeprefix(ROLE_PREFIX) for key in labels if key.startswith(ROLE_PREFIX)}
    return sorted((found | {labels.get(ROLE_LABEL, "")}) - {""})


def _machine(obj: Obj) -> list[Cell]:
    info = dig(obj, "status", "nodeInfo", default={})
    kernel, architecture = info.get("kernelVersion") or UNKNOWN, info.get("architecture")
    return [
        info.get("kubeletVersion", ""),
        _address(obj, "InternalIP"),
        _address(obj, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        f"{kernel} ({architecture})" if architecture and kernel != UNKNOWN else kernel,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _address(node: Obj, type_: str) -> str:
    """Return the first address of a type."""
    found = status_of(node).get("addresses") or ()
    return next((one["address"] for one in found if one["type"] == type_), "<none>")


def _priorityclass(obj: Obj) -> list[Cell]:
    return [obj.get("value", 0), bool(obj.get("globalDefault"))]


def _claim(obj: Obj) -> list[Cell]:
    """Return the state of a resource claim, as resourceClaimState."""
    status, is_deleted = status_of(obj), bool(obj["metadata"].get("deletionTimestamp"))
    states = ["deleted"] * is_deleted
    if not status.get("allocation"):
        states += ["pending"] * (not is_deleted)
    else:
        states += ["allocated", *["reserved"] * bool(status.get("reservedFor"))]
    return [",".join(states)]


def _slice(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    return [spec.get("nodeName", ""), spec.get("driver", ""), dig(spec, "pool", "name", default="")]


PRINTERS = {
    "nodes": Printer(
        columns(
            NAME,
            "Status | The status of the node",
            "Roles | The roles of the node",
            AGE,
            "Version | @core.v1.NodeSystemInfo.kubeletVersion",
            "Internal-IP/1 | @core.v1.NodeStatus.addresses",
            "External-IP/1 | @core.v1.NodeStatus.addresses",
            "OS-Image/1 | @core.v1.NodeSystemInfo.osImage",
            "Kernel-Version/1 | @core.v1.NodeSystemInfo.kernelVersion",
            "Container-Runtime/1 | @core.v1.NodeSystemInfo.containerRuntimeVersion",
        ),
        row(_node, _machine),
    ),
    "leases.coordination.k8s.io": Printer(
        columns(NAME, "Holder | @coordination.v1.LeaseSpec.holderIdentity", AGE),
        row(lambda obj: [spec_of(obj).get("holderIdentity", "")]),
    ),
    # upstream looks the description up where there is none
    "runtimeclasses.node.k8s.io": Printer(columns(NAME, "Handler", AGE), row(lambda obj: [obj.get("handler", "")])),
    "priorityclasses.scheduling.k8s.io": Printer(
        columns(
            NAME,
            "Value:integer | @scheduling.v1.PriorityClass.value",
            "Global-Default:boolean | @scheduling.v1.PriorityClass.globalDefault",
            AGE,
            "PreemptionPolicy | @scheduling.v1.PriorityClass.preemptionPolicy",
        ),
        row(_priorityclass, lambda obj: [obj.get("preemptionPolicy", "")]),
    ),
    "deviceclasses.resource.k8s.io": AGED,
    "resourceclaims.resource.k8s.io": Printer(
        columns(NAME, "State | A summary of the current state (allocated, pending, reserved, etc.).", AGE),
        row(_claim),
    ),
    "resourceclaimtemplates.resource.k8s.io": AGED,
    "resourceslices.resource.k8s.io": Printer(
        columns(
            NAME,
            "Node | @resource.v1.ResourceSliceSpec.nodeName",
            "Driver | @resource.v1.ResourceSliceSpec.driver",
            "Pool | @resource.v1.ResourcePool.name",
            AGE,
        ),
        row(_slice),
    ),
}
