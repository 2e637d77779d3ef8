"""endpoints-controller: the Endpoints object of each Service, as it was before EndpointSlices.

In: a Service with a selector, the pods it selects, its Endpoints. Out: the Endpoints created,
updated, and deleted with the Service. Unlike slices it lists only pods that serve now: those
that terminate are left out, those not ready stand apart.

Upstream cuts lists over a thousand addresses in proportion per subset; here ready ones are kept
first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.objects import Key, Obj, is_deleting, key_of, labels_of
from kctl.client.cache import LABELS, META, SPEC, STATUS, Caches
from kctl.controllers.endpointslice import (
    addresses_of,
    changed_at,
    is_included,
    keys_of_pod,
    pods_index,
    pods_of,
    ports_of,
    services_index,
)
from kctl.controllers.endpointslice_placement import HEADLESS, TRIGGERED, port_object
from kctl.controllers.pods import is_ready
from kctl.controllers.remembered import Remembered, Rule
from kctl.runtime.actions import Create, Delete, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

ENDPOINTS = "endpoints"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000
Port = tuple[str, str, int, str]
Address = tuple[str, str]
"""An address and the uid of its pod: what addresses are sorted and compared by."""


class Listed(NamedTuple):
    """What a pod is to a Service: its address, the ports it serves, whether it is ready (or passes for it)."""

    identity: Address
    address: Obj
    ports: tuple[Port, ...]
    ready: bool
    serves: bool
    since: str


def make(service: Obj, pod: Obj, zone: str) -> Listed | None:
    """Return what a pod is to a Service, None when it is not listed."""
    if not is_included(pod) or not _serves(service, pod):
        return None
    serves = is_ready(pod)
    ready = serves or bool(service["spec"].get("publishNotReadyAddresses"))
    identity = (addresses_of(pod)[0], pod["metadata"]["uid"])
    return Listed(identity, address_of(service, pod), ports_of(service, pod), ready, serves, changed_at(pod))


class Seen(NamedTuple):
    """A Service (None: it is gone), the pods it selects, its Endpoints; how addresses are made."""

    key: Key
    service: Obj | None
    pods: tuple[Obj, ...]
    endpoints: Obj | None
    make: Rule[Listed | None] = make


class EndpointsController(Controller):
    """Keeps the Endpoints of each Service with a selector."""

    name = "endpoints-controller"
    user = "system:serviceaccount:kube-system:endpoint-controller"
    level = 60
    reads = ("services", "pods", ENDPOINTS)
    writes = (ENDPOINTS,)

    def __init__(self) -> None:
        self._made = Remembered(make)
        self.watches = (
            Watch("services", keys_of_self),
            Watch("pods", keys_of_pod, LABELS | META | SPEC | STATUS),
            Watch(ENDPOINTS, keys_of_endpoints),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of Services by selector and of pods by label."""
        services_index(caches)
        pods_index(caches)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the Service, its pods and its Endpoints; None for a Service this is not about."""
        service = caches["services"].get(key)
        endpoints = caches[ENDPOINTS].get(key)
        if service is None:
            self._made.forget(key)
            return Seen(key, None, (), endpoints) if endpoints is not None else None
        spec = service["spec"]
        if is_deleting(service) or spec.get("type") == "ExternalName" or not spec.get("selector"):
            return None
        pods = pods_of(caches, key.namespace, spec["selector"])
        return Seen(key, service, pods, endpoints, self._made.of(key))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Compare the Endpoints with the pods; see :func:`decide`."""
        return decide(seen)


