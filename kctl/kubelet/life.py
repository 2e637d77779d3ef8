"""A pod at one instant on its node: its status so far, and what is to be said of it now.

In: the pod, what its kubelet knows, the instant. Out: the next status and the events, put together by
what :mod:`kctl.kubelet.going` and :mod:`kctl.kubelet.stopping` do to the containers in between.
Nothing is changed in place: statuses are replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, inf
from types import MappingProxyType
from typing import NamedTuple

from kctl.api.behaviour import DEFAULT, Behaviours, ContainerBehaviour, PodBehaviour
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj, dig
from kctl.kubelet import containers as c
from kctl.kubelet import references
from kctl.kubelet.conditions import conditions_of
from kctl.kubelet.phase import TERMINAL, by_name
from kctl.kubelet.pulls import NO_QUEUE, WORKS, Pull, Queue, sandbox_since
from kctl.runtime.profile import Profile


class Turn(NamedTuple):
    """From when a pod is to end whose node is shutting down, and how much time it has."""

    at: float
    grace: float


class Known(NamedTuple):
    """What the kubelet knows beside the pod and its node.

    ``objects`` are the ConfigMaps and Secrets the pod names, ``images`` the instants from
    which images are present on the node, ``queue`` what its puller is asked for, ``address``
    the one the pod gets if it needs one, ``refusal`` reason and message when the node does not take it,
    ``behaviour`` what its containers do when it is not the default, ``world`` what images do, ``volumes``
    the pod's volumes that are not bound or not attached yet, ``victims`` the pods that end so that this one is taken,
    ``turn`` when it is to end because its node shuts down, ``waits`` why a resize of it is not carried out,
    ``unprepared`` why it cannot have its devices.
    """

    objects: references.Found = MappingProxyType({})
    images: Mapping[str, float] = MappingProxyType({})
    address: str = ""
    queue: Queue = NO_QUEUE
    refusal: tuple[str, str] | None = None
    behaviour: PodBehaviour | None = None
    world: Behaviours = WORKS
    volumes: tuple[str, ...] = ()
    victims: tuple[Obj, ...] = ()
    turn: Turn | None = None
    waits: tuple[str, str] | None = None
    unprepared: str = ""


class Happening(NamedTuple):
    """An Event about the pod, or about the part of it that ``field_path`` names."""

    type: str
    reason: str
    message: str
    field_path: str = ""


class Step(NamedTuple):
    """What a kubelet does about a pod: None as ``status`` when it stays as it is.

    ``is_periodic`` when what comes at ``wake_at`` goes on for ever as it does: it keeps nobody waiting.
    """

    status: Obj | None = None
    events: tuple[Happening, ...] = ()
    wake_at: float | None = None
    is_gone: bool = False
    is_periodic: bool = False


Asked = tuple[tuple[int, Obj, float, Pull | None], ...]
"""What was asked about pulls: number and container, since when it is its turn, the answer."""


class Life:
    """One pod at one instant. Statuses are replaced, never changed."""

    def __init__(self, pod: Obj, known: Known, now: float, profile: Profile) -> None:
        self.pod = pod
        self.spec: Obj = pod["spec"]
        self.old: Obj = pod.get("status") or {}
        self.known = known
        self.now = now
        self.profile = profile
        self.init: list[Obj] = self.spec.get("initContainers") or []
        self.all = (*self.init, *self.spec["containers"])
        self.ephemeral: list[Obj] = self.spec.get("ephemeralContainers") or []
        self.numbers = {one["name"]: number for number, one in enumerate((*self.all, *self.ephemeral))}
        self.statuses = by_name(self.old.get("initContainerStatuses"), self.old.get("containerStatuses"))
        if self.ephemeral:
            self.statuses |= by_name(self.old.get("ephemeralContainerStatuses"))
        self.events: list[Happening] = []
        self.timers: list[float] = []
        self.endless: list[float] = []
        """Timers of what repeats itself for ever."""
        self.asked: list[tuple[int, Obj, float, Pull | None]] = []
        self.since = self._sandbox_since()
        self.is_fresh = False
        """Whether the container looked at comes up for the first time in this very call."""

    def _sandbox_since(self) -> float | None:
        since = sandbox_since(self.old)
        if since is not None or not any(c.state_of(status) != "waiting" for status in self.statuses.values()):
            return since
        if any(found.get("type") == "PodReadyToStartContainers" for found in self.old.get("conditions") or ()):
            return None
        return parse_time(self.old["startTime"]) if self.old.get("startTime") else self.now

    def does(self, container: Obj) -> ContainerBehaviour:
        """Return what the container's process does."""
        found = self.known.behaviour
        return DEFAULT if found is None else found.of(container["name"])

    def start_seconds(self, container: Obj) -> float:
        """Return how long the container takes to start."""
        own = self.does(container).start
        return self.profile.container_start if own is None else own

    def default_statuses(self) -> None:
        """Give a status to the containers that have none yet."""
        reason = "PodInitializing" if self.init else "ContainerCreating"
        for container in (*self.all, *self.ephemeral):
            if container["name"] not in self.statuses:
                self.statuses[container["name"]] = c.waiting(container, reason)

    def is_running(self, container: Obj) -> bool:
        """Say whether the container runs."""
        return c.state_of(self.statuses.get(container["name"])) == "running"

    def before(self, container: Obj) -> Obj | None:
        """Return the container's status as it was before this call."""
        found = by_name(self.old.get("initContainerStatuses"), self.old.get("containerStatuses"))
        return found.get(container["name"])

    def generation(self) -> Obj:
        """Return what a condition says of the generation it is about."""
        generation = self.pod["metadata"].get("generation")
        return {"observedGeneration": generation} if generation else {}

    def namespace(self) -> str:
        """Return the pod's namespace."""
        return str(self.pod["metadata"].get("namespace", ""))

    def step(self, node: Obj, phase: str, more: Obj | None = None) -> Step:
        """Return the step to the status as it is now."""
        if phase in TERMINAL:
            self.since, self.timers, self.endless = None, [], []
        status = self._status(node, phase, more or {})
        timers, endless = self._later(self.timers), self._later(self.endless)
        wake_at = min(timers + endless, default=None)
        return Step(
            None if status == self.old else status,
            tuple(self.events),
            wake_at,
            is_periodic=wake_at is not None and not timers,
        )

    def _later(self, timers: list[float]) -> list[float]:
        """Return timers in whole seconds, without those that are past."""
        return [float(ceil(at)) for at in timers if self.now < at < inf]

    def _status(self, node: Obj, phase: str, more: Obj) -> Obj:
        meta = self.pod["metadata"]
        spec = self.spec
        status = {k: v for k, v in self.old.items() if k != "nominatedNodeName"}
        status |= more
        status["phase"] = phase
        if meta.get("generation"):
            status["observedGeneration"] = meta["generation"]
        status["conditions"] = conditions_of(
            self.pod, self.statuses, phase, has_sandbox=self.since is not None, now=self.now, waits=self.known.waits
        )
        status.setdefault("startTime", rfc3339(self.now))
        status["containerStatuses"] = [self.statuses[k["name"]] for k in spec["containers"]]
        if self.init:
            status["initContainerStatuses"] = [self.statuses[k["name"]] for k in self.init]
        if self.ephemeral:
            status["ephemeralContainerStatuses"] = [self.statuses[k["name"]] for k in self.ephemeral]
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

    def note(self, reason: str, message: str, container: Obj | None = None) -> None:
        """Tell of something that is as it should be."""
        self.events.append(Happening("Normal", reason, message, self._path(container)))

    def warn(self, reason: str, message: str, container: Obj | None = None) -> None:
        """Tell of something that is not."""
        self.events.append(Happening("Warning", reason, message, self._path(container)))

    def _path(self, container: Obj | None) -> str:
        """Return the path by which events name a container, as GenerateContainerRef; "" for the pod."""
        if container is None:
            return ""
        number = self.numbers[container["name"]]
        field = "initContainers" if number < len(self.init) else "containers"
        if number >= len(self.all):
            field = "ephemeralContainers"
        return f"spec.{field}{{{container['name']}}}"


def node_ip(node: Obj) -> str:
    """Return the node's InternalIP, as GetNodeHostIPs; "" when it has none."""
    addresses = dig(node, "status", "addresses", default=())
    for wanted in ("InternalIP", "ExternalIP"):
        for address in addresses:
            if address.get("type") == wanted:
                return str(address["address"])
    return ""
