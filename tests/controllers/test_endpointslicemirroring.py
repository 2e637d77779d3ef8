"""endpointslice-mirroring-controller."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key, labels_of
from kctl.controllers.endpointslicemirroring import LEADER, MANAGER, MAX_ADDRESSES, SKIP, Seen, decide, is_mirrored
from kctl.runtime.actions import Create, Emit

SLICES = "endpointslices.discovery.k8s.io"
KEY = Key("default", "db")


def by_hand(*subsets, **meta):
    meta = {"name": "db", "namespace": "default", "uid": "e", **meta}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": list(subsets)}


def subset(*ready, unready=(), port=5432):
    return {
        "addresses": [{"ip": ip} for ip in ready],
        "notReadyAddresses": [{"ip": ip} for ip in unready],
        "ports": [{"port": port, "protocol": "TCP"}],
    }


def service(**spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {"ports": [{"port": 5432}], **spec},
    }


@pytest.fixture
def mirrored(world):
    """Return a world with a Service without selector and its Endpoints."""
    world.create(service())
    found = by_hand(subset("192.0.2.1", unready=["192.0.2.9"]), labels={"team": "a"}, annotations={"note": "b"})
    del found["metadata"]["uid"]
    world.create(found)
    world.settle()
    return world


def slices(world):
    return [one for one in world.client.list(SLICES, "default").items if one["metadata"]["name"].startswith("db")]


def test_a_subset_becomes_a_slice(mirrored):
    [one] = slices(mirrored)
    assert one["endpoints"] == [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": True}},
        {"addresses": ["192.0.2.9"], "conditions": {"ready": False}},
    ]
    assert one["ports"] == [{"name": "", "protocol": "TCP", "port": 5432}]
    labels = labels_of(one)
    assert (labels["team"], labels["endpointslice.kubernetes.io/managed-by"]) == ("a", MANAGER)
    assert one["metadata"]["annotations"] == {"note": "b"}
    assert one["metadata"]["ownerReferences"][0]["kind"] == "Endpoints"
    assert mirrored.decisions() == []


def test_a_change_is_followed_in_the_same_slice(mirrored):
    [before] = slices(mirrored)
    mirrored.client.patch("endpoints", KEY, {"subsets": [subset("192.0.2.3", port=6432)]})
    mirrored.settle()
    [after] = slices(mirrored)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert [point["addresses"] for point in after["endpoints"]] == [["192.0.2.3"]]
    assert after["ports"][0]["port"] == 6432


def test_two_families_are_two_slices(mirrored):
    mirrored.client.patch("endpoints", KEY, {"subsets": [subset("192.0.2.3", "2001:db8::1")]})
    mirrored.settle()
    assert sorted(one["addressType"] for one in slices(mirrored)) == ["IPv4", "IPv6"]
    assert mirrored.decisions() == []


@pytest.mark.parametrize(
    "undo",
    [
        lambda world: world.client.delete("endpoints", KEY),
        lambda world: world.client.delete("services", KEY),
        lambda world: world.client.patch("endpoints", KEY, {"metadata": {"labels": {SKIP: "true"}}}),
        lambda world: world.client.patch("endpoints", KEY, {"subsets": None}),
        lambda world: world.client.patch("services", KEY, {"spec": {"selector": {"app": "x"}}}),
    ],
    ids=["Endpoints deleted", "Service deleted", "told to skip", "no subset left", "selector set"],
)
def test_the_slices_go_when_there_is_nothing_to_mirror(mirrored, undo):
    undo(mirrored)
    mirrored.settle()
    left = [one for one in slices(mirrored) if labels_of(one)["endpointslice.kubernetes.io/managed-by"] == MANAGER]
    assert left == []


@pytest.mark.parametrize(
    ("meta", "wanted"),
    [
        ({}, True),
        ({"labels": {SKIP: "true"}}, False),
        ({"labels": {SKIP: "false"}}, True),
        ({"annotations": {LEADER: "{}"}}, False),
        ({"labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}}, False),
    ],
)
def test_only_endpoints_of_somebody_else_are_mirrored(meta, wanted):
    assert is_mirrored(by_hand(**meta)) is wanted


def test_too_many_and_invalid_addresses_are_left_out_and_said():
    many = [f"10.0.{n // 250}.{n % 250}" for n in range(MAX_ADDRESSES + 2)]
    actions = decide(Seen(by_hand(subset("no-address", *many)), ())).actions
    assert [action.reason for action in actions if isinstance(action, Emit)] == [
        "InvalidIPAddress",
        "TooManyAddressesToMirror",
    ]
    [made] = [action.obj for action in actions if isinstance(action, Create)]
    assert len(made["endpoints"]) == MAX_ADDRESSES
