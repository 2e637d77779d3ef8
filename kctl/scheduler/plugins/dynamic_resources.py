"""DynamicResources: pods with claims for devices go where their claims can be had.

In: the pod's ResourceClaims as the scheduler sees them (:mod:`kctl.scheduler.devices`). Out: nodes where allocated
claims are reached and the others find devices; once the node is chosen, a reservation that writes both into the claims.
Extended resources that a DeviceClass stands behind are claims too, made by the scheduler itself. Everything behind the
first look at a pod is loaded when a pod has claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import deviceclaims as dra
from kctl.api.objects import Key, Obj, is_deleting
from kctl.scheduler.extension import NOT_FOUND, SKIP, Cycle, No, Preemption, Refused, Reservation, Skip
from kctl.scheduler.match import node_selector
from kctl.scheduler.shape import ZERO, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kctl.scheduler.cluster import Cluster
    from kctl.scheduler.devices import Count
    from kctl.scheduler.framework import Framework
    from kctl.scheduler.nodeinfo import NodeInfo
    from kctl.scheduler.podinfo import PodInfo

NAME = "DynamicResources"
NONE_LEFT = "no new claims to deallocate"
CANNOT = No(NAME, ("cannot allocate all claims",), True)
UNREACHED = No(NAME, ("resourceclaim not available on the node",), True)
STALE = No(NAME, ("cannot schedule extended resource claim",), True)
MOST_ALTERNATIVES = 8
"""What the first alternative of a request scores; each later one a point less."""


class State:
    """A pod's claims in one cycle."""

    __slots__ = ("claims", "open", "stale", "unreached", "wish")

    def __init__(self, claims: Sequence[Obj], stale: Obj | None = None) -> None:
        from kctl.scheduler.devices import wish

        self.claims = claims
        self.open = [claim for claim in claims if dra.allocation_of(claim) is None]
        self.wish = wish(self.open) if self.open else ""
        self.unreached: dict[str, Obj] = {}
        """Allocated claims that some node does not reach, by name."""
        self.stale = stale
        """A claim for extended resources that an earlier cycle has left behind."""


