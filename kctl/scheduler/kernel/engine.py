"""The fast way of the scheduling cycle: pods alike are decided about from what is known of their class.

In: the cluster and pods in the order of the queue. Out: for as many of them as the kernel decides about, the node, on
which the pod counts at once; the rest is for the framework's plain way: pods that fit nowhere and pods that look at
what the kernel does not keep (claims, resizes). The plain way is the specification; a property test holds
the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kctl.api.objects import Key, Obj
from kctl.scheduler import ties
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import Cycle
from kctl.scheduler.framework import Framework, Outcome
from kctl.scheduler.kernel.cells import Cells
from kctl.scheduler.kernel.counters import Counter
from kctl.scheduler.kernel.landscape import Declined, Landscape, Static
from kctl.scheduler.kernel.past import Placed
from kctl.scheduler.kernel.recipe import Recipe
from kctl.scheduler.kernel.row import Row
from kctl.scheduler.kernel.rules import Constraints, Maker, Rules, speaks_of
from kctl.scheduler.kernel.view import View, identity, steps_in
from kctl.scheduler.plugins.spread_constraints import OWNERS, default_selector
from kctl.scheduler.podinfo import PodInfo, Traits
from kctl.scheduler.shape import SPREAD, TERMS

if TYPE_CHECKING:
    from kctl.scheduler.kernel.failing import Failing

HEAPS = 128
"""So many classes are kept in heaps, which are large; the one not used for longest goes first."""
FEW_HEAPS = 16
"""So many where arrays serve the others."""
CLASSES = 5120
"""So many classes are kept in all."""
WORTH_ARRAYS = 1_000_000
"""With so many pods times nodes to come, NumPy may be worth its import."""
MANY = 12
"""With so many nodes changed since the last pod, arrays are quicker than heaps."""
TURNS = 24
"""After so many classes or turns for which arrays would have been quicker, NumPy is imported."""
LONG = 48
"""After so many pods in a row, heaps are quicker than arrays."""
UNCOVERED = 5000
"""Weights that add up to more are left to the plain way."""


LOOKED_AT = (
    "poddisruptionbudgets.policy",
    "namespaces",
    "services",
    "replicationcontrollers",
    "replicasets.apps",
    "statefulsets.apps",
)
"""What a refusal depends on beside nodes and pods."""
SETTLED = ("namespaces", "deviceclasses.resource.k8s.io")
"""With a change of these everything is worked out anew."""


class State:
    """A class of pods: its row, and what it was made from."""

    __slots__ = (
        "counters",
        "cycle",
        "failing",
        "key",
        "refused",
        "row",
        "rules",
        "static",
        "streak",
        "terms_seen",
        "users",
        "view_key",
    )

    def __init__(self, cycle: Cycle, static: Static, rules: Rules, view_key: tuple[Any, ...]) -> None:
        self.cycle = cycle
        self.static = static
        self.rules = rules
        self.counters = rules.counters()
        self.view_key = view_key
        self.row: Any = None
        """The nodes as its pods see them, in heaps or in arrays."""
        self.terms_seen = -1
        self.key: tuple[Any, ...] | None = None
        """What the classes that share it have in common."""
        self.users = 0
        self.failing: Failing | Literal[False] | None = None
        """What keeps its refusals; False when nothing can, None until somebody asks."""
        self.refused: tuple[Any, Outcome] | None = None
        """The last outcome of a pod that fits nowhere, and the state of the cluster for which it holds."""
        self.streak = 0
        """How many pods it had in a row; below zero, how often its turn came after another's."""


class Known(NamedTuple):
    """The state of a class, and what it was made from; None for pods that are not the kernel's."""

    state: State | None
    made_from: tuple[Any, ...]
    parts: list[Obj]
    """The selectors of default constraints."""


