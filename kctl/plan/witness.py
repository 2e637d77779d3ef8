"""A run that is watched for what a scenario expects: how things were at the end of every instant.

In: the changes of each instant, as a :class:`kctl.plan.tale.Tale` gets them; the expectations. Out: the tale, and
when the run is over a judgement of each expectation. Only what expectations ask about is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from kctl.api import selectors
from kctl.api.clock import parse_time
from kctl.api.errors import KctlError, UsageError
from kctl.api.objects import Key, Obj, condition, dig, key_of, labels_of
from kctl.api.scenario import expectations
from kctl.api.scenario.expectations import Point, Value
from kctl.api.scenario.judging import Judge, Judgement, judged
from kctl.api.scenario.matching import kind_of, owners_of
from kctl.api.scenario.model import RESOURCE, Scenario, Target
from kctl.client.client import Client, WatchEvent
from kctl.plan.ownership import Ref
from kctl.plan.podfacts import GONE, Facts, facts_of
from kctl.plan.tale import Tale
from kctl.plane.plane import ControlPlane

OF_PODS = frozenset({"pods", "pending", "running", "succeeded", "failed", "restarts", "nodes", "zones"})
COUNTS: dict[str, dict[str, tuple[str, ...]]] = {
    "daemonsets.apps": {
        "available": ("status", "numberAvailable"),
        "ready": ("status", "numberReady"),
        "replicas": ("status", "desiredNumberScheduled"),
        "updated": ("status", "updatedNumberScheduled"),
    },
    "jobs.batch": {
        "available": ("status", "ready"),
        "ready": ("status", "ready"),
        "replicas": ("spec", "parallelism"),
        "succeeded": ("status", "succeeded"),
        "failed": ("status", "failed"),
    },
    "horizontalpodautoscalers.autoscaling": {"replicas": ("status", "desiredReplicas")},
    "poddisruptionbudgets.policy": {"available": ("status", "currentHealthy"), "ready": ("status", "currentHealthy")},
}
WORKLOAD = {
    "available": ("status", "availableReplicas"),
    "ready": ("status", "readyReplicas"),
    "replicas": ("spec", "replicas"),
    "updated": ("status", "updatedReplicas"),
}
SLICES, SERVICE_LABEL = "endpointslices.discovery.k8s.io", "kubernetes.io/service-name"
ZONE = "topology.kubernetes.io/zone"


class Place(NamedTuple):
    """Where an object that is asked about stands."""

    resource: str
    key: Key


class Witness(Tale):
    """A tale that also remembers what expectations ask; a :class:`kctl.api.scenario.judging.World`."""

    def __init__(self, plane: ControlPlane, scenario: Scenario, before: Callable[[], Iterable[Obj]]) -> None:
        super().__init__(before)
        self._scenario = scenario
        self._judges = [Judge(found.text, expectations.parse(found.text)) for found in scenario.expect]
        asked = [point for judge in self._judges for point in expectations.points(judge.node)]
        self._places = {p.target: place_of(plane, p.target, scenario.namespace) for p in asked if p.target is not None}
        self._objects: dict[Place, Obj | None] = {place: None for place in self._places.values() if place is not None}
        self._ever: set[Place] = set()
        self._pods: dict[Target, dict[str, Obj]] = {p.target: {} for p in asked if p.target and p.name in OF_PODS}
        self._needs_pods = any(point.name in OF_PODS for point in asked)
        self._facts: dict[str, Facts] = {}
        self._phases: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._warnings: dict[tuple[str, Ref], int] = {}
        self._zones: dict[str, str] = {}
        self._slices: dict[Key, Obj] = {}
        self.began: float | None = None
        self._last = self._first = plane.now
        self._report: Obj = {}
        self._begin(plane.client)

    # what happens

    def _begin(self, client: Client) -> None:
        """Read how things are before anything happens."""
        wanted = {place.resource for place in self._objects}
        if self._needs_pods:
            wanted |= {"pods", "nodes"}
        if any(place.resource == "services" for place in self._objects):
            wanted.add(SLICES)
        for resource in sorted(wanted):
            try:
                found = client.list(resource).items
            except KctlError:  # a kind whose definition is yet to come
                continue
            for obj in found:
                self._see(WatchEvent("ADDED", resource, obj, None), is_old=True)
        self._observe(self._first)

    def take(self, events: Sequence[WatchEvent], times: Sequence[float]) -> None:
        """Take the changes of an instant in, and note how things are after it."""
        super().take(events, times)
        for event in events:
            self._see(event)
            if event.resource == RESOURCE and self.began is None:
                started = dig(event.object, "status", "startedAt")
                self.began = parse_time(started) if started else None
            elif event.resource != RESOURCE and times:
                self._last = times[-1]
        if times:
            self._observe(times[-1])

    def _observe(self, at: float) -> None:
        for judge in self._judges:
            judge.observe(self, at)

    def _see(self, event: WatchEvent, *, is_old: bool = False) -> None:
        resource, obj = event.resource, event.object
        new = None if event.type == "DELETED" else obj
        if resource == "events":
            if not is_old and new is not None:
                self._warned(new)
            return
        key = key_of(obj)
        place = Place(resource, key)
        if place in self._objects:
            self._objects[place] = new
            self._ever.add(place)
        if resource == "pods" and self._needs_pods:
            self._see_pod(obj, new)
        elif resource == "nodes" and self._needs_pods:
            self._zones[key.name] = labels_of(obj).get(ZONE, "")
        elif resource == SLICES:
            if new is None:
                self._slices.pop(key, None)
            else:
                self._slices[key] = new

    def _see_pod(self, pod: Obj, new: Obj | None) -> None:
        uid = pod["metadata"].get("uid", "")
        before, after = self._facts.get(uid, GONE), facts_of(new)
        if new is None:
            self._facts.pop(uid, None)
            self._restarts.pop(uid, None)
        else:
            self._facts[uid] = after
            self._restarts[uid] = _restarts(new)
        for facts, count in ((before, -1), (after, 1)):
            if facts.is_there:
                self._phases[facts.phase] = self._phases.get(facts.phase, 0) + count
        for target, pods in self._pods.items():
            if new is None:
                pods.pop(uid, None)
            elif uid in pods or self._is_of(new, target):
                pods[uid] = new

    def _is_of(self, pod: Obj, target: Target) -> bool:
        place = self._places[target]
        if place is None:
            return False
        if place.resource == "nodes":
            return bool(pod["spec"].get("nodeName") == place.key.name)
        if key_of(pod).namespace != place.key.namespace:
            return False
        if place.resource == "services":
            selector = dig(self._objects.get(place), "spec", "selector")
            return bool(selector) and selectors.from_labels(selector).matches(labels_of(pod))
        return (kind_of(target.kind), target.name) in set(owners_of(pod))

    def _warned(self, event: Obj) -> None:
        about = event.get("involvedObject") or event.get("regarding") or {}
        ref = Ref(about.get("namespace") or "", f"{about.get('kind', '').lower()}/{about.get('name', '')}")
        count = int(event.get("count") or dig(event, "series", "count", default=1) or 1)
        self._warnings[event.get("reason", ""), ref] = count

    # World

    def value(self, point: Point) -> Value:
        """Return what a function of the instant is."""
        ends = {"converged": "Converged", "settled": "Settled", "oscillating": "Oscillating", "horizon": "Horizon"}
        if point.name in ends:
            return bool(self._report.get("verdict") == ends[point.name])
        if point.name == "seconds":
            return max(0.0, round(self._last - self.start, 3))
        if point.name == "blocked":
            return float(
                sum(
                    e["count"]
                    for e in self._report.get("residual", ())
                    if e["reason"] in (point.words or (e["reason"],))
                )
            )
        if point.name == "warnings":
            return float(self._count_warnings(point))
        if point.target is None:
            return float(self._all_pods(point))
        place = self._places[point.target]
        obj = self._objects.get(place) if place is not None else None
        return self._of_object(point, point.target, place, obj)

    def _of_object(self, point: Point, target: Target, place: Place | None, obj: Obj | None) -> Value:
        words = point.words
        match point.name:
            case "exists":
                return obj is not None
            case "condition":
                return str((condition(obj, words[0]) or {}).get("status", "")) if obj is not None else ""
            case "reason":
                return str((condition(obj, words[0]) or {}).get("reason", "")) if obj is not None else ""
            case "phase":
                return str(dig(obj, "status", "phase", default=""))
            case "node":
                return str(dig(obj, "spec", "nodeName", default=""))
            case "field":
                return _plain(_field(obj, words[0]))
            case "nodes" | "zones":
                nodes = {pod["spec"].get("nodeName") for pod in self._running(target)} - {None}
                if point.name == "nodes":
                    return float(len(nodes))
                return float(len({self._zones.get(str(name), "") for name in nodes} - {""}))
        resource = place.resource if place is not None else ""
        path = COUNTS.get(resource, {}).get(point.name)
        if path is None and point.name in WORKLOAD and resource not in ("pods", "nodes", "services"):
            path = WORKLOAD[point.name]
        if path is not None:
            return float(dig(obj, *path, default=0) or 0)
        if point.name in ("available", "ready"):
            return float(self._ready_of(resource, place, obj))
        return float(self._pods_of(point, target))

    def _ready_of(self, resource: str, place: Place | None, obj: Obj | None) -> int:
        if resource != "services":
            return int((condition(obj or {}, "Ready") or {}).get("status") == "True")
        return sum(
            len(endpoint.get("addresses") or ())
            for found in self._slices.values()
            if place is not None and labels_of(found).get(SERVICE_LABEL) == place.key.name
            if key_of(found).namespace == place.key.namespace
            for endpoint in found.get("endpoints") or ()
            if dig(endpoint, "conditions", "ready", default=True)
        )

    def _running(self, target: Target) -> list[Obj]:
        return [pod for pod in self._pods[target].values() if dig(pod, "status", "phase") == "Running"]

    def _pods_of(self, point: Point, target: Target) -> int:
        pods = self._pods.get(target, {}).values()
        if point.name == "restarts":
            return sum(_restarts(pod) for pod in pods)
        phases = _phases_of(point)
        found = [dig(pod, "status", "phase", default="Pending") for pod in pods]
        return sum(1 for phase in found if phase in phases)

    def _all_pods(self, point: Point) -> int:
        if point.name == "restarts":
            return sum(self._restarts.values())
        return sum(self._phases.get(phase, 0) for phase in _phases_of(point))

    def _count_warnings(self, point: Point) -> int:
        wanted = point.words[0] if point.words else ""
        total = 0
        for (reason, ref), count in self._warnings.items():
            if wanted and reason != wanted:
                continue
            if point.target is not None:
                place = self._places[point.target]
                name = f"{kind_of(point.target.kind)}/{point.target.name}"
                if place is None or ref != Ref(place.key.namespace, name):
                    continue
            total += count
        return total

    # the end

    @property
    def start(self) -> float:
        """When the scenario's clock started: at the run's beginning when it never did, or has nothing to time."""
        is_timed = self._scenario.events or self._scenario.duration
        return self.began if is_timed and self.began is not None else self._first

    def judge(self, report: Obj) -> list[Judgement]:
        """Return what became of each expectation, once the report of the run is known."""
        self._report = report
        found = judged(self._judges, self, self.start)
        return [self._typo(judge, judgement) for judge, judgement in zip(self._judges, found, strict=True)]

    def _typo(self, judge: Judge, judgement: Judgement) -> Judgement:
        """Let an expectation about what there never was fail, and say so."""
        for point in expectations.points(judge.node):
            place = self._places.get(point.target) if point.target is not None else None
            if place is not None and place not in self._ever and point.name not in ("exists", "warnings", "phase"):
                text = point.target.text if point.target is not None else ""
                return judgement._replace(holds=False, found=f"there never was a {text}")
        return judgement


def place_of(plane: ControlPlane, target: Target, namespace: str) -> Place | None:
    """Return where an object stands; UsageError when there is no such kind."""
    kind = plane.server.registry.find(target.kind)
    if kind is None:
        raise UsageError(f'{target.text}: there is no kind "{target.kind}"', hint='see "kctl api-resources"')
    where = (target.namespace or namespace) if kind.namespaced else ""
    return Place(plane.server.registry.storage(kind.resource).resource, Key(where, target.name))


def _phases_of(point: Point) -> tuple[str, ...]:
    if point.name == "pods":
        return tuple(word.capitalize() for word in point.words) or ("Pending", "Running")
    return (point.name.capitalize(),) if point.name != "pending" else ("Pending", "")


def _restarts(pod: Obj) -> int:
    status = pod.get("status") or {}
    fields = ("initContainerStatuses", "containerStatuses")
    return sum(int(found.get("restartCount") or 0) for field in fields for found in status.get(field) or ())


def _field(obj: Obj | None, path: str) -> Any:
    found: Any = obj
    for part in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(found, list):
            found = found[int(part)] if part.isdecimal() and int(part) < len(found) else None
        else:
            found = found.get(part) if isinstance(found, dict) else None
    return found


def _plain(value: Any) -> Value:
    if isinstance(value, bool | str):
        return value
    return float(value) if isinstance(value, int | float) else "" if value is None else str(value)
