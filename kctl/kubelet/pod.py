"""The life of a pod on its node, as one function of what is known and the time.

    advance(pod, node, known, now, profile) -> Step(status, events, wake_at, is_gone)

Everything derives from the pod's own status: since when it has a sandbox, when each container
started or ended. A late call catches up without rewriting the past, a second call at the same
instant returns nothing.

What the simulated kubelet takes for granted: every image that can be named exists; every
container starts, answers its probes and ends on SIGTERM with exit code 0; containers of a pod
that is not to be restarted run for a while and exit 0, all others run for ever. So there are
no restarts, no liveness failures, no exec outcomes, no postStart or preStop hooks, no
evictions for node pressure. Changing the image of a running container does not restart it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj, dig, is_condition_true, is_deleting
from kctl.kubelet import containers as c
from kctl.kubelet import references
from kctl.kubelet.conditions import conditions_of
from kctl.kubelet.images import duration, invalid_message, parse
from kctl.kubelet.phase import TERMINAL, any_regular_started, by_name, is_sidecar, phase_of, restart_policy
from kctl.kubelet.pulls import Pull, Request, request, sandbox_since, serve
from kctl.runtime.profile import Profile

NO_ADDRESS = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to set up the network: "
    "no IP addresses available in the pod range of the node"
)
DEADLINE = "Pod was active on the node longer than the specified deadline"


class Known(NamedTuple):
    """What the kubelet knows beside the pod and its node.

    ``objects`` are the ConfigMaps and Secrets the pod names, ``images`` the instants from
    which images are present on the node, ``queue`` what its puller is asked for, ``address``
    the one the pod gets if it needs one, ``refusal`` reason and message when the node does not take it.
    """

    objects: references.Found = MappingProxyType({})
    images: Mapping[str, float] = MappingProxyType({})
    address: str = ""
    queue: tuple[Request, ...] = ()
    refusal: tuple[str, str] | None = None


class Happening(NamedTuple):
    """An Event about the pod, or about the part of it that ``field_path`` names."""

    type: str
    reason: str
    message: str
    field_path: str = ""


class Step(NamedTuple):
    """What a kubelet does about a pod: None as ``status`` when it stays as it is."""

    status: Obj | None = None
    events: tuple[Happening, ...] = ()
    wake_at: float | None = None
    is_gone: bool = False


Asked = tuple[tuple[int, Obj, float, Pull | None], ...]
"""What was asked about pulls: number and container, since when it is its turn, the answer."""


def advance(pod: Obj, node: Obj | None, known: Known, now: float, profile: Profile) -> Step:
    """Say what becomes of the pod at ``now``, and when to look again."""
    return step_of(pod, node, known, now, profile)[0]


def step_of(pod: Obj, node: Obj | None, known: Known, now: float, profile: Profile) -> tuple[Step, Asked]:
    """Say what becomes of the pod as :func:`advance`, and what the puller was asked on the way."""
    if node is None or is_silent(node):
        return Step(), ()
    life = _Life(pod, known, float(int(now)), profile)
    if is_deleting(pod):
        return life.end(node), tuple(life.asked)
    if dig(pod, "status", "phase") in TERMINAL:
        return Step(), ()
    return life.go_on(node), tuple(life.asked)


def ask(pod: Obj, container: Obj, number: int, begun: float, known: Known, profile: Profile) -> Pull | None:
    """Return how the container comes to its image, None for not at all, as EnsureImageExists."""
    asked = request(pod, number, container, begun)
    if container.get("imagePullPolicy") == "Never":
        there = known.images.get(asked.image)
        return None if there is None else Pull(True, begun, max(begun, there))
    return serve(asked, known.queue, known.images, profile.image_pull)


def is_silent(node: Obj) -> bool:
    """Say whether the node's kubelet is not heard of: its Ready condition is Unknown."""
    for condition in dig(node, "status", "conditions", default=()):
        if condition.get("type") == "Ready":
            return bool(condition.get("status") == "Unknown")
    return False


