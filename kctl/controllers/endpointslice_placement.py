"""How endpoints are packed into EndpointSlices.

In: a Service, what its pods are to it, its slices. Out: creates, updates and
deletes, as few as possible: endpoints stay where they are, slices that change anyway are filled
first, then one unchanged slice with room for all the rest, then new ones.
As k8s.io/endpointslice Reconciler.reconcileByPortMapping, for addresses of one family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kctl.api import names
from kctl.api.objects import Obj, controller_uid, is_deleting, key_of, labels_of, owner_reference
from kctl.controllers.behind import Change
from kctl.runtime.actions import Action, Create, Delete, Update

SLICES = "endpointslices.discovery.k8s.io"
MAX_ENDPOINTS = 100
FAMILY = "IPv4"
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
RESERVED = frozenset((SERVICE_NAME, MANAGED_BY, HEADLESS))
TRIGGERED = "endpoints.kubernetes.io/last-change-trigger-time"

Ports = tuple[tuple[str, str, int, str], ...]
"""Name, protocol, number and application protocol of each port."""


class Plan:
    """What is to become of the slices; filled group by group."""

    def __init__(self, service: Obj) -> None:
        self.service = service
        self.labels = slice_labels(service)
        self.create: list[Obj] = []
        self.update: dict[str, Obj] = {}
        self.delete: list[Obj] = []

    def blank(self, ports: Ports) -> Obj:
        """Return a slice without endpoints or a name."""
        meta = self.service["metadata"]
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": f"{meta['name']}-",
                "namespace": meta.get("namespace", ""),
                "labels": self.labels,
                "ownerReferences": [owner_reference(self.service)],
            },
            "addressType": FAMILY,
            "endpoints": [],
            "ports": [port_object(port) for port in ports],
        }


class Made(NamedTuple):
    """What a pod is to a Service: its endpoint, the ports it serves, when it last became ready or ceased to be."""

    uid: str
    name: str
    endpoint: Obj
    ports: Ports
    since: str


class Placement:
    """What the slices of a Service are to hold, and which of them were found to hold just that.

    Those are not looked into again while they stay the same and no pod in them changes: so one endpoint
    more costs a look at its slice, not at all of them.
    """

    def __init__(self, made: Mapping[str, Made]) -> None:
        self.made = {one.uid: one for one in made.values()}
        self._counts = Counter(one.ports for one in made.values())
        self._loose = dict.fromkeys(self.made)
        """The pods that are in none of the slices that were found right."""
        self._where: dict[str, str] = {}
        self._right: dict[str, tuple[Obj, list[str]]] = {}
        self._uids: dict[str, tuple[Obj, list[str]]] = {}
        """Of each slice the pods of its endpoints, as it was last seen."""
        self._labels: Obj = {}
        self.looked_into = 0
        """How many endpoints of slices were looked at; tests hold it against how many changed."""

    def take(self, changes: Iterable[Change[Made]]) -> None:
        """Take in what became of pods."""
        for _, before, after in changes:
            if before is not None:
                self._doubt(self._where.get(before.uid, ""))
                self._loose.pop(before.uid, None)
                self._counts[before.ports] -= 1
                del self.made[before.uid]
            if after is not None:
                self.made[after.uid] = after
                self._counts[after.ports] += 1
                self._loose[after.uid] = None

    def check(self, slices: Iterable[Obj], labels: Obj) -> None:
        """Doubt the slices that are not as they were found, all of them when an endpoint is in two."""
        there = {found["metadata"]["name"]: found for found in slices}
        for name in [name for name, (found, _) in self._right.items() if there.get(name) is not found]:
            self._doubt(name)
        for name in self._uids.keys() - there.keys():
            del self._uids[name]
        doubted = (uid for name, found in there.items() if name not in self._right for uid in self.uids(found))
        if labels != self._labels or any(uid in self._where for uid in doubted):
            for name in list(self._right):
                self._doubt(name)
        self._labels = labels

    def is_right(self, found: Obj) -> bool:
        """Say whether a slice was found to hold what it is to."""
        return found["metadata"]["name"] in self._right

    def uids(self, found: Obj) -> list[str]:
        """Return the pods of a slice's endpoints, in their order."""
        name = found["metadata"]["name"]
        known = self._uids.get(name)
        if known is None or known[0] is not found:
            known = self._uids[name] = (found, [pod_uid(point) for point in _points(found)])
        return known[1]

    def keep(self, found: Obj) -> None:
        """Note that a slice holds what it is to."""
        uids, name = self.uids(found), found["metadata"]["name"]
        self._right[name] = (found, uids)
        for uid in uids:
            self._where[uid] = name
            self._loose.pop(uid, None)

    def _doubt(self, name: str) -> None:
        for uid in self._right.pop(name, ({}, []))[1]:
            del self._where[uid]
            self._loose[uid] = None

    def loose(self) -> dict[Ports, dict[str, Obj]]:
        """Return the endpoints to place by ports and uid, in order of the pods' names; no ports of pods are missing."""
        found: dict[Ports, dict[str, Obj]] = {ports: {} for ports, count in self._counts.items() if count}
        for one in sorted(map(self.made.__getitem__, self._loose), key=lambda one: one.name):
            found[one.ports][one.uid] = one.endpoint
        return found


