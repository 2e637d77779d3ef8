"""DefaultPreemption: make room for a pod by deleting pods of lower priority on one node.

In: the refusals of a failed cycle. Out: the node and its victims, or the words that end the
FailedScheduling message. Nothing is deleted here; the scheduler's loop carries it out. Upstream starts at a
random node, this plugin at the first; among nodes that cost the same the profile picks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kctl.api.objects import Obj, condition
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.extension import Cycle, No, Preemption, Refused
from kctl.scheduler.framework import Framework, fit_error
from kctl.scheduler.match import labels_matching
from kctl.scheduler.nodeinfo import NodeInfo
from kctl.scheduler.podinfo import PodInfo

NAME = "DefaultPreemption"
NOT_HELPFUL = No(NAME, ("Preemption is not helpful for scheduling",), True)
NO_VICTIMS = No(NAME, ("No preemption victims found for incoming pod",), True)
NEVER = "not eligible due to preemptionPolicy=Never."
WAITING = "not eligible due to a terminating pod on the nominated node."
NOT_STARTED = "9999"
"""Sorts after every time: a pod that has not started counts as starting now."""


class Candidate(NamedTuple):
    """A node where the pod would fit, once its victims are gone, most important victim first."""

    node: str
    victims: tuple[PodInfo, ...]
    violations: int
    """How many victims a disruption budget would have protected."""


class DefaultPreemption:
    """Finds victims when no node fits."""

    name = NAME

    def __init__(self, *, min_percent: int = 10, min_absolute: int = 100) -> None:
        self._min_percent = min_percent
        self._min_absolute = min_absolute
        """So many candidates are wanted: a share of the nodes, or a number."""

    def wanted(self, potential: int) -> int:
        """Return how many candidates are enough among so many nodes."""
        return min(max(potential * self._min_percent // 100, self._min_absolute), potential)

    def post_filter(self, framework: Framework, cycle: Cycle, refused: Refused) -> Preemption:
        """Find the node where making room costs least."""
        why = ineligible(cycle, refused)
        if why:
            return Preemption(message=f"preemption: {why}", clears=False)
        potential = [node for node in refused.nodes if is_resolvable(refused.of(node.name))]
        statuses: dict[str, No] = {}
        candidates = self._dry_run(framework, cycle, potential, statuses)
        if not candidates:
            inner = fit_error(Refused(refused.nodes, statuses, NOT_HELPFUL))
            return Preemption(message=f"preemption: {inner}")
        cheapest = min(map(cost, candidates))
        equal = {c.node: c for c in candidates if cost(c) == cheapest}
        best = equal[framework.pick(cycle.pod.uid, tuple(equal))]
        return Preemption(best.node, best.victims, {c.node: c.victims for c in candidates})

    def _dry_run(
        self, framework: Framework, cycle: Cycle, potential: Sequence[NodeInfo], statuses: dict[str, No]
    ) -> list[Candidate]:
        """Try nodes until there are enough candidates, one of them without violations (DryRunPreemption)."""
        wanted = self.wanted(len(potential))
        candidates: list[Candidate] = []
        budgets = disruption_budgets(cycle.cluster) if potential else []
        for node in potential:
            if len(candidates) >= wanted and any(not c.violations for c in candidates):
                break
            found = select_victims(framework, cycle.clone(), node.clone(), budgets)
            if isinstance(found, No):
                statuses[node.name] = found
            elif not found.violations or len(candidates) < wanted:
                candidates.append(found)
        return candidates


def is_resolvable(no: No | None) -> bool:
    """Say whether removing pods might change a refusal."""
    return no is not None and not no.unresolvable


def ineligible(cycle: Cycle, refused: Refused) -> str:
    """Return why the pod may not preempt, "" if it may (PodEligibleToPreemptOthers)."""
    pod = cycle.pod
    if pod.spec.get("preemptionPolicy") == "Never":
        return NEVER
    node = cycle.cluster.node(pod.nominated) if pod.nominated else None
    if node is None:
        return ""
    no = refused.of(node.name)
    if no is not None and no.unresolvable:
        return ""
    waits = any(p.priority < pod.priority and is_preempted(p) for p in node.pods.values())
    return WAITING if waits else ""


def is_preempted(pod: PodInfo) -> bool:
    """Say whether the pod is on its way out because of preemption."""
    target = condition(pod.obj, "DisruptionTarget") if pod.terminating else None
    return target is not None and target.get("status") == "True" and target.get("reason") == "PreemptionByScheduler"


def disruption_budgets(cluster: Cluster) -> list[Obj]:
    """Return all PodDisruptionBudgets."""
    return cluster.caches["poddisruptionbudgets.policy"].all()


def select_victims(framework: Framework, cycle: Cycle, node: NodeInfo, budgets: Sequence[Obj]) -> Candidate | No:
    """Find the fewest, least important pods whose removal lets the pod fit (SelectVictimsOnNode).

    ``cycle`` and ``node`` are copies, changed on the way.
    """
    pod = cycle.pod
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return NO_VICTIMS
    skipped: set[str] = cycle.data["skipped"]
    filters = [f.filter for f in framework.filters if f.name not in skipped]
    for other in lower:
        node.remove_pod(other.key)
        framework.remove_pod(cycle, other, node)
    no = framework.refuse(cycle, filters, node)
    if no is not None:
        return no
    violating, others = by_budget(sorted(lower, key=importance), budgets)
    victims: list[PodInfo] = []
    violations = 0
    for n, other in enumerate((*violating, *others)):
        node.add_pod(other)
        framework.add_pod(cycle, other, node)
        if framework.refuse(cycle, filters, node) is not None:
            node.remove_pod(other.key)
            framework.remove_pod(cycle, other, node)
            victims.append(other)
            violations += n < len(violating)
    if not victims:
        return No(NAME, (f'expected at least one victim pod on node "{node.name}"',), True)
    return Candidate(node.name, tuple(sorted(victims, key=importance)), violations)


def importance(pod: PodInfo) -> tuple[int, str]:
    """Order pods, the more important first: higher priority, then longer running (MoreImportantPod)."""
    return (-pod.priority, started(pod))


def started(pod: PodInfo) -> str:
    """Return when the pod started, as text that sorts."""
    return (pod.obj.get("status") or {}).get("startTime") or NOT_STARTED


def by_budget(pods: Sequence[PodInfo], budgets: Sequence[Obj]) -> tuple[list[PodInfo], list[PodInfo]]:
    """Split pods into those a disruption budget protects and the others (filterPodsWithPDBViolation).

    Each pod, in order, uses up one disruption of every budget that selects it.
    """
    allowed = [(b.get("status") or {}).get("disruptionsAllowed") or 0 for b in budgets]
    matches = [labels_matching(selector_of(b)) for b in budgets]
    violating: list[PodInfo] = []
    others: list[PodInfo] = []
    for pod in pods:
        violates = False
        for n, budget in enumerate(budgets):
            if budget["metadata"]["namespace"] != pod.namespace or not pod.labels or not matches[n](pod.labels):
                continue
            if pod.key.name in ((budget.get("status") or {}).get("disruptedPods") or {}):
                continue
            allowed[n] -= 1
            violates = violates or allowed[n] < 0
        (violating if violates else others).append(pod)
    return violating, others


def selector_of(budget: Obj) -> Obj | None:
    """Return a budget's selector, None for an empty one: here that selects nothing."""
    selector: Obj = budget["spec"].get("selector") or {}
    return selector if selector.get("matchLabels") or selector.get("matchExpressions") else None


def cost(candidate: Candidate) -> tuple[object, ...]:
    """Order candidates, the cheapest first (pickOneNodeForPreemption).

    Fewest violations, lowest highest priority, lowest sum of priorities, fewest victims, latest start.
    """
    victims = candidate.victims
    highest = max(v.priority for v in victims)
    total = sum(v.priority + 2**31 for v in victims)
    earliest = min(started(v) for v in victims if v.priority == highest)
    return (candidate.violations, highest, total, len(victims), Later(earliest))


class Later(str):
    """A time that sorts before earlier ones."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        return str.__gt__(self, str(other))
