"""Which small change lets a pod be placed? Every answer was tried on a copy of what the scheduler knows.

In: the caches, a pod that fits nowhere, the framework. Out: :class:`Remedy` values, the smallest change first. The
candidates come from the obstacles of each node (:mod:`kctl.scheduler.obstacles`) and the ways around them
(:mod:`kctl.scheduler.remedies`), alone and in twos; what does not help is not told. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

from kctl.api.objects import Key, Obj, controller_uid, key_of
from kctl.client.cache import Caches
from kctl.scheduler import obstacles, remedies
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.explain import fill, without_node
from kctl.scheduler.extension import Cycle, No
from kctl.scheduler.framework import Framework
from kctl.scheduler.more_nodes import more_nodes
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.obstacles import Obstacle
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile
from kctl.scheduler.remedies import Change

MOST_TRIALS = 64
MOST_GROUPS = 24
MOST_CHANGES = 2
MOST_NODES_FOR_PREEMPTION = 500
PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io"


class Remedy(NamedTuple):
    """Changes after which the pod fits, tried; ``nodes`` are those that pass then."""

    changes: tuple[Change, ...]
    nodes: tuple[str, ...]
    others: int = 0
    """How many more nodes the same change would help on, one at a time."""
    evicts: tuple[str, ...] = ()

    @property
    def cost(self) -> tuple[float, float, str]:
        """What remedies are ordered by: how much changes, how little it helps, the words."""
        return sum(change.cost for change in self.changes), -len(self.nodes), self.text

    @property
    def text(self) -> str:
        """The remedy in a line."""
        how = " and ".join(change.text for change in self.changes)
        if all(change.target == "pod" for change in self.changes) and not self.evicts:
            passes = "1 node passes" if len(self.nodes) == 1 else f"{len(self.nodes)} nodes pass"
            return f"{passes} {how}"
        evicts = f" (evicts {', '.join(self.evicts)})" if self.evicts else ""
        others = f" (or one of {self.others} others)" if self.others > 1 else " (or another)" if self.others else ""
        return f"fits {how}{evicts}{others}"


class View(NamedTuple):
    """How a pod sees the nodes: those that pass, and the obstacles of the others."""

    feasible: tuple[str, ...]
    refused: No | None
    """PreFilter's refusal of the pod as a whole."""
    obstacles: dict[str, list[Obstacle]]


class Group(NamedTuple):
    """Nodes with the same obstacles; the one with least missing speaks for them."""

    node: NodeInfo
    obstacles: tuple[Obstacle, ...]
    size: int


