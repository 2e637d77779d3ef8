"""What a class of pods asks of other pods' places: spreading and affinity, as counters and the rules over them.

In: a pod of the class, the profile, the nodes. Out: :class:`Rules`: which counters matter, which of them have to be
read per node and which per topology value, and what PodTopologySpread and InterPodAffinity make of the counts.
The counting is in ``counters.py``, the arithmetic over cells in ``cells.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import Cycle
from kctl.scheduler.kernel.counters import Counter
from kctl.scheduler.kernel.landscape import Landscape
from kctl.scheduler.kinds import TERMS, Kind, Label
from kctl.scheduler.plugins.spread_constraints import HOSTNAME, Constraint
from kctl.scheduler.podinfo import AffinityTerm, Traits

Namespaces = Mapping[str, Mapping[str, str]]


class Slot(NamedTuple):
    """Where a cell has a count: at an index of its values (to look up) or of its own numbers."""

    counter: Counter
    by_node: bool
    at: int


class Hard(NamedTuple):
    """A hard spreading constraint."""

    slot: Slot
    limit: int
    """The count may exceed the lowest by so much before the pod comes."""
    min_domains: int


class Soft(NamedTuple):
    """A soft spreading constraint."""

    slot: Slot
    is_host: bool
    group: int
    """The index of the node's value (with "" for none) among the values of its group."""
    extra: int


class Rules:
    """The rules of one class over its slots."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, Sequence[Any]]] = []
        """Columns of topology values that cells are told apart by, with their names."""
        self.hosts: list[tuple[Counter, Sequence[Any]]] = []
        """Counters of which cells have numbers of their own, and the nodes' values in them."""
        self.hard: list[Hard] = []
        self.soft: list[Soft] = []
        self.ignored = -1
        """The index of the column that says which nodes get no points for spreading."""
        self.affinity: list[Slot] = []
        self.first_may_begin = False
        """The pod meets its own required affinity: without any other it may go anywhere."""
        self.repelled: list[Slot] = []
        """Counts that must be zero where a pod may go."""
        self.repelling: dict[str, None] = {}
        """The topology keys by which terms of placed pods may repel."""
        self.drawing: dict[str, None] = {}
        """The topology keys by which terms of placed pods may score."""
        self.constraints: Sequence[Constraint] = ()
        """The hard constraints, in order of ``hard``."""
        self.own_affinity: list[tuple[str, int, Counter]] = []
        """Topology key, number of terms and counter of the pod's own required affinity."""
        self.own_anti: list[tuple[str, Counter]] = []
        self.existing: list[tuple[str, Counter]] = []
        """Topology keys and counters of placed pods' anti-affinity that speaks of the pod."""
        self.attracted: list[Slot] = []
        """Counts that add up to the score of InterPodAffinity."""

    @property
    def is_empty(self) -> bool:
        """Say whether nothing depends on other pods' places."""
        return not (self.hard or self.soft or self.affinity or self.repelled or self.attracted)

    @property
    def has_filters(self) -> bool:
        """Say whether pods' places can rule nodes out."""
        return bool(self.hard or self.affinity or self.repelled)

    def counters(self) -> list[Counter]:
        """Return all counters, each once."""
        slots = [*self.affinity, *self.repelled, *self.attracted]
        slots += [hard.slot for hard in self.hard] + [soft.slot for soft in self.soft]
        return list({id(slot.counter): slot.counter for slot in slots}.values())


class Constraints(NamedTuple):
    """The spreading constraints of a class."""

    hard: Sequence[Constraint] = ()
    soft: Sequence[Constraint] = ()
    needs_keys: bool = False
    """Nodes without a key of the soft ones get no points."""


