"""The two strategies of a Deployment: RollingUpdate and Recreate.

In: a draft whose ReplicaSets are known. Out: the draft with the new ReplicaSet made and both
sides scaled as far as the fenceposts allow now; the next sync goes on from there.
"""

from __future__ import annotations

from kctl.controllers.deployment_draft import Draft, active, by_age, counted, replicas_of, total
from kctl.controllers.deployment_history import clean_up, create_new, new_size
from kctl.controllers.deployment_status import is_complete


def roll(draft: Draft) -> None:
    """Do one step of a rolling update: up if possible, else down, as rolloutRolling."""
    create_new(draft)
    if _scale_new(draft) or _scale_old(draft):
        return
    if is_complete(draft, draft.deployment.get("status") or {}):
        clean_up(draft)


def _scale_new(draft: Draft) -> bool:
    """Bring the new ReplicaSet as far as it may go, as reconcileNewReplicaSet."""
    new = draft.new
    if new is None or replicas_of(new) == draft.replicas:
        return False
    if replicas_of(new) > draft.replicas:
        return draft.scale(new, draft.replicas)
    return draft.scale(new, new_size(draft, new))


def _scale_old(draft: Draft) -> bool:
    """Take pods from old ReplicaSets while enough stay available, as reconcileOldReplicaSets."""
    if total(draft.old) == 0:
        return False
    minimum = draft.replicas - draft.max_unavailable
    new = [draft.new] if draft.new is not None else []
    new_unavailable = total(new) - counted(new, "availableReplicas")
    most = total(draft.all) - minimum - new_unavailable
    if most <= 0:
        return False
    unhealthy = _drop_unhealthy(draft, most)
    # What is available is read from the statuses, which do not know of the step before yet.
    spare = counted(active(draft.old), "availableReplicas") + counted(new, "availableReplicas") - minimum
    return _drop_available(draft, spare) + unhealthy > 0


def _drop_unhealthy(draft: Draft, most: int) -> int:
    """Scale down what is not available anyway, as cleanupUnhealthyReplicas."""
    done = 0
    for rs in sorted(active(draft.old), key=by_age):
        if done >= most:
            break
        size = replicas_of(rs)
        available = (rs.get("status") or {}).get("availableReplicas") or 0
        step = min(most - done, size - available)
        if step > 0:
            draft.scale(rs, size - step)
            done += step
    return done


def _drop_available(draft: Draft, spare: int) -> int:
    """Scale down the oldest first, as scaleDownOldReplicaSetsForRollingUpdate."""
    done = 0
    for rs in sorted(active(draft.old), key=by_age):
        if done >= spare:
            break
        step = min(replicas_of(rs), spare - done)
        draft.scale(rs, replicas_of(rs) - step)
        done += step
    return done


def recreate(draft: Draft, with_pods: frozenset[str]) -> None:
    """Scale everything old to nothing, wait for its pods to end, then start the new, as rolloutRecreate."""
    scaled_down = [draft.scale(rs, 0) for rs in active(draft.old)]
    if any(scaled_down) or _old_pods_running(draft, with_pods):
        return
    create_new(draft)
    if draft.new is not None and draft.scale(draft.new, draft.replicas):
        return
    if is_complete(draft, draft.deployment.get("status") or {}):
        clean_up(draft)


def _old_pods_running(draft: Draft, with_pods: frozenset[str]) -> bool:
    """Say whether a pod of an old ReplicaSet may still run; one that terminates does."""
    if counted(draft.old, "replicas") > 0:
        return True
    return any(rs["metadata"].get("uid") in with_pods for rs in draft.old)