class DynamicResources:
    """Filters by devices, and gives them to claims."""

    name = NAME
    shape = Shape(scores=ZERO)

    def pre_enqueue(self, pod: PodInfo, cluster: Cluster) -> No | None:
        """Keep a pod out of the queue while a claim of it is not there."""
        if not dra.has_claims(pod.obj):
            return None
        found = claims_of(pod, cluster)
        return found if isinstance(found, No) else None

    def pre_filter(self, cycle: Cycle) -> No | Skip | None:
        """Refuse a pod whose claims cannot be had at all; step aside without claims."""
        pod, cluster = cycle.pod, cycle.cluster
        has_claims = dra.has_claims(pod.obj)
        if not has_claims and not (pod.requests.scalar and _backs_some(pod, cluster)):
            return SKIP
        found = claims_of(pod, cluster) if has_claims else []
        if isinstance(found, No):
            return found
        stale = None
        if pod.requests.scalar:
            from kctl.scheduler.plugins.dynamic_resources_extended import left_behind

            stale = left_behind(pod, cluster) if _backs_some(pod, cluster) else None
        state = State(found, stale)
        for claim in state.open:
            missing = _missing_class(claim, cluster)
            if missing:
                return No(NAME, (missing,), True)
        cycle.data[NAME] = state
        return None

    def filter(self, cycle: Cycle, node: NodeInfo) -> No | None:
        """Refuse a node that allocated claims do not reach, or that has no devices for the others."""
        state: State | None = cycle.data.get(NAME)
        if state is None:
            return None
        if state.stale is not None:
            return STALE
        unreached = [claim for claim in state.claims if not reaches(claim, node)]
        no = self._lacks(cycle, state, node)
        if no is not None:
            return no
        if unreached:
            state.unreached |= {claim["metadata"]["name"]: claim for claim in unreached}
            return UNREACHED
        return None

    def _lacks(self, cycle: Cycle, state: State, node: NodeInfo) -> No | None:
        """Refuse a node whose devices do not suffice."""
        wanted, wish = wanted_on(cycle, state, node)
        if not wanted:
            return None
        from kctl.scheduler.devices import Abort

        try:
            found = cycle.cluster.devices.allocate(node, wanted, wish)
        except Abort as abort:
            return No(NAME, (str(abort),), True, is_error=True)
        if isinstance(found, str):
            return No(NAME, (found,), True)
        return CANNOT if found is None else None

    def post_filter(self, framework: Framework, cycle: Cycle, refused: Refused) -> Preemption:
        """Give up a claim that was allocated where the pod cannot go, or say that there is none.

        When PreFilter ended before it came to this plugin, upstream's fails to find its own state.
        """
        absent = refused.absent
        if refused.pod_refused and absent is not None and absent.unresolvable and absent.plugin != NAME:
            return Preemption(message=NOT_FOUND, clears=False)
        state: State | None = cycle.data.get(NAME)
        if state is None:
            return Preemption(message=NONE_LEFT, clears=False)
        from kctl.scheduler.plugins.dynamic_resources_binding import deallocated, deleted

        for _, claim in sorted(state.unreached.items()):
            others = [one for one in dra.reserved_for(claim) if one.get("uid") != cycle.pod.obj["metadata"].get("uid")]
            if not others:
                actions = (deallocated(claim),)
                return Preemption(message="deallocation of ResourceClaim completed", clears=False, actions=actions)
        if state.stale is not None:
            return Preemption(message="deletion of ResourceClaim completed", clears=False, actions=deleted(state.stale))
        return Preemption(message="still not schedulable", clears=False)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        """Prefer nodes where requests get an earlier one of their alternatives."""
        state: State | None = cycle.data.get(NAME)
        if state is None or not state.open or "firstAvailable" not in state.wish:
            return 0
        found = cycle.cluster.devices.allocate(node, state.open, state.wish)
        if not isinstance(found, list):
            return 0
        return sum(_rank(claim, result) for claim, result in zip(state.open, found, strict=True))

    def normalize(self, cycle: Cycle, scores: list[int], nodes: Sequence[NodeInfo]) -> list[int]:
        """Bring the scores to at most 100, as DefaultNormalizeScore."""
        most = max(scores, default=0)
        return [100 * score // most for score in scores] if most else scores

    def reserve(self, cluster: Cluster, pod: PodInfo, node: str) -> Reservation | None:
        """Promise devices to the pod's claims; None when there is nothing to write."""
        if not dra.has_claims(pod.obj) and not pod.requests.scalar:
            return None
        place = cluster.node(node)
        found = claims_of(pod, cluster)
        if place is None or isinstance(found, No):
            return None
        from kctl.scheduler.plugins.dynamic_resources_binding import promise

        return promise(cluster, pod, place, found)


def wanted_on(cycle: Cycle, state: State, node: NodeInfo) -> tuple[list[Obj], str]:
    """Return the claims that are to be allocated on a node, and how answers about them are called."""
    if cycle.pod.requests.scalar:
        from kctl.scheduler.plugins.dynamic_resources_extended import claim_on

        special, _ = claim_on(cycle.pod, cycle.cluster, node)
        if special is not None:
            from kctl.scheduler.devices import wish

            wanted = [*state.open, special]
            return wanted, wish(wanted)
    return state.open, state.wish


def shortage(cycle: Cycle, node: NodeInfo) -> list[Count]:
    """Count the devices that the pod's claims want and the node has, for explanations."""
    state: State | None = cycle.data.get(NAME)
    return [] if state is None else cycle.cluster.devices.count(node, wanted_on(cycle, state, node)[0])


def claims_of(pod: PodInfo, cluster: Cluster) -> list[Obj] | No:
    """Return the pod's claims, or why one cannot be used (foreachPodResourceClaim)."""
    found: list[Obj] = []
    for entry in pod.spec.get("resourceClaims") or ():
        named = dra.claim_of(pod.obj, entry)
        if named.problem:
            return No(NAME, (named.problem,), True)
        if named.name is None:
            continue
        claim = cluster.devices.claim(Key(pod.namespace, named.name))
        if claim is None:
            return No(NAME, (dra.not_found(named.name),), True)
        if is_deleting(claim):
            return No(NAME, (f'resourceclaim "{named.name}" is being deleted',), True)
        why = dra.not_owner(pod.obj, claim) if named.is_generated else ""
        if why:
            return No(NAME, (why,), True)
        found.append(claim)
    return found


def reaches(claim: Obj, node: NodeInfo) -> bool:
    """Say whether a node reaches what is allocated for the claim; it does while nothing is."""
    selector = (dra.allocation_of(claim) or {}).get("nodeSelector")
    return not selector or node_selector(selector)(node.name, node.labels)


def _missing_class(claim: Obj, cluster: Cluster) -> str:
    """Return what is said of a request whose DeviceClass does not exist, "" when all do."""
    for request in (claim["spec"].get("devices") or {}).get("requests") or ():
        alternatives = [(f"{request['name']}/{one['name']}", one) for one in request.get("firstAvailable") or ()]
        for name, one in alternatives or [(request["name"], request.get("exactly") or {})]:
            wanted = one.get("deviceClassName") or ""
            if cluster.devices.device_class(wanted) is None:
                return f"request {name}: device class {wanted} does not exist"
    return ""


def _backs_some(pod: PodInfo, cluster: Cluster) -> bool:
    """Say whether a DeviceClass stands behind an extended resource of the pod."""
    if not len(cluster.caches[dra.CLASSES]):
        return False
    return any(amount and cluster.devices.backing(name) for name, amount in pod.requests.scalar.items())


def _rank(claim: Obj, result: Obj) -> int:
    """Return the points of the alternatives that a claim got."""
    got = {one["request"] for one in result["devices"]["results"]}
    return sum(
        MOST_ALTERNATIVES - n
        for request in claim["spec"]["devices"].get("requests") or ()
        for n, one in enumerate(request.get("firstAvailable") or ())
        if f"{request['name']}/{one['name']}" in got
    )
