"""What a scenario says, once it has been read: plain values.

Durations and instants are seconds; an instant counts from when the scenario's clock starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from kctl.api.objects import Obj
from kctl.api.scenario.formulas import Formula

API_VERSION = "sim.kctl.dev/v1"
KIND = "Scenario"
RESOURCE = "scenarios.sim.kctl.dev"
PREFIX = "sim.kctl.dev/"
"""What annotations that say the same of single objects begin with."""

Start = Literal["converged", "apply"]


class ImageRule(NamedTuple):
    """How pulls of some images go. ``fails`` says how often one fails on a node, None for never, -1 for always."""

    match: str
    fails: int | None = None
    error: str = ""
    seconds: float | None = None
    size: int | None = None
    place: int = 0


class Match(NamedTuple):
    """Which workloads a rule speaks of; what is empty asks for nothing. Names are shell patterns."""

    kind: str = ""
    name: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = MappingProxyType({})
    container: str = ""


class Crash(NamedTuple):
    """A container that ends by itself: so long after its start, so many times (None: always)."""

    exit_code: int = 1
    after: float = 0.0
    times: int | None = None
    reason: str = ""


class WorkloadRule(NamedTuple):
    """How containers of some workloads behave. None: as they do without a scenario.

    ``ready_after`` and ``unhealthy_after`` count from the container's start; infinity is never.
    ``stop`` is how long a container takes to end when told to, infinity for one that must be killed.
    """

    match: Match
    ready_after: float | None = None
    unhealthy_after: float | None = None
    crash: Crash | None = None
    run: float | None = None
    exit_code: int | None = None
    stop: float | None = None
    cpu: Formula | None = None
    memory: Formula | None = None
    place: int = 0


class Target(NamedTuple):
    """An object as people name it: ``shop/deploy/web``; ``kind`` as it was given."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def text(self) -> str:
        """Return it as it was written."""
        head = f"{self.namespace}/" if self.namespace else ""
        return f"{head}{self.kind}/{self.name}"


class Event(NamedTuple):
    """Something that happens at an instant.

    ``what`` is the verb: ``die``, ``shutdown``, ``isolate``, ``reboot``, ``terminate``, ``cordon``, ``uncordon``, ``drain``, ``pressure`` and
    ``recover`` of nodes (``subject``: a pattern) or zones; ``scale``, ``delete``, ``restart``, ``patch`` and
    ``apply`` of an object; ``load`` of a Service or workload. ``lasts`` is None for good.
    """

    at: float
    what: str
    scope: Literal["node", "zone", "object", "load"]
    subject: str = ""
    target: Target | None = None
    detail: str = ""
    number: float = 0.0
    body: Any = None
    lasts: float | None = None
    place: int = 0

    @property
    def text(self) -> str:
        """Return it in words."""
        subject = self.target.text if self.target is not None else f"{self.scope}/{self.subject}"
        words = {"scale": f"scaled to {self.number:g}", "load": f"load {self.number:g}/s", "patch": "patched"}
        words |= {
            "delete": "deleted",
            "restart": "restarted",
            "apply": "applied",
            "pressure": f"{self.detail} pressure",
        }
        words |= {"cordon": "cordoned", "uncordon": "uncordoned", "drain": "drained", "die": "dies"}
        words |= {"shutdown": "shuts down", "isolate": "is cut off"}
        words |= {"reboot": "reboots", "terminate": "is terminated", "recover": "recovers"}
        return f"{subject} {words.get(self.what, self.what)}"


class CloudFault(NamedTuple):
    """What a cloud answers to some calls from ``at`` on. ``times`` counts refusals, None for all."""

    op: str
    error: str
    message: str = ""
    name: str = ""
    namespace: str = ""
    at: float = 0.0
    lasts: float | None = None
    times: int | None = None
    probability: float = 1.0
    place: int = 0


class Expectation(NamedTuple):
    """What is to hold, as it was written, and where."""

    text: str
    place: int = 0


class Scenario(NamedTuple):
    """A scenario."""

    name: str = "what-if"
    namespace: str = "default"
    start: Start = "converged"
    duration: float = 0.0
    seed: int | None = None
    latencies: Mapping[str, float] = MappingProxyType({})
    images: tuple[ImageRule, ...] = ()
    workloads: tuple[WorkloadRule, ...] = ()
    events: tuple[Event, ...] = ()
    cloud: tuple[CloudFault, ...] = ()
    expect: tuple[Expectation, ...] = ()
    source: Obj = {}  # noqa: RUF012 - a manifest is never changed in place

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to play: expectations alone are about what happens anyway."""
        return not (self.images or self.workloads or self.events or self.cloud or self.duration or self.latencies)

    def ends(self) -> float:
        """Return the instant after which nothing more happens by itself."""
        ends = [event.at + (event.lasts or 0.0) for event in self.events]
        ends += [fault.at + (fault.lasts or 0.0) for fault in self.cloud]
        return max([self.duration, *ends])
