"""Is one object as it should be, and if not, why? Pure functions of the object.

The states are kstatus' (sigs.k8s.io/cli-utils): Current, InProgress, Failed, Terminating,
and Unknown for what has a status that nothing here computes.
What the object's own status cannot tell (a volume that does not mount) is in its Warning
events; :mod:`kctl.plan.residual` joins the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Literal, NamedTuple

from kctl.api.objects import Obj, condition, controller_of, dig, is_condition_true, is_deleting

State = Literal["Current", "InProgress", "Failed", "Terminating", "Unknown"]


class Health(NamedTuple):
    """How an object is; ``reason`` and ``message`` say why it is not Current."""

    state: State
    reason: str = ""
    message: str = ""


CURRENT = Health("Current")


def of(resource: str, obj: Obj) -> Health:
    """Return the health of an object; a kind without rules here is Current when it exists."""
    if is_deleting(obj):
        return _terminating(obj)
    rule = RULES.get(resource)
    known = _unruled(resource)
    return known if rule is None or known.state == "Unknown" else rule(obj)


@cache
def _unruled(resource: str) -> Health:
    """Return what can be said of a kind whose status no controller here writes."""
    from kctl.api import register
    from kctl.api.registry import builtin

    try:
        kind = builtin().storage(resource)
    except KeyError:
        return CURRENT
    entry = register.entry_of(kind)
    if entry.state != register.ACCEPTED or "status" not in kind.subresources:
        return CURRENT
    return Health("Unknown", "NotSimulated", entry.note)


def _terminating(obj: Obj) -> Health:
    for type_ in ("NamespaceContentRemaining", "NamespaceFinalizersRemaining"):
        found = condition(obj, type_)
        if found and found.get("status") == "True":
            return Health("Terminating", str(found.get("reason", "")), str(found.get("message", "")))
    finalizers = obj["metadata"].get("finalizers") or dig(obj, "spec", "finalizers", default=())
    waits = f"waits for its finalizers: {', '.join(finalizers)}" if finalizers else "is being deleted"
    return Health("Terminating", "Terminating", waits)


def _pod(pod: Obj) -> Health:
    status = pod.get("status") or {}
    phase = status.get("phase")
    if phase == "Succeeded" or (phase == "Running" and is_condition_true(pod, "Ready")):
        return CURRENT
    if phase == "Failed" and (controller_of(pod) or {}).get("kind") == "Job":
        return Health("Current", "Failed", "the Job has counted it")  # whether that matters, the Job says
    if phase == "Failed":
        return Health("Failed", status.get("reason") or "Failed", status.get("message") or "the pod failed")
    scheduled = condition(pod, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        return Health("Failed", str(scheduled.get("reason", "")), str(scheduled.get("message", "")))
    if not dig(pod, "spec", "nodeName"):
        return Health("InProgress", "NotScheduled", _unseen(pod))
    return _containers(pod)


def _unseen(pod: Obj) -> str:
    """Say which scheduler has not looked at the pod: one that nobody runs never will."""
    name = dig(pod, "spec", "schedulerName") or "default-scheduler"
    return f'no scheduler "{name}" has looked at the pod' if name != "default-scheduler" else NOBODY_LOOKED


NOBODY_LOOKED = "no scheduler has looked at the pod yet"


def _containers(pod: Obj) -> Health:
    """Return the first container that waits or has died, else that the pod is not ready."""
    status = pod["status"]
    for found in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = dig(found, "state", "waiting")
        if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
            message = waiting.get("message") or f"container {found['name']} is waiting"
            return Health("Failed", waiting.get("reason", "Waiting"), without_pod(message))
    not_ready = condition(pod, "ContainersReady") or condition(pod, "Ready") or {}
    if any(dig(found, "state", "waiting") for found in status.get("containerStatuses") or ()):
        return Health("InProgress", "ContainerCreating", str(not_ready.get("message", "")))
    return Health("InProgress", not_ready.get("reason") or "NotReady", not_ready.get("message") or "not ready")


OWN_POD = re.compile(r" (?:in pod |pod=)\S+_\S+\([0-9a-f-]{36}\)$")


def without_pod(message: str) -> str:
    """Return a kubelet's message without the pod it ends with: what many pods say alike is told once."""
    return OWN_POD.sub("", message)


