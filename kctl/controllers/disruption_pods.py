"""Which pods a disruption budget speaks of: a fold of pods by namespace, and budgets by what they select.

In: pods and budgets as they change. Out: counts of pods that are alike (same labels, same
controller), so that a budget over ten thousand pods costs a glance at a few counts; and the budgets
that select a pod. Labels that differ from pod to pod are left out of the counts; a budget that asks
for one of those is counted pod by pod.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kctl.api.objects import Obj, controller_of, is_deleting, key_of, labels_of
from kctl.api.selectors import Selector, from_label_selector
from kctl.client.cache import LABELS, META, OWNERS, SPEC, STATUS, Cache, Fold, Index
from kctl.controllers.behind import rarest
from kctl.controllers.pods import is_ready

PARTICULAR = frozenset(
    (
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/job-completion-index",
        "controller-revision-hash",
    )
)
"""Labels that controllers give pods to tell them apart."""
ON = LABELS | OWNERS | META | STATUS


class Owner(NamedTuple):
    """Who controls pods; all "" for nobody."""

    version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class Group(NamedTuple):
    """What pods that count as one have in common."""

    labels: tuple[tuple[str, str], ...]
    owner: Owner


class Count(NamedTuple):
    """Pods alike: all of them, and those that are ready and not on their way out."""

    total: int = 0
    healthy: int = 0


class Groups:
    """The pods of a namespace by group. Changed in place by its fold: read it at once, keep it not."""

    def __init__(self) -> None:
        self.counts: dict[Group, Count] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groups) and self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Groups({self.counts})"


NOTHING = Groups()
Share = tuple[Group, bool]


def groups(pods: Cache) -> Fold[Groups]:
    """Return the fold of pods by namespace."""
    return pods.tally("disruption", _shares, NOTHING, _add, _remove, on=ON)


def _shares(pod: Obj) -> tuple[tuple[str, Share], ...]:
    group = Group(
        tuple(sorted(pair for pair in labels_of(pod).items() if pair[0] not in PARTICULAR)),
        owner_of(pod),
    )
    return ((pod["metadata"].get("namespace") or "", (group, is_healthy(pod))),)


def owner_of(pod: Obj) -> Owner:
    """Return who controls the pod."""
    ref = controller_of(pod)
    return Owner() if ref is None else Owner(ref["apiVersion"], ref["kind"], ref["name"], ref["uid"])


def is_healthy(pod: Obj) -> bool:
    """Say whether the pod counts as healthy, as countHealthyPods."""
    return not is_deleting(pod) and is_ready(pod)


def _add(found: Groups, share: Share) -> Groups:
    return _step(found, share, 1)


def _remove(found: Groups, share: Share) -> Groups:
    return _step(found, share, -1)


def _step(found: Groups, share: Share, by: int) -> Groups:
    if found is NOTHING:
        found = Groups()
    group, healthy = share
    old = found.counts.get(group, Count())
    new = Count(old.total + by, old.healthy + by * healthy)
    if new == Count():
        del found.counts[group]
    else:
        found.counts[group] = new
    return found


def selector_of(budget: Obj) -> Selector | None:
    """Return what a budget selects; None when it selects nothing."""
    selector = budget["spec"].get("selector")
    return None if selector is None else from_label_selector(selector)


def is_particular(budget: Obj) -> bool:
    """Say whether a budget asks for labels that pods are told apart by."""
    selector = budget["spec"].get("selector") or {}
    asked = {*(selector.get("matchLabels") or ()), *(one["key"] for one in selector.get("matchExpressions") or ())}
    return bool(asked & PARTICULAR)


def budgets_index(budgets: Cache) -> Index:
    """Return the index of budgets by namespace and one pair of labels they ask for, ("", "") for none."""
    return budgets.index("selector", _budget_values, on=SPEC)


def _budget_values(budget: Obj) -> tuple[tuple[str, str, str], ...]:
    selector = budget["spec"].get("selector")
    if selector is None:
        return ()
    pair = rarest(selector["matchLabels"]) if selector.get("matchLabels") else ("", "")
    return ((key_of(budget).namespace, *pair),)


def budgets_of(budgets: Cache, namespace: str, labels: dict[str, str]) -> Iterator[Obj]:
    """Yield the budgets of a namespace that select these labels."""
    index = budgets_index(budgets)
    pairs: Iterable[tuple[str, str]] = (("", ""), *labels.items())
    for pair in pairs:
        if index.count((namespace, *pair)):
            for budget in index.get((namespace, *pair)):
                selector = selector_of(budget)
                if selector is not None and selector.matches(labels):
                    yield budget
