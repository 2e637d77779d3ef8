"""The cluster's shape: what kctl.yaml may say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kctl.api.errors import UsageError
from kctl.plane import cluster as clusters
from kctl.plane.groups import FIELDS


def manifest(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "kctl.dev/v1", "kind": "Cluster", "metadata": {"name": "c"}, "spec": spec}


def test_the_default_is_three_nodes_in_three_zones_of_the_local_cloud() -> None:
    found = clusters.instances(clusters.default())
    assert [(i["metadata"]["name"], i["spec"]["zone"]) for i in found] == [
        ("node-1", "local-a"),
        ("node-2", "local-b"),
        ("node-3", "local-c"),
    ]
    assert {(i["spec"]["cpu"], i["spec"]["memory"], i["spec"]["provider"]) for i in found} == {("4", "16Gi", "local")}


def test_node_groups_are_numbered_each_on_its_own() -> None:
    shape = clusters.parse(
        manifest(nodeGroups=[{"name": "web", "count": 2}, {"name": "gpu", "count": 1, "type": "8cpu,64Gi"}])
    )
    names = [instance["metadata"]["name"] for instance in clusters.instances(shape)]
    assert names == ["web-1", "web-2", "gpu-1"]


def test_the_manifest_of_a_shape_is_read_back_as_the_same_shape() -> None:
    shape = clusters.parse(
        manifest(nodeGroups=[{"name": "a", "count": 2, "labels": {"x": "y"}}], latencies={"imagePull": "7s"})
    )
    assert clusters.parse(clusters.manifest_of(shape)) == shape


BAD = [
    ({"nodes": -1}, "spec.nodes"),
    ({"nodes": "three"}, "spec.nodes"),
    ({"nodes": True}, "spec.nodes"),
    ({"nodes": 1_000_000}, "spec.nodes"),
    ({"nodeType": "4 cores"}, "spec.nodeType"),
    ({"nodeType": "0cpu,1Gi"}, "spec.nodeType"),
    ({"cloud": "moon"}, "spec.cloud"),
    ({"cloud": "aws"}, "spec.cloud"),
    ({"kubernetes": "1.20"}, "spec.kubernetes"),
    ({"replicas": 2}, "spec.replicas"),
    ({"replicas": "3"}, "spec.replicas"),
    ({"replicas": True}, "spec.replicas"),
    ({"history": 3}, "spec.history"),
    ({"history": {"revisions": -1}}, "spec.history.revisions"),
    ({"history": {"commands": True}}, "spec.history.commands"),
    ({"history": {"age": "soon"}}, "spec.history.age"),
    ({"history": {"hours": 1}}, "spec.history.hours"),
    ({"noodles": 3}, "spec.noodles"),
    ({"nodeGroups": [{"count": 1}]}, "spec.nodeGroups[0].name"),
    ({"nodeGroups": [{"name": "a"}, {"name": "a"}]}, "spec.nodeGroups[1].name"),
    ({"nodeGroups": [{"name": "a", "size": 1}]}, "spec.nodeGroups[0].size"),
    ({"nodeGroups": ["a"]}, "spec.nodeGroups[0]"),
    ({"nodeGroups": [{"name": "a", "zones": "x"}]}, "spec.nodeGroups[0].zones"),
    ({"nodeGroups": [{"name": "a", "zones": [True]}]}, "spec.nodeGroups[0].zones[0]"),
    ({"nodeGroups": [{"name": "a", "zones": ["a zone"]}]}, "spec.nodeGroups[0].zones[0]"),
    ({"nodeGroups": [{"name": "A_b"}]}, "spec.nodeGroups[0].name"),
    ({"nodeGroups": [{"name": 3}]}, "spec.nodeGroups[0].name"),
    ({"nodeGroups": [{"name": "a" * 60}]}, "spec.nodeGroups[0].name"),
    ({"region": "the moon"}, "spec.region"),
    ({"nodeGroups": [{"name": "a", "labels": ["x"]}]}, "spec.nodeGroups[0].labels"),
    ({"nodeGroups": [{"name": "a", "labels": {"gpu": True}}]}, "spec.nodeGroups[0].labels[gpu]"),
    ({"nodeGroups": [{"name": "a", "labels": {"a b": "x"}}]}, "spec.nodeGroups[0].labels[a b]"),
    ({"nodeGroups": [{"name": "a", "labels": {"x.y/z": "a b"}}]}, "spec.nodeGroups[0].labels[x.y/z]"),
    ({"nodeGroups": [{"name": "a", "taints": {}}]}, "spec.nodeGroups[0].taints"),
    ({"nodeGroups": [{"name": "a", "taints": ["gpu"]}]}, "spec.nodeGroups[0].taints[0]"),
    ({"nodeGroups": [{"name": "a", "taints": [{"key": "gpu"}]}]}, "spec.nodeGroups[0].taints[0].effect"),
    ({"nodeGroups": [{"name": "a", "taints": [{"effect": "NoExecute"}]}]}, "spec.nodeGroups[0].taints[0].key"),
    (
        {"nodeGroups": [{"name": "a", "taints": [{"key": "k", "effect": "Never"}]}]},
        "spec.nodeGroups[0].taints[0].effect",
    ),
    (
        {"nodeGroups": [{"name": "a", "taints": [{"key": "k", "value": 1, "effect": "NoExecute"}]}]},
        "spec.nodeGroups[0].taints[0].value",
    ),
    (
        {"nodeGroups": [{"name": "a", "taints": [{"key": "k", "efect": "NoExecute"}]}]},
        "spec.nodeGroups[0].taints[0].efect",
    ),
    ({"nodeGroups": [{"name": "a"}], "nodes": 3}, "spec.nodes"),
    ({"latencies": {"imagePull": "soon"}}, "spec.latencies.imagePull"),
    ({"latencies": {"imagePull": "-5s"}}, "spec.latencies.imagePull"),
    ({"latencies": {"lunch": "1h"}}, "spec.latencies"),
    ({"latencies": {"imagePullMost": "1h"}}, "spec.latencies"),
    ({"latencies": ["imagePull"]}, "spec.latencies"),
    ({"latencies": {"imagePull": "5s..2s"}}, "spec.latencies.imagePull"),
    ({"latencies": {"imagePull": "2s.."}}, "spec.latencies.imagePull"),
    ({"latencies": {"volumeAttach": "2s..5s"}}, "spec.latencies.volumeAttach"),
    ({"latencies": {"imagePullRate": "fast"}}, "spec.latencies.imagePullRate"),
    ({"latencies": {"imagePullRate": 0}}, "spec.latencies.imagePullRate"),
]


@pytest.mark.parametrize(("spec", "field"), BAD, ids=[field + str(n) for n, (_, field) in enumerate(BAD)])
def test_a_mistake_is_named_by_its_field(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(clusters.ClusterError) as caught:
        clusters.parse(manifest(**spec))
    assert field in [error.field for error in caught.value.errors]


def test_every_taint_is_looked_at_whatever_another_lacks() -> None:
    taints = [{"key": "k"}, "x", {"key": "k", "value": True, "effect": "NoExecute"}]
    with pytest.raises(clusters.ClusterError) as caught:
        clusters.parse(manifest(nodeGroups=[{"name": "a", "taints": taints}]))
    group = "spec.nodeGroups[0].taints"
    assert {error.field for error in caught.value.errors} == {f"{group}[0].effect", f"{group}[1]", f"{group}[2].value"}


def test_history_and_replicas_are_read_and_written_back() -> None:
    found = clusters.parse(manifest(replicas=3, history={"revisions": 500, "commands": 3, "age": "36h"}))
    assert (found.replicas, found.history) == (3, (500, 3, 129600.0))
    assert clusters.parse(clusters.manifest_of(found)) == found


def test_ranges_and_a_rate_are_read_and_written_back() -> None:
    latencies = {"imagePull": "2s..20s", "containerStart": "1s..5s", "imagePullRate": "50Mi", "nodeBoot": "30s"}
    found = clusters.parse(manifest(latencies=latencies))
    assert (found.profile.image_pull, found.profile.image_pull_most) == (2, 20)
    assert (found.profile.container_start_most, found.profile.image_pull_rate) == (5, 50 << 20)
    assert clusters.parse(clusters.manifest_of(found)) == found


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["a", "1Gi", "10%", "5s", "", "a b"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "key", "cpu", "a b"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=5), max_size=2))
def test_whatever_a_group_says_is_read_or_refused_and_never_breaks(groups: list[Any]) -> None:
    try:
        found = clusters.parse(manifest(nodeGroups=groups))
    except clusters.ClusterError:
        return
    assert clusters.parse(clusters.manifest_of(found)) == found


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(clusters.ClusterError) as caught:
        clusters.parse(manifest(nodes=-1, cloud="moon", kubernetes="2"))
    assert len(caught.value.errors) == 3


def test_flags_that_describe_no_cluster_are_a_usage_error() -> None:
    with pytest.raises(UsageError):
        clusters.default(nodes=-3)
