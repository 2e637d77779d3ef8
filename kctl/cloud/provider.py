"""What a cloud does for a cluster, behind one interface.

In: what the controllers have read (a node, a service, the cloud's own objects). Out: a
:class:`Call`: what to write so that the cloud does it, what has come of it so far, and when to
ask again. A provider decides nothing about the cluster and writes nothing itself, so that a
call can be planned, repeated and printed like any other decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

from kctl.api.errors import KctlError
from kctl.api.objects import Obj
from kctl.client.cache import Caches
from kctl.runtime.actions import Action

LOAD_BALANCERS = "loadbalancers.cloud.kctl.dev"
"""Where providers keep their load balancers; ``spec.service`` names whose each is."""


class CloudError(Exception):
    """A cloud refuses; ``code`` is its word for why, ``retry_after`` its advice in seconds.

    ``transient``: it is known that this will pass.
    """

    def __init__(self, code: str, message: str, *, retry_after: float | None = None, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.code = code
        self.message = message
        self.retry_after = retry_after


class InstanceMetadata(NamedTuple):
    """What a cloud says of a machine, as cloudprovider.InstanceMetadata."""

    provider_id: str
    instance_type: str
    zone: str
    region: str
    addresses: tuple[tuple[str, str], ...] = ()
    labels: Mapping[str, str] = MappingProxyType({})


class Call(NamedTuple):
    """A call to a cloud: what to write, and its result when there is one already.

    ``result`` of :meth:`CloudProvider.ensure_lb` is the ``status.loadBalancer`` of the
    Service; ``is_new`` says that this call began or changed something; ``error`` why the cloud
    has not done it, where the cloud's own objects remember that.
    """

    actions: tuple[Action, ...] = ()
    result: Obj | None = None
    is_done: bool = False
    is_new: bool = False
    wake_at: float | None = None
    error: str = ""


class LoadBalancerView(NamedTuple):
    """What a provider sees of a Service's load balancer: itself, and which addresses are taken.

    ``address`` is the lowest free one; ``holder`` the name of the load balancer that has the
    address the Service asks for, "" for none.
    """

    balancer: Obj | None
    address: str = ""
    holder: str = ""


class CloudProvider(Protocol):
    """A cloud. Every method may raise :class:`CloudError`.

    ``capabilities`` names what it can do: ``instances``, ``loadbalancers``, ``routes``, ``volumes``.
    """

    name: str
    capabilities: frozenset[str]

    def instance(self, node: Obj, machine: Obj | None) -> InstanceMetadata | None:
        """Return the metadata of a node's machine, None when there is none (InstanceMetadata)."""
        ...

    def instance_exists(self, node: Obj, machine: Obj | None) -> bool:
        """Say whether the node's machine is there; so is one of another cloud (InstanceExists)."""
        ...

    def instance_shutdown(self, node: Obj, machine: Obj | None) -> bool:
        """Say whether the machine exists but is switched off (InstanceShutdown)."""
        ...

    def prepare(self, caches: Caches) -> None:
        """Register the indexes and folds that :meth:`view` reads."""
        ...

    def view(self, caches: Caches, service: Obj) -> LoadBalancerView:
        """Read what the load balancer calls for a Service need to know (GetLoadBalancer)."""
        ...

    def lb_name(self, service: Obj) -> str:
        """Return the name of a Service's load balancer (GetLoadBalancerName)."""
        ...

    def ensure_lb(self, service: Obj, nodes: list[str], seen: LoadBalancerView, now: float) -> Call:
        """Bring the load balancer to what the Service asks for (EnsureLoadBalancer)."""
        ...

    def update_lb_nodes(self, service: Obj, nodes: list[str], seen: LoadBalancerView, now: float) -> Call:
        """Give the load balancer other nodes; nothing when it has these (UpdateLoadBalancer)."""
        ...

    def delete_lb(self, service: Obj, seen: LoadBalancerView, now: float) -> Call:
        """Take the load balancer away; done when there is none (EnsureLoadBalancerDeleted)."""
        ...

    def routes(self) -> list[Obj]:
        """Return the routes to the pods of nodes (ListRoutes)."""
        ...

    def create_route(self, node: Obj) -> Call:
        """Route a node's pod range to it (CreateRoute)."""
        ...

    def delete_route(self, route: Obj) -> Call:
        """Take a route away (DeleteRoute)."""
        ...


PLANNED = ("aws", "azure", "gcp")
"""Clouds that have a name here and no provider."""


def by_name(name: str, *, create_seconds: float, delete_seconds: float) -> CloudProvider:
    """Return the provider of that name.

    Raises KctlError for one that is not built.
    """
    if name == "local":
        from kctl.cloud.local import LocalCloud

        return LocalCloud(create_seconds, delete_seconds)
    if name in PLANNED:
        raise KctlError(f'the cloud provider "{name}" is not built yet', hint="use --cloud local, or none")
    raise KctlError(f'no cloud provider is called "{name}"', hint="kctl has: local, none")