class _Life:
    """One pod at one instant. Statuses are replaced, never changed."""

    def __init__(self, pod: Obj, known: Known, now: float, profile: Profile) -> None:
        self.pod = pod
        self.spec: Obj = pod["spec"]
        self.old: Obj = pod.get("status") or {}
        self.known = known
        self.now = now
        self.profile = profile
        self.init: list[Obj] = self.spec.get("initContainers") or []
        both = (*self.init, *self.spec["containers"])
        self.numbers = {container["name"]: number for number, container in enumerate(both)}
        self.statuses = by_name(self.old.get("initContainerStatuses"), self.old.get("containerStatuses"))
        self.events: list[Happening] = []
        self.timers: list[float] = []
        self.asked: list[tuple[int, Obj, float, Pull | None]] = []
        self.since = self._sandbox_since()
        self.is_fresh = False
        """Whether the container looked at comes up for the first time in this very call."""

    def _sandbox_since(self) -> float | None:
        since = sandbox_since(self.old)
        if since is None and any(c.state_of(status) != "waiting" for status in self.statuses.values()):
            return parse_time(self.old["startTime"]) if self.old.get("startTime") else self.now
        return since

    def go_on(self, node: Obj) -> Step:
        """Take a pod that is to run as far as it gets at this instant."""
        if self.known.refusal is not None:
            return self._reject(*self.known.refusal)
        if self._is_past_deadline():
            return self._fail(node, "DeadlineExceeded", DEADLINE)
        self._default_statuses()
        if self.since is None:
            self._make_sandbox()
        if self.since is not None:
            begun = self._run_init(self.since)
            if begun is not None:
                self._run_regular(begun)
                self._stop_sidecars()
        self._refresh_flags()
        return self._step(node, phase_of(self.spec, self.statuses))

    def _is_past_deadline(self) -> bool:
        seconds = self.spec.get("activeDeadlineSeconds")
        started = self.old.get("startTime")
        if seconds is None or not started:
            if seconds is not None:
                self.timers.append(self.now + seconds)
            return False
        self.timers.append(parse_time(started) + seconds)
        return self.now >= self.timers[-1]

    def _default_statuses(self) -> None:
        reason = "PodInitializing" if self.init else "ContainerCreating"
        for container in (*self.init, *self.spec["containers"]):
            if container["name"] not in self.statuses:
                self.statuses[container["name"]] = c.waiting(container, reason)

    def _make_sandbox(self) -> None:
        problem = references.mount_problem(self.spec, self.known.objects)
        if problem:
            if not self.old.get("startTime"):
                self._warn("FailedMount", problem)
            return
        if not (self.known.address or self.old.get("podIP") or self.spec.get("hostNetwork")):
            if not self.old.get("startTime"):
                self._warn("FailedCreatePodSandBox", NO_ADDRESS)
            return
        self.since, self.is_fresh = self.now, True
        missing = references.missing_pull_secrets(self.spec, self.known.objects)
        if missing:
            self._warn("FailedToRetrieveImagePullSecret", missing)

    def _run_init(self, begun: float) -> float | None:
        """Run init containers in order; return when the regular ones may begin, None for not yet."""
        for container in self.init:
            name = container["name"]
            if c.state_of(self.statuses[name]) == "waiting":
                self._try_start(container, begun)
            status = self.statuses[name]
            if c.state_of(status) == "waiting":
                return None
            if c.state_of(status) == "running" and not is_sidecar(container):
                end = (c.started_at(status) or self.now) + self.profile.init_container_run
                if self.now < end:
                    self.timers.append(end)
                    return None
                self.statuses[name] = c.terminated(status, self.now)
                self.is_fresh = True
            begun = max(begun, c.done_at(container, self.statuses[name]))
            if self.now < begun:
                self.timers.append(begun)
                return None
            if is_sidecar(container) and not status.get("started"):
                self.is_fresh = True
        return begun

    def _run_regular(self, begun: float) -> None:
        """Start regular containers, each after the start of the one before, and let them end."""
        for container in self.spec["containers"]:
            name = container["name"]
            if c.state_of(self.statuses[name]) == "waiting" and not self._try_start(container, begun):
                return
            status = self.statuses[name]
            if c.state_of(status) == "waiting":
                continue
            since = c.started_at(status) or begun
            begun = max(begun, since)
            if restart_policy(self.spec, container) != "Always" and c.state_of(status) == "running":
                if self.now >= since + self.profile.job_container_run:
                    self.statuses[name] = c.terminated(status, self.now)
                else:
                    self.timers.append(since + self.profile.job_container_run)

    def _try_start(self, container: Obj, begun: float) -> bool:
        """Start the container if its time has come; False when it holds up those behind it."""
        image = parse(container["image"])
        if image.error:
            message = invalid_message(container["image"], image.error)
            self._refuse(container, "InvalidImageName", message, "InspectFailed")
            return True
        status = self.statuses[container["name"]]
        reason = c.waiting_reason(status)
        pull = self._pull(container, begun)
        if pull is None:
            text = f'Container image "{container["image"]}" is not present with pull policy of Never'
            self._refuse(container, "ErrImageNeverPull", text, "ErrImageNeverPull")
            return True
        if self.is_fresh and not pull.was_there:
            self._note("Pulling", f'Pulling image "{container["image"]}"', container)
        problem = references.environment_problem(container, self._namespace(), self.known.objects)
        if problem:
            if self.now >= pull.done:
                self._refuse(container, "CreateContainerConfigError", problem)
            else:
                self.timers.append(pull.done)
            return True
        start = max(pull.done, self.now) if reason in c.ERRORS else pull.done + self.profile.container_start
        if self.now < start:
            self.timers.append(start)
            return False
        self._start(container, begun, pull)
        return True

    def _namespace(self) -> str:
        return str(self.pod["metadata"].get("namespace", ""))

    def _pull(self, container: Obj, begun: float) -> Pull | None:
        """Ask how the container comes to its image, and note that."""
        number = self.numbers[container["name"]]
        pull = ask(self.pod, container, number, begun, self.known, self.profile)
        self.asked.append((number, container, begun, pull))
        return pull

    def _start(self, container: Obj, begun: float, pull: Pull) -> None:
        if pull.was_there or c.waiting_reason(self.statuses[container["name"]]) in c.ERRORS:
            text = f'Container image "{container["image"]}" already present on machine and can be accessed by the pod'
        else:
            took, whole = duration(pull.done - pull.begun), duration(pull.done - begun)
            text = f'Successfully pulled image "{container["image"]}" in {took} ({whole} including waiting)'
        self._note("Pulled", text, container)
        self._note("Created", "Container created", container)
        self._note("Started", "Container started", container)
        self.statuses[container["name"]] = c.running(container, self.pod["metadata"].get("uid", ""), self.now)
        self.is_fresh = True

    def _refuse(self, container: Obj, reason: str, message: str, event: str = "") -> None:
        """Let the container wait for a reason that time does not cure; say so once."""
        status = self.statuses[container["name"]]
        waiting = c.waiting(container, reason, message)
        if status["state"] == waiting["state"]:
            return
        if event:
            self._warn(event, message, container)
        self._warn("Failed", f"Error: {message if reason == 'CreateContainerConfigError' else reason}", container)
        self.statuses[container["name"]] = waiting

    def _stop_sidecars(self) -> None:
        """End sidecars in reverse order once every regular container has ended for good."""
        ends = [c.finished_at(self.statuses[container["name"]]) for container in self.spec["containers"]]
        left = [k for k in reversed(self.init) if is_sidecar(k) and self._is_running(k)]
        if not left or any(end is None for end in ends):
            return
        others = [c.finished_at(self.statuses[k["name"]]) for k in self.init if is_sidecar(k)]
        end = max(at for at in (*ends, *others) if at is not None)
        if end == self.now and any(c.state_of(self._before(k)) == "running" for k in self.spec["containers"]):
            for sidecar in left:
                self._note("Killing", f"Stopping container {sidecar['name']}", sidecar)
        for sidecar in left:
            end += self.profile.container_stop
            if self.now < end:
                self.timers.append(end)
                return
            self.statuses[sidecar["name"]] = c.terminated(self.statuses[sidecar["name"]], self.now)

    def _is_running(self, container: Obj) -> bool:
        return c.state_of(self.statuses.get(container["name"])) == "running"

    def _before(self, container: Obj) -> Obj | None:
        """Return the container's status as it was before this call."""
        found = by_name(self.old.get("initContainerStatuses"), self.old.get("containerStatuses"))
        return found.get(container["name"])

    def _refresh_flags(self) -> None:
        generation = self.pod["metadata"].get("generation")
        is_resized = bool(self.old) and generation != self.old.get("observedGeneration")
        for group, is_init in ((self.init, True), (self.spec["containers"], False)):
            for container in group:
                status = self.statuses[container["name"]]
                if is_resized and c.state_of(status) == "running":
                    status = c.with_resources(container, status)
                self.statuses[container["name"]] = c.with_flags(container, status, self.now, is_init=is_init)
                if c.state_of(status) == "running":
                    following = c.next_flag(container, status, self.now)
                    if following is not None:
                        self.timers.append(following)

    def end(self, node: Obj) -> Step:
        """Take a pod that is being deleted to its end: stop, say so, let go."""
        if not self.old.get("startTime") or self.old.get("phase") in TERMINAL:
            return Step(is_gone=self._may_go())
        self._default_statuses()
        self._announce_end()
        if self._stop_all():
            self._refresh_flags_of_stopping()
            return self._step(node, str(self.old.get("phase", "Pending")))
        if any_regular_started(self.spec, self.statuses) or not self.init:
            for name, status in self.statuses.items():
                if c.state_of(status) == "waiting":
                    self.statuses[name] = c.never_ran(status)
        phase = phase_of(self.spec, self.statuses, is_terminal=True)
        self.since, self.timers = None, []
        step = self._step(node, phase if phase in TERMINAL else "Failed")
        return step._replace(is_gone=self._may_go())

    def _may_go(self) -> bool:
        """Say whether the pod is to be deleted for good, which finalizers may hold up afterwards."""
        meta = self.pod["metadata"]
        return meta.get("deletionGracePeriodSeconds") != 0 or not meta.get("finalizers")

    def _announce_end(self) -> None:
        """Emit Killing when the deletion is first seen; observedGeneration tells that it was."""
        generation = self.pod["metadata"].get("generation")
        if generation and self.old.get("observedGeneration") == generation:
            return
        if generation or self.now >= min(self._stops(), default=self.now):
            for container in (*self.spec["containers"], *reversed(self.init)):
                if self._is_running(container):
                    self._note("Killing", f"Stopping container {container['name']}", container)

    def _asked_at(self) -> float:
        meta = self.pod["metadata"]
        return parse_time(meta["deletionTimestamp"]) - float(meta.get("deletionGracePeriodSeconds") or 0)

    def _stops(self) -> list[float]:
        """Return when each running container ends, in the order they are stopped."""
        asked = self._asked_at()
        grace = float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        sidecars = sum(1 for k in self.init if is_sidecar(k))
        return [asked + min(self.profile.container_stop * (1 + n), grace) for n in range(1 + sidecars)]

    def _stop_all(self) -> bool:
        """Stop what is due; return whether something still runs."""
        stops = self._stops()
        grace = float(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        first = [k for k in (*self.init, *self.spec["containers"]) if not is_sidecar(k)]
        rounds = [first, *([k] for k in reversed(self.init) if is_sidecar(k))]
        for n, (group, at) in enumerate(zip(rounds, stops, strict=True)):
            alive = [k for k in group if self._is_running(k)]
            if alive and self.now < at:
                self.timers = [at]
                return True
            is_killed = self.profile.container_stop * (1 + n) > grace
            code, reason = (137, "Error") if is_killed else (0, "Completed")
            for container in alive:
                status = self.statuses[container["name"]]
                self.statuses[container["name"]] = c.terminated(status, self.now, exit_code=code, reason=reason)
        return False

    def _refresh_flags_of_stopping(self) -> None:
        """Let a container that just ended be unready; probes of the others go on as they are."""
        for container in self.init:
            status = self.statuses[container["name"]]
            if c.state_of(status) == "terminated":
                self.statuses[container["name"]] = c.with_flags(container, status, self.now, is_init=True)

    def _fail(self, node: Obj, reason: str, message: str) -> Step:
        """End the pod as Failed for a reason of its own."""
        self._default_statuses()
        for name, status in self.statuses.items():
            if c.state_of(status) == "running":
                self.statuses[name] = c.terminated(status, self.now)
        self._note(reason, message)
        self.since, self.timers = None, []
        return self._step(node, "Failed", {"reason": reason, "message": message})

    def _reject(self, reason: str, message: str) -> Step:
        """Fail a pod that the node does not take, as rejectPod: nothing of it is ever started."""
        self._warn(reason, message)
        status = {**self.old, "phase": "Failed", "reason": reason, "message": f"Pod was rejected: {message}"}
        status["startTime"] = rfc3339(self.now)
        if self.pod["metadata"].get("generation"):
            status["observedGeneration"] = self.pod["metadata"]["generation"]
        return Step(status, tuple(self.events))

    def _step(self, node: Obj, phase: str, more: Obj | None = None) -> Step:
        """Return the step to the status as it is now."""
        if phase in TERMINAL:
            self.since, self.timers = None, []
        status = self._status(node, phase, more or {})
        wake_at = min((at for at in self.timers if at > self.now), default=None)
        return Step(None if status == self.old else status, tuple(self.events), wake_at)

    def _status(self, node: Obj, phase: str, more: Obj) -> Obj:
        meta = self.pod["metadata"]
        spec = self.spec
        status = {k: v for k, v in self.old.items() if k != "nominatedNodeName"}
        status |= more
        status["phase"] = phase
        if meta.get("generation"):
            status["observedGeneration"] = meta["generation"]
        status["conditions"] = conditions_of(
            self.pod, self.statuses, phase, has_sandbox=self.since is not None, now=self.now
        )
        status.setdefault("startTime", rfc3339(self.now))
        status["containerStatuses"] = [self.statuses[k["name"]] for k in spec["containers"]]
        if self.init:
            status["initContainerStatuses"] = [self.statuses[k["name"]] for k in self.init]
        self._set_addresses(node, status)
        return status

    def _set_addresses(self, node: Obj, status: Obj) -> None:
        """Set host and pod addresses; a pod keeps the address it has."""
        host = node_ip(node)
        if host:
            status["hostIP"], status["hostIPs"] = host, [{"ip": host}]
        if status.get("podIP"):
            return
        address = host if self.spec.get("hostNetwork") else self.known.address if self.since is not None else ""
        if address:
            status["podIP"], status["podIPs"] = address, [{"ip": address}]

    def _note(self, reason: str, message: str, container: Obj | None = None) -> None:
        self.events.append(Happening("Normal", reason, message, self._path(container)))

    def _warn(self, reason: str, message: str, container: Obj | None = None) -> None:
        self.events.append(Happening("Warning", reason, message, self._path(container)))

    def _path(self, container: Obj | None) -> str:
        """Return the path by which events name a container, as GenerateContainerRef; "" for the pod."""
        if container is None:
            return ""
        field = "initContainers" if self.numbers[container["name"]] < len(self.init) else "containers"
        return f"spec.{field}{{{container['name']}}}"


def node_ip(node: Obj) -> str:
    """Return the node's InternalIP, as GetNodeHostIPs; "" when it has none."""
    addresses = dig(node, "status", "addresses", default=())
    for wanted in ("InternalIP", "ExternalIP"):
        for address in addresses:
            if address.get("type") == wanted:
                return str(address["address"])
    return ""


def is_settled(pod: Obj) -> bool:
    """Say whether only a change of the pod can give its kubelet something to do."""
    status = pod.get("status") or {}
    if status.get("phase") in TERMINAL:
        return not is_deleting(pod)
    spec = pod["spec"]
    return (
        status.get("phase") == "Running"
        and not is_deleting(pod)
        and all(restart_policy(spec, container) == "Always" for container in spec["containers"])
        and not spec.get("readinessGates")
        and spec.get("activeDeadlineSeconds") is None
        and status.get("observedGeneration") == pod["metadata"].get("generation")
        and is_condition_true(pod, "Ready")
    )
