"""disruption-controller: how many pods a PodDisruptionBudget lets go right now.

In: budgets, counts of the pods they select, the scale of those pods' owners. Out: the status, which
the eviction API charges. Also: a pod that was marked to be disrupted and then was not loses the
mark after two minutes.

Upstream tells about budgets without pods and about pods of several budgets with every sync; here
that is told with a sync that changes the status. It also syncs only one of several budgets of a
pod; here all of them are kept up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kctl.api.clock import parse_time, rfc3339
from kctl.api.objects import Key, Obj, condition, dig, is_deleting, key_of, labels_of, with_condition
from kctl.client.cache import META, SPEC, STATUS, Cache, Caches, by_controller
from kctl.controllers.disruption_pods import (
    ON,
    Count,
    Group,
    Owner,
    budgets_index,
    budgets_of,
    groups,
    is_healthy,
    is_particular,
    owner_of,
    selector_of,
)
from kctl.controllers.disruption_scale import CRDS, OWNERS_OF_PODS, Scale, ScaleError, scales
from kctl.controllers.intorpercent import scaled
from kctl.controllers.pods import is_terminal
from kctl.runtime.actions import Action, Emit, Patch, update_status
from kctl.runtime.controller import Controller, Decision, Watch, keys_of_self

BUDGETS = "poddisruptionbudgets.policy"
DELETION_TIMEOUT = 120.0
"""So long an evicted pod may take to be deleted before it counts as there again."""
MARK = "DisruptionTarget"
POD = "pods/"
"""What keys of pods begin with, so that no budget has the same."""


class Seen(NamedTuple):
    """A budget with counts of its pods and their owners' scale; ``doomed`` are evicted pods not deleted yet.

    ``shared`` are pods of which several budgets speak, with the name of the first.
    """

    budget: Obj
    counts: Mapping[Owner, Count]
    scale: Callable[[Owner], Scale]
    doomed: tuple[Obj, ...] = ()
    shared: Callable[[], Iterable[tuple[Obj, str]]] = tuple


class Marked(NamedTuple):
    """A pod that bears the mark of a disruption."""

    pod: Obj


class DisruptionController(Controller):
    """Keeps the status of PodDisruptionBudgets."""

    name = "disruption-controller"
    component = "controllermanager"
    user = "system:serviceaccount:kube-system:disruption-controller"
    level = 55
    reads = (BUDGETS, "pods", *OWNERS_OF_PODS, CRDS)
    writes = (BUDGETS, "pods", "events")

    def __init__(self) -> None:
        self.watches = (
            Watch(BUDGETS, keys_of_self),
            Watch("pods", keys_of_pod, ON, alike=True),
            Watch("pods", keys_of_marked, META | STATUS, where=lambda _, new: new is not None and _is_marked(new)),
            *(Watch(resource, keys_of_owner, SPEC) for resource in OWNERS_OF_PODS),
        )

    def prepare(self, caches: Caches) -> None:
        """Register the index of budgets; the fold of pods comes with the first budget."""
        budgets_index(caches[BUDGETS])
        by_controller(caches["pods"])

    def observe(self, caches: Caches, key: Key) -> Seen | Marked | None:
        """Read the budget and the counts of its pods, or the pod."""
        pods = caches["pods"]
        if key.name.startswith(POD):
            pod = pods.get(Key(key.namespace, key.name.removeprefix(POD)))
            return None if pod is None else Marked(pod)
        budget = caches[BUDGETS].get(key)
        if budget is None:
            return None
        disrupted = dig(budget, "status", "disruptedPods", default={}) or {}
        named = (pods.get(Key(key.namespace, name)) for name in sorted(disrupted))

        def shared() -> list[tuple[Obj, str]]:
            return list(_shared(caches, budget))

        return Seen(
            budget,
            _counts(pods, budget),
            scales(caches, key.namespace),
            tuple(pod for pod in named if pod is not None),
            shared,
        )

    def decide(self, seen: Seen | Marked, now: float) -> Decision:
        """Say what the status is; see :func:`decide`."""
        return unmark(seen.pod, now) if isinstance(seen, Marked) else decide(seen, now)


def _counts(pods: Cache, budget: Obj) -> dict[Owner, Count]:
    """Count the pods a budget selects, by owner."""
    selector, namespace = selector_of(budget), key_of(budget).namespace
    found: dict[Owner, Count] = {}
    if selector is None:
        return found
    alike: Iterable[tuple[Group, Count]]
    if is_particular(budget):
        alike = (
            (Group(tuple(labels_of(pod).items()), owner_of(pod)), Count(1, int(is_healthy(pod))))
            for pod in pods.in_namespace(namespace)
        )
    else:
        alike = groups(pods).get(namespace).counts.items()
    for group, count in alike:
        if selector.matches(dict(group.labels)):
            known = found.get(group.owner, Count())
            found[group.owner] = Count(known.total + count.total, known.healthy + count.healthy)
    return dict(sorted(found.items()))


def _shared(caches: Caches, budget: Obj) -> Iterable[tuple[Obj, str]]:
    """Yield the budget's pods that others select too, when it is the first by name."""
    budgets, key, selector = caches[BUDGETS], key_of(budget), selector_of(budget)
    near = budgets.in_namespace(key.namespace)
    if selector is None or len(near) < 2:
        return
    for pod in caches["pods"].in_namespace(key.namespace):
        labels = labels_of(pod)
        if selector.matches(labels):
            names = sorted(key_of(one).name for one in budgets_of(budgets, key.namespace, labels))
            if len(names) > 1 and names[0] == key.name:
                yield pod, names[0]


