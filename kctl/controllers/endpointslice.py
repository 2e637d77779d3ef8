"""endpointslice-controller: which addresses stand behind a Service.

In: a Service with a selector, the pods it selects, their nodes, its slices. Out: EndpointSlices
created, updated and deleted. How endpoints are packed into slices is in
:mod:`kctl.controllers.endpointslice_placement`.

IPv4 alone is simulated; topology-mode hints (``service.kubernetes.io/topology-mode: Auto``) are
not computed. Services without a selector are left to their owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from typing import NamedTuple

from kctl.api.objects import Key, Obj, dig, is_deleting, key_of, labels_of
from kctl.client.cache import LABELS, META, SPEC, STATUS, Caches, Index
from kctl.controllers.endpointslice_placement import Ports, place
from kctl.controllers.pods import is_ready, is_terminal
from kctl.controllers.remembered import Remembered, Rule
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

SLICES = "endpointslices.discovery.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"
SHARED_KEYS = frozenset(("app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "tier", "env", "environment"))
"""Label keys that many Services share; the index looks Services up by another one if it can."""


class Made(NamedTuple):
    """What a pod is to a Service: its endpoint, the ports it serves, when it last became ready or ceased to be."""

    endpoint: Obj
    ports: Ports
    since: str


def make(service: Obj, pod: Obj, zone: str) -> Made | None:
    """Return what a pod is to a Service, None when it has no address worth listing."""
    if not is_included(pod):
        return None
    return Made(endpoint_of(service, pod, zone), ports_of(service, pod), changed_at(pod))


class Seen(NamedTuple):
    """A Service, the pods it selects, the zone of each of their nodes, its slices; how endpoints are made."""

    service: Obj
    pods: tuple[Obj, ...]
    zones: dict[str, str]
    slices: tuple[Obj, ...]
    make: Rule[Made | None] = make


Wanted = tuple[dict[Ports, dict[str, Obj]], dict[str, str]]
"""Endpoints by ports and pod uid, and when each pod last changed."""


class EndpointSliceController(Controller):
    """Keeps the EndpointSlices of each Service with a selector."""

    name = "endpointslice-controller"
    user = "system:serviceaccount:kube-system:endpointslice-controller"
    level = 60
    reads = ("services", "pods", "nodes", SLICES)
    writes = (SLICES,)

    def __init__(self) -> None:
        self._made = Remembered(make)
        self._wanted: dict[Key, tuple[Seen, Wanted]] = {}
        """What slices were to hold when a Service was last looked at: its own writes bring it here again."""
        self.watches = (
            Watch("services", keys_of_self),
            Watch("pods", keys_of_pod, LABELS | META | SPEC | STATUS),
            Watch("nodes", keys_of_node),
            Watch(SLICES, keys_of_slice),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of Services by selector, of pods by label, of slices by Service."""
        services_index(caches)
        pods_index(caches)
        slices_index(caches)
        caches["nodes"]

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the Service and what its selector finds."""
        service = caches["services"].get(key)
        if service is None or is_deleting(service):
            self._made.forget(key)
            self._wanted.pop(key, None)
            return None
        spec = service["spec"]
        if spec.get("type") == "ExternalName" or not spec.get("selector"):
            return None
        pods = pods_of(caches, key.namespace, spec["selector"])
        nodes = {pod["spec"].get("nodeName") for pod in pods}
        zones = {}
        for name in nodes:
            node = caches["nodes"].get(Key("", name)) if name else None
            if node is not None:
                zones[name] = labels_of(node).get(ZONE, "")
        return Seen(service, pods, zones, tuple(slices_index(caches).get(key)), self._made.of(key))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Compare the slices with the endpoints; see :func:`decide`."""
        key = key_of(seen.service)
        known = self._wanted.get(key)
        if known is None or not _alike(known[0], seen):
            known = self._wanted[key] = (seen, wanted(seen))
        return decide(seen, known[1])


def _alike(one: Seen, other: Seen) -> bool:
    """Say whether the same endpoints are wanted: the same Service, the very same pods, nodes where they were."""
    before, after = one.service, other.service
    return (
        before["spec"] is after["spec"]
        and before["metadata"]["uid"] == after["metadata"]["uid"]
        and len(one.pods) == len(other.pods)
        and all(map(is_, one.pods, other.pods))
        and one.zones == other.zones
    )


def decide(seen: Seen, known: Wanted | None = None) -> Decision:
    """Say which slices the Service needs, as Reconciler.Reconcile; ``known`` is what :func:`wanted` would return."""
    groups, triggers = known or wanted(seen)
    return Decision(tuple(place(seen.service, groups, seen.slices, triggers)))


def wanted(seen: Seen) -> Wanted:
    """Return the endpoints by their ports and the uids of their pods, and when each pod changed."""
    groups: dict[Ports, dict[str, Obj]] = {}
    triggers: dict[str, str] = {}
    for pod in sorted(seen.pods, key=_name):
        node = pod["spec"].get("nodeName")
        made = seen.make(seen.service, pod, seen.zones.get(node, ""))
        if made is None or not _is_placed(seen, node):
            continue
        uid = pod["metadata"]["uid"]
        groups.setdefault(made.ports, {})[uid] = made.endpoint
        if made.since:
            triggers[uid] = made.since
    return groups, triggers


