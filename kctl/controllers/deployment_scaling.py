"""A change of size in the middle of a rollout, shared out among all ReplicaSets.

In: a draft whose ReplicaSets are known. Out: the draft with every active ReplicaSet at its
share, so that the mix of templates stays as it is, as DeploymentController.scale.
"""

from __future__ import annotations

from math import floor

from kctl.api.objects import Obj, annotations_of
from kctl.controllers.deployment_draft import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    Draft,
    active,
    by_age,
    counted,
    replicas_of,
    total,
)


def is_scaling_event(draft: Draft) -> bool:
    """Say whether an active ReplicaSet was sized for another number of replicas."""
    marks = (_mark(rs, DESIRED_REPLICAS) for rs in active(draft.all))
    return any(mark is not None and mark != draft.replicas for mark in marks)


def scale(draft: Draft) -> None:
    """Bring the ReplicaSets to the Deployment's size."""
    only = _active_or_latest(draft)
    if only is not None:
        if replicas_of(only) != draft.replicas:
            draft.scale(only, draft.replicas)
        return
    if _is_saturated(draft):
        for rs in sorted(active(draft.old), key=by_age, reverse=True):
            draft.scale(rs, 0)
        return
    if draft.is_rolling:
        _share_out(draft)


def _active_or_latest(draft: Draft) -> Obj | None:
    """Return the only active ReplicaSet, or the newest when none is, as FindActiveOrLatest."""
    running = active(draft.all)
    if len(running) == 1:
        return running[0]
    if running or not draft.all:
        return None
    return draft.new if draft.new is not None else max(draft.old, key=by_age)


def _is_saturated(draft: Draft) -> bool:
    """Say whether the new ReplicaSet has, and knows it has, all the replicas, and all are available."""
    new = draft.new
    if new is None or _mark(new, DESIRED_REPLICAS) != draft.replicas:
        return False
    return replicas_of(new) == counted([new], "availableReplicas") == draft.replicas


def _share_out(draft: Draft) -> None:
    """Add or take replicas in proportion to size; the largest gets what rounding leaves."""
    allowed = draft.replicas + draft.max_surge if draft.replicas > 0 else 0
    running = active(draft.all)
    missing = allowed - total(running)
    # Among equals, newer ones grow first and older ones shrink first.
    running = sorted(running, key=by_age, reverse=missing >= 0)
    running.sort(key=replicas_of, reverse=True)
    added = 0
    sizes: list[int] = []
    for rs in running:
        share = _proportion(draft, rs, missing, added)
        sizes.append(replicas_of(rs) + share)
        added += share
    if missing and sizes:
        sizes[0] = max(0, sizes[0] + missing - added)
    for rs, size in zip(running, sizes, strict=True):
        draft.resize(rs, size)


def _proportion(draft: Draft, rs: Obj, missing: int, added: int) -> int:
    """Return how many of the missing replicas fall to ``rs``, as GetReplicaSetProportion."""
    if not replicas_of(rs) or not missing or missing == added:
        return 0
    fraction = _fraction(draft, rs)
    return min(fraction, missing - added) if missing > 0 else max(fraction, missing - added)


def _fraction(draft: Draft, rs: Obj) -> int:
    """Return the change that keeps the share of ``rs`` in the whole, as getReplicaSetFraction."""
    size = replicas_of(rs)
    if draft.replicas == 0:
        return -size
    before = _mark(rs, MAX_REPLICAS) or (draft.deployment.get("status") or {}).get("replicas") or 0
    if not before:
        return 0  # the annotation was removed and no pod exists: there is nothing to go by
    exact = size * (draft.replicas + draft.max_surge) / before
    return floor(exact + 0.5) - size


def _mark(rs: Obj, annotation: str) -> int | None:
    """Return a size annotation, None when it is missing or not a number."""
    try:
        return int(annotations_of(rs)[annotation])
    except (KeyError, ValueError):
        return None
