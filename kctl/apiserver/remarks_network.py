"""What the API server remarks about kinds of the network: what is ignored, deprecated, or written oddly.

In comes an accepted object; out come the texts of the warnings in upstream's order (GetWarningsForService and
the strategies, GetWarningsForIP and GetWarningsForCIDR of apimachinery).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from kctl.api.objects import Obj, annotations_of

HINTS, MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"


def service(obj: Obj) -> Iterator[str]:
    """Yield what is worth saying about a Service."""
    spec = obj.get("spec") or {}
    if obj.get("metadata") and HINTS in annotations_of(obj):
        yield f"annotation {HINTS} is deprecated, please use {MODE} instead"
    outside = spec.get("externalIPs") or []
    if spec.get("clusterIP") == "None":
        if spec.get("type") == "ClusterIP":
            yield from _headless(spec, outside)
    else:
        for n, address in enumerate(spec.get("clusterIPs") or ()):
            yield from of_address(address, f"spec.clusterIPs[{n}]")
    if outside:
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    for n, address in enumerate(outside):
        yield from of_address(address, f"spec.externalIPs[{n}]")
    if spec.get("loadBalancerIP"):
        yield from of_address(spec["loadBalancerIP"], "spec.loadBalancerIP")
    for n, network in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        yield from of_network(network, f"spec.loadBalancerSourceRanges[{n}]")
    if spec.get("type") == "ExternalName" and outside:
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'


def _headless(spec: Obj, outside: list[str]) -> Iterator[str]:
    """Yield what a Service without an address of its own has no use for."""
    if spec.get("loadBalancerIP"):
        yield "spec.loadBalancerIP is ignored for headless services"
    if outside:
        yield "spec.externalIPs is ignored for headless services"
    if spec.get("sessionAffinity", "None") != "None":
        yield "spec.SessionAffinity is ignored for headless services"


def policy(obj: Obj) -> Iterator[str]:
    """Yield what is worth saying about a NetworkPolicy."""
    for rules, peers in (("ingress", "from"), ("egress", "to")):
        for n, rule in enumerate((obj.get("spec") or {}).get(rules) or ()):
            for m, peer in enumerate(rule.get(peers) or ()):
                block, at = peer.get("ipBlock") or {}, f"spec.{rules}[{n}].{peers}[{m}].ipBlock"
                yield from of_network(block.get("cidr") or "", f"{at}.cidr")
                for k, network in enumerate(block.get("except") or ()):
                    yield from of_network(network, f"{at}.except[{k}]")


def endpoint_slice(obj: Obj) -> Iterator[str]:
    """Yield what is worth saying about an EndpointSlice."""
    if obj.get("addressType") == "FQDN":
        yield "spec.addressType: FQDN endpoints are deprecated"
        return
    for n, endpoint in enumerate(obj.get("endpoints") or ()):
        for m, address in enumerate(endpoint.get("addresses") or ()):
            yield from of_address(address, f"endpoints[{n}].addresses[{m}]")


def of_address(value: str, at: str) -> Iterator[str]:
    """Yield a remark on an address that is not written in its one form; nothing on what is no address."""
    from kctl.api.validation.formats import parse_ip

    address = parse_ip(value)
    if address is None:
        return
    plain = getattr(address, "ipv4_mapped", None) or address
    if _fails(ip_address, value) or plain is not address:
        yield _non_standard(at, "IP address", value, str(plain))
    elif address.version == 6 and str(address) != value:
        yield f'{at}: IPv6 address "{value}" should be in RFC 5952 canonical format ("{address}")'


def of_network(value: str, at: str) -> Iterator[str]:
    """Yield a remark on a network that is not written in its one form; nothing on what is no network."""
    from kctl.api.validation.formats import cidr, parse_ip

    first, _, bits = value.partition("/")
    address = parse_ip(first)
    if address is None or cidr(value):
        return
    mapped = getattr(address, "ipv4_mapped", None) if int(bits) >= 96 else None
    odd = _fails(ip_address, first) or bits != str(int(bits)) or mapped is not None
    address = mapped or address
    network = ip_network(f"{address}/{int(bits) - 96 if mapped else int(bits)}", strict=False)
    if network.network_address != address:
        single = f"{address}/{network.max_prefixlen}"
        yield f'{at}: CIDR value "{value}" is ambiguous in this context (should be "{network}" or "{single}"?)'
    if odd:
        yield _non_standard(at, "CIDR value", value, str(network))
    if network.version == 6 and network.network_address == address and not odd and str(network) != value:
        yield f'{at}: IPv6 CIDR value "{value}" should be in RFC 5952 canonical format ("{network}")'


def _non_standard(at: str, what: str, value: str, better: str) -> str:
    return (
        f'{at}: non-standard {what} "{value}" will be considered invalid in a future Kubernetes release: use "{better}"'
    )


def _fails(read: object, value: str) -> bool:
    try:
        read(value)  # type: ignore[operator]
    except ValueError:
        return True
    return False
