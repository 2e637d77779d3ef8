"""Pods with claims for devices go where their devices are: pools, selectors, the search, what is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl.client.client import WatchEvent
from kctl.scheduler.cluster import Cluster
from kctl.scheduler.explain import describe
from kctl.scheduler.framework import Outcome
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile

Obj = dict[str, Any]
Make = Callable[..., Obj]

CLAIMS, SLICES, CLASSES = (f"{kind}.resource.k8s.io" for kind in ("resourceclaims", "resourceslices", "deviceclasses"))
DRIVER = "gpu.example.com"
CANNOT = "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, preemption: "
NOT_HELPFUL = "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
ZONE = "topology.kubernetes.io/zone"


def device(name: str, *, memory: str = "", **more: Any) -> Obj:
    values = more.pop("attributes", {})
    kinds = {bool: "bool", int: "int", str: "string"}
    attributes = {
        key: value if isinstance(value, dict) else {kinds[type(value)]: value} for key, value in values.items()
    }
    capacity = {"memory": {"value": memory}} if memory else {}
    return {"name": name, "attributes": attributes, "capacity": {**capacity, **more.pop("capacity", {})}, **more}


def slice_(*devices: Obj, node: str = "n", name: str = "", pool: str = "", **spec: Any) -> Obj:
    pool = pool or node
    about = {"name": pool, "generation": spec.pop("generation", 1), "resourceSliceCount": spec.pop("count", 1)}
    place = {} if any(k in spec for k in ("allNodes", "nodeSelector", "perDeviceNodeSelection")) else {"nodeName": node}
    body = {"driver": spec.pop("driver", DRIVER), "pool": about, "devices": list(devices), **place, **spec}
    return {"metadata": {"name": name or f"{pool}-slice", "resourceVersion": "1"}, "spec": body}


def class_(name: str = "gpu", *expressions: str, **spec: Any) -> Obj:
    selectors = [{"cel": {"expression": text}} for text in expressions]
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"selectors": selectors, **spec},
    }


def exactly(*expressions: str, cls: str = "gpu", **more: Any) -> Obj:
    selectors = [{"cel": {"expression": text}} for text in expressions]
    found = {"deviceClassName": cls, "allocationMode": "ExactCount", "selectors": selectors, **more}
    return {**found, **({"count": more.get("count", 1)} if found["allocationMode"] == "ExactCount" else {})}


def claim(name: str = "c", *requests: Obj, **devices: Any) -> Obj:
    asked = [
        {"name": f"r{n}", **(one if "firstAvailable" in one else {"exactly": one})}
        for n, one in enumerate(requests or (exactly(),))
    ]
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {"devices": {"requests": asked, **devices}}, "status": {}}


def allocated(found: Obj, *devices: str, node: str = "n", **result: Any) -> Obj:
    results = [{"request": "r0", "driver": DRIVER, "pool": node, "device": name, **result} for name in devices]
    only = {"key": "metadata.name", "operator": "In", "values": [node]}
    selector = {"nodeSelectorTerms": [{"matchFields": [only]}]}
    return {**found, "status": {"allocation": {"devices": {"results": results}, "nodeSelector": selector}}}


def using(*claims: str) -> Obj:
    return {"resourceClaims": [{"name": name, "resourceClaimName": name} for name in claims]}


def decide(cluster: Cluster, pod: Obj) -> Outcome:
    return default_profile().schedule(cluster, PodInfo(pod))


@pytest.fixture
def given(cluster: Callable[..., Cluster], node: Make) -> Callable[..., Cluster]:
    """Return what makes a cluster of one node from slices, claims and classes."""

    def make(*objects: Obj, classes: tuple[Obj, ...] = (class_(),), nodes: tuple[Obj, ...] = ()) -> Cluster:
        slices = [one for one in objects if "driver" in one["spec"]]
        claims = [one for one in objects if "driver" not in one["spec"]]
        return cluster(nodes or [node("n")], **{SLICES: slices, CLAIMS: claims, CLASSES: list(classes)})

    return make


def got(cluster: Cluster, pod: Obj, *claims: Obj, node: str = "n") -> list[list[str]] | None:
    """Return the devices that each claim of the pod gets on the node, None when they do not all get theirs."""
    outcome = decide(cluster, {**pod, "spec": {**pod["spec"], **using(*(one["metadata"]["name"] for one in claims))}})
    if not outcome.node:
        return None
    from kctl.scheduler.devices import wish

    place = cluster.node(node)
    assert place is not None
    found = cluster.devices.allocate(place, claims, wish(claims))
    assert isinstance(found, list)
    return [[result["device"] for result in one["devices"]["results"]] for one in found]


A100 = {"model": "a100", "numa": 0}
FOUR = [device(f"gpu-{n}", memory="80Gi", attributes={"numa": n // 2, "index": n}) for n in range(4)]
IS_B = 'device.attributes["gpu.example.com"].index == 3'


@pytest.mark.parametrize(
    ("request_", "more", "expected"),
    [
        pytest.param(exactly(), {}, ["gpu-0"], id="the first device that fits is taken"),
        pytest.param(exactly(count=3), {}, ["gpu-0", "gpu-1", "gpu-2"], id="as many as asked for"),
        pytest.param(exactly(count=5), {}, None, id="not more than there are"),
        pytest.param(exactly(IS_B), {}, ["gpu-3"], id="selected by an attribute"),
        pytest.param(
            exactly('device.capacity["gpu.example.com"].memory.compareTo(quantity("81Gi")) >= 0'),
            {},
            None,
            id="selected by capacity",
        ),
        pytest.param(exactly('device.driver == "other.example.com"'), {}, None, id="selected by driver"),
        pytest.param(
            exactly('"x.example.com" in device.attributes && device.attributes["x.example.com"].y'),
            {},
            None,
            id="a domain that no attribute has is not there",
        ),
        pytest.param(exactly(allocationMode="All"), {}, [f"gpu-{n}" for n in range(4)], id="all there are"),
        pytest.param(
            exactly(count=2),
            {"constraints": [{"matchAttribute": "gpu.example.com/numa"}]},
            ["gpu-0", "gpu-1"],
            id="of one kind",
        ),
        pytest.param(
            exactly(count=3),
            {"constraints": [{"matchAttribute": "gpu.example.com/numa"}]},
            None,
            id="too many of one kind",
        ),
        pytest.param(
            exactly(count=2),
            {"constraints": [{"distinctAttribute": "gpu.example.com/numa"}]},
            ["gpu-0", "gpu-2"],
            id="of different kinds",
        ),
        pytest.param(
            {"firstAvailable": [{"name": "big", **exactly(count=9)}, {"name": "small", **exactly(count=2)}]},
            {},
            ["gpu-0", "gpu-1"],
            id="the first alternative that can be had",
        ),
    ],
)
def test_a_claim_gets_the_first_devices_that_meet_it(
    given: Any, pod: Make, request_: Obj, more: Obj, expected: list[str] | None
) -> None:
    asked = claim("c", request_, **more)
    found = got(given(slice_(*FOUR), asked), pod(), asked)
    assert found == (None if expected is None else [expected])


def test_devices_in_use_are_not_given_again(given: Any, pod: Make) -> None:
    asked = claim("c", exactly(count=2))
    taken = allocated(claim("other"), "gpu-0", "gpu-2")
    assert got(given(slice_(*FOUR), asked, taken), pod(), asked) == [["gpu-1", "gpu-3"]]


def test_who_only_administers_devices_gets_those_in_use_and_keeps_nobody_off(given: Any, pod: Make) -> None:
    asked, watcher = claim("c"), claim("w", exactly(adminAccess=True))
    taken = allocated(claim("other"), "gpu-0")
    seen = allocated(claim("seen"), "gpu-1", adminAccess=True)
    world = given(slice_(*FOUR), asked, watcher, taken, seen)
    assert got(world, pod(), watcher) == [["gpu-0"]]
    assert got(world, pod(), asked) == [["gpu-1"]]


def test_two_claims_of_a_pod_share_no_device_and_later_requests_may_move_earlier_ones(given: Any, pod: Make) -> None:
    picky = claim("picky", exactly('device.attributes["gpu.example.com"].index == 0'))
    easy = claim("easy")
    world = given(slice_(*FOUR[:2]), picky, easy)
    assert got(world, pod(), easy, picky) == [["gpu-1"], ["gpu-0"]]


def test_the_class_selects_too(given: Any, pod: Make) -> None:
    asked = claim("c")
    world = given(slice_(*FOUR), asked, classes=(class_("gpu", IS_B),))
    assert got(world, pod(), asked) == [["gpu-3"]]


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute", "None"])
def test_tainted_devices_are_for_those_who_tolerate_it(given: Any, pod: Make, effect: str) -> None:
    bad = device("bad", taints=[{"key": "sick", "effect": effect}])
    asked = claim("c")
    world = given(slice_(bad), asked)
    assert (got(world, pod(), asked) is None) == (effect != "None")
    brave = claim("b", exactly(tolerations=[{"key": "sick", "operator": "Exists"}]))
    assert got(given(slice_(bad), brave), pod(), brave) == [["bad"]]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"allNodes": True}, ["a", "b"]),
        (
            {
                "nodeSelector": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["z2"]}]}]
                }
            },
            ["b"],
        ),
        ({"perDeviceNodeSelection": True}, ["a"]),
    ],
)
def test_devices_are_where_their_slice_or_they_themselves_say(
    given: Any, node: Make, pod: Make, spec: Obj, expected: list[str]
) -> None:
    nodes = (node("a", labels={ZONE: "z1"}), node("b", labels={ZONE: "z2"}))
    own = {"nodeName": "a"} if "perDeviceNodeSelection" in spec else {}
    asked = claim("c")
    world = given(slice_(device("net-0", **own), pool="net", **spec), asked, nodes=nodes)
    outcome = describe(decide(world, pod(**using("c"))))
    assert sorted(name for name, found in outcome["nodes"].items() if found["reason"] is None) == expected


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        pytest.param([slice_(device("d"), count=2)], "cannot allocate all claims", id="a pool that lacks a slice"),
        pytest.param(
            [slice_(device("d"), name="a", count=2), slice_(device("d"), name="b", count=2)],
            "invalid resource pools were encountered",
            id="a pool with two devices of one name",
        ),
        pytest.param(
            [slice_(device("d"), name="a"), slice_(name="b", generation=2)],
            "cannot allocate all claims",
            id="devices of an older generation",
        ),
        pytest.param(
            [slice_(device("d"), name="a", count=2), slice_(name="b", node="elsewhere", pool="n", generation=2)],
            "cannot allocate all claims",
            id="a newer generation that has nothing for this node",
        ),
    ],
)
def test_pools_that_are_incomplete_or_invalid_give_nothing(
    given: Any, pod: Make, slices: list[Obj], reason: str
) -> None:
    outcome = decide(given(*slices, claim("c")), pod(**using("c")))
    assert outcome.message == f"0/1 nodes are available: 1 {reason}. still not schedulable, preemption: {NOT_HELPFUL}"


def test_pods_that_find_no_device_are_told_so_in_upstreams_words(given: Any, pod: Make) -> None:
    outcome = decide(given(claim("c")), pod(**using("c")))
    assert outcome.message == CANNOT + NOT_HELPFUL
    assert outcome.plugins == {"DynamicResources"}


@pytest.mark.parametrize(
    ("spec", "status", "claims", "message"),
    [
        pytest.param(using("c"), {}, [], 'resourceclaim.resource.k8s.io "c" not found', id="no such claim"),
        pytest.param(
            {"resourceClaims": [{"name": "g", "resourceClaimTemplateName": "t"}]},
            {},
            [],
            "Pod default/p: ResourceClaim not created yet",
            id="not made from its template yet",
        ),
        pytest.param(
            {"resourceClaims": [{"name": "g", "resourceClaimTemplateName": "t"}]},
            {"resourceClaimStatuses": [{"name": "g", "resourceClaimName": "c"}]},
            [claim("c")],
            "ResourceClaim default/c was not created for Pod default/p (Pod is not owner)",
            id="somebody else's",
        ),
        pytest.param(
            using("c"),
            {},
            [{**claim("c"), "metadata": {**claim("c")["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}],
            'resourceclaim "c" is being deleted',
            id="on its way out",
        ),
    ],
)
def test_pods_without_their_claims_stay_out_of_the_queue(
    given: Any, pod: Make, spec: Obj, status: Obj, claims: list[Obj], message: str
) -> None:
    world = given(*claims)
    info = PodInfo(pod(status=status, **spec))
    gated = default_profile().gated(info, world)
    assert gated is not None
    assert gated.message == message
    assert (
        default_profile().schedule(world, info).message.startswith(f"0/1 nodes are available: {message}. no new claims")
    )


def test_a_class_that_does_not_exist_is_named(given: Any, pod: Make) -> None:
    outcome = decide(given(claim("c"), classes=()), pod(**using("c")))
    why = "request r0: device class gpu does not exist"
    assert outcome.message == f"0/1 nodes are available: {why}. no new claims to deallocate, preemption: {NOT_HELPFUL}"


def test_an_expression_that_cannot_be_computed_stops_the_pod_whatever_other_nodes_have(given: Any, pod: Make) -> None:
    asked = claim("c", exactly('device.attributes["gpu.example.com"].nothing == 1'))
    outcome = decide(given(slice_(*FOUR), asked), pod(**using("c")))
    assert outcome.reason == "SchedulerError"
    assert outcome.message == (
        'running "DynamicResources" filter plugin: claim default/c: selector #0 on device gpu.example.com/n/gpu-0: '
        "CEL runtime error: no such key: nothing. "
        "Consider using CEL optional chaining (?), has() macro, or orValue() for optional fields"
    )


def test_all_of_a_pool_that_is_being_updated_is_an_error(given: Any, pod: Make) -> None:
    asked = claim("c", exactly(allocationMode="All"))
    outcome = decide(given(slice_(device("d"), count=2), asked), pod(**using("c")))
    assert outcome.message == (
        'running "DynamicResources" filter plugin: claim default/c, request r0: asks for all devices, '
        "but resource pool gpu.example.com/n is currently being updated"
    )


def test_an_allocated_claim_binds_its_pods_to_where_it_is(given: Any, node: Make, pod: Make) -> None:
    nodes = (node("a"), node("b"))
    world = given(allocated(claim("c"), "gpu-0", node="b"), nodes=nodes)
    outcome = describe(decide(world, pod(**using("c"))))
    assert outcome["node"] == "b"
    assert outcome["nodes"]["a"]["reason"] == "resourceclaim not available on the node"


def test_a_claim_that_is_allocated_where_the_pod_cannot_go_is_given_up(given: Any, node: Make, pod: Make) -> None:
    world = given(allocated(claim("c"), "gpu-0", node="gone"))
    outcome = decide(world, pod(**using("c")))
    assert outcome.message.endswith(f"deallocation of ResourceClaim completed, preemption: {NOT_HELPFUL}")
    assert outcome.preemption is not None
    (action,) = outcome.preemption.actions
    assert action.obj["status"] == {}  # type: ignore[union-attr]
    other = {"resource": "pods", "name": "q", "uid": "uid-q"}
    used = allocated(claim("c"), "gpu-0", node="gone")
    used["status"]["reservedFor"] = [other]
    outcome = decide(given(used), pod(**using("c")))
    assert outcome.message.endswith(f"still not schedulable, preemption: {NOT_HELPFUL}")


def test_nodes_where_an_earlier_alternative_can_be_had_are_preferred(given: Any, node: Make, pod: Make) -> None:
    nodes = (node("a"), node("b"))
    big = {"name": "big", **exactly('device.attributes["gpu.example.com"].size == "big"')}
    asked = claim("c", {"firstAvailable": [big, {"name": "any", **exactly()}]})
    slices = [slice_(device(f"{n}-0", attributes={"size": s}), node=n) for n, s in (("a", "small"), ("b", "big"))]
    outcome = decide(given(*slices, asked, nodes=nodes), pod(**using("c")))
    assert outcome.node == "b"
    assert outcome.scores["DynamicResources"] == [2 * (100 * 7 // 8), 200]


def test_partitions_of_a_device_share_its_counters(given: Any, pod: Make) -> None:
    def part(name: str, slots: str) -> Obj:
        return device(name, consumesCounters=[{"counterSet": "gpu-0", "counters": {"slots": {"value": slots}}}])

    counters = slice_(
        name="counters", count=2, sharedCounters=[{"name": "gpu-0", "counters": {"slots": {"value": "4"}}}]
    )
    parts = slice_(part("half-0", "2"), part("whole", "4"), part("half-1", "2"), name="parts", count=2)
    two, three = claim("two", exactly(count=2)), claim("three", exactly(count=3))
    world = given(counters, parts, two, three)
    assert got(world, pod(), two) == [["half-0", "half-1"]]
    assert got(world, pod(), three) is None
    assert got(given(counters, parts, two, allocated(claim("o"), "half-1")), pod(), two) is None


def test_shares_of_a_device_are_given_until_it_is_used_up(given: Any, pod: Make) -> None:
    policy = {"default": "10Gi", "validRange": {"min": "10Gi", "step": "10Gi"}}
    nic = device("nic", capacity={"bw": {"value": "40Gi", "requestPolicy": policy}}, allowMultipleAllocations=True)
    asked = claim("c", exactly(capacity={"requests": {"bw": "15Gi"}}))
    used = [allocated(claim(f"u{n}"), "nic", shareID=f"s{n}", consumedCapacity={"bw": "10Gi"}) for n in range(3)]
    assert got(given(slice_(nic), asked, *used[:2]), pod(), asked) == [["nic"]]
    assert got(given(slice_(nic), asked, *used), pod(), asked) is None
    world = given(slice_(nic), asked)
    from kctl.scheduler.devices import wish

    place = world.node("n")
    assert place is not None
    found = world.devices.allocate(place, [asked], wish([asked]))
    assert isinstance(found, list)
    (result,) = found[0]["devices"]["results"]
    assert result["consumedCapacity"] == {"bw": "20Gi"}
    assert result["shareID"]


def test_an_answer_holds_until_the_pools_change(given: Any, pod: Make) -> None:
    asked = claim("c", exactly(count=4))
    world = given(slice_(*FOUR), asked)
    assert got(world, pod(), asked) is not None
    taken = allocated(claim("other"), "gpu-0")
    world.caches[CLAIMS].deliver(WatchEvent("ADDED", CLAIMS, taken, None))
    assert got(world, pod(), asked) is None
    world.caches[CLAIMS].deliver(WatchEvent("DELETED", CLAIMS, taken, taken))
    assert got(world, pod(), asked) is not None
    more = slice_(*FOUR, device("gpu-4"))
    world.caches[SLICES].deliver(WatchEvent("MODIFIED", SLICES, more, None))
    five = claim("five", exactly(count=5))
    world.caches[CLAIMS].deliver(WatchEvent("ADDED", CLAIMS, five, None))
    assert got(world, pod(), five) is not None


def test_what_was_just_written_counts_before_the_cache_knows_it(given: Any, pod: Make) -> None:
    asked = claim("c", exactly(count=4))
    world = given(slice_(*FOUR), asked, claim("other"))
    assert got(world, pod(), asked) is not None
    written = allocated(claim("other"), "gpu-3")
    written["metadata"]["resourceVersion"] = "7"
    world.devices.assume(written)
    assert got(world, pod(), asked) is None
    world.caches[CLAIMS].deliver(WatchEvent("MODIFIED", CLAIMS, {**written, "status": {}}, None))
    assert got(world, pod(), asked) is not None


def test_pods_without_claims_are_not_looked_at(given: Any, pod: Make) -> None:
    world = given(slice_(*FOUR))
    assert decide(world, pod()).node == "n"
    assert "devices" not in vars(world)


def test_nodes_that_reach_the_same_devices_are_answered_once(
    given: Any, node: Make, pod: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kctl.scheduler.plugins import dynamic_resources_allocator as allocator

    searches: list[str] = []
    search = allocator.Allocator.allocate

    def counted(self: Any) -> Any:
        searches.append(self._node)
        return search(self)

    monkeypatch.setattr(allocator.Allocator, "allocate", counted)
    there = slice_(device("gpu-0"), name="net", pool="net", allNodes=True)
    local = slice_(device("gpu-1"), node="n3")
    wanted, nodes = claim("c"), tuple(node(f"n{k}") for k in range(4))
    cluster = given(there, wanted, nodes=nodes)
    assert decide(cluster, {**pod(), "spec": {**pod()["spec"], **using("c")}}).node
    assert len(searches) == 1
    searches.clear()
    cluster = given(there, local, wanted, nodes=nodes)
    assert decide(cluster, {**pod(), "spec": {**pod()["spec"], **using("c")}}).node
    assert len(searches) == 2  # one node has devices of its own beside


def test_devices_are_counted_for_who_asks_why(given: Any, node: Make) -> None:
    broken = {"key": "broken", "effect": "NoSchedule"}
    three = [device("gpu-0"), device("gpu-1", taints=[broken]), device("gpu-2")]
    cluster = given(slice_(*three), allocated(claim("other"), "gpu-0"))
    place = cluster.node("n")
    assert place is not None
    (count,) = cluster.devices.count(place, [claim("c", exactly(count=2))])
    assert count == ("gpu", 2, 3, 1, 1)  # wanted, there, free, tainted
    (count,) = cluster.devices.count(place, [claim("c", exactly(tolerations=[{"operator": "Exists"}]))])
    assert count == ("gpu", 1, 3, 2, 0)
