"""What a written pod status holds after a trip through the Go types: the times that are always there.

A time that is no pointer is written as null when it is not known, and podIP and the first of
podIPs are one thing in two places (Convert_v1_PodStatus_To_core_PodStatus and back).
"""

from __future__ import annotations

from typing import Any

from kctl.api.objects import Obj

CONDITION = ("lastProbeTime", "lastTransitionTime")
STATES = {"running": ("startedAt",), "terminated": ("startedAt", "finishedAt")}
LISTS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def pod(obj: Obj) -> Obj:
    """Return a pod with its status so completed; the same pod when nothing was missing."""
    status = obj.get("status")
    if not status:
        return obj
    changed: Obj = {}
    conditions = _each(status.get("conditions"), _condition)
    if conditions is not None:
        changed["conditions"] = conditions
    for name in LISTS:
        found = _each(status.get(name), _container)
        if found is not None:
            changed[name] = found
    changed |= _addresses(status)
    return {**obj, "status": {**status, **changed}} if changed else obj


def _addresses(status: Obj) -> Obj:
    address, addresses = status.get("podIP"), status.get("podIPs") or ()
    if addresses and not address:
        return {"podIP": addresses[0]["ip"]}
    if address and (not addresses or addresses[0].get("ip") != address):
        return {"podIPs": [{"ip": address}]}
    return {}


def _each(values: Any, change: Any) -> list[Obj] | None:
    """Return changed values, None when none changed."""
    if not values:
        return None
    out = [change(value) for value in values]
    return None if all(a is b for a, b in zip(out, values, strict=True)) else out


def _condition(value: Obj) -> Obj:
    return _with_times(value, CONDITION)


def _with_times(value: Obj, names: tuple[str, ...]) -> Obj:
    missing = [name for name in names if name not in value]
    return {**dict.fromkeys(missing), **value} if missing else value


def _container(value: Obj) -> Obj:
    out = value if "state" in value and "lastState" in value else {"state": {}, "lastState": {}, **value}
    for field in ("state", "lastState"):
        states = value.get(field)
        for name, times in STATES.items():
            if states and states.get(name) is not None:
                whole = _with_times(states[name], times)
                if whole is not states[name]:
                    out = {**out, field: {**out[field], name: whole}}
    return out
