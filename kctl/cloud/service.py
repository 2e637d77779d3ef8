"""service-lb-controller: Services of type LoadBalancer get one.

In: Services, the nodes that can take traffic, the cloud's load balancers. Out: the finalizer,
calls to the provider, ``status.loadBalancer``, and the events upstream's service controller
records. Its nodes are those that are not being deleted, are not excluded by label and are not
about to be removed by an autoscaler; readiness does not count (the stable node set). A
Service with a loadBalancerClass belongs to somebody else.

A refusal that the cloud keeps on its load balancer is reported once and looked at again when
something changes; any other is tried again when time is asked to pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.objects import Key, Obj, dig, is_deleting, key_of, labels_of
from kctl.client.cache import Cache, Caches, Index
from kctl.client.client import Client
from kctl.cloud.provider import LOAD_BALANCERS, Call, CloudError, CloudProvider, LoadBalancerView
from kctl.runtime.actions import Action, Emit, Update, update_status
from kctl.runtime.controller import Controller, Decision, Watch

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
AUTOSCALER_TAINT = "ToBeDeletedByClusterAutoscaler"
COMPONENT = "service-controller"
RETRY = 5.0
"""Upstream's first delay after a failure; it doubles up to 300 s."""


class Seen(NamedTuple):
    """A Service, the nodes for it, what the provider sees."""

    service: Obj
    nodes: list[str]
    view: LoadBalancerView


