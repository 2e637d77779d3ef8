"""Container statuses in kubelet's shape, and the moves from one to the next.

In: a container's spec, its status so far, the instant. Out: a new status; nothing is changed
in place. Container and image IDs are functions of the pod's uid and the image's name. Not
here: ``user`` (it depends on the image's contents) and resource health.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from math import inf
from typing import Any

from kctl.api.behaviour import DEFAULT, ContainerBehaviour, PodBehaviour
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj
from kctl.kubelet.images import parse
from kctl.kubelet.phase import is_sidecar
from kctl.kubelet.probes import is_ready, next_change, started_after

ERRORS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})
"""Waiting reasons that something else than time must end."""
NO_IMAGE = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Those for which no image is pulled."""
FAILED_PULL = frozenset({"ErrImagePull", "ImagePullBackOff"})
"""Waiting reasons of a container whose image could not be had so far."""


def waiting(container: Obj, reason: str, message: str = "", before: Obj | None = None) -> Obj:
    """Return the status of a container that does not run, as convertToAPIContainerStatuses.

    ``before`` is its status so far: what it last ran as, and how often, stays.
    """
    state = {"reason": reason, "message": message} if message else {"reason": reason}
    if before is not None:
        last = (before.get("state") or {}).get("terminated")
        ran = {"terminated": last} if last else before.get("lastState") or {}
        return {**before, "state": {"waiting": state}, "lastState": ran, "ready": False, "started": False}
    return {
        "name": container["name"],
        "state": {"waiting": state},
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "",
        "started": False,
        **_mounts(container),
    }


def running(
    container: Obj, uid: str, now: float, before: Obj | None = None, behaviour: ContainerBehaviour = DEFAULT
) -> Obj:
    """Return the status of a container that starts now, after the runs ``before`` tells of."""
    image = parse(container["image"])
    ended = last_run(before)
    count = (before or {}).get("restartCount", 0) + 1 if ended else 0
    return with_flags(
        container,
        {
            "name": container["name"],
            "state": {"running": {"startedAt": rfc3339(now)}},
            "lastState": {"terminated": ended} if ended else {},
            "ready": False,
            "restartCount": count,
            "image": image.name,
            "imageID": image.id,
            "containerID": container_id(uid, container["name"], count),
            "started": False,
            **_mounts(container),
            **_resources(container),
        },
        now,
        behaviour=behaviour,
    )


def container_id(uid: str, name: str, run: int = 0) -> str:
    """Return the ID of a pod's container in its ``run``-th run (0: the first)."""
    identity = "\0".join((uid, name, str(run))).encode()
    return f"containerd://{blake2b(identity, digest_size=32).hexdigest()}"


def terminated(status: Obj, now: float, *, exit_code: int = 0, reason: str = "", message: str = "") -> Obj:
    """Return the status of a running container that ends now."""
    ended: Obj = {
        "exitCode": exit_code,
        "reason": reason or ("Error" if exit_code else "Completed"),
        **({"message": message} if message else {}),
        "startedAt": status["state"]["running"]["startedAt"],
        "finishedAt": rfc3339(now),
        "containerID": status.get("containerID", ""),
    }
    return {**status, "state": {"terminated": ended}, "ready": False, "started": False}


