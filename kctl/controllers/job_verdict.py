"""How a Job ends: which rule ends it, and the conditions that say so.

In: a sync with everything counted. Out: the end, or None while the Job goes on; the conditions,
first the interim one (SuccessCriteriaMet, FailureTarget), and the final one (Complete, Failed)
when no pod is left running and none uncounted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.clock import rfc3339
from kctl.api.objects import Obj
from kctl.controllers import job_indexes as indexes
from kctl.controllers.job_failures import is_failed, judge
from kctl.controllers.pods import phase_of
from kctl.runtime.actions import Emit

if TYPE_CHECKING:
    from kctl.controllers.job_sync import Sync


class End(NamedTuple):
    """How it ends and why."""

    is_success: bool
    reason: str
    message: str


COMPLETE = End(True, "CompletionsReached", "Reached expected number of succeeded pods")
BACKOFF = End(False, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
DEADLINE = End(False, "DeadlineExceeded", "Job was active longer than specified deadline")
TOO_MANY_INDEXES = End(
    False, "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
)
FAILED_INDEXES = End(False, "FailedIndexes", "Job has failed indexes")


def end_of(sync: Sync) -> End | None:
    """Return the first rule that ends the Job, in upstream's order; completion is looked at later."""
    for type_, is_success in (("SuccessCriteriaMet", True), ("FailureTarget", False)):
        decided = find(sync.conditions, type_)
        if decided is not None and decided["status"] == "True":
            return End(is_success, decided.get("reason", ""), decided.get("message", ""))
    return _by_policy(sync) or _by_limits(sync) or _by_indexes(sync)


def _by_policy(sync: Sync) -> End | None:
    if sync.spec.get("podFailurePolicy") is None:
        return None
    for pod in sync.pods:
        message = judge(sync.job, pod).message if is_failed(pod, sync.job) else ""
        if message:
            return End(False, "PodFailurePolicy", message)
    return None


def _by_limits(sync: Sync) -> End | None:
    limit = sync.spec.get("backoffLimit", 6)
    if sync.failed > limit or _restarted_too_often(sync, limit):
        return BACKOFF
    deadline = sync.deadline()
    if deadline is not None:
        if sync.now >= deadline:
            return DEADLINE
        sync.wakes.append(deadline)
    return None


def _restarted_too_often(sync: Sync, limit: int) -> bool:
    """Say whether restarts in place have used the limit up, as pastBackoffLimitOnFailure."""
    if sync.spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = 0
    for pod in sync.pods:
        if phase_of(pod) in ("Running", "Pending"):
            status = pod.get("status") or {}
            for found in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
                restarts += found.get("restartCount", 0)
    return restarts > 0 if limit == 0 else restarts >= limit


def _by_indexes(sync: Sync) -> End | None:
    if not sync.is_indexed:
        return None
    if sync.limit_per_index is not None:
        lost, most = indexes.total(sync.failed_indexes), sync.spec.get("maxFailedIndexes")
        if most is not None and lost > most:
            return TOO_MANY_INDEXES
        if lost and lost + indexes.total(sync.completed) >= sync.spec["completions"]:
            return FAILED_INDEXES
    return _by_success_policy(sync)


def _by_success_policy(sync: Sync) -> End | None:
    """Return the end by the first rule of the successPolicy that is met, as matchSuccessPolicy."""
    rules = (sync.spec.get("successPolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules if sync.completed else ()):
        count, asked = rule.get("succeededCount"), rule.get("succeededIndexes")
        done = indexes.total(sync.completed)
        if asked is not None:
            required = indexes.parse(asked, sync.spec["completions"])
            if not required:
                continue
            done = indexes.common(required, sync.completed)
            count = min(count or indexes.total(required), indexes.total(required))
        if count is not None and done >= count:
            return End(True, "SuccessPolicy", f"Matched rules at index {number}")
    return None


def is_complete(sync: Sync) -> bool:
    """Say whether enough pods have succeeded and none is left running."""
    completions = sync.spec.get("completions")
    enough = sync.succeeded > 0 if completions is None else sync.succeeded >= completions
    return enough and sync.running == 0


def enact(sync: Sync) -> bool:
    """Put the conditions of the end in place; say whether the Job is finished, as enactJobFinished."""
    end = sync.end
    if end is None:
        return False
    interim, final = ("SuccessCriteriaMet", "Complete") if end.is_success else ("FailureTarget", "Failed")
    if find(sync.conditions, interim) is None:
        sync.conditions = put(sync.conditions, interim, end.reason, end.message, sync.now)
    if sync.untracked or not sync.is_booked or any(sync.uncounted.values()) or sync.terminating:
        return False
    sync.conditions = put(sync.conditions, final, end.reason, end.message, sync.now)
    completions = sync.spec.get("completions")
    if not end.is_success:
        sync.events.append(Emit(sync.job, "Warning", end.reason, end.message))
        return True
    if completions is not None and sync.counted["succeeded"] > completions:
        message = "Too many succeeded pods running after completion count reached"
        sync.events.append(Emit(sync.job, "Warning", "TooManySucceededPods", message))
    sync.events.append(Emit(sync.job, "Normal", "Completed", "Job completed"))
    return True


def is_finished(job: Obj) -> bool:
    """Say whether the Job is complete or has failed, as IsJobFinished."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(found["type"] in ("Complete", "Failed") and found["status"] == "True" for found in conditions)


def find(conditions: Iterable[Obj], type_: str) -> Obj | None:
    """Return the condition of that type."""
    return next((found for found in conditions if found["type"] == type_), None)


def put(conditions: list[Obj], type_: str, reason: str, message: str, now: float, *, status: str = "True") -> list[Obj]:
    """Return the conditions with a new one in the place of the one of its type, or at the end."""
    at = rfc3339(now)
    new: Obj = {"type": type_, "status": status, "lastProbeTime": at, "lastTransitionTime": at}
    if reason:
        new |= {"reason": reason, "message": message}
    if find(conditions, type_) is None:
        return [*conditions, new]
    return [new if found["type"] == type_ else found for found in conditions]