class ServiceLB(Controller):
    """Asks the cloud for load balancers and takes them back."""

    name = "service-lb-controller"
    user = "system:serviceaccount:kube-system:service-controller"
    level = 70
    reads = ("nodes",)
    writes = ("services", LOAD_BALANCERS, "events")

    def __init__(self, cloud: CloudProvider) -> None:
        self.cloud = cloud
        self.watches = (
            Watch("services", _service_keys),
            Watch("nodes", _node_keys),
            Watch(LOAD_BALANCERS, _balancer_keys),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the Services that want a load balancer, and what the cloud keeps."""
        _wanting(caches["services"])
        self.cloud.prepare(caches)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read a Service that wants a load balancer or has one to give back."""
        service = caches["services"].get(key)
        if service is None or not (wants(service) or has_finalizer(service)):
            return None
        nodes = [node["metadata"]["name"] for node in caches["nodes"].all() if takes_traffic(node)]
        return Seen(service, nodes if wants(service) else [], self.cloud.view(caches, service))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Take one step towards the load balancer the Service asks for, or away from it."""
        service = seen.service
        if not wants(service):
            return self._give_back(seen, now)
        try:
            updated = self.cloud.update_lb_nodes(service, seen.nodes, seen.view, now)
            if updated.is_new:
                return Decision((*updated.actions, _nodes_event(service, seen.nodes)))
            call = self.cloud.ensure_lb(service, seen.nodes, seen.view, now)
        except CloudError as error:
            return _refused(service, error, now)
        if call.error:
            event = () if not call.is_new else (_failed_event(service, call.error),)
            return Decision((*call.actions, *event), call.wake_at, periodic=True)
        return self._ensure(seen, call)

    def _ensure(self, seen: Seen, call: Call) -> Decision:
        service = seen.service
        actions: list[Action] = []
        begins = call.is_new and not call.is_done
        if begins:
            actions.append(Emit(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer"))
            if not seen.nodes:
                text = "There are no available nodes for LoadBalancer"
                actions.append(Emit(service, "Warning", "UnAvailableLoadBalancer", text))
        if not has_finalizer(service):
            finalizers = [*(service["metadata"].get("finalizers") or ()), FINALIZER]
            actions.append(Update("services", _with_meta(service, finalizers=finalizers)))
        actions += call.actions
        # A Service that has just got its finalizer is read again before its status is written.
        if call.is_done and has_finalizer(service) and call.result != dig(service, "status", "loadBalancer"):
            status = {**(service.get("status") or {}), "loadBalancer": call.result}
            actions.append(update_status("services", service, status))
            actions.append(Emit(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer"))
        return Decision(tuple(actions), call.wake_at)

    def _give_back(self, seen: Seen, now: float) -> Decision:
        """Delete the load balancer, then let the Service go."""
        service = seen.service
        try:
            call = self.cloud.delete_lb(service, seen.view, now)
        except CloudError as error:
            return _refused(service, error, now)
        actions: list[Action] = []
        if call.is_new:
            actions.append(Emit(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer"))
        actions += call.actions
        if not call.is_done:
            return Decision(tuple(actions), call.wake_at)
        if dig(service, "status", "loadBalancer", "ingress"):
            # The status goes first: each write moves the resourceVersion the next one needs.
            status = {**(service.get("status") or {}), "loadBalancer": {}}
            return Decision((*actions, update_status("services", service, status)))
        finalizers = [name for name in service["metadata"].get("finalizers") or () if name != FINALIZER]
        actions.append(Emit(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer"))
        actions.append(Update("services", _with_meta(service, finalizers=finalizers)))
        return Decision(tuple(actions))

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; events come from ``service-controller``."""
        from kctl.runtime.act import carry_out

        carry_out(client, decision.actions, now=now, component=COMPONENT)


def wants(service: Obj) -> bool:
    """Say whether the Service is to have a load balancer from here (wantsLoadBalancer)."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass") and not is_deleting(service)


def has_finalizer(service: Obj) -> bool:
    """Say whether a load balancer must be cleaned up before the Service may go."""
    return FINALIZER in (service["metadata"].get("finalizers") or ())


def takes_traffic(node: Obj) -> bool:
    """Say whether load balancers may send traffic to the node (stableNodeSetPredicates)."""
    if is_deleting(node) or EXCLUDE_LABEL in labels_of(node):
        return False
    return all(taint.get("key") != AUTOSCALER_TAINT for taint in dig(node, "spec", "taints", default=()))


def _refused(service: Obj, error: CloudError, now: float) -> Decision:
    """Say what the cloud said; look again when time is asked to pass, or soon when it is known to pass."""
    at = now + (error.retry_after or RETRY)
    event = _failed_event(service, error.message)
    return Decision((event._replace(once=not error.transient),), at, periodic=not error.transient)


def _failed_event(service: Obj, message: str) -> Emit:
    text = f"Error syncing load balancer: failed to ensure load balancer: {message}"
    return Emit(service, "Warning", "SyncLoadBalancerFailed", text)


def _nodes_event(service: Obj, nodes: list[str]) -> Emit:
    if nodes:
        return Emit(service, "Normal", "UpdatedLoadBalancer", "Updated load balancer with new hosts")
    return Emit(service, "Warning", "UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer")


def _with_meta(service: Obj, *, finalizers: list[str]) -> Obj:
    meta = {**service["metadata"], "finalizers": finalizers}
    if not finalizers:
        del meta["finalizers"]
    return {**service, "metadata": meta}


def _wanting(services: Cache) -> Index:
    return services.index("wants load balancer", lambda service: (True,) if wants(service) else ())


def _service_keys(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    return (key_of(new),) if new is not None and (wants(new) or has_finalizer(new)) else ()


def _node_keys(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake every Service with a load balancer when the set of nodes for them changes."""
    before, after = (node is not None and takes_traffic(node) for node in (old, new))
    if before == after:
        return ()
    return [key_of(service) for service in _wanting(caches["services"]).get(True)]


def _balancer_keys(old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
    """Wake the Service of a load balancer; an address that comes free wakes those that ask for it."""
    keys = []
    for balancer in (old, new):
        service = dig(balancer, "spec", "service")
        if service:
            keys.append(Key(service["namespace"], service["name"]))
    freed = dig(old, "status", "address")
    if freed and dig(new, "status", "address") != freed:
        waiting = _wanting(caches["services"]).get(True)
        keys += [key_of(service) for service in waiting if dig(service, "spec", "loadBalancerIP") == freed]
    return dict.fromkeys(keys)
