"""Validation of Services.

In comes a Service (and the old one); complaints are appended in the order of ValidateService and
ValidateServiceUpdate (core validation). What depends on the cluster's ranges is with allocation.
"""

from __future__ import annotations

from functools import lru_cache

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, internal, meta, probes
from kctl.api.validation.meta import Errors, formatted

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
FAMILIES = ("IPv4", "IPv6")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
TRAFFIC = ("Cluster", "Local")
DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
PROTOCOLS = ("SCTP", "TCP", "UDP")
ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
ONCE = "may not change once set"
KUBELET_PORT = 10250


def is_headless(spec: Obj) -> bool:
    """Say whether the Service has no address on purpose."""
    return bool((spec.get("clusterIPs") or [spec.get("clusterIP")])[0] == "None")


def service(obj: Obj, out: Errors) -> None:
    """Check a Service, its metadata apart."""
    spec = obj.get("spec") or {}
    ports, kind = spec.get("ports") or [], spec.get("type") or ""
    if not ports and not is_headless(spec) and kind != "ExternalName":
        out.append(errors.required("spec.ports"))
    _by_type(spec, kind, ports, out)
    names: set[str] = set()
    for n, port in enumerate(ports):
        _port(port, f"spec.ports[{n}]", names, out, named=len(ports) > 1)
    meta.labels(spec.get("selector"), "spec.selector", out)
    _affinity(spec, out)
    addresses(spec, out)
    for n, address in enumerate(spec.get("externalIPs") or ()):
        _external_ip(address, f"spec.externalIPs[{n}]", out)
    if not kind:
        out.append(errors.required("spec.type"))
    elif kind not in TYPES:
        out.append(errors.not_supported("spec.type", kind, TYPES))
    _node_ports(ports, kind, out)
    _source_ranges(spec, kind, out)
    if spec.get("allocateLoadBalancerNodePorts") is not None and kind != "LoadBalancer":
        out.append(errors.forbidden_field("spec.allocateLoadBalancerNodePorts", ONLY_LOAD_BALANCER))
    _load_balancer_class(spec, kind, out)
    _traffic(spec, kind, out)


def _by_type(spec: Obj, kind: str, ports: list[Obj], out: Errors) -> None:
    """Check what each type of Service asks for or forbids."""
    if kind == "LoadBalancer":
        for n, port in enumerate(ports):
            if port.get("port") == KUBELET_PORT:
                text = f"may not expose port {KUBELET_PORT} externally since it is used by kubelet"
                out.append(errors.invalid(f"spec.ports[{n}]", KUBELET_PORT, text))
    if kind in {"LoadBalancer", "NodePort"} and is_headless(spec):
        text = f"may not be set to 'None' for {kind} services"
        out.append(errors.invalid("spec.clusterIPs[0]", "None", text))
    if kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                out.append(errors.forbidden_field(f"spec.{name}", "may not be set for ExternalName services"))
        name = (spec.get("externalName") or "").removesuffix(".")
        if name:
            formatted(formats.dns_subdomain, name, "spec.externalName", out)
        else:
            out.append(errors.required("spec.externalName"))


def _port(port: Obj, at: str, names: set[str], out: Errors, *, named: bool) -> None:
    """Check one port; with several, each needs a name."""
    name = port.get("name") or ""
    if named and not name:
        out.append(errors.required(f"{at}.name"))
    elif name:
        formatted(formats.dns_label, name, f"{at}.name", out)
        if name in names:
            out.append(errors.duplicate(f"{at}.name", name))
        names.add(name)
    number = port.get("port") or 0
    for text in formats.port_number(number):
        out.append(errors.invalid(f"{at}.port", number, text))
    protocol = port.get("protocol") or ""
    if not protocol:
        out.append(errors.required(f"{at}.protocol"))
    elif protocol not in PROTOCOLS:
        out.append(errors.not_supported(f"{at}.protocol", protocol, PROTOCOLS))
    probes.port(port.get("targetPort") or 0, f"{at}.targetPort", out)
    if port.get("appProtocol") is not None:
        formatted(formats.qualified_name, port["appProtocol"], f"{at}.appProtocol", out)


