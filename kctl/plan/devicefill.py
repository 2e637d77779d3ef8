"""How many devices nodes have, and how many of these are given away.

In: ResourceSlices, what was allocated for ResourceClaims. Out: for each node a record a driver. Of a pool the newest
generation counts; devices that many nodes reach are no node's own. Who only administers a device has not got it.
"""

from __future__ import annotations

from kctl.api.deviceclaims import CLAIMS, SLICES
from kctl.api.objects import Obj, dig
from kctl.client.client import Client


def by_node(client: Client) -> dict[str, list[Obj]]:
    """Return the records of each node that has devices: driver, how many there are and how many are allocated."""
    slices = [one for one in client.list(SLICES).items if one["spec"].get("nodeName")]
    if not slices:
        return {}
    newest: dict[tuple[str, str], int] = {}
    for one in slices:
        newest[_pool(one)] = max(newest.get(_pool(one), 0), _generation(one))
    taken = {
        (result["driver"], result["pool"], result["device"])
        for claim in client.list(CLAIMS).items
        for result in dig(claim, "status", "allocation", "devices", "results", default=())
        if not result.get("adminAccess")
    }
    found: dict[str, dict[str, Obj]] = {}
    for one in slices:
        if _generation(one) < newest[_pool(one)]:
            continue
        driver = one["spec"]["driver"]
        empty = {"driver": driver, "count": 0, "allocated": 0}
        record = found.setdefault(one["spec"]["nodeName"], {}).setdefault(driver, empty)
        for device in one["spec"].get("devices") or ():
            record["count"] += 1
            record["allocated"] += (*_pool(one), device["name"]) in taken
    return {node: [records[driver] for driver in sorted(records)] for node, records in found.items()}


def _pool(offer: Obj) -> tuple[str, str]:
    return offer["spec"]["driver"], offer["spec"]["pool"]["name"]


def _generation(offer: Obj) -> int:
    return offer["spec"]["pool"].get("generation") or 0
