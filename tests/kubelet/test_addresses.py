"""Addresses of nodes and pods."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl.kubelet.addresses import node_address, node_offset, pod_address, pod_range, range_number
from kctl.kubelet.facts import BLOCK_BITS, NONE_USED, ipv4, release, take

MASK = (1 << BLOCK_BITS) - 1


def allocate(cidr: str, taken: set[str]) -> str:
    used: dict[int, tuple[int, tuple[int, ...]]] = {}
    for text in taken:
        number = ipv4(text) or 0
        block = number >> BLOCK_BITS
        used[block] = take(used.get(block, NONE_USED), number & MASK)
    return pod_address(cidr, lambda block: used.get(block, NONE_USED))


@pytest.mark.parametrize(
    ("number", "cidr"),
    [(0, "10.244.0.0/24"), (300, "10.245.44.0/24"), (3071, "10.255.255.0/24"), (3072, "10.128.0.0/24")],
)
def test_pod_ranges(number, cidr):
    assert pod_range(number) == cidr
    assert range_number(cidr) == number


@given(st.integers(0, 30000))
def test_ranges_and_their_numbers_are_each_others_inverse(number):
    assert range_number(pod_range(number)) == number


@pytest.mark.parametrize("cidr", ["", "fd00::/64", "10.96.0.0/24", "192.168.0.0/24", "10.244.0.0/16"])
def test_ranges_of_others_have_no_number(cidr):
    assert range_number(cidr) is None


@pytest.mark.parametrize(
    ("cidr", "taken", "expected"),
    [
        pytest.param("10.244.3.0/24", set(), "10.244.3.2", id="the first"),
        pytest.param("10.244.3.0/24", {"10.244.3.2", "10.244.3.4"}, "10.244.3.3", id="the lowest free"),
        pytest.param("10.244.3.0/30", {"10.244.3.2"}, "", id="a full range"),
        pytest.param("10.0.0.0/19", {f"10.0.{n >> 8}.{n & 255}" for n in range(4096)}, "10.0.16.0", id="two blocks"),
        pytest.param("", set(), "10.64.0.2", id="no range: the shared one"),
        pytest.param("fd00::/64", {"10.64.0.2"}, "10.64.0.3", id="an IPv6 range: the shared one"),
    ],
)
def test_pod_addresses(cidr, taken, expected):
    assert allocate(cidr, taken) == expected


def test_a_range_holds_as_many_pods_as_it_has_addresses():
    taken: set[str] = set()
    while address := allocate("10.244.0.0/24", taken):
        assert address not in taken
        taken.add(address)
    assert len(taken) == 253


def test_node_addresses_are_the_lowest_free():
    assert node_address(0) == "172.18.0.2"
    assert node_address(0b111100) == "172.18.0.6"
    assert node_offset("172.18.1.0") == 256
    assert node_offset("10.0.0.1") is None
    assert node_offset("") is None


@given(st.lists(st.integers(0, 20)), st.randoms(use_true_random=False))
def test_releasing_what_was_taken_in_any_order_leaves_nothing(offsets, random):
    used = NONE_USED
    for offset in offsets:
        used = take(used, offset)
    shuffled = list(offsets)
    random.shuffle(shuffled)
    for n, offset in enumerate(shuffled):
        for left in shuffled[n:]:
            assert used[0] >> left & 1
        used = release(used, offset)
    assert used == NONE_USED
