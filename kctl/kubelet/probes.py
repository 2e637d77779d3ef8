"""When a container's probes first succeed.

In: a container's spec. Out: seconds after its start. The application answers every probe with
success, so readiness is a matter of ticks: a probe runs at multiples of its period from the
container's start, not before its initial delay, and counts when it has succeeded
successThreshold times in a row; readiness and liveness wait for the startup probe, as
pkg/kubelet/prober/worker.go does. What a probe does (exec, HTTP, TCP, gRPC) does not matter,
and liveness probes never fail.
"""

from __future__ import annotations

from kctl.api.objects import Obj


def started_after(container: Obj) -> int:
    """Return how long after its start the container counts as started."""
    probe = container.get("startupProbe")
    return _succeeds(probe, 0) if probe else 0


def ready_after(container: Obj) -> int:
    """Return how long after its start the container is ready."""
    started = started_after(container)
    probe = container.get("readinessProbe")
    return _succeeds(probe, started) if probe else started


def _succeeds(probe: Obj, earliest: int) -> int:
    """Return the tick of the last success needed."""
    period = max(int(probe.get("periodSeconds") or 10), 1)
    begin = max(int(probe.get("initialDelaySeconds") or 0), earliest)
    first = -(-begin // period) * period
    return first + (max(int(probe.get("successThreshold") or 1), 1) - 1) * period
