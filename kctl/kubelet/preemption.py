"""Room for critical pods: which pods of its node a kubelet ends so that one can be taken.

In: what is lacking, the pods of the node. Out: the pods to end, as few and as cheap as they come: best effort before
burstable before guaranteed, those that fit the need best first. As CriticalPodAdmissionHandler. Not here:
whether the pod is refused for other reasons, which no preemption mends (:mod:`kctl.kubelet.admission`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kctl.api.clock import rfc3339
from kctl.api.objects import Obj, dig, with_condition
from kctl.api.staticpods import is_critical
from kctl.kubelet.admission import Refusal, lacks, misplaced, refusal, requests, taken_beside
from kctl.kubelet.pod import preempt
from kctl.runtime.actions import Action, Emit, update_status
from kctl.runtime.profile import Profile

MESSAGE = "Preempted in order to admit critical pod"
CONDITION = "Pod was preempted by Kubelet to accommodate a critical pod."
FAILED = (
    "Unexpected error while attempting to recover from admission failure: "
    "preemption: error finding a set of pods to preempt"
)
QOS = ("BestEffort", "Burstable", "Guaranteed")
Lack = Mapping[str, int]
"""How much of each resource is missing."""


def verdict(pod: Obj, node: Obj, on_node: Iterable[Obj]) -> tuple[Refusal | None, tuple[Obj, ...]]:
    """Return why the kubelet does not take the pod, and which others it ends so that it can, as HandleAdmissionFailure."""
    on_node = list(on_node)
    refused = refusal(pod, node, on_node)
    if refused is None or not refused[0].startswith("OutOf") or not is_critical(pod):
        return refused, ()
    others = taken_beside(pod, on_node)
    elsewhere = misplaced(pod, node, others)
    if elsewhere is not None:
        return elsewhere, ()
    lacking = {one.resource: one.asked - (one.capacity - one.used) for one in lacks(pod, node, others)}
    going, left = victims(pod, lacking, others)
    if left:
        listed = "".join(f"(res: {name}, q: {number}), " for name, number in left.items())
        return (
            "UnexpectedAdmissionError",
            f"{FAILED}: no set of running pods found to reclaim resources: [{listed}]",
        ), ()
    return None, tuple(going)


def victims(pod: Obj, lacking: Lack, others: Iterable[Obj]) -> tuple[list[Obj], Lack]:
    """Return the pods that go, and what would be lacking all the same, as getPodsToPreempt."""
    groups: dict[str, list[Obj]] = {name: [] for name in QOS}
    for other in others:
        if is_preemptable(pod, other):
            groups[dig(other, "status", "qosClass") or QOS[0]].append(other)
    best, burst, sure = (groups[name] for name in QOS)
    left = _less(lacking, [*best, *burst, *sure])
    if left:
        return [], left
    sure = _nearest(sure, _less(lacking, [*best, *burst]))
    burst = _nearest(burst, _less(lacking, [*best, *sure]))
    best = _nearest(best, _less(lacking, [*burst, *sure]))
    return [*best, *burst, *sure], {}


def is_preemptable(preemptor: Obj, other: Obj) -> bool:
    """Say whether a pod may make way for another, as kubetypes.Preemptable."""
    if is_critical(preemptor) and not is_critical(other):
        return True
    one, two = preemptor["spec"].get("priority"), other["spec"].get("priority")
    return one is not None and two is not None and one > two


def evicted(victim: Obj, node: Obj, now: float, profile: Profile) -> list[Action]:
    """Return what ends a pod that makes way, and says so."""
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "TerminationByKubelet",
        "message": CONDITION,
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(now),
        "observedGeneration": victim["metadata"].get("generation") or 0,
    }
    conditions = with_condition(dig(victim, "status", "conditions", default=[]), target)
    step = preempt(victim, node, MESSAGE, conditions, now, profile)
    host = node["metadata"]["name"]
    told = [Emit(victim, *event[:3], field_path=event.field_path, host=host) for event in step.events]
    return [update_status("pods", victim, step.status or {}), *told]


def _asked(pod: Obj, resource: str) -> int:
    return 1 if resource == "pods" else requests(pod["spec"]).get(resource, 0)


def _less(lacking: Lack, pods: Sequence[Obj]) -> dict[str, int]:
    """Return what is lacking when the pods are gone."""
    left = {name: number - sum(_asked(pod, name) for pod in pods) for name, number in lacking.items()}
    return {name: number for name, number in left.items() if number > 0}


def _nearest(pods: Sequence[Obj], lacking: Lack) -> list[Obj]:
    """Return pods that free what is lacking, always the one that comes nearest, as getPodsToPreemptByDistance."""
    rest, chosen = list(pods), []
    while lacking and rest:
        pick = min(rest, key=lambda pod: (_distance(pod, lacking), _asked(pod, "memory"), _asked(pod, "cpu")))
        rest.remove(pick)
        chosen.append(pick)
        lacking = _less(lacking, [pick])
    return chosen


def _distance(pod: Obj, lacking: Lack) -> float:
    return sum((max(number - _asked(pod, name), 0) / number) ** 2 for name, number in lacking.items())
