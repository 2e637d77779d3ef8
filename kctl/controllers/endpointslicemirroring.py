"""endpointslice-mirroring-controller: EndpointSlices for Endpoints that somebody writes by hand.

In: Endpoints whose Service has no selector. Out: for each subset and address family one slice
with its addresses, deleted with the Endpoints, with the Service, or when it gets a selector.
Endpoints labelled ``endpointslice.kubernetes.io/skip-mirror: "true"``, those of a leader election
and those of the endpoints controller are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from kctl.api import names
from kctl.api.objects import Key, Obj, annotations_of, controller_uid, is_deleting, key_of, labels_of, owner_reference
from kctl.client.cache import Caches, Index
from kctl.controllers import endpoints
from kctl.controllers.endpointslice_placement import (
    MANAGED_BY,
    SERVICE_NAME,
    SLICES,
    TRIGGERED,
    Ports,
    port_object,
    ports_of_slice,
)
from kctl.runtime.actions import Action, Create, Delete, Emit, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MAX_ADDRESSES = 1000
"""Addresses mirrored of one subset (mirroring-max-endpoints-per-subset)."""
Group = tuple[str, Ports]
"""What makes a slice: address family and ports."""


class Seen(NamedTuple):
    """Endpoints (None: not to be mirrored) and the slices that mirror them."""

    endpoints: Obj | None
    slices: tuple[Obj, ...]


class EndpointSliceMirroringController(Controller):
    """Mirrors Endpoints without a selector into EndpointSlices."""

    name = "endpointslice-mirroring-controller"
    user = "system:serviceaccount:kube-system:endpointslicemirroring-controller"
    level = 60
    reads = ("services", endpoints.ENDPOINTS, SLICES)
    writes = (SLICES, "events")

    def __init__(self) -> None:
        self.watches = (
            Watch(endpoints.ENDPOINTS, keys_of_self),
            Watch("services", keys_of_self),
            Watch(SLICES, _keys_of_slice),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the index of mirroring slices by Endpoints."""
        slices_index(caches)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the Endpoints, if they are to be mirrored, and their slices."""
        found = caches[endpoints.ENDPOINTS].get(key)
        service = caches["services"].get(key)
        slices = tuple(one for one in slices_index(caches).get(key) if not is_deleting(one))
        is_wanted = found is not None and is_mirrored(found) and service is not None
        if service is not None and service["spec"].get("selector"):
            is_wanted = False
        return Seen(found if is_wanted else None, slices) if is_wanted or slices else None

    def decide(self, seen: Seen, now: float) -> Decision:
        """Compare slices with subsets; see :func:`decide`."""
        return decide(seen)


def is_mirrored(found: Obj) -> bool:
    """Say whether the Endpoints are somebody's own, as shouldMirror."""
    labels = labels_of(found)
    is_made = labels.get(endpoints.MANAGED_BY) == endpoints.MANAGER
    return labels.get(SKIP) != "true" and LEADER not in annotations_of(found) and not is_made


def decide(seen: Seen) -> Decision:
    """Say which slices are made, changed and deleted, as reconcile."""
    found = seen.endpoints
    if found is None:
        return Decision(tuple(map(_delete, seen.slices)))
    wanted, events = wanted_of(found)
    spare: list[Obj] = []
    by_group: dict[Group, Obj] = {}
    for one in sorted(seen.slices, key=key_of):
        group = (one.get("addressType", ""), ports_of_slice(one))
        if group in wanted and group not in by_group and controller_uid(one) == found["metadata"].get("uid"):
            by_group[group] = one
        else:
            spare.append(one)
    actions: list[Action] = list(events)
    missing = []
    for group, points in sorted(wanted.items()):
        current = by_group.get(group)
        made = new_slice(found, group, points)
        if current is None:
            missing.append(made)
        elif _differs(current, made):
            actions.append(_update(current, made))
    while missing and spare and spare[0].get("addressType") == missing[0]["addressType"]:
        actions.append(_update(spare.pop(0), missing.pop(0)))
    if not is_deleting(found):
        actions += _creates(found, missing, seen.slices)
    actions += map(_delete, spare)
    return Decision(tuple(actions)) if len(actions) > len(events) else Decision()


