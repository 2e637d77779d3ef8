"""Flags of kube-controller-manager: from kctl.yaml and from programs."""

from __future__ import annotations

import pytest

from kctl import ControlPlane
from kctl.api.errors import UsageError
from kctl.plane import cluster as clusters
from kctl.runtime.flags import Flags, parse


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, Flags()),
        ({"node-monitor-grace-period": "40s"}, Flags(node_monitor_grace_period=40.0)),
        ({"node-monitor-grace-period": 40}, Flags(node_monitor_grace_period=40.0)),
        ({"node-eviction-rate": "0.5"}, Flags(node_eviction_rate=0.5)),
        ({"terminated-pod-gc-threshold": 7}, Flags(terminated_pod_gc_threshold=7)),
    ],
)
def test_flags_go_by_upstreams_names(given, wanted):
    assert parse(given) == wanted


@pytest.mark.parametrize(
    "given",
    [
        {"node_eviction_rate": 1},
        {"node-eviction-rate": "fast"},
        {"node-eviction-rate": -1},
        {"node-eviction-rate": True},
        {"node-eviction-rate": "nan"},
        {"terminated-pod-gc-threshold": 1.5},
        {"node-monitor-grace-period": "soon"},
        {"node-monitor-grace-period": None},
    ],
)
def test_what_is_wrong_names_the_flag(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        parse(given)
    with pytest.raises(UsageError):
        ControlPlane.open(None, flags=given)
    manifest = {"apiVersion": "kctl.dev/v1", "kind": "Cluster", "spec": {"controllerManager": given}}
    with pytest.raises(clusters.ClusterError, match=r"spec\.controllerManager"):
        clusters.parse(manifest)


def test_a_cluster_keeps_its_flags():
    given = {"node-monitor-grace-period": "20s", "node-eviction-rate": 2.0}
    shape = clusters.parse({"spec": {"controllerManager": given}})
    assert clusters.manifest_of(shape)["spec"]["controllerManager"] == given
    assert clusters.parse(clusters.manifest_of(shape)) == shape
    assert "controllerManager" not in clusters.manifest_of(clusters.default())["spec"]


def test_a_shorter_grace_period_is_kept():
    shape = clusters.parse({"spec": {"controllerManager": {"node-monitor-grace-period": "20s"}}})
    with ControlPlane.for_cluster(None, shape) as plane:
        plane.run()
        started = plane.now
        (node, *_) = plane.client.list("nodes").items
        node = {**node, "metadata": {**node["metadata"], "annotations": {"sim.kctl.dev/state": "dead"}}}
        plane.client.update("nodes", node)
        plane.run()
        assert plane.now == started + 20
