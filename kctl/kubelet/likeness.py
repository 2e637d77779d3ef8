"""Pods alike fare alike: what became of one at an instant, said of the others.

In: a pod, its node, what its kubelet knows. Out: its next step, taken from that of a pod like it when
there is one. Pods of one template in the same state but for addresses and IDs are a cohort, and what holds for
all of a cohort is found out once. Two of them fare alike when their kubelets know the same, and when every pull
the first had to ask about goes the same way for the second. Nothing here decides anything:
:func:`kctl.kubelet.pod.advance` does.
"""

from __future__ import annotations

from operator import is_
from typing import Any, NamedTuple

from kctl.api.behaviour import booted_at, shutting_down_since
from kctl.api.forms import Form, form_of
from kctl.api.jsontext import as_given
from kctl.api.likeness import OF_SPECS, OF_STATUSES, is_like
from kctl.api.objects import Key, Obj, is_condition_true
from kctl.api.volumes import claims_of
from kctl.client.cache import Caches
from kctl.kubelet.addresses import pod_range, range_number
from kctl.kubelet.admission import PRESSURES, is_by_hand
from kctl.kubelet.containers import container_id, state_of
from kctl.kubelet.phase import TERMINAL, by_name
from kctl.kubelet.pod import Asked, Known, Step, ask, is_silent, node_ip, step_of
from kctl.kubelet.pulls import Pull, Request, Served, pulling_of, request
from kctl.kubelet.references import Named, Reference
from kctl.runtime.profile import Profile

