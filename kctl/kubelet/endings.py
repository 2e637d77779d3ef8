"""How and when a run of a container ends.

In: its spec, its status, what its process does, latencies. Out: the instant, the exit code, the reason.
A run ends by itself, because a startup or liveness probe has failed for good, or because it uses
more memory than its limit; who is told to end does so within its grace period or is killed, as
killContainer: preStop hook first, then SIGTERM, then SIGKILL (137).
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from kctl.api import quantity
from kctl.api.behaviour import ContainerBehaviour
from kctl.api.objects import Obj, dig
from kctl.kubelet.containers import started_at
from kctl.kubelet.phase import is_restarted, is_sidecar, restart_policy
from kctl.kubelet.probes import Kill, killed_after
from kctl.kubelet.resetting import asks_for_reset
from kctl.kubelet.restarts import RESET
from kctl.runtime.profile import Profile

KILLED = 137
LOST = 255
"""The exit code of a container that went with its machine."""
LEAST_GRACE = 2.0
"""A process has at least so long after SIGTERM, whatever a hook took (minimumGracePeriodInSeconds)."""
OOM_AFTER = 1.0
"""After so long a process uses what it is said to use: an assumption."""
DEFAULT_GRACE = 30.0
SEEN_OFTEN = 3
"""After so many runs that ended alike a pod that begins anew each time, without back-off, will do so for ever."""


class Stop(NamedTuple):
    """How a container ends that is told to: so many seconds later, with this code and reason."""

    seconds: float
    exit_code: int = 0
    reason: str = ""


class End(NamedTuple):
    """When a run ends without being asked to, and how; ``repeats`` when the next run will end alike for ever."""

    at: float
    exit_code: int
    reason: str = ""
    kill: Kill | None = None
    repeats: bool = False


def stop_of(container: Obj, behaviour: ContainerBehaviour, profile: Profile, grace: float) -> Stop:
    """Say how the container ends when told to, with so long a grace period (killContainer)."""
    if grace <= 0:
        return Stop(0.0, KILLED)
    hook = min(_hook(container, behaviour), grace)
    left = max(grace - hook, min(LEAST_GRACE, grace))
    takes = profile.container_stop if behaviour.stop is None else behaviour.stop
    if takes > left:
        return Stop(hook + left, KILLED)
    return Stop(hook + takes, behaviour.stop_code)


def _hook(container: Obj, behaviour: ContainerBehaviour) -> float:
    hook = dig(container, "lifecycle", "preStop")
    if not hook:
        return 0.0
    if behaviour.pre_stop is not None:
        return behaviour.pre_stop
    return float(dig(hook, "sleep", "seconds", default=0) or 0)


def grace_of(pod: Obj, probe: Obj | None = None) -> float:
    """Return the grace period of a pod's containers, a probe's own before the pod's."""
    own = (probe or {}).get("terminationGracePeriodSeconds")
    if own is not None:
        return float(own)
    asked = pod["spec"].get("terminationGracePeriodSeconds")
    return DEFAULT_GRACE if asked is None else float(asked)


def end_of(
    pod: Obj, container: Obj, status: Obj, behaviour: ContainerBehaviour, profile: Profile, *, is_init: bool
) -> End | None:
    """Say when the run that the status tells of ends; None for never."""
    since = started_at(status)
    if since is None:
        return None
    run = status.get("restartCount", 0)
    found = [_by_itself(pod["spec"], container, behaviour, profile, run, is_init=is_init)]
    if behaviour.memory is not None and behaviour.memory > _memory_limit(container):
        found.append(End(OOM_AFTER, KILLED, "OOMKilled", repeats=True))
    kill = killed_after(container, behaviour, run)
    if kill is not None:
        probe = container.get(f"{kill.probe}Probe")
        stop = stop_of(container, behaviour, profile, grace_of(pod, probe))
        repeats = kill.probe == "startup" or behaviour.hang_times == inf
        found.append(End(kill.after + stop.seconds, stop.exit_code, stop.reason, kill, repeats))
    ends = min((end for end in found if end is not None), key=lambda end: end.at, default=None)
    if ends is None or ends.at == inf:
        return None
    is_endless = ends.repeats and ends.at > RESET and is_restarted(pod["spec"], container, ends.exit_code)
    if ends.repeats and run >= SEEN_OFTEN and container.get("restartPolicyRules"):
        is_endless |= asks_for_reset(container, ends.exit_code)
    return ends._replace(at=since + ends.at, repeats=is_endless)


def _by_itself(
    spec: Obj, container: Obj, behaviour: ContainerBehaviour, profile: Profile, run: int, *, is_init: bool
) -> End | None:
    """Say when the process ends by itself, in seconds after its start."""
    own = behaviour.ends
    if own is not None and run < own.times:
        return End(own.after, own.exit_code, own.reason, repeats=own.times == inf)
    if is_init:
        return None if is_sidecar(container) else End(profile.init_container_run, 0)
    if restart_policy(spec, container) != "Always":
        return End(profile.job_container_run, 0)
    return None


def _memory_limit(container: Obj) -> float:
    limit = dig(container, "resources", "limits", "memory")
    return float(quantity.value(limit)) if limit else inf
