"""ttl-after-finished-controller: finished Jobs go when their time is over.

In: Jobs with ``ttlSecondsAfterFinished``. Out: those deleted that finished so long ago, their
pods before them. The timer is periodic: time has to pass for it, convergence does not wait.
"""

from __future__ import annotations

from kctl.api.clock import parse_time
from kctl.api.objects import Key, Obj, is_deleting, key_of
from kctl.client.cache import Caches
from kctl.runtime.actions import Delete
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

JOBS = "jobs.batch"


class TTLAfterFinishedController(Controller):
    """Deletes finished Jobs."""

    name = "ttl-after-finished-controller"
    user = "system:serviceaccount:kube-system:ttl-after-finished-controller"
    level = 65
    reads = (JOBS,)
    writes = (JOBS,)

    def __init__(self) -> None:
        self.watches = (Watch(JOBS, keys_of_self),)

    def observe(self, caches: Caches, key: Key) -> Obj | None:
        """Read the Job."""
        return caches[JOBS].get(key)

    def decide(self, seen: Obj, now: float) -> Decision:
        """Delete the Job when its time is over, as processJob."""
        ttl, finished = seen["spec"].get("ttlSecondsAfterFinished"), finished_at(seen)
        if ttl is None or finished is None or is_deleting(seen):
            return Decision()
        if now < finished + ttl:
            return Decision(wake_at=finished + ttl, periodic=True)
        return Decision((Delete(JOBS, key_of(seen), seen["metadata"].get("uid", ""), propagation="Foreground"),))


def finished_at(job: Obj) -> float | None:
    """Return when the Job completed or failed, None while it has not, as getFinishAndExpireTime."""
    for found in (job.get("status") or {}).get("conditions") or ():
        if found.get("type") in ("Complete", "Failed") and found.get("status") == "True":
            since = found.get("lastTransitionTime")
            return parse_time(since) if since else None
    return None
