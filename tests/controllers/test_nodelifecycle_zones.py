"""Zones that fail: their state, and how fast their nodes are tainted."""

from __future__ import annotations

import pytest

from kctl.controllers.nodelifecycle_zones import Count, is_all_lost, rate_of, state_of, zone_of
from kctl.controllers.ttl import seconds_for
from kctl.runtime.flags import Flags

FLAGS = Flags()


@pytest.mark.parametrize(
    ("count", "state", "rate"),
    [
        (Count(5, 0), "Normal", 0.1),
        (Count(1, 1), "Normal", 0.1),
        (Count(1, 2), "Normal", 0.1),
        (Count(1, 3), "PartialDisruption", 0.0),
        (Count(9, 11), "PartialDisruption", 0.0),
        (Count(10, 11), "Normal", 0.1),
        (Count(20, 30), "PartialDisruption", 0.0),
        (Count(20, 31), "PartialDisruption", 0.01),
        (Count(0, 1), "FullDisruption", 0.1),
        (Count(0, 500), "FullDisruption", 0.1),
        (Count(0, 0), "Normal", 0.1),
    ],
)
def test_the_state_of_a_zone_says_its_rate(count, state, rate):
    assert state_of(count, FLAGS) == state
    assert rate_of(count, FLAGS, is_all=False) == rate
    assert rate_of(count, FLAGS, is_all=True) == 0.0


def test_rates_are_flags():
    flags = Flags(node_eviction_rate=2.0, secondary_node_eviction_rate=0.5, large_cluster_size_threshold=3)
    assert rate_of(Count(9, 1), flags, is_all=False) == 2.0
    assert rate_of(Count(1, 3), flags, is_all=False) == 0.5


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [
        ({}, False),
        ({"a": Count(0, 2)}, True),
        ({"a": Count(0, 2), "b": Count(0, 1)}, True),
        ({"a": Count(0, 2), "b": Count(1, 1)}, False),
    ],
)
def test_everything_is_lost_when_no_zone_has_a_ready_node(counts, wanted):
    assert is_all_lost(counts) is wanted


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({}, ""),
        ({"topology.kubernetes.io/zone": "a"}, ":a"),
        ({"topology.kubernetes.io/zone": "a", "topology.kubernetes.io/region": "r"}, "r:a"),
        ({"failure-domain.beta.kubernetes.io/zone": "b"}, ":b"),
    ],
)
def test_a_zone_is_known_by_region_and_name(labels, wanted):
    assert zone_of({"metadata": {"labels": labels}}) == wanted


@pytest.mark.parametrize(
    ("nodes", "seconds"), [(1, 0), (100, 0), (101, 15), (500, 15), (1000, 30), (2000, 60), (2001, 300)]
)
def test_kubelets_keep_what_they_read_by_the_size_of_the_cluster(nodes, seconds):
    assert seconds_for(nodes) == seconds
