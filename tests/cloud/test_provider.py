"""Providers: which there are, and the local one's pure parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kctl import cloud
from kctl.api.errors import KctlError
from kctl.cloud.local import LocalCloud, address_offset, lowest_address
from kctl.cloud.node import cloud_labels
from kctl.cloud.provider import CloudError, InstanceMetadata
from kctl.cloud.service import takes_traffic
from kctl.runtime.profile import Profile


def test_no_cloud_has_no_controllers():
    assert cloud.build("none", Profile()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("aws", 'the cloud provider "aws" is not built yet'),
        ("gcp", 'the cloud provider "gcp" is not built yet'),
        ("azure", 'the cloud provider "azure" is not built yet'),
        ("moon", 'no cloud provider is called "moon"'),
    ],
)
def test_other_clouds_are_refused_by_name(name, message):
    with pytest.raises(KctlError) as refused:
        cloud.build(name, Profile())
    assert refused.value.message == message
    assert refused.value.hint


def test_the_local_cloud_has_no_routes():
    local = LocalCloud(1, 1)
    assert "routes" not in local.capabilities
    for call in (local.routes, lambda: local.create_route({}), lambda: local.delete_route({})):
        with pytest.raises(CloudError) as refused:
            call()
        assert refused.value.code == "Unsupported"


@pytest.mark.parametrize(("state", "is_shut_down"), [("Stopped", True), ("Running", False), (None, False)])
def test_a_stopped_machine_is_shut_down(state, is_shut_down):
    assert LocalCloud(1, 1).instance_shutdown({}, {"status": {"state": state}}) is is_shut_down


def test_a_provider_may_add_labels_but_not_kubernetes_own():
    extra = {"example.com/rack": "7", "node.kubernetes.io/x": "1", "k8s.io/y": "1", "plain": "1"}
    labels = cloud_labels(InstanceMetadata("id", "", "", "", labels=extra))
    assert labels == {"example.com/rack": "7", "plain": "1"}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"metadata": {}}, True),
        ({"metadata": {"deletionTimestamp": "x"}}, False),
        ({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": ""}}}, False),
        ({"metadata": {}, "spec": {"taints": [{"key": "ToBeDeletedByClusterAutoscaler"}]}}, False),
        ({"metadata": {}, "spec": {"taints": [{"key": "node.kubernetes.io/not-ready"}]}}, True),
    ],
)
def test_which_nodes_take_traffic(node, expected):
    assert takes_traffic(node) is expected


@given(st.sets(st.integers(1, 600)))
def test_the_lowest_free_address_is_free_and_lowest(taken):
    used = sum(1 << offset for offset in taken)
    found = address_offset(lowest_address(used))
    assert found is not None
    assert found not in taken
    assert set(range(1, found)) <= taken


def test_a_full_pool_has_no_address():
    assert lowest_address((1 << 65535) - 1) == ""


@pytest.mark.parametrize("text", ["", "x", "10.0.0.1", "198.20.0.1", "198.18.0", "198.18.0.256", "::1"])
def test_addresses_of_others_are_not_of_the_pool(text):
    assert address_offset(text) is None
