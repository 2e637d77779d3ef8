"""endpoints-controller: the Endpoints object of each Service, as it was before EndpointSlices.

In: a Service with a selector, the pods it selects, its Endpoints. Out: the Endpoints created,
updated, and deleted with the Service. Unlike slices it lists only pods that serve now: those
that terminate are left out, those not ready stand apart.

Upstream cuts lists over a thousand addresses in proportion per subset; here ready ones are kept
first.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.objects import Key, Obj, is_deleting, key_of, labels_of
from kctl.client.cache import Caches
from kctl.controllers import behind
from kctl.controllers.behind import Behind, addresses_of, changed_at, is_included
from kctl.controllers.endpoints_subsets import Listed, Lists
from kctl.controllers.endpointslice import ports_of
from kctl.controllers.endpointslice_placement import HEADLESS, TRIGGERED
from kctl.controllers.pods import is_ready
from kctl.runtime.actions import Create, Delete, Update
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

ENDPOINTS = "endpoints"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"


def make(service: Obj, pod: Obj, _zone: str | None) -> Listed | None:
    """Return what a pod is to a Service, None when it is not listed."""
    if not is_included(pod) or not _serves(service, pod):
        return None
    serves = is_ready(pod)
    ready = serves or bool(service["spec"].get("publishNotReadyAddresses"))
    identity = (addresses_of(pod)[0], pod["metadata"]["uid"])
    return Listed(identity, address_of(service, pod), ports_of(service, pod), ready, serves, changed_at(pod))


class Seen(NamedTuple):
    """A Service (None: it is gone), the addresses behind it, its Endpoints."""

    key: Key
    service: Obj | None
    lists: Lists
    endpoints: Obj | None


class EndpointsController(Controller):
    """Keeps the Endpoints of each Service with a selector."""

    name = "endpoints-controller"
    user = "system:serviceaccount:kube-system:endpoint-controller"
    level = 60
    reads = ("services", "pods", "nodes", ENDPOINTS)
    writes = (ENDPOINTS,)

    def __init__(self) -> None:
        self.behind = Behind(make)
        self._lists: dict[Key, Lists] = {}
        self.watches = (
            Watch("services", keys_of_self),
            Watch("pods", behind.keys_of_pod, behind.ON, alike=True),
            Watch(ENDPOINTS, keys_of_endpoints),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of Services by selector and of pods by label."""
        self.behind.prepare(caches)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the Service, its Endpoints and what has changed behind it; None for a Service this is not about."""
        service = caches["services"].get(key)
        endpoints = caches[ENDPOINTS].get(key)
        if service is None:
            self.behind.forget(key)
            self._lists.pop(key, None)
            return Seen(key, None, Lists({}), endpoints) if endpoints is not None else None
        spec = service["spec"]
        if is_deleting(service) or spec.get("type") == "ExternalName" or not spec.get("selector"):
            return None
        made, changes = self.behind.look(caches, key, service)
        lists = self._lists.get(key)
        if lists is None or changes is None:
            lists = self._lists[key] = Lists(made)
        else:
            lists.take(changes)
        return Seen(key, service, lists, endpoints)

    def decide(self, seen: Seen, now: float) -> Decision:
        """Compare the Endpoints with the pods; see :func:`decide`."""
        return decide(seen)


def listed(service: Obj, pods: tuple[Obj, ...]) -> Lists:
    """Return the addresses of pods as lists nobody has looked at yet."""
    found = ((pod["metadata"]["name"], make(service, pod, "")) for pod in pods)
    return Lists({name: one for name, one in found if one is not None})


def decide(seen: Seen) -> Decision:
    """Say what becomes of the Endpoints, as syncService."""
    service, current = seen.service, seen.endpoints
    if service is None:
        uid = current["metadata"].get("uid", "") if current is not None else ""
        return Decision((Delete(ENDPOINTS, seen.key, uid),))
    there = (current or {}).get("subsets") or []
    subsets, cut = seen.lists.subsets(has_ports=bool(service["spec"].get("ports")))
    labels = {**{k: v for k, v in labels_of(service).items() if k != HEADLESS}, MANAGED_BY: MANAGER}
    if service["spec"].get("clusterIP") in ("None", "", None):
        labels[HEADLESS] = ""
    if current is not None and there == subsets and labels_of(current) == labels:
        seen.lists.written(subsets, cut)
        return Decision()
    times = seen.lists.moved(there)
    seen.lists.written(subsets, cut)
    if current is None and service["metadata"].get("creationTimestamp"):
        times.append(service["metadata"]["creationTimestamp"])
    annotations = {**({TRIGGERED: min(times)} if times else {}), **({OVER_CAPACITY: "truncated"} if cut else {})}
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
