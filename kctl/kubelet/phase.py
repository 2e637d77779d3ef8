"""The phase of a pod, from the states of its containers.

In: the pod's spec and its container statuses. Out: Pending, Running, Succeeded or Failed,
as kubelet's getPhase counts, restart policies of containers and their rules included. Not here: keeping a
terminal phase once it is reached, which the caller does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kctl.api.objects import Obj
from kctl.kubelet.resetting import rule_for

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
    """Say whether a regular container runs or has ended, as HasAnyRegularContainerStarted: one in back-off counts not."""
    states = (((statuses.get(container["name"]) or {}).get("state") or {}) for container in spec["containers"])
    return any("running" in state or "terminated" in state for state in states)


def was_initialized(spec: Obj, statuses: Mapping[str, Obj]) -> bool:
    """Say whether the pod's regular containers ever had their turn, as hasPodInitialized."""
    init = spec.get("initContainers")
    if not init or any(has_run(statuses.get(container["name"])) for container in spec["containers"]):
        return True
    last = statuses.get(init[-1]["name"]) or {}
    if is_sidecar(init[-1]):
        return bool(last.get("started"))
    ends = [(last.get(field) or {}).get("terminated") for field in ("lastState", "state")]
    return any(end is not None and not end.get("exitCode") for end in ends)


class _Count:
    """How many containers are in which state."""

    __slots__ = ("failed_init", "pending_init", "restarting", "running", "stopped", "succeeded", "unknown", "waiting")

    def __init__(self) -> None:
        self.pending_init = self.failed_init = self.restarting = 0
        self.unknown = self.running = self.waiting = self.stopped = self.succeeded = 0

    def init(self, status: Obj | None, spec: Obj, container: Obj) -> None:
        """Count an init container that runs to completion; only one that is not run again has failed."""
        state = (status or {}).get("state") or {}
        ended = state.get("terminated")
        if ended is None and "waiting" in state:
            ended = ((status or {}).get("lastState") or {}).get("terminated")
        if ended is None:
            self.pending_init += 1
        elif ended.get("exitCode") and not is_restarted(spec, container, ended["exitCode"]):
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

    def regular(self, status: Obj | None, spec: Obj, container: Obj) -> None:
        """Count a regular container, and whether it is to run again."""
        state = (status or {}).get("state") or {}
        if "running" in state:
            self.running += 1
        elif "terminated" in state:
            self.stopped += 1
            code = state["terminated"].get("exitCode") or 0
            self.succeeded += code == 0
            self.restarting += is_restarted(spec, container, code)
        elif "waiting" in state:
            last = ((status or {}).get("lastState") or {}).get("terminated")
            if last is not None:
                self.stopped += 1
                policy = restart_policy(spec, container)
                self.restarting += policy != "Never" or is_restarted(spec, container, last.get("exitCode") or 0)
            else:
                self.waiting += 1
        else:
            self.unknown += 1


def restart_policy(spec: Obj, container: Obj) -> str:
    """Return the restart policy of a container, its own before the pod's."""
    return str(container.get("restartPolicy") or spec.get("restartPolicy") or "Always")


def is_restarted(spec: Obj, container: Obj, exit_code: int, *, is_init: bool = False) -> bool:
    """Say whether a container that ended with ``exit_code`` is run again, as ContainerShouldRestart."""
    if container.get("restartPolicyRules") and rule_for(container, exit_code) is not None:
        return True
    policy = restart_policy(spec, container)
    if is_init and not is_sidecar(container):
        return policy != "Never" and exit_code != 0
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def phase_of(spec: Obj, statuses: Mapping[str, Obj], *, is_terminal: bool = False) -> str:
    """Return the phase; ``is_terminal`` when the containers will not be started again."""
    count = _Count()
    for container in spec.get("initContainers") or ():
        status = statuses.get(container["name"])
        if is_sidecar(container):
            count.sidecar(status)
        else:
            count.init(status, spec, container)
    for container in spec["containers"]:
        count.regular(statuses.get(container["name"]), spec, container)
    if count.failed_init:
        return "Failed"
    if (count.pending_init and not any_regular_started(spec, statuses)) or count.waiting:
        return "Pending"
    if count.running and not count.unknown:
        return "Running"
    if count.stopped and not count.running and not count.unknown:
        if count.restarting and not is_terminal:
            return "Running"
        return "Succeeded" if count.stopped == count.succeeded else "Failed"
    return "Pending"


def by_name(*lists: Iterable[Obj] | None) -> dict[str, Obj]:
    """Return container statuses by container name."""
    return {status["name"]: status for found in lists for status in found or ()}
