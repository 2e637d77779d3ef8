"""What the scheduler writes into claims: allocations and reservations before a pod is bound, and their end.

In: a pod that has its node, and its claims. Out: a reservation; both are written at once, and the pod is bound at the
same instant: no driver has to do anything, unless a device has binding conditions, for which the pod waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kctl.api import deviceclaims as dra
from kctl.api import names
from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, condition, is_condition_true, key_of
from kctl.runtime.actions import Action, Delete, Patch, Update
from kctl.scheduler.devices import Abort
from kctl.scheduler.extension import PreBindError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kctl.client.client import Client
    from kctl.scheduler.cluster import Cluster
    from kctl.scheduler.nodeinfo import NodeInfo
    from kctl.scheduler.podinfo import PodInfo


def promise(cluster: Cluster, pod: PodInfo, node: NodeInfo, claims: Sequence[Obj]) -> Promise | None:
    """Work out what a pod's claims get on its node; None when nothing is to be written."""
    special: Obj | None = None
    mappings: list[Obj] = []
    if pod.requests.scalar:
        from kctl.scheduler.plugins.dynamic_resources_extended import claim_on

        special, mappings = claim_on(pod, cluster, node)
    wanted = [claim for claim in claims if dra.allocation_of(claim) is None]
    if special is not None:
        wanted.append(special)
    if not wanted and all(dra.is_reserved_for(pod.obj, claim) for claim in claims):
        return None
    found: list[Obj] = []
    if wanted:
        from kctl.scheduler.devices import wish

        try:
            answer = cluster.devices.allocate(node, wanted, wish(wanted))
        except Abort:
            answer = None
        if not isinstance(answer, list):
            return None
        found = answer
    allocations = {id(claim): result for claim, result in zip(wanted, found, strict=True)}
    todo = [(claim, allocations.get(id(claim))) for claim in (*claims, *((special,) if special else ()))]
    return Promise(
        cluster, pod, [pair for pair in todo if pair[1] or not dra.is_reserved_for(pod.obj, pair[0])], mappings
    )


