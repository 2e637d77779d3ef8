"""cronjob-controller: make a Job whenever the schedule says so.

In: a CronJob and the Jobs it controls. Out: the Job of the latest time that has come and was not
met, running ones replaced, old ones deleted, the status. The timer of the next time is periodic:
convergence does not wait for it, but time that passes for other reasons brings it about.

The parser is the project's own: it must word errors as robfig/cron does and follow its rule for
days, which no library for Python does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key, Obj, annotations_of, is_condition_true, is_deleting, key_of, owner_reference
from kctl.api.validation import cron
from kctl.client.cache import Caches, by_controller
from kctl.client.client import Client
from kctl.controllers import cronjob_schedule as schedules
from kctl.controllers.job_verdict import is_finished
from kctl.runtime.act import carry_out_one
from kctl.runtime.actions import Action, Create, Delete, Emit, update_status
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_controller, keys_of_self

CRONJOBS = "cronjobs.batch"
JOBS = "jobs.batch"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class Seen(NamedTuple):
    """What is decided on."""

    cronjob: Obj
    jobs: tuple[Obj, ...]


class CronJobController(Controller):
    """Makes Jobs by schedule."""

    name = "cronjob-controller"
    user = "system:serviceaccount:kube-system:cronjob-controller"
    level = 45
    requires = (CRONJOBS,)
    reads = (CRONJOBS, JOBS)
    writes = (CRONJOBS, JOBS, "events")

    def __init__(self) -> None:
        self.watches = (Watch(CRONJOBS, keys_of_self), Watch(JOBS, keys_of_controller("CronJob")))

    def prepare(self, caches: Caches) -> None:
        """Register the index of Jobs by owner."""
        by_controller(caches[JOBS])

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the CronJob and its Jobs."""
        cronjob = caches[CRONJOBS].get(key)
        if cronjob is None:
            return None
        return Seen(cronjob, tuple(by_controller(caches[JOBS]).get(cronjob["metadata"]["uid"])))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what one sync of the CronJob does; see :class:`Sync`."""
        sync = Sync(seen, now)
        sync.run()
        return sync.decision()

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; a Job that is refused is reported."""
        for action in decision.actions:
            try:
                carry_out_one(client, action, now=now, component=self.name)
            except StatusError as error:
                if isinstance(action, Create) and not _namespace_is_terminating(error):
                    owner = _owner_of(decision, action)
                    why = Emit(owner, "Warning", "FailedCreate", f"Error creating job: {error.message}", once=True)
                    carry_out_one(client, why, now=now, component=self.name)
                raise