def wanted_of(found: Obj) -> tuple[dict[Group, list[Obj]], list[Emit]]:
    """Return the endpoints by what makes a slice, and the events about those left out."""
    groups: dict[Group, list[Obj]] = {}
    invalid = skipped = 0
    for subset in found.get("subsets") or ():
        ports = tuple(_port(port) for port in subset.get("ports") or ())
        addresses = [(one, True) for one in subset.get("addresses") or ()]
        addresses += [(one, False) for one in subset.get("notReadyAddresses") or ()]
        taken = 0
        for address, is_ready in addresses:
            if taken == MAX_ADDRESSES:
                break
            family, endpoint = endpoint_of(address, is_ready=is_ready)
            if not family:
                invalid += 1
                continue
            groups.setdefault((family, ports), []).append(endpoint)
            taken += 1
        skipped += len(addresses) - taken
    events = []
    if invalid:
        text = f"Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices"
        events.append(Emit(found, "Warning", "InvalidIPAddress", text))
    if skipped > invalid:
        text = (
            f"A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. "
            f"{skipped} addresses were skipped"
        )
        events.append(Emit(found, "Warning", "TooManyAddressesToMirror", text))
    return groups, events


def endpoint_of(address: Obj, *, is_ready: bool) -> tuple[str, Obj]:
    """Return family and endpoint of an address, as addressToEndpoint; no family when it is none."""
    try:
        parsed = ip_address(address.get("ip", ""))
    except ValueError:
        return "", {}
    endpoint: Obj = {"addresses": [str(parsed)], "conditions": {"ready": is_ready}}
    for field in ("hostname", "nodeName", "targetRef"):
        if address.get(field):
            endpoint[field] = address[field]
    return f"IPv{parsed.version}", endpoint


def _port(port: Obj) -> tuple[str, str, int, str]:
    return port.get("name") or "", port.get("protocol") or "TCP", port["port"], port.get("appProtocol") or ""


def new_slice(found: Obj, group: Group, points: list[Obj]) -> Obj:
    """Return the slice of a group without a name, as newEndpointSlice."""
    meta = found["metadata"]
    labels = labels_of(found)
    annotations = {k: v for k, v in annotations_of(found).items() if k not in (TRIGGERED, LAST_APPLIED)}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta.get("namespace", ""),
            "labels": {**labels, SERVICE_NAME: meta["name"], MANAGED_BY: MANAGER},
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [owner_reference(found)],
        },
        "addressType": group[0],
        "endpoints": points[:MAX_ADDRESSES],
        "ports": [port_object(port) for port in group[1]],
    }


def _differs(current: Obj, made: Obj) -> bool:
    def by_address(one: Obj) -> list[Obj]:
        return sorted(one.get("endpoints") or (), key=lambda point: (point["addresses"], str(point)))

    return (
        by_address(current) != by_address(made)
        or labels_of(current) != labels_of(made)
        or annotations_of(current) != annotations_of(made)
    )


def _update(current: Obj, made: Obj) -> Update:
    meta = {k: v for k, v in current["metadata"].items() if k not in ("labels", "annotations", "ownerReferences")}
    taken = {k: v for k, v in made["metadata"].items() if k in ("labels", "annotations", "ownerReferences")}
    return Update(SLICES, {**current, "metadata": {**meta, **taken}, **{k: made[k] for k in ("endpoints", "ports")}})


def _creates(found: Obj, missing: list[Obj], slices: Iterable[Obj]) -> list[Create]:
    meta = found["metadata"]
    taken = [one["metadata"]["name"] for one in slices]
    slots = names.next_slots(meta["uid"], taken, len(missing))
    named = [
        (names.child_name(f"{meta['name']}-", meta["uid"], slot), made)
        for slot, made in zip(slots, missing, strict=True)
    ]
    return [Create(SLICES, {**made, "metadata": {"name": name, **made["metadata"]}}) for name, made in named]


def _delete(one: Obj) -> Delete:
    return Delete(SLICES, key_of(one), one["metadata"].get("uid", ""))


def slices_index(caches: Caches) -> Index:
    """Return the index of mirroring slices by the key of their Endpoints."""
    return caches[SLICES].index("mirrored", _values)


def _values(one: Obj) -> tuple[Key, ...]:
    labels = labels_of(one)
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME):
        return ()
    return (Key(key_of(one).namespace, labels[SERVICE_NAME]),)


def _keys_of_slice(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    found: dict[Key, None] = {}
    for one in (old, new):
        if one is not None:
            found.update(dict.fromkeys(_values(one)))
    return list(found)
