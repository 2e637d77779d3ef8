"""The end of a pod: deleted, past its deadline, evicted, not taken by its node.

In: a :class:`~kctl.kubelet.life.Life` whose containers are to stop. Out: the step. Containers are
told at once and each takes its own time; sidecars follow in reverse order, each when everything
before it has ended, with what is left of the grace period, as killContainersWithSyncResult.
"""

from __future__ import annotations

from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj, with_condition
from kctl.kubelet import containers as c
from kctl.kubelet.endings import KILLED, LEAST_GRACE, Stop, grace_of, stop_of
from kctl.kubelet.life import Life, Step
from kctl.kubelet.phase import TERMINAL, is_sidecar, phase_of, was_initialized

SHUT_DOWN = "Terminated"
SHUT_DOWN_MESSAGE = "Pod was terminated in response to imminent node shutdown."
DEADLINE = "Pod was active on the node longer than the specified deadline"


class _Planned(NamedTuple):
    """A running container, when it ends, and how."""

    container: Obj
    at: float
    stop: Stop


class Stopping(Life):
    """A pod that comes to its end."""

    def end(self, node: Obj) -> Step:
        """Take a pod that is being deleted to its end: stop, say so, let go."""
        if not self.old.get("startTime") or self.old.get("phase") in TERMINAL:
            return Step(is_gone=self._may_go())
        self.default_statuses()
        meta = self.pod["metadata"]
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        plan = self._plan(parse_time(meta["deletionTimestamp"]) - grace, grace)
        self._announce_end(plan)
        if self._stop_all(plan):
            self._refresh_flags_of_stopping()
            return self.step(node, str(self.old.get("phase", "Pending")))
        if was_initialized(self.spec, self.statuses):
            for name, status in self.statuses.items():
                if c.state_of(status) == "waiting":
                    self.statuses[name] = c.never_ran(status)
        phase = phase_of(self.spec, self.statuses, is_terminal=True)
        step = self.step(node, phase if phase in TERMINAL else "Failed")
        return step._replace(is_gone=self._may_go())

    def _may_go(self) -> bool:
        """Say whether the pod is to be deleted for good, which finalizers may hold up afterwards."""
        meta = self.pod["metadata"]
        return meta.get("deletionGracePeriodSeconds") != 0 or not meta.get("finalizers")

    def _announce_end(self, plan: list[_Planned]) -> None:
        """Emit Killing when the deletion is first seen; observedGeneration tells that it was."""
        generation = self.pod["metadata"].get("generation")
        if generation and self.old.get("observedGeneration") == generation:
            return
        if generation or self.now >= min((one.at for one in plan), default=self.now):
            self.announce()

    def announce(self) -> None:
        """Say of every running container that it is being stopped."""
        for container in (*self.spec["containers"], *reversed(self.init)):
            if self.is_running(container):
                self.note("Killing", f"Stopping container {container['name']}", container)

    def _plan(self, asked: float, grace: float) -> list[_Planned]:
        """Return when each running container ends that was told to at ``asked``, in that order."""
        plan = []
        turn = asked
        for container in (*self.all, *self.ephemeral):
            if is_sidecar(container) and self.numbers[container["name"]] < len(self.init):
                continue
            if self.is_running(container):
                stop = stop_of(container, self.does(container), self.profile, grace)
                plan.append(_Planned(container, asked + stop.seconds, stop))
                turn = max(turn, asked + stop.seconds)
            else:
                turn = max(turn, c.finished_at(self.statuses.get(container["name"])) or asked)
        for container in reversed(self.init):
            if not is_sidecar(container):
                continue
            if self.is_running(container):
                left = max(asked + grace - turn, LEAST_GRACE) if grace > 0 else 0.0
                stop = stop_of(container, self.does(container), self.profile, left)
                turn += stop.seconds
                plan.append(_Planned(container, turn, stop))
            else:
                turn = max(turn, c.finished_at(self.statuses.get(container["name"])) or asked)
        return plan

    def _stop_all(self, plan: list[_Planned]) -> bool:
        """Stop what is due; return whether something still runs."""
        self.timers, self.endless = [], []
        for container, at, stop in plan:
            if self.now < at:
                self.timers.append(at)
                continue
            status = self.statuses[container["name"]]
            self.statuses[container["name"]] = c.terminated(
                status, self.now, exit_code=stop.exit_code, reason=stop.reason
            )
        return bool(self.timers)

    def _refresh_flags_of_stopping(self) -> None:
        """Let a container that just ended be unready; probes of the others go on as they are."""
        for container in self.init:
            status = self.statuses[container["name"]]
            if c.state_of(status) == "terminated":
                self.statuses[container["name"]] = c.with_flags(container, status, self.now, is_init=True)

    def past_deadline(self, node: Obj, deadline: float) -> Step:
        """Stop what runs and end the pod as Failed: it has been active for too long."""
        self.default_statuses()
        running = [container for container in self.all if self.is_running(container)]
        if self._stop_all(self._plan(deadline, grace_of(self.pod))):
            return self.step(node, str(self.old.get("phase", "Pending")))
        for container in running:
            self.note("Killing", f"Stopping container {container['name']}", container)
        self.note("DeadlineExceeded", DEADLINE)
        return self.step(node, "Failed", {"reason": "DeadlineExceeded", "message": DEADLINE})

    def planned_end(self, asked: float, grace: float) -> float:
        """Return when the last container ends if all are told to at ``asked``."""
        self.default_statuses()
        return max([asked, *(one.at for one in self._plan(asked, grace))])

    def shut_down(self, node: Obj, asked: float, grace: float) -> Step:
        """Stop what runs and end the pod as Failed: its machine goes off (killPods of the shutdown manager)."""
        self.default_statuses()
        running = [container for container in self.all if self.is_running(container)]
        if self._stop_all(self._plan(asked, grace)):
            return self.step(node, str(self.old.get("phase", "Pending")))
        for container in running:
            self.note("Killing", f"Stopping container {container['name']}", container)
        for name, status in self.statuses.items():
            if c.state_of(status) == "waiting":
                self.statuses[name] = c.never_ran(status)
        target = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": SHUT_DOWN_MESSAGE,
            "lastProbeTime": None,
            "lastTransitionTime": rfc3339(self.now),
            **self.generation(),
        }
        conditions = with_condition(self.old.get("conditions") or [], target)
        self.pod = {**self.pod, "status": {**self.old, "conditions": conditions}}
        return self.step(node, "Failed", {"reason": SHUT_DOWN, "message": SHUT_DOWN_MESSAGE})

    def evict(self, node: Obj, message: str, conditions: list[Obj], reason: str = "Evicted") -> Step:
        """Kill what runs and end the pod as Failed: the node needs what it uses (evictPod)."""
        self.default_statuses()
        self.announce()
        for name, status in self.statuses.items():
            if c.state_of(status) == "running":
                self.statuses[name] = c.terminated(status, self.now, exit_code=KILLED)
        self.warn(reason, message)
        self.pod = {**self.pod, "status": {**self.old, "conditions": conditions}}
        return self.step(node, "Failed", {"reason": reason, "message": message})

    def reject(self, reason: str, message: str) -> Step:
        """Fail a pod that the node does not take, as rejectPod: nothing of it is ever started."""
        self.warn(reason, message)
        status = {**self.old, "phase": "Failed", "reason": reason, "message": f"Pod was rejected: {message}"}
        status["startTime"] = rfc3339(self.now)
        if self.pod["metadata"].get("generation"):
            status["observedGeneration"] = self.pod["metadata"]["generation"]
        return Step(status, tuple(self.events))
