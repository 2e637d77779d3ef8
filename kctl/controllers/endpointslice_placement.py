"""How endpoints are packed into EndpointSlices.

In: a Service, its endpoints by the ports they serve, its slices. Out: creates, updates and
deletes, as few as possible: endpoints stay where they are, slices that change anyway are filled
first, then one unchanged slice with room for all the rest, then new ones.
As k8s.io/endpointslice Reconciler.reconcileByPortMapping, for addresses of one family.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kctl.api import names
from kctl.api.objects import Obj, controller_uid, is_deleting, key_of, labels_of, owner_reference
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
        self.kept: dict[str, Obj] = {}

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


def place(
    service: Obj, groups: Mapping[Ports, Mapping[str, Obj]], slices: Sequence[Obj], triggers: Mapping[str, str]
) -> list[Action]:
    """Return the writes that bring the slices to the endpoints.

    ``groups`` holds endpoints by ports and pod uid; ``triggers`` when each pod last changed.
    """
    plan = Plan(service)
    by_ports: dict[Ports, list[Obj]] = {}
    for found in sorted(slices, key=key_of):
        if is_deleting(found):
            continue
        if found.get("addressType") != FAMILY or controller_uid(found) != service["metadata"]["uid"]:
            plan.delete.append(found)
        else:
            by_ports.setdefault(ports_of_slice(found), []).append(found)
    for ports in sorted(by_ports.keys() | groups.keys()):
        _place_group(plan, ports, by_ports.get(ports, []), dict(groups.get(ports, {})))
    _keep_placeholder(plan, len(slices))
    _reuse(plan)
    return _actions(plan, slices, triggers)


def _place_group(plan: Plan, ports: Ports, existing: Sequence[Obj], wanted: dict[str, Obj]) -> None:
    """Place the endpoints that share their ports."""
    changed: dict[str, Obj] = {}
    unchanged: dict[str, Obj] = {}
    for found in existing:
        before = found.get("endpoints") or []
        after = [wanted.pop(uid) for uid in map(pod_uid, before) if uid in wanted]
        if not after:
            plan.delete.append(found)
        elif after != before:
            changed[found["metadata"]["name"]] = {**found, "endpoints": after}
        elif labels_of(found) != plan.labels:
            changed[found["metadata"]["name"]] = found
        else:
            unchanged[found["metadata"]["name"]] = found
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
    plan.kept.update(unchanged)


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


def _actions(plan: Plan, slices: Sequence[Obj], triggers: Mapping[str, str]) -> list[Action]:
    before = {pod_uid(point): point for found in slices for point in found.get("endpoints") or ()}
    after = [point for found in (*plan.create, *plan.update.values()) for point in found["endpoints"]]
    moved = [
        triggers[pod_uid(point)]
        for point in after
        if before.get(pod_uid(point)) != point and pod_uid(point) in triggers
    ]
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
    return str((endpoint.get("targetRef") or {}).get("uid") or "")


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