class Expected(NamedTuple):
    """How many pods there should be and how many of them healthy."""

    pods: int
    healthy: int


def decide(seen: Seen, now: float) -> Decision:
    """Say what the status of the budget is, as trySync."""
    budget, status = seen.budget, seen.budget.get("status") or {}
    disrupted, recheck, overdue = _disrupted(seen, now)
    try:
        expected = expect(seen)
    except ScaleError as error:
        return _failed(budget, str(error), now)
    selector = selector_of(budget)
    excluded = [
        pod
        for pod in seen.doomed
        if is_healthy(pod)
        and _is_awaited(status, pod, now)
        and selector is not None
        and selector.matches(labels_of(pod))
    ]
    healthy = sum(count.healthy for count in seen.counts.values()) - len(excluded)
    allowed = max(healthy - expected.healthy, 0) if expected.pods > 0 else 0
    new: Obj = {
        "observedGeneration": budget["metadata"].get("generation", 0),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": expected.healthy,
        "expectedPods": expected.pods,
    }
    if disrupted:
        new["disruptedPods"] = disrupted
    reason = "SufficientPods" if allowed else "InsufficientPods"
    new["conditions"] = _conditions(budget, "True" if allowed else "False", reason, "", new["observedGeneration"], now)
    if new == status:
        return Decision((), recheck)
    actions: list[Action] = [*_remarks(seen), *overdue]
    actions.append(update_status(BUDGETS, budget, new))
    return Decision(tuple(actions), recheck)


def expect(seen: Seen) -> Expected:
    """Return what the budget asks for, as getExpectedPodCount; ScaleError when an owner has no scale."""
    spec = seen.budget["spec"]
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        total = _scale(seen)
        return Expected(total, max(total - scaled(most, total, round_up=True), 0))
    if isinstance(least, str):
        total = _scale(seen)
        return Expected(total, scaled(least, total, round_up=True))
    return Expected(sum(count.total for count in seen.counts.values()), least) if least is not None else Expected(0, 0)


def _scale(seen: Seen) -> int:
    """Return the sum of the scales of all owners, as getExpectedScale."""
    found = [seen.scale(owner) for owner in seen.counts if owner.uid]
    return sum({scale.uid: scale.replicas for scale in found}.values())


def _is_awaited(status: Obj, pod: Obj, now: float) -> bool:
    """Say whether a pod was evicted lately and is yet to be deleted."""
    at = (status.get("disruptedPods") or {}).get(pod["metadata"]["name"])
    return at is not None and parse_time(at) + DELETION_TIMEOUT > now


def _disrupted(seen: Seen, now: float) -> tuple[Obj, float | None, list[Emit]]:
    """Return who is still to be deleted, when to look again, and events about the overdue, as buildDisruptedPodMap."""
    known = dig(seen.budget, "status", "disruptedPods", default={}) or {}
    selector, key = selector_of(seen.budget), key_of(seen.budget)
    left: Obj = {}
    told: list[Emit] = []
    for pod in seen.doomed:
        name = pod["metadata"]["name"]
        if is_deleting(pod) or selector is None or not selector.matches(labels_of(pod)):
            continue
        if parse_time(known[name]) + DELETION_TIMEOUT < now:
            note = f"Pod was expected by PDB {key.namespace}/{key.namespace} to be deleted but it wasn't"
            told.append(Emit(pod, "Warning", "NotDeleted", note))
        else:
            left[name] = known[name]
    times = [parse_time(at) + DELETION_TIMEOUT + 1 for at in left.values()]
    return left, min(times, default=None), told


def _remarks(seen: Seen) -> list[Emit]:
    """Return what is told about the pods: that there are none, that nobody controls them, that budgets overlap."""
    budget, spec = seen.budget, seen.budget["spec"]
    told = []
    if not seen.counts:
        told.append(Emit(budget, "Normal", "NoPods", "No matching pods found"))
    by_scale = spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)
    if by_scale and Owner() in seen.counts:
        message = (
            f"Pods selected by this PodDisruptionBudget (selector: {shown(spec['selector'])}) were found to be "
            "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in "
            'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an '
            "integer value."
        )
        told.append(Emit(budget, "Warning", "UnmanagedPods", message))
    for pod, first in seen.shared():
        key = key_of(pod)
        message = (
            f'Pod "{key.namespace}"/"{key.name}" matches multiple PodDisruptionBudgets.  Chose "{first}" arbitrarily.'
        )
        told.append(Emit(pod, "Warning", "MultiplePodDisruptionBudgets", message))
    return told


