"""``describe`` of namespaces, limits, networks and volumes, and of the kinds it has no form for."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import EPOCH
from kctl.api.objects import Obj
from kctl.cli.describing import network, other, policies, services, storage

AT, NOW = "2026-01-01T00:00:00Z", EPOCH + 90
NONE = "Labels:       <none>\nAnnotations:  <none>\n"


def named(spec: Obj | None = None, **more: Any) -> Obj:
    out: Obj = {"metadata": {"name": "x", "namespace": "d", "creationTimestamp": AT, "uid": "u"}, **more}
    return {**out, "spec": spec} if spec is not None else out


def squeezed(text: str) -> list[str]:
    """Return lines with runs of blanks as one: where a column stands is layout's business."""
    return [" ".join(line.split()) for line in text.splitlines()]


LIMITS = named({"limits": [{"type": "Container", "max": {"memory": "1Gi"}, "default": {"cpu": "200m"}}]})
QUOTA = named({"scopes": ["BestEffort"]}, status={"hard": {"pods": "4", "cpu": "2"}, "used": {"pods": "1"}})


def test_a_namespace_shows_its_quotas_and_limits() -> None:
    obj: Obj = {"metadata": {"name": "team"}, "status": {"phase": "Active"}}
    assert policies.namespace(obj, quotas=[QUOTA], ranges=[LIMITS]) == (
        "Name:         team\n"
        f"{NONE}"
        "Status:       Active\n"
        "\n"
        "Resource Quotas\n"
        "  Name:    x\n"
        "  Scopes:  BestEffort\n"
        "  * Matches all pods that do not have resource requirements set. These pods have a best effort quality of"
        " service.\n"
        "  Resource  Used  Hard\n"
        "  --------  ---   ---\n"
        "  cpu       0     2\n"
        "  pods      1     4\n"
        "\n"
        "Resource Limits\n"
        " Type       Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio\n"
        " ----       --------  ---  ---  ---------------  -------------  -----------------------\n"
        " Container  cpu       -    -    -                200m           -\n"
        " Container  memory    -    1Gi  -                -              -\n"
    )


def test_a_namespace_without_limits_says_so_and_shows_what_it_waits_for() -> None:
    condition = {"type": "NamespaceContentRemaining", "status": "True", "lastTransitionTime": AT, "reason": "Some"}
    obj: Obj = {"metadata": {"name": "t"}, "status": {"phase": "Terminating", "conditions": [condition]}}
    shown = squeezed(policies.namespace(obj, quotas=[], ranges=[]))
    assert "NamespaceContentRemaining True Thu, 01 Jan 2026 00:00:00 +0000 Some" in shown
    assert shown[-4:] == ["", "No resource quota.", "", "No LimitRange resource."]


def test_a_quota_and_a_limit_range_are_tables() -> None:
    assert squeezed(policies.quota(QUOTA))[4:] == ["Resource Used Hard", "-------- ---- ----", "cpu 0 2", "pods 1 4"]
    assert squeezed(policies.limit_range(LIMITS))[-2:] == ["Container cpu - - - 200m -", "Container memory - 1Gi - - -"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}, ["Min available: 50%", "Selector: a=b"]),
        ({"maxUnavailable": 1, "selector": {}}, ["Max unavailable: 1", "Selector: <none>"]),
        ({}, ["Selector: <unset>"]),
    ],
)
def test_a_disruption_budget(spec: Obj, said: list[str]) -> None:
    counts = {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 4}
    shown = squeezed(policies.disruption_budget(named(spec, status=counts), NOW, []))
    rest = ["Status:", "Allowed disruptions: 1", "Current: 3", "Desired: 2", "Total: 4", "Events: <none>"]
    assert shown == ["Name: x", "Namespace: d", *said, *rest]


def test_a_priority_class() -> None:
    shown = policies.priority_class({**named(), "value": 7, "preemptionPolicy": "Never"}, NOW, [])
    assert squeezed(shown)[1:5] == ["Value: 7", "GlobalDefault: false", "PreemptionPolicy: Never", "Description:"]