class Trial:
    """What the scheduler knows of the cluster, without the pod, to try changes on."""

    def __init__(
        self, caches: Caches, pod: Obj, framework: Framework | None = None, cluster: Cluster | None = None
    ) -> None:
        self.framework = framework or default_profile()
        self.pod = _fresh(pod)
        self.caches = caches
        if cluster is None:
            cluster = Cluster(caches)
            fill(cluster, skip=PodInfo(self.pod))
        self.cluster = cluster
        self.tried = 0

    def view(self, changes: Sequence[Change] = ()) -> View:
        """Return how the changed pod sees the changed nodes, every obstacle of each."""
        with _Changed(self, changes) as pod:
            cycle, skipped, only, refused = self._begin(pod)
            if refused is not None:
                return View((), refused, {})
            filters = [plugin for plugin in self.framework.filters if plugin.name not in skipped]
            found: dict[str, list[Obstacle]] = {}
            feasible = []
            for node in self.cluster.order():
                said = obstacles.of_node(cycle, filters, node)
                if only is not None and node.name not in only and not said:
                    said = [Obstacle("PreFilter", "other")]
                if said:
                    found[node.name] = said
                else:
                    feasible.append(node.name)
            return View(tuple(feasible), None, found)

    def passes(self, changes: Sequence[Change]) -> tuple[str, ...]:
        """Return the nodes that pass after the changes."""
        self.tried += 1
        with _Changed(self, changes) as pod:
            cycle, skipped, only, refused = self._begin(pod)
            if refused is not None:
                return ()
            filters = [plugin.filter for plugin in self.framework.filters if plugin.name not in skipped]
            nodes = [node for node in self.cluster.order() if only is None or node.name in only]
            return tuple(node.name for node in self.framework.run_filters(cycle, filters, nodes, {}))

    def _begin(self, pod: PodInfo) -> tuple[Cycle, set[str], frozenset[str] | None, No | None]:
        self.cluster.snapshot()
        cycle = Cycle(self.cluster, pod)
        skipped: set[str] = set()
        only, refused = self.framework.run_pre_filters(cycle, skipped)
        return cycle, skipped, None if only is None else only[0], refused

    # -- searching

    def remedies(self, *, most: int = 5) -> list[Remedy]:
        """Return what lets the pod be placed, the smallest changes first; empty for a pod that fits or is gated."""
        now = self.view()
        if now.feasible or now.refused is not None or self.framework.gated(PodInfo(self.pod), self.cluster) is not None:
            return []
        found = self._tried(_candidates(self.cluster, PodInfo(self.pod), now))
        for zones in self._more_nodes():
            found += self._tried(((change,), 0) for change in zones)[:1]
        found += self._by_priority()
        if not found:
            found = self._in_twos(now)
        return sorted({remedy.text: remedy for remedy in found}.values(), key=lambda remedy: remedy.cost)[:most]

    def _tried(self, candidates: Iterable[tuple[tuple[Change, ...], int]]) -> list[Remedy]:
        """Return those of the candidates that help, without those of which a part helps alone, there or elsewhere."""
        found: list[Remedy] = []
        enough: list[frozenset[str]] = []
        for changes, others in sorted(candidates, key=lambda candidate: len(candidate[0])):
            if self.tried >= MOST_TRIALS:
                break
            sorts = frozenset(change.sort for change in changes)
            if any(part < sorts for part in enough):
                continue
            nodes = self.passes(changes)
            if nodes:
                found.append(Remedy(changes, nodes, others))
                enough.append(sorts)
        return found

    def _more_nodes(self) -> list[list[Change]]:
        pod = PodInfo(self.pod)
        has_claims = bool(pod.spec.get("resourceClaims") or pod.requests.scalar)
        kind_of = self.cluster.devices.kind_of if has_claims else None
        return more_nodes(self.cluster.order(), pod, devices=kind_of)

    def _by_priority(self) -> list[Remedy]:
        """Return the lowest PriorityClass with which the pod would make room for itself."""
        nodes = self.cluster.order()
        if len(nodes) > MOST_NODES_FOR_PREEMPTION or self.pod["spec"].get("preemptionPolicy") == "Never":
            return []
        own = self.pod["spec"].get("priority") or 0
        classes = [
            (found.get("value") or 0, found["metadata"]["name"])
            for found in self.caches[PRIORITY_CLASSES]
            if not found["metadata"]["name"].startswith("system-") and found.get("preemptionPolicy") != "Never"
        ]
        for value, name in sorted(classes):
            if value <= own or not any(pod.priority < value for pod in self.cluster.pods.values()):
                continue
            change = remedies.outranking(name, value)
            with _Changed(self, (change,)) as pod:
                preemption = self.framework.schedule(self.cluster, pod).preemption
            if preemption is not None and preemption.node:
                evicts = tuple(sorted(f"pod/{victim.key.name}" for victim in preemption.victims))
                return [Remedy((change,), (preemption.node,), evicts=evicts)]
        return []

    def _in_twos(self, now: View) -> list[Remedy]:
        """Return what helps after a first change that does not help alone: it may have hidden other obstacles."""
        first = {
            change.identity: change
            for changes, _ in _candidates(self.cluster, PodInfo(self.pod), now, most=1, all_obstacles=False)
            for change in changes
        }
        first |= {zones[0].identity: zones[0] for zones in self._more_nodes()}
        found: list[Remedy] = []
        for one in sorted(first.values(), key=lambda change: change.cost)[:8]:
            after = self.view((one,))
            if after.refused is not None:
                continue
            with _Changed(self, (one,)) as pod:
                second = list(_candidates(self.cluster, pod, after, most=1))
            pairs = [((one, *changes), others) for changes, others in second]
            found += self._tried((changes, others) for changes, others in pairs if len(changes) <= MOST_CHANGES)
        return found


