"""Statuses of pods taken apart: what is the same in all of a form, and what each pod has of its own.

In: a status. Out: its form, which tells at a glance whether another status is put together from the same parts.
A pod has addresses of its own, IDs of its containers, and the name of its token's volume where they mount it;
compare :data:`kctl.api.likeness.OF_STATUSES`, of which this is the quick way. No form exists for what is unusual.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_, itemgetter
from typing import Any, NamedTuple, cast

from kctl.api.likeness import VOLUMES, is_like, same
from kctl.api.objects import Obj

ADDRESSES = (("hostIP", "hostIPs"), ("podIP", "podIPs"))
RUNS = ("containerStatuses", "initContainerStatuses")
ID, MOUNTS = "containerID", "volumeMounts"
Parts = Callable[[Obj], tuple[Any, ...]]


class Ended(NamedTuple):
    """How a container of a form ended, but for its ID."""

    names: list[str]
    fixed: Parts
    parts: tuple[Any, ...]

    def fits(self, ended: Obj) -> bool:
        """Say whether a container ended this way."""
        return list(ended) == self.names and are_same(self.fixed(ended), self.parts) and is_text(ended[ID])


class Run(NamedTuple):
    """A container's status in a form: its fields in order, what is the same in all, and what may differ."""

    names: list[str]
    fixed: Parts
    parts: tuple[Any, ...]
    has_id: bool
    mounts: dict[int, Any]
    """The lists of mounts that differ in nothing but names, by identity; empty when there are none."""
    ended: Ended | None

    def fits(self, one: Obj) -> bool:
        """Say whether a container's status is of this form."""
        if list(one) != self.names or not are_same(self.fixed(one), self.parts):
            return False
        if self.has_id and not is_text(one[ID]):
            return False
        if self.mounts and id(one[MOUNTS]) not in self.mounts and not self._mounts_alike(one[MOUNTS]):
            return False
        if self.ended is None:
            return True
        state = one["state"]
        return len(state) == 1 and "terminated" in state and self.ended.fits(state["terminated"])

    def _mounts_alike(self, mounts: Any) -> bool:
        if not is_like(next(iter(self.mounts.values())), mounts, VOLUMES):
            return False
        self.mounts[id(mounts)] = mounts
        return True

    def filled(self, made: Obj, own: Obj) -> Obj:
        """Return a container's status with what another of the form has of its own."""
        out = dict(made)
        if self.has_id:
            out[ID] = own[ID]
        if self.mounts:
            out[MOUNTS] = own[MOUNTS]
        if self.ended is not None:
            out["state"] = {"terminated": {**made["state"]["terminated"], ID: own["state"]["terminated"][ID]}}
        return out


class Runs(NamedTuple):
    """The statuses of containers in a form. Lists without IDs are shared by many pods: those seen are known."""

    name: str
    runs: tuple[Run, ...]
    is_shared: bool
    seen: dict[int, list[Obj]]
    """Lists of this form, by identity."""
    made: dict[int, tuple[Any, list[Obj]]]
    """What became of them, when of one came what is kept beside it."""

    def fits(self, found: list[Obj]) -> bool:
        """Say whether statuses are of this form."""
        if self.is_shared and id(found) in self.seen:
            return True
        if len(found) != len(self.runs):
            return False
        for run, one in zip(self.runs, found, strict=True):
            if not run.fits(one):
                return False
        if self.is_shared:
            self.seen[id(found)] = found
        return True

    def filled(self, made: list[Obj], own: list[Obj]) -> list[Obj]:
        """Return what was made of a list of the form with what another has of its own."""
        known = self.made.get(id(own)) if self.is_shared else None
        if known is not None and known[0] is made:
            return known[1]
        out = [run.filled(was, mine) for run, was, mine in zip(self.runs, made, own, strict=True)]
        if self.is_shared and id(own) in self.seen:
            self.made[id(own)] = (made, out)
        return out


class Form(NamedTuple):
    """A status: its fields in order, what is the same in all, which addresses and containers it has."""

    names: list[str]
    fixed_names: list[str]
    fixed: Parts
    parts: tuple[Any, ...]
    addresses: tuple[tuple[str, str], ...]
    runs: tuple[Runs, ...]
    seen: dict[int, Obj]
    """Statuses of this form in which nothing is a pod's own, by identity: many pods share them."""

    def fits(self, status: Obj) -> bool:
        """Say whether a status is of this form."""
        if id(status) in self.seen:
            return True
        if not self._fits(status):
            return False
        if not self.addresses and all(runs.is_shared for runs in self.runs):
            self.seen[id(status)] = status
        return True

    def _fits(self, status: Obj) -> bool:
        if list(status) != self.names or not are_same(self.fixed(status), self.parts):
            return False
        for one, many in self.addresses:
            address = status[one]
            if type(address) is not str or not address or status[many] != [{"ip": address}]:
                return False
        return not self.runs or all(runs.fits(status[runs.name]) for runs in self.runs)

    def filled(self, made: Obj, own: Obj) -> Obj:
        """Return what was made of one status of the form with what another has of its own."""
        out = dict(made)
        for one, many in self.addresses:
            out[one], out[many] = own[one], own[many]
        for runs in self.runs:
            out[runs.name] = runs.filled(made[runs.name], own[runs.name])
        return out

    def differs(self, other: Form) -> bool:
        """Say whether statuses of the two forms differ, whatever pods have of their own."""
        if set(self.names) != set(other.names):
            return True
        mine = dict(zip(self.fixed_names, self.parts, strict=True))
        return mine != dict(zip(other.fixed_names, other.parts, strict=True))


def form_of(status: Obj) -> Form | None:
    """Take a status apart; None for one that is not of the common kind."""
    addresses = []
    own: set[str] = set()
    for one, many in ADDRESSES:
        if (one in status) != (many in status):
            return None
        if one in status:
            addresses.append((one, many))
            own |= {one, many}
    runs = []
    for name in RUNS:
        if status.get(name):
            of_list = tuple(map(_run_of, status[name]))
            is_shared = not any(run.has_id or run.ended is not None for run in of_list)
            runs.append(Runs(name, of_list, is_shared, {}, {}))
            own.add(name)
    names = [name for name in status if name not in own]
    fixed = _getter(names)
    found = Form(list(status), names, fixed, fixed(status), tuple(addresses), tuple(runs), {})
    return found if found.fits(status) else None


def _run_of(one: Obj) -> Run:
    ended = (one.get("state") or {}).get("terminated")
    how = _ended_of(ended) if ended is not None and ID in ended else None
    own = {ID, MOUNTS} if how is None else {ID, MOUNTS, "state"}
    names = [name for name in one if name not in own]
    fixed, mounts = _getter(names), one.get(MOUNTS)
    known = {} if mounts is None else {id(mounts): mounts}
    return Run(list(one), fixed, fixed(one), ID in one, known, how)


def _ended_of(ended: Obj) -> Ended:
    names = [name for name in ended if name != ID]
    fixed = _getter(names)
    return Ended(list(ended), fixed, fixed(ended))


def are_same(found: tuple[Any, ...], parts: tuple[Any, ...]) -> bool:
    """Say whether parts are the same, at a glance when they are the very same."""
    return all(map(is_, found, parts)) or all(map(same, found, parts))


def is_text(value: Any) -> bool:
    """Say whether a value is a string that is not empty."""
    return type(value) is str and value != ""


def _getter(names: list[str]) -> Parts:
    """Return what takes fields out of an object, as a tuple however many they are."""
    if len(names) > 1:
        return cast("Parts", itemgetter(*names))
    return lambda obj: tuple(obj[name] for name in names)
