"""One sync of a Job in the making: count what has ended, judge, make or remove pods, keep the books.

In: a Job that has not finished, its pods, the instant. Out: the status and the actions, in the
order of upstream's syncJob.

A pod is counted in three steps, each written down before the next, so that none is lost or
counted twice: its uid goes into ``uncountedTerminatedPods``; its finalizer is taken off; its uid
gives way to a higher number. Upstream goes on with the third in the same sync from what it
remembers; here the next sync does it, from what it sees.
"""

from __future__ import annotations

from collections.abc import Sequence

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj, is_deleting, key_of
from kctl.controllers import job_indexes as indexes
from kctl.controllers import job_verdict as verdicts
from kctl.controllers.job_failures import (
    finished_at,
    is_endless,
    is_failed,
    judge,
    pods_again_at,
    replaces_only_failed,
    retry_at,
)
from kctl.controllers.job_indexes import Indexes, index_of
from kctl.controllers.job_pods import (
    FAILURES,
    count_in,
    failures_of_index,
    is_tracked,
    new_indexed_pod,
    new_pods,
    surplus,
    untrack,
)
from kctl.controllers.pods import is_active, is_ready, is_terminating, phase_of
from kctl.runtime.actions import Action, Create, Delete, Emit, Patch

BURST = 500
"""As upstream: one sync never creates, deletes or counts more pods than this."""


