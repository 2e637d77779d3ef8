"""endpointslice-controller: which addresses stand behind a Service.

In: a Service with a selector, the pods it selects, their nodes, its slices. Out: EndpointSlices
created, updated and deleted. How endpoints are packed into slices is in
:mod:`kctl.controllers.endpointslice_placement`.

IPv4 alone is simulated; topology-mode hints (``service.kubernetes.io/topology-mode: Auto``) are
not computed. Services without a selector are left to their owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kctl.api.objects import Key, Obj, is_deleting, key_of, labels_of
from kctl.client.cache import Caches, Index
from kctl.controllers import behind
from kctl.controllers.behind import Behind, addresses_of, changed_at, is_included
from kctl.controllers.endpointslice_placement import Made, Placement, Ports, place
from kctl.controllers.pods import is_ready
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"


class Seen(NamedTuple):
    """A Service, the pods it selects, the zone of each of their nodes, its slices."""

    service: Obj
    pods: tuple[Obj, ...]
    zones: Mapping[str, str]
    slices: tuple[Obj, ...]


class Look(NamedTuple):
    """A Service, its slices, and where what stands behind it is placed."""

    service: Obj
    slices: tuple[Obj, ...]
    placement: Placement


class EndpointSliceController(Controller):
    """Keeps the EndpointSlices of each Service with a selector."""

    name = "endpointslice-controller"
    user = "system:serviceaccount:kube-system:endpointslice-controller"
    level = 60
    reads = ("services", "pods", "nodes", SLICES)
    writes = (SLICES,)

    def __init__(self) -> None:
        self.behind = Behind(make)
        self._placements: dict[Key, Placement] = {}
        """What slices are to hold, and which were found to hold it."""
        self.watches = (
            Watch("services", keys_of_self),
            Watch("pods", behind.keys_of_pod, behind.ON, alike=True),
            Watch("nodes", behind.keys_of_node),
            Watch(SLICES, keys_of_slice),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of Services by selector, of pods by label, of slices by Service."""
        self.behind.prepare(caches)
        slices_index(caches)

    def observe(self, caches: Caches, key: Key) -> Look | None:
        """Read the Service, its slices and what has changed behind it."""
        service = caches["services"].get(key)
        if service is None or is_deleting(service):
            self.behind.forget(key)
            self._placements.pop(key, None)
            return None
        spec = service["spec"]
        if spec.get("type") == "ExternalName" or not spec.get("selector"):
            return None
        made, changes = self.behind.look(caches, key, service)
        placement = self._placements.get(key)
        if placement is None or changes is None:
            placement = self._placements[key] = Placement(made)
        else:
            placement.take(changes)
        return Look(service, tuple(slices_index(caches).get(key)), placement)

    def decide(self, seen: Look, now: float) -> Decision:
        """Compare the slices with the endpoints, as :func:`decide`, where one of them is another than before."""
        return Decision(tuple(place(seen.service, seen.placement, seen.slices)))


def decide(seen: Seen) -> Decision:
    """Say which slices the Service needs, as Reconciler.Reconcile."""
    found = {}
    for pod in seen.pods:
        one = make(seen.service, pod, seen.zones.get(pod["spec"].get("nodeName") or ""))
        if one is not None:
            found[pod["metadata"]["name"]] = one
    return Decision(tuple(place(seen.service, Placement(found), seen.slices)))


def make(service: Obj, pod: Obj, zone: str | None) -> Made | None:
    """Return what a pod is to a Service, None when it has no address worth listing.

    One whose node is not known is listed only where addresses are asked for unready.
    """
    if not is_included(pod) or (zone is None and not service["spec"].get("publishNotReadyAddresses")):
        return None
    uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
    return Made(uid, name, endpoint_of(service, pod, zone or ""), ports_of(service, pod), changed_at(pod))


def endpoint_of(service: Obj, pod: Obj, zone: str) -> Obj:
    """Return the endpoint of a pod, as podToEndpoint."""
    ready, terminating = is_ready(pod), is_deleting(pod)
    published = bool(service["spec"].get("publishNotReadyAddresses"))
    meta = pod["metadata"]
    endpoint: Obj = {
        "addresses": addresses_of(pod),
        "conditions": {
            "ready": published or (ready and not terminating),
            "serving": ready,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "namespace": meta.get("namespace", ""),
            "name": meta["name"],
            "uid": meta["uid"],
        },
    }
    spec = pod["spec"]
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
        if zone:
            endpoint["zone"] = zone
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        endpoint["hostname"] = spec["hostname"]
    return _with_hints(service, endpoint)


def _with_hints(service: Obj, endpoint: Obj) -> Obj:
    """Add the hints of trafficDistribution to a ready endpoint, as trafficdist.ReconcileHints."""
    preference = service["spec"].get("trafficDistribution")
    if preference not in ("PreferClose", "PreferSameZone", "PreferSameNode") or not endpoint["conditions"]["ready"]:
        return endpoint
    hints: Obj = {}
    if endpoint.get("zone"):
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if preference == "PreferSameNode" and endpoint.get("nodeName"):
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return {**endpoint, "hints": hints} if hints else endpoint


def ports_of(service: Obj, pod: Obj) -> Ports:
    """Return the ports the Service reaches on this pod, as getEndpointPorts; unknown names are left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pod)
        if number is not None:
            protocol = port.get("protocol") or "TCP"
            found.append((port.get("name") or "", protocol, number, port.get("appProtocol") or ""))
    return tuple(found)


def _target(port: Obj, pod: Obj) -> int | None:
    """Return the number behind ``targetPort``, as podutil.FindPort."""
    target = port.get("targetPort")
    if target is None or target == 0:
        return int(port["port"])
    if isinstance(target, int):
        return target
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in (*spec.get("containers", ()), *sidecars):
        for named in container.get("ports") or ():
            same_protocol = (named.get("protocol") or "TCP") == (port.get("protocol") or "TCP")
            if named.get("name") == target and same_protocol:
                return int(named["containerPort"])
    return None


def slices_index(caches: Caches) -> Index:
    """Return the index of the slices this controller manages by their Service."""
    return caches[SLICES].index("service", _slice_values)


def _slice_values(found: Obj) -> tuple[Key, ...]:
    labels = labels_of(found)
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME):
        return ()
    return (Key(key_of(found).namespace, labels[SERVICE_NAME]),)


def keys_of_slice(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a slice to its Service, old and new."""
    found: dict[Key, None] = {}
    for one in (old, new):
        if one is not None:
            found.update(dict.fromkeys(_slice_values(one)))
    return list(found)