class Maker:
    """Makes the rules of one class."""

    def __init__(self, cluster: Cluster, landscape: Landscape, cycle: Cycle, look: str, shared: dict[Any, Counter]):
        self._cluster = cluster
        self._landscape = landscape
        self._cycle = cycle
        self._traits = cycle.pod.traits
        self._look = look
        self._shared = shared
        self._hard_weight = 1
        self.rules = Rules()

    # -- slots

    def _column(self, name: str, values: Sequence[Any]) -> int:
        """Return the index of a column of values that cells are told apart by."""
        names = [known for known, _ in self.rules.keys]
        if name not in names:
            self.rules.keys.append((name, values))
            return len(names)
        return names.index(name)

    def _slot(self, counter: Counter, key: str, by_node: bool) -> Slot:
        values = self._landscape.topology(key).values
        if not by_node:
            return Slot(counter, False, self._column(key, values))
        for n, (known, _) in enumerate(self.rules.hosts):
            if known is counter:
                return Slot(counter, True, n)
        self.rules.hosts.append((counter, values))
        return Slot(counter, True, len(self.rules.hosts) - 1)

    def _counter(
        self,
        key: tuple[Any, ...],
        values: Sequence[Any],
        weigh: Callable[[Kind], int],
        label: Label | None,
        *,
        by_node: bool,
        counts: bool = True,
    ) -> Counter:
        """Return a counter of that key, made and filled when there is none."""
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = Counter(values, weigh, label, by_node=by_node)
            found.key = key
            if counts:
                self._cluster.kinds.watch(found, self._landscape.place_of)
        return found

    # -- spreading

    def spread(self, constraints: Constraints) -> None:
        """Take in spreading constraints."""
        hard, soft = constraints.hard, constraints.soft
        self.rules.constraints = hard
        for constraint in hard:
            key = constraint.topology_key
            by_node = self._landscape.topology(key).is_unique
            values, place = self._counted(constraint, hard, need_all=True)
            counter = self._spread_counter(constraint, values, place, by_node)
            counter.keep_levels()
            itself = 1 if constraint.matches(self._traits.labels) else 0
            slot = self._slot(counter, key, by_node)
            self.rules.hard.append(Hard(slot, constraint.max_skew - itself, constraint.min_domains))
        for constraint in soft:
            self.rules.soft.append(self._soft(constraint, soft, constraints.needs_keys))
        if soft and constraints.needs_keys:
            columns = [self._landscape.topology(c.topology_key).values for c in soft]
            ignored = [None in row for row in zip(*columns, strict=True)]
            if any(ignored):
                name = "ignored " + " ".join(sorted({c.topology_key for c in soft}))
                self.rules.ignored = self._column(name, ignored)

    def _soft(self, constraint: Constraint, soft: Sequence[Constraint], needs_keys: bool) -> Soft:
        key = constraint.topology_key
        topology = self._landscape.topology(key)
        is_host = key == HOSTNAME
        if is_host:
            values: Sequence[Any] = topology.places
            place: tuple[Any, ...] = ("node",)
        else:
            values, place = self._counted(constraint, soft, need_all=needs_keys)
        counter = self._spread_counter(constraint, values, place, is_host)
        slot = self._slot(counter, key, is_host)
        group = -1 if is_host else self._column(key, topology.values)
        return Soft(slot, is_host, group, constraint.max_skew - 1)

    def _counted(
        self, constraint: Constraint, all_of: Sequence[Constraint], *, need_all: bool
    ) -> tuple[Sequence[Any], tuple[Any, ...]]:
        """Return under which value each node's pods count (None: not), and what names that choice."""
        key, pod = constraint.topology_key, self._cycle.pod
        values = self._landscape.topology(key).values
        place: tuple[Any, ...] = (key,)
        keys = {c.topology_key for c in all_of} if need_all else set()
        others = [column.values for k in sorted(keys - {key}) if not (column := self._landscape.topology(k)).is_full]
        if others:
            place += tuple(sorted(keys))
            others = [values, *others]
            values = [None if None in row else row[0] for row in zip(*others, strict=True)]
        honors_taints = constraint.honor_taints and not self._landscape.is_plain
        if honors_taints or (constraint.honor_affinity and pod.required_node_affinity is not None):
            place += (constraint.honor_affinity, constraint.honor_taints, self._look)
            nodes = self._landscape.nodes
            values = [
                value if value is not None and constraint.includes(pod, node) else None
                for value, node in zip(values, nodes, strict=True)
            ]
        return values, place

    def _spread_counter(
        self, constraint: Constraint, values: Sequence[Any], place: tuple[Any, ...], by_node: bool
    ) -> Counter:
        namespace = self._traits.namespace

        def weigh(kind: Kind) -> int:
            return int(kind.namespace == namespace and not kind.terminating and constraint.matches(kind.labels))

        label = (namespace, *constraint.exact[-1]) if constraint.exact else None
        key = ("spread", namespace, constraint.identity, constraint.counts_none, by_node, place)
        return self._counter(key, values, weigh, label, by_node=by_node, counts=not constraint.counts_none)

    # -- affinity

    def terms(self, *, filters: bool, scorer: Any) -> None:
        """Take in the pod's own terms, and those of others about it; ``scorer`` is None where they do not score."""
        traits, namespaces = self._traits, self._cluster.namespace_labels()
        rules = self.rules
        if filters:
            self._own_affinity(traits.affinity, namespaces)
            by_key = by_topology(traits.anti_affinity)
            for key, terms in by_key.items():
                slot = self._own(key, [(term, 1) for term in terms], namespaces)
                rules.repelled.append(slot)
                rules.own_anti.append((key, slot.counter))
        has_wishes = bool(traits.preferred_affinity or traits.preferred_anti_affinity)
        scores = scorer is not None and (has_wishes or not scorer.ignore_preferred)
        if scores:
            self._hard_weight = scorer.hard_weight
            wishes = [(t, t.weight) for t in traits.preferred_affinity]
            wishes += [(t, -t.weight) for t in traits.preferred_anti_affinity]
            for key in dict.fromkeys(term.topology_key for term, _ in wishes):
                own = [(term, weight) for term, weight in wishes if term.topology_key == key]
                rules.attracted.append(self._own(key, own, namespaces))
        rules.repelling = existing_keys(self._cluster, traits, namespaces, scores=False)
        rules.drawing = existing_keys(self._cluster, traits, namespaces, scores=True)
        for key in rules.repelling if filters else ():
            slot = self._existing(key, scores=False)
            rules.repelled.append(slot)
            rules.existing.append((key, slot.counter))
        for key in rules.drawing if scores else ():
            rules.attracted.append(self._existing(key, scores=True))

    def _own_affinity(self, terms: Sequence[AffinityTerm], namespaces: Namespaces) -> None:
        def weigh(kind: Kind) -> int:
            return int(all(term.matches(kind, namespaces) for term in terms))

        for key, same in by_topology(terms).items():
            topology = self._landscape.topology(key)
            place = ("all", id(self._traits), key)
            label = next((label for term in terms if (label := label_of(term)) is not None), None)
            counter = self._counter(place, topology.values, weigh, label, by_node=topology.is_unique)
            self.rules.affinity.append(self._slot(counter, key, topology.is_unique))
            self.rules.own_affinity.append((key, len(same), counter))
        self.rules.first_may_begin = all(term.matches(self._traits, namespaces) for term in terms)

    def _own(self, key: str, terms: Sequence[tuple[AffinityTerm, int]], namespaces: Namespaces) -> Slot:
        """Return the slot of a counter of pods that the pod's own terms of one topology key speak of."""

        def weigh(kind: Kind) -> int:
            return sum(weight for term, weight in terms if term.matches(kind, namespaces))

        topology = self._landscape.topology(key)
        label = label_of(terms[0][0]) if len(terms) == 1 else None
        place = ("own", id(self._traits), key, id(terms[0][0]))
        counter = self._counter(place, topology.values, weigh, label, by_node=topology.is_unique)
        return self._slot(counter, key, topology.is_unique)

    def _existing(self, key: str, *, scores: bool) -> Slot:
        """Return the slot of a counter of placed pods whose terms speak of the pod."""
        traits, namespaces = self._traits, self._cluster.namespace_labels()
        hard_weight = self._hard_weight

        def weigh(kind: Kind) -> int:
            terms = drawing(kind.traits, hard_weight) if scores else [(term, 1) for term in kind.traits.anti_affinity]
            return sum(w for term, w in terms if term.topology_key == key and term.matches(traits, namespaces))

        topology = self._landscape.topology(key)
        place = ("existing", id(traits), key, scores)
        counter = self._counter(place, topology.values, weigh, TERMS, by_node=topology.is_unique)
        return self._slot(counter, key, topology.is_unique)


