"""Rows of everything that is not a workload."""

from __future__ import annotations

from kctl.api.objects import Obj, condition, dig, labels_of
from kctl.api.printers import AGE, NAME, Cell, Printer, age, columns, joined, plain_selector, since

ROLE_PREFIX = "node-role.kubernetes.io/"


def _service(obj: Obj, now: float) -> list[Cell]:
    spec = obj["spec"]
    ports = joined(
        f"{port['port']}:{port['nodePort']}/{port.get('protocol', 'TCP')}"
        if port.get("nodePort")
        else f"{port['port']}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or ()
    )
    return [
        obj["metadata"]["name"],
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP") or "<none>",
        external_ip(obj),
        ports,
        age(obj, now),
        plain_selector(spec.get("selector")),
    ]


def external_ip(service: Obj) -> str:
    """Return what kubectl shows as EXTERNAL-IP."""
    spec = service["spec"]
    type_, external = spec.get("type", "ClusterIP"), spec.get("externalIPs") or []
    if type_ == "ExternalName":
        return str(spec.get("externalName", ""))
    if type_ == "LoadBalancer":
        ingress = dig(service, "status", "loadBalancer", "ingress", default=())
        found = [str(one.get("ip") or one.get("hostname")) for one in ingress]
        return joined([*found, *external], "<pending>")
    return joined(external)


