from __future__ import annotations

from typing import Any

import pytest

from kctl.api.objects import Obj, evolve
from kctl.apiserver import remarks_network
from kctl.apiserver.remarks import remarks


def deployment(**spec: Any) -> Obj:
    template = {"metadata": {}, "spec": {"containers": [{"name": "c"}], **spec}}
    return {"metadata": {"name": "d"}, "spec": {"template": template}}


AT = "spec.template.spec"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param({}, [], id="nothing to say"),
        pytest.param(
            {"volumes": [{"name": "v", "gitRepo": {}}]},
            [f"{AT}.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+"],
            id="a volume source that is going away",
        ),
        pytest.param(
            {
                "containers": [
                    {"name": "a", "ports": [{"containerPort": 1}]},
                    {"name": "b", "ports": [{"containerPort": 1}]},
                ]
            },
            [f"{AT}.containers[1].ports[0]: duplicate port definition with {AT}.containers[0].ports[0]"],
            id="two containers with one port",
        ),
        pytest.param(
            {"containers": [{"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 1, "protocol": "UDP"}]}]},
            [],
            id="one port in two protocols",
        ),
        pytest.param(
            {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "X", "value": "2"}]}]},
            [f'{AT}.containers[0].env[1]: hides previous definition of "X", which may be dropped when using apply'],
            id="a variable that hides another",
        ),
        pytest.param(
            {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "X", "value": "$(X)2"}]}]},
            [],
            id="a variable that extends another",
        ),
        pytest.param(
            {"containers": [{"name": "a", "resources": {"limits": {"memory": "100m"}}}]},
            [
                f'{AT}.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer'
            ],
            id="a tenth of a byte",
        ),
        pytest.param(
            {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
            [f'{AT}.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
            id="an old node label",
        ),
        pytest.param(
            {"topologySpreadConstraints": [{"topologyKey": "k"}]},
            [f"{AT}.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"],
            id="spreading of nothing",
        ),
    ],
)
def test_pod_templates(spec: Obj, said: list[str]) -> None:
    assert list(remarks("deployments.apps", deployment(**spec), None)) == said


def test_a_template_is_remarked_on_only_when_it_is_written() -> None:
    old = deployment(volumes=[{"name": "v", "gitRepo": {}}])
    touched = evolve(old, {"metadata": {"labels": {"a": "b"}}})
    assert list(remarks("deployments.apps", touched, old)) == []
    changed = deployment(volumes=[{"name": "w", "gitRepo": {}}])
    assert len(list(remarks("deployments.apps", changed, old))) == 1


@pytest.mark.parametrize(
    ("resource", "obj", "start"),
    [
        ("services", {"spec": {"externalIPs": ["1.2.3.4"]}}, "spec.externalIPs is deprecated"),
        ("services", {"spec": {"trafficDistribution": "PreferClose"}}, 'spec.trafficDistribution: "PreferClose"'),
        ("persistentvolumes", {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}}, "spec.persistentVolumeReclaim"),
        (
            "ingresses.networking.k8s.io",
            {"metadata": {"annotations": {"kubernetes.io/ingress.class": "x"}}},
            'annotation "kubernetes.io/ingress.class" is deprecated',
        ),
        ("endpointslices.discovery.k8s.io", {"addressType": "FQDN"}, "spec.addressType: FQDN"),
    ],
)
def test_other_kinds(resource: str, obj: Obj, start: str) -> None:
    (said,) = remarks(resource, obj, None)
    assert said.startswith(start)


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        ({"externalName": "a"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        (
            {"clusterIP": "None", "type": "ClusterIP", "loadBalancerIP": "1.2.3.4"},
            ["spec.loadBalancerIP is ignored for headless services"],
        ),
        (
            {"clusterIP": "None", "type": "ClusterIP", "sessionAffinity": "ClientIP"},
            ["spec.SessionAffinity is ignored for headless services"],
        ),
        (
            {"clusterIPs": ["010.96.0.1"]},
            [
                'spec.clusterIPs[0]: non-standard IP address "010.96.0.1" will be considered invalid in a future Kubernetes release: use "10.96.0.1"'
            ],
        ),
        (
            {"clusterIPs": ["2001:DB8::1"]},
            ['spec.clusterIPs[0]: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'],
        ),
        (
            {"loadBalancerSourceRanges": ["192.012.2.8/24", "::ffff:192.12.2.0/120"]},
            [
                'spec.loadBalancerSourceRanges[0]: CIDR value "192.012.2.8/24" is ambiguous in this context (should be "192.12.2.0/24" or "192.12.2.8/32"?)',
                'spec.loadBalancerSourceRanges[0]: non-standard CIDR value "192.012.2.8/24" will be considered invalid in a future Kubernetes release: use "192.12.2.0/24"',
                'spec.loadBalancerSourceRanges[1]: non-standard CIDR value "::ffff:192.12.2.0/120" will be considered invalid in a future Kubernetes release: use "192.12.2.0/24"',
            ],
        ),
        ({"clusterIPs": ["10.0.0.1"], "loadBalancerSourceRanges": ["10.0.0.0/8", "nonsense"]}, []),
    ],
)
def test_services_are_remarked_on(spec: dict[str, object], want: list[str]) -> None:
    assert list(remarks_network.service({"metadata": {}, "spec": spec})) == want


def test_networks_of_policies_and_addresses_of_slices_are_remarked_on() -> None:
    policy = {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.1/16"]}}]}]}}
    (remark,) = remarks_network.policy(policy)
    assert remark.startswith('spec.egress[0].to[0].ipBlock.except[0]: CIDR value "10.1.0.1/16" is ambiguous')
    endpoints = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1", "010.0.0.2"]}]}
    (remark,) = remarks_network.endpoint_slice(endpoints)
    assert remark.startswith("endpoints[0].addresses[1]: non-standard IP address")