def shown(selector: Obj) -> str:
    """Return a label selector as Go prints a pointer to one."""
    pairs = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    labels = f"map[string]string{{{pairs}}}"
    asked = "".join(
        f"LabelSelectorRequirement{{Key:{one['key']},Operator:{one['operator']},"
        f"Values:[{' '.join(one.get('values') or ())}],}},"
        for one in selector.get("matchExpressions") or ()
    )
    return f"&LabelSelector{{MatchLabels:{labels},MatchExpressions:[]LabelSelectorRequirement{{{asked}}},}}"


def _failed(budget: Obj, why: str, now: float) -> Decision:
    """Allow nothing and say why, as failSafe."""
    status = budget.get("status") or {}
    seen = status.get("observedGeneration") or 0
    conditions = _conditions(budget, "False", "SyncFailed", why, seen, now)
    zeros = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    new = {**zeros, **status, "disruptionsAllowed": 0, "conditions": conditions}
    if new == status:
        return Decision()
    message = f"Failed to calculate the number of expected pods: {why}"
    emit = Emit(budget, "Warning", "CalculateExpectedPodCountFailed", message)
    return Decision((emit, update_status(BUDGETS, budget, new)))


def _conditions(budget: Obj, status: str, reason: str, message: str, generation: int, now: float) -> list[Obj]:
    """Return the conditions with DisruptionAllowed, as meta.SetStatusCondition."""
    old = condition(budget, "DisruptionAllowed") or {}
    since = old.get("lastTransitionTime") if old.get("status") == status else None
    found: Obj = {"type": "DisruptionAllowed", "status": status}
    if generation:
        found["observedGeneration"] = generation
    found |= {"lastTransitionTime": since or rfc3339(now), "reason": reason, "message": message}
    return with_condition(dig(budget, "status", "conditions", default=()) or (), found)


def unmark(pod: Obj, now: float) -> Decision:
    """Take a pod's mark off when the disruption has not come, as syncStalePodDisruption."""
    mark = condition(pod, MARK)
    if mark is None or not _is_marked(pod):
        return Decision()
    at = parse_time(mark["lastTransitionTime"]) + DELETION_TIMEOUT if mark.get("lastTransitionTime") else now
    if at > now:
        return Decision((), at)
    cleared = {"type": MARK, "status": "False", "lastProbeTime": None, "lastTransitionTime": rfc3339(now)}
    conditions = with_condition(dig(pod, "status", "conditions", default=()), cleared)
    body: Any = {"status": {"conditions": conditions}, "metadata": {"uid": pod["metadata"]["uid"]}}
    return Decision((Patch("pods", key_of(pod), body, "merge", "status"),))


def _is_marked(pod: Obj) -> bool:
    """Say whether a pod that lives on bears the mark; kubelet's own marks are never stale."""
    mark = condition(pod, MARK)
    if mark is None or mark["status"] != "True" or mark.get("reason") == "TerminationByKubelet":
        return False
    return not is_deleting(pod) and not is_terminal(pod)


def keys_of_marked(old: Obj | None, new: Obj | None, caches: Caches) -> tuple[Key, ...]:
    """Map a pod that bears the mark to a key of its own."""
    if new is None or not _is_marked(new):
        return ()
    key = key_of(new)
    return (Key(key.namespace, POD + key.name),)


def keys_of_pod(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map a pod to the budgets that select it or did, if its health or its owner changed."""
    budgets = caches[BUDGETS]
    if not len(budgets):
        return []
    if old is not None and new is not None:
        same = labels_of(old) == labels_of(new) and is_healthy(old) == is_healthy(new)
        if same and is_deleting(old) == is_deleting(new) and owner_of(old) == owner_of(new):
            return []
    found: dict[Key, None] = {}
    for pod in (old, new):
        if pod is not None:
            namespace = key_of(pod).namespace
            found.update(dict.fromkeys(key_of(one) for one in budgets_of(budgets, namespace, labels_of(pod))))
    return list(found)


def keys_of_owner(old: Obj | None, new: Obj | None, caches: Caches) -> list[Key]:
    """Map an owner whose scale changed to the budgets of its pods."""
    owner = new or old
    budgets = caches[BUDGETS]
    if owner is None or not len(budgets):
        return []
    if old is not None and new is not None and old["spec"].get("replicas") == new["spec"].get("replicas"):
        return []
    labels = dig(owner, "spec", "template", "metadata", "labels", default={}) or {}
    return [key_of(one) for one in budgets_of(budgets, key_of(owner).namespace, labels)]
