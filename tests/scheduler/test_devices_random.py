"""Random claims on random devices: the search finds what the plainest one finds, the first in order, or nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kctl.scheduler.cluster import Cluster
from kctl.scheduler.devices import Abort, wish

Obj = dict[str, Any]
CLAIMS, SLICES, CLASSES = (f"{kind}.resource.k8s.io" for kind in ("resourceclaims", "resourceslices", "deviceclasses"))
D = "d.example.com"


def devices_of(rng: random.Random) -> list[Obj]:
    def attributes() -> Obj:
        found = {"model": {"string": rng.choice("ab")}, "numa": {"int": rng.randrange(2)}}
        if rng.random() < 0.1:
            del found["numa"]
        return found

    taint = {"taints": [{"key": "k", "effect": "NoSchedule"}]}
    return [
        {"name": f"dev-{n}", "attributes": attributes(), **(taint if rng.random() < 0.1 else {})}
        for n in range(rng.randint(1, 5))
    ]


def asked_of(rng: random.Random) -> Obj:
    found: Obj = {"deviceClassName": "any", "allocationMode": "ExactCount", "count": rng.choice((1, 1, 1, 2))}
    if rng.random() < 0.15:
        found = {"deviceClassName": "any", "allocationMode": "All"}
    if rng.random() < 0.5:
        found["selectors"] = [{"cel": {"expression": f"device.attributes['{D}'].model == '{rng.choice('ab')}'"}}]
    if rng.random() < 0.2:
        found["tolerations"] = [{"operator": "Exists"}]
    return found


def claim_of(rng: random.Random, name: str) -> Obj:
    requests: list[Obj] = []
    for n in range(rng.randint(1, 2)):
        one: Obj = {"exactly": asked_of(rng)}
        if rng.random() < 0.3:
            one = {"firstAvailable": [{"name": f"s{k}", **asked_of(rng)} for k in range(2)]}
        requests.append({"name": f"r{n}", **one})
    spec: Obj = {"requests": requests}
    if rng.random() < 0.4:
        rule = rng.choice(("matchAttribute", "distinctAttribute"))
        covered = {} if rng.random() < 0.5 else {"requests": ["r0"]}
        spec["constraints"] = [{rule: f"{D}/{rng.choice(('numa', 'model'))}", **covered}]
    meta = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"devices": spec}, "status": {}}


def meets(device: Obj, asked: Obj) -> bool:
    text = "".join(one["cel"]["expression"] for one in asked.get("selectors", ()))
    return not text or f"'{device['attributes']['model']['string']}'" in text.partition("==")[2]


def is_kept(taken: list[tuple[int, str, Obj]], claims: list[Obj]) -> bool:
    """Say whether the constraints hold for what was taken: claim, request, device."""
    for n, one in enumerate(claims):
        for rule in one["spec"]["devices"].get("constraints", ()):
            covered = rule.get("requests")
            mine = [
                d for c, request, d in taken if c == n and (covered is None or request.partition("/")[0] in covered)
            ]
            name = (rule.get("matchAttribute") or rule["distinctAttribute"]).partition("/")[2]
            values = [str(device["attributes"].get(name)) for device in mine]
            if "None" in values:
                return False
            if "matchAttribute" in rule and len(set(values)) > 1:
                return False
            if "distinctAttribute" in rule and len(set(values)) < len(values):
                return False
    return True


def plainly(devices: list[Obj], claims: list[Obj]) -> list[list[tuple[str, str]]] | None:
    """Try everything in order: claims, requests, their alternatives, devices."""
    requests = [(n, one) for n, claim in enumerate(claims) for one in claim["spec"]["devices"]["requests"]]

    def solve(at: int, taken: list[tuple[int, str, Obj]]) -> Iterator[list[tuple[int, str, Obj]]]:
        if at == len(requests):
            yield taken
            return
        n, one = requests[at]
        single = [(one["name"], one["exactly"])] if "exactly" in one else []
        others = [(f"{one['name']}/{sub['name']}", sub) for sub in one.get("firstAvailable", ())]
        for name, asked in single or others:
            for more in fill(n, name, asked, taken):
                yield from solve(at + 1, more)

    def fill(n: int, name: str, asked: Obj, taken: list[Any], had: int = 0) -> Iterator[list[Any]]:
        fitting = [d for d in devices if meets(d, asked)]
        wanted = len(fitting) if asked["allocationMode"] == "All" else asked["count"]
        if wanted == 0:
            return
        if had == wanted:
            yield taken
            return
        for device in [fitting[had]] if asked["allocationMode"] == "All" else fitting:
            if any(device is other for _, _, other in taken) or ("taints" in device and "tolerations" not in asked):
                continue
            more = [*taken, (n, name, device)]
            if is_kept(more, claims):
                yield from fill(n, name, asked, more, had + 1)

    found = next(solve(0, []), None)
    if found is None:
        return None
    return [[(request, d["name"]) for c, request, d in found if c == n] for n in range(len(claims))]


@pytest.mark.parametrize("seed", range(300))
def test_the_search_finds_what_the_plainest_one_finds(
    seed: int, cluster: Callable[..., Cluster], node: Callable[..., Obj]
) -> None:
    rng = random.Random(seed)
    devices = devices_of(rng)
    claims = [claim_of(rng, name) for name in "xy"[: rng.randint(1, 2)]]
    pool = {"name": "n", "generation": 1, "resourceSliceCount": 1}
    offer = {"metadata": {"name": "s"}, "spec": {"driver": D, "pool": pool, "nodeName": "n", "devices": devices}}
    kinds = {SLICES: [offer], CLAIMS: claims, CLASSES: [{"metadata": {"name": "any"}, "spec": {}}]}
    drawn = cluster([node("n")], **kinds)
    place = drawn.node("n")
    assert place is not None
    got: object = None
    why = ""
    try:
        got = drawn.devices.allocate(place, claims, wish(claims))
    except Abort as abort:  # upstream's, too: all devices are wanted, and a constraint keeps one off
        why = str(abort)
    if why:
        assert "a claim constraint would not be satisfied" in why
        assert "'All'" in str(claims)
        return
    found = (
        [[(one["request"], one["device"]) for one in each["devices"]["results"]] for each in got]
        if isinstance(got, list)
        else None
    )
    assert found == plainly(devices, claims)
