"""A node, in kubectl's order: conditions, capacity, the pods on it and what they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from kctl.api import quantity
from kctl.api.objects import Obj, dig, key_of, labels_of
from kctl.api.printers import age, joined
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page

ROLE_PREFIX = "node-role.kubernetes.io/"
ALWAYS_SHOWN = ("cpu", "memory", "ephemeral-storage", "hugepages-1Gi", "hugepages-2Mi")
SYSTEM_INFO = (
    ("Machine ID", "machineID"),
    ("System UUID", "systemUUID"),
    ("Boot ID", "bootID"),
    ("Kernel Version", "kernelVersion"),
    ("OS Image", "osImage"),
    ("Operating System", "operatingSystem"),
    ("Architecture", "architecture"),
    ("Container Runtime Version", "containerRuntimeVersion"),
    ("Kubelet Version", "kubeletVersion"),
    ("Kube-Proxy Version", "kubeProxyVersion"),
)

Amounts = dict[str, "int | Fraction"]


def describe(node: Obj, now: float, events: Sequence[Obj], *, lease: Obj | None, pods: Sequence[Obj]) -> str:
    """Return the description of a node; ``pods`` are those on it that have not ended."""
    page = Page()
    spec, status = node.get("spec") or {}, node.get("status") or {}
    page.field(0, "Name", node["metadata"]["name"])
    roles = sorted(key.removeprefix(ROLE_PREFIX) for key in labels_of(node) if key.startswith(ROLE_PREFIX))
    page.field(0, "Roles", joined(roles))
    layout.metadata(page, node)
    page.field(0, "CreationTimestamp", layout.time_text(node["metadata"].get("creationTimestamp")))
    page.listed(0, "Taints", [_taint(taint) for taint in spec.get("taints") or ()])
    page.field(0, "Unschedulable", "true" if spec.get("unschedulable") else "false")
    _lease(page, lease)
    _conditions(page, status.get("conditions") or ())
    page.line(0, "Addresses:")
    for address in status.get("addresses") or ():
        page.field(1, address["type"], address["address"])
    for name in ("capacity", "allocatable"):
        if status.get(name):
            page.line(0, f"{name.title()}:")
            for resource, amount in sorted(status[name].items()):
                page.field(1, resource, amount)
    page.line(0, "System Info:")
    info = status.get("nodeInfo") or {}
    for name, field in SYSTEM_INFO:
        if field != "kubeProxyVersion" or info.get(field):
            page.field(1, name, info.get(field, ""))
    if spec.get("podCIDR"):
        page.field(0, "PodCIDR", spec["podCIDR"])
    if spec.get("podCIDRs"):
        page.field(0, "PodCIDRs", ",".join(spec["podCIDRs"]))
    if spec.get("providerID"):
        page.field(0, "ProviderID", spec["providerID"])
    _pods(page, node, pods, now)
    layout.events(page, events, now)
    return page.text()


def _taint(taint: Obj) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key', '')}{value}:{taint.get('effect', '')}"


def _lease(page: Page, lease: Obj | None) -> None:
    page.line(0, "Lease:")
    spec = (lease or {}).get("spec") or {}
    page.field(1, "HolderIdentity", spec.get("holderIdentity") or "<unset>")
    page.field(1, "AcquireTime", layout.time_text(spec.get("acquireTime")))
    page.field(1, "RenewTime", layout.time_text(spec.get("renewTime")))


def _conditions(page: Page, conditions: Sequence[Obj]) -> None:
    if not conditions:
        return
    page.line(0, "Conditions:")
    rows = [
        (
            found["type"],
            found["status"],
            layout.time_text(found.get("lastHeartbeatTime")),
            layout.time_text(found.get("lastTransitionTime")),
            found.get("reason", ""),
            found.get("message", ""),
        )
        for found in conditions
    ]
    page.table(1, ["Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"], rows)


def _pods(page: Page, node: Obj, pods: Sequence[Obj], now: float) -> None:
    allocatable = _amounts(dig(node, "status", "allocatable") or dig(node, "status", "capacity", default={}))
    requests = {key_of(pod): total(pod, "requests") for pod in pods}
    limits = {key_of(pod): total(pod, "limits") for pod in pods}
    page.field(0, "Non-terminated Pods", f"({len(pods)} in total)")
    rows = []
    for pod in sorted(pods, key=key_of):
        key = key_of(pod)
        cells = [
            _share(resource, amounts.get(resource, 0), allocatable)
            for resource in ("cpu", "memory")
            for amounts in (requests[key], limits[key])
        ]
        rows.append([key.namespace, key.name, "", *cells, age(pod, now)])
    headers = ["Namespace", "Name", "", "CPU Requests", "CPU Limits", "Memory Requests", "Memory Limits", "Age"]
    page.table(1, headers, rows)
    page.line(0, "Allocated resources:")
    page.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)")
    asked, most = _sum(requests.values()), _sum(limits.values())
    others = sorted(name for name in allocatable if name not in (*ALWAYS_SHOWN, "pods"))
    shown = [name for name in ALWAYS_SHOWN if name in allocatable] + others
    rows = [
        [name, _share(name, asked.get(name, 0), allocatable), _share(name, most.get(name, 0), allocatable)]
        for name in shown
    ]
    page.table(1, ["Resource", "Requests", "Limits"], rows)


def _share(resource: str, amount: int | Fraction, allocatable: Amounts) -> str:
    whole = allocatable.get(resource, 0)
    percent = int(amount * 100 / whole) if whole else 0
    return f"{quantity.format(amount, like='1m' if resource == 'cpu' else '1Mi')} ({percent}%)"


def _amounts(found: Obj) -> Amounts:
    return {name: quantity.parse(text) for name, text in found.items()}


def _sum(parts: Iterable[Amounts]) -> Amounts:
    out: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            out[name] = out.get(name, 0) + amount
    return out


def total(pod: Obj, what: str) -> Amounts:
    """Return a pod's ``requests`` or ``limits``, as kubectl's PodRequestsAndLimits adds them up."""
    spec = pod["spec"]
    running = _sum(_amounts(dig(one, "resources", what, default={})) for one in spec.get("containers") or ())
    sidecars: Amounts = {}
    peak: Amounts = {}
    for one in spec.get("initContainers") or ():
        asked = _amounts(dig(one, "resources", what, default={}))
        if one.get("restartPolicy") == "Always":
            sidecars = _sum([sidecars, asked])
            asked = sidecars
        else:
            asked = _sum([sidecars, asked])
        peak = {name: max(peak.get(name, 0), asked.get(name, 0)) for name in {*peak, *asked}}
    running = _sum([running, sidecars])
    needed = {name: max(running.get(name, 0), peak.get(name, 0)) for name in {*running, *peak}}
    needed |= _amounts(dig(spec, "resources", what, default={}))
    overhead = _amounts(spec.get("overhead") or {})
    return _sum([needed, {name: n for name, n in overhead.items() if what == "requests" or needed.get(name)}])
