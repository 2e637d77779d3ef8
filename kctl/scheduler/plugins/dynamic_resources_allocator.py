"""Which devices do claims get on a node? The structured allocator's search.

In: the claims of a pod that are not allocated yet, the pools a node reaches, and what is taken. Out: an allocation for
each claim, or None. Claims, requests and devices are gone through in their order, each device is taken for the time
being, and the first solution counts; alternatives of ``firstAvailable`` are tried one after the other. What is wrong
with a claim or a class is an :class:`Abort`. Upstream gives up after ten seconds; here after a number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from kctl.api import names
from kctl.api.objects import Obj, key_of
from kctl.api.tolerations import tolerates
from kctl.scheduler.plugins.dynamic_resources_capacity import added, fits, share
from kctl.scheduler.plugins.dynamic_resources_pools import Device, DeviceId, Pool, reached
from kctl.scheduler.plugins.dynamic_resources_results import Taken, allocation
from kctl.scheduler.plugins.dynamic_resources_selectors import Wrong, selects

MOST_RESULTS = 32
"""So many devices a claim gets at most (AllocationResultsMaxSize)."""
MOST_STEPS = 50_000
MOST_DEVICES = 256
"""So many devices the claims of one pod may ask for together here: the search goes as deep."""
TIMED_OUT = "timed out trying to allocate devices"
INVALID = "invalid resource pools were encountered"


class Abort(Exception):
    """Something is wrong with a claim or a class: the pod cannot be scheduled at all until that is changed."""


class OnNode(Exception):
    """The search failed on this node, and says why."""


class _TooMany(Exception):
    """More devices than a claim can hold; other alternatives may need fewer."""


class Use(Protocol):
    """What is taken of devices."""

    def is_taken(self, device: DeviceId) -> bool:
        """Say whether a device is allocated to a claim alone."""
        ...

    def shares(self, device: DeviceId) -> Mapping[str, Any] | None:
        """Return what claims that share a device use of its capacity, None when none does."""
        ...


class Wanted(NamedTuple):
    """A request, or one of its alternatives."""

    spec: Obj
    name: str
    """With the request it is an alternative of: ``gpu/large``."""
    request: str
    cls: Obj
    number: int
    every: tuple[Device, ...] | None
    """The devices of a request for all, else None."""

    @property
    def is_admin(self) -> bool:
        """Whether devices may be in use already."""
        return bool(self.spec.get("adminAccess"))


class Allocator:
    """One search for one node."""

    def __init__(
        self,
        node_name: str,
        labels: Callable[[Obj], bool],
        pools: Sequence[Pool],
        claims: Sequence[Obj],
        classes: Callable[[str], Obj | None],
        use: Use,
    ) -> None:
        self._node = node_name
        self._reaches = labels
        self._pools = pools
        self._claims = claims
        self._classes = classes
        self._use = use
        self._steps = 0
        self._devices = [(device, pool) for pool in pools for device in pool.devices]
        self._taking: dict[DeviceId, set[int]] = {}
        self._sharing: dict[DeviceId, Mapping[str, Any]] = {}
        self._results: list[list[Taken]] = [[] for _ in claims]
        self._chosen: dict[tuple[int, int], int] = {}
        self._wanted = [self._requests(claim) for claim in claims]
        self._constraints = [_constraints(claim) for claim in claims]

    def allocate(self) -> list[Obj] | None:
        """Return an allocation for each claim, None when there is none on this node; Abort, OnNode."""
        asked = sum(max(one.number for one in choices) for requests in self._wanted for choices in requests)
        if asked > MOST_DEVICES:
            raise Abort(
                f"the claims of the pod ask for {asked} devices, of which no more than {MOST_DEVICES} are tried"
            )
        try:
            found = self._claim(0)
        except _TooMany:
            found = False
        if not found:
            if any(pool.invalid for pool in self._pools):
                raise OnNode(INVALID)
            return None
        return [self._allocation(n) for n in range(len(self._claims))]

    def matching(self) -> list[tuple[Wanted, list[Device]]]:
        """Return the devices that each request selects, be they free or not; of alternatives those of the last."""
        return [
            (one, [device for device, _ in self._devices if self._is_selected(claim, one, device)])
            for claim, requests in zip(self._claims, self._wanted, strict=True)
            for one in (choices[-1] for choices in requests)
        ]

    def _allocation(self, n: int) -> Obj:
        chosen = [choices[self._chosen.get((n, m), 0)] for m, choices in enumerate(self._wanted[n])]
        classes = [(one.name, one.cls) for one in chosen]
        return allocation(self._claims[n], self._results[n], classes, self._node)

    # -- what is asked for

    def _requests(self, claim: Obj) -> list[list[Wanted]]:
        found: list[list[Wanted]] = []
        for request in _devices(claim).get("requests") or ():
            alternatives = request.get("firstAvailable") or ()
            if alternatives:
                name = request["name"]
                found.append([self._read(claim, one, f"{name}/{one['name']}", name) for one in alternatives])
            else:
                found.append([self._read(claim, request.get("exactly") or {}, request["name"], request["name"])])
        fewest = sum(min(one.number for one in choices) for choices in found)
        if fewest > MOST_RESULTS:
            why = f"number of requested devices {fewest} exceeds the claim limit of {MOST_RESULTS}"
            raise Abort(f"claim {key_of(claim)}: {why}")
        return found

    def _read(self, claim: Obj, spec: Obj, name: str, request: str) -> Wanted:
        plain = name.rpartition("/")[2]
        where = f"claim {key_of(claim)}, request {plain}"
        class_name = spec.get("deviceClassName") or ""
        cls = self._classes(class_name)
        if cls is None:
            why = f'deviceclass.resource.k8s.io "{class_name}" not found'
            raise Abort(f"{where}: could not retrieve device class {class_name}: {why}")
        wanted = Wanted(spec, name, request, cls, spec.get("count") or 1, None)
        if spec.get("allocationMode") != "All":
            return wanted
        for pool in self._pools:
            if pool.is_incomplete or pool.invalid:
                state = "being updated" if pool.is_incomplete else "invalid"
                which = f"resource pool {pool.driver}/{pool.name} is currently {state}"
                raise Abort(f"{where}: asks for all devices, but {which}")
        every = tuple(
            device
            for device, _ in self._devices
            if self._is_selected(claim, wanted, device) and self._share(wanted, device) is not None
        )
        return wanted._replace(number=len(every), every=every)

    def _is_selected(self, claim: Obj, wanted: Wanted, device: Device) -> bool:
        """Say whether class and request select the device, and the node reaches it."""
        spec = wanted.cls.get("spec") or {}
        for whose, selectors in (
            (f"class {wanted.cls['metadata']['name']}", spec.get("selectors") or ()),
            (f"claim {key_of(claim)}", wanted.spec.get("selectors") or ()),
        ):
            for n, selector in enumerate(selectors):
                try:
                    if not selects((selector.get("cel") or {}).get("expression") or "", device):
                        return False
                except Wrong as wrong:
                    joint = " " if str(wrong).startswith("on device") else ": "
                    raise Abort(f"{whose}: selector #{n}{joint}{wrong}") from None
        return not device.slice["spec"].get("perDeviceNodeSelection") or self._reaches(device.obj)

    def _share(self, wanted: Wanted, device: Device) -> dict[str, str] | None:
        """Return what a request takes of a device's capacity, None when there is not so much left."""
        asked = (wanted.spec.get("capacity") or {}).get("requests") or {}
        if not device.capacity and not asked:
            return {}
        taken = share(asked, device.capacity)
        if taken is None:
            return None
        used = added(self._use.shares(device.id) or {}, {})
        for name, amount in (self._sharing.get(device.id) or {}).items():
            used[name] = used.get(name, 0) + amount
        return taken if fits(taken, device.capacity, used) else None

    # -- the search

    def _claim(self, n: int) -> bool:
        """Allocate the claims from the one at ``n`` on."""
        return n >= len(self._claims) or self._request(n, 0)

    def _request(self, n: int, m: int) -> bool:
        """Allocate the requests of a claim from the one at ``m`` on, and all later claims."""
        if m >= len(self._wanted[n]):
            try:
                return self._claim(n + 1)
            except _TooMany:
                return False
        choices = self._wanted[n][m]
        if len(choices) == 1 and "/" not in choices[0].name:
            return self._device(n, m, choices[0], 0, 0)
        were_too_many = True
        for which, one in enumerate(choices):
            self._chosen[n, m] = which
            try:
                if self._device(n, m, one, 0, 0):
                    return True
            except _TooMany:
                continue
            were_too_many = False
        if were_too_many:
            raise _TooMany
        return False

    def _device(self, n: int, m: int, wanted: Wanted, done: int, start: int) -> bool:
        """Find the next device of a request; ``start`` keeps the same devices from being tried in another order."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise OnNode(TIMED_OUT)
        if wanted.every is not None and not wanted.every:
            return False
        if done >= wanted.number:
            return self._request(n, m + 1)
        if len(self._results[n]) + wanted.number - done > MOST_RESULTS:
            raise _TooMany
        if wanted.every is not None:
            device = wanted.every[done]
            pool = next(pool for found, pool in self._devices if found is device)
            return self._with(n, m, wanted, done, device, pool, 0, must=True)
        for place in range(start, len(self._devices)):
            device, pool = self._devices[place]
            if not self._is_free(n, wanted, device):
                continue
            if self._is_selected(self._claims[n], wanted, device) and self._with(
                n, m, wanted, done, device, pool, place + 1, must=False
            ):
                return True
        return False

    def _is_free(self, n: int, wanted: Wanted, device: Device) -> bool:
        """Say whether the device is free, or may be used although it is not."""
        taking = self._taking.get(device.id, ())
        if wanted.is_admin:
            return n not in taking
        return not taking and not self._use.is_taken(device.id)

    def _with(
        self, n: int, m: int, wanted: Wanted, done: int, device: Device, pool: Pool, then: int, *, must: bool
    ) -> bool:
        """Go on with a device taken for the time being."""
        undo = self._take(n, wanted, device, pool, must=must)
        if undo is None:
            return False
        found = False
        try:
            found = self._device(n, m, wanted, done + 1, then)
        finally:
            if not found:
                undo()
        return found

    def _take(self, n: int, wanted: Wanted, device: Device, pool: Pool, *, must: bool) -> Callable[[], None] | None:
        """Take a device if counters, taints, capacity and constraints allow; return what gives it back."""
        if not self._is_free(n, wanted, device) or is_kept_off(device, wanted.spec.get("tolerations") or ()):
            return None
        taken = self._share(wanted, device)
        if taken is None or not self._counters_last(device, pool):
            return None
        constraints = [one for one in self._constraints[n] if one.speaks_of(wanted)]
        if not all(one.admits(device) for one in constraints):
            if must:
                where = f"claim {key_of(self._claims[n])}, request {wanted.name.rpartition('/')[2]}"
                raise Abort(f"{where}: cannot add device {device.id} because a claim constraint would not be satisfied")
            return None
        for one in constraints:
            one.devices.append(device)
        before = self._sharing.get(device.id)
        id_ = ""
        if device.is_shared:
            self._sharing[device.id] = added(before or {}, taken)
            id_ = names.uid("share", self._claims[n]["metadata"].get("uid"), *device.id, len(self._results[n]))
        else:
            self._taking.setdefault(device.id, set()).add(n)
        self._results[n].append(Taken(wanted.name, wanted.spec, device, taken if device.is_shared else {}, id_))

        def undo() -> None:
            self._results[n].pop()
            for one in constraints:
                one.devices.pop()
            if not device.is_shared:
                self._taking[device.id].discard(n)
            elif before is None:
                del self._sharing[device.id]
            else:
                self._sharing[device.id] = before

        return undo

    def _counters_last(self, device: Device, pool: Pool) -> bool:
        """Say whether what devices of the pool share lasts for one more (partitionable devices)."""
        if not device.consumes or (device.is_shared and self._is_shared_already(device.id)):
            return True
        users = [other for other in (*pool.devices, *pool.others) if other.consumes and self._is_in_use(other.id)]
        for name, used in device.consumes:
            for counter, amount in used.items():
                others = sum(more.get(counter, 0) for user in users for of, more in user.consumes if of == name)
                if others + amount > pool.counters[name].get(counter, 0):
                    return False
        return True

    def _is_shared_already(self, id_: DeviceId) -> bool:
        return id_ in self._sharing or self._use.shares(id_) is not None

    def _is_in_use(self, id_: DeviceId) -> bool:
        return bool(self._taking.get(id_)) or self._use.is_taken(id_) or self._is_shared_already(id_)


class Constraint:
    """What the devices of some requests must have in common, or apart."""

    __slots__ = ("attribute", "devices", "is_distinct", "requests")

    def __init__(self, spec: Obj) -> None:
        self.is_distinct = spec.get("distinctAttribute") is not None
        self.attribute: str = spec.get("distinctAttribute") or spec.get("matchAttribute") or ""
        self.requests = frozenset(spec.get("requests") or ())
        self.devices: list[Device] = []

    def speaks_of(self, wanted: Wanted) -> bool:
        """Say whether the constraint is about a request."""
        return not self.requests or wanted.name in self.requests or wanted.request in self.requests

    def admits(self, device: Device) -> bool:
        """Say whether a device may join those taken."""
        value = device.attribute(self.attribute)
        if value is None:
            return False
        if self.is_distinct:
            return all(other.attribute(self.attribute) != value for other in self.devices)
        return not self.devices or self.devices[0].attribute(self.attribute) == value


def _constraints(claim: Obj) -> list[Constraint]:
    return [Constraint(spec) for spec in _devices(claim).get("constraints") or ()]


def _devices(claim: Obj) -> Obj:
    found: Obj = (claim.get("spec") or {}).get("devices") or {}
    return found


def is_kept_off(device: Device, tolerations: Sequence[Obj]) -> bool:
    """Say whether a taint of the device is not tolerated; other effects than these two keep nobody off."""
    hard = (taint for taint in device.taints if taint.get("effect") in ("NoExecute", "NoSchedule"))
    return any(not any(tolerates(toleration, taint) for toleration in tolerations) for taint in hard)


def reaching(node: Any) -> Callable[[Obj], bool]:
    """Return what says whether a node reaches a device with a place of its own."""
    return lambda place: reached(place, node)
