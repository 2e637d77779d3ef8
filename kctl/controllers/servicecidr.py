"""service-cidr-controller: ranges of service addresses are ready, and stay while addresses of theirs are in use.

In: ServiceCIDRs, the addresses of Services. Out: the finalizer and the condition Ready of each range, False while
one that is being deleted holds addresses that lie in no other; at last the finalizer off. Upstream reads who holds an
address off IPAddress objects; here off the Services themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, condition, dig, is_deleting, key_of
from kctl.client.cache import Cache, Caches, Index
from kctl.controllers.pvcprotection import with_finalizer, without_finalizer
from kctl.runtime.actions import Apply
from kctl.runtime.controller import Controller, Decision, Watch

RANGES = "servicecidrs.networking.k8s.io"
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
GRACE = 10.0
"""Seconds a free range stays, for allocators to hear that it goes (deletionGracePeriod)."""
READY = "Kubernetes Service CIDR is ready"
BLOCKED = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"

Network = IPv4Network | IPv6Network


class Seen(NamedTuple):
    """A range, the other ranges, and the service addresses that lie in it."""

    found: Obj
    others: tuple[Network, ...]
    used: tuple[IPv4Address | IPv6Address, ...]


class ServiceCIDRController(Controller):
    """Keeps ranges that Services have addresses of."""

    name = "service-cidr-controller"
    user = "system:serviceaccount:kube-system:service-cidrs-controller"
    level = 65
    writes = (RANGES,)

    def __init__(self) -> None:
        self.watches = (Watch(RANGES, _every_range), Watch("services", _ranges_going))

    def prepare(self, caches: Caches) -> None:
        """Register the index of service addresses."""
        _addresses(caches["services"])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a range; of one being deleted also who needs it."""
        found = caches[RANGES].get(key)
        if found is None or not is_deleting(found):
            return None if found is None else Seen(found, (), ())
        others = tuple(net for obj in caches[RANGES].all() if obj is not found for net in networks(obj))
        held = (ip_address(str(text)) for text in _addresses(caches["services"]).values())
        mine = networks(found)
        return Seen(found, others, tuple(address for address in held if any(address in net for net in mine)))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say that a range is ready or still needed; let go of one that nobody needs, as sync."""
        found = seen.found
        if not is_deleting(found):
            finalized = with_finalizer(RANGES, found, FINALIZER)
            return finalized if finalized.actions else _said(found, "True", "", READY, now)
        if not _may_go(seen):
            return _said(found, "False", "Terminating", BLOCKED, now)
        due = parse_time(found["metadata"]["deletionTimestamp"]) + GRACE
        return Decision(wake_at=due) if now < due else without_finalizer(RANGES, found, FINALIZER)


def networks(obj: Obj) -> tuple[Network, ...]:
    """Return the networks of a ServiceCIDR."""
    return tuple(ip_network(text, strict=False) for text in dig(obj, "spec", "cidrs", default=()))


def _may_go(seen: Seen) -> bool:
    """Say whether no address is left without a range, as canDeleteCIDR."""
    if all(any(_contains(other, mine) for other in seen.others) for mine in networks(seen.found)):
        return True
    return all(any(address in other for other in seen.others) for address in seen.used)


def _contains(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and outer.prefixlen <= inner.prefixlen and inner.network_address in outer


def _said(found: Obj, status: str, reason: str, message: str, now: float) -> Decision:
    """Return what sets the condition Ready, nothing where it says so already."""
    ready = condition(found, "Ready") or {}
    if (ready.get("status"), ready.get("reason") or "", ready.get("message")) == (status, reason, message):
        return Decision()
    since = ready["lastTransitionTime"] if ready.get("status") == status else rfc3339(now)
    new: Obj = {"type": "Ready", "status": status, "message": message, "lastTransitionTime": since}
    if reason:
        new["reason"] = reason
    body: Obj = {
        "apiVersion": found["apiVersion"],
        "kind": found["kind"],
        "metadata": {"name": found["metadata"]["name"]},
        "status": {"conditions": [new]},
    }
    return Decision((Apply(RANGES, body, ServiceCIDRController.name, subresource="status"),))


def _held(service: Obj) -> tuple[str, ...]:
    found = dig(service, "spec", "clusterIPs", default=()) or ()
    return tuple(address for address in found if address and address != "None")


def _addresses(services: Cache) -> Index:
    return services.index("cluster addresses", _held)


def _every_range(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake a range, and with it those that are going: another may hold their addresses now."""
    changed = new or old
    own = (key_of(changed),) if changed is not None else ()
    return (*own, *(key_of(obj) for obj in caches[RANGES].all() if is_deleting(obj) and key_of(obj) not in own))


def _ranges_going(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the ranges that are going when a Service lets go of addresses or takes some."""
    if (_held(old) if old is not None else ()) == (_held(new) if new is not None else ()):
        return ()
    return [key_of(obj) for obj in caches[RANGES].all() if is_deleting(obj)]