def by_topology(terms: Sequence[AffinityTerm]) -> dict[str, list[AffinityTerm]]:
    """Return the terms by topology key."""
    found: dict[str, list[AffinityTerm]] = {}
    for term in terms:
        found.setdefault(term.topology_key, []).append(term)
    return found


def drawing(traits: Traits, hard_weight: int) -> list[tuple[AffinityTerm, int]]:
    """Return the terms of a placed pod that score for others, with their weights (processExistingPod)."""
    found = [(term, hard_weight) for term in traits.affinity]
    found += [(term, term.weight) for term in traits.preferred_affinity]
    return found + [(term, -term.weight) for term in traits.preferred_anti_affinity]


def speaks_of(other: Traits, traits: Traits, namespaces: Namespaces, *, scores: bool) -> dict[str, None]:
    """Return the topology keys of the terms of ``other`` that speak of pods with these traits."""
    terms = [term for term, _ in drawing(other, 1)] if scores else other.anti_affinity
    return {term.topology_key: None for term in terms if term.matches(traits, namespaces)}


def existing_keys(cluster: Cluster, traits: Traits, namespaces: Namespaces, *, scores: bool) -> dict[str, None]:
    """Return the topology keys of the terms of placed pods, and of the pod's own like, that speak of the pod."""
    found: dict[str, None] = {}
    for other in (*(kind.traits for kind in cluster.kinds.with_terms()), traits):
        if other.has_affinity:
            found.update(speaks_of(other, traits, namespaces, scores=scores))
    return found


def label_of(term: AffinityTerm) -> Label | None:
    """Return a label that every pod the term speaks of has, where the term says so."""
    if term.exact and term.namespace_selector is None and len(term.namespaces) == 1:
        return (next(iter(term.namespaces)), *term.exact[-1])
    return None
