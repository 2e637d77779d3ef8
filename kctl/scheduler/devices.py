"""What the scheduler knows of devices: claims, classes and slices as cached, with its own decisions laid over.

In: the caches of resource.k8s.io. Out: their newest state, in which devices just given to a claim are taken already,
and which devices a claim gets on a node. An answer holds until something of the node's pools changes, so that pods alike
cost a look at each node, not a search. Made with the first pod that has claims.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kctl.api.deviceclaims import CLAIMS, CLASSES, IMPLICIT, SLICES, allocation_of
from kctl.api.objects import Key, Obj, annotations_of, evolve, key_of
from kctl.client.cache import STATUS, Caches, Fold, Index
from kctl.scheduler.nodeinfo import LIKE, NodeInfo
from kctl.scheduler.plugins.dynamic_resources_allocator import Abort, Allocator, OnNode, is_kept_off, reaching
from kctl.scheduler.plugins.dynamic_resources_capacity import added
from kctl.scheduler.plugins.dynamic_resources_pools import DeviceId, Offers, Pool, pools_of
from kctl.scheduler.volumes import version

REMEMBERED = 65_536
"""So many answers are remembered before all of them are forgotten."""
Answer = list[Obj] | str | None
"""An allocation for each claim, why the search failed on the node, or None: there is none."""


class Count(NamedTuple):
    """The devices of a class that requests want, those of a node that they select, and how many of these are free.

    Devices that nobody has, but whose taints are not tolerated, are ``tainted``, not free.
    """

    cls: str
    wanted: int
    matching: int
    free: int
    tainted: int = 0


class Ahead:
    """What claims have that were written and are not in the cache yet."""

    def __init__(self) -> None:
        self.alone: set[DeviceId] = set()
        self.shared: dict[DeviceId, list[Obj]] = {}
        self.marks: dict[tuple[str, str], int] = {}

    def add(self, claim: Obj) -> None:
        """Take in a claim."""
        self.alone.update(alone_of(claim))
        for device in shared_of(claim):
            self.shared.setdefault(device, []).append(claim)
        for pool, mark in _marks(claim):
            self.marks[pool] = self.marks.get(pool, 0) + mark


class View(NamedTuple):
    """What a node with these labels sees of devices; ``name`` is the node's, or that of a view many nodes have."""

    labels: Mapping[str, str]
    name: str
    pools: list[Pool]
    names: list[tuple[str, str]]


