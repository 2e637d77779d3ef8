"""job-controller: run pods until enough of them have succeeded.

In: a Job and its pods. Out: pods made, deleted, adopted and released; their tracking finalizer
taken off once they are counted; the status. What a sync decides is in
:mod:`kctl.controllers.job_sync`; this module reads, writes and knows which change wakes which Job.

Failed pods that are gone still count for the back-off. As upstream's, the controller remembers
them until it is restarted: the one thing it knows that its caches do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kctl.api.errors import StatusError, conflict
from kctl.api.objects import Key, Obj, controller_of, controller_uid, is_deleting, key_of, labels_of
from kctl.api.selectors import from_label_selector
from kctl.client.cache import LABELS, META, OWNERS, STATUS, Cache, Caches, Index, by_controller
from kctl.client.client import Client
from kctl.controllers.job_failures import finished_at, is_failed
from kctl.controllers.job_pods import TRACKING, is_tracked, untrack
from kctl.controllers.job_sync import Sync
from kctl.controllers.job_verdict import is_finished
from kctl.controllers.ownership import adopt, is_adoptable, orphans, release
from kctl.controllers.pods import is_terminal, phase_of, ready_since
from kctl.runtime.act import carry_out_one
from kctl.runtime.actions import Action, Create, Emit, Patch, Update, update_status
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self
from kctl.runtime.events import Recorder
from kctl.runtime.queue import Limiter

JOBS = "jobs.batch"
OWN_NAME = "kubernetes.io/job-controller"
"""What ``spec.managedBy`` may say for a Job to be this controller's."""


class Seen(NamedTuple):
    """What is decided on: the Job with its pods; ``stray`` ones keep a finalizer nobody will take off."""

    job: Obj | None
    pods: tuple[Obj, ...] = ()
    adoptable: tuple[Obj, ...] = ()
    foreign: tuple[Obj, ...] = ()
    stray: tuple[Obj, ...] = ()
    taken: tuple[str, ...] = ()
    failures: tuple[float, ...] = ()


class JobController(Controller):
    """Runs Jobs to their end."""

    name = "job-controller"
    user = "system:serviceaccount:kube-system:job-controller"
    level = 30
    requires = (JOBS,)
    reads = (JOBS, "pods")
    writes = ("pods", JOBS, "events")
    limiter = Limiter(1.0, 60.0)
    """DefaultJobApiBackOff, MaxJobApiBackOff."""

    def __init__(self) -> None:
        self.watches = (Watch(JOBS, keys_of_self), Watch("pods", keys_of_pod, LABELS | OWNERS | META | STATUS, True))
        self._ended: dict[str, dict[str, float]] = {}

    def prepare(self, caches: Caches) -> None:
        """Register the indexes of pods by owner, of orphans and of tracked pods by the Job they name."""
        pods = caches["pods"]
        by_controller(pods)
        orphans(pods)
        tracked_pods(pods)

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the Job and its pods; None when it is over and nothing is left of it."""
        pods = caches["pods"]
        job = caches[JOBS].get(key)
        if job is not None and job["spec"].get("managedBy") not in (None, OWN_NAME):
            return None
        uid = job["metadata"]["uid"] if job is not None and not is_finished(job) else ""
        stray = tuple(pod for pod in tracked_pods(pods).get(key) if controller_uid(pod) != uid)
        if job is None or not uid:
            if job is not None:
                self._ended.pop(job["metadata"]["uid"], None)
            return Seen(None, stray=stray) if stray else None
        selector = from_label_selector(job["spec"]["selector"])
        owned = by_controller(pods).get(uid)
        ownerless = orphans(pods).get(key.namespace)
        mine = tuple(pod for pod in owned if selector.matches(labels_of(pod)))
        names = [pod["metadata"]["name"] for pod in owned]
        names += [pod["metadata"]["name"] for pod in ownerless]
        return Seen(
            job,
            mine,
            tuple(pod for pod in ownerless if not is_terminal(pod) and is_adoptable(job, selector, pod)),
            tuple(pod for pod in owned if pod not in mine) if len(mine) < len(owned) else (),
            stray,
            tuple(names),
            self._failures(job, owned),
        )

    def _failures(self, job: Obj, owned: Sequence[Obj]) -> tuple[float, ...]:
        """Return when pods of the Job failed: those whose failure was seen, and what is left of others."""
        known = self._ended.setdefault(job["metadata"]["uid"], {})
        for pod in owned:
            if is_tracked(pod) and is_failed(pod, job):
                known[pod["metadata"]["uid"]] = finished_at(pod)
        left = (pod for pod in owned if phase_of(pod) == "Failed" and not is_deleting(pod))
        return tuple(sorted({**{pod["metadata"]["uid"]: finished_at(pod) for pod in left}, **known}.values()))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Say what one sync of the Job does; see :func:`decide`."""
        return decide(seen, now)

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry the decision out; pods are created in batches of 1, 2, 4, ... until one fails."""
        recorder = Recorder(client, now=now, component=self.name)
        actions: Sequence[Action] = decision.actions
        failure: StatusError | None = None
        pairs = [(one, two) for one, two in pairwise(actions) if isinstance(one, Create) and isinstance(two, Emit)]
        if pairs:
            failure, made = self._create(client, pairs, recorder, now)
            actions = _as_it_came(actions, len(pairs) - made)
        for action in actions:
            if not isinstance(action, Create):
                carry_out_one(client, action, now=now, component=self.name, recorder=recorder)
        if failure is not None:
            raise failure

    def _create(
        self, client: Client, pairs: Sequence[tuple[Create, Emit]], recorder: Recorder, now: float
    ) -> tuple[StatusError | None, int]:
        """Create pods in growing batches; return the first refusal and how many were made."""
        _check_is_current(client, pairs[0][1].regarding)
        failure: StatusError | None = None
        made, size = 0, 1
        while pairs and failure is None:
            for create, emit in pairs[:size]:
                try:
                    carry_out_one(client, create, now=now, component=self.name)
                except StatusError as error:
                    failure = failure or error
                    if not _namespace_is_terminating(error):
                        message = f"Error creating: {error.message}"
                        failed = emit._replace(type="Warning", reason="FailedCreate", message=message, once=True)
                        recorder.record(failed)
                else:
                    made += 1
                    recorder.record(emit)
            pairs, size = pairs[size:], size * 2
        return failure, made


def decide(seen: Seen, now: float) -> Decision:
    """Say what one sync of the Job does, as syncJob; pods of no Job lose the finalizer, as syncOrphanPod."""
    job = seen.job
    actions: list[Action] = [untrack(pod) for pod in seen.stray]
    if job is None:
        return Decision(tuple(actions))
    if seen.adoptable:
        return Decision((*actions, *(_adopt(job, pod) for pod in seen.adoptable)))
    actions += [_release(job, pod) for pod in seen.foreign]
    sync = Sync(job, seen.pods, now, taken=seen.taken, failures=seen.failures)
    sync.run()
    status = sync.status()
    actions += sync.manage_actions
    if status != (job.get("status") or {}):
        actions.append(update_status(JOBS, job, status))
    actions += sync.untracked
    actions += sync.events
    is_endless = bool(sync.retries) and not sync.wakes
    return Decision(tuple(actions), min([*sync.wakes, *sync.retries], default=None), periodic=is_endless)


def _as_it_came(actions: Sequence[Action], missing: int) -> list[Action]:
    """Return the actions without the creation events, the status with the pods that were really made."""
    out: list[Action] = []
    for action in actions:
        if isinstance(action, Emit) and action.reason == "SuccessfulCreate":
            continue
        if isinstance(action, Update) and missing:
            status = {**action.obj["status"]}
            status["active"] = status.get("active", 0) - missing
            if not status["active"]:
                del status["active"]
            action = action._replace(obj={**action.obj, "status": status})
        out.append(action)
    return out


def _check_is_current(client: Client, job: Obj) -> None:
    """Refuse to make pods for a Job that has changed since it was read: its pods may be counted by now."""
    key = key_of(job)
    fresh = client.get(JOBS, key.namespace, key.name)
    if fresh["metadata"]["resourceVersion"] != job["metadata"]["resourceVersion"]:
        raise conflict(JOBS, key.name, "the object has been modified")


def _adopt(job: Obj, pod: Obj) -> Patch:
    """Return the action that makes the Job the pod's controller and tracks it."""
    patch = adopt("pods", job, pod)
    if is_tracked(pod):
        return patch
    finalizers = [*(pod["metadata"].get("finalizers") or ()), TRACKING]
    return patch._replace(patch={"metadata": {**patch.patch["metadata"], "finalizers": finalizers}})