class Kernel:
    """The classes of one cluster."""

    def __init__(self, framework: Framework, *, worth_arrays: int = WORTH_ARRAYS, long: int = LONG) -> None:
        self._framework = framework
        self._worth_arrays = worth_arrays
        self._long = long
        self._recipe = Recipe(framework)
        total = sum(framework.weights.get(plugin.name, 1) for plugin, _, _ in framework.scorers)
        self.is_covering = self._recipe.is_covered and total <= UNCOVERED
        self._cluster: Cluster | None = None
        self._landscape: Landscape | None = None
        self._namespaces: tuple[int, ...] = ()
        self._states: dict[Traits, Known] = {}
        self._fresh: dict[Traits, State | None] = {}
        """The classes that have been found to be up to date since the pods began."""
        self._shared: dict[tuple[Any, ...], State] = {}
        self._views: dict[tuple[Any, ...], Any] = {}
        self._vector: Any = None
        """The module with NumPy, once it is worth it; False where there is none."""
        self._may_load = False
        self._turns = 0
        self._columns: Any = None
        self._last: State | None = None
        self._nominated: dict[str, dict[Key, PodInfo]] = {}
        """The nominations when the last pods were decided about."""
        self._heaps: dict[State, None] = {}
        """The classes in heaps, the one not used for longest first."""
        self._counters: dict[Any, Counter] = {}
        self._terms = -1

    # -- deciding

    def schedule(self, cluster: Cluster, pod: PodInfo) -> Placed | None:
        """Decide for one pod without counting it on its node; None leaves it to the plain way."""
        if not self._begin(cluster):
            return None
        at = cluster.journal.end
        self._nominated = {name: dict(pods) for name, pods in cluster.nominated.items()}
        node = self._decide(cluster, pod)
        return self.placed(cluster, pod, node, pod.obj, at) if node else None

    def schedule_many(self, cluster: Cluster, pods: Iterable[PodInfo], pending: int = 0) -> list[str]:
        """Decide for pods in turn and count each on its node; return the nodes of those decided.

        They end at the first pod that is left to the plain way; after one where nodes report images or pods are
        nominated, because that changes in between. ``pending`` is how many pods there are to come.
        """
        if not self._begin(cluster):
            return []
        self._may_load = self._vector is None and pending * len(cluster.tree) >= self._worth_arrays
        found: list[str] = []
        place, decide = cluster.place, self._decide
        self._nominated = {name: dict(pods) for name, pods in cluster.nominated.items()} if cluster.nominated else {}
        for pod in pods:
            node = decide(cluster, pod)
            if not node:
                break
            place(pod, node)
            found.append(node)
            if cluster.nominated:
                cluster.nominate(pod, "")
                break
            if cluster.images:
                break
        return found

    def placed(self, cluster: Cluster, pod: PodInfo, node: str, obj: Obj, at: int) -> Placed:
        """Return the record of a decision made when the journal ended at ``at``."""
        return Placed(pod, node, obj, at, self._nominated, cluster, self._framework, cluster.nodes_version)

    def counters(self, cluster: Cluster) -> list[Counter]:
        """Return the counters in use, for tests."""
        is_current = self._landscape is not None and self._landscape.epoch == cluster.epoch
        return [counter for counter in self._counters.values() if counter.users] if is_current else []

    def states(self) -> list[State]:
        """Return the state of each class that is known, for tests."""
        return [known.state for known in self._states.values() if known.state is not None]

    def _begin(self, cluster: Cluster) -> bool:
        """Get ready for pods; what they depend on beside pods and nodes does not change among them."""
        if not self.is_covering:
            return False
        cluster.snapshot()
        self._fresh.clear()
        namespaces = tuple(cluster.caches[resource].changes for resource in SETTLED)
        landscape = self._landscape
        if (
            landscape is None
            or landscape.epoch != cluster.epoch
            or self._cluster is not cluster
            or self._namespaces != namespaces
            or not landscape.stands(cluster)
        ):
            self._forget(cluster)
            landscape = self._landscape = Landscape(cluster, self._recipe)
            self._cluster = cluster
            self._namespaces = namespaces
        return bool(landscape.nodes)

    def _forget(self, cluster: Cluster) -> None:
        self._states.clear()
        self._shared.clear()
        self._views.clear()
        self._heaps.clear()
        self._columns = None
        for counter in self._counters.values():
            cluster.kinds.unwatch(counter)
        self._counters.clear()

    def _decide(self, cluster: Cluster, pod: PodInfo) -> str:
        """Return the node for a pod, "" to leave it to the plain way."""
        traits = pod.traits
        if traits.home is not cluster.templates:
            traits = pod.traits = cluster.templates.traits(pod.obj)
        if traits.home is None:
            return ""
        if self._terms != cluster.kinds.terms_version:
            self._terms = cluster.kinds.terms_version
            self._fresh.clear()
        state = self._fresh.get(traits)
        if state is None:
            if traits in self._fresh:
                return ""
            state = self._fresh[traits] = self._state(cluster, pod, traits)
            if state is None:
                return ""
        row = state.row
        changed = -1 if row is None else row.catch_up(cluster)
        if changed >= MANY and self._may_load:
            self._turn()
        if changed < 0 or (self._vector and self._wants_other(state, changed)):
            row = self._lay_out(cluster, state)
        if cluster.nominated or pod.nominated:
            chosen = self._among_guests(cluster, pod, state)
            if chosen is not None:
                return chosen
            row = state.row
        elif row.blocked:
            row.block(set())
        place: int = row.choose()
        if place < 0:
            return ""
        framework = self._framework
        nodes = row.view.nodes
        if framework.pick is not ties.first:
            return framework.pick(pod.uid, [nodes[n].name for n in row.ties(place)])
        name: str = nodes[place].name
        return name

    def _among_guests(self, cluster: Cluster, pod: PodInfo, state: State) -> str | None:
        """Return the node kept for the pod, "" to leave it to the plain way; None when nodes kept for others are out."""
        if not pod.nominated and not any(
            guest.priority >= pod.priority for guests in cluster.nominated.values() for guest in guests.values()
        ):
            state.row.block(set())
            return None
        failing = None if state.rules.has_filters else self._failing(cluster, state)
        if failing is None:
            return ""
        node = cluster.node(pod.nominated) if pod.nominated else None
        if node is not None and not failing.refuses(cluster, pod, node):
            return node.name
        if not isinstance(state.row, Row):
            state.streak = self._long
            self._lay_out(cluster, state)
        state.row.block(failing.blocked(cluster, pod))
        return None

    def _failing(self, cluster: Cluster, state: State) -> Failing | None:
        """Return what keeps the refusals of a class, None for one whose fate hangs on other pods' places."""
        if state.failing is None and self._landscape is not None:
            from kctl.scheduler.kernel.failing import Failing

            state.failing = False
            with suppress(Declined):
                state.failing = Failing(self._framework, cluster, self._landscape, state.cycle, state.rules)
        return state.failing or None

    def explain(self, cluster: Cluster, pod: PodInfo) -> Outcome:
        """Decide about a pod that :meth:`schedule_many` has left, as the plain way does."""
        state = self._fresh.get(pod.traits)
        if state is None or state.row is None or not self.is_covering:
            return self._framework.schedule(cluster, pod)
        at = (cluster.version, *(cluster.caches[resource].changes for resource in LOOKED_AT))
        is_guest = bool(pod.nominated) or any(pod.key in guests for guests in cluster.nominated.values())
        if state.refused is not None and state.refused[0] == at and not is_guest:
            return state.refused[1]._replace(pod=pod)
        failing = None if is_guest else self._failing(cluster, state)
        if state.rules.has_filters and cluster.nominated:
            failing = None
        outcome = None
        if failing is not None and (failing.catch_up(cluster) or state.rules.has_filters):
            outcome = failing.outcome(cluster, pod, state.row)
        if outcome is None:
            outcome = self._framework.schedule(cluster, pod)
        state.refused = None if outcome.node or is_guest else (at, outcome)
        return outcome

    # -- classes

    def _state(self, cluster: Cluster, pod: PodInfo, traits: Traits) -> State | None:
        """Return the class of a pod made from what is true now, None when its pods are not the kernel's."""
        known = self._states.pop(traits, None)
        made_from = self._made_from(cluster, pod)
        if known is not None and known.made_from != made_from and known.parts == self._parts(cluster, pod):
            known = known._replace(made_from=made_from)
        if known is not None and known.made_from == made_from and self._has_all_terms(cluster, known.state):
            self._states[traits] = known  # the last one used
            return known.state
        if known is not None:
            self._drop(cluster, known.state)
        try:
            state = self._build(cluster, pod, traits)
        except Declined:
            state = None
        self._states[traits] = Known(state, made_from, self._parts(cluster, pod))
        if len(self._states) > CLASSES:
            self._drop(cluster, self._states.pop(next(iter(self._states))).state)
        return state

    def _turn(self) -> None:
        """Note that arrays would have been quicker; load NumPy once that has been so for a while."""
        self._turns += 1
        if self._turns >= min(TURNS, self._long):
            self._may_load = False
            self._vector = with_arrays() or False

    def _wants_other(self, state: State, changed: int) -> bool:
        """Say whether arrays would now be quicker than the heaps of a class, or heaps than its arrays."""
        if state is self._last:
            state.streak = max(state.streak, 0) + 1
            return state.streak >= self._long and not isinstance(state.row, Row)
        self._last = state
        state.streak = min(state.streak, 0) - 1
        return state.streak <= -2 and changed >= min(MANY, self._long) and isinstance(state.row, Row)

    def _lay_out(self, cluster: Cluster, state: State) -> Any:
        """Lay the nodes out for a class: in arrays while classes take turns, in heaps for long rows of one."""
        landscape = self._landscape
        if landscape is None:
            raise Declined
        if self._may_load:
            self._turn()
        cells = Cells(self._recipe, landscape, state.cycle, state.static, state.rules)
        if self._vector and state.streak < self._long:
            if self._columns is None:
                self._columns = self._vector.Columns(cluster, landscape)
            key = ("array", *state.view_key)
            view = self._views.get(key)
            if view is None:
                made = self._vector.VectorView(self._columns, landscape, state.cycle, state.static, self._long)
                view = self._views[key] = made
            state.row = self._vector.VectorRow(cluster, view, cells)
            self._heaps.pop(state, None)
        else:
            view = self._views.get(state.view_key)
            if view is None:
                view = self._views[state.view_key] = View(cluster, landscape, state.cycle, state.static)
            state.row = Row(cluster, view, cells)
            self._heaps[state] = None
            if len(self._heaps) > (FEW_HEAPS if self._vector else HEAPS):
                oldest = next(iter(self._heaps))
                del self._heaps[oldest]
                oldest.row = None
        if len(self._views) > CLASSES:
            del self._views[next(iter(self._views))]
        return state.row

    def _drop(self, cluster: Cluster, state: State | None) -> None:
        """Let go of a class; with the last one that shares it, of the state."""
        if state is None:
            return
        state.users -= 1
        if state.users:
            return
        self._heaps.pop(state, None)
        if state.key is not None and self._shared.get(state.key) is state:
            del self._shared[state.key]
        for counter in state.counters:
            counter.users -= 1
            if not counter.users:
                cluster.kinds.unwatch(counter)
                del self._counters[counter.key]

    def _has_all_terms(self, cluster: Cluster, state: State | None) -> bool:
        """Say whether the terms of the kinds that came since speak of the class by known topology keys alone."""
        kinds = cluster.kinds
        if state is None or state.terms_seen == kinds.terms_version:
            return True
        if state.key is not None:
            return False  # others share it, of whom the terms may speak
        namespaces = cluster.namespace_labels()
        rules = state.rules
        for kind in kinds.with_terms():
            found = speaks_of(kind.traits, state.cycle.pod.traits, namespaces, scores=False)
            if not found.keys() <= rules.repelling.keys():
                return False
            found = speaks_of(kind.traits, state.cycle.pod.traits, namespaces, scores=True)
            if not found.keys() <= rules.drawing.keys():
                return False
        state.terms_seen = kinds.terms_version
        return True

    def _made_from(self, cluster: Cluster, pod: PodInfo) -> tuple[Any, ...]:
        """Return what default constraints depend on beside the pod: services, and its owner's selector."""
        if pod.spec.get("topologySpreadConstraints"):
            return ()
        owner = pod.traits.owner
        resource = OWNERS.get(owner[:2]) if owner is not None else None
        selector = None
        if resource is not None and owner is not None:
            found = cluster.caches[resource].get(Key(pod.namespace, owner[2]))
            selector = ((found or {}).get("spec") or {}).get("selector")
        return (cluster.caches["services"].changes, selector)

    def _build(self, cluster: Cluster, pod: PodInfo, traits: Traits) -> State:
        recipe, landscape = self._recipe, self._landscape
        if landscape is None or pod.claims or pod.disks:
            raise Declined
        cycle = Cycle(cluster, PodInfo(pod.obj, traits))
        if any(steps_in(plugin, cycle) for plugin in recipe.others):
            raise Declined
        static, look = landscape.static(cycle)
        constraints = self._constraints(cluster, pod)
        view_key = identity(cluster, recipe, pod, look)
        key = self._shared_key(cluster, pod, constraints, view_key)
        state = self._shared.get(key) if key is not None else None
        if state is not None:
            state.users += 1
            return state
        maker = Maker(cluster, landscape, cycle, look, self._counters)
        maker.spread(constraints)
        maker.terms(filters=recipe.terms_filter is not None, scorer=recipe.scorers.get(TERMS))
        state = State(cycle, static, maker.rules, view_key)
        state.users = 1
        for counter in state.counters:
            counter.users += 1
        state.terms_seen = cluster.kinds.terms_version
        if key is not None:
            state.key = key
            self._shared[key] = state
        self._lay_out(cluster, state)
        return state

    @staticmethod
    def _shared_key(
        cluster: Cluster, pod: PodInfo, constraints: Constraints, view_key: tuple[Any, ...]
    ) -> tuple[Any, ...] | None:
        """Return what is the same for pods that differ only in labels nobody asks for, as those of a StatefulSet do.

        None for pods with affinity terms, and while any placed pod has some: terms may ask for any label.
        """
        if pod.has_affinity or any(True for _ in cluster.kinds.with_terms()):
            return None
        labels = pod.labels
        asked = [
            [(c[:3], c.identity, c[5:8], c.matches(labels)) for c in some]
            for some in (constraints.hard, constraints.soft)
        ]
        policy = pod.spec.get("preemptionPolicy")
        own = (pod.namespace, pod.priority, policy, constraints.needs_keys, cluster.kinds.terms_version)
        return (*view_key, own, *map(tuple, asked))

    def _parts(self, cluster: Cluster, pod: PodInfo) -> list[Obj]:
        """Return the selectors that default constraints would have."""
        return [] if pod.spec.get("topologySpreadConstraints") else default_selector(cluster, pod)

    def _constraints(self, cluster: Cluster, pod: PodInfo) -> Constraints:
        hard, scorer = self._recipe.spread_filter, self._recipe.scorers.get(SPREAD)
        return Constraints(
            hard.constraints(cluster, pod, "DoNotSchedule") if hard is not None else (),
            scorer.constraints(cluster, pod, "ScheduleAnyway") if scorer is not None else (),
            scorer is not None and scorer.needs_keys(pod),
        )


def with_arrays() -> Any:
    """Return the module that works with NumPy, None where that is not installed."""
    try:
        from kctl.scheduler.kernel import vector
    except ImportError:
        return None
    return vector
