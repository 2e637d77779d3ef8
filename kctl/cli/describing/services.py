"""A service, in kubectl's order, with the endpoints of its slices."""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.objects import Obj, dig
from kctl.api.printers import joined, plain_selector
from kctl.cli.describing import layout
from kctl.cli.describing.layout import Page

MOST_ENDPOINTS = 3


def describe(service: Obj, now: float, events: Sequence[Obj], *, slices: Sequence[Obj]) -> str:
    """Return the description of a service; ``slices`` are its EndpointSlices."""
    page = Page()
    spec = service["spec"]
    page.field(0, "Name", service["metadata"]["name"])
    page.field(0, "Namespace", service["metadata"]["namespace"])
    layout.metadata(page, service)
    page.field(0, "Selector", plain_selector(spec.get("selector")))
    page.field(0, "Type", spec.get("type", ""))
    if spec.get("ipFamilyPolicy"):
        page.field(0, "IP Family Policy", spec["ipFamilyPolicy"])
    page.field(0, "IP Families", joined(spec.get("ipFamilies") or ()))
    page.field(0, "IP", spec.get("clusterIP", ""))
    page.field(0, "IPs", joined(spec.get("clusterIPs") or ()))
    if spec.get("externalIPs"):
        page.field(0, "External IPs", ",".join(spec["externalIPs"]))
    if spec.get("loadBalancerIP"):
        page.field(0, "Desired LoadBalancer IP", spec["loadBalancerIP"])
    if spec.get("externalName"):
        page.field(0, "External Name", spec["externalName"])
    ingress = dig(service, "status", "loadBalancer", "ingress", default=())
    if ingress:
        page.field(0, "LoadBalancer Ingress", ", ".join(_ingress(found) for found in ingress))
    for port in spec.get("ports") or ():
        _port(page, port, slices)
    page.field(0, "Session Affinity", spec.get("sessionAffinity", ""))
    for name, field in (
        ("External Traffic Policy", "externalTrafficPolicy"),
        ("Internal Traffic Policy", "internalTrafficPolicy"),
        ("Traffic Distribution", "trafficDistribution"),
        ("HealthCheck NodePort", "healthCheckNodePort"),
    ):
        if spec.get(field):
            page.field(0, name, spec[field])
    if spec.get("loadBalancerSourceRanges"):
        page.field(0, "LoadBalancer Source Ranges", ",".join(spec["loadBalancerSourceRanges"]))
    layout.events(page, events, now)
    return page.text()


def _ingress(found: Obj) -> str:
    mode = f" ({found['ipMode']})" if found.get("ip") and found.get("ipMode") else ""
    return f"{found.get('ip') or found.get('hostname', '')}{mode}"


def _port(page: Page, port: Obj, slices: Sequence[Obj]) -> None:
    name, protocol = port.get("name") or "<unset>", port.get("protocol", "TCP")
    page.field(0, "Port", name, f"{port['port']}/{protocol}")
    page.field(0, "TargetPort", f"{port.get('targetPort', port['port'])}/{protocol}")
    if port.get("nodePort"):
        page.field(0, "NodePort", name, f"{port['nodePort']}/{protocol}")
    page.field(0, "Endpoints", _endpoints(port.get("name") or "", slices))


def _endpoints(name: str, slices: Sequence[Obj]) -> str:
    """Return the addresses that serve a port: those that are ready, the first three by name."""
    found = []
    for one in slices:
        numbers = [port.get("port") for port in one.get("ports") or () if (port.get("name") or "") == name]
        for endpoint in one.get("endpoints") or ():
            if dig(endpoint, "conditions", "ready", default=True):
                found += [_address(address, n) for address in endpoint.get("addresses") or () for n in numbers]
    more = f" + {len(found) - MOST_ENDPOINTS} more..." if len(found) > MOST_ENDPOINTS else ""
    return ",".join(found[:MOST_ENDPOINTS]) + more


def _address(address: str, port: object) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