class Promise:
    """The claims of a pod on its node: Reserve, PreBind and Unreserve of them."""

    plugin = "DynamicResources"

    def __init__(
        self, cluster: Cluster, pod: PodInfo, todo: Sequence[tuple[Obj, Obj | None]], mappings: Sequence[Obj]
    ) -> None:
        self._cluster = cluster
        self._pod = pod
        self._todo = todo
        self._mappings = mappings
        self._written: list[Obj] = []
        self._client: Client | None = None

    @property
    def is_immediate(self) -> bool:
        """Whether the pod can be bound as soon as this is written."""
        return not any(one.get("bindingConditions") for claim in self._written for one in _results(claim))

    def suppose(self) -> None:
        """Let it count as written; nothing is."""
        for claim, allocation in self._todo:
            status = {
                **(claim.get("status") or {}),
                "reservedFor": [*dra.reserved_for(claim), dra.consumer(self._pod.obj)],
            }
            if allocation is not None:
                status["allocation"] = allocation
            self._cluster.devices.assume({**claim, "status": status})

    def write(self, client: Client, now: float) -> None:
        """Write allocations and reservations; StatusError when that is refused."""
        self._client = client
        for claim, allocation in self._todo:
            self._written.append(self._bind(client, claim, allocation, now))

    def _bind(self, client: Client, claim: Obj, allocation: Obj | None, now: float) -> Obj:
        is_special = not claim["metadata"].get("uid")
        if is_special:
            claim = client.create(dra.CLAIMS, claim)
        status = {**(claim.get("status") or {})}
        if allocation is not None:
            if dra.FINALIZER not in (claim["metadata"].get("finalizers") or ()):
                finalizers = [*(claim["metadata"].get("finalizers") or ()), dra.FINALIZER]
                claim = client.update(
                    dra.CLAIMS, {**claim, "metadata": {**claim["metadata"], "finalizers": finalizers}}
                )
            status["allocation"] = {**with_shares(claim, allocation), "allocationTimestamp": rfc3339(now)}
        status["reservedFor"] = [*dra.reserved_for(claim), dra.consumer(self._pod.obj)]
        claim = client.update(dra.CLAIMS, {**claim, "status": status}, subresource="status")
        self._cluster.devices.assume(claim)
        if is_special:
            told = {"requestMappings": list(self._mappings), "resourceClaimName": claim["metadata"]["name"]}
            patch = {"status": {"extendedResourceClaimStatus": told}}
            client.patch("pods", self._pod.key, patch, type="merge", subresource="status")
        return claim

    def concerns(self, resource: str, key: Key) -> bool:
        """Say whether a change of the object may end the wait."""
        return resource == dra.CLAIMS and any(key == key_of(claim) for claim in self._written)

    def is_done(self) -> bool:
        """Say whether all devices are ready; PreBindError when one never will be (isPodReadyForBinding)."""
        if self.is_immediate:
            return True
        return all(self._is_ready(claim) for claim in self._written)

    def _is_ready(self, written: Obj) -> bool:
        claim = self._cluster.devices.claim(key_of(written))
        if claim is None:
            raise PreBindError(dra.not_found(written["metadata"]["name"]))
        reports = {_place(one): {"status": one} for one in (claim.get("status") or {}).get("devices") or ()}
        for result in _results(claim):
            if not result.get("bindingConditions"):
                continue
            report = reports.get(_place(result))
            if report is None:
                return False
            for name in result.get("bindingFailureConditions") or ():
                failed = condition(report, name)
                if failed is not None and failed.get("status") == "True":
                    why = f'reason={failed.get("reason", "")}, message="{failed.get("message", "")}"'
                    raise PreBindError(f"claim {claim['metadata']['name']} binding failed: {why}")
            if not all(is_condition_true(report, name) for name in result["bindingConditions"]):
                return False
        return True

    def release(self) -> None:
        """Take the pod out of what it reserved (Unreserve); allocations stay, for the next attempt."""
        written, self._written = self._written, []
        if self._client is None:
            return
        for claim in written:
            current = self._cluster.devices.claim(key_of(claim)) or claim
            uid = self._pod.obj["metadata"].get("uid")
            left = [one for one in dra.reserved_for(current) if one.get("uid") != uid]
            patch = {"metadata": {"uid": claim["metadata"]["uid"]}, "status": {"reservedFor": left or None}}
            try:
                made = self._client.patch(dra.CLAIMS, key_of(claim), patch, type="merge", subresource="status")
            except StatusError:
                continue  # it is gone, or another's by now
            self._cluster.devices.assume(made)


def _results(claim: Obj) -> list[Obj]:
    found: list[Obj] = ((dra.allocation_of(claim) or {}).get("devices") or {}).get("results") or []
    return found


def _place(one: Obj) -> tuple[str, str, str]:
    return one["driver"], one["pool"], one["device"]


def with_shares(claim: Obj, allocation: Obj) -> Obj:
    """Return an allocation whose shares of devices are named for this claim."""
    devices = allocation["devices"]
    uid = claim["metadata"]["uid"]
    results = [
        {**one, "shareID": names.uid("share", uid, *_place(one), n)} if one.get("shareID") else one
        for n, one in enumerate(devices["results"])
    ]
    return {**allocation, "devices": {**devices, "results": results}}


def deallocated(claim: Obj) -> Action:
    """Return what gives the devices of a claim back that nobody else uses."""
    gone = ("allocation", "reservedFor", "devices")
    status = {name: value for name, value in (claim.get("status") or {}).items() if name not in gone}
    return Update(dra.CLAIMS, {**claim, "status": status}, "status")


def deleted(claim: Obj) -> tuple[Action, ...]:
    """Return what deletes a claim that an earlier attempt has left behind."""
    left = [one for one in claim["metadata"].get("finalizers") or () if one != dra.FINALIZER]
    unprotect = Patch(dra.CLAIMS, key_of(claim), {"metadata": {"finalizers": left or None}})
    return unprotect, Delete(dra.CLAIMS, key_of(claim), claim["metadata"]["uid"])
