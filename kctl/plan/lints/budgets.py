"""PodDisruptionBudgets: those that protect nothing, those that never let go, those that stand in each other's way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kctl.api.objects import dig
from kctl.plan.lints.scaling import AUTOSCALERS
from kctl.plan.lints.selecting import selects_nothing
from kctl.plan.lints.world import Finding, Item, Template, World, selector_of

BUDGETS = "poddisruptionbudgets.policy"
COUNTED = ("deployments.apps", "statefulsets.apps", "replicasets.apps", "replicationcontrollers")


def selections(world: World) -> Iterator[Finding]:
    """Yield budgets that select nothing, and those that share pods with another: the eviction API refuses those."""
    for item in world.own(BUDGETS):
        selector = selector_of(dig(item.obj, "spec", "selector"))
        if selector is None:
            continue
        path = "spec.selector"
        selected = world.selected(item.key.namespace, selector)
        if not selected:
            if selects_nothing(world, item, selector):
                yield item.finding("pdb-selects-nothing", path, f"its selector {selector} selects no pods")
            continue
        for other in world.all(BUDGETS):
            if other.key.namespace != item.key.namespace or other.key == item.key:
                continue
            theirs = selector_of(dig(other.obj, "spec", "selector"))
            shared = [t for t in selected if theirs is not None and theirs.matches(t.labels)]
            if shared:
                message = f"{other.text} selects the pods of {shared[0].item.text} as well: none of them can be evicted"
                yield item.finding("pdb-overlap", path, message)


def never(world: World) -> Iterator[Finding]:
    """Yield budgets that allow no disruption even when all pods are well: a drain waits for ever."""
    for item in world.own(BUDGETS):
        least, most = (dig(item.obj, "spec", field) for field in ("minAvailable", "maxUnavailable"))
        if most in (0, "0", "0%"):
            yield item.finding("pdb-never-allows", "spec.maxUnavailable", f"maxUnavailable {most} allows no disruption")
            continue
        if least == "100%":
            yield item.finding("pdb-never-allows", "spec.minAvailable", "minAvailable 100% allows no disruption")
            continue
        count = _replicas(world, item)
        wanted = _of(least, count) if count else None
        if count and wanted is not None and wanted >= count:
            pods = "1 pod" if count == 1 else f"{count} pods"
            message = f"minAvailable {least} of {pods} allows no disruption"
            yield item.finding("pdb-never-allows", "spec.minAvailable", message)


def _replicas(world: World, item: Item) -> int | None:
    """Return how many pods the budget protects; None when that is not written anywhere."""
    selector = selector_of(dig(item.obj, "spec", "selector"))
    selected = world.selected(item.key.namespace, selector) if selector is not None else []
    if not selected or any(template.item.resource not in COUNTED for template in selected):
        return None
    return _sum(world, selected)


def _sum(world: World, selected: Sequence[Template]) -> int | None:
    total = 0
    for template in selected:
        count = dig(template.item.obj, "spec", "replicas", default=1)
        for scaler in world.all(AUTOSCALERS):
            ref = dig(scaler.obj, "spec", "scaleTargetRef", "name")
            if scaler.key.namespace == template.item.key.namespace and ref == template.item.key.name:
                count = dig(scaler.obj, "spec", "maxReplicas")
        if not isinstance(count, int):
            return None
        total += count
    return total


def _of(wanted: object, count: int) -> int | None:
    """Read a number or percentage of pods; percentages round up, as the disruption controller's."""
    if isinstance(wanted, int):
        return wanted
    if isinstance(wanted, str) and wanted.endswith("%") and wanted[:-1].isdecimal():
        return -(-int(wanted[:-1]) * count // 100)
    return None
