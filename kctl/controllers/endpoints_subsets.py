"""The addresses behind a Service, in the lists an Endpoints object holds.

In: what pods are to the Service, then what became of single ones. Out: the subsets, and when what is to be written
happened. An address that comes or goes is put into its place in lists that are in order already; all others stay
the very same values, so that whoever gets the lists sees what is new. Where pods serve different ports, or there are
more addresses than an Endpoints holds, all of them are gone through, as upstream always does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.controllers.behind import Change
from kctl.controllers.endpointslice_placement import port_object

MAX_ADDRESSES = 1000
Port = tuple[str, str, int, str]
Address = tuple[str, str]
"""An address and the uid of its pod: what addresses are sorted and compared by."""
FIELDS = ("addresses", "notReadyAddresses")


class Listed(NamedTuple):
    """What a pod is to a Service: its address, the ports it serves, whether it is ready (or passes for it)."""

    identity: Address
    address: Obj
    ports: tuple[Port, ...]
    ready: bool
    serves: bool
    since: str


class Lists:
    """The addresses behind one Service."""

    def __init__(self, made: Mapping[str, Listed]) -> None:
        self._listed = {one.identity[1]: one for one in made.values()}
        self._groups: dict[tuple[Port, ...], Group] = {}
        """Addresses by the ports they serve."""
        for one in made.values():
            self._groups.setdefault(one.ports, Group()).add_last(one)
        for group in self._groups.values():
            group.sort()
        self._odd = {one.identity[1]: None for one in made.values() if one.ready and not one.serves}
        """The pods that pass for ready: they are taken for changed whenever there is something to write."""
        self._written: list[Obj] | None = None
        """The subsets at the last look; None when it must be found out from them what is new."""
        self._new: dict[str, str] = {}
        """The pods that have changed since, and in which list they stood then."""
        self._has_ports = True
        self.looked_at = 0
        """How many addresses were gone through one by one; tests hold it against how many changed."""

    def take(self, changes: Iterable[Change[Listed]]) -> None:
        """Take in what became of pods."""
        for _, before, after in changes:
            if before is not None:
                uid = before.identity[1]
                group = self._groups[before.ports]
                group.remove(before)
                if not group:
                    del self._groups[before.ports]
                del self._listed[uid]
                self._odd.pop(uid, None)
                self._new.setdefault(uid, FIELDS[not before.ready])
            if after is not None:
                uid = after.identity[1]
                self._groups.setdefault(after.ports, Group()).add(after)
                self._listed[uid] = after
                self._new.setdefault(uid, "")
                if after.ready and not after.serves:
                    self._odd[uid] = None

    def subsets(self, *, has_ports: bool) -> tuple[list[Obj], bool]:
        """Return the subsets, and whether addresses were cut off, as RepackSubsets."""
        groups, self._has_ports = self._groups, has_ports
        if not groups or (has_ports and len(groups) == 1 and () in groups):
            return [], False
        if len(groups) > 1:
            self.looked_at += len(self._listed)
            return packed(self._listed.values(), has_ports=has_ports)
        (ports, group), *_ = groups.items()
        ready = group.ready.objects[:MAX_ADDRESSES]
        waiting = group.waiting.objects[: MAX_ADDRESSES - len(ready)]
        subset: Obj = {field: found for field, found in zip(FIELDS, (ready, waiting), strict=True) if found}
        if has_ports:
            subset["ports"] = [_port(port) for port in sorted(dict.fromkeys(ports))]
        return [subset], len(ready) + len(waiting) < len(self._listed)

    def written(self, subsets: list[Obj], cut: bool) -> None:
        """Note what Endpoints hold, or are to, after a look."""
        is_whole = not cut and not (self._has_ports and () in self._groups)
        self._written = subsets if is_whole else None
        self._new.clear()

    def moved(self, there: list[Obj]) -> list[str]:
        """Return when each pod changed that is not where the subsets that are there have it."""
        if self._written is not None and there == self._written:
            known = {**self._new, **dict.fromkeys(self._odd, "")}
            changed = [(self._listed[uid], field) for uid, field in known.items() if uid in self._listed]
            return [one.since for one, field in changed if one.since and field != FIELDS[not one.serves]]
        self.looked_at += len(self._listed)
        known = {
            address["targetRef"]["uid"]: field
            for subset in there
            for field in FIELDS
            for address in subset.get(field) or ()
            if address.get("targetRef")
        }
        every = self._listed.items()
        return [one.since for uid, one in every if one.since and known.get(uid) != FIELDS[not one.serves]]


class Group:
    """The addresses of pods that serve the same ports, ready ones and others, each in order."""

    def __init__(self) -> None:
        self.ready, self.waiting = Ordered(), Ordered()

    def __bool__(self) -> bool:
        return bool(self.ready.keys or self.waiting.keys)

    def _list(self, one: Listed) -> Ordered:
        return self.ready if one.ready else self.waiting

    def add(self, one: Listed) -> None:
        """Put an address in its place."""
        self._list(one).add(one.identity, one.address)

    def add_last(self, one: Listed) -> None:
        """Put an address at the end; :meth:`sort` follows."""
        found = self._list(one)
        found.keys.append(one.identity)
        found.objects.append(one.address)

    def remove(self, one: Listed) -> None:
        """Take an address out."""
        self._list(one).remove(one.identity)

    def sort(self) -> None:
        """Put all in order."""
        for found in (self.ready, self.waiting):
            order = sorted(range(len(found.keys)), key=found.keys.__getitem__)
            found.keys = [found.keys[n] for n in order]
            found.objects = [found.objects[n] for n in order]


class Ordered:
    """Objects in the order of their keys; two lists, for the one of objects is handed out in slices."""

    def __init__(self) -> None:
        self.keys: list[Address] = []
        self.objects: list[Obj] = []

    def add(self, key: Address, obj: Obj) -> None:
        """Put an object in its place."""
        at = bisect_left(self.keys, key)
        self.keys.insert(at, key)
        self.objects.insert(at, obj)

    def remove(self, key: Address) -> None:
        """Take an object out."""
        at = bisect_left(self.keys, key)
        del self.keys[at], self.objects[at]


def packed(listed: Iterable[Listed], *, has_ports: bool) -> tuple[list[Obj], bool]:
    """Return the subsets of addresses in no order, and whether some were cut off: ports with the same together."""
    found: dict[Address, Obj] = {}
    by_port: dict[Port | None, tuple[set[Address], set[Address]]] = {}
    for one in listed:
        found[one.identity] = one.address
        for port in one.ports if has_ports else (None,):
            by_port.setdefault(port, (set(), set()))[not one.ready].add(one.identity)
    together: dict[tuple[tuple[Address, ...], tuple[Address, ...]], list[Port]] = {}
    for port, (ready, waiting) in by_port.items():
        ports = together.setdefault((tuple(sorted(ready)), tuple(sorted(waiting))), [])
        if port is not None:
            ports.append(port)
    room, cut = MAX_ADDRESSES, False
    subsets = []
    for lists, ports in sorted(together.items(), key=lambda item: sorted(item[1])):
        subset: Obj = {}
        for field, identities in zip(FIELDS, lists, strict=True):
            kept = identities[:room]
            room, cut = room - len(kept), cut or len(kept) < len(identities)
            if kept:
                subset[field] = [found[identity] for identity in kept]
        if ports:
            subset["ports"] = [_port(port) for port in sorted(ports)]
        subsets.append(subset)
    return subsets, cut


def _port(port: Port) -> Obj:
    return {name: value for name, value in port_object(port).items() if value != ""}
