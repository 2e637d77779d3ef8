"""The taints of devices: since when they are there, and when they drive away who has the device.

In: ResourceSlices, what was allocated for a claim. Out: slices whose taints have their times, as the defaults of
resource.k8s.io set them; the instant at which the claim's consumers have to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kctl.api.clock import parse_time
from kctl.api.objects import Obj, dig
from kctl.api.tolerations import NO_EXECUTE, tolerates

Place = tuple[str, str]
"""A pool of devices: its driver and its name."""


def place_of(offer: Obj) -> Place:
    """Return the pool a ResourceSlice belongs to."""
    return offer["spec"]["driver"], offer["spec"]["pool"]["name"]


def with_times(offer: Obj, old: Obj | None, now: str) -> Obj:
    """Return a ResourceSlice whose taints say since when they are there.

    A taint that was there already keeps its time when a write leaves it out: the same manifest
    applied again is to change nothing (upstream counts anew).
    """
    devices = dig(offer, "spec", "devices", default=()) or ()
    if not any("timeAdded" not in taint for device in devices for taint in device.get("taints") or ()):
        return offer
    known = {
        (device.get("name"), *_kind_of(taint)): taint["timeAdded"]
        for device in dig(old, "spec", "devices", default=()) or ()
        for taint in device.get("taints") or ()
        if taint.get("timeAdded")
    }
    filled = [
        device
        if not device.get("taints")
        else {
            **device,
            "taints": [
                taint
                if "timeAdded" in taint
                else {**taint, "timeAdded": known.get((device.get("name"), *_kind_of(taint)), now)}
                for taint in device["taints"]
            ],
        }
        for device in devices
    ]
    return {**offer, "spec": {**offer["spec"], "devices": filled}}


def _kind_of(taint: Obj) -> tuple[str, str, str]:
    return taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""


def driving_away(offers: Iterable[Obj]) -> dict[str, list[Obj]]:
    """Return the NoExecute taints of a pool's devices by their names; only its newest generation counts."""
    listed = list(offers)
    newest = max((dig(one, "spec", "pool", "generation") or 0 for one in listed), default=0)
    found: dict[str, list[Obj]] = {}
    for one in listed:
        if (dig(one, "spec", "pool", "generation") or 0) != newest:
            continue
        for device in one["spec"].get("devices") or ():
            taints = [taint for taint in device.get("taints") or () if taint.get("effect") == NO_EXECUTE]
            if taints:
                found.setdefault(device["name"], taints)
    return found


def leaves_at(allocation: Obj, taints_of: Callable[[Place], dict[str, list[Obj]]], now: float) -> float | None:
    """Return when who uses what was allocated has to go, None for never (claimEvictionTime)."""
    return min(_times(allocation, taints_of, now), default=None)


def _times(allocation: Obj, taints_of: Callable[[Place], dict[str, list[Obj]]], now: float) -> Iterator[float]:
    for result in dig(allocation, "devices", "results", default=()) or ():
        tolerations = [one for one in result.get("tolerations") or () if one.get("effect") == NO_EXECUTE]
        for taint in taints_of((result["driver"], result["pool"])).get(result["device"], ()):
            since = _since(taint, now)
            matching = [one for one in tolerations if tolerates(one, taint)]
            seconds = [one.get("tolerationSeconds") for one in matching]
            if None not in seconds:
                yield since + max(0, min((int(limit) for limit in seconds if limit is not None), default=0))


def _since(taint: Obj, now: float) -> float:
    try:
        return parse_time(taint["timeAdded"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return float(int(now))
