"""A pod, in kubectl's order; and the template of pods."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.objects import Obj, controller_of, dig, is_deleting
from kctl.api.printers import label_selector, since
from kctl.cli.describing import containers, layout
from kctl.cli.describing.layout import Page


def describe(pod: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of a pod."""
    page = Page()
    spec, status = pod["spec"], pod.get("status") or {}
    _head(page, pod, now)
    if spec.get("initContainers"):
        containers.containers(
            page, 0, "Init Containers", spec["initContainers"], status.get("initContainerStatuses") or ()
        )
    containers.containers(page, 0, "Containers", spec.get("containers") or (), status.get("containerStatuses") or ())
    if spec.get("ephemeralContainers"):
        containers.containers(
            page, 0, "Ephemeral Containers", spec["ephemeralContainers"], status.get("ephemeralContainerStatuses") or ()
        )
    conditions = status.get("conditions") or ()
    if spec.get("readinessGates"):
        states = {found["type"]: found["status"] for found in conditions}
        gates = [gate.get("conditionType", "") for gate in spec["readinessGates"]]
        page.line(0, "Readiness Gates:")
        page.table(1, ["Type", "Status"], [(gate, states.get(gate, "<none>")) for gate in gates], rule=False)
    if conditions:
        page.line(0, "Conditions:")
        page.table(1, ["Type", "Status"], [(found["type"], found["status"]) for found in conditions], rule=False)
    containers.volumes(page, 0, spec.get("volumes") or ())
    page.field(0, "QoS Class", status.get("qosClass", ""))
    placement(page, 0, spec)
    layout.events(page, events, now)
    return page.text()


def _head(page: Page, pod: Obj, now: float) -> None:
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    page.field(0, "Name", meta["name"])
    page.field(0, "Namespace", meta["namespace"])
    if spec.get("priority") is not None:
        page.field(0, "Priority", spec["priority"])
    for name, field in (
        ("Priority Class Name", "priorityClassName"),
        ("Runtime Class Name", "runtimeClassName"),
        ("Service Account", "serviceAccountName"),
    ):
        if spec.get(field):
            page.field(0, name, spec[field])
    page.field(0, "Node", f"{spec['nodeName']}/{status.get('hostIP', '')}" if spec.get("nodeName") else "<none>")
    if status.get("startTime"):
        page.field(0, "Start Time", layout.time_text(status["startTime"]))
    layout.metadata(page, pod)
    if is_deleting(pod) and status.get("phase") not in ("Failed", "Succeeded"):
        page.field(0, "Status", f"Terminating (lasts {since(meta['deletionTimestamp'], now)})")
        page.field(0, "Termination Grace Period", f"{meta.get('deletionGracePeriodSeconds', 0)}s")
    else:
        page.field(0, "Status", status.get("phase", ""))
    for name in ("reason", "message"):
        if status.get(name):
            page.field(0, name.title(), status[name])
    seccomp = dig(spec, "securityContext", "seccompProfile", "type")
    if seccomp:
        page.field(0, "SeccompProfile", seccomp)
    page.field(0, "IP", status.get("podIP", ""))
    if status.get("podIPs"):
        page.line(0, "IPs:")
        for found in status["podIPs"]:
            page.field(1, "IP", found["ip"])
    else:
        page.field(0, "IPs", "<none>")
    owner = controller_of(pod)
    if owner is not None:
        page.field(0, "Controlled By", f"{owner['kind']}/{owner['name']}")
    if status.get("nominatedNodeName"):
        page.field(0, "NominatedNodeName", status["nominatedNodeName"])


def placement(page: Page, level: int, spec: Obj) -> None:
    """Add what says where the pod may run."""
    page.listed(level, "Node-Selectors", layout.pairs(spec.get("nodeSelector")))
    layout.tolerations(page, level, spec.get("tolerations") or ())
    spread = sorted(spec.get("topologySpreadConstraints") or (), key=lambda one: str(one.get("topologyKey", "")))
    if spread:
        page.listed(level, "Topology Spread Constraints", [_spread(one) for one in spread])


def _spread(one: Obj) -> str:
    text = f"{one.get('topologyKey')}:{one.get('whenUnsatisfiable')} when max skew {one.get('maxSkew')} is exceeded"
    return f"{text} for selector {label_selector(one['labelSelector'])}" if one.get("labelSelector") else text


def template(page: Page, found: Obj) -> None:
    """Add the template of pods, as kubectl's DescribePodTemplate."""
    spec = found.get("spec") or {}
    meta = found.get("metadata") or {}
    page.line(0, "Pod Template:")
    page.listed(1, "Labels", layout.pairs(meta.get("labels")))
    if meta.get("annotations"):
        layout.annotation_lines(page, 1, meta["annotations"])
    if spec.get("serviceAccountName"):
        page.field(1, "Service Account", spec["serviceAccountName"])
    if spec.get("initContainers"):
        containers.containers(page, 1, "Init Containers", spec["initContainers"], None)
    containers.containers(page, 1, "Containers", spec.get("containers") or (), None)
    containers.volumes(page, 1, spec.get("volumes") or ())
    if spec.get("priorityClassName"):
        page.field(1, "Priority Class Name", spec["priorityClassName"])
    placement(page, 1, spec)
