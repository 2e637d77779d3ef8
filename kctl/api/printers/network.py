"""Rows of services, of what is behind them and of what leads to them."""

from __future__ import annotations

from kctl.api.objects import Obj, annotations_of, dig
from kctl.api.printers import (
    AGE,
    NAME,
    Cell,
    Printer,
    age,
    columns,
    first,
    joined,
    label_selector,
    name,
    plain_selector,
    row,
    spec_of,
)

MOST = 3
"""How many hosts, ports or addresses are shown."""


def _service(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    return [
        spec.get("type", "ClusterIP"),
        dig(spec, "clusterIPs", 0) or spec.get("clusterIP") or "<none>",
        external_ip(obj),
        joined(map(_service_port, spec.get("ports") or ())),
    ]


def _service_port(port: Obj) -> str:
    """Write a port as ``80:30080/TCP``, without node port ``80/TCP``."""
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def external_ip(service: Obj) -> str:
    """Return what kubectl shows as EXTERNAL-IP, as getServiceExternalIP."""
    spec = spec_of(service)
    type_, external = spec.get("type", "ClusterIP"), spec.get("externalIPs") or []
    if type_ == "ExternalName":
        return str(spec.get("externalName", ""))
    if type_ == "LoadBalancer":
        return joined([*ingress_points(service), *external], "<pending>")
    return joined(external)


def ingress_points(obj: Obj) -> list[str]:
    """Return the addresses of the load balancer, each once, sorted."""
    points = dig(obj, "status", "loadBalancer", "ingress", default=())
    return sorted({str(point.get("ip") or point.get("hostname") or "") for point in points} - {""})


def _endpoints(obj: Obj) -> list[Cell]:
    found = []
    for subset in obj.get("subsets") or ():
        addresses = [one["ip"] for one in subset.get("addresses") or ()]
        if not subset.get("ports"):
            found += addresses
        for port in subset.get("ports") or ():
            found += [f"[{ip}]:{port['port']}" if ":" in ip else f"{ip}:{port['port']}" for ip in addresses]
    return [first(found, MOST, empty="" if obj.get("subsets") else "<none>")]


def _endpointslice(obj: Obj) -> list[Cell]:
    ports = [str(port["port"]) if port.get("port") else port.get("name", "*") for port in obj.get("ports") or ()]
    addresses = [address for found in obj.get("endpoints") or () for address in found.get("addresses") or ()]
    return [obj.get("addressType", ""), first(ports, MOST), first(addresses, MOST)]


def _ingress(obj: Obj) -> list[Cell]:
    spec = spec_of(obj)
    return [
        spec.get("ingressClassName", "<none>"),
        _hosts(spec.get("rules") or []),
        ",".join(ingress_points(obj)),
        "80, 443" if spec.get("tls") else "80",
    ]


def _hosts(rules: list[Obj]) -> str:
    """Return the hosts; rules without one are not shown, but count among the rest, as formatHosts."""
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    if not hosts:
        return "*"
    third = [n for n, rule in enumerate(rules) if rule.get("host")][MOST - 1 : MOST]
    is_cut = bool(third) and third[0] < len(rules) - 1
    return ",".join(hosts[:MOST]) + (f" + {len(rules) - MOST} more..." if is_cut else "")


def _ingressclass(obj: Obj, now: float) -> list[Cell]:
    spec, shown = spec_of(obj), name(obj)
    if annotations_of(obj).get("ingressclass.kubernetes.io/is-default-class") == "true":
        shown += " (default)"
    parameters = spec.get("parameters")
    text = "<none>"
    if parameters:
        text = _qualified(parameters.get("kind", ""), parameters.get("apiGroup", ""), parameters.get("name", ""))
    return [shown, spec.get("controller", ""), text, age(obj, now)]


def _qualified(what: str, group: str, *names: str) -> str:
    """Write ``kind.group/namespace/name`` without what is empty."""
    return "/".join(part for part in (f"{what}.{group}" if group else what, *names) if part)


def _ipaddress(obj: Obj, now: float) -> list[Cell]:
    ref = spec_of(obj).get("parentRef")
    if not ref:
        return [name(obj), "<none>"]
    resource, group = str(ref.get("resource", "")).lower(), str(ref.get("group", "")).lower()
    return [name(obj), _qualified(resource, group, ref.get("namespace", ""), ref.get("name", ""))]


PRINTERS = {
    "services": Printer(
        columns(
            NAME,
            "Type | @core.v1.ServiceSpec.type",
            "Cluster-IP | @core.v1.ServiceSpec.clusterIP",
            "External-IP | @core.v1.ServiceSpec.externalIPs",
            "Port(s) | @core.v1.ServiceSpec.ports",
            AGE,
            "Selector/1 | @core.v1.ServiceSpec.selector",
        ),
        row(_service, lambda obj: [plain_selector(spec_of(obj).get("selector"))]),
    ),
    "endpoints": Printer(columns(NAME, "Endpoints | @core.v1.Endpoints.subsets", AGE), row(_endpoints)),
    "endpointslices.discovery.k8s.io": Printer(
        columns(
            NAME,
            "AddressType | @discovery.v1.EndpointSlice.addressType",
            "Ports | @discovery.v1.EndpointSlice.ports",
            "Endpoints | @discovery.v1.EndpointSlice.endpoints",
            AGE,
        ),
        row(_endpointslice),
    ),
    "ingresses.networking.k8s.io": Printer(
        columns(
            NAME,
            "Class | The name of the IngressClass resource that should be used for additional configuration",
            "Hosts | Hosts that incoming requests are matched against before the ingress rule",
            "Address | Address is a list containing ingress points for the load-balancer",
            "Ports | Ports of TLS configurations that open",
            AGE,
        ),
        row(_ingress),
    ),
    "ingressclasses.networking.k8s.io": Printer(
        columns(
            NAME,
            "Controller | Controller that is responsible for handling this class",
            "Parameters | A reference to a resource with additional parameters",
            AGE,
        ),
        _ingressclass,
    ),
    "networkpolicies.networking.k8s.io": Printer(
        columns(NAME, "Pod-Selector | @networking.v1.NetworkPolicySpec.podSelector", AGE),
        row(lambda obj: [label_selector(spec_of(obj).get("podSelector"))]),
    ),
    "ipaddresses.networking.k8s.io": Printer(
        columns(NAME, "ParentRef | @networking.v1.IPAddressSpec.parentRef"), _ipaddress
    ),
    "servicecidrs.networking.k8s.io": Printer(
        columns(NAME, "CIDRs | @networking.v1.ServiceCIDRSpec.cidrs", AGE),
        row(lambda obj: [joined(spec_of(obj).get("cidrs") or (), "")]),
    ),
}
