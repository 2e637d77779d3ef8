"""Graceful shutdown of a node: in which order and until when its pods end.

In: a node that is told to go off, its pods. Out: the turn of a pod: from when it is to end, with how much grace. Pods go
by priority, the lowest first; a group begins when the one before has ended or its time is up. As
nodeshutdown's manager (processShutdownEvent). Not here: how a pod ends (:mod:`kctl.kubelet.stopping`), and the node itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kctl.api.behaviour import Behaviours, Graces, shutdown_of, shutting_down_since
from kctl.api.objects import Obj
from kctl.kubelet.containers import finished_at
from kctl.kubelet.endings import grace_of
from kctl.kubelet.life import Known, Turn
from kctl.kubelet.phase import TERMINAL, by_name
from kctl.kubelet.stopping import SHUT_DOWN, Stopping
from kctl.runtime.profile import Profile

REFUSAL = ("NodeShutdown", "Pod was rejected as the node is shutting down.")


def turn_of(pod: Obj, node: Obj, on_node: Iterable[Obj], world: Behaviours, profile: Profile) -> Turn | None:
    """Return when the pod's turn is to end; None when its node is not shutting down."""
    since = shutting_down_since(node)
    if since is None:
        return None
    graces = shutdown_of(node) or ((0, 0.0),)
    mine = group_of(pod, graces)
    groups: list[list[Obj]] = [[] for _ in graces]
    for other in on_node:
        groups[group_of(other, graces)].append(other)
    at = since
    for (_, seconds), group in zip(graces[:mine], groups, strict=False):
        at = min(at + seconds, max([at, *(_end(other, at, seconds, world, profile) for other in group)]))
    return Turn(at, min(graces[mine][1], grace_of(pod)))


def group_of(pod: Obj, graces: Graces) -> int:
    """Return the group of a pod: the highest whose priority it has, the lowest for those below all, as groupByPriority."""
    priority: int = pod["spec"].get("priority") or 0
    return max(sum(priority >= least for least, _ in graces) - 1, 0)


def _end(pod: Obj, asked: float, seconds: float, world: Behaviours, profile: Profile) -> float:
    """Return when a pod that is told to end has ended, or will have."""
    status = pod.get("status") or {}
    if status.get("phase") in TERMINAL:
        if status.get("reason") != SHUT_DOWN:
            return asked
        return max([asked, *(finished_at(one) or asked for one in _statuses(pod))])
    life = Stopping(pod, Known(behaviour=world.pod(pod), world=world), asked, profile)
    return life.planned_end(asked, min(seconds, grace_of(pod)))


def _statuses(pod: Obj) -> Sequence[Obj]:
    status = pod.get("status") or {}
    return list(by_name(status.get("initContainerStatuses"), status.get("containerStatuses")).values())
