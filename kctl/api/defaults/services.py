"""Defaults of Services and what routes to them: Endpoints, EndpointSlice, Ingress, NetworkPolicy."""

from __future__ import annotations

from kctl.api.defaults.pods import each
from kctl.api.defaults.volumes import filled
from kctl.api.objects import Obj

TYPES_WITH_CLUSTER_IP = {"ClusterIP", "NodePort", "LoadBalancer"}
CLIENT_IP_SECONDS = 10800


def service(obj: Obj) -> Obj:
    """Default a Service, as core/v1 SetDefaults_Service."""
    spec = dict(obj.get("spec") or {})
    affinity = spec.get("sessionAffinity") or "None"
    spec["sessionAffinity"] = affinity
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if config.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": CLIENT_IP_SECONDS}}
    kind = spec.get("type") or "ClusterIP"
    spec["type"] = kind
    if spec.get("ports"):
        spec["ports"] = [_port(port) for port in spec["ports"]]
    external = kind in {"NodePort", "LoadBalancer"} or (kind == "ClusterIP" and spec.get("externalIPs"))
    if external and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if kind in TYPES_WITH_CLUSTER_IP and spec.get("internalTrafficPolicy") is None:
        spec["internalTrafficPolicy"] = "Cluster"
    if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    return {**obj, "spec": spec, "status": _status(obj.get("status") or {}, kind)}


def _status(status: Obj, kind: str) -> Obj:
    """Write an empty load balancer status; addresses get the mode VIP."""
    balancer = status.get("loadBalancer") or {}
    if kind == "LoadBalancer" and balancer.get("ingress"):
        ingress = each(balancer["ingress"], lambda row: filled(row, {"ipMode": "VIP"}) if row.get("ip") else row)
        balancer = {**balancer, "ingress": ingress}
    return {**status, "loadBalancer": balancer}


def _port(value: Obj) -> Obj:
    """Default a port: TCP, and the same port on the pod."""
    out = value
    if not value.get("protocol"):
        out = {**out, "protocol": "TCP"}
    if not value.get("targetPort"):
        out = {**out, "targetPort": value.get("port") or 0}
    return out


def tcp(value: Obj) -> Obj:
    """Default the protocol of a port."""
    return value if value.get("protocol") else {**value, "protocol": "TCP"}


def endpoints(obj: Obj) -> Obj:
    """Default the ports of Endpoints."""
    subsets = each(
        obj.get("subsets"), lambda row: {**row, "ports": each(row["ports"], tcp)} if row.get("ports") else row
    )
    return obj if subsets is obj.get("subsets") else {**obj, "subsets": subsets}


def endpoint_slice(obj: Obj) -> Obj:
    """Default the ports of an EndpointSlice: TCP and a name, which may be empty."""
    ports = each(
        obj.get("ports"),
        lambda row: (
            row if row.get("protocol") and row.get("name") is not None else {"name": "", "protocol": "TCP", **row}
        ),
    )
    conditions = each(obj.get("endpoints"), lambda row: row if "conditions" in row else {**row, "conditions": {}})
    return {**obj, "endpoints": conditions, "ports": ports}


def ingress(obj: Obj) -> Obj:
    """Write the empty load balancer status of an Ingress."""
    status = obj.get("status") or {}
    return {**obj, "status": {**status, "loadBalancer": status.get("loadBalancer") or {}}}


def ingress_class(obj: Obj) -> Obj:
    """Default the scope of an IngressClass's parameters."""
    parameters = (obj.get("spec") or {}).get("parameters")
    if parameters is None or parameters.get("scope"):
        return obj
    return {**obj, "spec": {**obj["spec"], "parameters": {**parameters, "scope": "Cluster"}}}


def network_policy(obj: Obj) -> Obj:
    """Default a NetworkPolicy: ports are TCP, and types follow from the rules given."""
    spec = dict(obj.get("spec") or {})
    for name in ("ingress", "egress"):
        if spec.get(name):
            spec[name] = each(
                spec[name], lambda row: {**row, "ports": each(row["ports"], tcp)} if row.get("ports") else row
            )
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return {**obj, "spec": {"podSelector": {}, **spec}}
