"""The action RestartAllContainers of a container's restart rules: a pod that begins anew where it is.

In: a pod's spec, its container statuses. Out: whether a container's end asks for that, and what is said of it. All other
containers are killed without a hook; then every container, init containers first, is run again whatever its policy and
without back-off; the sandbox with its address stays. As ShouldAllContainersRestart.
"""

from __future__ import annotations

from collections.abc import Mapping

from kctl.api.objects import Obj

ACTION = "RestartAllContainers"
CONDITION = "AllContainersRestarting"
REASON = "RestartAllContainersStarted"
MESSAGE = "container exited with restart policy rule"
GROUPS = ("initContainers", "containers")


def rule_for(container: Obj, exit_code: int) -> Obj | None:
    """Return the first restart rule that is about the exit code, as FindMatchingContainerRestartRule."""
    for rule in container.get("restartPolicyRules") or ():
        asked = rule.get("exitCodes") or {}
        is_in = exit_code in (asked.get("values") or ())
        if asked and is_in == (asked.get("operator") == "In"):
            return dict(rule)
    return None


def may_reset(spec: Obj) -> bool:
    """Say whether some container may ask for that, as AllContainersCouldRestart."""
    return any(
        rule.get("action") == ACTION
        for group in GROUPS
        for container in spec.get(group) or ()
        for rule in container.get("restartPolicyRules") or ()
    )


def asks_for_reset(container: Obj, exit_code: int) -> bool:
    """Say whether all containers are to be run again when this one ends with the code."""
    rule = rule_for(container, exit_code)
    return rule is not None and rule.get("action") == ACTION


def triggers(spec: Obj, statuses: Mapping[str, Obj]) -> list[Obj]:
    """Return the statuses of the containers whose end asks for a new beginning."""
    found = []
    for group in GROUPS:
        for container in spec.get(group) or ():
            status = statuses.get(container["name"]) or {}
            ended = (status.get("state") or {}).get("terminated")
            if ended is not None and asks_for_reset(container, ended.get("exitCode") or 0):
                found.append(status)
    return found


def as_new(statuses: Mapping[str, Obj]) -> dict[str, Obj]:
    """Return the statuses without the past of containers that wait to begin anew: the phase counts them as new."""
    return {name: {**status, "lastState": {}} if is_reset(status) else status for name, status in statuses.items()}


def is_reset(status: Obj) -> bool:
    """Say whether the container waits to begin anew."""
    waiting = (status.get("state") or {}).get("waiting") or {}
    return waiting.get("reason") in ("PodInitializing", "ContainerCreating") and bool(status.get("lastState"))
