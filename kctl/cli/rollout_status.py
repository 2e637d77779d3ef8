"""How far a rollout is, in kubectl's words, as its StatusViewers. Pure: objects in, text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kctl.api.errors import KctlError
from kctl.api.objects import Obj, annotations_of, condition, dig

REVISION = "deployment.kubernetes.io/revision"
STUCK = ("ImagePullBackOff", "ErrImagePull", "CrashLoopBackOff", "CreateContainerConfigError", "CreateContainerError")
UNOBSERVED = "Waiting for {kind} spec update to be observed..."


class Progress(NamedTuple):
    """One line, and whether nothing more is to be waited for."""

    text: str
    is_done: bool = False


def of(obj: Obj, pods: Sequence[Obj] = (), *, revision: int = 0) -> Progress:
    """Return how far the rollout of an object is; KctlError when it failed or has no such thing."""
    kind = obj["kind"]
    if kind == "Deployment":
        return _deployment(obj, pods, revision)
    if kind == "DaemonSet":
        return _daemonset(obj)
    if kind == "StatefulSet":
        return _statefulset(obj)
    group = obj["apiVersion"].rpartition("/")[0]
    raise KctlError(f"no status viewer has been implemented for {kind}{'.' if group else ''}{group}")


def _is_observed(obj: Obj) -> bool:
    seen = dig(obj, "status", "observedGeneration", default=0)
    return bool((obj["metadata"].get("generation") or 0) <= seen)


def _deployment(obj: Obj, pods: Sequence[Obj], revision: int) -> Progress:
    name = obj["metadata"]["name"]
    if revision > 0:
        running = annotations_of(obj).get(REVISION, "")
        if running != str(revision):
            raise KctlError(f"desired revision ({revision}) is different from the running revision ({running or 0})")
    if not _is_observed(obj):
        return _warned(UNOBSERVED.format(kind="deployment"), pods)
    progressing = condition(obj, "Progressing")
    if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
        raise KctlError(f'deployment "{name}" exceeded its progress deadline')
    wanted = dig(obj, "spec", "replicas", default=0)
    there, updated, available = (
        dig(obj, "status", field, default=0) for field in ("replicas", "updatedReplicas", "availableReplicas")
    )
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if updated < wanted:
        return _warned(f"{waiting}{updated} out of {wanted} new replicas have been updated...", pods)
    if there > updated:
        return _warned(f"{waiting}{there - updated} old replicas are pending termination...", pods)
    if available < updated:
        return _warned(f"{waiting}{available} of {updated} updated replicas are available...", pods)
    return Progress(f'deployment "{name}" successfully rolled out', True)


def _warned(text: str, pods: Sequence[Obj]) -> Progress:
    """Add why the first pod in trouble is not running."""
    for pod in pods:
        scheduled = condition(pod, "PodScheduled") or {}
        if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
            return Progress(f"{text} (Warning: {scheduled.get('message', '')})")
        for status in dig(pod, "status", "containerStatuses", default=()):
            waiting = dig(status, "state", "waiting", default={})
            if waiting.get("reason") in STUCK:
                return Progress(f"{text} (Warning: {waiting['reason']} - {waiting.get('message', '')})")
    return Progress(text)


def _require_rolling(strategy: str) -> None:
    if strategy != "RollingUpdate":
        raise KctlError("rollout status is only available for RollingUpdate strategy type")


def _daemonset(obj: Obj) -> Progress:
    name = obj["metadata"]["name"]
    _require_rolling(dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate"))
    if not _is_observed(obj):
        return Progress(UNOBSERVED.format(kind="daemon set"))
    desired, updated, available = (
        dig(obj, "status", field, default=0)
        for field in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    )
    waiting = f'Waiting for daemon set "{name}" rollout to finish: '
    if updated < desired:
        return Progress(f"{waiting}{updated} out of {desired} new pods have been updated...")
    if available < desired:
        return Progress(f"{waiting}{available} of {desired} updated pods are available...")
    return Progress(f'daemon set "{name}" successfully rolled out', True)


def _statefulset(obj: Obj) -> Progress:
    _require_rolling(dig(obj, "spec", "updateStrategy", "type", default="RollingUpdate"))
    status = obj.get("status") or {}
    if not status.get("observedGeneration") or not _is_observed(obj):
        return Progress(UNOBSERVED.format(kind="statefulset"))
    wanted = dig(obj, "spec", "replicas", default=1)
    ready, updated = status.get("readyReplicas") or 0, status.get("updatedReplicas") or 0
    if ready < wanted:
        return Progress(f"Waiting for {wanted - ready} pods to be ready...")
    rolling = dig(obj, "spec", "updateStrategy", "rollingUpdate")
    if rolling is not None:
        due = wanted - (rolling.get("partition") or 0)
        if updated < due:
            return Progress(
                f"Waiting for partitioned roll out to finish: {updated} out of {due} new pods have been updated..."
            )
        return Progress(f"partitioned roll out complete: {updated} new pods have been updated...", True)
    if status.get("updateRevision") != status.get("currentRevision"):
        target = status.get("updateRevision", "")
        return Progress(f"waiting for statefulset rolling update to complete {updated} pods at revision {target}...")
    current = status.get("currentReplicas") or 0
    revision = status.get("currentRevision", "")
    return Progress(f"statefulset rolling update complete {current} pods at revision {revision}...", True)
