"""Why pods of a class fit nowhere, and whom they could replace, kept true node by node.

In: a class whose pods find no node. Out: the outcome that the framework's plain way gives. Refusals come from the
plugins' own filters and victims from DefaultPreemption's own search (``victims.py``); both are asked again only about
nodes that have changed. Where spreading or affinity filter, they are asked once per cell about the nodes that pass all
other filters, on counts that the kernel keeps.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable
from typing import Any

from kctl.api.objects import Key
from kctl.scheduler import ties
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import NOT_FOUND, Cycle, No, Preemption, Refused, Skip
from kctl.scheduler.framework import Framework, Outcome, first_refusal, names_of
from kctl.scheduler.kernel.counters import Counter
from kctl.scheduler.kernel.landscape import Declined, Landscape
from kctl.scheduler.kernel.recipe import Recipe
from kctl.scheduler.kernel.rules import Rules
from kctl.scheduler.kernel.victims import Tally, Victims
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.plugins.default_preemption import NOT_HELPFUL, DefaultPreemption, ineligible
from kctl.scheduler.plugins.inter_pod_affinity import State
from kctl.scheduler.plugins.pod_topology_spread import HardState
from kctl.scheduler.podinfo import PodInfo

Check = Callable[[Cycle, NodeInfo], No | None]


class Failing:
    """The refusals of one class."""

    def __init__(
        self, framework: Framework, cluster: Cluster, landscape: Landscape, cycle: Cycle, rules: Rules
    ) -> None:
        self._framework = framework
        self._nodes = landscape.nodes
        self._names = names_of(landscape.nodes)
        self._recipe = landscape.recipe
        self._rules = rules
        nobody = PodInfo(cycle.pod.obj, cycle.pod.traits)
        nobody.key = Key(nobody.key.namespace, "")  # so that it is nobody's guest
        self.cycle = Cycle(cluster, nobody)
        skipped = self._prepare(landscape.recipe)
        self.cycle.data["skipped"] = skipped
        self.filters = [f.filter for f in framework.filters if f.name not in skipped]
        self.relations: list[Check] = []
        """The filters that look at other pods' places, which have their own way."""
        self._refusals: dict[str, No] = {}
        self._given = False
        """The refusals have been handed out and are not to be changed."""
        self._tally = Tally()
        self._resolvable: list[int] = []
        """The places of nodes on which preemption may help, in order."""
        self._position = -1
        self._guests: dict[str, Any] = {}
        self._kept: dict[str, tuple[Any, bool]] = {}
        """Whether each node with nominated pods refused pods of the class, with what that depended on."""
        self.victims = Victims(framework, self.cycle, self._nodes)
        self.victims.is_local = not rules.has_filters
        self.victims.compares = not any(f.filter in self.filters for f in landscape.recipe.pod_filters)

    def _related(self) -> list[Any]:
        """Return the plugins that look at other pods' places."""
        return [plugin for plugin in (self._recipe.spread_filter, self._recipe.terms_filter) if plugin is not None]

    def _prepare(self, recipe: Recipe) -> set[str]:
        """Run the PreFilter plugins but those of other pods' places; return who steps aside."""
        framework, related = self._framework, self._related()
        order = [plugin in related for plugin in framework.filters if plugin not in recipe.others]
        if order != sorted(order):
            raise Declined  # a node's first refusal must not come from other pods' places while others follow
        skipped = {plugin.name for plugin in related}
        for plugin in framework.pre_filters:
            if plugin in related:
                continue
            said = plugin.pre_filter(self.cycle)
            if isinstance(said, Skip):
                skipped.add(plugin.name)
            elif said is not None:
                raise Declined
        return skipped

    # -- refusals

    def catch_up(self, cluster: Cluster) -> bool:
        """Ask again about the nodes that have changed; False when one of them would take the pod."""
        dirty = cluster.dirty
        since = self._position - dirty.first
        every = self._position < 0 or since < 0
        places: Any = range(len(self._nodes)) if every else set(dirty.lines[since:])
        if every:
            self.victims.forget()
        self._position = dirty.end
        if cluster.nominated or self._guests:
            places = self._with_guests(cluster, places)
        refused = True
        for place in places:
            refused = self._ask(place) and refused
        return refused

    def _with_guests(self, cluster: Cluster, places: Any) -> set[int]:
        """Add the nodes that pods have been nominated to, or no longer are."""
        found = set(places)
        known = {name: dict(guests) for name, guests in cluster.nominated.items()}
        for name in known.keys() | self._guests.keys():
            if known.get(name) != self._guests.get(name):
                node = cluster.node(name)
                if node is not None:
                    found.add(node.place)
        self._guests = known
        return found

    def _ask(self, place: int) -> bool:
        """Ask the filters about a node again; False when it would take the pod."""
        node = self._nodes[place]
        self.victims.changed.add(place)
        if node.name in self._guests:
            no = self._framework.refuse(self.cycle, self.filters, node)
        else:
            no = first_refusal(self.cycle, self.filters, node)
        old = self._refusals.get(node.name)
        if no == old:
            return no is not None
        if self._given:
            self._refusals = dict(self._refusals)
            self._given = False
        if old is not None:
            self._tally.add(old, -1)
            if not old.unresolvable:
                del self._resolvable[bisect_left(self._resolvable, place)]
        if no is None:
            del self._refusals[node.name]
            return False
        self._refusals[node.name] = no
        self._tally.add(no, 1)
        if not no.unresolvable:
            insort(self._resolvable, place)
        return True

    # -- pods that preemption has made room for

    def blocked(self, cluster: Cluster, pod: PodInfo) -> set[int]:
        """Return the places of nodes that are kept for others, of the pod's priority or above."""
        found: set[int] = set()
        for name, guests in cluster.nominated.items():
            node = cluster.node(name)
            keys = tuple(sorted(g.key for g in guests.values() if g.priority >= pod.priority and g.key != pod.key))
            if node is None or not keys:
                continue
            state = (node.generation, keys)
            known = self._kept.get(name)
            if known is None or known[0] != state:
                refused = self.refuses(cluster, pod, node)
                known = self._kept[name] = (state, refused)
            if known[1]:
                found.add(node.place)
        return found

    def refuses(self, cluster: Cluster, pod: PodInfo, node: NodeInfo) -> bool:
        """Say whether the node takes the pod with those nominated to it, and without."""
        cycle = Cycle(cluster, pod, self.cycle.data)
        if self._rules.has_filters:
            self._count(cluster, cycle)
            return self._framework.refuse(cycle, [*self.filters, *self.relations], node) is not None
        return self._framework.refuse(cycle, self.filters, node) is not None

    # -- the outcome

    def outcome(self, cluster: Cluster, pod: PodInfo, row: Any) -> Outcome | None:
        """Return what the plain way would say of a pod of the class; None when a node would take it after all."""
        cycle = Cycle(cluster, pod, self.cycle.data)
        if not self._rules.has_filters:
            self._given = True
            return self._told(cycle, self._refusals, self._tally, self._resolvable)
        self._count(cluster, cycle)
        refusals, tally, resolvable = dict(self._refusals), self._tally.copy(), []
        said: dict[int, No] = {}
        for place in row.roomy():
            node, cell = self._nodes[place], row.cell_at(place)
            no = said.get(cell.index)
            if no is None:
                no = first_refusal(cycle, self.relations, node)
                if no is None:
                    return None
                said[cell.index] = no
            refusals[node.name] = no
            tally.add(no, 1)
            if not no.unresolvable:
                resolvable.append(place)
        self.victims.cell_at = lambda place: row.cell_at(place).index
        return self._told(cycle, refusals, tally, sorted(self._resolvable + resolvable))

    def _count(self, cluster: Cluster, cycle: Cycle) -> None:
        """Give the plugins of other pods' places what their PreFilter would have counted."""
        rules, data = self._rules, dict(self.cycle.data)
        skipped = set(data["skipped"])
        spread, terms = self._recipe.spread_filter, self._recipe.terms_filter
        if rules.hard:
            data[spread.name] = HardState(rules.constraints, [domain_counts(hard.slot.counter) for hard in rules.hard])
            skipped.discard(spread.name)
        existing = pairs((key, 1, counter) for key, counter in rules.existing)
        if rules.own_affinity or rules.own_anti or existing:
            anti = pairs((key, 1, counter) for key, counter in rules.own_anti)
            data[terms.name] = State(existing, pairs(rules.own_affinity), anti)
            skipped.discard(terms.name)
        data["skipped"] = skipped
        cycle.data = data
        self.relations = [f.filter for f in self._framework.filters if f in self._related() and f.name not in skipped]
        self.victims.cycle = Cycle(cluster, self.cycle.pod, data)

    def _told(self, cycle: Cycle, refusals: dict[str, No], tally: Tally, resolvable: list[int]) -> Outcome:
        preemption, why = self._post_filter(cycle, Refused(self._nodes, refusals, None), resolvable)
        message = tally.text(len(self._nodes))
        return Outcome(
            cycle.pod,
            reason="Unschedulable",
            message=f"{message} {why}" if why else message,
            considered=self._names,
            refusals=refusals,
            plugins=frozenset(name for name, count in tally.plugins.items() if count),
            preemption=preemption,
        )

    def _post_filter(self, cycle: Cycle, refused: Refused, resolvable: list[int]) -> tuple[Preemption | None, str]:
        """Run the PostFilter plugins as the framework does; DefaultPreemption with what is known of its victims."""
        said = []
        last: Preemption | None = None
        for plugin in self._framework.post_filters:
            if isinstance(plugin, DefaultPreemption):
                last = self._preempt(plugin, cycle, refused, resolvable)
            else:
                last = plugin.post_filter(self._framework, cycle, refused)
            if last.node:
                return last, ""
            said.append(last.message)
            if last.message == NOT_FOUND:
                break
        return last, ", ".join(said)

    def _preempt(self, plugin: DefaultPreemption, cycle: Cycle, refused: Refused, resolvable: list[int]) -> Preemption:
        why = ineligible(cycle, refused)
        if why:
            return Preemption(message=f"preemption: {why}", clears=False)
        wanted = plugin.wanted(len(resolvable))
        victims = self.victims
        victims.search(resolvable, wanted, cycle.cluster)
        pick = self._framework.pick
        best = victims.cheapest(first=pick is ties.first)
        if not best:
            tally = victims.tally
            missing = len(self._nodes) - victims.refused
            return Preemption(message=f"preemption: {tally.text(len(self._nodes), NOT_HELPFUL, missing)}")
        name = pick(cycle.pod.uid, [self._nodes[place].name for place in best])
        return Preemption(name, victims.found[name], dict(victims.found))


def domain_counts(counter: Counter) -> dict[str, int]:
    """Return the count of each value, zeros too."""
    found = dict.fromkeys(value for value in counter.values if value is not None)
    return {value: counter.counts.get(value, 0) for value in found}


def pairs(counters: Iterable[tuple[str, int, Counter]]) -> dict[tuple[str, str], int]:
    """Return counts by topology key and value, as many times as there are terms of the key."""
    return {(key, value): times * count for key, times, counter in counters for value, count in counter.counts.items()}