def _points(found: Obj) -> Sequence[Obj]:
    return found.get("endpoints") or ()


def place(service: Obj, placement: Placement, slices: Sequence[Obj]) -> list[Action]:
    """Return the writes that bring the slices to the endpoints."""
    plan = Plan(service)
    placement.check(slices, plan.labels)
    by_ports: dict[Ports, list[Obj]] = {}
    for found in sorted(slices, key=key_of):
        if is_deleting(found):
            continue
        if found.get("addressType") != FAMILY or controller_uid(found) != service["metadata"]["uid"]:
            plan.delete.append(found)
        else:
            by_ports.setdefault(ports_of_slice(found), []).append(found)
    groups = placement.loose()
    for ports in sorted(by_ports.keys() | groups.keys()):
        _place_group(plan, placement, ports, by_ports.get(ports, []), groups.get(ports, {}))
    _keep_placeholder(plan, len(slices))
    _reuse(plan)
    return _actions(plan, slices, placement)


def _place_group(
    plan: Plan, placement: Placement, ports: Ports, existing: Sequence[Obj], wanted: dict[str, Obj]
) -> None:
    """Place the endpoints that share their ports."""
    changed: dict[str, Obj] = {}
    unchanged: dict[str, Obj] = {}
    for found in existing:
        if placement.is_right(found):
            unchanged[found["metadata"]["name"]] = found
            continue
        before = found.get("endpoints") or []
        placement.looked_into += len(before)
        after = [wanted.pop(uid) for uid in placement.uids(found) if uid in wanted]
        if not after:
            plan.delete.append(found)
        elif after != before:
            changed[found["metadata"]["name"]] = {**found, "endpoints": after}
        elif labels_of(found) != plan.labels:
            changed[found["metadata"]["name"]] = found
        else:
            unchanged[found["metadata"]["name"]] = found
            placement.keep(found)
    left = list(wanted.values())
    for found in sorted(changed.values(), key=lambda one: (-len(one["endpoints"]), key_of(one))):
        left = _fill(changed, found, left)
    while left:
        room = _best_room(unchanged.values(), len(left))
        if room is not None:
            del unchanged[room["metadata"]["name"]]
            left = _fill(changed, room, left)
        else:
            plan.create.append({**plan.blank(ports), "endpoints": left[:MAX_ENDPOINTS]})
            left = left[MAX_ENDPOINTS:]
    plan.update.update(changed)


def _fill(changed: dict[str, Obj], found: Obj, left: list[Obj]) -> list[Obj]:
    """Put as many endpoints into the slice as it takes; return the rest."""
    room = MAX_ENDPOINTS - len(found["endpoints"])
    if room > 0 and left:
        found = {**found, "endpoints": [*found["endpoints"], *left[:room]]}
        left = left[room:]
    changed[found["metadata"]["name"]] = found
    return left


def _best_room(slices: Iterable[Obj], number: int) -> Obj | None:
    """Return the fullest slice that takes all of ``number``, as getSliceToFill."""
    if number >= MAX_ENDPOINTS:
        return None
    fitting = [found for found in slices if len(found["endpoints"]) + number <= MAX_ENDPOINTS]
    return max(fitting, key=lambda found: len(found["endpoints"]), default=None)


