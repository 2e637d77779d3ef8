"""API versions that were served once: what is said to who still sends them."""

from __future__ import annotations

import pytest

from kctl.api import registry
from kctl.api.removed import REMOVED, why_gone


@pytest.mark.parametrize(
    ("api_version", "kind", "want"),
    [
        ("extensions/v1beta1", "Ingress", "Kubernetes 1.22 removed it, use networking.k8s.io/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", "Kubernetes 1.25 removed it, nothing took its place"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "Kubernetes 1.26 removed it, use autoscaling/v2"),
        ("resource.k8s.io/v1beta2", "DeviceClass", "beta versions are off by default, use resource.k8s.io/v1"),
        ("apps/v1", "Deployment", ""),
        ("a.io/v1beta1", "Foo", ""),
    ],
)
def test_who_sends_a_removed_version_is_told(api_version, kind, want):
    assert why_gone(api_version, kind) == want


def test_what_is_removed_is_not_served_and_its_successor_is():
    kinds = registry.builtin()
    for api_version, removals in REMOVED.items():
        for removal in removals:
            for kind in removal.kinds:
                assert kinds.by_kind(api_version, kind) is None
                assert not removal.instead or kinds.by_kind(removal.instead, kind) is not None, kind
