"""How the simulated world misbehaves: what images, containers and nodes do when it is not what one hopes.

The kubelets ask a :class:`Behaviours` and get values of this module; all defaults mean that
everything works. :class:`Annotated` reads the persistent form, annotations of pods and nodes
(``sim.kctl.dev/...``), on top of any other source: a Scenario is one. Nothing here acts and nothing
remembers: an answer is a function of the question, so that a later command gets the same one.

Annotations of a pod; all but the last two may name one container (``sim.kctl.dev/run.migrate: 40s``):

=====================  ========================================================================
``start``              seconds from its image being there to the process running
``up-after``           the process answers startup and liveness probes from then; ``never``
``ready-after``        it answers readiness probes from then; ``never``
``hangs-after``        it answers no probe from then (``hangs-times``: in so many runs only)
``run``                it ends by itself after so long
``exit-code``          with this (0); without ``run`` it ends as soon as it runs
``exit-reason``        ``OOMKilled`` for what the kernel did; else Completed or Error
``exit-times``         only the first so many runs end like that, the others as by default
``stop``               it ends so long after SIGTERM; ``never``
``stop-code``          with this exit code (0)
``pre-stop``           the preStop hook takes so long
``post-start``         the postStart hook fails: with this message
``cpu``, ``memory``,   what it uses, as quantities; more memory than its limit and the kernel
``disk``               kills it
``pull``               its image: a duration, or ``fail``
``pull-error``         in these words; ``pull-times``: only so many attempts fail
``size``               of its images, as a quantity
=====================  ========================================================================

Annotations of a node: ``state`` (``dead``: the machine is, its containers with it; or
``kubelet-stopped``: only nobody is told of them any more), ``boot`` (any text: another one is
another boot), ``pressure`` (``memory``, ``disk``, ``pid``, several with commas), ``shutdown`` (the machine is told to
go off, and its kubelet has so long to end its pods: ``60s``, ``60s/20s`` with the last 20 s for critical pods, or seconds
by priority, ``0=40s,1000=20s``). Kubelets themselves note on a node ``silent-since``, ``booted-at`` and
``shutting-down-since``, and how they are configured: ``eviction-hard`` and ``shutdown-grace``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import inf
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from kctl.api.behaviour_fields import ENDING, FIELDS, PLAIN, PULLING
from kctl.api.behaviour_fields import seconds as seconds_of
from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Obj

PREFIX = "sim.kctl.dev/"
STATE = PREFIX + "state"
BOOT = PREFIX + "boot"
PRESSURE = PREFIX + "pressure"
SHUTDOWN = PREFIX + "shutdown"
SHUTTING_DOWN_SINCE = PREFIX + "shutting-down-since"
SILENT_SINCE = PREFIX + "silent-since"
BOOTED_AT = PREFIX + "booted-at"
NodeState = Literal["running", "kubelet-stopped", "dead"]
STATES: tuple[NodeState, ...] = ("running", "kubelet-stopped", "dead")
PRESSURES = ("memory", "disk", "pid")
EVICTION_HARD, SHUTDOWN_GRACE = PREFIX + "eviction-hard", PREFIX + "shutdown-grace"
OF_NODES = (STATE, BOOT, PRESSURE, SHUTDOWN)
"""What may be said of a node."""
NOTES = (SILENT_SINCE, BOOTED_AT, SHUTTING_DOWN_SINCE, EVICTION_HARD, SHUTDOWN_GRACE)
"""What kubelets note on one; the last two are how they are configured."""
CRITICAL = 2_000_000_000
"""The priority from which pods are critical (SystemCriticalPriority)."""
Graces = tuple[tuple[int, float], ...]
"""How long pods of a priority and above have to end, by priority, the lowest first."""


class Problem(NamedTuple):
    """An annotation and what is wrong with it."""

    key: str
    text: str


class Pulling(NamedTuple):
    """What comes of pulling an image: None as ``seconds`` is what the profile says.

    ``failures`` attempts fail before one succeeds (inf: all), with ``error`` as the runtime's words.
    ``size`` in bytes, 0 when it does not matter.
    """

    seconds: float | None = None
    failures: float = 0
    error: str = ""
    size: int = 0


class Ending(NamedTuple):
    """A run that ends by itself ``after`` seconds; only the first ``times`` runs do."""

    after: float = 0.0
    exit_code: int = 0
    reason: str = ""
    times: float = inf


class ContainerBehaviour(NamedTuple):
    """What a container does; None is what the profile says.

    Seconds count from the start of a run, inf is never: ``up_after`` for startup and liveness
    probes, ``ready_after`` for readiness, ``hangs_after`` (in the first ``hang_times`` runs) for all.
    ``stop`` counts from SIGTERM, inf ignores it. Usage is in thousandths of a CPU and bytes.
    """

    start: float | None = None
    up_after: float = 0.0
    ready_after: float = 0.0
    hangs_after: float = inf
    hang_times: float = inf
    ends: Ending | None = None
    stop: float | None = None
    stop_code: int = 0
    pre_stop: float | None = None
    post_start_error: str = ""
    cpu: int | None = None
    memory: int | None = None
    disk: int | None = None
    pulling: Pulling | None = None
    """Its image, where this container is another than all others that use it."""


DEFAULT = ContainerBehaviour()
ON_DEMAND = Pulling()


class PodBehaviour(NamedTuple):
    """What the containers of a pod do, by name; all others do as ``every`` does."""

    every: ContainerBehaviour = DEFAULT
    containers: Mapping[str, ContainerBehaviour] = MappingProxyType({})

    def of(self, name: str) -> ContainerBehaviour:
        """Return what a container does."""
        return self.containers.get(name, self.every)


class NodeBehaviour(NamedTuple):
    """How a node is: None as ``changes_at`` when that stays so.

    Another ``boot`` than before is a reboot. ``pressure`` names what it has too little of.
    """

    state: NodeState = "running"
    boot: str = ""
    pressure: tuple[str, ...] = ()
    changes_at: float | None = None


HEALTHY = NodeBehaviour()


class Behaviours(Protocol):
    """What kubelets ask. Answers must not depend on anything but the arguments."""

    def image(self, image: str, node: str) -> Pulling:
        """Say what comes of pulling ``image`` (as written in the pod) on the node of that name."""
        ...

    def pod(self, pod: Obj) -> PodBehaviour | None:
        """Say what the pod's containers do, None for nothing but the default. Asked at every step."""
        ...

    def node(self, node: Obj, now: float) -> NodeBehaviour:
        """Say how the node is at ``now``."""
        ...