@pytest.mark.parametrize(
    ("metric", "current", "line"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}},
            {},
            "resource cpu on pods (as a percentage of request): <unknown> / 60%",
        ),
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 60}}},
            {"resource": {"current": {"averageUtilization": 40, "averageValue": "80m"}}},
            "resource cpu on pods (as a percentage of request): 40% (80m) / 60%",
        ),
        (
            {
                "type": "ContainerResource",
                "containerResource": {"name": "memory", "container": "c", "target": {"averageValue": "1Gi"}},
            },
            {},
            'resource memory of container "c" on pods: <unknown> / 1Gi',
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "5"}}},
            {"pods": {"current": {"averageValue": "3"}}},
            '"rps" on pods: 3 / 5',
        ),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "hits"},
                    "describedObject": {"kind": "Ingress", "name": "web"},
                    "target": {"type": "Value", "value": "9"},
                },
            },
            {},
            '"hits" on Ingress/web (target value): <unknown> / 9',
        ),
        (
            {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"averageValue": "2"}}},
            {},
            '"queue" (target average value): <unknown> / 2',
        ),
        ({"type": "Odd"}, {}, '<unknown metric type "Odd">'),
    ],
)
def test_an_autoscaler_shows_where_its_metrics_stand(metric: Obj, current: Obj, line: str) -> None:
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3, "metrics": [metric]}
    status = {"currentMetrics": [current]} if current else {}
    shown = squeezed(policies.autoscaler(named(spec, status=status), NOW, []))
    assert shown[shown.index("Metrics: ( current / target )") + 1] == line
    assert shown[-4:] == [
        "Min replicas: <unset>",
        "Max replicas: 3",
        "Deployment pods: 0 current / 0 desired",
        "Events: <none>",
    ]


def test_an_autoscaler_shows_its_behavior_and_conditions() -> None:
    policy = {"type": "Pods", "value": 4, "periodSeconds": 60}
    down = {"stabilizationWindowSeconds": 300, "selectPolicy": "Min", "policies": [policy]}
    spec = {"scaleTargetRef": {"kind": "D", "name": "w"}, "minReplicas": 1, "maxReplicas": 3}
    status = {"conditions": [{"type": "AbleToScale", "status": "True", "reason": "Ready", "message": "yes"}]}
    shown = squeezed(policies.autoscaler(named({**spec, "behavior": {"scaleDown": down}}, status=status), NOW, []))
    assert shown[shown.index("Behavior:") + 1 :] == [
        "Scale Down:",
        "Stabilization Window: 300 seconds",
        "Select Policy: Min",
        "Policies:",
        "- Type: Pods Value: 4 Period: 60 seconds",
        "D pods: 0 current / 0 desired",
        "Conditions:",
        "Type Status Reason Message",
        "---- ------ ------ -------",
        "AbleToScale True Ready yes",
        "Events: <none>",
    ]


PATH = {"path": "/a", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}