def _node(obj: Obj, now: float) -> list[Cell]:
    ready = condition(obj, "Ready")
    status = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    if obj.get("spec", {}).get("unschedulable"):
        status += ",SchedulingDisabled"
    roles = sorted(
        {key.removeprefix(ROLE_PREFIX) for key in labels_of(obj) if key.startswith(ROLE_PREFIX)} - {""}
        | {value for key, value in labels_of(obj).items() if key == "kubernetes.io/role" and value}
    )
    info = dig(obj, "status", "nodeInfo", default={})
    addresses = dig(obj, "status", "addresses", default=())

    def address(type_: str) -> str:
        return next((a["address"] for a in addresses if a["type"] == type_), "<none>")

    kernel = info.get("kernelVersion") or "<unknown>"
    architecture = info.get("architecture")
    return [
        obj["metadata"]["name"],
        status,
        joined(roles),
        age(obj, now),
        info.get("kubeletVersion", ""),
        address("InternalIP"),
        address("ExternalIP"),
        info.get("osImage") or "<unknown>",
        f"{kernel} ({architecture})" if architecture and kernel != "<unknown>" else kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _namespace(obj: Obj, now: float) -> list[Cell]:
    return [obj["metadata"]["name"], dig(obj, "status", "phase", default=""), age(obj, now)]


def _configmap(obj: Obj, now: float) -> list[Cell]:
    count = len(obj.get("data") or ()) + len(obj.get("binaryData") or ())
    return [obj["metadata"]["name"], count, age(obj, now)]


def _secret(obj: Obj, now: float) -> list[Cell]:
    return [obj["metadata"]["name"], obj.get("type", "Opaque"), len(obj.get("data") or ()), age(obj, now)]


def _event(obj: Obj, now: float) -> list[Cell]:
    about, source = obj["involvedObject"], obj.get("source") or {}
    last = obj.get("lastTimestamp") or dig(obj, "series", "lastObservedTime") or obj.get("eventTime")
    first = obj.get("firstTimestamp") or obj.get("eventTime")
    component = source.get("component") or obj.get("reportingComponent", "")
    host = source.get("host") or obj.get("reportingInstance", "")
    return [
        since(last, now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        (obj.get("message") or "").strip(),
        since(first, now),
        obj.get("count") or dig(obj, "series", "count", default=1),
        obj["metadata"]["name"],
    ]


def _endpointslice(obj: Obj, now: float) -> list[Cell]:
    ports = obj.get("ports") or []
    endpoints = [address for found in obj.get("endpoints") or () for address in found.get("addresses") or ()]
    return [
        obj["metadata"]["name"],
        obj.get("addressType", ""),
        _first([str(port["port"]) if port.get("port") else port.get("name", "*") for port in ports], "<unset>"),
        _first(endpoints, "<unset>"),
        age(obj, now),
    ]


def _first(values: list[str], empty: str, most: int = 3) -> str:
    """Return the first three values, as formatEndpointSlices does."""
    more = len(values) - most
    shown = ",".join(values[:most])
    return f"{shown} + {more} more..." if more > 0 else shown or empty


def _lease(obj: Obj, now: float) -> list[Cell]:
    return [obj["metadata"]["name"], dig(obj, "spec", "holderIdentity", default=""), age(obj, now)]


def _priorityclass(obj: Obj, now: float) -> list[Cell]:
    return [
        obj["metadata"]["name"],
        obj.get("value", 0),
        bool(obj.get("globalDefault")),
        age(obj, now),
        obj.get("preemptionPolicy", "PreemptLowerPriority"),
    ]


def _ingress(obj: Obj, now: float) -> list[Cell]:
    spec = obj.get("spec") or {}
    hosts = [rule["host"] for rule in spec.get("rules") or () if rule.get("host")]
    ingress = dig(obj, "status", "loadBalancer", "ingress", default=())
    return [
        obj["metadata"]["name"],
        spec.get("ingressClassName") or "<none>",
        joined(hosts, "*"),
        joined((found.get("ip") or found.get("hostname") for found in ingress), ""),
        "80, 443" if spec.get("tls") else "80",
        age(obj, now),
    ]


def _claim(obj: Obj, now: float) -> list[Cell]:
    spec, status = obj["spec"], obj.get("status") or {}
    is_bound = bool(spec.get("volumeName"))
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    return [
        obj["metadata"]["name"],
        phase,
        spec.get("volumeName", ""),
        dig(status, "capacity", "storage", default="") if is_bound else "",
        access_modes(status.get("accessModes")) if is_bound else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or "<unset>",
        age(obj, now),
        spec.get("volumeMode") or "<unset>",
    ]


MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def access_modes(modes: list[str] | None) -> str:
    """Return the short forms in upstream's order."""
    return ",".join(short for mode, short in MODES.items() if mode in (modes or ()))


PRINTERS = {
    "services": Printer(columns(NAME, "Type", "Cluster-IP", "External-IP", "Port(s)", AGE, "Selector/1"), _service),
    "nodes": Printer(
        columns(
            NAME,
            "Status",
            "Roles",
            AGE,
            "Version",
            "Internal-IP/1",
            "External-IP/1",
            "OS-Image/1",
            "Kernel-Version/1",
            "Container-Runtime/1",
        ),
        _node,
    ),
    "namespaces": Printer(columns(NAME, "Status", AGE), _namespace),
    "configmaps": Printer(columns(NAME, "Data", AGE), _configmap),
    "secrets": Printer(columns(NAME, "Type", "Data", AGE), _secret),
    "events": Printer(
        columns(
            "Last Seen",
            "Type",
            "Reason",
            "Object",
            "Subobject/1",
            "Source/1",
            "Message",
            "First Seen/1",
            "Count/1",
            NAME._replace(priority=1),
        ),
        _event,
    ),
    "endpointslices.discovery.k8s.io": Printer(
        columns(NAME, "AddressType", "Ports", "Endpoints", AGE), _endpointslice
    ),
    "leases.coordination.k8s.io": Printer(columns(NAME, "Holder", AGE), _lease),
    "priorityclasses.scheduling.k8s.io": Printer(
        columns(NAME, "Value:integer", "Global-Default:boolean", AGE, "PreemptionPolicy"), _priorityclass
    ),
    "ingresses.networking.k8s.io": Printer(columns(NAME, "Class", "Hosts", "Address", "Ports", AGE), _ingress),
    "persistentvolumeclaims": Printer(
        columns(
            NAME,
            "Status",
            "Volume",
            "Capacity",
            "Access Modes",
            "StorageClass",
            "VolumeAttributesClass",
            AGE,
            "VolumeMode/1",
        ),
        _claim,
    ),
}
