"""Service addresses and node ports.

In: a Service about to be written. Out: the Service with clusterIP(s), IP families and node ports
filled in, single-stack IPv4, as the service REST storage's allocators. What is in use is read off
the Services themselves and followed by their events, so that a fork or a lost race needs no
bookkeeping of its own.

Automatic addresses come from the upper band of the range and from the lower one only when that
is full, as upstream's allocator keeps the lower band for addresses people choose. Within a band
the lowest free one is taken: the same Services get the same addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from itertools import chain
from typing import TypeVar

from kctl.api.errors import FieldError, internal, invalid, unprocessable
from kctl.api.objects import Obj, dig
from kctl.apiserver.storage import Event, Storage

WITH_IP = ("ClusterIP", "NodePort", "LoadBalancer")
WITH_PORTS = ("NodePort", "LoadBalancer")


def static_band(size: int, *, least: int, most: int, step: int) -> int:
    """Return how many of ``size`` are kept for static allocation, as min(max(least, size/step), most)."""
    return 0 if size <= least else min(max(least, size // step), most)


T = TypeVar("T")


class Allocator:
    """Knows the addresses and ports in use and hands out free ones."""

    def __init__(self, storage: Storage, cidr: str, ports: tuple[int, int]) -> None:
        self.network = IPv4Network(cidr)
        self.ports = range(ports[0], ports[1] + 1)
        self._ips: Counter[str] = Counter()
        self._used_ports: Counter[tuple[int, str]] = Counter()
        for service in storage.objects("services").values():
            self._count(service, 1)
        storage.subscribe("services", self._follow)

    def _follow(self, event: Event) -> None:
        if event.old is not None:
            self._count(event.old, -1)
        if event.type != "DELETED":
            self._count(event.object, 1)

    def _count(self, service: Obj, sign: int) -> None:
        for address in addresses(service):
            _change(self._ips, address, sign)
        for port in set(node_ports(service)):
            _change(self._used_ports, port, sign)

    def for_create(self, service: Obj, *, dry_run: bool = False) -> Obj:
        """Return a new Service with all that is allocated for it; Invalid when it cannot be."""
        spec = with_ip_fields(dict(service.get("spec") or {}), service["metadata"].get("name", ""))
        errors: list[FieldError] = []
        if spec.get("type", "ClusterIP") in WITH_IP and spec.get("clusterIP") != "None":
            self._allocate_ip(spec, errors)
        if not errors and wants_ports(spec):
            spec["ports"] = self._allocate_ports(spec.get("ports") or [], (), errors, dry_run=dry_run)
            self._health_port(spec)
        return self._done({**service, "spec": spec}, errors)

    def for_update(self, new: Obj, old: Obj, *, dry_run: bool = False) -> Obj:
        """Return a changed Service with what it keeps, and what it newly needs allocated."""
        spec, before = dict(new.get("spec") or {}), old.get("spec") or {}
        type_, was = spec.get("type", "ClusterIP"), before.get("type", "ClusterIP")
        errors: list[FieldError] = []
        patch_fields(spec, before)
        if type_ in WITH_IP:
            spec = with_ip_fields(spec, new["metadata"]["name"])
            if spec.get("clusterIP") != "None" and (was not in WITH_IP or not before.get("clusterIP")):
                self._allocate_ip(spec, errors)
        else:
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                if spec.get(field) == before.get(field):
                    spec.pop(field, None)
        if not errors and wants_ports(spec):
            mine = set(node_ports(old))
            spec["ports"] = self._allocate_ports(spec.get("ports") or [], mine, errors, dry_run=dry_run)
            self._health_port(spec, mine=before.get("healthCheckNodePort") or 0)
        return self._done({**new, "spec": spec}, errors)

    def _done(self, service: Obj, errors: list[FieldError]) -> Obj:
        if errors:
            raise unprocessable("Service", "", service["metadata"].get("name", ""), errors)
        return service

    # addresses

    def _allocate_ip(self, spec: Obj, errors: list[FieldError]) -> None:
        asked = spec.get("clusterIP") or ""
        if not asked:
            found = next(self._free_ips(), "")
            if not found:
                raise internal("failed to allocate a serviceIP: range is full")
            spec["clusterIP"] = found
            spec["clusterIPs"] = [found]
            return
        why = self._refuse_ip(asked)
        if why:
            errors.append(invalid("spec.clusterIPs", [asked], why))

    def _refuse_ip(self, asked: str) -> str:
        try:
            address = IPv4Address(asked)
        except AddressValueError:
            return ""  # validation words it
        if address not in self.network:
            valid = f"The range of valid IPs is {self.network}"
            return f"failed to allocate IP {asked}: provided IP is not in the valid range. {valid}"
        if self._ips[asked] or address in (self.network.network_address, self.network.broadcast_address):
            return f"failed to allocate IP {asked}: provided IP is already allocated"
        return ""

    def _free_ips(self) -> Iterator[str]:
        first, last = int(self.network.network_address) + 1, int(self.network.broadcast_address) - 1
        edge = first + static_band(last - first + 1, least=16, most=256, step=16)
        for band in (range(edge, last + 1), range(first, edge)):
            for n in band:
                text = str(IPv4Address(n))
                if text not in self._ips:
                    yield text

    # ports

    def _allocate_ports(
        self, ports: list[Obj], mine: Iterable[tuple[int, str]], errors: list[FieldError], *, dry_run: bool
    ) -> list[Obj]:
        """Keep the node ports asked for and add the missing ones.

        A dry run reserves nothing, so it shows a port that cannot be one, as upstream's.
        """
        mine = set(mine)
        taken: set[tuple[int, str]] = set()
        for n, port in enumerate(ports):
            number, protocol = port.get("nodePort") or 0, port.get("protocol", "TCP")
            if not number:
                continue
            why = self._refuse_port(number, protocol, mine, taken)
            if why:
                errors.append(invalid(f"spec.ports[{n}].nodePort", number, why))
            taken.add((number, protocol))
        if errors:
            return ports
        out = []
        for port in ports:
            if port.get("nodePort"):
                out.append(port)
                continue
            protocol = port.get("protocol", "TCP")
            number = self._never_free(taken) if dry_run else self._free_port(taken)
            taken.add((number, protocol))
            out.append({**port, "nodePort": number})
        return out

    def _refuse_port(self, number: int, protocol: str, mine: set[tuple[int, str]], taken: set[tuple[int, str]]) -> str:
        if (number, protocol) in mine:
            return ""
        if number not in self.ports:
            return (
                f"provided port is not in the valid range. The range of valid ports is {self.ports[0]}-{self.ports[-1]}"
            )
        if any((number, p) in self._used_ports and (number, p) not in mine for p in ("TCP", "UDP", "SCTP")):
            return "provided port is already allocated"
        return "provided port is already allocated" if (number, protocol) in taken else ""

    def _never_free(self, taken: set[tuple[int, str]]) -> int:
        """Return a port beyond the range, one for each port of a dry run."""
        return max(self.ports[-1] + 1, *(n for n, _ in taken), 0) + 1

    def _free_port(self, taken: set[tuple[int, str]]) -> int:
        numbers = {n for n, _ in self._used_ports} | {n for n, _ in taken}
        edge = static_band(len(self.ports), least=16, most=128, step=32)
        for n in chain(self.ports[edge:], self.ports[:edge]):
            if n not in numbers:
                return n
        raise internal("failed to allocate a nodePort: range is full")

    def _health_port(self, spec: Obj, *, mine: int = 0) -> None:
        """Give a LoadBalancer with local traffic policy its health check port."""
        if spec.get("type") != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
            return
        asked = spec.get("healthCheckNodePort") or 0
        taken = {(p.get("nodePort") or 0, "TCP") for p in spec.get("ports") or ()}
        if not asked:
            spec["healthCheckNodePort"] = mine or self._free_port(taken)
        elif asked != mine and self._refuse_port(asked, "TCP", set(), taken):
            why = f"failed to allocate requested HealthCheck NodePort {asked}: provided port is already allocated"
            raise internal(why)


def _change(counter: Counter[T], item: T, sign: int) -> None:
    counter[item] += sign
    if not counter[item]:
        del counter[item]


def addresses(service: Obj) -> list[str]:
    """Return the cluster IPs a Service holds."""
    return [ip for ip in dig(service, "spec", "clusterIPs", default=()) or () if ip and ip != "None"]


def node_ports(service: Obj) -> list[tuple[int, str]]:
    """Return the node ports a Service holds, with protocol."""
    spec = service.get("spec") or {}
    found = [(p["nodePort"], p.get("protocol", "TCP")) for p in spec.get("ports") or () if p.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        found.append((spec["healthCheckNodePort"], "TCP"))
    return found


def wants_ports(spec: Obj) -> bool:
    """Say whether node ports are allocated for a Service of this spec."""
    type_ = spec.get("type")
    return type_ == "NodePort" or (type_ == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True))


def with_ip_fields(spec: Obj, name: str) -> Obj:
    """Fill in clusterIPs, ipFamilies and ipFamilyPolicy for a single IPv4 stack."""
    if spec.get("type", "ClusterIP") not in WITH_IP:
        return spec
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and not spec.get("clusterIP"):
        pass  # validation refuses it: clusterIPs[0] must match clusterIP
    headless = spec.get("clusterIP") == "None"
    families, policy = spec.get("ipFamilies"), spec.get("ipFamilyPolicy")
    if policy == "RequireDualStack" or len(families or ()) > 1 or "IPv6" in (families or ()):
        refuse_families(spec, name, headless=headless)
    if not policy:
        spec["ipFamilyPolicy"] = "RequireDualStack" if headless and not spec.get("selector") else "SingleStack"
    if not families:
        both = headless and not spec.get("selector") and spec["ipFamilyPolicy"] == "RequireDualStack"
        spec["ipFamilies"] = ["IPv4", "IPv6"] if both else ["IPv4"]
    return spec


def refuse_families(spec: Obj, name: str, *, headless: bool) -> None:
    """Refuse what a single IPv4 stack cannot give; headless without selector is free to ask."""
    if headless and not spec.get("selector"):
        return
    errors: list[FieldError] = []
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        errors.append(invalid("spec.ipFamilyPolicy", spec["ipFamilyPolicy"], why))
    for n, family in enumerate(spec.get("ipFamilies") or ()):
        if family == "IPv6":
            why = "not configured on this cluster"
            errors.append(invalid(f"spec.ipFamilies[{n}]", family, why))
    if errors:
        raise unprocessable("Service", "", name, errors)


def patch_fields(spec: Obj, before: Obj) -> None:
    """Keep what a client left out of an update, as patchAllocatedValues."""
    type_, was = spec.get("type", "ClusterIP"), before.get("type", "ClusterIP")
    if type_ in WITH_IP and was in WITH_IP:
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            for field in ("clusterIP", "clusterIPs"):
                if field in before:
                    spec[field] = before[field]
        for field in ("ipFamilies", "ipFamilyPolicy"):
            if not spec.get(field) and field in before:
                spec[field] = before[field]
    if wants_ports(spec) and was in WITH_PORTS:
        spec["ports"] = [with_old_port(port, before.get("ports") or ()) for port in spec.get("ports") or ()]
    elif not wants_ports(spec) and was in WITH_PORTS and type_ not in WITH_PORTS:
        old = {p["nodePort"] for p in before.get("ports") or () if p.get("nodePort")}
        spec["ports"] = [
            {k: v for k, v in port.items() if k != "nodePort"} if port.get("nodePort") in old else port
            for port in spec.get("ports") or ()
        ]


def with_old_port(port: Obj, before: Iterable[Obj]) -> Obj:
    """Return the port with the node port that the same port and protocol had."""
    if port.get("nodePort"):
        return port
    for old in before:
        if (old.get("port"), old.get("protocol", "TCP")) == (port.get("port"), port.get("protocol", "TCP")):
            return {**port, "nodePort": old["nodePort"]} if old.get("nodePort") else port
    return port