class Devices:
    """Devices and claims as the scheduler sees them."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches
        self._assumed: dict[Key, Obj] = {}
        self._made: set[Key] = set()
        """Claims that are so new that the cache does not know them."""
        self._offers = Offers()
        self._views: dict[str, View] = {}
        """What nodes see, by their names."""
        self._shared_views: dict[tuple[object, ...], View] = {}
        self._answers: dict[tuple[str, str], tuple[list[int], list[Pool], Answer]] = {}
        self._seen = (-1, -1)
        self._ahead_of = (-1, Ahead())

    def claim(self, key: Key) -> Obj | None:
        """Return a claim."""
        cached = self._caches[CLAIMS].get(key)
        assumed = self._assumed.get(key)
        if assumed is None:
            return cached
        if (cached is None and key not in self._made) or (cached is not None and version(cached) >= version(assumed)):
            self.heard(key)
            return cached
        return assumed

    def device_class(self, name: str) -> Obj | None:
        """Return a DeviceClass."""
        return self._caches[CLASSES].get(Key("", name)) if name else None

    def assume(self, claim: Obj) -> None:
        """Let a claim count as it was just written."""
        key = key_of(claim)
        if key not in self._assumed and self._caches[CLAIMS].get(key) is None:
            self._made.add(key)
        self._assumed[key] = claim
        self._ahead().add(claim)

    def heard(self, key: Key) -> None:
        """Take notice that the cache knows what became of a claim."""
        self._made.discard(key)
        cached, assumed = self._caches[CLAIMS].get(key), self._assumed.get(key)
        if assumed is not None and (cached is None or version(cached) >= version(assumed)):
            del self._assumed[key]

    def backing(self, resource: str) -> Obj | None:
        """Return the DeviceClass behind an extended resource, None when there is none.

        Of several the youngest counts, then the first by name.
        """
        if resource.startswith(IMPLICIT):
            return self.device_class(resource.removeprefix(IMPLICIT))
        found = self._caches[CLASSES].index("extended resource", _extended).get(resource)
        youngest = max((one["metadata"].get("creationTimestamp") or "" for one in found), default="")
        return next((one for one in found if (one["metadata"].get("creationTimestamp") or "") == youngest), None)

    def kind_of(self, node: NodeInfo) -> tuple[object, ...]:
        """Return what nodes with the same devices have in common."""
        return tuple((pool.driver, len(pool.devices)) for pool in self._view(node).pools)

    # -- what is taken

    def is_taken(self, device: DeviceId) -> bool:
        """Say whether a device is allocated to a claim alone."""
        return device in self._ahead().alone or self._alone.count(device) > 0

    def shares(self, device: DeviceId) -> Mapping[str, Any] | None:
        """Return what claims that share a device use of its capacity, None when none does."""
        claims = [*self._shared.get(device), *self._ahead().shared.get(device, ())]
        if not claims:
            return None
        used: dict[str, Any] = {}
        for claim in claims:
            for result in _results(claim):
                if result.get("shareID") and id_of(result) == device:
                    used = added(used, result.get("consumedCapacity") or {})
        return used

    def _ahead(self) -> Ahead:
        """Return what was written and has not come back yet."""
        changes = self._caches[CLAIMS].changes
        if self._ahead_of[0] != changes:
            found = Ahead()
            for key in list(self._assumed):
                claim = self.claim(key)
                if claim is not None and key in self._assumed:
                    found.add(claim)
            self._ahead_of = (changes, found)
        return self._ahead_of[1]

    @property
    def _alone(self) -> Index:
        return self._caches[CLAIMS].index("devices", alone_of, on=STATUS)

    @property
    def _shared(self) -> Index:
        return self._caches[CLAIMS].index("shared devices", shared_of, on=STATUS)

    @property
    def _written(self) -> Fold[int]:
        """A number for each pool that changes with what is allocated of it."""
        return self._caches[CLAIMS].tally("allocated of pools", _marks, 0, int.__add__, int.__sub__)

    # -- what a node has

    def allocate(self, node: NodeInfo, claims: Sequence[Obj], wanted: str) -> Answer:
        """Return what claims get on a node; ``wanted`` is :func:`wish` of them. Abort for what is wrong with them."""
        view = self._view(node)
        written, ahead = self._written, self._ahead().marks
        stamp = [written.get(name) + ahead.get(name, 0) for name in view.names]
        known = self._answers.get((wanted, view.name))
        if known is not None and known[0] == stamp and known[1] is view.pools:
            return known[2]
        try:
            search = Allocator(node.name, reaching(node), view.pools, claims, self.device_class, self)
            found: Answer = search.allocate()
        except OnNode as failed:
            found = str(failed)
        if len(self._answers) >= REMEMBERED:
            self._answers.clear()
        self._answers[wanted, view.name] = (stamp, view.pools, found)
        return found

    def count(self, node: NodeInfo, claims: Sequence[Obj]) -> list[Count]:
        """Count what claims want of a node and what it has, by class and selectors; of alternatives the last."""
        try:
            search = Allocator(node.name, reaching(node), self._view(node).pools, claims, self.device_class, self)
            found = search.matching()
        except Abort:
            return []
        counts: dict[tuple[str, frozenset[DeviceId], frozenset[DeviceId]], int] = {}
        for wanted, devices in found:
            tolerations = wanted.spec.get("tolerations") or ()
            tainted = frozenset(device.id for device in devices if is_kept_off(device, tolerations))
            key = (wanted.cls["metadata"]["name"], frozenset(device.id for device in devices), tainted)
            counts[key] = counts.get(key, 0) + wanted.number
        return [
            Count(name, number, len(devices), self._free(devices - tainted), self._free(tainted))
            for (name, devices, tainted), number in counts.items()
        ]

    def _free(self, devices: Iterable[DeviceId]) -> int:
        return sum(not self.is_taken(device) for device in devices)

    def _view(self, node: NodeInfo) -> View:
        seen = (self._caches[SLICES].changes, self._caches[CLASSES].changes)
        if seen != self._seen:
            self._seen = seen
            self._views.clear()
            self._shared_views.clear()
            self._answers.clear()
        known = self._views.get(node.name)
        if known is not None and (known.labels is node.labels or known.labels == node.labels):
            return known
        slices, model = self._caches[SLICES], annotations_of(node.node or {"metadata": {}}).get(LIKE, "")
        by_node = slices.index("node", lambda one: (one["spec"].get("nodeName") or "",))
        by_pool = slices.index("pool", lambda one: ((one["spec"]["driver"], one["spec"]["pool"]["name"]),))
        copies = [_copied(one, node.name) for one in by_node.get(model)] if model else []
        mine = [*by_node.get(node.name), *copies, *by_node.get("")]
        every = {
            pool: by_pool.get(pool) for pool in {(one["spec"]["driver"], one["spec"]["pool"]["name"]) for one in mine}
        }
        every = {pool: found or copies for pool, found in every.items()}
        pools = pools_of(node, mine, every, self._offers)
        view = View(node.labels, node.name, pools, [(pool.driver, pool.name) for pool in pools])
        if pools and not any(_is_of_node(one) for one in mine):
            # Devices that many nodes reach: one answer holds for all of them.
            face = tuple(
                (pool[:2], pool.is_incomplete, pool.invalid, len(pool.others), *{id(d.slice): 0 for d in pool.devices})
                for pool in pools
            )
            shared = self._shared_views.setdefault(face, view._replace(name=f"#{len(self._shared_views)}"))
            view = view._replace(name=shared.name, pools=shared.pools)
        self._views[node.name] = view
        return view


def _is_of_node(offer: Obj) -> bool:
    """Say whether what a slice offers depends on the node that looks at it."""
    spec = offer["spec"]
    if spec.get("nodeName") or spec.get("perDeviceNodeSelection"):
        return True
    return any(device.get("bindsToNode") for device in spec.get("devices") or ())


__all__ = ["Abort", "Answer", "Devices", "wish"]


def wish(claims: Sequence[Obj]) -> str:
    """Write what claims ask for, equal for claims that get the same."""
    return json.dumps([claim["spec"].get("devices") for claim in claims], sort_keys=True, separators=(",", ":"))


def _copied(one: Obj, node: str) -> Obj:
    """Return the slice that a node like the slice's own would bring."""
    named = f"{one['metadata']['name']}-{node}"
    return evolve(one, {"metadata": {"name": named}, "spec": {"nodeName": node, "pool": {"name": node}}})