def _deployment(deployment: Obj) -> Health:
    failure = condition(deployment, "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return Health("Failed", failure.get("reason", ""), failure.get("message", ""))
    spec, status = deployment["spec"], deployment.get("status") or {}
    wanted = spec.get("replicas", 1)
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return Health("InProgress", "NotObserved", "the deployment controller has not seen the last change")
    progressing = condition(deployment, "Progressing")
    if progressing and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health("Failed", "ProgressDeadlineExceeded", progressing.get("message", ""))
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    if updated < wanted or status.get("replicas", 0) > updated or available < wanted:
        paused = ", paused" if spec.get("paused") else ""
        text = f"{available} of {wanted} replicas available, {updated} updated{paused}"
        return Health("InProgress", "Progressing", text)
    return CURRENT


def _replicaset(rs: Obj) -> Health:
    failure = condition(rs, "ReplicaFailure")
    if failure and failure.get("status") == "True":
        return Health("Failed", failure.get("reason", ""), failure.get("message", ""))
    wanted, available = rs["spec"].get("replicas", 1), dig(rs, "status", "availableReplicas", default=0)
    if available < wanted:
        return Health("InProgress", "Progressing", f"{available} of {wanted} replicas available")
    return CURRENT


def _job(job: Obj) -> Health:
    spec, status = job["spec"], job.get("status") or {}
    if is_condition_true(job, "Complete"):
        return CURRENT
    failed = condition(job, "Failed")
    if failed and failed.get("status") == "True":
        return Health("Failed", failed.get("reason", ""), failed.get("message", ""))
    if spec.get("managedBy") not in (None, "kubernetes.io/job-controller"):
        return Health("Unknown", "NotSimulated", f"the Job is left to {spec['managedBy']}")
    if spec.get("suspend") and is_condition_true(job, "Suspended"):
        return CURRENT  # at rest, as it was asked to be
    done, wanted = status.get("succeeded", 0), spec.get("completions")
    goal = f"{done} of {wanted} completions" if wanted is not None else f"{done} completions"
    return Health("InProgress", "Running", f"{goal}, {status.get('active', 0)} pods active")


def _cron_job(cron_job: Obj) -> Health:
    """A CronJob is as its last run ended; the Jobs it still has say how each went."""
    status = cron_job.get("status") or {}
    if cron_job["spec"].get("suspend"):
        return Health("Current", "Suspended", "it is suspended and starts no Jobs")
    last, good = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    if not last:
        return Health("Current", "NotScheduledYet", "its schedule has not come round yet")
    if status.get("active") or (good and good >= last):
        return CURRENT
    return Health("Failed", "LastRunFailed", f"the Job scheduled at {last} did not succeed")


def _stateful_set(found: Obj) -> Health:
    spec, status = found["spec"], found.get("status") or {}
    if _is_unseen(found):
        return Health("InProgress", "NotObserved", "the statefulset controller has not seen the last change")
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    updated = status.get("updatedReplicas", 0)
    if dig(spec, "updateStrategy", "type") == "OnDelete":
        updated = wanted
    first = dig(spec, "updateStrategy", "rollingUpdate", "partition", default=0)
    if ready < wanted or updated < wanted - first or status.get("replicas", 0) > wanted:
        return Health("InProgress", "Progressing", f"{ready} of {wanted} replicas ready, {updated} updated")
    return CURRENT


def _daemon_set(found: Obj) -> Health:
    status = found.get("status") or {}
    if _is_unseen(found):
        return Health("InProgress", "NotObserved", "the daemon set controller has not seen the last change")
    wanted, available = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
    updated = status.get("updatedNumberScheduled", 0)
    if dig(found, "spec", "updateStrategy", "type") == "OnDelete":
        updated = wanted
    if available < wanted or updated < wanted:
        return Health("InProgress", "Progressing", f"{available} of {wanted} pods available, {updated} updated")
    return CURRENT


def _is_unseen(found: Obj) -> bool:
    """Say whether its controller has not seen the last change."""
    return bool(dig(found, "status", "observedGeneration", default=0) < found["metadata"].get("generation", 0))


def _claim(claim: Obj) -> Health:
    phase = dig(claim, "status", "phase")
    if phase == "Bound":
        return CURRENT
    if phase == "Lost":
        return Health("Failed", "Lost", "its volume is gone")
    return Health("InProgress", "Unbound", "no volume is bound to it")


def _definition(definition: Obj) -> Health:
    """A CustomResourceDefinition is Current once its kind is served."""
    for type_ in ("NamesAccepted", "Established"):
        found = condition(definition, type_)
        if found and found.get("status") == "False":
            state: State = "Failed" if type_ == "NamesAccepted" else "InProgress"
            return Health(state, found.get("reason", ""), found.get("message", ""))
    if is_condition_true(definition, "Established"):
        return CURRENT
    return Health("InProgress", "NotEstablished", "its kind is not served yet")


def _service(service: Obj) -> Health:
    spec = service["spec"]
    if spec.get("type") != "LoadBalancer" or dig(service, "status", "loadBalancer", "ingress"):
        return CURRENT
    if spec.get("loadBalancerClass"):
        return CURRENT  # another controller's; the register says that it is not simulated
    return Health("InProgress", "LoadBalancerPending", "the load balancer has no address")


def _node(node: Obj) -> Health:
    ready = condition(node, "Ready")
    if ready and ready.get("status") == "True":
        return CURRENT
    return Health("Failed", (ready or {}).get("reason") or "NodeNotReady", (ready or {}).get("message") or "not ready")


RULES: dict[str, Callable[[Obj], Health]] = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _replicaset,
    "replicationcontrollers": _replicaset,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "cronjobs.batch": _cron_job,
    "persistentvolumeclaims": _claim,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
    "jobs.batch": _job,
    "services": _service,
    "nodes": _node,
}
"""The kinds whose health is more than being there."""
