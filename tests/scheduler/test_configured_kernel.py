"""The kernel decides as the plugins do also where a profile says otherwise: arguments, weights, plugins, seeds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kctl.scheduler import config, ties
from kctl.scheduler.framework import Framework
from kctl.scheduler.profile import build
from tests.scheduler.equality import compare

Obj = dict[str, Any]
HEAD = {"apiVersion": config.VERSION, "kind": config.KIND}
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
OPTIONAL = ("ImageLocality", "TaintToleration", "NodeAffinity", "PodTopologySpread", "InterPodAffinity", "NodePorts")


def framework(seed: int) -> Framework:
    """Return a random profile's framework."""
    rng = random.Random(seed)
    profile: Obj = {
        "plugins": plugins(rng),
        "pluginConfig": [{"name": n, "args": a} for n, a in arguments(rng).items()],
    }
    found, errors = config.parse({**HEAD, "profiles": [profile]})
    assert errors == []
    return build(found.profiles[0], ties.seeded(rng.choice((0, 0, seed + 1))))


def plugins(rng: random.Random) -> Obj:
    weighted = [{"name": n, "weight": rng.randint(1, 9)} for n in rng.sample(OPTIONAL[:5], rng.randint(0, 3))]
    gone = rng.sample(OPTIONAL, rng.choice((0, 0, 1, 2)))
    kept = [plugin for plugin in weighted if plugin["name"] not in gone]
    return {"multiPoint": {"disabled": [{"name": name} for name in gone]}, "score": {"enabled": kept}}


def arguments(rng: random.Random) -> Obj:
    found: Obj = {}
    if rng.random() < 0.6:
        found["NodeResourcesFit"] = fit(rng)
    if rng.random() < 0.4:
        names = rng.sample(("cpu", "memory", "ephemeral-storage", "example.com/gpu"), rng.randint(1, 4))
        found["NodeResourcesBalancedAllocation"] = {"resources": [{"name": name} for name in names]}
    if rng.random() < 0.5:
        found["PodTopologySpread"] = {"defaultingType": "List", "defaultConstraints": constraints(rng)}
    if rng.random() < 0.5:
        weight, ignore = rng.choice((0, 1, 7)), rng.random() < 0.5
        found["InterPodAffinity"] = {"hardPodAffinityWeight": weight, "ignorePreferredTermsOfExistingPods": ignore}
    if rng.random() < 0.4:
        found["NodeAffinity"] = {"addedAffinity": affinity(rng)}
    if rng.random() < 0.3:
        found["DefaultPreemption"] = {"minCandidateNodesPercentage": 1, "minCandidateNodesAbsolute": rng.randint(1, 4)}
    return found


def fit(rng: random.Random) -> Obj:
    names = rng.sample(("cpu", "memory", "ephemeral-storage", "example.com/gpu"), rng.randint(1, 3))
    strategy: Obj = {"resources": [{"name": name, "weight": rng.randint(1, 5)} for name in names]}
    strategy["type"] = rng.choice(("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"))
    if strategy["type"] == "RequestedToCapacityRatio":
        shape = [{"utilization": at, "score": rng.randint(0, 10)} for at in sorted(rng.sample(range(101), 3))]
        strategy["requestedToCapacityRatio"] = {"shape": shape}
    ignored = ["example.com/gpu"] if rng.random() < 0.4 else []
    return {"scoringStrategy": strategy, "ignoredResources": ignored}


def constraints(rng: random.Random) -> list[Obj]:
    kinds = [(key, when) for key in (ZONE, HOST, "rack") for when in ("DoNotSchedule", "ScheduleAnyway")]
    return [
        {"topologyKey": key, "whenUnsatisfiable": when, "maxSkew": rng.randint(1, 3)}
        for key, when in rng.sample(kinds, rng.randint(0, 3))
    ]


def affinity(rng: random.Random) -> Obj:
    term = {"matchExpressions": [{"key": ZONE, "operator": rng.choice(("In", "NotIn")), "values": ["a"]}]}
    wish = {"weight": rng.randint(1, 100), "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    return {
        **({REQUIRED: {"nodeSelectorTerms": [term]}} if rng.random() < 0.5 else {}),
        **({PREFERRED: [wish]} if rng.random() < 0.7 else {}),
    }


@pytest.mark.parametrize("block", range(4))
def test_every_decision_of_a_configured_profile_equals_the_plain_one(block: int) -> None:
    seeds = range(block * 25, block * 25 + 25)
    seen = sum((compare(seed, 8, framework=framework(seed)) for seed in seeds), start=compare(70_000 + block))
    assert seen["fast"] > 200  # or nothing was compared
    assert seen["failed"] > 50


@pytest.mark.night
def test_thousands_of_configured_profiles() -> None:
    for seed in range(1000, 4000):
        compare(seed, framework=framework(seed))
