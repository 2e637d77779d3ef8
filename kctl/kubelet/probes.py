"""What a container's probes say, and when.

In: a container's spec, what its process does, how often it has been restarted. Out: instants in seconds
after its start: when it counts as started, when it is ready and no more, when it is killed.

A probe runs at multiples of its period from the container's start, not before its initial delay;
successThreshold or failureThreshold results alike in a row count. Liveness and readiness wait for the
startup probe; readiness is asked the moment that has succeeded, and every period from then, as
pkg/kubelet/prober does with its manual trigger. What a probe does (exec, HTTP, TCP, gRPC) only
shows in the words of its failure. Without a probe a process is taken for started, alive and
ready, whatever it does: so does a real kubelet.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from kctl.api.behaviour import DEFAULT, ContainerBehaviour
from kctl.api.objects import Obj


class Kill(NamedTuple):
    """A failed probe that ends a run: which one, so long after the start, and kubelet's words."""

    after: float
    probe: str
    words: str


def started_after(container: Obj, behaviour: ContainerBehaviour = DEFAULT) -> float:
    """Return how long after its start the container counts as started; inf when it never does."""
    probe = container.get("startupProbe")
    if not probe:
        return 0
    at = _succeeds(probe, 0.0, 0.0, behaviour.up_after)
    return inf if at > _fails(probe, 0.0, 0.0, 0.0, behaviour.up_after) else at


def ready_after(container: Obj, behaviour: ContainerBehaviour = DEFAULT) -> float:
    """Return how long after its start the container is ready; inf when it never is."""
    started = started_after(container, behaviour)
    probe = container.get("readinessProbe")
    if not probe or started == inf:
        return started
    return _succeeds(probe, started, started, max(behaviour.up_after, behaviour.ready_after))


def unready_after(container: Obj, behaviour: ContainerBehaviour, run: int) -> float:
    """Return how long after its start a container that hangs is not ready any more; inf for never."""
    probe = container.get("readinessProbe")
    hangs = _hangs(behaviour, run)
    if not probe or hangs == inf:
        return inf
    started = started_after(container, behaviour)
    return inf if started == inf else _fails(probe, started, started, hangs, inf)


def is_ready(container: Obj, behaviour: ContainerBehaviour, run: int, age: float) -> bool:
    """Say whether the container is ready so long after its start."""
    return ready_after(container, behaviour) <= age < unready_after(container, behaviour, run)


def killed_after(container: Obj, behaviour: ContainerBehaviour, run: int) -> Kill | None:
    """Say when a startup or liveness probe has failed for good; None for never."""
    if behaviour.up_after == 0 and behaviour.hangs_after == inf:
        return None
    startup, liveness = container.get("startupProbe"), container.get("livenessProbe")
    started = started_after(container, behaviour)
    if startup and started == inf:
        at = _fails(startup, 0.0, 0.0, 0.0, behaviour.up_after)
        return Kill(at, "startup", refusal(startup, "Startup"))
    if not liveness:
        return None
    hangs = _hangs(behaviour, run)
    at = _fails(liveness, 0.0, started, 0.0, behaviour.up_after)
    if at == inf:
        at = _fails(liveness, 0.0, started, hangs, inf)
    return None if at == inf else Kill(at, "liveness", refusal(liveness, "Liveness"))


def next_change(container: Obj, behaviour: ContainerBehaviour, run: int, age: float) -> float:
    """Return when ``started`` or ``ready`` changes next, in seconds after the start; inf for never."""
    times = (
        started_after(container, behaviour),
        ready_after(container, behaviour),
        unready_after(container, behaviour, run),
    )
    return min((at for at in times if at > age), default=inf)


def refusal(probe: Obj, kind: str) -> str:
    """Return kubelet's words about a probe that fails, by what it does."""
    if "httpGet" in probe:
        return f"{kind} probe failed: HTTP probe failed with statuscode: 503"
    if "tcpSocket" in probe:
        return f"{kind} probe failed: dial tcp: connect: connection refused"
    if "grpc" in probe:
        return f"{kind} probe failed: service unhealthy (responded with NOT_SERVING)"
    return f"{kind} probe failed: command exited with 1"


def _hangs(behaviour: ContainerBehaviour, run: int) -> float:
    return behaviour.hangs_after if run < behaviour.hang_times else inf


def _period(probe: Obj) -> int:
    return max(int(probe.get("periodSeconds") or 10), 1)


def _tick(probe: Obj, base: float, earliest: float) -> float:
    """Return the first tick at ``earliest`` or later; ticks count from ``base``."""
    begin = max(float(probe.get("initialDelaySeconds") or 0), earliest)
    period = _period(probe)
    return base + -(-(begin - base) // period) * period if begin > base else base


def _succeeds(probe: Obj, base: float, earliest: float, answers: float) -> float:
    """Return the tick of the last success needed by a process that answers from ``answers``."""
    if answers == inf:
        return inf
    first = _tick(probe, base, max(earliest, answers))
    return first + (max(int(probe.get("successThreshold") or 1), 1) - 1) * _period(probe)


def _fails(probe: Obj, base: float, earliest: float, since: float, until: float) -> float:
    """Return the tick at which it has failed too often by not answering from ``since`` until ``until``."""
    if since == inf:
        return inf
    first = _tick(probe, base, max(earliest, since))
    last = first + (max(int(probe.get("failureThreshold") or 3), 1) - 1) * _period(probe)
    return last if last < until else inf
