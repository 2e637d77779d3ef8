"""What stands in a claim's ``status.allocation``: devices, their settings, and the nodes that reach them.

In: the devices taken for a claim, the classes of its requests, the node. Out: an AllocationResult.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kctl.api.objects import Obj
from kctl.scheduler.plugins.dynamic_resources_pools import Device


class Taken(NamedTuple):
    """A device for a request; of one that is shared, how much of it and under which id."""

    request: str
    spec: Obj
    device: Device
    amounts: dict[str, str]
    share: str


def allocation(claim: Obj, taken: Sequence[Taken], classes: Sequence[tuple[str, Obj]], node: str) -> Obj:
    """Return the result for a claim; ``classes`` names the class of each request, in order."""
    devices: Obj = {"results": [_result(one) for one in taken]}
    config = _config(claim, classes)
    if config:
        devices["config"] = config
    found: Obj = {"devices": devices}
    selector = _node_selector([one.device for one in taken], node)
    if selector is not None:
        found["nodeSelector"] = selector
    return found


def _result(one: Taken) -> Obj:
    id_ = one.device.id
    found: Obj = {"request": one.request, "driver": id_.driver, "pool": id_.pool, "device": id_.device}
    if one.spec.get("adminAccess"):
        found["adminAccess"] = True
    if one.spec.get("tolerations"):
        found["tolerations"] = one.spec["tolerations"]
    for name in ("bindingConditions", "bindingFailureConditions"):
        if one.device.obj.get(name):
            found[name] = one.device.obj[name]
    if one.share:
        found["shareID"] = one.share
    if one.amounts:
        found["consumedCapacity"] = one.amounts
    return found


def _config(claim: Obj, classes: Sequence[tuple[str, Obj]]) -> list[Obj]:
    """Return the settings of classes, each once, then those of the claim, once for each request they name."""
    requests = (claim["spec"].get("devices") or {}).get("requests") or ()
    by_class: dict[str, tuple[Obj, list[str]]] = {}
    for name, cls in classes:
        by_class.setdefault(cls["metadata"]["name"], (cls, []))[1].append(name)
    found: list[Obj] = []
    for cls, named in by_class.values():
        settings = (cls.get("spec") or {}).get("config") or ()
        found += [{"source": "FromClass", "requests": named, **setting} for setting in settings]
    for setting in (claim["spec"].get("devices") or {}).get("config") or ():
        wanted = setting.get("requests")
        times = sum(name in wanted or name.partition("/")[0] in wanted for name, _ in classes) if wanted else 1
        found += [{"source": "FromClaim", **setting} for _ in range(times)]
    for one in found:
        if len(one.get("requests") or ()) == len(requests):
            one.pop("requests", None)
    return found


def _node_selector(devices: Iterable[Device], node: str) -> Obj | None:
    """Return which nodes reach all the devices, None for all nodes (createNodeSelector)."""
    expressions: list[Obj] = []
    fields: list[Obj] = []
    for device in devices:
        place = device.place
        if place.get("nodeName") or device.obj.get("bindsToNode"):
            only = {"key": "metadata.name", "operator": "In", "values": [node]}
            return {"nodeSelectorTerms": [{"matchFields": [only]}]}
        for term in ((place.get("nodeSelector") or {}).get("nodeSelectorTerms") or ())[:1]:
            expressions += [one for one in term.get("matchExpressions") or () if not _is_among(one, expressions)]
            fields += [one for one in term.get("matchFields") or () if not _is_among(one, fields)]
    term = {
        **({"matchExpressions": expressions} if expressions else {}),
        **({"matchFields": fields} if fields else {}),
    }
    return {"nodeSelectorTerms": [term]} if term else None


def _is_among(one: Obj, known: Sequence[Obj]) -> bool:
    return any(
        (one["key"], one["operator"], set(one.get("values") or ()))
        == (other["key"], other["operator"], set(other.get("values") or ()))
        for other in known
    )
