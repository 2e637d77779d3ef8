"""Validation of Ingresses, IngressClasses and NetworkPolicies.

In comes an object (and the old one); complaints are appended as pkg/apis/networking/validation
orders them.
"""

from __future__ import annotations

from ipaddress import ip_network

from kctl.api import errors
from kctl.api.objects import Obj
from kctl.api.validation import formats, meta
from kctl.api.validation.meta import Errors, formatted

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
NOT_IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
NOT_AT_END = ("/..", "/.")
INGRESS_CLASS = "kubernetes.io/ingress.class"
PROTOCOLS = ("TCP", "UDP", "SCTP")
POLICY_TYPES = ("Egress", "Ingress")
MAX_CONTROLLER = 250


def ingress(obj: Obj, out: Errors) -> None:
    """Check a new Ingress; its class may be said in one way only."""
    ingress_spec(obj.get("spec") or {}, out)
    said = (obj["metadata"].get("annotations") or {}).get(INGRESS_CLASS)
    name = (obj.get("spec") or {}).get("ingressClassName")
    if said is not None and name is not None and said != name:
        text = "must match `ingressClassName` when both are specified"
        out.append(errors.invalid(f"annotations.{INGRESS_CLASS}", said, text))


def ingress_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed Ingress."""
    ingress_spec(new.get("spec") or {}, out)


def ingress_spec(spec: Obj, out: Errors) -> None:
    """Check where requests go."""
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        text = "either `defaultBackend` or `rules` must be specified"
        out.append(errors.invalid("spec", spec.get("rules"), text))
    if backend is not None:
        _backend(backend, "spec.defaultBackend", out)
    for n, rule in enumerate(rules):
        _rule(rule, f"spec.rules[{n}]", out)
    for n, entry in enumerate(spec.get("tls") or ()):
        for m, host in enumerate(entry.get("hosts") or ()):
            formatted(_host_format(host), host, f"spec.tls[{n}].hosts[{m}]", out)
        if entry.get("secretName"):
            formatted(formats.dns_subdomain, entry["secretName"], f"spec.tls[{n}].secretName", out)
    if spec.get("ingressClassName") is not None:
        formatted(formats.dns_subdomain, spec["ingressClassName"], "spec.ingressClassName", out)


def _host_format(host: str) -> formats.Format:
    return formats.wildcard_subdomain if "*" in host else formats.dns_subdomain


def _rule(rule: Obj, at: str, out: Errors) -> None:
    """Check one host with its paths."""
    host = rule.get("host") or ""
    if host:
        if formats.parse_ip(host) is not None:
            out.append(errors.invalid(f"{at}.host", host, "must be a DNS name, not an IP address"))
        formatted(_host_format(host), host, f"{at}.host", out)
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        out.append(errors.required(f"{at}.http.paths"))
    for n, path in enumerate(http.get("paths") or ()):
        _path(path, f"{at}.http.paths[{n}]", out)


def _path(value: Obj, at: str, out: Errors) -> None:
    """Check one path: how it matches, and its backend."""
    kind, path = value.get("pathType"), value.get("path") or ""
    if kind is None:
        out.append(errors.required(f"{at}.pathType", "pathType must be specified"))
        return
    here = f"{at}.path"
    if kind in {"Exact", "Prefix"}:
        if not path.startswith("/"):
            out.append(errors.invalid(here, path, "must be an absolute path"))
        for text in NOT_IN_PATH:
            if text in path:
                out.append(errors.invalid(here, path, f"must not contain '{text}'"))
        for text in NOT_AT_END:
            if path.endswith(text):
                out.append(errors.invalid(here, path, f"cannot end with '{text}'"))
    elif kind == "ImplementationSpecific":
        if path and not path.startswith("/"):
            out.append(errors.invalid(here, path, "must be an absolute path"))
    else:
        out.append(errors.not_supported(f"{at}.pathType", kind, PATH_TYPES))
    _backend(value.get("backend") or {}, f"{at}.backend", out)


def _backend(value: Obj, at: str, out: Errors) -> None:
    """Check that a backend is a service or another resource."""
    service, resource = value.get("service"), value.get("resource")
    if service is not None and resource is not None:
        out.append(errors.invalid(at, "", "cannot set both resource and service backends"))
    elif resource is not None:
        _typed_reference(resource, f"{at}.resource", out)
    elif service is not None:
        _service(service, at, out)
    else:
        out.append(errors.invalid(at, "", "resource or service backend is required"))


def _service(service: Obj, at: str, out: Errors) -> None:
    """Check the name and port of a service."""
    if not service.get("name"):
        out.append(errors.required(f"{at}.service.name"))
    else:
        formatted(formats.dns_label, service["name"], f"{at}.service.name", out)
    port = service.get("port") or {}
    name, number = port.get("name") or "", port.get("number") or 0
    if name and number:
        out.append(errors.invalid(at, "", "cannot set both port name & port number"))
    elif name:
        formatted(formats.port_name, name, f"{at}.service.port.name", out)
    elif number:
        for text in formats.port_number(number):
            out.append(errors.invalid(f"{at}.service.port.number", number, text))
    else:
        out.append(errors.required(at, "port name or number is required"))


def _typed_reference(value: Obj, at: str, out: Errors) -> None:
    """Check a reference by group, kind and name."""
    if value.get("apiGroup") is not None:
        formatted(formats.dns_subdomain, value["apiGroup"], f"{at}.apiGroup", out)
    for name in ("kind", "name"):
        if not value.get(name):
            out.append(errors.required(f"{at}.{name}"))
        else:
            formatted(formats.path_segment, value[name], f"{at}.{name}", out)


def ingress_class(obj: Obj, out: Errors) -> None:
    """Check an IngressClass."""
    spec = obj.get("spec") or {}
    controller = spec.get("controller") or ""
    if formats.size(controller) > MAX_CONTROLLER:
        out.append(errors.too_long("spec.controller", "", MAX_CONTROLLER))
    meta.domain_prefixed(controller, "spec.controller", out)
    if spec.get("parameters") is not None:
        _parameters(spec["parameters"], "spec.parameters", out)


def _parameters(value: Obj, at: str, out: Errors) -> None:
    """Check where the parameters of a class stand."""
    _typed_reference(value, at, out)
    scope, namespace = value.get("scope"), value.get("namespace")
    if scope is None:
        out.append(errors.required(f"{at}.scope"))
        return
    if scope not in {"Cluster", "Namespace"}:
        out.append(errors.not_supported(f"{at}.scope", scope, ("Cluster", "Namespace")))
    if scope == "Namespace":
        if not namespace:
            out.append(errors.required(f"{at}.namespace", "`parameters.scope` is set to 'Namespace'"))
        else:
            formatted(formats.dns_label, namespace, f"{at}.namespace", out)
    if scope == "Cluster" and namespace is not None:
        out.append(errors.forbidden_field(f"{at}.namespace", "`parameters.scope` is set to 'Cluster'"))


def ingress_class_update(new: Obj, old: Obj, out: Errors) -> None:
    """Check a changed IngressClass: its controller stays."""
    after, before = (((obj.get("spec") or {}).get("controller") or "") for obj in (new, old))
    meta.immutable(after, before, "spec.controller", out)
    ingress_class(new, out)


def network_policy(obj: Obj, out: Errors) -> None:
    """Check a NetworkPolicy."""
    spec = obj.get("spec") or {}
    meta.selector(spec.get("podSelector"), "spec.podSelector", out)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for n, rule in enumerate(spec.get(direction) or ()):
            at = f"spec.{direction}[{n}]"
            for m, port in enumerate(rule.get("ports") or ()):
                _policy_port(port, f"{at}.ports[{m}]", out)
            for m, peer in enumerate(rule.get(peers) or ()):
                _peer(peer, f"{at}.{peers}[{m}]", out)
    types = spec.get("policyTypes") or []
    if len(types) > len(POLICY_TYPES):
        text = "may not specify more than two policyTypes"
        out.append(errors.invalid("spec.policyTypes", types, text))
        return
    for n, kind in enumerate(types):
        if kind not in POLICY_TYPES:
            out.append(errors.not_supported(f"spec.policyTypes[{n}]", kind, POLICY_TYPES))


def _policy_port(value: Obj, at: str, out: Errors) -> None:
    """Check a port or a range of ports."""
    protocol, port, end = value.get("protocol"), value.get("port"), value.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        out.append(errors.not_supported(f"{at}.protocol", protocol, PROTOCOLS))
    if port is None:
        if end is not None:
            out.append(errors.invalid(f"{at}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(port, str):
        if end is not None:
            out.append(errors.invalid(f"{at}.endPort", end, "may not be specified when `port` is non-numeric"))
        formatted(formats.port_name, port, f"{at}.port", out)
    else:
        for text in formats.port_number(port):
            out.append(errors.invalid(f"{at}.port", port, text))
        if end is None:
            return
        if end < port:
            out.append(errors.invalid(f"{at}.endPort", port, "must be greater than or equal to `port`"))
        for text in formats.port_number(end):
            out.append(errors.invalid(f"{at}.endPort", end, text))


def _peer(value: Obj, at: str, out: Errors) -> None:
    """Check one peer: pods, namespaces, or a range of addresses alone."""
    selectors = [name for name in ("podSelector", "namespaceSelector") if value.get(name) is not None]
    for name in selectors:
        meta.selector(value[name], f"{at}.{name}", out)
    block = value.get("ipBlock")
    if block is not None:
        _ip_block(block, f"{at}.ipBlock", out)
    if not selectors and block is None:
        out.append(errors.required(at, "must specify a peer"))
    elif selectors and block is not None:
        out.append(errors.forbidden_field(at, "may not specify both ipBlock and another peer"))


def _ip_block(value: Obj, at: str, out: Errors) -> None:
    """Check a range and what is left out of it."""
    cidr = value.get("cidr") or ""
    if not cidr:
        out.append(errors.required(f"{at}.cidr"))
        return
    bad = bool(formats.cidr(cidr))
    formatted(formats.cidr, cidr, f"{at}.cidr", out)
    for n, part in enumerate(value.get("except") or ()):
        here = f"{at}.except[{n}]"
        formatted(formats.cidr, part, here, out)
        if bad or formats.cidr(part):
            continue
        if not _strictly_within(part, cidr):
            out.append(errors.invalid(here, part, "must be a strict subset of `cidr`"))


def _strictly_within(part: str, whole: str) -> bool:
    """Say whether a range is a smaller part of another."""
    inner, outer = ip_network(part, strict=False), ip_network(whole, strict=False)
    return inner.version == outer.version and inner.prefixlen > outer.prefixlen and inner.network_address in outer