class Works:
    """The default: everything works."""

    def image(self, image: str, node: str) -> Pulling:
        """Say that every image can be pulled."""
        return ON_DEMAND

    def pod(self, pod: Obj) -> PodBehaviour | None:
        """Say that the pod is like any other."""
        return None

    def node(self, node: Obj, now: float) -> NodeBehaviour:
        """Say that the node is healthy."""
        return HEALTHY


class Annotated:
    """What annotations say, on top of what another source says; a value that cannot be read says nothing."""

    def __init__(self, below: Behaviours | None = None) -> None:
        self._below = below or Works()
        self._known: dict[tuple[tuple[str, str], ...], PodBehaviour] = {}

    def image(self, image: str, node: str) -> Pulling:
        """Say what the other source says: annotations are about the images of their pod."""
        return self._below.image(image, node)

    def pod(self, pod: Obj) -> PodBehaviour | None:
        """Read the pod's annotations."""
        found = self._below.pod(pod)
        annotations = pod["metadata"].get("annotations")
        if not annotations:
            return found
        named = tuple(item for item in annotations.items() if item[0].startswith(PREFIX))
        if not named:
            return found
        if found is not None:
            return pod_behaviour(dict(named), found)
        known = self._known.get(named)
        if known is None:
            if len(self._known) >= LIMIT:
                self._known.clear()
            known = self._known[named] = pod_behaviour(dict(named))
        return known

    def may_size(self, pod: Obj) -> bool:
        """Say whether anything might be said of the pod or its images."""
        annotations = pod["metadata"].get("annotations")
        if not (isinstance(self._below, Works) or getattr(self._below, "is_still", False)):
            return True
        return bool(annotations) and any(name.startswith(PREFIX) for name in annotations)

    def may_say(self, node: Obj) -> bool:
        """Say whether anything might be said of the node."""
        annotations = node["metadata"].get("annotations") or {}
        return not isinstance(self._below, Works) or any(name.startswith(PREFIX) for name in annotations)

    def node(self, node: Obj, now: float) -> NodeBehaviour:
        """Read the node's annotations."""
        found = self._below.node(node, now)
        annotations = node["metadata"].get("annotations") or {}
        if annotations.get(STATE) in STATES:
            found = found._replace(state=annotations[STATE])
        if annotations.get(BOOT):
            found = found._replace(boot=annotations[BOOT])
        if annotations.get(PRESSURE):
            named = {part.strip() for part in annotations[PRESSURE].split(",")}
            found = found._replace(pressure=tuple(name for name in PRESSURES if name in named))
        return found


