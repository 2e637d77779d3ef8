"""Rows of pods and their templates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api import durations
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, dig, is_condition_true
from kctl.api.printers import (
    AGE,
    NAME,
    Cell,
    Printer,
    age,
    columns,
    joined,
    name,
    plain_selector,
    spec_of,
    status_of,
)

CONTAINERS = "Names of each container in the template."
IMAGES = "Images referenced by each container in the template."
DONE = {
    "Succeeded": "The pod has completed successfully.",
    "Failed": "The pod failed.",
}
"""The message of the Completed condition that rows of such pods have."""


class Shown(NamedTuple):
    """What a pod's containers amount to: STATUS, ready ones, restarts and when the last one was."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last: float = 0.0


def _pod(pod: Obj, now: float) -> list[Cell]:
    spec, status = spec_of(pod), status_of(pod)
    shown = pod_status(pod)
    restarts = str(shown.restarts)
    if shown.restarts and shown.last:
        restarts += f" ({durations.age(now - shown.last)} ago)"
    gates = spec.get("readinessGates") or ()
    passed = sum(is_condition_true(pod, gate["conditionType"]) for gate in gates)
    total = len(spec.get("containers") or ()) + sum(map(is_sidecar, spec.get("initContainers") or ()))
    return [
        name(pod),
        f"{shown.ready}/{total}",
        shown.reason,
        restarts,
        age(pod, now),
        dig(status, "podIPs", 0, "ip") or status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{passed}/{len(gates)}" if gates else "<none>",
    ]


def is_sidecar(container: Obj) -> bool:
    """Say whether an init container goes on running, as IsRestartableInitContainer."""
    return container.get("restartPolicy") == "Always"


def pod_status(pod: Obj) -> Shown:
    """Return what kubectl shows as STATUS, READY and RESTARTS, as printPod finds it."""
    status = status_of(pod)
    reason = status.get("reason") or status.get("phase") or ""
    for found in status.get("conditions") or ():
        if found.get("type") == "PodScheduled" and found.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    held, shown, sidecars = _initializing(pod)
    if not held or is_condition_true(pod, "Initialized"):
        shown = _running(pod, sidecars._replace(reason=held or reason))
    if pod["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            shown = shown._replace(reason="Unknown")
        elif status.get("phase") not in ("Succeeded", "Failed"):
            shown = shown._replace(reason="Terminating")
    return shown


def _initializing(pod: Obj) -> tuple[str, Shown, Shown]:
    """Go through the init containers up to the one that holds the pod up.

    Returns what that one does ("" when all are done), what to show meanwhile, and the same with
    the restarts of sidecars alone, which count on afterwards.
    """
    declared = {found["name"]: found for found in spec_of(pod).get("initContainers") or ()}
    visited: list[Obj] = []
    reason, ready = "", 0
    for n, found in enumerate(status_of(pod).get("initContainerStatuses") or ()):
        visited.append(found)
        terminated, waiting = dig(found, "state", "terminated"), dig(found, "state", "waiting", "reason")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if found.get("started") and is_sidecar(declared.get(found["name"], {})):
            ready += bool(found.get("ready"))
            continue
        if terminated is not None:
            reason = f"Init:{_ended(terminated)}"
        elif waiting and waiting != "PodInitializing":
            reason = f"Init:{waiting}"
        else:
            reason = f"Init:{n}/{len(declared)}"
        break
    sidecars = [found for found in visited if is_sidecar(declared.get(found["name"], {}))]
    return reason, Shown(reason, ready, *_restarts(visited)), Shown(reason, ready, *_restarts(sidecars))


def _running(pod: Obj, before: Shown) -> Shown:
    """Add the containers proper: the first of them that waits or ended gives the reason."""
    containers = status_of(pod).get("containerStatuses") or ()
    reason, ready, running = before.reason, before.ready, 0
    for found in reversed(containers):
        waiting, terminated = dig(found, "state", "waiting", "reason"), dig(found, "state", "terminated")
        if waiting:
            reason = waiting
        elif terminated is not None:
            reason = _ended(terminated)
        elif found.get("ready") and dig(found, "state", "running") is not None:
            running += 1
    if reason == "Completed" and running:
        reason = "Running" if is_condition_true(pod, "Ready") else "NotReady"
    restarts, last = _restarts(containers)
    return Shown(reason, ready + running, before.restarts + restarts, max(before.last, last))


def _restarts(containers: Iterable[Obj]) -> tuple[int, float]:
    """Return how often containers restarted, and when the last of them had ended."""
    count, last = 0, 0.0
    for found in containers:
        count += found.get("restartCount", 0)
        text = dig(found, "lastState", "terminated", "finishedAt")
        last = max(last, parse_time(text) if text else 0.0)
    return count, last


def _ended(terminated: Obj) -> str:
    """Say how a container ended."""
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _conditions(pod: Obj) -> list[Obj]:
    """Return the row's conditions: pods that are done can be told from others without reading cells."""
    phase = status_of(pod).get("phase", "")
    if phase not in DONE:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": DONE[phase]}]


def containers_of(template: Obj | None) -> list[Cell]:
    """Return the names and the images of a template's containers, as layoutContainerCells."""
    containers = dig(template, "spec", "containers", default=())
    return [
        joined((found.get("name", "") for found in containers), ""),
        joined((found.get("image", "") for found in containers), ""),
    ]


def _template(obj: Obj, now: float) -> list[Cell]:
    template = obj.get("template") or {}
    return [name(obj), *containers_of(template), plain_selector(dig(template, "metadata", "labels"))]


PRINTERS = {
    "pods": Printer(
        columns(
            NAME,
            "Ready | The aggregate readiness state of this pod for accepting traffic.",
            "Status | The aggregate status of the containers in this pod.",
            "Restarts | The number of times the containers in this pod have been restarted"
            " and when the last container in this pod has restarted.",
            AGE,
            "IP/1 | @core.v1.PodStatus.podIP",
            "Node/1 | @core.v1.PodSpec.nodeName",
            "Nominated Node/1 | @core.v1.PodStatus.nominatedNodeName",
            "Readiness Gates/1 | @core.v1.PodSpec.readinessGates",
        ),
        _pod,
        _conditions,
    ),
    "podtemplates": Printer(
        columns(
            NAME,
            f"Containers | {CONTAINERS}",
            f"Images | {IMAGES}",
            "Pod Labels | The labels for the pod template.",
        ),
        _template,
    ),
}
