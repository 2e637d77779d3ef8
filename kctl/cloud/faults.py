"""A cloud that refuses on purpose: any provider behind what a scenario says of its calls.

In: a provider, a source of faults. Out: the same provider, whose calls for load balancers meet those faults
as :class:`kctl.cloud.provider.CloudError`; everything else passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kctl.api.objects import Obj, dig
from kctl.cloud.provider import Call, CloudError, CloudProvider, LoadBalancerView

if TYPE_CHECKING:
    from kctl.runtime.faults import Faults


class Faulty:
    """A provider and what fails of it."""

    def __init__(self, cloud: CloudProvider, faults: Faults) -> None:
        self._cloud = cloud
        self._faults = faults
        self.name = cloud.name
        self.capabilities = cloud.capabilities

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cloud, name)

    def _meet(self, op: str, service: Obj, now: float) -> None:
        fault = self._faults.fault(op, service, now)
        if fault is not None:
            raise CloudError(fault.code, fault.message, transient=fault.transient)

    def ensure_lb(self, service: Obj, nodes: list[str], seen: LoadBalancerView, now: float) -> Call:
        """Meet a fault, or bring the load balancer to what the Service asks for; one that is there stays."""
        if dig(seen.balancer, "status", "state") != "active":
            self._meet("ensure_lb", service, now)
        return self._cloud.ensure_lb(service, nodes, seen, now)

    def update_lb_nodes(self, service: Obj, nodes: list[str], seen: LoadBalancerView, now: float) -> Call:
        """Meet a fault, or give the load balancer other nodes."""
        if seen.balancer is not None and seen.balancer["spec"].get("nodes") != nodes:
            self._meet("update_lb", service, now)
        return self._cloud.update_lb_nodes(service, nodes, seen, now)

    def delete_lb(self, service: Obj, seen: LoadBalancerView, now: float) -> Call:
        """Meet a fault, or take the load balancer away."""
        if seen.balancer is not None:
            self._meet("delete_lb", service, now)
        return self._cloud.delete_lb(service, seen, now)