class _Changed:
    """The cluster with changes made while a ``with`` block lasts; enters as the changed pod."""

    def __init__(self, trial: Trial, changes: Sequence[Change]) -> None:
        self._trial = trial
        self._changes = changes
        self._before: dict[str, Obj | None] = {}
        self._siblings: list[Obj] = []

    def __enter__(self) -> PodInfo:
        cluster = self._trial.cluster
        pod = self._trial.pod
        for change in self._changes:
            if change.target == "pod":
                pod = {**pod, "spec": change.edit(pod["spec"])}
                if change.siblings:
                    self._change_siblings(change)
                continue
            known = cluster.node(change.name)
            old = known.node if known is not None else None
            self._before.setdefault(change.name, old)
            cluster.put_node(change.edit(old or {}))
        return PodInfo(pod)

    def _change_siblings(self, change: Change) -> None:
        cluster, owner = self._trial.cluster, controller_uid(self._trial.pod)
        if not owner:
            return
        for other in list(cluster.pods.values()):
            if other.namespace == self._trial.pod["metadata"].get("namespace") and controller_uid(other.obj) == owner:
                self._siblings.append(other.obj)
                edited = {**other.obj, "spec": change.edit(other.obj["spec"])}
                cluster.put_pod(_on(edited, other.node_name))

    def __exit__(self, *_: object) -> None:
        cluster = self._trial.cluster
        for obj in self._siblings:
            known = cluster.pods.get(Key(*key_of(obj)))
            cluster.put_pod(_on(obj, known.node_name if known is not None else ""))
        for name, old in self._before.items():
            if old is None:
                cluster.remove_node(name)
            else:
                cluster.put_node(old)


def _on(pod: Obj, node: str) -> Obj:
    """Return the pod on a node: what is assumed, but not bound yet, does not say so itself."""
    if not node or pod["spec"].get("nodeName") == node:
        return pod
    return {**pod, "spec": {**pod["spec"], "nodeName": node}}


def _fresh(pod: Obj) -> Obj:
    """Return the pod as it was when it was made, as far as the scheduler looks: no node, none nominated."""
    pod = without_node(pod)
    status = pod.get("status") or {}
    if "nominatedNodeName" not in status:
        return pod
    return {**pod, "status": {name: value for name, value in status.items() if name != "nominatedNodeName"}}


def _candidates(
    cluster: Cluster, pod: PodInfo, view: View, *, most: int = MOST_CHANGES, all_obstacles: bool = True
) -> Iterator[tuple[tuple[Change, ...], int]]:
    """Yield sets of at most ``most`` changes, each with how many other nodes it would help on.

    With ``all_obstacles`` a set takes all known obstacles of some node away; without, any single one.
    """
    seen: set[frozenset[tuple[str, str, str]]] = set()
    for group in groups(cluster, view.obstacles)[:MOST_GROUPS]:
        ways = [remedies.around(obstacle, pod, group.node) for obstacle in group.obstacles]
        if not all_obstacles:
            ways = [[change for way in ways for change in way]]
        for chosen in product(*ways):
            changes = tuple({change.identity: change for change in chosen}.values())
            identity = frozenset(change.identity for change in changes)
            if len(changes) > most or identity in seen:
                continue
            seen.add(identity)
            is_of_node = any(change.target == "node" for change in changes)
            yield changes, group.size - 1 if is_of_node else 0


def groups(cluster: Cluster, found: dict[str, list[Obstacle]]) -> list[Group]:
    """Return the nodes by what keeps the pod off them, those with fewest obstacles and least missing first."""
    by: dict[tuple[tuple[str, tuple[str, ...]], ...], list[tuple[int, int, str]]] = {}
    for place, (name, said) in enumerate(found.items()):
        identity = tuple(sorted(obstacle.identity for obstacle in said))
        by.setdefault(identity, []).append((sum(obstacle.short for obstacle in said), place, name))
    out = []
    for members in by.values():
        short, place, name = min(members)
        node = cluster.node(name)
        if node is not None:
            obstacles_here = tuple(found[name])
            alike = sum(1 for other, _, _ in members if other == short)
            out.append((len(obstacles_here), short, place, Group(node, obstacles_here, alike)))
    return [group for *_, group in sorted(out, key=lambda row: row[:3])]
