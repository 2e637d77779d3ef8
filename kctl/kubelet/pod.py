"""The life of a pod on its node, as one function of what is known and the time.

    advance(pod, node, known, now, profile) -> Step(status, events, wake_at, is_gone)

Everything derives from the pod's own status: since when it has a sandbox, when each container
started or ended, how long it had waited before. A late call catches up without rewriting the past,
a second call at the same instant returns nothing.

What the simulated kubelet takes for granted unless it is told otherwise (:mod:`kctl.kubelet.behaviour`):
every image that can be named exists; every container starts, answers its probes and ends on SIGTERM with
exit code 0; containers of a pod that is not to be restarted run for a while and exit 0, all
others run for ever. Exec and HTTP hooks take no time. Changing the image of a running container does
not restart it. The steps themselves are in :mod:`kctl.kubelet.going` and :mod:`kctl.kubelet.stopping`.
"""

from __future__ import annotations

from math import ceil, inf

from kctl.api.behaviour import PodBehaviour, silent_since
from kctl.api.objects import Obj, dig, is_condition_true, is_deleting
from kctl.kubelet.going import Going, ask
from kctl.kubelet.life import Asked, Happening, Known, Step, node_ip
from kctl.kubelet.phase import TERMINAL, restart_policy
from kctl.runtime.profile import Profile

__all__ = [
    "Asked",
    "Happening",
    "Known",
    "Step",
    "advance",
    "ask",
    "evict",
    "is_settled",
    "is_silent",
    "node_ip",
    "preempt",
]


def advance(pod: Obj, node: Obj | None, known: Known, now: float, profile: Profile) -> Step:
    """Say what becomes of the pod at ``now``, and when to look again."""
    return step_of(pod, node, known, now, profile)[0]


def step_of(pod: Obj, node: Obj | None, known: Known, now: float, profile: Profile) -> tuple[Step, Asked]:
    """Say what becomes of the pod as :func:`advance`, and what the puller was asked on the way."""
    if node is None or is_silent(node):
        return Step(), ()
    life = Going(pod, known, float(int(now)), profile)
    if is_deleting(pod):
        return life.end(node), tuple(life.asked)
    if dig(pod, "status", "phase") in TERMINAL:
        return Step(), ()
    if known.turn is None:
        return life.go_on(node), tuple(life.asked)
    at, grace = known.turn
    if now >= at:
        return life.shut_down(node, at, grace), ()
    step = life.go_on(node)
    return step._replace(wake_at=min(step.wake_at or inf, float(ceil(at))), is_periodic=False), tuple(life.asked)


def evict(pod: Obj, node: Obj, message: str, conditions: list[Obj], now: float, profile: Profile) -> Step:
    """Say what becomes of a pod that its node needs the room of."""
    return Going(pod, Known(), float(int(now)), profile).evict(node, message, conditions)


def preempt(pod: Obj, node: Obj, message: str, conditions: list[Obj], now: float, profile: Profile) -> Step:
    """Say what becomes of a pod that makes way for a critical one."""
    return Going(pod, Known(), float(int(now)), profile).evict(node, message, conditions, reason="Preempting")


def is_silent(node: Obj) -> bool:
    """Say whether the node's kubelet is not heard of: it sends no heartbeats, or its Ready condition is Unknown."""
    if silent_since(node) is not None:
        return True
    for condition in dig(node, "status", "conditions", default=()):
        if condition.get("type") == "Ready":
            return bool(condition.get("status") == "Unknown")
    return False


def is_settled(pod: Obj, behaviour: PodBehaviour | None = None) -> bool:
    """Say whether only a change of the pod can give its kubelet something to do."""
    status = pod.get("status") or {}
    if status.get("phase") in TERMINAL:
        return not is_deleting(pod)
    spec = pod["spec"]
    return (
        behaviour is None
        and status.get("phase") == "Running"
        and not is_deleting(pod)
        and all(restart_policy(spec, container) == "Always" for container in spec["containers"])
        and not spec.get("readinessGates")
        and spec.get("activeDeadlineSeconds") is None
        and status.get("observedGeneration") == pod["metadata"].get("generation")
        and is_condition_true(pod, "Ready")
    )