def decide(seen: Seen) -> Decision:
    """Say what becomes of the Endpoints, as syncService."""
    service, current = seen.service, seen.endpoints
    if service is None:
        uid = current["metadata"].get("uid", "") if current is not None else ""
        return Decision((Delete(ENDPOINTS, seen.key, uid),))
    found = (seen.make(service, pod, "") for pod in seen.pods)
    listed = [one for one in found if one is not None]
    subsets, cut = subsets_of(service, listed)
    labels = {**{k: v for k, v in labels_of(service).items() if k != HEADLESS}, MANAGED_BY: MANAGER}
    if service["spec"].get("clusterIP") in ("None", "", None):
        labels[HEADLESS] = ""
    if current is not None and (current.get("subsets") or []) == subsets and labels_of(current) == labels:
        return Decision()
    trigger = _trigger(service, listed, current)
    annotations = {**({TRIGGERED: trigger} if trigger else {}), **({OVER_CAPACITY: "truncated"} if cut else {})}
    meta: Obj = {**(current["metadata"] if current is not None else {"name": seen.key.name}), "labels": labels}
    meta["namespace"] = seen.key.namespace
    meta.pop("annotations", None)
    if annotations:
        meta["annotations"] = annotations
    if current is None:
        body = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets}
        return Decision((Create(ENDPOINTS, body),))
    return Decision((Update(ENDPOINTS, {**current, "metadata": meta, "subsets": subsets}),))


def _serves(service: Obj, pod: Obj) -> bool:
    """Say whether the pod is listed: one that terminates only where unready addresses are published."""
    return not is_deleting(pod) or bool(service["spec"].get("publishNotReadyAddresses"))


def subsets_of(service: Obj, listed: Iterable[Listed]) -> tuple[list[Obj], bool]:
    """Return the subsets, and whether addresses were cut off, as RepackSubsets: ports with the same addresses together."""
    found: dict[Address, Obj] = {}
    by_port: dict[Port | None, tuple[set[Address], set[Address]]] = {}
    without_ports = not service["spec"].get("ports")
    for one in listed:
        found[one.identity] = one.address
        for port in (None,) if without_ports else one.ports:
            by_port.setdefault(port, (set(), set()))[not one.ready].add(one.identity)
    together: dict[tuple[tuple[Address, ...], tuple[Address, ...]], list[Port]] = {}
    for port, (ready, waiting) in by_port.items():
        ports = together.setdefault((tuple(sorted(ready)), tuple(sorted(waiting))), [])
        if port is not None:
            ports.append(port)
    room, cut = MAX_ADDRESSES, False
    subsets = []
    for (ready_ones, waiting_ones), ports in sorted(together.items(), key=lambda item: sorted(item[1])):
        subset: Obj = {}
        for field, identities in (("addresses", ready_ones), ("notReadyAddresses", waiting_ones)):
            kept = identities[:room]
            room, cut = room - len(kept), cut or len(kept) < len(identities)
            if kept:
                subset[field] = [found[identity] for identity in kept]
        if ports:
            subset["ports"] = [_port(port) for port in sorted(ports)]
        subsets.append(subset)
    return subsets, cut


def address_of(service: Obj, pod: Obj) -> Obj:
    """Return the address of a pod, as podToEndpointAddressForService."""
    meta, spec = pod["metadata"], pod["spec"]
    address: Obj = {"ip": addresses_of(pod)[0]}
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        address["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        address["nodeName"] = spec["nodeName"]
    address["targetRef"] = {
        "kind": "Pod",
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return address


def _port(port: Port) -> Obj:
    return {name: value for name, value in port_object(port).items() if value != ""}


def _trigger(service: Obj, listed: Iterable[Listed], current: Obj | None) -> str | None:
    """Return when the first of the changes behind this write happened."""
    known = {
        address["targetRef"]["uid"]: field
        for subset in (current or {}).get("subsets") or ()
        for field in ("addresses", "notReadyAddresses")
        for address in subset.get(field) or ()
        if address.get("targetRef")
    }
    times = []
    for one in listed:
        field = "addresses" if one.serves else "notReadyAddresses"
        if one.since and known.get(one.identity[1]) != field:
            times.append(one.since)
    if current is None and service["metadata"].get("creationTimestamp"):
        times.append(service["metadata"]["creationTimestamp"])
    return min(times, default=None)


def keys_of_endpoints(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map Endpoints that changed or went to their Service if there is one; others belong to their maker.

    The controller's own that are seen first, at its start, are looked at too: their Service may have
    gone while nothing ran (as checkLeftoverEndpoints, which takes those of others for its own).
    """
    obj = old or new
    if obj is None or (old is None and labels_of(obj).get(MANAGED_BY) != MANAGER):
        return ()
    key = key_of(obj)
    is_new, has_service = old is None, caches["services"].get(key) is not None
    return (key,) if has_service != is_new else ()
