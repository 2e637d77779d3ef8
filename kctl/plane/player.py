"""scenario-controller: does what scenarios say, at its time.

In: Scenario objects, the nodes and pods they speak of, disruption budgets. Out: annotations of nodes (what the
simulated kubelets go by), cordons, evictions, writes to objects, machines taken away; and in the scenario's status
when its clock started, what has been done, and what a drain still waits for. A drain tries again every 5 s, as
kubectl does, but only when some budget has changed: with the same ones it would be refused again.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

from kctl.api.objects import Key, Obj, controller_of, dig, is_deleting, key_of
from kctl.client.cache import META, Caches, by_node
from kctl.plane.playing import RESOURCE, Played, Playing
from kctl.runtime.controller import Controller, Decision, Watch

if TYPE_CHECKING:
    from kctl.api.scenario.steps import Step
    from kctl.client.client import Client
    from kctl.runtime.queue import WorkQueue

BUDGETS = "poddisruptionbudgets.policy"
INSTANCES = "instances.cloud.kctl.dev"
RETRY = 5.0
"""kubectl drain tries a refused eviction again after so many seconds."""
SETTLING = 360.0
"""How long time passes after the last change of a load: an autoscaler's 5 minutes and some."""
MIRROR = "kubernetes.io/config.mirror"


class Seen(NamedTuple):
    """A scenario and the nodes and pods there are."""

    played: Played
    nodes: list[Obj]
    on_node: dict[str, list[Obj]]
    may_start: bool
    tried: frozenset[tuple[str, float]] = frozenset()
    """Which drains have tried when: once an instant is enough, whoever comes to the node meanwhile."""


class Act(NamedTuple):
    """What to do in one sync, as the only action of its decision."""

    played: Played
    begin: float | None = None
    steps: tuple[Step, ...] = ()
    drains: tuple[str, ...] = ()
    nodes: tuple[Obj, ...] = ()
    pods: tuple[Obj, ...] = ()


class ScenarioController(Controller):
    """Plays scenarios."""

    name = "scenario-controller"
    user = "system:kctl:scenario"
    level = 5
    reads = ("nodes", "pods")
    writes = ("*",)

    def __init__(self, playing: Playing) -> None:
        self.playing = playing
        self._may_start: set[str] = set()
        self._tried: dict[str, frozenset[tuple[str, float]]] = {}
        self.watches = (
            Watch(RESOURCE, self._keys),
            Watch(BUDGETS, self._keys_of_budgets),
            Watch("pods", self._keys_of_pods, META),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the pods by node."""
        by_node(caches["pods"])

    def _keys(self, old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        name = (new or old or {})["metadata"]["name"]
        self.playing.take(new, name)
        return (Key("", name),)

    def _keys_of_budgets(self, old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        return [key_of(played.obj) for played in self.playing.all() if dig(played.obj, "status", "draining")]

    def _keys_of_pods(self, old: Obj | None, new: Obj | None, caches: Caches) -> Iterable[Key]:
        """Return the drains of the node to which a pod comes, or that it leaves: what they wait for is another."""
        played = self.playing.all()
        if not played or (old is not None and new is not None and is_deleting(old) == is_deleting(new)):
            return ()
        node = (new or old or {})["spec"].get("nodeName")
        return [key_of(each.obj) for each in played if node and _waits_for(each, node)]

    def quiet(self, queue: WorkQueue) -> bool:
        """Start the clocks that wait for the cluster to have converged; say whether there are some."""
        waiting = [played for played in self.playing.all() if played.started is None]
        for played in waiting:
            self._may_start.add(played.obj["metadata"]["name"])
            queue.add(key_of(played.obj))
        return bool(waiting)

    def passes_until(self) -> float | None:
        """Return until when time is to pass for the scenarios that are played."""
        return max(
            (played.started + _duration(played) for played in self.playing.all() if played.started), default=None
        )

    def observe(self, caches: Caches, key: Key) -> Seen | None:
        """Read the scenario and what it may speak of."""
        played = self.playing.get(key.name)
        obj = caches[RESOURCE].get(key)
        if played is None or obj is None or is_deleting(obj):
            return None
        played = played._replace(obj=obj)
        draining = [entry["node"] for entry in dig(obj, "status", "draining", default=())]
        nodes = caches["nodes"].all()
        names = [*draining, *(node["metadata"]["name"] for node in nodes)] if _may_drain(played) else draining
        pods = by_node(caches["pods"])
        on_node = {name: pods.get(name) for name in names}
        return Seen(played, nodes, on_node, key.name in self._may_start, self._tried.get(key.name, frozenset()))

    def decide(self, seen: Seen, now: float) -> Decision:
        """Start the clock, do what is due, try again what was refused."""
        played = seen.played
        if played.started is None:
            if played.scenario.start == "converged" and not seen.may_start:
                return Decision()
            return Decision((Act(played, begin=float(ceil(now))),))  # type: ignore[arg-type]  # an action of its own
        due = []
        for step in played.steps[played.done :]:
            if played.started + step.at > now:
                break
            due.append(step)
        tries, again = _drains(played, now, seen.tried)
        left = played.steps[played.done + len(due) :]
        times = [played.started + step.at for step in left[:1]] + ([again] if again is not None else [])
        wake = min(times, default=None)
        if not due and not tries:
            return Decision(wake_at=wake)
        pods = tuple(pod for name in sorted(seen.on_node) for pod in seen.on_node[name])
        return Decision((Act(played, None, tuple(due), tries, tuple(seen.nodes), pods),), wake)  # type: ignore[arg-type]

    def act(self, client: Client, decision: Decision, now: float) -> None:
        """Carry a decision out and note in the scenario's status what came of it."""
        from kctl.plane import acting

        for act in decision.actions:
            if isinstance(act, Act):
                status = acting.status_after(client, act, now)
                nodes = (entry["node"] for entry in status.get("draining") or ())
                self._tried[act.played.obj["metadata"]["name"]] = frozenset((node, now) for node in nodes)
                if status != act.played.obj.get("status"):
                    client.update(RESOURCE, {**act.played.obj, "status": status}, subresource="status")


def _waits_for(played: Played, node: str) -> bool:
    """Say whether a drain of the scenario goes on, or goes on trying, on a node."""
    return any(entry["node"] == node for entry in dig(played.obj, "status", "draining", default=()))


def _may_drain(played: Played) -> bool:
    return any(event.what == "drain" for event in played.scenario.events)


def _drains(played: Played, now: float, tried: frozenset[tuple[str, float]]) -> tuple[tuple[str, ...], float | None]:
    """Return the nodes whose drain tries again now, and when others do."""
    tries, again = [], []
    for entry in dig(played.obj, "status", "draining", default=()):
        waited = (now - entry["since"]) % RETRY
        if waited or (entry["node"], now) in tried:
            again.append(now - waited + RETRY)
        else:
            tries.append(entry["node"])
    return tuple(tries), min(again, default=None)


def _duration(played: Played) -> float:
    loads = [event.at + (event.lasts or 0.0) for event in played.scenario.events if event.what == "load"]
    return max(played.scenario.duration, max(loads) + SETTLING if loads else 0.0)


def is_evictable(pod: Obj) -> bool:
    """Say whether a drain evicts a pod: not those of DaemonSets, of the node itself, or on their way already."""
    owner: Any = controller_of(pod)
    if owner is not None and owner["kind"] == "DaemonSet":
        return False
    annotations = pod["metadata"].get("annotations") or {}
    return MIRROR not in annotations and not is_deleting(pod)