def _results(claim: Obj) -> list[Obj]:
    found: list[Obj] = ((allocation_of(claim) or {}).get("devices") or {}).get("results") or []
    return found


def id_of(result: Obj) -> DeviceId:
    """Return which device a result is about."""
    return DeviceId(result["driver"], result["pool"], result["device"])


def alone_of(claim: Obj) -> tuple[DeviceId, ...]:
    """Return the devices that are allocated to the claim alone; those it only administers are not."""
    found = _results(claim)
    return tuple(id_of(one) for one in found if not one.get("adminAccess") and not one.get("shareID"))


def shared_of(claim: Obj) -> tuple[DeviceId, ...]:
    """Return the devices of which the claim has a share."""
    return tuple(dict.fromkeys(id_of(one) for one in _results(claim) if one.get("shareID")))


def _marks(claim: Obj) -> list[tuple[tuple[str, str], int]]:
    results = _results(claim)
    if not results:
        return []
    mark = hash((key_of(claim), claim["metadata"].get("uid"), version(claim)))
    return [(pool, mark) for pool in dict.fromkeys((one["driver"], one["pool"]) for one in results)]


def _extended(cls: Obj) -> tuple[str, ...]:
    name = (cls.get("spec") or {}).get("extendedResourceName")
    return (name,) if name else ()
