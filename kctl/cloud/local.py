"""The local cloud: machines and load balancers as API objects.

In: ``instances.cloud.kctl.dev`` and ``loadbalancers.cloud.kctl.dev`` as cached. Out: writes to
them. A load balancer is created at once and gets its address ``create_seconds`` later, which
it keeps for its life; it takes ``delete_seconds`` to go. Addresses are the lowest free of
198.18.0.0/16, a range reserved for benchmarks and routed nowhere: both the range and the
latencies are assumptions. There are no routes: the local network knows every pod.
"""

from __future__ import annotations

from typing import NoReturn

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, dig, evolve
from kctl.client.cache import Cache, Caches, Fold
from kctl.cloud.provider import LOAD_BALANCERS, Call, CloudError, InstanceMetadata, LoadBalancerView
from kctl.runtime.actions import Create, Delete, Update, update_status

POOL = 198 << 24 | 18 << 16
POOL_SIZE = 1 << 16
BY_ADDRESS = "address"


class LocalCloud:
    """The provider named ``local``."""

    name = "local"
    capabilities = frozenset({"instances", "loadbalancers", "volumes"})

    def __init__(self, create_seconds: float, delete_seconds: float) -> None:
        self._create_seconds = create_seconds
        self._delete_seconds = delete_seconds

    def instance(self, node: Obj, machine: Obj | None) -> InstanceMetadata | None:
        """Return what the Instance says, with the addresses the kubelet was started with."""
        if machine is None or dig(machine, "spec", "provider") != self.name:
            return None
        spec = machine["spec"]
        region, zone = spec.get("region") or "", spec.get("zone") or ""
        return InstanceMetadata(
            provider_id=f"local://{region}/{machine['metadata']['name']}",
            instance_type=spec.get("instanceType") or "",
            zone=zone,
            region=region,
            addresses=tuple((a["type"], a["address"]) for a in dig(node, "status", "addresses", default=())),
        )

    def instance_exists(self, node: Obj, machine: Obj | None) -> bool:
        """Say whether a node of this cloud still has its Instance."""
        provider_id = str(dig(node, "spec", "providerID", default=""))
        return machine is not None or not provider_id.startswith(f"{self.name}://")

    def instance_shutdown(self, node: Obj, machine: Obj | None) -> bool:
        """Say whether the Instance's state is Stopped."""
        return bool(dig(machine, "status", "state") == "Stopped")

    def prepare(self, caches: Caches) -> None:
        """Register the addresses in use and whose they are."""
        _addresses(caches[LOAD_BALANCERS])

    def view(self, caches: Caches, service: Obj) -> LoadBalancerView:
        """Read the Service's load balancer, a free address, and who has the one asked for."""
        balancers = caches[LOAD_BALANCERS]
        asked = dig(service, "spec", "loadBalancerIP", default="")
        holders = balancers.index(BY_ADDRESS, _address_values).get(asked) if asked else []
        return LoadBalancerView(
            balancer=balancers.get(Key("", self.lb_name(service))),
            address=lowest_address(_addresses(balancers).get("")),
            holder=holders[0]["metadata"]["name"] if holders else "",
        )

    def lb_name(self, service: Obj) -> str:
        """Return ``a`` and the uid without dashes, 32 characters, as DefaultLoadBalancerName."""
        return f"a{service['metadata']['uid'].replace('-', '')}"[:32]

    def ensure_lb(self, service: Obj, nodes: list[str], seen: LoadBalancerView, now: float) -> Call:
        """Create the load balancer, bring it to the Service's ports, wait for its address."""
        wanted = self._spec(service, nodes)
        balancer = seen.balancer
        if balancer is None:
            return Call((Create(LOAD_BALANCERS, self._new(service, wanted)),), is_new=True)
        if dig(balancer, "status", "state") == "deleting":
            return self.delete_lb(service, seen, now)._replace(is_done=False)
        if balancer["spec"] != wanted:
            return Call((Update(LOAD_BALANCERS, {**balancer, "spec": wanted}),), is_new=True)
        return self._settle(service, balancer, seen, now)

    def _settle(self, service: Obj, balancer: Obj, seen: LoadBalancerView, now: float) -> Call:
        """Give the load balancer its address when its time has come."""
        status = balancer.get("status") or {}
        asked = dig(service, "spec", "loadBalancerIP", default="")
        if status.get("state") == "active" and asked in ("", status.get("address")):
            return Call(result=self._ingress(status["address"]), is_done=True)
        ready_at = parse_time(balancer["metadata"]["creationTimestamp"]) + self._create_seconds
        if now < ready_at:
            return Call(wake_at=ready_at)
        if asked and seen.holder not in ("", balancer["metadata"]["name"]):
            return self._fail(balancer, f"the address {asked} is in use by load balancer {seen.holder}")
        address = asked or seen.address
        if not address:
            return self._fail(balancer, "no address is free in 198.18.0.0/16")
        active = {"state": "active", "address": address, "since": rfc3339(now)}
        return Call(
            (update_status(LOAD_BALANCERS, balancer, active),), result=self._ingress(address), is_done=True, is_new=True
        )

    def _fail(self, balancer: Obj, message: str) -> Call:
        """Keep on the load balancer why it has no address."""
        failed = {"state": "failed", "message": message}
        if balancer.get("status") == failed:
            return Call(error=message)
        return Call((update_status(LOAD_BALANCERS, balancer, failed),), is_new=True, error=message)

    def update_lb_nodes(self, service: Obj, nodes: list[str], seen: LoadBalancerView, now: float) -> Call:
        """Write the nodes to the load balancer when it has others."""
        balancer = seen.balancer
        if balancer is None or balancer["spec"].get("nodes") == nodes:
            return Call(is_done=True)
        return Call((Update(LOAD_BALANCERS, evolve(balancer, {"spec": {"nodes": nodes}})),), is_done=True, is_new=True)

    def delete_lb(self, service: Obj, seen: LoadBalancerView, now: float) -> Call:
        """Let the load balancer go: first it is ``deleting``, then it is gone."""
        balancer = seen.balancer
        if balancer is None:
            return Call(is_done=True)
        status = balancer.get("status") or {}
        name = balancer["metadata"]["name"]
        if status.get("state") != "deleting":
            if self._delete_seconds <= 0:
                return Call((self._delete(balancer),), is_done=True, is_new=True)
            going = {**status, "state": "deleting", "since": rfc3339(now)}
            return Call(
                (update_status(LOAD_BALANCERS, balancer, going),),
                is_new=True,
                wake_at=float(int(now)) + self._delete_seconds,
            )
        gone_at = parse_time(status["since"]) + self._delete_seconds
        if now < gone_at:
            return Call(wake_at=gone_at)
        return Call((Delete(LOAD_BALANCERS, Key("", name), balancer["metadata"]["uid"]),), is_done=True)

    def _delete(self, balancer: Obj) -> Delete:
        meta = balancer["metadata"]
        return Delete(LOAD_BALANCERS, Key("", meta["name"]), meta["uid"])

    def routes(self) -> list[Obj]:
        """Refuse: the local cloud has no routes."""
        self._refuse_routes()

    def create_route(self, node: Obj) -> Call:
        """Refuse: the local cloud has no routes."""
        self._refuse_routes()

    def delete_route(self, route: Obj) -> Call:
        """Refuse: the local cloud has no routes."""
        self._refuse_routes()

    def _refuse_routes(self) -> NoReturn:
        raise CloudError("Unsupported", "the local cloud has no routes: its network knows every pod")

    def _new(self, service: Obj, spec: Obj) -> Obj:
        return {
            "apiVersion": "cloud.kctl.dev/v1",
            "kind": "LoadBalancer",
            "metadata": {"name": self.lb_name(service)},
            "spec": spec,
        }

    def _spec(self, service: Obj, nodes: list[str]) -> Obj:
        meta, spec = service["metadata"], service["spec"]
        made: Obj = {
            "provider": self.name,
            "service": {"namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]},
            "ports": [
                {name: port[name] for name in ("name", "protocol", "port", "nodePort", "appProtocol") if name in port}
                for port in spec.get("ports") or ()
            ],
            "nodes": nodes,
        }
        for name in ("loadBalancerSourceRanges", "sessionAffinity", "externalTrafficPolicy", "healthCheckNodePort"):
            if spec.get(name):
                made[name] = spec[name]
        return made

    def _ingress(self, address: str) -> Obj:
        return {"ingress": [{"ip": address, "ipMode": "VIP"}]}


def _address_values(balancer: Obj) -> tuple[str, ...]:
    address = dig(balancer, "status", "address")
    return (address,) if address else ()


def _addresses(balancers: Cache) -> Fold[int]:
    """Return the fold of pool addresses in use, a bit each; no two balancers share one."""
    balancers.index(BY_ADDRESS, _address_values)

    def offset(balancer: Obj) -> int | None:
        return address_offset(dig(balancer, "status", "address", default=""))

    def values(balancer: Obj) -> tuple[str, ...]:
        return () if offset(balancer) is None else ("",)

    def add(used: int, balancer: Obj) -> int:
        return used | 1 << (offset(balancer) or 0)

    def remove(used: int, balancer: Obj) -> int:
        return used & ~(1 << (offset(balancer) or 0))

    return balancers.fold("addresses", values, 0, add, remove)


def address_offset(text: str) -> int | None:
    """Return which address of the pool this is, None when it is none of it."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts):
        return None
    a, b, c, d = map(int, parts)
    offset = (a << 24 | b << 16 | c << 8 | d) - POOL
    return offset if 0 <= offset < POOL_SIZE else None


def lowest_address(used: int) -> str:
    """Return the lowest free address of the pool, "" when there is none; ``used`` has a bit each."""
    bits = used | 1  # the first names the network
    offset = (~bits & (bits + 1)).bit_length() - 1
    return f"198.18.{offset >> 8}.{offset & 255}" if offset < POOL_SIZE - 1 else ""
