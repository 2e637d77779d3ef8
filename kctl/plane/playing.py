"""The scenarios that are being played, as kubelets, clouds and volume drivers ask about them.

In: Scenario objects as the caches have them. Out: behaviours of images and containers
(:class:`kctl.api.behaviour.Behaviours`), faults of clouds (:class:`kctl.runtime.faults.Faults`), loads. Where
several scenarios speak of the same thing, the one whose name comes first decides. Nothing of this is loaded
before there is a scenario.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from kctl.api.behaviour import DEFAULT, ON_DEMAND, Behaviours, Ending, PodBehaviour, Pulling, Works
from kctl.api.clock import parse_time
from kctl.api.objects import Obj, dig, key_of
from kctl.runtime.faults import Fault

if TYPE_CHECKING:
    from kctl.api.behaviour import ContainerBehaviour, NodeBehaviour
    from kctl.api.scenario.formulas import Formula
    from kctl.api.scenario.model import CloudFault, Event, Match, Scenario, WorkloadRule
    from kctl.api.scenario.steps import Step
    from kctl.runtime.manager import Manager

RESOURCE = "scenarios.sim.kctl.dev"
LIMIT = 4096
"""So many pods' behaviours are known at a time."""
DEFAULT_RUN = 1.0


class Played(NamedTuple):
    """A scenario that is played: the object, what it says, its steps, when its clock started (None: not yet)."""

    obj: Obj
    scenario: Scenario
    steps: tuple[Step, ...]
    started: float | None

    @property
    def done(self) -> int:
        """How many of its steps have been done."""
        return int(dig(self.obj, "status", "done", default=0))


class Playing:
    """All that is played; implements Behaviours and Faults."""

    def __init__(self, below: Behaviours | None = None) -> None:
        self._below = below or Works()
        self._played: dict[str, Played] = {}
        self._pods: dict[str, PodBehaviour | None] = {}
        self._refused: dict[tuple[str, int], int] = {}
        self._used: set[tuple[str, str, int]] = set()

    def take(self, obj: Obj | None, name: str) -> None:
        """Take notice of a scenario as it is now, None when it is gone. One that cannot be read says nothing."""
        self._pods.clear()
        if obj is None:
            self._played.pop(name, None)
            return
        from kctl.api.scenario import reading, steps

        known = self._played.get(name)
        started = dig(obj, "status", "startedAt")
        if known is not None and known.obj["metadata"].get("generation") == obj["metadata"].get("generation"):
            scenario, to_do = known.scenario, known.steps
        else:
            scenario, errors = reading.read(obj)
            if errors:
                return
            to_do = steps.steps_of(scenario)
        self._played[name] = Played(obj, scenario, to_do, parse_time(started) if started else None)
        self._played = dict(sorted(self._played.items()))

    def all(self) -> Sequence[Played]:
        """Return what is played, in order of name."""
        return tuple(self._played.values())

    def get(self, name: str) -> Played | None:
        """Return a scenario by its name."""
        return self._played.get(name)

    # Behaviours

    @property
    def is_still(self) -> bool:
        """Whether nothing is played and nothing else says anything: everything works."""
        return not self._played and isinstance(self._below, Works)

    def image(self, image: str, node: str) -> Pulling:
        """Say what comes of pulling an image."""
        if not self._played:
            return self._below.image(image, node)
        from kctl.api.scenario import matching

        rules = []
        for name, played in self._played.items():
            for rule in played.scenario.images:
                if matching.image_matches(rule.match, image):
                    self._used.add((name, "images", rule.place))
                    rules.append(rule)
        if not rules:
            return self._below.image(image, node)
        size = next((rule.size for rule in rules if rule.size is not None), 0)
        for rule in rules:
            if rule.fails is not None:
                return Pulling(rule.seconds, inf if rule.fails < 0 else rule.fails, rule.error, size)
            if rule.seconds is not None:
                return Pulling(rule.seconds, size=size)
        return ON_DEMAND._replace(size=size)

    def pod(self, pod: Obj) -> PodBehaviour | None:
        """Say what the containers of a pod do."""
        below = self._below.pod(pod)
        if not self._played:
            return below
        uid = pod["metadata"].get("uid", "")
        if uid not in self._pods:
            if len(self._pods) >= LIMIT:
                self._pods.clear()
            self._pods[uid] = self._pod(pod)
        return self._pods[uid] or below

    def _pod(self, pod: Obj) -> PodBehaviour | None:
        from kctl.api.scenario import matching

        rules = []
        for name, played in self._played.items():
            for rule in played.scenario.workloads:
                if matching.matches(rule.match, pod):
                    self._used.add((name, "workloads", rule.place))
                    rules.append(rule)
        if not rules:
            return None
        every = _behaviour([rule for rule in rules if not rule.match.container])
        if all(not rule.match.container for rule in rules):
            return PodBehaviour(every)
        spec = pod["spec"]
        names = [found["name"] for found in (*(spec.get("initContainers") or ()), *spec["containers"])]
        by_name = {
            name: _behaviour([r for r in rules if not r.match.container or fnmatchcase(name, r.match.container)])
            for name in names
        }
        return PodBehaviour(every, by_name)

    def usage(self, pod: Obj, resource: str, container: str = "") -> list[Formula]:
        """Return the formulas of what containers of a pod use of ``cpu`` or ``memory``; of one, unless that is ""."""
        if not self._played or all(not played.scenario.workloads for played in self._played.values()):
            return []
        from kctl.api.scenario import matching

        spec, found = pod["spec"], []
        for name in [c["name"] for c in spec["containers"] if container in ("", c["name"])]:
            rules = [
                rule
                for played in self._played.values()
                for rule in matching.workload_rules(played.scenario.workloads, pod, name)
            ]
            formulas = (rule.cpu if resource == "cpu" else rule.memory for rule in rules)
            formula = next((formula for formula in formulas if formula is not None), None)
            if formula is not None:
                found.append(formula)
        return found

    def node(self, node: Obj, now: float) -> NodeBehaviour:
        """Say how a node is: events put that into its annotations."""
        return self._below.node(node, now)

    # Faults

    def fault(self, op: str, about: Obj, now: float) -> Fault | None:
        """Say what an operation of the cloud meets; each refusal counts."""
        for played in self._played.values():
            for rule in played.scenario.cloud:
                if rule.op == op and _names(rule, about) and self._is_on(played, rule, about, now):
                    self._used.add((played.obj["metadata"]["name"], "events", rule.place))
                    text = rule.message or f"{rule.error}: as the scenario {played.scenario.name} has it"
                    is_over = rule.times is not None or rule.lasts is not None or rule.probability < 1
                    return Fault(rule.error, text, transient=is_over)
        return None

    def _is_on(self, played: Played, rule: CloudFault, about: Obj, now: float) -> bool:
        if rule.at or rule.lasts is not None:
            if played.started is None or now < played.started + rule.at:
                return False
            if rule.lasts is not None and now >= played.started + rule.at + rule.lasts:
                return False
        count = (str(about["metadata"].get("uid", "")), rule.place)
        tries = self._refused.get(count, 0)
        self._refused[count] = tries + 1
        if rule.times is not None and tries >= rule.times:
            return False
        return rule.probability >= 1 or _chance(played.scenario.seed or 0, *count, tries) < rule.probability

    def unused(self, name: str) -> list[str]:
        """Return which rules of a scenario spoke of nothing there was, in words."""
        played = self._played.get(name)
        if played is None:
            return []
        scenario = played.scenario
        rules = [("images", r.place, f"no image {r.match} was pulled") for r in scenario.images]
        rules += [("workloads", r.place, f"there was no pod of {_matched(r.match)}") for r in scenario.workloads]
        rules += [("events", r.place, f"there was no {r.op} to refuse") for r in scenario.cloud]
        told = [f"{kind}[{n}]: {text}" for kind, n, text in rules if (name, kind, n) not in self._used]
        return told + self._unfelt(scenario.events)

    def _unfelt(self, events: Sequence[Event]) -> list[str]:
        """Return the loads that change nothing: no formula anywhere says what is used under a load."""
        rules = [rule for played in self._played.values() for rule in played.scenario.workloads]
        formulas = [formula for rule in rules for formula in (rule.cpu, rule.memory) if formula is not None]
        if any("load" in formula.names for formula in formulas):
            return []
        loads = [event for event in events if event.scope == "load"]
        return [f"events[{e.place}]: no workload's usage says what this load costs: nothing scales" for e in loads]

    # Loads

    def loads(self) -> dict[str, float]:
        """Return the load on each Service or workload, by ``namespace/kind/name``."""
        found: dict[str, float] = {}
        for played in self._played.values():
            for name, rps in dig(played.obj, "status", "loads", default={}).items():
                found[name] = found.get(name, 0.0) + float(rps)
        return found


