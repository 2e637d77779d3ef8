"""Ingresses and their classes, network policies, endpoints and endpoint slices, in kubectl's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kctl.api.objects import Obj
from kctl.api.printers import joined, label_selector, spec_of
from kctl.api.printers.network import ingress_points
from kctl.cli.describing import data, layout, services
from kctl.cli.describing.layout import Page

PORT_COLUMNS = ("Name", "Port", "Protocol")
INDENT = "    "


def ingress(obj: Obj, now: float, events: Sequence[Obj], *, backends: Callable[[Obj], str]) -> str:
    """Return the description of an Ingress; ``backends`` writes a backend with what serves it."""
    page, spec = Page(), spec_of(obj)
    page.field(0, "Name", obj["metadata"]["name"])
    page.listed(0, "Labels", layout.pairs(obj["metadata"].get("labels")))
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    page.field(0, "Address", ",".join(ingress_points(obj)))
    page.field(0, "Ingress Class", spec.get("ingressClassName", "<none>"))
    default = backends(spec["defaultBackend"]) if spec.get("defaultBackend") else "<default>"
    page.field(0, "Default backend", default)
    if spec.get("tls"):
        page.line(0, "TLS:")
        for found in spec["tls"]:
            what = f"{found['secretName']} terminates" if found.get("secretName") else "SNI routes"
            page.line(1, f"{what} {','.join(found.get('hosts') or ())}")
    page.line(0, "Rules:")
    page.table(1, ("Host", "Path", "Backends"), ())
    rules = [rule for rule in spec.get("rules") or () if rule.get("http")]
    for rule in rules:
        page.line(1, rule.get("host") or "*", "")
        for path in rule["http"].get("paths") or ():
            page.line(2, "", f"{path.get('path', '')} ", backends(path["backend"]))
    if not rules:
        page.line(1, "*", "*", default)
    layout.annotation_lines(page, 0, obj["metadata"].get("annotations"))
    layout.events(page, events, now)
    return page.text()


def backend_text(backend: Obj, found: Mapping[str, Obj], slices: Sequence[Obj]) -> str:
    """Return a backend with the endpoints of its service, as describeBackendV1.

    ``found`` are the services of the namespace by name, ``slices`` the EndpointSlices of this one.
    """
    resource, service = backend.get("resource"), backend.get("service")
    if not service:
        if not resource:
            return ""
        group = resource.get("apiGroup", "<none>")
        return f"APIGroup: {group}, Kind: {resource.get('kind', '')}, Name: {resource.get('name', '')}"
    wanted = service.get("port") or {}
    text = f"{service['name']}:{wanted.get('number') or wanted.get('name', '')}"
    if service["name"] not in found:
        return f'{text} (<error: services "{service["name"]}" not found>)'
    name = ""
    for port in spec_of(found[service["name"]]).get("ports") or ():
        if port["port"] == wanted.get("number") or (wanted.get("name") and port.get("name") == wanted["name"]):
            name = port.get("name") or ""
    return f"{text} ({services.endpoints(name, slices)})"


def ingress_class(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of an IngressClass."""
    page, spec = Page(), spec_of(obj)
    page.field(0, "Name", obj["metadata"]["name"])
    layout.metadata(page, obj)
    page.field(0, "Controller", spec.get("controller", ""))
    parameters = spec.get("parameters")
    if parameters:
        page.line(0, "Parameters:")
        for title, name in (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")):
            if name != "apiGroup" or name in parameters:
                page.field(1, title, parameters.get(name, ""))
    layout.events(page, events, now)
    return page.text()


def network_policy(obj: Obj) -> str:
    """Return the description of a NetworkPolicy, which kubectl gives no events."""
    page, spec = Page(), spec_of(obj)
    page.field(0, "Name", obj["metadata"]["name"])
    page.field(0, "Namespace", obj["metadata"]["namespace"])
    created = obj["metadata"].get("creationTimestamp") or "<nil>"
    page.field(0, "Created on", created.replace("T", " ").replace("Z", " +0000 UTC"))
    layout.metadata(page, obj)
    page.line(0, "Spec:")
    chosen = label_selector(spec.get("podSelector"))
    if chosen == "<none>":
        chosen += " (Allowing the specific traffic to all pods in this namespace)"
    page.line(1, f"PodSelector: {INDENT}{chosen}")
    types = spec.get("policyTypes") or ()
    for type_, name, far, end in (("Ingress", "ingress", "From", "source"), ("Egress", "egress", "To", "destination")):
        if type_ in types:
            page.line(1, f"Allowing {name} traffic:")
            _rules(page, spec.get(name) or (), name, far, end)
        else:
            page.line(1, f"Not affecting {name} traffic")
    page.line(1, f"Policy Types: {', '.join(types) or '<none>'}")
    return page.text()


def _rules(page: Page, rules: Sequence[Obj], name: str, far: str, end: str) -> None:
    if not rules:
        page.line(0, f"{INDENT}<none> (Selected pods are isolated for {name} connectivity)")
    for n, rule in enumerate(rules):
        if n:
            page.line(0, f"{INDENT}----------")
        for port in rule.get("ports") or ():
            number, protocol = port.get("port", "<nil>"), port.get("protocol", "TCP")
            ranged = f"To Port Range: {number}-{port['endPort']}" if "endPort" in port else f"To Port: {number}"
            page.line(0, f"{INDENT}{ranged}/{protocol}")
        if not rule.get("ports"):
            page.line(0, f"{INDENT}To Port: <any> (traffic allowed to all ports)")
        for peer in rule.get(far.lower()) or ():
            page.line(0, f"{INDENT}{far}:")
            _peer(page, peer)
        if not rule.get(far.lower()):
            page.line(0, f"{INDENT}{far}: <any> (traffic not restricted by {end})")


def _peer(page: Page, peer: Obj) -> None:
    chosen = [name for name in ("namespaceSelector", "podSelector") if name in peer]
    for name in chosen:
        page.line(1, f"{INDENT}{name[0].upper()}{name[1:]}: {label_selector(peer[name])}")
    if not chosen and peer.get("ipBlock"):
        page.line(1, f"{INDENT}IPBlock:")
        page.line(2, f"{INDENT}CIDR: {peer['ipBlock'].get('cidr', '')}")
        page.line(2, f"{INDENT}Except: {', '.join(peer['ipBlock'].get('except') or ())}")


def endpoints(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of an Endpoints."""
    page = Page()
    data.head(page, obj)
    page.line(0, "Subsets:")
    for subset in obj.get("subsets") or ():
        for title, name in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            page.field(1, title, joined(found["ip"] for found in subset.get(name) or ()))
        if subset.get("ports"):
            page.line(1, "Ports:")
            page.table(2, PORT_COLUMNS, [_port(port) for port in subset["ports"]])
        page.line(0, "")
    layout.events(page, events, now)
    return page.text()


def _port(port: Obj) -> list[object]:
    return [port.get("name") or "<unset>", port.get("port", "<unset>"), port.get("protocol", "TCP")]


def endpoint_slice(obj: Obj, now: float, events: Sequence[Obj]) -> str:
    """Return the description of an EndpointSlice."""
    page = Page()
    data.head(page, obj)
    page.field(0, "AddressType", obj.get("addressType", ""))
    if obj.get("ports"):
        page.line(0, "Ports:")
        page.table(1, PORT_COLUMNS, [_port(port) for port in obj["ports"]])
    else:
        page.line(0, "Ports: <unset>")
    page.line(0, "Endpoints:" if obj.get("endpoints") else "Endpoints: <none>")
    for endpoint in obj.get("endpoints") or ():
        page.line(1, "- Addresses:", ", ".join(endpoint.get("addresses") or ()) or "<none>")
        page.line(2, "Conditions:")
        ready = (endpoint.get("conditions") or {}).get("ready")
        page.field(3, "Ready", "<unset>" if ready is None else str(ready).lower())
        page.field(2, "Hostname", endpoint.get("hostname", "<unset>"))
        target = endpoint.get("targetRef")
        if target:
            page.field(2, "TargetRef", f"{target.get('kind', '')}/{target.get('name', '')}")
        page.field(2, "NodeName", endpoint.get("nodeName", "<unset>"))
        page.field(2, "Zone", endpoint.get("zone", "<unset>"))
    layout.events(page, events, now)
    return page.text()
