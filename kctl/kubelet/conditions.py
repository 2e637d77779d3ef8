"""The conditions kubelet owns on a pod, with its reasons and messages.

In: the pod, its container statuses and phase, the instant. Out: the list of conditions.
Conditions that others own come first and stay as they are (readiness gates read them).
As pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kctl.api.clock import rfc3339
from kctl.api.objects import Obj
from kctl.kubelet import resetting
from kctl.kubelet.phase import TERMINAL, any_regular_started, is_sidecar

OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
"""In the order kubelet writes them."""
RESIZE = "PodResizePending"
KUBELETS = (*OWNED, resetting.CONDITION, RESIZE)


class Verdict(NamedTuple):
    """What a condition says, without its times."""

    status: bool
    reason: str = ""
    message: str = ""


def _names(names: Sequence[str]) -> str:
    """Write names as Go prints a slice of strings."""
    return "[" + " ".join(names) + "]"


def initialized(spec: Obj, statuses: Mapping[str, Obj], phase: str) -> Verdict:
    """Judge Initialized, as GeneratePodInitializedCondition."""
    unknown: list[str] = []
    incomplete: list[str] = []
    for container in spec.get("initContainers") or ():
        status = statuses.get(container["name"])
        if status is None:
            unknown.append(container["name"])
        elif not (status.get("started") if is_sidecar(container) else status.get("ready")):
            incomplete.append(container["name"])
    if phase == "Succeeded" and not unknown:
        return Verdict(True, "PodCompleted")
    if not (unknown or incomplete) or any_regular_started(spec, statuses):
        return Verdict(True)
    texts = []
    if unknown:
        texts.append(f"containers with unknown status: {_names(unknown)}")
    if incomplete:
        texts.append(f"containers with incomplete status: {_names(incomplete)}")
    return Verdict(False, "ContainersNotInitialized", ", ".join(texts))


def containers_ready(spec: Obj, statuses: Mapping[str, Obj], phase: str) -> Verdict:
    """Judge ContainersReady, as GenerateContainersReadyCondition."""
    unknown: list[str] = []
    unready: list[str] = []
    sidecars = [c for c in spec.get("initContainers") or () if is_sidecar(c)]
    for container in (*sidecars, *spec["containers"]):
        status = statuses.get(container["name"])
        if status is None:
            unknown.append(container["name"])
        elif not status.get("ready"):
            unready.append(container["name"])
    if phase == "Succeeded" and not unknown:
        return Verdict(False, "PodCompleted")
    if phase == "Failed":
        return Verdict(False, "PodFailed")
    texts = []
    if unknown:
        texts.append(f"containers with unknown status: {_names(unknown)}")
    if unready:
        texts.append(f"containers with unready status: {_names(unready)}")
    if texts:
        return Verdict(False, "ContainersNotReady", ", ".join(texts))
    return Verdict(True)


def ready(spec: Obj, containers: Verdict, others: Sequence[Obj]) -> Verdict:
    """Judge Ready from ContainersReady and the readiness gates, as GeneratePodReadyCondition."""
    gates = spec.get("readinessGates")
    if not containers.status or not gates:
        return containers
    found = {condition["type"]: condition["status"] for condition in others}
    texts = []
    for gate in gates:
        name = gate["conditionType"]
        if name not in found:
            texts.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif found[name] != "True":
            texts.append(f'the status of pod readiness gate "{name}" is not "True", but {found[name]}')
    return Verdict(False, "ReadinessGatesNotReady", ", ".join(texts)) if texts else containers


def conditions_of(
    pod: Obj,
    statuses: Mapping[str, Obj],
    phase: str,
    *,
    has_sandbox: bool,
    now: float,
    waits: tuple[str, str] | None = None,
) -> list[Obj]:
    """Return every condition of the pod; a transition time moves only with the status. ``waits``: why a resize does."""
    old = (pod.get("status") or {}).get("conditions") or ()
    known = {condition["type"]: condition for condition in old}
    others = [condition for condition in old if condition["type"] not in KUBELETS]
    spec = pod["spec"]
    of_containers = containers_ready(spec, statuses, phase)
    verdicts = (
        Verdict(has_sandbox),
        initialized(spec, statuses, phase),
        ready(spec, of_containers, others),
        of_containers,
        Verdict(True),
    )
    generation = pod["metadata"].get("generation")
    resize: list[Obj] = []
    if waits is not None and phase not in TERMINAL:
        resize = [_condition(RESIZE, Verdict(True, *waits), known.get(RESIZE), generation, now)]
    made = [
        _condition(type_, verdict, known.get(type_), generation, now)
        for type_, verdict in zip(OWNED, verdicts, strict=True)
    ]
    if resetting.may_reset(spec):
        verdict = _reset(spec, statuses, phase)
        made.append(_condition(resetting.CONDITION, verdict, known.get(resetting.CONDITION), None, now))
    return [*others, *resize, *made]


def _reset(spec: Obj, statuses: Mapping[str, Obj], phase: str) -> Verdict:
    """Judge AllContainersRestarting, as GenerateAllContainersRestartingCondition."""
    if phase in ("Succeeded", "Failed"):
        return Verdict(False, "PodCompleted" if phase == "Succeeded" else "PodFailed")
    is_under_way = bool(resetting.triggers(spec, statuses))
    return Verdict(True, resetting.REASON, resetting.MESSAGE) if is_under_way else Verdict(False)


def _condition(type_: str, verdict: Verdict, old: Obj | None, generation: int | None, now: float) -> Obj:
    """Return the condition, the very same one where nothing about it has changed."""
    status = "True" if verdict.status else "False"
    is_same = old is not None and old.get("status") == status
    if (
        old is not None
        and is_same
        and old.get("reason", "") == verdict.reason
        and old.get("message", "") == verdict.message
        and old.get("observedGeneration") == (generation or None)
        and old.get("lastTransitionTime")
    ):
        return old
    made: Obj = {
        "type": type_,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": (old or {}).get("lastTransitionTime") if is_same else None,
    }
    made["lastTransitionTime"] = made["lastTransitionTime"] or rfc3339(now)
    if generation:
        made["observedGeneration"] = generation
    if verdict.reason:
        made["reason"] = verdict.reason
    if verdict.message:
        made["message"] = verdict.message
    return made