class Sync:
    """One sync in the making; only this object is mutable, and it does not outlive the decision."""

    def __init__(self, seen: Seen, now: float) -> None:
        self.cronjob, self.jobs, self.now = seen.cronjob, seen.jobs, now
        self.spec: Obj = seen.cronjob["spec"]
        status: Obj = seen.cronjob.get("status") or {}
        self.active: list[Obj] = list(status.get("active") or ())
        self.last: str | None = status.get("lastScheduleTime")
        self.success: str | None = status.get("lastSuccessfulTime")
        self.actions: list[Action] = []
        self.events: list[Action] = []
        self.wake_at: float | None = None

    def run(self) -> None:
        """Delete old Jobs, look after the others, make the one that is due, as syncCronJob."""
        self._forget_old("Complete", self.spec.get("successfulJobsHistoryLimit"))
        self._forget_old("Failed", self.spec.get("failedJobsHistoryLimit"))
        for job in self.jobs:
            self._take_note(job)
        there = {job["metadata"]["uid"] for job in self.jobs}
        for ref in [ref for ref in self.active if ref["uid"] not in there]:
            self.active.remove(ref)
            self._emit("MissingJob", f"Active job went missing: {ref['name']}")
        if not is_deleting(self.cronjob):
            self._follow_schedule()

    def _take_note(self, job: Obj) -> None:
        """Keep the books of running Jobs; one that this controller made is entered when it is seen."""
        meta = job["metadata"]
        listed = any(ref["uid"] == meta["uid"] for ref in self.active)
        finished = is_finished(job)
        if not listed and self._is_new_of_ours(job):
            self.last = rfc3339(_scheduled(job) or 0.0)
            if not finished:
                self.active.append(_reference(job))
        elif not listed and not finished:
            self._emit(
                "UnexpectedJob", f"Saw a job that the controller did not create or forgot: {meta['name']}", "Warning"
            )
        elif listed and finished:
            self.active = [ref for ref in self.active if ref["uid"] != meta["uid"]]
            how = "Complete" if is_condition_true(job, "Complete") else "Failed"
            self._emit("SawCompletedJob", f"Saw completed job: {meta['name']}, condition: {how}")
        done = (job.get("status") or {}).get("completionTime")
        if is_condition_true(job, "Complete") and done and (self.success is None or done > self.success):
            self.success = done

    def _is_new_of_ours(self, job: Obj) -> bool:
        """Say whether the Job was made for a time after the last one in the books."""
        at = _scheduled(job)
        if at is None or job["metadata"]["name"] != self._name_at(at):
            return False
        return self.last is None or at > parse_time(self.last)

    def _name_at(self, scheduled: float) -> str:
        return f"{self.cronjob['metadata']['name']}-{int(scheduled // 60)}"

    def _follow_schedule(self) -> None:
        text = self.spec["schedule"]
        zone = self.spec.get("timeZone")
        if zone is not None and not cron.is_time_zone(zone):
            self._emit("UnknownTimeZone", f'invalid timeZone: "{zone}": unknown time zone {zone}', "Warning")
            return
        if self.spec.get("suspend"):
            return
        if "TZ" in text:
            warning = f'CRON_TZ or TZ used in schedule "{text}" is not officially supported, see '
            warning += "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
            self._emit("UnsupportedSchedule", warning, "Warning")
        try:
            schedule = cron.parse(text if "TZ" in text or not zone else f"TZ={zone} {text}")
        except cron.Malformed as why:
            self._emit("UnparseableSchedule", f'unparseable schedule: "{text}" : {why}', "Warning")
            return
        known = {**self.cronjob, "status": {"lastScheduleTime": self.last} if self.last else {}}
        try:
            found = schedules.unmet(known, schedule, self.now, within_deadline=True)
        except schedules.NeverDueError as why:
            self._emit("InvalidSchedule", f"invalid schedule: {text} : {why}", "Warning")
            return
        if found.many:
            warning = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._emit("TooManyMissedTimes", warning, "Warning")
        self.wake_at = schedules.due_next(known, schedule, self.now)
        if found.latest is not None and (self.last is None or parse_time(self.last) != found.latest):
            self._start(found.latest)

    def _start(self, scheduled: float) -> None:
        """Make the Job of a time, unless it is too late for it or another one is in its way."""
        deadline = self.spec.get("startingDeadlineSeconds")
        policy = self.spec.get("concurrencyPolicy", "Allow")
        if deadline is not None and scheduled + deadline < self.now:
            at = datetime.fromtimestamp(scheduled, UTC).strftime("%a, %d %b %Y %H:%M:%S UTC")
            self._emit("MissSchedule", f"Missed scheduled time to start a job: {at}", "Warning")
            return
        name = self._name_at(scheduled)
        if any(job["metadata"]["name"] == name for job in self.jobs):
            return
        if policy == "Forbid" and self.active:
            why = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._emit("JobAlreadyActive", why, once=True)
            return
        if policy == "Replace":
            running = {ref["uid"] for ref in self.active}
            for job in self.jobs:
                if job["metadata"]["uid"] in running:
                    self._delete(job)
        self.actions.append(Create(JOBS, self._job(name, scheduled)))
        self.actions.append(Emit(self.cronjob, "Normal", "SuccessfulCreate", f"Created job {name}"))

    def _job(self, name: str, scheduled: float) -> Obj:
        """Return the Job of a time, as getJobFromTemplate2."""
        template, zone = self.spec["jobTemplate"], self.spec.get("timeZone")
        at = rfc3339(scheduled)
        if zone:
            from zoneinfo import ZoneInfo

            at = datetime.fromtimestamp(scheduled, ZoneInfo(zone)).isoformat().replace("+00:00", "Z")
        known = template.get("metadata") or {}
        meta: Obj = {"name": name, "namespace": key_of(self.cronjob).namespace}
        if known.get("labels"):
            meta["labels"] = known["labels"]
        meta["annotations"] = {**(known.get("annotations") or {}), SCHEDULED: at}
        meta["ownerReferences"] = [owner_reference(self.cronjob)]
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template["spec"]}

    def _delete(self, job: Obj) -> None:
        meta = job["metadata"]
        self.actions.append(Delete(JOBS, key_of(job), meta["uid"], propagation="Background"))
        self.active = [ref for ref in self.active if ref["uid"] != meta["uid"]]
        self.actions.append(Emit(self.cronjob, "Normal", "SuccessfulDelete", f"Deleted job {meta['name']}"))

    def _forget_old(self, how: str, limit: int | None) -> None:
        """Delete the oldest finished Jobs beyond the limit, as removeOldestJobs."""
        if limit is None:
            return
        done = sorted((job for job in self.jobs if is_condition_true(job, how)), key=_by_start)
        for job in done[: max(len(done) - limit, 0)]:
            if not is_deleting(job):
                self._delete(job)

    def _emit(self, reason: str, message: str, type_: str = "Normal", *, once: bool = False) -> None:
        self.events.append(Emit(self.cronjob, type_, reason, message, once=once))

    def decision(self) -> Decision:
        """Return what has been decided, with the status if it changes."""
        status: Obj = {"active": self.active} if self.active else {}
        if self.last is not None:
            status["lastScheduleTime"] = self.last
        if self.success is not None:
            status["lastSuccessfulTime"] = self.success
        if status != (self.cronjob.get("status") or {}):
            self.actions.append(update_status(CRONJOBS, self.cronjob, status))
        return Decision((*self.events, *self.actions), self.wake_at, periodic=True)


def _scheduled(job: Obj) -> float | None:
    """Return the time a Job was made for, None for one that was not made by schedule."""
    text = annotations_of(job).get(SCHEDULED)
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None


def _reference(job: Obj) -> Obj:
    meta = job["metadata"]
    return {
        "kind": "Job",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": meta["resourceVersion"],
    }


def _by_start(job: Obj) -> tuple[bool, str, str]:
    start = (job.get("status") or {}).get("startTime")
    return (start is None, start or "", job["metadata"]["name"])


def _owner_of(decision: Decision, create: Create) -> Obj:
    """Return the CronJob a Job was to be made for: the event behind it is about it."""
    at = decision.actions.index(create)
    following: Iterable[Action] = decision.actions[at + 1 :]
    return next(action.regarding for action in following if isinstance(action, Emit))


def _namespace_is_terminating(error: StatusError) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