def _keep_placeholder(plan: Plan, existing: int) -> None:
    """See to it that one slice remains when there is no endpoint."""
    if len(plan.delete) != existing or plan.create:
        return
    blank = plan.blank(())
    if len(plan.delete) == 1 and _is_placeholder(plan.delete[0], blank):
        plan.delete.clear()
    else:
        plan.create.append(blank)


def _is_placeholder(found: Obj, blank: Obj) -> bool:
    """Say whether the slice is the placeholder already, but for its name."""
    same = found.get("addressType") == FAMILY and labels_of(found) == labels_of(blank)
    owned = controller_uid(found) == controller_uid(blank)
    return same and owned and not found.get("endpoints") and not found.get("ports")


def _reuse(plan: Plan) -> None:
    """Update a slice that would be deleted instead of creating another."""
    for found in list(plan.delete):
        mine = controller_uid(found) == plan.service["metadata"]["uid"]
        if plan.create and found.get("addressType") == FAMILY and mine:
            new = plan.create.pop()
            plan.delete.remove(found)
            changed = {**found, "endpoints": new["endpoints"], "ports": new["ports"]}
            plan.update[found["metadata"]["name"]] = changed


def _actions(plan: Plan, slices: Sequence[Obj], placement: Placement) -> list[Action]:
    looked_at = [found for found in slices if found["metadata"]["name"] in plan.update or not placement.is_right(found)]
    before = {uid: point for one in looked_at for uid, point in zip(placement.uids(one), _points(one), strict=True)}
    after = [point for found in (*plan.create, *plan.update.values()) for point in found["endpoints"]]
    changed = [placement.made[uid] for point in after if before.get(uid := pod_uid(point)) != point]
    moved = [one.since for one in changed if one.since]
    if not slices and plan.service["metadata"].get("creationTimestamp"):
        moved.append(plan.service["metadata"]["creationTimestamp"])
    trigger = min(moved, default=None)
    meta = plan.service["metadata"]
    actions: list[Action] = []
    taken = [found["metadata"]["name"] for found in slices]
    slots = names.next_slots(meta["uid"], taken, len(plan.create))
    for slot, found in zip(slots, plan.create, strict=True):
        name = names.child_name(f"{meta['name']}-", meta["uid"], slot)
        actions.append(
            Create(SLICES, _finished(plan, {**found, "metadata": {"name": name, **found["metadata"]}}, trigger))
        )
    actions += [Update(SLICES, _finished(plan, plan.update[name], trigger)) for name in sorted(plan.update)]
    actions += [Delete(SLICES, key_of(found), found["metadata"].get("uid", "")) for found in plan.delete]
    return actions


def _finished(plan: Plan, found: Obj, trigger: str | None) -> Obj:
    """Return the slice with the labels it must have and the time of the change behind it."""
    annotations = {k: v for k, v in (found["metadata"].get("annotations") or {}).items() if k != TRIGGERED}
    if trigger is not None:
        annotations[TRIGGERED] = trigger
    meta = {**found["metadata"], "labels": plan.labels}
    meta.pop("annotations", None)
    if annotations:
        meta["annotations"] = annotations
    return {**found, "metadata": meta}


def slice_labels(service: Obj) -> dict[str, str]:
    """Return the Service's labels and those of the controller, as setEndpointSliceLabels."""
    labels = {key: value for key, value in labels_of(service).items() if key not in RESERVED}
    if service["spec"].get("clusterIP") in ("None", "", None):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: MANAGER}


def pod_uid(endpoint: Obj) -> str:
    """Return the uid of the pod behind the endpoint, "" for none."""
    target = endpoint.get("targetRef")
    return str(target.get("uid") or "") if target else ""


def ports_of_slice(found: Obj) -> Ports:
    """Return the ports of a slice in the form groups are keyed by."""
    return tuple(
        (port.get("name") or "", port.get("protocol") or "TCP", port.get("port") or 0, port.get("appProtocol") or "")
        for port in found.get("ports") or ()
    )


def port_object(port: tuple[str, str, int, str]) -> Obj:
    """Return a port as it stands in a slice."""
    name, protocol, number, application = port
    out: Obj = {"name": name, "protocol": protocol, "port": number}
    if application:
        out["appProtocol"] = application
    return out