def _behaviour(rules: Sequence[WorkloadRule]) -> ContainerBehaviour:
    """Return what the rules say together: of each property what the first has that says something of it."""
    made = DEFAULT
    for rule in reversed(rules):
        if rule.ready_after is not None:
            made = made._replace(ready_after=rule.ready_after)
        if rule.unhealthy_after is not None:
            made = made._replace(hangs_after=rule.unhealthy_after)
        if rule.stop is not None:
            made = made._replace(stop=rule.stop)
        if rule.run is not None or rule.exit_code is not None:
            after = DEFAULT_RUN if rule.run is None else rule.run
            made = made._replace(ends=Ending(after, rule.exit_code or 0))
        if rule.crash is not None:
            crash = rule.crash
            times = inf if crash.times is None else crash.times
            made = made._replace(ends=Ending(crash.after, crash.exit_code, crash.reason, times))
        if rule.cpu is not None and not rule.cpu.names:
            made = made._replace(cpu=round(rule.cpu.value({}) * 1000))
        if rule.memory is not None and not rule.memory.names:
            made = made._replace(memory=round(rule.memory.value({})))
    return made


def _matched(match: Match) -> str:
    """Return in words what a rule asks for."""
    parts = (match.namespace, match.kind, match.name, ",".join(f"{k}={v}" for k, v in sorted(match.labels.items())))
    return "/".join(part for part in parts if part) or "any workload"


def unused(manager: Manager, name: str) -> list[str]:
    """Return which rules of a scenario spoke of nothing there was, as the loops of a manager found out."""
    for loop in manager.loops:
        playing = getattr(getattr(loop, "controller", None), "playing", None)
        if isinstance(playing, Playing):
            return playing.unused(name)
    return []


def _names(rule: CloudFault, about: Obj) -> bool:
    key = key_of(about)
    return (not rule.name or fnmatchcase(key.name, rule.name)) and (
        not rule.namespace or fnmatchcase(key.namespace, rule.namespace)
    )


def _chance(seed: int, uid: str, place: int, tries: int) -> float:
    """Return a number from 0 to 1 that the same question always gives."""
    from hashlib import blake2b

    digest = blake2b(f"{seed}/{uid}/{place}/{tries}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