def never_ran(status: Obj) -> Obj:
    """Return what is said of a container that did not run when its pod ended (TerminatePod)."""
    ended = last_run(status)
    if ended:
        return {**status, "state": {"terminated": ended}, "lastState": {}, "ready": False, "started": False}
    unknown = {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
    return {**status, "state": {"terminated": unknown}, "ready": False, "started": False}


def last_run(status: Obj | None) -> Obj | None:
    """Return how the container's last run ended; None while it runs and when it never ran."""
    status = status or {}
    state = status.get("state") or {}
    if "running" in state:
        return None
    return state.get("terminated") or (status.get("lastState") or {}).get("terminated")


def with_flags(
    container: Obj, status: Obj, now: float, *, is_init: bool = False, behaviour: ContainerBehaviour = DEFAULT
) -> Obj:
    """Return the status with ``started`` and ``ready`` as the probes say, as UpdatePodStatus."""
    state = status.get("state") or {}
    since = started_at(status)
    if "running" in state and since is not None:
        started = now >= since + started_after(container, behaviour)
        run = status.get("restartCount", 0)
        ready = is_ready(container, behaviour, run, now - since) and (not is_init or is_sidecar(container))
    else:
        started = False
        ready = is_init and "terminated" in state and not state["terminated"].get("exitCode")
    if status.get("started") == started and status.get("ready") == ready:
        return status
    return {**status, "started": started, "ready": ready}


def with_resources(container: Obj, status: Obj) -> Obj:
    """Return a running container's status with the resources its spec has by now (in-place resize)."""
    return {**{k: v for k, v in status.items() if k != "allocatedResources"}, **_resources(container)}


def next_flag(container: Obj, status: Obj, now: float, behaviour: ContainerBehaviour = DEFAULT) -> float | None:
    """Return when ``started`` or ``ready`` of a running container changes next."""
    since = started_at(status)
    if since is None:
        return None
    at = since + next_change(container, behaviour, status.get("restartCount", 0), now - since)
    return at if at < inf else None


def state_of(status: Obj | None) -> str:
    """Return ``running``, ``terminated`` or ``waiting``."""
    state = (status or {}).get("state") or {}
    return next((name for name in ("running", "terminated") if name in state), "waiting")


def waiting_reason(status: Obj | None) -> str:
    """Return why the container waits, "" when it does not."""
    return str((((status or {}).get("state") or {}).get("waiting") or {}).get("reason", ""))


def started_at(status: Obj | None) -> float | None:
    """Return when the container started, None when it has not."""
    state = (status or {}).get("state") or {}
    return _time((state.get("running") or state.get("terminated") or {}).get("startedAt"))


def finished_at(status: Obj | None) -> float | None:
    """Return when the container ended, None when it has not."""
    return _time((((status or {}).get("state") or {}).get("terminated") or {}).get("finishedAt"))


def ended_at(status: Obj | None) -> float | None:
    """Return when the last run of a container that does not run ended, None when there was none."""
    return _time((last_run(status) or {}).get("finishedAt"))


def last_ended(status: Obj | None) -> float | None:
    """Return when the run before the one that ``state`` tells of ended."""
    return _time((((status or {}).get("lastState") or {}).get("terminated") or {}).get("finishedAt"))


def _time(text: Any) -> float | None:
    return parse_time(text) if text else None


def wanted(
    spec: Obj, statuses: Mapping[str, Obj], since: float, behaviour: PodBehaviour | None = None
) -> Iterator[tuple[int, Obj, float]]:
    """Yield the containers whose images are wanted for the first time: number, container, since when.

    One at a time and in order: init containers, each after the one before has done its work,
    then the regular ones, each after the start of the one before. Containers that wait for
    something else than their image have asked for it too. What is run again has its image.
    """
    begun = since
    init = spec.get("initContainers") or ()
    for number, container in enumerate(init):
        status = statuses.get(container["name"])
        state = state_of(status)
        if state == "waiting":
            if waiting_reason(status) not in NO_IMAGE and last_run(status) is None:
                yield number, container, begun
            return
        if not is_sidecar(container) and (state == "running" or not (status or {}).get("ready")):
            return
        begun = max(begun, done_at(container, status, behaviour))
    for number, container in enumerate(spec["containers"], len(init)):
        status = statuses.get(container["name"])
        if state_of(status) == "waiting" and last_run(status) is None:
            reason = waiting_reason(status)
            if reason not in NO_IMAGE:
                yield number, container, begun
            if reason not in ERRORS and reason not in FAILED_PULL:
                return
        elif not (status or {}).get("restartCount"):
            begun = max(begun, started_at(status) or begun)


def done_at(container: Obj, status: Obj | None, behaviour: PodBehaviour | None = None) -> float:
    """Return when an init container has let the next one begin."""
    if is_sidecar(container):
        does = DEFAULT if behaviour is None else behaviour.of(container["name"])
        return (started_at(status) or 0.0) + started_after(container, does)
    return finished_at(status) or 0.0


def _mounts(container: Obj) -> Obj:
    mounts = container.get("volumeMounts")
    if not mounts:
        return {}
    return {"volumeMounts": [_mount(mount) for mount in mounts]}


def _mount(mount: Obj) -> Obj:
    made = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        asked = mount.get("recursiveReadOnly") or "Disabled"
        made |= {"readOnly": True, "recursiveReadOnly": "Enabled" if asked == "IfPossible" else asked}
    return made


def _resources(container: Obj) -> Obj:
    asked = container.get("resources") or {}
    made: Obj = {"resources": {name: asked[name] for name in ("limits", "requests") if asked.get(name)}}
    if asked.get("requests"):
        made["allocatedResources"] = asked["requests"]
    return made
