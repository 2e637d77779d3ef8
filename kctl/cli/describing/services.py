"""A service, in kubectl's order, with the endpoints of its slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    page.field(0, "Endpoints", endpoints(port.get("name") or "", slices))


def endpoints(name: str, slices: Sequence[Obj]) -> str:
    """Return the addresses that serve a port: the first three that are ready, as formatEndpointSlices."""
    if not slices:
        return "<none>"
    shown: list[str] = []
    ready, more = 0, False
    for port, endpoint in _served(name, slices):
        more = more or len(shown) == MOST_ENDPOINTS
        if not dig(endpoint, "conditions", "ready", default=True):
            continue
        ready += 1
        if not more:
            shown.append(_address(endpoint["addresses"][0], port))
    return ",".join(shown) + (f" + {ready - MOST_ENDPOINTS} more..." if more else "")


def _served(name: str, slices: Sequence[Obj]) -> Iterator[tuple[object, Obj]]:
    """Yield the endpoints behind a port with its number; those of a slice without ports with none."""
    for one in slices:
        there = one.get("ports") or ()
        numbers = [port.get("port") for port in there if (port.get("name") or "") == name] if there else [None]
        for number in numbers:
            for endpoint in one.get("endpoints") or ():
                yield number, endpoint


def _address(address: str, port: object) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
