"""Devices on offer: ResourceSlices, as the pools that one node can use.

In: ResourceSlices and a node. Out: :class:`Pool` values with the devices the node reaches, in the order in which they
are tried: pools by driver and name (those whose devices wait for binding conditions last), slices by name, devices as
listed. Upstream's order of pools is that of a map, so any. Which devices are taken is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kctl.api.objects import Obj
from kctl.api.quantity import parse
from kctl.scheduler.match import node_selector
from kctl.scheduler.nodeinfo import NodeInfo

Counters = dict[str, dict[str, Any]]
"""Amounts by counter set and counter."""
VALUES = ("string", "int", "bool", "version", "strings", "ints", "bools", "versions")


class DeviceId(NamedTuple):
    """What names a device."""

    driver: str
    pool: str
    device: str

    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}/{self.device}"


class Device:
    """A device of a slice; what is worked out about it is kept with it."""

    __slots__ = ("attributes", "capacity", "consumes", "id", "is_shared", "matches", "obj", "slice", "taints")

    def __init__(self, obj: Obj, of: Obj) -> None:
        spec = of["spec"]
        self.obj = obj
        self.slice = of
        self.id = DeviceId(spec["driver"], spec["pool"]["name"], obj["name"])
        self.attributes: dict[str, tuple[str, Any]] = {
            name: next((kind, value[kind]) for kind in VALUES if value.get(kind) is not None)
            for name, value in (obj.get("attributes") or {}).items()
            if any(value.get(kind) is not None for kind in VALUES)
        }
        self.capacity: Mapping[str, Obj] = obj.get("capacity") or {}
        self.taints: Sequence[Obj] = obj.get("taints") or ()
        self.is_shared = bool(obj.get("allowMultipleAllocations"))
        self.consumes = [
            (used["counterSet"], {name: parse(c["value"]) for name, c in (used.get("counters") or {}).items()})
            for used in obj.get("consumesCounters") or ()
        ]
        self.matches: dict[str, bool | str] = {}
        """What expressions said of it: whether they select it, or what went wrong."""

    def attribute(self, name: str) -> tuple[str, Any] | None:
        """Return kind and value of an attribute by its full name; a driver's own may be written without domain."""
        found = self.attributes.get(name)
        domain, _, plain = name.partition("/")
        if found is None and plain and domain == self.id.driver:
            return self.attributes.get(plain)
        return found

    @property
    def place(self) -> Obj:
        """What says which nodes reach it: the slice, or the device itself."""
        spec: Obj = self.slice["spec"]
        return self.obj if spec.get("perDeviceNodeSelection") else spec


class Pool(NamedTuple):
    """A pool as one node sees it; one that is incomplete or invalid has no devices."""

    driver: str
    name: str
    devices: tuple[Device, ...] = ()
    others: tuple[Device, ...] = ()
    """Devices in slices for other nodes: they use up the same counters."""
    counters: Counters = {}  # noqa: RUF012 never written to
    is_incomplete: bool = False
    invalid: str = ""

    @property
    def waits(self) -> bool:
        """Whether some device has binding conditions."""
        return any(device.obj.get("bindingConditions") for device in self.devices)


class Offers:
    """The devices of slices; those of one version of a slice are made once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Obj, tuple[Device, ...]]] = {}

    def of(self, found: Obj) -> tuple[Device, ...]:
        """Return the devices of a slice."""
        name = found["metadata"]["name"]
        known = self._known.get(name)
        if known is None or known[0] is not found:
            devices = tuple(Device(obj, found) for obj in found["spec"].get("devices") or ())
            known = self._known[name] = (found, devices)
        return known[1]


def reached(place: Obj, node: NodeInfo) -> bool:
    """Say whether a node reaches what a slice or device says of its place, as NodeMatches."""
    if place.get("nodeName"):
        return bool(place["nodeName"] == node.name)
    if place.get("allNodes"):
        return True
    selector = place.get("nodeSelector")
    return selector is not None and node_selector(selector)(node.name, node.labels)


def pools_of(
    node: NodeInfo, slices: Iterable[Obj], every: Mapping[tuple[str, str], list[Obj]], offers: Offers
) -> list[Pool]:
    """Return the pools a node can use, as GatherPools; ``every`` has all slices by driver and pool."""
    found: dict[tuple[str, str], list[Obj]] = {}
    for one in sorted(slices, key=lambda one: str(one["metadata"]["name"])):
        if _concerns(one, node, offers):
            _add(found, one)
    pools = [pool for name, mine in sorted(found.items()) if (pool := _pool(name, mine, every.get(name, mine), offers))]
    return [*(pool for pool in pools if not pool.waits), *(pool for pool in pools if pool.waits)]


def _concerns(one: Obj, node: NodeInfo, offers: Offers) -> bool:
    """Say whether a slice is needed for a node; those with counters always are."""
    spec = one["spec"]
    if spec.get("sharedCounters"):
        return True
    if spec.get("perDeviceNodeSelection"):
        return any(reached(device.obj, node) for device in offers.of(one))
    return reached(spec, node)


def _add(found: dict[tuple[str, str], list[Obj]], one: Obj) -> None:
    """Put a slice into its pool; a newer generation replaces older ones."""
    pool = one["spec"]["pool"]
    mine = found.setdefault((one["spec"]["driver"], pool["name"]), [])
    if mine and _generation(one) > _generation(mine[0]):
        mine.clear()
    if not mine or _generation(one) == _generation(mine[0]):
        mine.append(one)


def _generation(one: Obj) -> int:
    return one["spec"]["pool"].get("generation") or 0


def _pool(name: tuple[str, str], mine: list[Obj], every: list[Obj], offers: Offers) -> Pool | None:
    """Return the pool of a node's slices; None when there is a newer generation that has nothing for the node."""
    wanted = mine[0]["spec"]["pool"].get("resourceSliceCount") or 0
    everyone = mine
    if len(mine) != wanted:
        newest = max(map(_generation, every))
        if newest > _generation(mine[0]):
            return None
        everyone = [one for one in every if _generation(one) == newest]
        if len(everyone) != wanted:
            return Pool(*name, is_incomplete=True)
    devices = [device for one in mine for device in offers.of(one)]
    listed = {id(one) for one in mine}
    others = [device for one in everyone if id(one) not in listed for device in offers.of(one)]
    sets = [each for one in mine for each in one["spec"].get("sharedCounters") or ()]
    invalid = _twice("device name", (device.id.device for device in devices))
    invalid = invalid or _twice("counter set name", (each["name"] for each in sets))
    counters = {each["name"]: {n: parse(c["value"]) for n, c in (each.get("counters") or {}).items()} for each in sets}
    invalid = invalid or _unknown_counter((*devices, *others), counters)
    if invalid:
        return Pool(*name, invalid=invalid)
    return Pool(*name, tuple(devices), tuple(others), counters)


def _twice(what: str, names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return f"duplicate {what} {name}"
        seen.add(name)
    return ""


def _unknown_counter(devices: Iterable[Device], counters: Counters) -> str:
    """Return what is wrong with the counters devices use up, "" when nothing is."""
    for device in devices:
        for name, used in device.consumes:
            if name not in counters:
                return f"counter set {name} not found"
            missing = [counter for counter in used if counter not in counters[name]]
            if missing:
                return f"counter {missing[0]} not found in counter set {name}"
    return ""
