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

from kctl.api.errors import forbidden_field, internal, invalid, unprocessable
from kctl.api.objects import Obj, dig
from kctl.apiserver import families
from kctl.apiserver.storage import Event, Storage

WITH_PORTS = ("NodePort", "LoadBalancer")


RANGES = "servicecidrs.networking.k8s.io"
OWN = "kubernetes"
"""The ServiceCIDR of the cluster's own range, which is looked at first."""


def static_band(size: int, *, least: int, most: int, step: int) -> int:
    """Return how many of ``size`` are kept for static allocation, as min(max(least, size/step), most)."""
    return 0 if size <= least else min(max(least, size // step), most)


T = TypeVar("T")


class Allocator:
    """Knows the addresses and ports in use and hands out free ones."""

    def __init__(self, storage: Storage, ports: tuple[int, int]) -> None:
        self._more: dict[str, tuple[IPv4Network, ...]] = {}
        self.ports = range(ports[0], ports[1] + 1)
        self._ips: Counter[str] = Counter()
        self._lowest: dict[range, int] = {}
        """By band of a range the lowest address that may be free: those below it are all taken."""
        self.looked_at = 0
        """How many addresses were asked about when a free one was looked for; tests hold it against how many were."""
        self._used_ports: Counter[tuple[int, str]] = Counter()
        for service in storage.objects("services").values():
            self._count(service, 1)
        storage.subscribe("services", self._follow)
        for obj in storage.objects(RANGES).values():
            self._more[obj["metadata"]["name"]] = _networks(obj)
        storage.subscribe(RANGES, self._follow_range)

    def _follow(self, event: Event) -> None:
        if event.old is not None:
            self._count(event.old, -1)
        if event.type != "DELETED":
            self._count(event.object, 1)

    def _follow_range(self, event: Event) -> None:
        if event.type == "DELETED":
            self._more.pop(event.object["metadata"]["name"], None)
        else:
            self._more[event.object["metadata"]["name"]] = _networks(event.object)

    def _ranges(self) -> list[IPv4Network]:
        """Return the ranges in the order addresses are looked for: the cluster's own, then those of other objects."""
        return [each for name in sorted(self._more, key=lambda name: (name != OWN, name)) for each in self._more[name]]

    def _count(self, service: Obj, sign: int) -> None:
        for address in addresses(service):
            _change(self._ips, address, sign)
            if sign < 0 and address not in self._ips:
                self._freed(address)
        for port in set(node_ports(service)):
            _change(self._used_ports, port, sign)

    def for_create(self, service: Obj, *, dry_run: bool = False) -> Obj:
        """Return a new Service with all that is allocated for it; Invalid when it cannot be."""
        name, spec = service["metadata"].get("name", ""), dict(service.get("spec") or {})
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        spec = families.filled(spec, None, name)
        self._allocate_ip(spec, name, dry_run=dry_run)
        operation = Ports(self, dry_run=dry_run)
        if spec.get("type") in WITH_PORTS and spec.get("ports"):
            spec["ports"] = operation.new(spec["ports"], name, wanted=wants_ports(spec))
        if needs_health_check(spec):
            spec["healthCheckNodePort"] = operation.health(spec.get("healthCheckNodePort") or 0)
        return {**service, "spec": spec}

    def for_update(self, new: Obj, old: Obj, *, dry_run: bool = False) -> Obj:
        """Return a changed Service with what it keeps, and what it newly needs allocated."""
        name, spec, before = new["metadata"]["name"], dict(new.get("spec") or {}), old.get("spec") or {}
        spec = families.filled(spec, before, name)
        if before.get("type") == "ExternalName":
            self._allocate_ip(spec, name, dry_run=dry_run)
        operation = Ports(self, dry_run=dry_run)
        if spec.get("type") in WITH_PORTS and spec.get("ports"):
            mine = {number for number, _ in node_ports({"spec": {"ports": before.get("ports") or ()}})}
            spec["ports"] = operation.changed(spec["ports"], mine, name, wanted=wants_ports(spec))
        if needs_health_check(spec):
            asked = spec.get("healthCheckNodePort") or 0
            if not needs_health_check(before):
                spec["healthCheckNodePort"] = operation.health(asked)
            elif asked != (before.get("healthCheckNodePort") or 0):
                error = forbidden_field("spec.healthCheckNodePort", "field is immutable")
                raise unprocessable("Service", "", name, [error])
        return {**new, "spec": spec}

    # addresses

    def _allocate_ip(self, spec: Obj, name: str, *, dry_run: bool) -> None:
        """Give the Service an address, or take the one it asks for; a dry run takes any of the ranges."""
        asked = (spec.get("clusterIPs") or [""])[0]
        if spec.get("type") == "ExternalName" or asked == "None":
            return
        if not asked:
            found = next(self._free_ips(), "")
            if not found:
                raise internal("failed to allocate a serviceIP: range is full")
            spec["clusterIP"] = found
            spec["clusterIPs"] = [found]
            return
        why = self._refuse_ip(asked, dry_run=dry_run)
        if why:
            raise unprocessable("Service", "", name, [invalid("spec.clusterIPs", spec["clusterIPs"], why)])

    def _refuse_ip(self, asked: str, *, dry_run: bool) -> str:
        try:
            address = IPv4Address(asked)
        except AddressValueError:
            return ""  # validation words it
        network = next((each for each in self._ranges() if address in each), None)
        if network is None:
            return f"failed to allocate IP {asked}: the provided network does not match the current range"
        if network.num_addresses > 2 and address in (network.network_address, network.broadcast_address):
            valid = f"The range of valid IPs is {network}"
            return f"failed to allocate IP {asked}: the provided IP ({asked}) is not in the valid range. {valid}"
        if self._ips[asked] and not dry_run:
            return f"failed to allocate IP {asked}: provided IP is already allocated"
        return ""

    def _free_ips(self) -> Iterator[str]:
        return chain.from_iterable(map(self._free_of, self._ranges()))

    def _free_of(self, network: IPv4Network) -> Iterator[str]:
        first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
        edge = first + static_band(last - first + 1, least=16, most=256, step=16)
        for band in (range(edge, last + 1), range(first, edge)):
            for n in range(self._lowest.get(band, band.start), band.stop):
                text = str(IPv4Address(n))
                self.looked_at += 1
                if text not in self._ips:
                    yield text
                elif self._lowest.get(band, band.start) == n:
                    self._lowest[band] = n + 1

    def _freed(self, address: str) -> None:
        """Look at an address again that nobody has any more."""
        try:
            n = int(IPv4Address(address))
        except AddressValueError:
            return  # none that is handed out
        for band, lowest in self._lowest.items():
            if n in band and n < lowest:
                self._lowest[band] = n

    # ports

    def port_is_used(self, number: int) -> bool:
        """Say whether a Service has the node port, for whatever protocol."""
        return any((number, protocol) in self._used_ports for protocol in ("TCP", "UDP", "SCTP"))

    def free_port(self, taken: Iterable[int]) -> int:
        """Return the lowest node port free, from the upper band first."""
        numbers = {n for n, _ in self._used_ports} | set(taken)
        edge = static_band(len(self.ports), least=16, most=128, step=32)
        for n in chain(self.ports[edge:], self.ports[:edge]):
            if n not in numbers:
                return n
        raise internal("failed to allocate a nodePort: range is full")


def _networks(obj: Obj) -> tuple[IPv4Network, ...]:
    """Return the IPv4 ranges of a ServiceCIDR; nothing of one that is going away."""
    cidrs = dig(obj, "spec", "cidrs", default=[])
    return (
        ()
        if obj["metadata"].get("deletionTimestamp")
        else tuple(IPv4Network(c, strict=False) for c in cidrs if ":" not in c)
    )


class Ports:
    """The node ports one request takes, as portallocator.PortAllocationOperation."""

    def __init__(self, allocator: Allocator, *, dry_run: bool) -> None:
        self._allocator = allocator
        self._dry_run = dry_run
        self._taken: list[int] = []

    def new(self, ports: list[Obj], name: str, *, wanted: bool) -> list[Obj]:
        """Return a new Service's ports with node ports; ports of one number share theirs."""
        by_number: dict[int, int] = {}
        out = []
        for n, port in enumerate(ports):
            number, asked = port.get("port") or 0, port.get("nodePort") or 0
            if not asked and not wanted:
                out.append(port)
                continue
            known = by_number.get(number, 0)
            if not known:
                same = (p for p in ports[n:] if (p.get("port") or 0) == number)
                asked = next((p["nodePort"] for p in same if p.get("nodePort")), 0)
                known = by_number[number] = self._take(asked, n, name) if asked else self._next()
                out.append({**port, "nodePort": known})
                continue
            if asked and asked != known:
                self._take(asked, n, name)
            out.append({**port, "nodePort": asked or known})
        return out

    def changed(self, ports: list[Obj], mine: set[int], name: str, *, wanted: bool) -> list[Obj]:
        """Return a changed Service's ports with node ports: those it had stay its own."""
        out = []
        for n, port in enumerate(ports):
            asked = port.get("nodePort") or 0
            if asked:
                if asked not in mine and asked not in self._taken:
                    self._take(asked, n, name)
            elif wanted:
                port = {**port, "nodePort": self._next()}
            out.append(port)
        return out

    def health(self, asked: int) -> int:
        """Return the health check port, the one asked for or the next."""
        if not asked:
            return self._next()
        why = self._refusal(asked)
        if why:
            raise internal(f"failed to allocate requested HealthCheck NodePort {asked}: {why}")
        self._taken.append(asked)
        return asked

    def _take(self, number: int, n: int, name: str) -> int:
        """Take a port asked for; Invalid when it cannot be had."""
        why = self._refusal(number)
        if why:
            raise unprocessable("Service", "", name, [invalid(f"spec.ports[{n}].nodePort", number, why)])
        self._taken.append(number)
        return number

    def _refusal(self, number: int) -> str:
        """Say why a port cannot be had; a dry run does not look at the range."""
        ports = self._allocator.ports
        if not self._dry_run and number not in ports:
            return f"provided port is not in the valid range. The range of valid ports is {ports[0]}-{ports[-1]}"
        if number in self._taken or self._allocator.port_is_used(number):
            return "provided port is already allocated"
        return ""

    def _next(self) -> int:
        """Return a free port; a dry run reserves nothing and shows a number beyond the range."""
        if self._dry_run:
            number = max(self._taken, default=self._allocator.ports[-1] + 1) + 1
        else:
            number = self._allocator.free_port(self._taken)
        self._taken.append(number)
        return number


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


def needs_health_check(spec: Obj) -> bool:
    """Say whether nodes answer health checks for the Service."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
