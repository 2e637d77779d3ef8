"""The strategy of Services: what a change of type lets go of, and what an update may leave out.

Cluster IPs and node ports are allocated by the API server; here they are carried from the stored
Service to one that does not mention them, as patchAllocatedValues and dropTypeDependentFields.
"""

from __future__ import annotations

from kctl.api.objects import Obj

WITH_NODE_PORT = {"NodePort", "LoadBalancer"}


def update(new: Obj, old: Obj) -> Obj:
    """Prepare a changed Service."""
    spec, before = dict(new.get("spec") or {}), old.get("spec") or {}
    _carry(spec, before)
    _drop(spec, before)
    return {**new, "spec": spec}


def needs_cluster_ip(spec: Obj) -> bool:
    """Say whether the Service has an address of the cluster's: all but ExternalName."""
    return spec.get("type") != "ExternalName"


def needs_node_port(spec: Obj) -> bool:
    """Say whether the Service has ports on the nodes."""
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def needs_health_check(spec: Obj) -> bool:
    """Say whether the Service needs a port for health checks of nodes."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _carry(spec: Obj, before: Obj) -> None:
    """Fill in allocated values that the update leaves out, then make both address fields agree."""
    if needs_cluster_ip(spec) and needs_cluster_ip(before):
        if not spec.get("clusterIP"):
            _take(spec, before, "clusterIP")
        if not spec.get("clusterIPs"):
            _take(spec, before, "clusterIPs")
    if needs_node_port(spec) and needs_node_port(before):
        _carry_node_ports(spec, before)
    if needs_health_check(spec) and needs_health_check(before) and not spec.get("healthCheckNodePort"):
        _take(spec, before, "healthCheckNodePort")
    _normalize(spec, before)


def _normalize(spec: Obj, before: Obj) -> None:
    """Make clusterIPs follow clusterIP for clients that know only the latter."""
    same = (spec.get("clusterIP") or "") == (before.get("clusterIP") or "")
    if same:
        if before.get("clusterIPs") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = before["clusterIPs"]
    elif _same(spec, before, "clusterIPs"):
        if before.get("clusterIP") and not spec.get("clusterIP"):
            spec.pop("clusterIPs", None)
        else:
            spec["clusterIPs"] = [spec["clusterIP"]]


def _take(spec: Obj, before: Obj, name: str) -> None:
    """Take over a field when the stored Service has it."""
    if before.get(name):
        spec[name] = before[name]


def _carry_node_ports(spec: Obj, before: Obj) -> None:
    """Give ports without a node port the one the port of that name had, unless another has it now."""
    listed = spec.get("ports") or ()
    now = {port["nodePort"] for port in listed if port.get("nodePort")}
    known = {port.get("name") or "": port.get("nodePort") or 0 for port in before.get("ports") or ()}
    used = now & set(known.values())
    ports = []
    for port in listed:
        earlier = known.get(port.get("name") or "", 0)
        if not port.get("nodePort") and earlier and earlier not in used:
            port = {**port, "nodePort": earlier}
            used.add(earlier)
        ports.append(port)
    if ports:
        spec["ports"] = ports


def _drop(spec: Obj, before: Obj) -> None:
    """Let go of what the new type does not have, where the user did not change it meanwhile."""
    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        if _same(spec, before, "clusterIPs"):
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        for name in ("ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            if _same(spec, before, name):
                spec.pop(name, None)
    if needs_node_port(before) and not needs_node_port(spec):
        ports = spec.get("ports") or ()
        if _node_ports(spec) <= _node_ports(before):  # none that the user just asked for
            spec["ports"] = [{k: v for k, v in port.items() if k != "nodePort"} for port in ports]
    if needs_health_check(before) and not needs_health_check(spec) and _same(spec, before, "healthCheckNodePort"):
        spec.pop("healthCheckNodePort", None)
    if before.get("type") == "LoadBalancer" and spec.get("type") != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if _same(spec, before, name):
                spec.pop(name, None)
    if _external(before) and not _external(spec) and _same(spec, before, "externalTrafficPolicy"):
        spec.pop("externalTrafficPolicy", None)


def _node_ports(spec: Obj) -> set[int]:
    """Return the node ports of a spec."""
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _external(spec: Obj) -> bool:
    """Say whether the Service is reached from outside."""
    kind = spec.get("type")
    return kind in WITH_NODE_PORT or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def _same(spec: Obj, before: Obj, *names: str) -> bool:
    """Say whether the fields are as they were."""
    return all((spec.get(name) or None) == (before.get(name) or None) for name in names)
