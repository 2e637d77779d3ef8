"""The status of a Deployment: counts, and the conditions Available, Progressing, ReplicaFailure.

In: a draft at the end of a sync. Out: the draft with the status written if it differs, and the
time at which lack of progress has to be looked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, key_of
from kctl.controllers.deployment_draft import (
    DEPLOYMENTS,
    Draft,
    counted,
    new_condition,
    set_condition,
    total,
)
from kctl.runtime.actions import Patch

TIMED_OUT = "ProgressDeadlineExceeded"
NEW_AVAILABLE = "NewReplicaSetAvailable"
NO_DEADLINE = 2147483647
OPTIONAL = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)

__all__ = [
    "TIMED_OUT",
    "has_deadline",
    "is_complete",
    "new_condition",
    "set_condition",
    "write_rollout",
    "write_scaled",
]


def has_deadline(deployment: Obj) -> bool:
    """Say whether lack of progress is to be reported, as HasProgressDeadline."""
    return deployment["spec"].get("progressDeadlineSeconds", NO_DEADLINE) not in (None, NO_DEADLINE)


def write_scaled(draft: Draft) -> None:
    """Write the counts; progress is not estimated, as syncDeploymentStatus."""
    _write(draft, _counts(draft))


def write_rollout(draft: Draft) -> float | None:
    """Write counts and progress; return when to look again, as syncRolloutStatus."""
    status = _counts(draft)
    if not has_deadline(draft.deployment):
        draft.drop_condition("Progressing")
    current = draft.condition("Progressing")
    done_before = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current["reason"] == NEW_AVAILABLE
    )
    if has_deadline(draft.deployment) and not done_before:
        _note_progress(draft, status)
    _copy_failure(draft)
    _write(draft, status)
    return None if done_before else _deadline(draft, status)


def _counts(draft: Draft) -> Obj:
    """Return the counts and set Available, as calculateStatus."""
    replicasets = draft.all
    available = counted(replicasets, "availableReplicas")
    if available >= draft.replicas - draft.max_unavailable:
        draft.set_condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        draft.set_condition(
            "Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
        )
    status: Obj = {
        "observedGeneration": draft.deployment["metadata"].get("generation", 0),
        "replicas": counted(replicasets, "replicas"),
        "updatedReplicas": counted([draft.new] if draft.new is not None else [], "replicas"),
        "readyReplicas": counted(replicasets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(replicasets) - available),
    }
    status = {name: value for name, value in status.items() if value}
    terminating = _terminating(replicasets)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    collisions = (draft.deployment.get("status") or {}).get("collisionCount")
    if collisions is not None:
        status["collisionCount"] = collisions
    return status


def _terminating(replicasets: Iterable[Obj]) -> int | None:
    """Return the terminating pods, None while one ReplicaSet has not said."""
    found = [(rs.get("status") or {}).get("terminatingReplicas") for rs in replicasets]
    return None if None in found else sum(number for number in found if number is not None)


def is_complete(draft: Draft, status: Obj) -> bool:
    """Say whether every pod is of the new template and available, as DeploymentComplete."""
    wanted = draft.replicas
    counts = ("updatedReplicas", "replicas", "availableReplicas")
    return all((status.get(name) or 0) == wanted for name in counts) and (
        (status.get("observedGeneration") or 0) >= draft.deployment["metadata"].get("generation", 0)
    )


def _is_progressing(draft: Draft, status: Obj) -> bool:
    """Say whether the counts have moved the right way since the last status, as DeploymentProgressing."""
    before = draft.deployment.get("status") or {}

    def count(of: Obj, name: str) -> int:
        return int(of.get(name) or 0)

    return (
        count(status, "updatedReplicas") > count(before, "updatedReplicas")
        or count(status, "replicas") - count(status, "updatedReplicas")
        < count(before, "replicas") - count(before, "updatedReplicas")
        or count(status, "readyReplicas") > count(before, "readyReplicas")
        or count(status, "availableReplicas") > count(before, "availableReplicas")
    )


def _note_progress(draft: Draft, status: Obj) -> None:
    """Set Progressing to complete, progressing or timed out."""
    new = draft.new
    about = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{draft.deployment["metadata"]["name"]}"'
    if is_complete(draft, status):
        draft.set_condition("Progressing", "True", NEW_AVAILABLE, f"{about} has successfully progressed.")
    elif _is_progressing(draft, status):
        current = draft.condition("Progressing")
        condition = new_condition("Progressing", "True", "ReplicaSetUpdated", f"{about} is progressing.", draft.now)
        if current and current["status"] == "True":
            condition["lastTransitionTime"] = current.get("lastTransitionTime", condition["lastTransitionTime"])
        # Progress with the same reason still counts: its time is what the deadline runs from.
        draft.drop_condition("Progressing")
        draft.conditions = [*draft.conditions, condition]
    elif _is_timed_out(draft):
        draft.set_condition("Progressing", "False", TIMED_OUT, f"{about} has timed out progressing.")


def _is_timed_out(draft: Draft) -> bool:
    """Say whether the deadline has passed since the last progress, as DeploymentTimedOut."""
    current = draft.condition("Progressing")
    if current is None:
        return False
    if current["reason"] == TIMED_OUT:
        return True
    return _deadline_of(draft, current) < draft.now


def _deadline_of(draft: Draft, progressing: Obj) -> float:
    seconds = draft.deployment["spec"]["progressDeadlineSeconds"]
    return parse_time(progressing["lastUpdateTime"]) + float(seconds)


def _deadline(draft: Draft, status: Obj) -> float | None:
    """Return when to look for lack of progress, as requeueStuckDeployment."""
    current = draft.condition("Progressing")
    if not has_deadline(draft.deployment) or current is None or current["reason"] == TIMED_OUT:
        return None
    if is_complete(draft, status):
        return None
    return max(_deadline_of(draft, current), draft.now) + 1.0


def _copy_failure(draft: Draft) -> None:
    """Take over the ReplicaFailure of a ReplicaSet, the new one's first, as getReplicaFailures."""
    new = [draft.new] if draft.new is not None else []
    for rs in (*new, *draft.all):
        for found in (rs.get("status") or {}).get("conditions") or ():
            if found["type"] == "ReplicaFailure":
                at = found.get("lastTransitionTime")
                copied = {**found, "lastUpdateTime": at, "lastTransitionTime": at}
                draft.conditions = set_condition(draft.conditions, copied)
                return
    draft.drop_condition("ReplicaFailure")


def _write(draft: Draft, status: Obj) -> None:
    """Write the status if it is not what stands there."""
    wanted = {**status, "conditions": draft.conditions} if draft.conditions else status
    before = {k: v for k, v in (draft.deployment.get("status") or {}).items() if v or k not in OPTIONAL}
    if wanted == before and not draft.annotations:
        return
    change = {name: value for name, value in wanted.items() if before.get(name) != value}
    gone = {name: None for name in before if name not in wanted}
    body: Obj = {"status": {**change, **gone}}
    if draft.annotations:
        body["metadata"] = {"annotations": draft.annotations}
    draft.actions.append(Patch(DEPLOYMENTS, key_of(draft.deployment), body, "merge", "status"))
