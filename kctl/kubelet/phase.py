"""The phase of a pod, from the states of its containers.

In: the pod's spec and its container statuses. Out: Pending, Running, Succeeded or Failed,
exactly as kubelet's getPhase counts. Not here: keeping a terminal phase once it is reached,
which the caller does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kctl.api.objects import Obj

TERMINAL = ("Succeeded", "Failed")


def is_sidecar(container: Obj) -> bool:
    """Say whether an init container keeps running, as IsRestartableInitContainer."""
    return container.get("restartPolicy") == "Always"


def has_run(status: Obj | None) -> bool:
    """Say whether the container runs or has run before."""
    if status is None:
        return False
    state = status.get("state") or {}
    return "running" in state or "terminated" in state or "terminated" in (status.get("lastState") or {})


def any_regular_started(spec: Obj, statuses: Mapping[str, Obj]) -> bool:
    """Say whether a regular container has ever started, as HasAnyRegularContainerStarted."""
    return any(has_run(statuses.get(container["name"])) for container in spec["containers"])


class _Count:
    """How many containers are in which state."""

    __slots__ = ("failed_init", "pending_init", "running", "stopped", "succeeded", "unknown", "waiting")

    def __init__(self) -> None:
        self.pending_init = self.failed_init = 0
        self.unknown = self.running = self.waiting = self.stopped = self.succeeded = 0

    def init(self, status: Obj | None) -> None:
        """Count an init container that runs to completion."""
        state = (status or {}).get("state") or {}
        ended = state.get("terminated")
        if ended is None and "waiting" in state:
            ended = ((status or {}).get("lastState") or {}).get("terminated")
        if ended is None:
            self.pending_init += 1
        elif ended.get("exitCode"):
            self.failed_init += 1

    def sidecar(self, status: Obj | None) -> None:
        """Count an init container that keeps running; a terminated one does not count."""
        state = (status or {}).get("state") or {}
        if status is None:
            self.unknown += 1
        elif "running" in state:
            self.running += 1
            self.pending_init += not status.get("started")
        elif "terminated" in state:
            return
        elif "waiting" in state:
            if "terminated" not in (status.get("lastState") or {}):
                self.pending_init += 1
                self.waiting += 1
        else:
            self.pending_init += 1
            self.unknown += 1

    def regular(self, status: Obj | None) -> None:
        """Count a regular container."""
        state = (status or {}).get("state") or {}
        if "running" in state:
            self.running += 1
        elif "terminated" in state:
            self.stopped += 1
            self.succeeded += not state["terminated"].get("exitCode")
        elif "waiting" in state:
            if "terminated" in ((status or {}).get("lastState") or {}):
                self.stopped += 1
            else:
                self.waiting += 1
        else:
            self.unknown += 1


def phase_of(spec: Obj, statuses: Mapping[str, Obj], *, is_terminal: bool = False) -> str:
    """Return the phase; ``is_terminal`` when the containers will not be started again."""
    count = _Count()
    for container in spec.get("initContainers") or ():
        status = statuses.get(container["name"])
        if is_sidecar(container):
            count.sidecar(status)
        else:
            count.init(status)
    for container in spec["containers"]:
        count.regular(statuses.get(container["name"]))
    policy = spec.get("restartPolicy", "Always")
    if count.failed_init and policy == "Never":
        return "Failed"
    if (count.pending_init and not any_regular_started(spec, statuses)) or count.waiting:
        return "Pending"
    if count.running and not count.unknown:
        return "Running"
    if count.stopped and not count.running and not count.unknown:
        return _stopped(count, policy, is_terminal)
    return "Pending"


def _stopped(count: _Count, policy: str, is_terminal: bool) -> str:
    """Return the phase of a pod all of whose containers have ended."""
    all_succeeded = count.stopped == count.succeeded
    if is_terminal:
        return "Succeeded" if all_succeeded else "Failed"
    if policy == "Always":
        return "Running"
    if all_succeeded:
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def by_name(*lists: Iterable[Obj] | None) -> dict[str, Obj]:
    """Return container statuses by container name."""
    return {status["name"]: status for found in lists for status in found or ()}
