"""Whom pods of a class could replace: DefaultPreemption's search, remembered for nodes and for nodes that are alike.

In: the places where preemption may help, in order. Out: candidates with their victims on the first of them. The search
on a node is the plugin's own (``select_victims``); nodes on which the same is free and the same pods run, in the
same order of importance, are searched once.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, NamedTuple

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import Cycle, No
from kctl.scheduler.framework import Framework
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.default_preemption import Candidate, cost, disruption_budgets, importance, select_victims
from kctl.scheduler.podinfo import PodInfo


class Tally:
    """How many nodes gave each reason, and how many were refused by each plugin."""

    def __init__(self) -> None:
        self.reasons: dict[str, int] = {}
        self.plugins: dict[str, int] = {}

    def add(self, no: No, sign: int) -> None:
        """Count a refusal in or out."""
        reasons, plugins = self.reasons, self.plugins
        for reason in no.reasons:
            reasons[reason] = reasons.get(reason, 0) + sign
        plugins[no.plugin] = plugins.get(no.plugin, 0) + sign

    def copy(self) -> Tally:
        """Return a tally that can go on by itself."""
        other = Tally()
        other.reasons.update(self.reasons)
        other.plugins.update(self.plugins)
        return other

    def text(self, nodes: int, absent: No | None = None, missing: int = 0) -> str:
        """Write the message of a FitError."""
        counts = {reason: count for reason, count in self.reasons.items() if count}
        if absent is not None and missing:
            for reason in absent.reasons:
                counts[reason] = counts.get(reason, 0) + missing
        listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
        head = f"0/{nodes} nodes are available:"
        return f"{head} {listed}." if listed else head


class Priced(NamedTuple):
    """A candidate with what it costs."""

    candidate: Candidate
    cost: tuple[object, ...]


class Found(NamedTuple):
    """What the search finds on nodes that are alike: which of the ranked pods."""

    order: tuple[int, ...]
    violations: int


class Ranked:
    """A node's pods of lower priority, most important first, and all that the search on it depends on."""

    __slots__ = ("generation", "last", "pods", "state")

    def __init__(self, generation: int, pods: list[PodInfo], state: int) -> None:
        self.generation = generation
        self.pods = pods
        self.state = state
        self.last: tuple[Found, Priced | No] | None = None
        """What was found last, as a candidate."""


def rank(node: NodeInfo, priority: int) -> tuple[list[PodInfo], tuple[Any, ...]]:
    """Return the pods of a node that a pod of this priority may replace, and what is the same for nodes alike."""
    pods = sorted([pod for pod in node.pods.values() if pod.traits.priority < priority], key=importance)
    look = (
        tuple([pod.traits for pod in pods]),
        len(node.pods),
        node.allowed_pods,
        node.cpu,
        node.allocatable_cpu,
        node.memory,
        node.allocatable_memory,
        node.ephemeral,
        node.allocatable_ephemeral,
        tuple(node.scalar.items()),
        tuple(node.allocatable_scalar.items()),
    )
    return pods, look


def priced(found: Candidate | No) -> Priced | No:
    """Return a candidate with its cost."""
    return found if isinstance(found, No) else Priced(found, cost(found))