def _release(job: Obj, pod: Obj) -> Patch:
    """Return the action that makes the pod nobody's and no longer tracked."""
    patch = release("pods", job, pod)
    left = [name for name in pod["metadata"].get("finalizers") or () if name != TRACKING]
    return patch._replace(patch={"metadata": {**patch.patch["metadata"], "finalizers": left or None}})


def tracked_pods(pods: Cache) -> Index:
    """Return the index of pods with the finalizer by the Job they belong to, or by their namespace."""
    return pods.index("job-tracked", _tracked_values, on=OWNERS | META, alike=True)


def _tracked_values(pod: Obj) -> tuple[Key, ...]:
    return (_job_of(pod) or Key(key_of(pod).namespace, ""),) if is_tracked(pod) else ()


def _job_of(pod: Obj) -> Key | None:
    ref = controller_of(pod)
    return Key(key_of(pod).namespace, ref["name"]) if ref is not None and ref["kind"] == "Job" else None


def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod to its Job, to Jobs that might adopt it, and, tracked for nobody, to its namespace."""
    if old is not None and new is not None and not (_concerns(old, new) and _matters(old, new)):
        return []
    keys = dict.fromkeys(key for key in map(_job_of, filter(None, (old, new))) if key is not None)
    if new is not None and not controller_uid(new):
        namespace, labels = key_of(new).namespace, labels_of(new)
        if is_tracked(new):
            keys[Key(namespace, "")] = None
        for job in caches[JOBS].in_namespace(namespace) if not is_deleting(new) else ():
            if from_label_selector(job["spec"]["selector"]).matches(labels):
                keys[key_of(job)] = None
    return list(keys)


def _concerns(old: Obj, new: Obj) -> bool:
    """Say whether the pod has, or had, a Job as its controller, or none at all."""
    refs = new["metadata"].get("ownerReferences") or ()
    if refs is not (old["metadata"].get("ownerReferences") or ()):
        return True
    kinds = [ref["kind"] for ref in refs if ref.get("controller")]
    return not kinds or "Job" in kinds


def _matters(old: Obj, new: Obj) -> bool:
    """Say whether the change of a pod can change a Job's decision."""
    if old["metadata"] is not new["metadata"]:
        for field in ("labels", "deletionTimestamp", "ownerReferences", "finalizers", "annotations"):
            if old["metadata"].get(field) != new["metadata"].get(field):
                return True
    if old.get("status") is new.get("status"):
        return False
    return (phase_of(old), ready_since(old), _restarts(old)) != (phase_of(new), ready_since(new), _restarts(new))


def _restarts(pod: Obj) -> int:
    status = pod.get("status") or {}
    both = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return sum(found.get("restartCount", 0) for found in both)


def _namespace_is_terminating(error: StatusError) -> bool:
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