LIMIT = 1024
"""So many sets of annotations are known at a time."""


def pod_behaviour(annotations: Mapping[str, str], below: PodBehaviour | None = None) -> PodBehaviour:
    """Return what annotations say of a pod's containers, on top of what is known of them."""
    below = below or PodBehaviour()
    by_container: dict[str, dict[str, str]] = {}
    for key, text in annotations.items():
        if key.startswith(PREFIX):
            field, _, container = key.removeprefix(PREFIX).partition(".")
            by_container.setdefault(container, {})[field] = text
    common = by_container.pop("", {})
    names = sorted(by_container.keys() | below.containers.keys())
    return PodBehaviour(
        _changed(below.every, common),
        {name: _changed(below.of(name), {**common, **by_container.get(name, {})}) for name in names},
    )


def problems(annotations: Mapping[str, str]) -> list[str]:
    """Return what of a pod's annotations cannot be read, in words; lints say it."""
    return [f"{key}: {text}" for key, text in unreadable(annotations)]


def unreadable(annotations: Mapping[str, object], containers: Collection[str] | None = None) -> Iterator[Problem]:
    """Yield a pod's annotations that cannot be read or name a container it lacks, and what is wrong with each.

    ``containers`` are the names of its containers, None when nobody looks at them.
    """
    for key in sorted(key for key in annotations if key.startswith(PREFIX)):
        field, _, container = key.removeprefix(PREFIX).partition(".")
        read, text = FIELDS.get(field), annotations[key]
        if read is None:
            yield Problem(key, f"no such annotation; known are {', '.join(sorted(FIELDS))}")
            continue
        if container and containers is not None and container not in containers:
            yield Problem(key, f'there is no container "{container}"; there are {", ".join(sorted(containers))}')
            continue
        if not isinstance(text, str):
            continue  # the API server refuses it
        try:
            read(text)
        except ValueError as error:
            yield Problem(key, f"{text!r} cannot be read: {error}")


def unreadable_of_node(annotations: Mapping[str, object]) -> Iterator[Problem]:
    """Yield a node's annotations that cannot be read, and what is wrong with each."""
    for key in sorted(key for key in annotations if key.startswith(PREFIX)):
        text = annotations[key]
        if key not in (*OF_NODES, *NOTES):
            known = ", ".join(name.removeprefix(PREFIX) for name in OF_NODES)
            yield Problem(key, f"no such annotation of a node; known are {known}")
        elif key == STATE and isinstance(text, str) and text and text not in STATES:
            yield Problem(key, f"{text!r} cannot be read: it is none of {', '.join(STATES)}")
        elif key == PRESSURE and isinstance(text, str):
            odd = [part.strip() for part in text.split(",") if part.strip() not in (*PRESSURES, "")]
            if odd:
                yield Problem(key, f"{odd[0]!r} cannot be read: it is none of {', '.join(PRESSURES)}")
        elif key == SHUTDOWN and isinstance(text, str):
            try:
                graces_of(text)
            except ValueError as error:
                yield Problem(key, f"{text!r} cannot be read: {error}")


