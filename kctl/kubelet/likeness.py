"""Pods alike fare alike: what became of one at an instant, said of the others.

In: a pod, its node, what its kubelet knows. Out: its next step, taken from that of a pod like it when
there is one. Two pods are alike when they are of one template, in the same state but for addresses and
IDs, and when every pull the first had to ask about goes the same way for the second. Nothing
here decides anything: :func:`kctl.kubelet.pod.advance` does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kctl.api.behaviour import booted_at
from kctl.api.jsontext import as_given
from kctl.api.likeness import OF_SPECS, OF_STATUSES, is_like
from kctl.api.objects import Obj
from kctl.kubelet.containers import container_id
from kctl.kubelet.phase import TERMINAL, by_name
from kctl.kubelet.pod import Asked, Known, Step, ask, is_silent, node_ip, step_of
from kctl.runtime.profile import Profile

STATUSES = ("containerStatuses", "initContainerStatuses")
JUDGED = ("generation", "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers")
"""What of its metadata a pod's next step depends on."""
VARIANTS = 4
"""So many models are kept of one template; the last one that served is tried first."""


class Model(NamedTuple):
    """A pod as it was, what was known, what was asked about pulls, and the step it took."""

    pod: Obj
    known: Known
    has_node_ip: bool
    asked: Asked
    step: Step


class Lives:
    """The steps of one instant that other pods may take."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._now = -1.0
        self._known: dict[tuple[int, str, str, str], list[Model]] = {}
        self._parts: dict[str, Any] = {}
        """Parts of statuses by what they say, so that pods of different templates share them too."""

    def advance(self, pod: Obj, node: Obj | None, known: Known, now: float) -> Step:
        """Say what becomes of the pod at ``now``, as :func:`kctl.kubelet.pod.advance`."""
        if node is None or is_silent(node):
            return Step()
        status = pod.get("status") or {}
        meta = pod["metadata"]
        if (
            known.refusal is not None
            or known.victims
            or known.turn is not None
            or known.waits is not None
            or status.get("phase") in TERMINAL
            or has_history(status)
            or booted_at(node) is not None
        ):
            return step_of(pod, node, known, now, self._profile)[0]
        if now != self._now:
            self._known.clear()
            self._parts.clear()
            self._now = now
        end = meta.get("deletionTimestamp", "")
        place = (id(pod["spec"]["containers"]), meta.get("namespace", ""), status.get("phase", ""), end)
        models = self._known.get(place)
        if models is None:  # a model keeps its containers, so that no others get their id meanwhile
            models = self._known[place] = []
        address = node_ip(node)
        for model in models:
            if _is_like(model, pod, known, bool(address)) and self._goes_alike(model, pod, known, now):
                return _taken(model, pod, known.address, address)
        step, asked = step_of(pod, node, known, now, self._profile)
        if step.status is not None:
            step = step._replace(status=self._shared(step.status))
        if step.status is not None and has_history(step.status):
            return step
        models.insert(0, Model(pod, known, bool(address), asked, step))
        del models[VARIANTS:]
        return step

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

    def _goes_alike(self, model: Model, pod: Obj, known: Known, now: float) -> bool:
        """Say whether what was asked about pulls has the same answers for this pod."""
        return all(
            ask(pod, container, number, begun, known, self._profile) == pull
            for number, container, begun, pull in model.asked
        )


def has_history(status: Obj) -> bool:
    """Say whether a container has been run again: then IDs and words are about the pod alone."""
    return any(one.get("restartCount") for name in STATUSES for one in status.get(name) or ())


def _is_like(model: Model, pod: Obj, known: Known, has_node_ip: bool) -> bool:
    was = model.pod
    return (
        model.has_node_ip == has_node_ip
        and bool(model.known.address) == bool(known.address)
        and was["spec"]["containers"] is pod["spec"]["containers"]
        and all(was["metadata"].get(name) == pod["metadata"].get(name) for name in JUDGED)
        and model.known.behaviour == known.behaviour
        and model.known.volumes == known.volumes
        and is_like(was.get("status"), pod.get("status"), OF_STATUSES)
        and is_like(was["spec"], pod["spec"], OF_SPECS)
        and model.known.objects.keys() == known.objects.keys()
        and all(known.objects[name] is obj for name, obj in model.known.objects.items())
    )


def _taken(model: Model, pod: Obj, free_address: str, host: str) -> Step:
    """Return the model's step with the pod's own addresses and IDs."""
    step = model.step
    if step.status is None:
        return step
    status: Obj = dict(step.status)
    old: Obj = pod.get("status") or {}
    if host:
        status["hostIP"], status["hostIPs"] = host, [{"ip": host}]
    if "podIP" in status:
        address = old.get("podIP") or (host if pod["spec"].get("hostNetwork") else free_address)
        status["podIP"] = address
        status["podIPs"] = old["podIPs"] if old.get("podIP") else [{"ip": address}]
    for name in STATUSES:
        if name in status:
            status[name] = _own(status[name], old.get(name), pod["metadata"].get("uid", ""))
    return step._replace(status=status)


def _own(statuses: list[Obj], before: Any, uid: str) -> list[Obj]:
    """Return container statuses with the pod's own IDs: those it has, or new ones."""
    had = by_name(before)
    out = []
    for status in statuses:
        if status.get("containerID"):
            known = (had.get(status["name"]) or {}).get("containerID")
            found: Obj = {**status, "containerID": known or container_id(uid, status["name"])}
            state = found["state"].get("terminated")
            if state and state.get("containerID"):
                found["state"] = {"terminated": {**state, "containerID": found["containerID"]}}
            out.append(found)
        else:
            out.append(status)
    return out