class Victims:
    """Whom pods of a class could replace, on the first nodes in order that are wanted."""

    def __init__(self, framework: Framework, cycle: Cycle, nodes: Any) -> None:
        self._framework = framework
        self._nodes: Any = nodes
        self.cycle = cycle
        self.is_local = True
        """Whether what is found on a node hangs on that node alone."""
        self.cell_at: Any = None
        """Returns what nodes that other pods' places treat alike have in common; None where nothing hangs on them."""
        self.compares = True
        """Whether nodes with the same room and pods are alike: no filter looks at more."""
        self._known: dict[int, tuple[int, Priced | No]] = {}
        """What the search on each node has found, at which generation; may reach further than is wanted now."""
        self.changed: set[int] = set()
        """The places whose search may find something else now."""
        self._alike: dict[Any, Found | No] = {}
        self._looks: dict[tuple[Any, ...], int] = {}
        """Numbers of what nodes alike have in common."""
        self._ranks: dict[int, Ranked] = {}
        self._budgets: Any = None
        self._is_named = False
        """Whether a budget knows pods by name, which makes no two nodes alike."""
        self._candidates: list[int] = []
        """The places of candidates up to ``_reach``, in order."""
        self._prices: list[tuple[Any, int]] = []
        self._unharmed = 0
        """How many candidates no budget protects."""
        self._reach = -1
        self.found: dict[str, tuple[PodInfo, ...]] = {}
        self.tally = Tally()
        self.refused = 0

    def forget(self) -> None:
        """Begin again."""
        self._known.clear()
        self._alike.clear()
        self._ranks.clear()
        self._looks.clear()
        self.changed.clear()
        self._budgets = None
        self._restart()

    def _restart(self) -> None:
        self._candidates = []
        self._prices = []
        self._reach = -1
        self.found = {}
        self.tally = Tally()
        self.refused = 0
        self._unharmed = 0

    def search(self, places: list[int], wanted: int, cluster: Cluster) -> None:
        """Try nodes in order until there are enough candidates, one of them without violations."""
        budgets = disruption_budgets(cluster)
        if self._budgets != budgets:
            self.forget()
            self._budgets = budgets
            self._is_named = any((budget.get("status") or {}).get("disruptedPods") for budget in budgets)
        for place in self.changed:
            if place <= self._reach:
                self._take_out(place)
            self._known.pop(place, None)
        if not self.is_local:
            self._known.clear()
            self._alike.clear()
        anew = bool(budgets) or not self.is_local
        if anew:
            self._restart()
            self.changed.clear()
        for place in sorted(self.changed):
            at = bisect_left(places, place)
            if place <= self._reach and at < len(places) and places[at] == place:
                self._take_in(place, wanted)
        self.changed.clear()
        while len(self._candidates) > wanted:
            self._reach = self._candidates[-1] - 1
            self._take_out(self._candidates[-1])
        at = bisect_left(places, self._reach + 1)
        while at < len(places) and not self._is_enough(wanted):
            self._reach = places[at]
            self._take_in(places[at], wanted)
            at += 1
        if anew:
            self._prices.sort()

    def _is_enough(self, wanted: int) -> bool:
        return len(self._candidates) >= wanted and (not self._budgets or self._unharmed > 0)

    def _take_in(self, place: int, wanted: int) -> None:
        """Count in what the search on a node finds."""
        node = self._nodes[place]
        remembered = self._known.get(place)
        if remembered is None or remembered[0] != node.generation:
            remembered = self._known[place] = (node.generation, self._select(place))
        known = remembered[1]
        if isinstance(known, No):
            self.tally.add(known, 1)
            self.refused += 1
        elif not known.candidate.violations or len(self._candidates) < wanted:
            insort(self._candidates, place)
            if self._budgets or not self.is_local:
                self._prices.append((known.cost, place))  # they are sorted at the end
                self._unharmed += not known.candidate.violations
            else:
                insort(self._prices, (known.cost, place))
            self.found[known.candidate.node] = known.candidate.victims

    def _take_out(self, place: int) -> None:
        """Count out what the search on a node had found."""
        if place not in self._known:
            return
        known = self._known[place][1]
        if isinstance(known, No):
            self.tally.add(known, -1)
            self.refused -= 1
        elif known.candidate.node in self.found:
            del self._candidates[bisect_left(self._candidates, place)]
            del self._prices[bisect_left(self._prices, (known.cost, place))]
            del self.found[known.candidate.node]

    def _select(self, place: int) -> Priced | No:
        """Search a node, or take over what was found on one like it."""
        node = self._nodes[place]
        guests = self.cycle.cluster.nominated
        if not self.compares or self._is_named or (guests and node.name in guests):
            return priced(select_victims(self._framework, self.cycle.clone(), node.clone(), self._budgets))
        ranked = self._ranks.get(place)
        if ranked is None or ranked.generation != node.generation:
            pods, look = rank(node, self.cycle.pod.priority)
            ranked = self._ranks[place] = Ranked(node.generation, pods, self._looks.setdefault(look, len(self._looks)))
        state = (ranked.state, None if self.cell_at is None else self.cell_at(place))
        found = self._alike.get(state)
        if found is None:
            found = self._search(node, ranked)
            if found is not None:
                self._alike[state] = found
        if found is None or isinstance(found, No):
            return found or priced(select_victims(self._framework, self.cycle.clone(), node.clone(), self._budgets))
        if ranked.last is None or ranked.last[0] != found:
            victims = tuple([ranked.pods[n] for n in found.order])
            ranked.last = (found, priced(Candidate(node.name, victims, found.violations)))
        return ranked.last[1]

    def _search(self, node: NodeInfo, ranked: Ranked) -> Found | No | None:
        """Search a node for others like it; None when what is found speaks of the node by name."""
        found = select_victims(self._framework, self.cycle.clone(), node.clone(), self._budgets)
        if isinstance(found, No):
            return None if node.name in found.reasons[0] else found
        places = {id(pod): n for n, pod in enumerate(ranked.pods)}
        return Found(tuple(places[id(pod)] for pod in found.victims), found.violations)

    def cheapest(self, *, first: bool) -> list[int]:
        """Return the places of the candidates that cost least, in order; with ``first`` no more than one."""
        if not self._prices or first:
            return [place for _, place in self._prices[:1]]
        least = self._prices[0][0]
        found = []
        for price, place in self._prices:
            if price != least:
                break
            found.append(place)
        return found