def _changed(known: ContainerBehaviour, texts: Mapping[str, str]) -> ContainerBehaviour:
    """Return the behaviour with what the annotations say of it."""
    values: dict[str, object] = {}
    for field, text in texts.items():
        read = FIELDS.get(field)
        if read is None:
            continue
        try:
            values[field] = read(text)
        except ValueError:
            continue
    direct = {PLAIN[field]: value for field, value in values.items() if field in PLAIN}
    made = known._replace(**direct)  # type: ignore[arg-type]  # each value is of its field's type
    return made._replace(ends=_ending(made.ends, values), pulling=_pulling(made.pulling, values))


def _ending(known: Ending | None, values: Mapping[str, object]) -> Ending | None:
    found = {ENDING[field]: value for field, value in values.items() if field in ENDING}
    if not found or (known is None and not found.keys() & {"after", "exit_code"}):
        return known
    return (known or Ending())._replace(**found)  # type: ignore[arg-type]


def _pulling(known: Pulling | None, values: Mapping[str, object]) -> Pulling | None:
    found: dict[str, object] = {}
    if "pull" in values:
        fails = values["pull"] == inf
        found |= {"failures": inf} if fails else {"seconds": values["pull"], "failures": 0}
    found |= {PULLING[field]: value for field, value in values.items() if field in PULLING}
    return (known or Pulling())._replace(**found) if found else known  # type: ignore[arg-type]


def silent_since(node: Obj) -> float | None:
    """Return since when no heartbeat comes from the node, None when the last one came just now.

    A heartbeat is a fact, not a write: a node that is not known to be silent is heard of *now*.
    """
    return _noted(node, SILENT_SINCE)[0]


def silent_as(node: Obj) -> str:
    """Return the state in which the node fell silent, "" when it is heard of."""
    return _noted(node, SILENT_SINCE)[1]


def booted_at(node: Obj) -> float | None:
    """Return when the node came up again after a reboot, None when it never had one."""
    return _noted(node, BOOTED_AT)[0]


def booted_as(node: Obj) -> str:
    """Return which boot that was."""
    return _noted(node, BOOTED_AT)[1]


def shutting_down_since(node: Obj) -> float | None:
    """Return since when the node's kubelet ends its pods because the machine goes off, None when it does not."""
    return _noted(node, SHUTTING_DOWN_SINCE)[0]


def shutdown_of(node: Obj) -> Graces:
    """Return how long the pods of a node have that is told to go off; nothing when it is not, or nobody can read it."""
    annotations = node["metadata"].get("annotations")
    text = annotations.get(SHUTDOWN) if annotations else None
    if not text:
        return ()
    try:
        return graces_of(text)
    except ValueError:
        return ()


def graces_of(text: str) -> Graces:
    """Read ``60s``, ``60s/20s`` or ``0=40s,1000=20s``; ValueError when it is none of these."""
    if "=" not in text:
        whole, _, critical = text.partition("/")
        seconds, last = seconds_of(whole), seconds_of(critical) if critical else 0.0
        if last > seconds:
            raise ValueError("critical pods have more time than all")
        return ((0, seconds - last), (CRITICAL, last))
    found: dict[int, float] = {}
    for part in text.split(","):
        priority, _, grace = part.strip().partition("=")
        if int(priority) in found:
            raise ValueError(f"priority {priority} is there twice")
        found[int(priority)] = seconds_of(grace)
    return tuple(sorted(found.items()))


def graces_text(graces: Graces) -> str:
    """Write what :func:`graces_of` reads."""
    return ",".join(f"{priority}={seconds:g}s" for priority, seconds in graces)


def note(instant: float, what: str = "") -> str:
    """Write what kubelets note on a node: an instant, and what happened."""
    return f"{rfc3339(instant)} {what}".rstrip()


def _noted(node: Obj, name: str) -> tuple[float | None, str]:
    annotations = node["metadata"].get("annotations")
    text = annotations.get(name) if annotations else None
    if not text:
        return None, ""
    at, _, what = text.partition(" ")
    try:
        return parse_time(at), what
    except (ValueError, TypeError):
        return None, ""