def _affinity(spec: Obj, out: Errors) -> None:
    """Check session affinity and its settings."""
    affinity, config = spec.get("sessionAffinity") or "", spec.get("sessionAffinityConfig")
    if not affinity:
        out.append(errors.required("spec.sessionAffinity"))
    elif affinity not in {"ClientIP", "None"}:
        out.append(errors.not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None")))
    at = "spec.sessionAffinityConfig"
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            text = "when session affinity type is ClientIP"
            out.append(errors.required(f"{at}.clientIP.timeoutSeconds", text))
        elif not 0 < seconds <= 86400:
            text = "must be greater than 0 and less than 86400"
            out.append(errors.invalid(f"{at}.clientIP.timeoutSeconds", seconds, text))
    elif affinity == "None" and config is not None:
        out.append(errors.forbidden_field(at, "must not be set when session affinity is None"))


def addresses(spec: Obj, out: Errors) -> None:
    """Check cluster IPs and families, as ValidateServiceClusterIPsRelatedFields."""
    found: Errors = []
    address, listed = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if address:
        if not listed:
            found.append(errors.required("spec.clusterIPs"))
        elif listed[0] != address:
            found.append(errors.invalid("spec.clusterIPs", listed, "first value must match `clusterIP`"))
    elif listed:
        text = "must be empty when `clusterIP` is not specified"
        found.append(errors.invalid("spec.clusterIPs", listed, text))
    families = spec.get("ipFamilies") or []
    for n, family in enumerate(families):
        if family not in FAMILIES:
            found.append(errors.not_supported(f"spec.ipFamilies[{n}]", family, FAMILIES))
        if family in families[:n]:
            found.append(errors.duplicate(f"spec.ipFamilies[{n}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in FAMILY_POLICIES:
        found.append(errors.not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES))
    for n, value in enumerate(listed):
        if n == 0 and value == "None":
            if len(listed) > 1:
                found.append(errors.invalid("spec.clusterIPs", listed, "'None' must be the first and only value"))
        else:
            formatted(formats.ip, value, f"spec.clusterIPs[{n}]", found)
    if len(listed) > 2:
        found.append(errors.invalid("spec.clusterIPs", listed, "may only hold up to 2 values"))
    if not found and not is_headless(spec):
        _match_families(listed, families, found)
    out += found


def _match_families(addresses: list[str], families: list[str], out: Errors) -> None:
    """Check that every address is of the family said for it."""
    for n, (address, family) in enumerate(zip(addresses, families, strict=False)):
        if formats.is_ipv6(address) != (family == "IPv6"):
            text = f"expected an {family} value as indicated by `ipFamilies[{n}]`"
            out.append(errors.invalid(f"spec.clusterIPs[{n}]", address, text))


def _external_ip(value: str, at: str, out: Errors) -> None:
    """Check an address from outside the cluster."""
    complaints = formats.ip(value)
    formatted(formats.ip, value, at, out)
    if not complaints:
        reachable(value, at, out)


def reachable(value: str, at: str, out: Errors) -> None:
    """Check that an address is one others can send to, as ValidateNonSpecialIP."""
    for text in _unreachable(value):
        out.append(errors.invalid(at, value, text))


def _unreachable(value: str) -> tuple[str, ...]:
    """Return why others cannot send to an address, as ValidateNonSpecialIP; most begin with a number like no such."""
    first = value.partition(".")[0]
    if ":" not in value and first.isdigit() and int(first) not in SPECIAL:
        return ()
    return _special(value)


SPECIAL = (0, 127, 169, 224)
"""With what IPv4 addresses begin that others cannot send to."""


@lru_cache(maxsize=4096)
def _special(value: str) -> tuple[str, ...]:
    from ipaddress import ip_network

    address = formats.parse_ip(value)
    if address is None:
        return ()
    address = getattr(address, "ipv4_mapped", None) or address
    found = []
    if address.is_unspecified:
        found.append(f"may not be unspecified ({value})")
    if address.is_loopback:
        found.append("may not be in the loopback range (127.0.0.0/8, ::1/128)")
    if address.is_link_local:
        found.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if address in ip_network("224.0.0.0/24" if address.version == 4 else "ff02::/16"):
        found.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return tuple(found)


def _node_ports(ports: list[Obj], kind: str, out: Errors) -> None:
    """Check node ports: not for ClusterIP, and nothing twice."""
    if kind == "ClusterIP":
        for n, port in enumerate(ports):
            if port.get("nodePort"):
                text = "may not be used when `type` is 'ClusterIP'"
                out.append(errors.forbidden_field(f"spec.ports[{n}].nodePort", text))
    seen: set[tuple[str, int]] = set()
    for n, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("nodePort") or 0)
        if key[1] and key in seen:
            out.append(errors.duplicate(f"spec.ports[{n}].nodePort", key[1]))
        seen.add(key)
    seen = set()
    for n, port in enumerate(ports):
        key = (port.get("protocol") or "", port.get("port") or 0)
        if key in seen:
            shown = internal.shown("ServicePort", {"protocol": key[0], "port": key[1]})
            out.append(errors.duplicate(f"spec.ports[{n}]", shown))
        seen.add(key)


def _source_ranges(spec: Obj, kind: str, out: Errors) -> None:
    """Check which clients a load balancer lets in; upstream writes this path with a capital L."""
    ranges = spec.get("loadBalancerSourceRanges") or []
    at = "spec.LoadBalancerSourceRanges"
    if ranges and kind != "LoadBalancer":
        out.append(errors.forbidden_field(at, ONLY_LOAD_BALANCER))
    for n, value in enumerate(ranges):
        formatted(formats.cidr, value.strip(), f"{at}[{n}]", out)


def _load_balancer_class(spec: Obj, kind: str, out: Errors) -> None:
    """Check the class of a load balancer."""
    value = spec.get("loadBalancerClass")
    if value is None:
        return
    if kind == "LoadBalancer":
        formatted(formats.qualified_name, value, "spec.loadBalancerClass", out)
    else:
        out.append(errors.forbidden_field("spec.loadBalancerClass", ONLY_LOAD_BALANCER))


def _traffic(spec: Obj, kind: str, out: Errors) -> None:
    """Check traffic policies and the port for health checks."""
    external = kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    policy = spec.get("externalTrafficPolicy") or ""
    at = "spec.externalTrafficPolicy"
    if not external:
        if policy:
            out.append(errors.invalid(at, policy, "may only be set for externally-accessible services"))
    elif not policy:
        out.append(errors.required(at, "externalTrafficPolicy for externally-accessible services"))
    elif policy not in TRAFFIC:
        out.append(errors.not_supported(at, policy, TRAFFIC))
    port = spec.get("healthCheckNodePort") or 0
    if port and not (kind == "LoadBalancer" and policy == "Local"):
        text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        out.append(errors.invalid("spec.healthCheckNodePort", port, text))
    inner = spec.get("internalTrafficPolicy")
    if inner is None:
        if kind in {"NodePort", "LoadBalancer", "ClusterIP"}:
            out.append(errors.required("spec.internalTrafficPolicy"))
    elif inner not in TRAFFIC:
        out.append(errors.not_supported("spec.internalTrafficPolicy", inner, TRAFFIC))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in DISTRIBUTIONS:
        out.append(errors.not_supported("spec.trafficDistribution", distribution, DISTRIBUTIONS))


def update_first(new: Obj, old: Obj, out: Errors) -> None:
    """Check what a Service keeps for life, before it is checked as a whole."""
    spec, before = new.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" not in {spec.get("type"), before.get("type")}:
        _kept_addresses(spec, before, out)
    both = spec.get("type") == before.get("type") == "LoadBalancer"
    if both and spec.get("loadBalancerClass") != before.get("loadBalancerClass"):
        out.append(errors.invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), ONCE))
    _load_balancer_class(spec, spec.get("type") or "", out)