def is_included(pod: Obj) -> bool:
    """Say whether the pod has an address worth listing, as ShouldPodBeInEndpoints."""
    return not is_terminal(pod) and bool(addresses_of(pod))


def _name(pod: Obj) -> str:
    """Return what the pods of a Service are sorted by: they have their namespace in common."""
    return str(pod["metadata"]["name"])


def _is_placed(seen: Seen, node: str | None) -> bool:
    """Say whether the pod's node is known; without it the address is listed only if asked for unready."""
    return node in seen.zones or bool(seen.service["spec"].get("publishNotReadyAddresses"))


def addresses_of(pod: Obj) -> list[str]:
    """Return the pod's IPv4 addresses."""
    status = pod.get("status") or {}
    found = [entry["ip"] for entry in status.get("podIPs") or () if entry.get("ip")]
    if not found and status.get("podIP"):
        found = [status["podIP"]]
    return [address for address in found if ":" not in address]


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


def changed_at(pod: Obj) -> str:
    """Return when the pod last became Ready or ceased to be, "" if it does not say."""
    for found in dig(pod, "status", "conditions", default=()):
        if found.get("type") == "Ready":
            return str(found.get("lastTransitionTime") or "")
    return ""


def rarest(labels: dict[str, str]) -> tuple[str, str]:
    """Return the pair of a selector by which it is indexed: one that few others are likely to have."""
    return min(labels.items(), key=lambda pair: (pair[0] in SHARED_KEYS, pair))


def services_index(caches: Caches) -> Index:
    """Return the index of Services by one pair of their selector."""
    return caches["services"].index("selector", _service_values, on=SPEC)


def _service_values(service: Obj) -> tuple[tuple[str, str, str], ...]:
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        return ()
    return ((key_of(service).namespace, *rarest(spec["selector"])),)


def pods_index(caches: Caches) -> Index:
    """Return the index of pods by namespace and each label."""
    return caches["pods"].index("labels", _pod_values, on=LABELS)


def pods_of(caches: Caches, namespace: str, selector: dict[str, str]) -> tuple[Obj, ...]:
    """Return the pods a selector finds, in order of their names."""
    found = pods_index(caches).get((namespace, *rarest(selector)))
    if len(selector) == 1:
        return tuple(found)
    wanted = selector.items()
    return tuple(pod for pod in found if wanted <= labels_of(pod).items())


def _pod_values(pod: Obj) -> tuple[tuple[str, str, str], ...]:
    labels = pod["metadata"].get("labels")
    if not labels:
        return ()
    namespace = pod["metadata"].get("namespace") or ""
    return tuple((namespace, key, value) for key, value in labels.items())


def slices_index(caches: Caches) -> Index:
    """Return the index of the slices this controller manages by their Service."""
    return caches[SLICES].index("service", _slice_values)


def _slice_values(found: Obj) -> tuple[Key, ...]:
    labels = labels_of(found)
    if labels.get(MANAGED_BY) != MANAGER or not labels.get(SERVICE_NAME):
        return ()
    return (Key(key_of(found).namespace, labels[SERVICE_NAME]),)


def services_of(pod: Obj, caches: Caches) -> Iterable[Key]:
    """Yield the keys of the Services that select the pod."""
    labels = labels_of(pod)
    index = services_index(caches)
    for value in _pod_values(pod):
        if not index.count(value):
            continue
        for service in index.get(value):
            if all(labels.get(key) == wanted for key, wanted in service["spec"]["selector"].items()):
                yield key_of(service)


def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod to the Services that select it or did, if its endpoint may differ, as GetPodServiceMemberships.

    A pod that is in no list before and after changes none: it comes without an address, and gets its node so.
    """
    if not any(pod is not None and is_included(pod) for pod in (old, new)):
        return []
    if not services_index(caches) or (old is not None and new is not None and not _endpoint_changed(old, new)):
        return []
    found: dict[Key, None] = {}
    for pod in (old, new):
        if pod is not None and (old is None or new is None or labels_of(old) != labels_of(new) or pod is new):
            found.update(dict.fromkeys(services_of(pod, caches)))
    return list(found)


def _endpoint_changed(old: Obj, new: Obj) -> bool:
    """Say whether anything an endpoint shows has changed, as podEndpointsChanged and labels."""
    before, after = old["metadata"], new["metadata"]
    if before is not after:
        for field in ("labels", "deletionTimestamp"):
            if before.get(field) != after.get(field):
                return True
    if old["spec"] is not new["spec"] and old["spec"] != new["spec"]:
        return True
    if old.get("status") is new.get("status"):
        return False
    return (
        addresses_of(old) != addresses_of(new) or is_ready(old) != is_ready(new) or is_terminal(old) != is_terminal(new)
    )


def keys_of_node(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a node that came, went or moved zone to the Services of its pods."""
    if old is not None and new is not None and labels_of(old).get(ZONE) == labels_of(new).get(ZONE):
        return []
    node = new or old
    if node is None:
        return []
    found: dict[Key, None] = {}
    from kctl.client.cache import by_node

    for pod in by_node(caches["pods"]).get(node["metadata"]["name"]):
        found.update(dict.fromkeys(services_of(pod, caches)))
    return list(found)


def keys_of_slice(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a slice to its Service, old and new."""
    found: dict[Key, None] = {}
    for one in (old, new):
        if one is not None:
            found.update(dict.fromkeys(_slice_values(one)))
    return list(found)
