"""When a Job's pod counts as failed, what its podFailurePolicy says to that, and how long to wait.

In: a Job, its pods, the instant. Out: a rule's action, a number of seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, condition, is_deleting, key_of
from kctl.controllers.pods import phase_of

FIRST_BACKOFF = 10.0
MAX_BACKOFF = 600.0
MANY_TRIES = 6
"""With more tries left at the longest back-off, a Job fails for hours: what repeats itself is not waited for."""
ROUNDS = 3
"""At so many moments must pods have failed: many at once are one failure."""


class Verdict(NamedTuple):
    """What the policy does with a failed pod: its action ("" for no rule) and why the Job fails."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Say whether the failure counts towards the back-off limits."""
        return self.action != "Ignore"


def replaces_only_failed(job: Obj) -> bool:
    """Say whether a pod on its way out is replaced only when it has ended, as onlyReplaceFailedPods."""
    spec = job["spec"]
    return spec.get("podReplacementPolicy") == "Failed" or spec.get("podFailurePolicy") is not None


def is_failed(pod: Obj, job: Obj) -> bool:
    """Say whether the pod counts as a failure, as isPodFailed."""
    phase = phase_of(pod)
    if phase == "Failed":
        return True
    return is_deleting(pod) and phase != "Succeeded" and not replaces_only_failed(job)


def judge(job: Obj, pod: Obj) -> Verdict:
    """Return what the first rule that matches the failed pod says, as matchPodFailurePolicy."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    status = pod.get("status") or {}
    for number, rule in enumerate(rules):
        action = rule["action"]
        if rule.get("onExitCodes") is not None:
            ended = _ended_with(status, rule["onExitCodes"])
            if ended is not None:
                code = ended["state"]["terminated"]["exitCode"]
                text = f"Container {ended['name']} for pod {key_of(pod)} failed with exit code {code}"
                return _verdict(action, text, number)
        elif rule.get("onPodConditions") is not None:
            type_ = _condition_type(status, rule["onPodConditions"])
            if type_ is not None:
                return _verdict(action, f"Pod {key_of(pod)} has condition {type_}", number)
    return Verdict()


def _verdict(action: str, text: str, number: int) -> Verdict:
    message = f"{text} matching {action} rule at index {number}" if action == "FailJob" else ""
    return Verdict(action, message)


def _ended_with(status: Obj, asked: Obj) -> Obj | None:
    """Return the first container that ended with an exit code that is asked for."""
    values = asked.get("values") or ()
    for found in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        ended = (found.get("state") or {}).get("terminated")
        named = asked.get("containerName") in (None, found["name"])
        if ended and named and ended["exitCode"] and (ended["exitCode"] in values) == (asked["operator"] == "In"):
            return dict(found)
    return None


def _condition_type(status: Obj, patterns: Iterable[Obj]) -> str | None:
    wanted = {(pattern["type"], pattern.get("status", "True")) for pattern in patterns}
    for found in status.get("conditions") or ():
        if (found["type"], found["status"]) in wanted:
            return str(found["type"])
    return None


def finished_at(pod: Obj) -> float:
    """Return when the pod ended, or when it began to, as getFinishedTime."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    ends = [((found.get("state") or {}).get("terminated") or {}).get("finishedAt") for found in statuses]
    if ends and all(ends):
        return max(map(parse_time, ends))
    ready = condition(pod, "Ready")
    if ready and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        return parse_time(meta["deletionTimestamp"]) - (meta.get("deletionGracePeriodSeconds") or 0)
    return parse_time(meta["creationTimestamp"])


def is_endless(wait: float, rounds: int, left: int) -> bool:
    """Say whether a retry is one of many alike: the back-off is at its longest and the limit is far."""
    return wait >= MAX_BACKOFF and rounds >= ROUNDS and left > MANY_TRIES


def retry_at(failures: int, last: float) -> float:
    """Return when pods may be made again after so many failures in a row."""
    return last + min(FIRST_BACKOFF * 2 ** (min(failures, 16) - 1), MAX_BACKOFF) if failures else float("-inf")


def pods_again_at(failures: Iterable[float], succeeded: Iterable[Obj]) -> float:
    """Return when pods may be made again: failures since the last success count, as backoffRecord."""
    since = max(map(finished_at, succeeded), default=float("-inf"))
    times = [at for at in failures if at > since]
    return retry_at(len(times), max(times, default=0.0))
