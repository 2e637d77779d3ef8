"""Container statuses in kubelet's shape, and the moves from one to the next.

In: a container's spec, its status so far, the instant. Out: a new status; nothing is changed
in place. Container and image IDs are functions of the pod's uid and the image's name. Not
here: ``user`` (it depends on the image's contents) and resource health.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj
from kctl.kubelet.images import parse
from kctl.kubelet.phase import is_sidecar
from kctl.kubelet.probes import ready_after, started_after

ERRORS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError"})
"""Waiting reasons that something else than time must end."""
NO_IMAGE = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Those for which no image is pulled."""


def waiting(container: Obj, reason: str, message: str = "") -> Obj:
    """Return the status of a container that has not run, as convertToAPIContainerStatuses."""
    state = {"reason": reason, "message": message} if message else {"reason": reason}
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


def running(container: Obj, uid: str, now: float) -> Obj:
    """Return the status of a container that starts now."""
    image = parse(container["image"])
    return with_flags(
        container,
        {
            "name": container["name"],
            "state": {"running": {"startedAt": rfc3339(now)}},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": image.name,
            "imageID": image.id,
            "containerID": container_id(uid, container["name"]),
            "started": False,
            **_mounts(container),
            **_resources(container),
        },
        now,
    )


def container_id(uid: str, name: str) -> str:
    """Return the ID of a pod's container."""
    identity = f"{uid}\0{name}\0000".encode()
    return f"containerd://{blake2b(identity, digest_size=32).hexdigest()}"


def terminated(status: Obj, now: float, *, exit_code: int = 0, reason: str = "Completed") -> Obj:
    """Return the status of a running container that ends now."""
    ended: Obj = {
        "exitCode": exit_code,
        "reason": reason,
        "startedAt": status["state"]["running"]["startedAt"],
        "finishedAt": rfc3339(now),
        "containerID": status.get("containerID", ""),
    }
    return {**status, "state": {"terminated": ended}, "ready": False, "started": False}


def never_ran(status: Obj) -> Obj:
    """Return what is said of a container that had not started when its pod ended (TerminatePod)."""
    unknown = {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the pod was terminated",
        "startedAt": None,
        "finishedAt": None,
    }
    return {**status, "state": {"terminated": unknown}, "ready": False, "started": False}


def with_flags(container: Obj, status: Obj, now: float, *, is_init: bool = False) -> Obj:
    """Return the status with ``started`` and ``ready`` as the probes say, as UpdatePodStatus."""
    state = status.get("state") or {}
    since = started_at(status)
    if "running" in state and since is not None:
        started = now >= since + started_after(container)
        ready = now >= since + ready_after(container) and (not is_init or is_sidecar(container))
    else:
        started = False
        ready = is_init and "terminated" in state and not state["terminated"].get("exitCode")
    if status.get("started") == started and status.get("ready") == ready:
        return status
    return {**status, "started": started, "ready": ready}


def with_resources(container: Obj, status: Obj) -> Obj:
    """Return a running container's status with the resources its spec has by now (in-place resize)."""
    return {**{k: v for k, v in status.items() if k != "allocatedResources"}, **_resources(container)}


def next_flag(container: Obj, status: Obj, now: float) -> float | None:
    """Return when ``started`` or ``ready`` of a running container changes next."""
    since = started_at(status)
    if since is None:
        return None
    times = (since + started_after(container), since + ready_after(container))
    return min((at for at in times if at > now), default=None)


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


def _time(text: Any) -> float | None:
    return parse_time(text) if text else None


def wanted(spec: Obj, statuses: Mapping[str, Obj], since: float) -> Iterator[tuple[int, Obj, float]]:
    """Yield the containers whose images are wanted: number, container, since when.

    One at a time and in order: init containers, each after the one before has done its work,
    then the regular ones, each after the start of the one before. Containers that wait for
    something else than their image have asked for it too.
    """
    begun = since
    init = spec.get("initContainers") or ()
    for number, container in enumerate(init):
        status = statuses.get(container["name"])
        state = state_of(status)
        if state == "waiting":
            if waiting_reason(status) not in NO_IMAGE:
                yield number, container, begun
            return
        if state == "running" and not is_sidecar(container):
            return
        begun = max(begun, done_at(container, status))
    for number, container in enumerate(spec["containers"], len(init)):
        status = statuses.get(container["name"])
        if state_of(status) == "waiting":
            reason = waiting_reason(status)
            if reason not in NO_IMAGE:
                yield number, container, begun
            if reason not in ERRORS:
                return
        else:
            begun = max(begun, started_at(status) or begun)


def done_at(container: Obj, status: Obj | None) -> float:
    """Return when an init container has let the next one begin."""
    if is_sidecar(container):
        return (started_at(status) or 0.0) + started_after(container)
    return finished_at(status) or 0.0


def _mounts(container: Obj) -> Obj:
    mounts = container.get("volumeMounts")
    if not mounts:
        return {}
    return {"volumeMounts": [_mount(mount) for mount in mounts]}


def _mount(mount: Obj) -> Obj:
    made = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        made |= {"readOnly": True, "recursiveReadOnly": mount.get("recursiveReadOnly") or "Disabled"}
    return made


def _resources(container: Obj) -> Obj:
    asked = container.get("resources") or {}
    made: Obj = {"resources": {name: asked[name] for name in ("limits", "requests") if asked.get(name)}}
    if asked.get("requests"):
        made["allocatedResources"] = asked["requests"]
    return made
