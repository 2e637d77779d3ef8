"""What keeps a pod going: its sandbox, its images, its containers from one run to the next.

In: a :class:`~kctl.kubelet.life.Life` of a pod that is to run. Out: the step. As SyncPod and
computePodActions: what has ended is noted, init containers come first and one at a time, regular
ones each after the start of the one before, and who is to be run again waits for its back-off.

A run that ends shows as terminated for at least a second; then the container is in CrashLoopBackOff
until its turn comes, and the first time its turn is at once.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from kctl.api.behaviour import booted_at, problems
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, condition
from kctl.kubelet import containers as c
from kctl.kubelet import references
from kctl.kubelet.allocation import PENDING, is_pending, with_allocated
from kctl.kubelet.endings import KILLED, LOST, end_of
from kctl.kubelet.images import duration, invalid_message, parse
from kctl.kubelet.life import Known, Step
from kctl.kubelet.phase import is_restarted, is_sidecar, phase_of
from kctl.kubelet.probes import refusal
from kctl.kubelet.pulls import Pull, pulling_of, request, serve
from kctl.kubelet.resetting import as_new, may_reset, triggers
from kctl.kubelet.resizing import is_asked, may_be_resized, words
from kctl.kubelet.restarts import CRASH_LOOP, LONGEST, back_off, back_off_message, full_name, image_attempt
from kctl.kubelet.stopping import Stopping
from kctl.runtime.profile import Profile

ATTACH_TIMEOUT = 123.0
"""A kubelet waits so long for volumes before it complains (podAttachAndMountTimeout)."""
NO_ADDRESS = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to set up the network: "
    "no IP addresses available in the pod range of the node"
)
AGAIN = ("PodInitializing", "ContainerCreating")
"""Why a container waits that is run again whatever its policy: its machine was rebooted."""


def ask(pod: Obj, container: Obj, number: int, begun: float, known: Known, profile: Profile) -> Pull | None:
    """Return how the container comes to its image, None for not at all, as EnsureImageExists."""
    pulling = pulling_of(pod, container, known.world, known.behaviour)
    asked = request(pod, number, container, begun, pulling)
    if container.get("imagePullPolicy") == "Never":
        there = known.images.get(asked.image)
        return None if there is None else Pull(True, begun, max(begun, there))
    if pulling.failures == inf and not asked.always and known.images.get(asked.image, inf) <= begun:
        return Pull(True, begun, begun)
    return serve(asked, known.queue, known.images, profile.image_pull)


class _Turn(NamedTuple):
    """A start that is due: since when, how it comes to its image, whether the container has run before."""

    begun: float
    pull: Pull
    is_again: bool


class Going(Stopping):
    """A pod that is to run."""

    def go_on(self, node: Obj) -> Step:
        """Take the pod as far as it gets at this instant."""
        if self.known.refusal is not None:
            return self.reject(*self.known.refusal)
        deadline = self._deadline()
        if self.now >= deadline:
            return self.past_deadline(node, deadline)
        self.default_statuses()
        if may_be_resized(self.pod):
            self._tell_of_resize()
        is_lost = self._lose_runs(node)
        self._end_runs()
        can_reset = may_reset(self.spec)
        if can_reset and self._kill_others():
            return self.step(node, str(self.old.get("phase", "Running")))
        if self.since is None and not is_lost:
            self._make_sandbox()
        if self.since is not None:
            if self.ephemeral:
                from kctl.kubelet import ephemeral

                ephemeral.run(self)
            begun = self._run_init(self.since)
            if begun is not None:
                self._run_regular(begun)
                self._stop_sidecars()
        self._refresh_flags()
        return self.step(node, phase_of(self.spec, as_new(self.statuses) if can_reset else self.statuses))

    def _deadline(self) -> float:
        seconds = self.spec.get("activeDeadlineSeconds")
        if seconds is None:
            return inf
        started = self.old.get("startTime")
        at = (parse_time(started) if started else self.now) + float(seconds)
        self.timers.append(at)
        return at

    def _lose_runs(self, node: Obj) -> bool:
        """Note what a reboot has ended; return whether the sandbox is lost with it."""
        boot = booted_at(node)
        if boot is None or self.since is None or self.since >= boot:
            return False
        reason = "PodInitializing" if self.init else "ContainerCreating"
        for container in (*self.all, *self.ephemeral):
            status = self.statuses[container["name"]]
            if c.state_of(status) == "running":
                status = c.terminated(status, self.now, exit_code=LOST, reason="Unknown")
                self.statuses[container["name"]] = status
        regular = self.spec["containers"]
        again = [container for container in regular if self._is_run_again(container, is_init=False)]
        if regular and not again:
            return True
        self.since = None
        self.timers.append(self.now + 1)
        self.note("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        for container in (*self.init, *again):
            status = self.statuses[container["name"]]
            if c.last_run(status) is not None:
                self.statuses[container["name"]] = c.waiting(container, reason, before=status)
        return True

    def _is_run_again(self, container: Obj, *, is_init: bool) -> bool:
        """Say whether a container that does not run is to be run, again or at last."""
        status = self.statuses[container["name"]]
        ended = c.last_run(status)
        if ended is None or c.waiting_reason(status) in AGAIN:
            return True
        return is_restarted(self.spec, container, ended.get("exitCode") or 0, is_init=is_init)

    def _end_runs(self) -> None:
        """End the runs that are over."""
        for container in self.all:
            name = container["name"]
            status = self.statuses[name]
            if c.state_of(status) != "running":
                continue
            if self._is_resized() and _asks_for_restart(container, status):
                self.note("Killing", f"Container {name} resize requires restart", container)
                self.statuses[name] = c.terminated(status, self.now)
                continue
            is_init = self.numbers[name] < len(self.init)
            end = end_of(self.pod, container, status, self.does(container), self.profile, is_init=is_init)
            if end is None:
                continue
            if self.now < end.at:
                (self.endless if end.repeats else self.timers).append(end.at)
                continue
            if end.kill is not None:
                self.warn("Unhealthy", end.kill.words, container)
                self.note("Killing", f"Container {name} failed {end.kill.probe} probe, will be restarted", container)
            self.statuses[name] = c.terminated(status, self.now, exit_code=end.exit_code, reason=end.reason)
            self.is_fresh = True

    def _kill_others(self) -> bool:
        """Begin anew when the end of a container asks for it; say whether that is still to be seen."""
        ends = [c.finished_at(status) or self.now for status in triggers(self.spec, self.statuses)]
        if not ends:
            return False
        reason = "PodInitializing" if self.init else "ContainerCreating"
        for container in self.all:
            name = container["name"]
            status = self.statuses[name]
            if c.state_of(status) == "running":
                self.note("Killing", f"Stopping container {name}", container)
                status = c.terminated(status, self.now, exit_code=KILLED)
            if self.now > min(ends) and c.last_run(status) is not None:
                status = c.waiting(container, reason, before=status)
            self.statuses[name] = status
        if self.now > min(ends):
            return False
        self._refresh_flags()
        self.timers.append(min(ends) + 1)
        return True

    def _wait_for_volumes(self) -> None:
        """Wait until all volumes are attached; say so, once, when that takes too long."""
        since = self.old.get("startTime")
        late = (parse_time(since) if since else self.now) + ATTACH_TIMEOUT
        if self.now < late:
            self.timers.append(late)
        elif self.now == late:
            from kctl.kubelet.volumes import timed_out

            self.warn("FailedMount", timed_out(self.known.volumes))

    def _make_sandbox(self) -> None:
        if self.known.volumes:
            self._wait_for_volumes()
            return
        problem = references.mount_problem(self.spec, self.known.objects)
        if problem:
            if not self.old.get("startTime"):
                self.warn("FailedMount", problem)
            return
        if self.known.unprepared:
            if not self.old.get("startTime"):
                self.warn("FailedPrepareDynamicResources", self.known.unprepared)
            return
        if not (self.known.address or self.old.get("podIP") or self.spec.get("hostNetwork")):
            if not self.old.get("startTime"):
                self.warn("FailedCreatePodSandBox", NO_ADDRESS)
            return
        self.since, self.is_fresh = self.now, True
        missing = references.missing_pull_secrets(self.spec, self.known.objects)
        if missing:
            self.warn("FailedToRetrieveImagePullSecret", missing)
        if self.known.behaviour is not None:
            for text in problems(self.pod["metadata"].get("annotations") or {}):
                self.warn("InvalidSimulation", text)

    def _run_init(self, begun: float) -> float | None:
        """Run init containers in order; return when the regular ones may begin, None for not yet."""
        has_begun = any(self._has_begun(container) for container in self.spec["containers"])
        for container in self.init:
            name = container["name"]
            if not (has_begun and self._is_done()):
                self._bring_up(container, begun, is_init=True)
            status = self.statuses[name]
            if has_begun:
                continue
            if c.state_of(status) == "waiting":
                return None
            if not is_sidecar(container) and not self._has_succeeded(status):
                return None
            if is_sidecar(container) and c.state_of(status) != "running":
                return None
            begun = max(begun, c.done_at(container, status, self.known.behaviour))
            if self.now < begun:
                self.timers.append(begun)
                return None
            if is_sidecar(container) and not status.get("started"):
                self.is_fresh = True
        return begun

    def _has_begun(self, container: Obj) -> bool:
        """Say whether a regular container has been started since the sandbox is there."""
        status = self.statuses[container["name"]]
        return c.state_of(status) != "waiting" or (
            c.last_run(status) is not None and c.waiting_reason(status) not in AGAIN
        )

    def _has_succeeded(self, status: Obj) -> bool:
        ended = (status.get("state") or {}).get("terminated")
        return ended is not None and not ended.get("exitCode")

    def _is_done(self) -> bool:
        """Say whether every regular container has ended for good."""
        return all(
            c.state_of(self.statuses[container["name"]]) == "terminated"
            and not self._is_run_again(container, is_init=False)
            for container in self.spec["containers"]
        )

    def _bring_up(self, container: Obj, begun: float, *, is_init: bool) -> bool:
        """Start a container that is to run; False when it is about to, which holds up those behind it."""
        status = self.statuses[container["name"]]
        if c.state_of(status) == "running":
            return True
        if c.last_run(status) is None:
            return self._try_start(container, begun)
        if not self._is_run_again(container, is_init=is_init):
            return True
        finished = c.ended_at(status) or self.now
        delay = 0.0 if c.waiting_reason(status) in AGAIN else back_off(status, self.start_seconds(container))
        due = max(finished + delay, begun if c.waiting_reason(status) in AGAIN else 0.0)
        if self.now >= due:
            self._try_start(container, due)
            return True
        if c.state_of(status) == "terminated":
            if self.now > finished:
                message = back_off_message(delay, container["name"], self.pod)
                self.statuses[container["name"]] = c.waiting(container, CRASH_LOOP, message, status)
                text = f"Back-off restarting failed container {container['name']} in pod {full_name(self.pod)}"
                self.warn("BackOff", text, container)
            else:
                self.timers.append(finished + 1)
        (self.endless if delay >= LONGEST else self.timers).append(due)
        return True

    def _run_regular(self, begun: float) -> None:
        """Bring regular containers up, each after the first start of the one before."""
        is_held = False
        for container in self.spec["containers"]:
            status = self.statuses[container["name"]]
            if is_held and c.last_run(status) is None and c.state_of(status) == "waiting":
                continue
            if not self._bring_up(container, begun, is_init=False):
                is_held = True
            status = self.statuses[container["name"]]
            if c.state_of(status) != "waiting" and not status.get("restartCount"):
                begun = max(begun, c.started_at(status) or begun)
            self._see_off(container)

    def _see_off(self, container: Obj) -> None:
        """Let a container that has just started end at once when its run takes no time."""
        if self.is_running(container) and self.before(container) is not self.statuses[container["name"]]:
            status = self.statuses[container["name"]]
            end = end_of(self.pod, container, status, self.does(container), self.profile, is_init=False)
            if end is not None:
                (self.endless if end.repeats else self.timers).append(max(end.at, self.now + 1))

    def _try_start(self, container: Obj, begun: float) -> bool:
        """Start the container if its time has come; False when it holds up those behind it."""
        image = parse(container["image"])
        if image.error:
            message = invalid_message(container["image"], image.error)
            self._refuse(container, "InvalidImageName", message, "InspectFailed")
            return True
        turn = self._turn(container, begun)
        if turn is None:
            text = f'Container image "{container["image"]}" is not present with pull policy of Never'
            self._refuse(container, "ErrImageNeverPull", text, "ErrImageNeverPull")
            return True
        if self._is_without_image(container, begun, turn.pull):
            return True
        pull = turn.pull
        if self.is_fresh and not pull.was_there:
            self.note("Pulling", f'Pulling image "{container["image"]}"', container)
        problem = references.environment_problem(container, self.namespace(), self.known.objects)
        if problem:
            if self.now >= pull.done:
                self._refuse(container, "CreateContainerConfigError", problem)
            else:
                self.timers.append(pull.done)
            return True
        reason = c.waiting_reason(self.statuses[container["name"]])
        is_late = reason in c.ERRORS or (reason in c.FAILED_PULL and pull.done <= self.now)
        start = max(pull.done, self.now) if is_late else pull.done + self.start_seconds(container)
        if self.now < start:
            self.timers.append(start)
            return False
        self._start(container, turn)
        return True

    def _turn(self, container: Obj, begun: float) -> _Turn | None:
        """Ask how the container comes to its image, and note that; one that has run has it."""
        number = self.numbers[container["name"]]
        if c.last_run(self.statuses[container["name"]]) is not None:
            is_always = container.get("imagePullPolicy") == "Always"
            pulling = pulling_of(self.pod, container, self.known.world, self.known.behaviour)
            done = inf if is_always and pulling.failures == inf else begun
            return _Turn(begun, Pull(not is_always, begun, done), True)
        pull = ask(self.pod, container, number, begun, self.known, self.profile)
        self.asked.append((number, container, begun, pull))
        return None if pull is None else _Turn(begun, pull, False)

    def _is_without_image(self, container: Obj, begun: float, pull: Pull) -> bool:
        """Let the container wait for an image that cannot be had so far; say so when that is the case."""
        pulling = pulling_of(self.pod, container, self.known.world, self.known.behaviour)
        if not pulling.failures or pull.was_there or (pull.done < inf and self.now >= pull.begun):
            return False
        image = container["image"]
        latest, following = image_attempt(self.now - begun)
        words = pulling.error or _not_found(image)
        if self.now - begun < latest + 1:
            if c.waiting_reason(self.statuses[container["name"]]) != "ErrImagePull":
                self.note("Pulling", f'Pulling image "{image}"', container)
                self.warn("Failed", f'Failed to pull image "{image}": {words}', container)
                self._wait(container, "ErrImagePull", words)
                self.warn("Failed", "Error: ErrImagePull", container)
            self.timers.append(begun + latest + 1)
            return True
        if c.waiting_reason(self.statuses[container["name"]]) != "ImagePullBackOff":
            self.note("BackOff", f'Back-off pulling image "{image}"', container)
            self.warn("Failed", "Error: ImagePullBackOff", container)
        self._wait(container, "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {words}')
        is_endless = pulling.failures == inf and following - latest >= LONGEST
        (self.endless if is_endless else self.timers).append(begun + following)
        return True

    def _wait(self, container: Obj, reason: str, message: str) -> None:
        status = self.statuses[container["name"]]
        made = c.waiting(container, reason, message, status if c.last_run(status) is not None else None)
        if made["state"] != status["state"]:
            self.statuses[container["name"]] = made

    def _start(self, container: Obj, turn: _Turn) -> None:
        image, pull = container["image"], turn.pull
        if pull.was_there or c.waiting_reason(self.statuses[container["name"]]) in c.ERRORS:
            text = f'Container image "{image}" already present on machine and can be accessed by the pod'
        else:
            took, whole = duration(pull.done - pull.begun), duration(pull.done - turn.begun)
            text = f'Successfully pulled image "{image}" in {took} ({whole} including waiting)'
        self.note("Pulled", text, container)
        self.note("Created", "Container created", container)
        self.note("Started", "Container started", container)
        does = self.does(container)
        before = self.statuses[container["name"]]
        if self.known.waits is not None:
            container = with_allocated(container, self.statuses)
        status = c.running(container, self.pod["metadata"].get("uid", ""), self.now, before, does)
        if does.post_start_error and (container.get("lifecycle") or {}).get("postStart"):
            self.warn("FailedPostStartHook", f"PostStartHook failed: {does.post_start_error}", container)
            self.note("Killing", "FailedPostStartHook", container)
            status = c.terminated(status, self.now, exit_code=KILLED)
            self.timers.append(self.now + 1)
        elif container.get("readinessProbe") and max(does.up_after, does.ready_after) > 0 and not turn.is_again:
            self.warn("Unhealthy", refusal(container["readinessProbe"], "Readiness"), container)
        self.statuses[container["name"]] = status
        self.is_fresh = True

    def _refuse(self, container: Obj, reason: str, message: str, event: str = "") -> None:
        """Let the container wait for a reason that time does not cure; say so once."""
        state = {"waiting": {"reason": reason, "message": message}}
        if self.statuses[container["name"]]["state"] == state:
            return
        if event:
            self.warn(event, message, container)
        self.warn("Failed", f"Error: {message if reason == 'CreateContainerConfigError' else reason}", container)
        self._wait(container, reason, message)

    def _stop_sidecars(self) -> None:
        """End sidecars in reverse order once every regular container has ended for good."""
        ends = [c.finished_at(self.statuses[container["name"]]) for container in self.spec["containers"]]
        left = [k for k in reversed(self.init) if is_sidecar(k) and self.is_running(k)]
        if not left or not self._is_done():
            return
        others = [c.finished_at(self.statuses[k["name"]]) for k in self.init if is_sidecar(k)]
        end = max(at for at in (*ends, *others) if at is not None)
        if end == self.now and any(c.state_of(self.before(k)) == "running" for k in self.spec["containers"]):
            for sidecar in left:
                self.note("Killing", f"Stopping container {sidecar['name']}", sidecar)
        for sidecar in left:
            stop = self.does(sidecar).stop
            end += self.profile.container_stop if stop is None else min(stop, 30.0)
            if self.now < end:
                self.timers.append(end)
                return
            status = self.statuses[sidecar["name"]]
            code = KILLED if stop is not None and stop > 30.0 else self.does(sidecar).stop_code
            self.statuses[sidecar["name"]] = c.terminated(status, self.now, exit_code=code)

    def _is_resized(self) -> bool:
        """Say whether the spec may have other resources than the kubelet has seen, and the node has room for them."""
        if not self.old or self.known.waits is not None:
            return False
        return self.pod["metadata"].get("generation") != self.old.get("observedGeneration") or is_pending(self.pod)

    def _tell_of_resize(self) -> None:
        """Say that a resize is carried out, or why it is not: once."""
        if self.known.waits is not None:
            reason, message = self.known.waits
            known = condition(self.pod, PENDING) or {}
            generation = self.pod["metadata"].get("generation")
            if (known.get("reason"), known.get("message")) != (reason, message) or (
                known.get("observedGeneration") != generation
            ):
                self.warn(f"Resize{reason}", words(self.pod, reason, message))
        elif self._is_resized() and is_asked(self.pod):
            self.note("ResizeStarted", words(self.pod, "started"))
            self.note("ResizeCompleted", words(self.pod, "completed"))

    def _is_probed(self, container: Obj, status: Obj) -> bool:
        return bool(container.get("readinessProbe")) and c.state_of(status) == "running"

    def _refresh_flags(self) -> None:
        is_resized = self._is_resized()
        for group, is_init in ((self.init, True), (self.spec["containers"], False)):
            for container in group:
                status, does = self.statuses[container["name"]], self.does(container)
                if is_resized and c.state_of(status) == "running":
                    status = c.with_resources(container, status)
                made = c.with_flags(container, status, self.now, is_init=is_init, behaviour=does)
                self.statuses[container["name"]] = made
                was_ready = (self.before(container) or {}).get("ready")
                if was_ready and not made["ready"] and self._is_probed(container, made):
                    self.warn("Unhealthy", refusal(container["readinessProbe"], "Readiness"), container)
                if c.state_of(status) == "running":
                    following = c.next_flag(container, status, self.now, does)
                    if following is not None:
                        self.timers.append(following)


def _not_found(image: str) -> str:
    """Return what a container runtime says of an image that its registry does not have."""
    name = parse(image).name
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{name}": '
        f'failed to resolve reference "{name}": {name}: not found'
    )


def _asks_for_restart(container: Obj, status: Obj) -> bool:
    """Say whether resources have changed that the container takes only by being run again (resizePolicy)."""
    policies = {one["resourceName"]: one["restartPolicy"] for one in container.get("resizePolicy") or ()}
    if "RestartContainer" not in policies.values():
        return False
    asked, has = container.get("resources") or {}, status.get("resources") or {}
    return any(
        policy == "RestartContainer" and (asked.get(kind) or {}).get(name) != (has.get(kind) or {}).get(name)
        for name, policy in policies.items()
        for kind in ("requests", "limits")
    )