class Sync:
    """A sync; only this object is mutable, and it does not outlive the decision."""

    def __init__(
        self, job: Obj, pods: Sequence[Obj], now: float, *, taken: Sequence[str] = (), failures: Sequence[float] = ()
    ) -> None:
        """Begin: ``taken`` are names of pods there are, ``failures`` when pods have failed."""
        self.job, self.pods, self.taken, self.failures, self.now = job, pods, taken, failures, now
        self.spec: Obj = job["spec"]
        self.old: Obj = job.get("status") or {}
        self.active = [pod for pod in pods if is_active(pod)]
        self.running = len(self.active)
        self.ready = sum(map(is_ready, self.active))
        self.terminating = sum(map(is_terminating, pods))
        self.conditions: list[Obj] = list(self.old.get("conditions") or ())
        self.start: str | None = self.old.get("startTime")
        self.wakes: list[float] = []
        self.retries: list[float] = []
        """When pods are made again although nothing suggests that they will do better."""
        self.manage_actions: list[Action] = []
        self.events: list[Action] = []
        self._settle_books()
        self._count_ended()

    @property
    def is_indexed(self) -> bool:
        """Say whether every pod works on an index of its own."""
        return bool(self.spec.get("completionMode") == "Indexed")

    @property
    def is_suspended(self) -> bool:
        """Say whether the Job is not to run for now."""
        return bool(self.spec.get("suspend"))

    @property
    def limit_per_index(self) -> int | None:
        """Return how often an index may fail, None when only the whole counts."""
        limit = self.spec.get("backoffLimitPerIndex")
        return None if limit is None else int(limit)

    def _settle_books(self) -> None:
        """Turn uids whose pods have lost their finalizer into numbers, as cleanUncountedPodsWithoutFinalizers."""
        tracked = {pod["metadata"]["uid"] for pod in self.pods if is_tracked(pod)}
        uncounted = self.old.get("uncountedTerminatedPods") or {}
        self.uncounted: dict[str, list[str]] = {}
        self.counted: dict[str, int] = {}
        for kind in ("succeeded", "failed"):
            before = uncounted.get(kind) or ()
            self.uncounted[kind] = [uid for uid in before if uid in tracked]
            self.counted[kind] = (self.old.get(kind) or 0) + len(before) - len(self.uncounted[kind])

    def _count_ended(self) -> None:
        """Find the pods that have ended and are in no book yet, as getNewFinishedPods."""
        known = {*self.uncounted["succeeded"], *self.uncounted["failed"]}
        fresh = [p for p in self.pods if is_tracked(p) and self.is_valid(p) and p["metadata"]["uid"] not in known]
        new_failed = [pod for pod in fresh if is_failed(pod, self.job)]
        new_succeeded = [pod for pod in fresh if phase_of(pod) == "Succeeded"]
        self.failed = self.counted["failed"] + len(self.uncounted["failed"])
        self.failed += sum(judge(self.job, pod).counts for pod in new_failed)
        self.succeeded = self.counted["succeeded"] + len(self.uncounted["succeeded"]) + len(new_succeeded)
        self.completed: Indexes = ()
        self.failed_indexes: Indexes = ()
        self.delayed: dict[int, Obj] = {}
        if self.is_indexed:
            self._count_indexes()

    def is_valid(self, pod: Obj) -> bool:
        """Say whether the pod's work counts: that of an Indexed Job's pods has a number."""
        index = index_of(pod) if self.is_indexed else 0
        return index is not None and (not self.is_indexed or index < self.spec["completions"])

    def _count_indexes(self) -> None:
        completions = self.spec["completions"]
        mine = [(index_of(pod), pod) for pod in self.pods if is_tracked(pod) and self.is_valid(pod)]
        done = (index for index, pod in mine if index is not None and phase_of(pod) == "Succeeded")
        before = indexes.parse(self.old.get("completedIndexes", ""), completions)
        self.completed = indexes.union(before, indexes.of_numbers(done))
        self.succeeded = indexes.total(self.completed)
        if self.limit_per_index is not None:
            lost = (index for index, pod in mine if index is not None and self._is_index_lost(pod))
            before = indexes.parse(self.old.get("failedIndexes") or "", completions)
            self.failed_indexes = indexes.union(before, indexes.of_numbers(lost))
            self._find_delayed()

    def _is_index_lost(self, pod: Obj) -> bool:
        """Say whether the pod's failure is its index's last, as isIndexFailed."""
        if not is_failed(pod, self.job):
            return False
        verdict = judge(self.job, pod)
        if verdict.action == "FailIndex":
            return True
        return verdict.counts and count_in(pod, FAILURES) >= (self.limit_per_index or 0)

    def _find_delayed(self) -> None:
        """Find the failed pod of each index that waits for its successor to take over its failures."""
        busy = {index_of(pod) for pod in self.active}
        for pod in self.pods:
            index = index_of(pod)
            if index is None or not is_tracked(pod) or not self.is_valid(pod) or not is_failed(pod, self.job):
                continue
            if index in busy or indexes.has(self.completed, index) or indexes.has(self.failed_indexes, index):
                continue
            other = self.delayed.get(index)
            if other is None or _recency(pod) >= _recency(other):
                self.delayed[index] = pod

    def run(self) -> None:
        """Judge, then make or remove pods, then keep the books."""
        if self.start is None and not self.is_suspended:
            self.start = rfc3339(self.now)
        self.end = verdicts.end_of(self)
        if self.end is not None:
            for pod in self.active:
                self._delete(pod)
        else:
            self._go_on()
        self._track()

    def _go_on(self) -> None:
        is_managed = not is_deleting(self.job)
        if is_managed:
            self._manage()
        if verdicts.is_complete(self):
            self.end = verdicts.COMPLETE
        elif is_managed:
            self._note_suspension()

    def _note_suspension(self) -> None:
        """Keep the condition Suspended; a Job that goes on counts its time anew."""
        before = verdicts.find(self.conditions, "Suspended")
        if self.is_suspended and (before is None or before["status"] != "True"):
            self.conditions = verdicts.put(self.conditions, "Suspended", "JobSuspended", "Job suspended", self.now)
            self.start = None
            self.events.append(Emit(self.job, "Normal", "Suspended", "Job suspended"))
        elif not self.is_suspended and before is not None and before["status"] == "True":
            self.conditions = verdicts.put(
                self.conditions, "Suspended", "JobResumed", "Job resumed", self.now, status="False"
            )
            self.start = rfc3339(self.now)
            self.events.append(Emit(self.job, "Normal", "Resumed", "Job resumed"))

    def _manage(self) -> None:
        """Remove what is too much or else make what is missing, as manageJob."""
        wanted = 0 if self.is_suspended else self._wanted()
        gone = surplus(self.job, self.active, max(self.running - wanted, 0))
        if gone or self.is_suspended:
            for pod in gone if self.is_suspended else gone[:BURST]:
                if is_tracked(pod):
                    self.manage_actions.append(untrack(pod))
                self._delete(pod)
            return
        leaving = self.terminating if replaces_only_failed(self.job) else 0
        missing = min(wanted - leaving - self.running, BURST)
        if missing > 0:
            self._create(missing)

    def _wanted(self) -> int:
        parallelism, completions = self.spec.get("parallelism", 1), self.spec.get("completions")
        if completions is None:
            return self.running if self.succeeded else int(parallelism)
        return int(max(min(completions - self.succeeded, parallelism), 0))

    def _delete(self, pod: Obj) -> None:
        self.manage_actions.append(Delete("pods", key_of(pod), pod["metadata"]["uid"]))
        self.manage_actions.append(
            Emit(self.job, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        )
        self.running -= 1
        self.terminating += 1
        self.ready -= is_ready(pod)

    def _create(self, missing: int) -> None:
        if self.limit_per_index is None:
            at = pods_again_at(self.failures, [pod for pod in self.pods if phase_of(pod) == "Succeeded"])
            if at > self.now:
                left = self.spec.get("backoffLimit", 6) - self.failed
                rounds = len({int(failure) for failure in self.failures})
                is_alike = is_endless(at - max(self.failures), rounds, left)
                (self.retries if is_alike else self.wakes).append(at)
                return
        made = self._indexed_pods(missing) if self.is_indexed else new_pods(self.job, missing, self.taken)
        for pod in made:
            self.manage_actions.append(Create("pods", pod))
            self.manage_actions.append(
                Emit(self.job, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
            )
        self.running += len(made)

    def _indexed_pods(self, missing: int) -> list[Obj]:
        """Return pods for the first free indexes whose back-off is over."""
        holders = [*self.active]
        if replaces_only_failed(self.job):
            holders += [pod for pod in self.pods if is_terminating(pod)]
        busy = (index for index in map(index_of, holders) if index is not None)
        taken = indexes.union(self.completed, self.failed_indexes, indexes.of_numbers(busy))
        free = indexes.first_free(taken, missing, self.spec["completions"])
        times = {index: self._index_again_at(index) for index in free}
        now = [index for index in free if times[index] <= self.now]
        if free and not now:
            first = min(free, key=lambda index: times[index])
            (self.retries if self._is_endless(first, times[first]) else self.wakes).append(times[first])
        elif len(now) < len(free):
            self.wakes.append(min(at for at in times.values() if at > self.now))
        return [new_indexed_pod(self.job, index, self.taken, self.delayed.get(index)) for index in now]

    def _index_again_at(self, index: int) -> float:
        pod = self.delayed.get(index)
        return float("-inf") if pod is None else retry_at(failures_of_index(pod) + 1, finished_at(pod))

    def _is_endless(self, index: int, at: float) -> bool:
        pod = self.delayed.get(index)
        if pod is None or self.limit_per_index is None:
            return False
        count = failures_of_index(pod)
        return is_endless(at - finished_at(pod), count + 1, self.limit_per_index - count)

    def _track(self) -> None:
        """Book what has ended and let go of it, as trackJobStatusAndRemoveFinalizers."""
        self.untracked: list[Patch] = []
        self.is_booked = True
        done = indexes.parse(self.old.get("completedIndexes", ""), self.spec["completions"]) if self.is_indexed else ()
        new_indexes: set[int] = set()
        for pod in sorted(self.pods, key=lambda pod: index_of(pod) or 0) if self.is_indexed else self.pods:
            if not is_tracked(pod) or not self._may_let_go(pod):
                continue
            self.untracked.append(untrack(pod))
            index = index_of(pod) if self.is_indexed else None
            uid = pod["metadata"]["uid"]
            if phase_of(pod) == "Succeeded" and uid not in self.uncounted["failed"]:
                if not self.is_indexed and uid not in self.uncounted["succeeded"]:
                    self.uncounted["succeeded"].append(uid)
                elif index is not None and self.is_valid(pod):
                    new_indexes.add(index)
            elif self._is_loss(pod) and uid not in self.uncounted["failed"]:
                self.uncounted["failed"].append(uid)
            if len(new_indexes) + sum(map(len, self.uncounted.values())) >= BURST:
                self.is_booked = False
                break
        if self.is_indexed:
            self.completed = indexes.union(done, indexes.of_numbers(new_indexes))

    def _may_let_go(self, pod: Obj) -> bool:
        """Say whether the pod needs no finalizer any more, as canRemoveFinalizer."""
        if is_deleting(self.job) or self.end is not None or phase_of(pod) == "Succeeded":
            return True
        if not is_failed(pod, self.job):
            return False
        return all(pod is not waiting for waiting in self.delayed.values())

    def _is_loss(self, pod: Obj) -> bool:
        """Say whether the pod goes into the book of failures; of a failed Job every pod that runs does."""
        if not self.is_valid(pod):
            return False
        lost = is_failed(pod, self.job) or (self.end is not None and not self.end.is_success)
        return lost and judge(self.job, pod).counts

    def status(self) -> Obj:
        """Return the status as this sync leaves it, with the conditions of its end."""
        finished = verdicts.enact(self)
        out: Obj = {"conditions": self.conditions} if self.conditions else {}
        if self.start is not None:
            out["startTime"] = self.start
        if finished and self.end is not None and self.end.is_success:
            out["completionTime"] = rfc3339(self.now)
        succeeded = indexes.total(self.completed) if self.is_indexed else self.counted["succeeded"]
        counts = {"active": self.running, "succeeded": succeeded, "failed": self.counted["failed"]}
        out |= {name: value for name, value in counts.items() if value}
        out["terminating"] = self.terminating
        if self.completed:
            out["completedIndexes"] = indexes.show(self.completed)
        if self.is_indexed and self.limit_per_index is not None:
            out["failedIndexes"] = indexes.show(self.failed_indexes)
        out["uncountedTerminatedPods"] = {name: uids for name, uids in self.uncounted.items() if uids}
        out["ready"] = self.ready
        return out

    def deadline(self) -> float | None:
        """Return when the Job will have been active for too long."""
        limit = self.spec.get("activeDeadlineSeconds")
        if limit is None or self.start is None or self.is_suspended:
            return None
        return parse_time(self.start) + float(limit)


def _recency(pod: Obj) -> tuple[int, float]:
    return failures_of_index(pod), finished_at(pod)