STATUSES = ("containerStatuses", "initContainerStatuses")
JUDGED = ("generation", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers")
"""What of its metadata a pod's next step depends on."""
VARIANTS = 4
"""So many cohorts are kept of one template, and so many models of a cohort; the last one is tried first."""


class Model(NamedTuple):
    """What was known of a pod and its node, what was asked about pulls, and the step it took."""

    known: Known
    has_node_ip: bool
    asked: Asked
    requests: tuple[Request | None, ...]
    """What was asked of the puller; None for what is not simply pulled."""
    step: Step


class Machine(NamedTuple):
    """What a kubelet knows of its node."""

    node: Obj
    is_silent: bool
    is_rebooted: bool
    address: str
    addresses: list[Obj]
    is_pressed: bool
    is_shutting_down: bool
    place: str
    """What the addresses of its pods begin with; "" when that is not a range of its own."""


class Cohort:
    """Pods of one template in one state, and what holds for all of them."""

    def __init__(self, pod: Obj, references: list[Reference]) -> None:
        self.pod = pod
        self._judged = list(map(pod["metadata"].get, JUDGED))
        self._spec = list(pod["spec"]), list(pod["spec"].values())
        self.models: list[Model] = []
        status: Obj = pod.get("status") or {}
        self.is_waiting = has_waiting(pod)
        self.is_by_hand = is_by_hand(pod)
        self.has_claims = bool(claims_of(pod))
        self.references = references
        """What their specs name."""
        self._resources = sorted({one.resource for one in references})
        self._objects: dict[Reference, Obj | None] | None = None
        self._changes: list[int] = []
        self.is_common = status.get("phase") not in TERMINAL and not has_history(status)
        self.is_common &= not pod["spec"].get("ephemeralContainers")
        """Whether what becomes of one may be said of the others."""
        self._status = pod.get("status")
        self._forms: list[Form | None] = []
        """The form of their status, once it is asked for."""

    def objects(self, caches: Caches) -> dict[Reference, Obj | None]:
        """Return what they name; the same answer as long as nothing of these resources has changed."""
        changes = [caches[resource].changes for resource in self._resources]
        if self._objects is None or changes != self._changes:
            namespace = self.pod["metadata"].get("namespace") or ""
            self._changes = changes
            self._objects = {one: caches[one.resource].get(Key(namespace, one.name)) for one in self.references}
        return self._objects

    def has(self, pod: Obj) -> bool:
        """Say whether a pod with the same containers is one of them."""
        if list(map(pod["metadata"].get, JUDGED)) != self._judged:
            return False
        return self._has_spec(pod["spec"]) and self._has_status(pod.get("status"))

    def _has_spec(self, spec: Obj) -> bool:
        mine: Obj = self.pod["spec"]
        names, values = self._spec
        if names == list(spec):
            others = list(map(is_, values, spec.values())).count(False)
            if not others or (others == 1 and mine["nodeName"] is not spec["nodeName"]):
                return True
        return is_like(mine, spec, OF_SPECS)

    def _has_status(self, status: Obj | None) -> bool:
        if status is self._status:
            return True
        if not self._forms:
            self._forms.append(form_of(self._status) if self._status else None)
        form = self._forms[0]
        if form is not None and status:
            if not form.fits(status):
                return False
        elif not is_like(self.pod.get("status"), status, OF_STATUSES):
            return False
        self._status = status  # pods that were bound together share theirs
        return True


class Lives:
    """The steps of one instant that other pods may take."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._now = -1.0
        self._cohorts: dict[tuple[int, str, str, str], list[Cohort]] = {}
        self._last: Cohort | None = None
        self._asked: Obj | None = None
        self._machines: dict[str, Machine] = {}
        self._machine: Machine | None = None
        self._served = Served()
        self._named = Named()
        self.like: Model | None = None
        """What the last step was taken from: steps from the same differ in nothing but what pods have of their own."""
        self._parts: dict[str, Any] = {}
        """Parts of statuses by what they say, so that pods of different templates share them too."""

    def cohort(self, pod: Obj) -> Cohort:
        """Return what a pod is one of."""
        if pod is self._asked and self._last is not None:
            return self._last
        meta, status = pod["metadata"], pod.get("status") or {}
        end = meta.get("deletionTimestamp", "")
        place = (id(pod["spec"]["containers"]), meta.get("namespace", ""), status.get("phase", ""), end)
        known = self._cohorts.get(place)
        if known is None:  # a cohort keeps its containers, so that no others get their id meanwhile
            known = self._cohorts[place] = []
        for found in known:
            if found.has(pod):
                break
        else:
            found = Cohort(pod, self._named.of(pod["spec"]))
            known.insert(0, found)
            del known[VARIANTS:]
        self._asked, self._last = pod, found
        return found

    def machine(self, node: Obj) -> Machine:
        """Return what is known of a node."""
        if self._machine is not None and self._machine.node is node:
            return self._machine
        name = node["metadata"]["name"]
        found = self._machines.get(name)
        if found is None or found.node is not node:
            own = node_ip(node)
            found = Machine(
                node,
                is_silent(node),
                booted_at(node) is not None,
                own,
                [{"ip": own}],
                any(is_condition_true(node, type_) for type_ in PRESSURES),
                shutting_down_since(node) is not None,
                _place_of(node),
            )
            self._machines[name] = found
        self._machine = found
        return found

    def advance(self, pod: Obj, node: Obj | None, known: Known, now: float) -> Step:
        """Say what becomes of the pod at ``now``, as :func:`kctl.kubelet.pod.advance`."""
        self.like = None
        if node is None:
            return Step()
        machine = self.machine(node)
        if machine.is_silent:
            return Step()
        self.begin(now)
        cohort = self.cohort(pod)
        if not cohort.is_common or machine.is_rebooted or not _is_common(known):
            return step_of(pod, node, known, now, self._profile)[0]
        has_node_ip = bool(machine.address)
        for model in cohort.models:
            if _knows_alike(model, known, has_node_ip) and self._goes_alike(model, pod, known):
                self.like = model
                return _taken(model, pod, known.address, machine)
        step, asked = step_of(pod, node, known, now, self._profile)
        if step.status is not None:
            status = self._shared(step.status)
            step = step._replace(status=status)
            if has_history(status):
                return step
        self.like = Model(known, has_node_ip, asked, _requests(pod, asked, known), step)
        cohort.models.insert(0, self.like)
        del cohort.models[VARIANTS:]
        return step

    def begin(self, now: float) -> None:
        """Forget what was at another instant."""
        if now != self._now:
            self._cohorts.clear()
            self._parts.clear()
            self._asked = self._last = None
            self._now = now

    def _shared(self, status: Obj) -> Obj:
        """Return the status made of parts that others have too."""
        out: Obj = {}
        for name, value in status.items():
            if name in STATUSES:
                out[name] = [{field: self._part(part) for field, part in one.items()} for one in value]
            else:
                out[name] = self._part(value)
        return out

    def _part(self, value: Any) -> Any:
        return self._parts.setdefault(as_given(value), value) if isinstance(value, dict | list) else value

    def _goes_alike(self, model: Model, pod: Obj, known: Known) -> bool:
        """Say whether what was asked about pulls has the same answers for this pod."""
        for (number, container, begun, pull), asked in zip(model.asked, model.requests, strict=True):
            if self._answer(pod, container, number, begun, known, asked) != pull:
                return False
        return True

    def _answer(
        self, pod: Obj, container: Obj, number: int, begun: float, known: Known, asked: Request | None
    ) -> Pull | None:
        if asked is not None and asked.pulling == pulling_of(pod, container, known.world, known.behaviour):
            name = pod["metadata"]["name"]
            return self._served.serve(asked, name, known.queue, known.images, self._profile.image_pull)
        return ask(pod, container, number, begun, known, self._profile)


def _place_of(node: Obj) -> str:
    """Return what the addresses of a node's pods begin with, when its range is one of those that are given out."""
    cidr = node.get("spec", {}).get("podCIDR") or ""
    number = range_number(cidr)
    return cidr.removesuffix("0/24") if number is not None and pod_range(number) == cidr else ""


def _requests(pod: Obj, asked: Asked, known: Known) -> tuple[Request | None, ...]:
    """Return what a pod has asked of its puller."""
    out: list[Request | None] = []
    for number, container, begun, _ in asked:
        pulling = pulling_of(pod, container, known.world, known.behaviour)
        is_plain = container.get("imagePullPolicy") != "Never" and not pulling.failures
        out.append(request(pod, number, container, begun, pulling) if is_plain else None)
    return tuple(out)


def has_waiting(pod: Obj) -> bool:
    """Say whether some container has yet to start."""
    status = pod.get("status") or {}
    if status.get("phase") in TERMINAL:
        return False
    spec = pod["spec"]
    statuses = by_name(status.get("initContainerStatuses"), status.get("containerStatuses"))
    return any(
        state_of(statuses.get(container["name"])) == "waiting"
        for container in (*(spec.get("initContainers") or ()), *spec["containers"])
    )


def has_history(status: Obj) -> bool:
    """Say whether a container has been run again: then IDs and words are about the pod alone."""
    return any(one.get("restartCount") for name in STATUSES for one in status.get(name) or ())


def _is_common(known: Known) -> bool:
    """Say whether nothing is known that is about the pod alone."""
    return known.refusal is None and not known.victims and known.turn is None and known.waits is None


def _knows_alike(model: Model, known: Known, has_node_ip: bool) -> bool:
    """Say whether the kubelets of two pods know the same, but for what pullers do."""
    was = model.known
    if model.has_node_ip != has_node_ip or bool(was.address) != bool(known.address):
        return False
    if was.behaviour != known.behaviour or was.volumes != known.volumes:
        return False
    if was.unprepared != known.unprepared:
        return False
    if was.objects is known.objects or (not was.objects and not known.objects):
        return True
    return was.objects.keys() == known.objects.keys() and all(
        known.objects[name] is obj for name, obj in was.objects.items()
    )


def _taken(model: Model, pod: Obj, free_address: str, machine: Machine) -> Step:
    """Return the model's step with the pod's own addresses and IDs."""
    step = model.step
    if step.status is None:
        return step
    status: Obj = dict(step.status)
    old: Obj = pod.get("status") or {}
    host = machine.address
    if host:
        status["hostIP"], status["hostIPs"] = host, machine.addresses
    if "podIP" in status:
        address = old.get("podIP") or (host if pod["spec"].get("hostNetwork") else free_address)
        status["podIP"] = address
        status["podIPs"] = old["podIPs"] if old.get("podIP") else [{"ip": address}]
    for name in STATUSES:
        if name in status:
            status[name] = _own(status[name], old.get(name), pod["metadata"].get("uid", ""))
    return Step(status, *step[1:])


def _own(statuses: list[Obj], before: Any, uid: str) -> list[Obj]:
    """Return container statuses with the pod's own IDs: those it has, or new ones."""
    if not any("containerID" in status for status in statuses):
        return statuses
    had = {status["name"]: status.get("containerID") for status in before or ()}
    out = []
    for status in statuses:
        if status.get("containerID"):
            known = had.get(status["name"]) or container_id(uid, status["name"])
            found: Obj = {**status, "containerID": known}
            state = found["state"].get("terminated")
            if state and state.get("containerID"):
                found["state"] = {"terminated": {**state, "containerID": known}}
            out.append(found)
        else:
            out.append(status)
    return out