def test_an_ingress() -> None:
    spec = {
        "tls": [{"hosts": ["h.x", "i.x"], "secretName": "s"}, {"hosts": ["j.x"]}],
        "rules": [{"host": "h.x", "http": {"paths": [PATH]}}, {"http": {"paths": [PATH]}}, {"host": "without"}],
    }
    status = {"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"hostname": "a.lb"}]}}
    text = network.ingress(named(spec, status=status), NOW, [], backends=lambda backend: backend["service"]["name"])
    assert text == (
        "Name:             x\n"
        "Labels:           <none>\n"
        "Namespace:        d\n"
        "Address:          2.2.2.2,a.lb\n"
        "Ingress Class:    <none>\n"
        "Default backend:  <default>\n"
        "TLS:\n"
        "  s terminates h.x,i.x\n"
        "  SNI routes j.x\n"
        "Rules:\n"
        "  Host        Path  Backends\n"
        "  ----        ----  --------\n"
        "  h.x\n"
        "              /a   web\n"
        "  *\n"
        "              /a   web\n"
        "Annotations:  <none>\n"
        "Events:       <none>\n"
    )


def test_an_ingress_without_rules_sends_everything_to_its_default() -> None:
    spec = {"ingressClassName": "nginx", "defaultBackend": {"service": {"name": "all"}}}
    shown = squeezed(network.ingress(named(spec), NOW, [], backends=lambda _: "B"))
    assert shown[4:6] == ["Ingress Class: nginx", "Default backend: B"]
    assert "* * B" in shown


SLICE = {
    "ports": [{"name": "http", "port": 8080}],
    "endpoints": [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        {"addresses": ["fd00::3"]},
    ],
}
WEB = {"web": named({"ports": [{"name": "http", "port": 80}]})}


@pytest.mark.parametrize(
    ("backend", "slices", "text"),
    [
        ({"service": {"name": "web", "port": {"number": 80}}}, [SLICE], "web:80 (10.0.0.1:8080,[fd00::3]:8080)"),
        ({"service": {"name": "web", "port": {"name": "http"}}}, [], "web:http (<none>)"),
        ({"service": {"name": "web", "port": {"number": 81}}}, [SLICE], "web:81 ()"),
        ({"service": {"name": "no", "port": {"number": 1}}}, [], 'no:1 (<error: services "no" not found>)'),
        ({"resource": {"kind": "Bucket", "name": "b"}}, [], "APIGroup: <none>, Kind: Bucket, Name: b"),
        ({}, [], ""),
    ],
)
def test_a_backend_is_shown_with_what_serves_it(backend: Obj, slices: list[Obj], text: str) -> None:
    assert network.backend_text(backend, WEB, slices) == text


def test_more_than_three_endpoints_are_counted_and_a_headless_one_has_no_port() -> None:
    many = {"ports": [{"name": "", "port": 1}], "endpoints": [{"addresses": [f"10.0.0.{n}"]} for n in range(5)]}
    assert services.endpoints("", [many]) == "10.0.0.0:1,10.0.0.1:1,10.0.0.2:1 + 2 more..."
    assert services.endpoints("", [{"endpoints": [{"addresses": ["10.0.0.9"]}]}]) == "10.0.0.9"
    assert services.endpoints("", []) == "<none>"


def test_a_network_policy() -> None:
    both = {"namespaceSelector": {"matchLabels": {"n": "1"}}, "podSelector": {"matchLabels": {"p": "1"}}}
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.0.0/16"]}}
    ports = [{"port": 80}, {"port": 90, "endPort": 99, "protocol": "UDP"}]
    spec = {
        "podSelector": {"matchLabels": {"app": "web"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [both, block], "ports": ports}, {}],
    }
    assert network.network_policy(named(spec)).split("Spec:\n")[1] == (
        "  PodSelector:     app=web\n"
        "  Allowing ingress traffic:\n"
        "    To Port: 80/TCP\n"
        "    To Port Range: 90-99/UDP\n"
        "    From:\n"
        "      NamespaceSelector: n=1\n"
        "      PodSelector: p=1\n"
        "    From:\n"
        "      IPBlock:\n"
        "        CIDR: 10.0.0.0/8\n"
        "        Except: 10.1.0.0/16, 10.2.0.0/16\n"
        "    ----------\n"
        "    To Port: <any> (traffic allowed to all ports)\n"
        "    From: <any> (traffic not restricted by source)\n"
        "  Allowing egress traffic:\n"
        "    <none> (Selected pods are isolated for egress connectivity)\n"
        "  Policy Types: Ingress, Egress\n"
    )


def test_endpoints_and_slices() -> None:
    subset = {"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}], "ports": [{"port": 80}]}
    assert squeezed(network.endpoints(named(subsets=[subset]), NOW, []))[4:] == [
        "Subsets:",
        "Addresses: 10.0.0.1,10.0.0.2",
        "NotReadyAddresses: <none>",
        "Ports:",
        "Name Port Protocol",
        "---- ---- --------",
        "<unset> 80 TCP",
        "",
        "Events: <none>",
    ]
    endpoint = {
        "addresses": ["10.0.0.1"],
        "conditions": {"ready": True},
        "nodeName": "n1",
        "targetRef": {"kind": "Pod", "name": "p"},
    }
    shown = squeezed(network.endpoint_slice(named(addressType="IPv4", endpoints=[endpoint]), NOW, []))
    assert shown[4:] == [
        "AddressType: IPv4",
        "Ports: <unset>",
        "Endpoints:",
        "- Addresses: 10.0.0.1",
        "Conditions:",
        "Ready: true",
        "Hostname: <unset>",
        "TargetRef: Pod/p",
        "NodeName: n1",
        "Zone: <unset>",
        "Events: <none>",
    ]


def test_a_claim_names_the_pods_that_use_it() -> None:
    mounts = named({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}]})
    other_pod = named({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "y"}}]})
    obj = named(
        {"accessModes": ["ReadWriteOnce"], "volumeName": "pv", "storageClassName": "fast", "volumeMode": "Filesystem"},
        status={"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
    )
    assert squeezed(storage.claim(obj, NOW, [], pods=[mounts, other_pod])) == [
        "Name: x",
        "Namespace: d",
        "StorageClass: fast",
        "Status: Bound",
        "Volume: pv",
        "Labels: <none>",
        "Annotations: <none>",
        "Finalizers: []",
        "Capacity: 1Gi",
        "Access Modes: RWO",
        "VolumeMode: Filesystem",
        "Used By: x",
        "Events: <none>",
    ]


def test_a_volume_shows_where_it_is_and_what_it_is_made_of() -> None:
    zone = {"key": "zone", "operator": "In", "values": ["a", "b"]}
    obj = named(
        {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": "d", "name": "c"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [zone]}]}},
            "csi": {"driver": "x.y", "volumeHandle": "v1", "volumeAttributes": {"k": "1"}},
        },
        status={"phase": "Bound"},
    )
    shown = squeezed(storage.volume(obj, NOW, []))
    assert shown[5:] == [
        "Status: Bound",
        "Claim: d/c",
        "Reclaim Policy: Retain",
        "Access Modes: RWX",
        "Capacity: 1Gi",
        "Node Affinity:",
        "Required Terms:",
        "Term 0: zone in [a, b]",
        "Message:",
        "Source:",
        "Type: CSI (a Container Storage Interface (CSI) volume source)",
        "Driver: x.y",
        "FSType:",
        "VolumeHandle: v1",
        "ReadOnly: false",
        "VolumeAttributes: k=1",
        "Events: <none>",
    ]


def test_a_storage_class() -> None:
    obj: Obj = {
        "metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "x.y",
        "parameters": {"b": "2", "a": "1"},
        "allowVolumeExpansion": True,
        "reclaimPolicy": "Delete",
        "mountOptions": ["ro"],
    }
    assert squeezed(storage.storage_class(obj, NOW, [])) == [
        "Name: fast",
        "IsDefaultClass: Yes",
        "Annotations: storageclass.kubernetes.io/is-default-class=true",
        "Provisioner: x.y",
        "Parameters: a=1,b=2",
        "AllowVolumeExpansion: True",
        "MountOptions:",
        "ro",
        "ReclaimPolicy: Delete",
        "Events: <none>",
    ]


def test_a_kind_without_a_form_shows_every_field_by_its_name() -> None:
    obj: Obj = {
        "apiVersion": "example.com/v1",
        "kind": "Fleet",
        "metadata": {"name": "x", "namespace": "d", "uid": "u", "managedFields": [{"manager": "m"}]},
        "spec": {"clusterIPs": ["a"], "on": True, "none": None, "ships": [{"name": "s"}, {"name": "t"}], "a.b": 1},
    }
    assert other.describe(obj, NOW, []) == (
        "Name:         x\n"
        "Namespace:    d\n"
        f"{NONE}"
        "API Version:  example.com/v1\n"
        "Kind:         Fleet\n"
        "Metadata:\n"
        "  UID:  u\n"
        "Spec:\n"
        "  a.b:  1\n"
        "  Cluster I Ps:\n"
        "    a\n"
        "  None:  <nil>\n"
        "  On:    true\n"
        "  Ships:\n"
        "    Name:  s\n"
        "    Name:  t\n"
        "Events:    <none>\n"
    )