def _kept_addresses(spec: Obj, before: Obj, out: Errors) -> None:
    """Check that cluster IPs stay and the first family too."""
    new, old = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if is_headless(spec) and is_headless(before):
        return
    if old and not new:
        out.append(errors.invalid("spec.clusterIPs[0]", new or None, "primary clusterIP can not be unset"))
    for n, (after, earlier) in enumerate(zip(new, old, strict=False)):
        if after != earlier:
            out.append(errors.invalid(f"spec.clusterIPs[{n}]", new, ONCE))


def service_status(new: Obj, old: Obj, out: Errors) -> None:
    """Check the addresses a cloud gave a Service, as ValidateLoadBalancerStatus."""
    ingress = ((new.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if ingress and (new.get("spec") or {}).get("type") != "LoadBalancer":
        why = "may only be used when `spec.type` is 'LoadBalancer'"
        out.append(errors.forbidden_field("status.loadBalancer.ingress", why))
        return
    for n, found in enumerate(ingress):
        path, host = f"status.loadBalancer.ingress[{n}]", found.get("hostname") or ""
        if found.get("ip"):
            out += [errors.invalid(f"{path}.ip", found["ip"], why) for why in formats.ip(found["ip"])]
        if host:
            out += [errors.invalid(f"{path}.hostname", host, why) for why in formats.dns_subdomain(host)]
            if formats.parse_ip(host) is not None:
                out.append(errors.invalid(f"{path}.hostname", host, "must be a DNS name, not an IP address"))
