"""Claims for devices in a whole cluster: node groups with devices, pods that wait, more nodes, nodes that go."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key
from kctl.plan import nodefill
from kctl.plane import cluster as clusters

Obj = dict[str, Any]
CLAIMS, SLICES = "resourceclaims.resource.k8s.io", "resourceslices.resource.k8s.io"
TEMPLATES, CLASSES = "resourceclaimtemplates.resource.k8s.io", "deviceclasses.resource.k8s.io"
SELECTOR = [{"cel": {"expression": 'device.driver == "gpu.example.com"'}}]
ONE_GPU = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu"}}]}}
GPUS = {"driver": "gpu.example.com", "count": 2, "attributes": {"model": "a100"}, "capacity": {"memory": "80Gi"}}


def shape(*groups: Obj) -> clusters.Cluster:
    return clusters.parse({"spec": {"nodeGroups": list(groups)}})


def of(kind: str, name: str, **body: Any) -> Obj:
    version = "resource.k8s.io/v1"
    meta = {"name": name, **({} if kind == "DeviceClass" else {"namespace": "default"})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **body}


def workload(replicas: int, *claims: Obj, **requests: str) -> Obj:
    container = {"name": "c", "image": "example/train:1", "resources": {"requests": requests, "limits": requests}}
    spec = {"containers": [container], **({"resourceClaims": list(claims)} if claims else {})}
    template = {"metadata": {"labels": {"app": "train"}}, "spec": spec}
    body = {"replicas": replicas, "selector": {"matchLabels": {"app": "train"}}, "template": template}
    meta = {"name": "train", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body}


FROM_TEMPLATE = {"name": "gpu", "resourceClaimTemplateName": "one-gpu"}


@pytest.fixture
def cp() -> Any:
    """A cluster of one node with two GPUs, a class and a template."""
    with ControlPlane.open(None, cloud="local") as plane:
        plane.shape_nodes(shape({"name": "gpu", "count": 1, "devices": GPUS}))
        plane.client.create(CLASSES, of("DeviceClass", "gpu", spec={"selectors": SELECTOR}))
        plane.client.create(TEMPLATES, of("ResourceClaimTemplate", "one-gpu", spec={"spec": ONE_GPU}))
        yield plane


def phases(cp: ControlPlane) -> list[str]:
    return sorted(pod["status"].get("phase", "") for pod in cp.client.list("pods").items)


def devices(cp: ControlPlane) -> list[tuple[str, str]]:
    found = [claim["status"].get("allocation") for claim in cp.client.list(CLAIMS).items]
    return sorted((r["pool"], r["device"]) for one in found if one for r in one["devices"]["results"])


def test_the_third_pod_on_two_devices_waits_for_another_node(cp: ControlPlane) -> None:
    cp.client.create("deployments.apps", workload(3, FROM_TEMPLATE))
    report = cp.converge()
    assert report["verdict"] == "Settled"
    assert phases(cp) == ["Pending", "Running", "Running"]
    (entry,) = report["residual"]
    assert entry["message"] == (
        "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
    assert report["notSimulated"] == []
    before = cp.revision
    cp.use_mark(False)
    cp.converge()
    assert cp.revision == before  # a fixed point
    cp.shape_nodes(shape({"name": "gpu", "count": 2, "devices": GPUS}))
    assert cp.converge()["verdict"] == "Converged"
    assert devices(cp) == [("gpu-1", "gpu-0"), ("gpu-1", "gpu-1"), ("gpu-2", "gpu-0")]
    claim = cp.client.list(CLAIMS).items[0]
    assert claim["metadata"]["finalizers"] == ["resource.kubernetes.io/delete-protection"]
    assert claim["status"]["allocation"]["allocationTimestamp"]
    assert len(claim["status"]["reservedFor"]) == 1


def test_devices_of_pods_that_go_are_for_those_that_wait(cp: ControlPlane) -> None:
    cp.client.create("deployments.apps", workload(3, FROM_TEMPLATE))
    cp.converge()
    cp.client.patch("deployments.apps", Key("default", "train"), {"spec": {"replicas": 2}})
    running = next(pod for pod in cp.client.list("pods").items if pod["status"]["phase"] == "Running")
    cp.client.delete("pods", Key("default", running["metadata"]["name"]))
    assert cp.converge()["verdict"] == "Converged"
    assert devices(cp) == [("gpu-1", "gpu-0"), ("gpu-1", "gpu-1")]
    cp.client.delete("deployments.apps", Key("default", "train"))
    cp.converge()
    assert cp.client.list(CLAIMS).items == []


def test_a_claim_that_pods_share_is_given_up_with_the_last_of_them(cp: ControlPlane) -> None:
    cp.client.create(CLAIMS, of("ResourceClaim", "shared", spec=ONE_GPU))
    cp.client.create("deployments.apps", workload(3, {"name": "gpu", "resourceClaimName": "shared"}))
    assert cp.converge()["verdict"] == "Converged"
    assert devices(cp) == [("gpu-1", "gpu-0")]
    (claim,) = cp.client.list(CLAIMS).items
    assert len(claim["status"]["reservedFor"]) == 3
    cp.client.patch("deployments.apps", Key("default", "train"), {"spec": {"replicas": 0}})
    cp.converge()
    (claim,) = cp.client.list(CLAIMS).items
    assert claim["status"] == {}
    assert "finalizers" not in claim["metadata"]


def test_pods_wait_for_a_claim_that_somebody_has_yet_to_make(cp: ControlPlane) -> None:
    cp.client.create("deployments.apps", workload(1, {"name": "gpu", "resourceClaimName": "later"}))
    report = cp.converge()
    (entry,) = report["residual"]
    assert entry["message"] == 'resourceclaim.resource.k8s.io "later" not found'
    assert entry["leaf"] == {"kind": "device", "object": "resourceclaim.resource.k8s.io/later"}
    (pod,) = cp.client.list("pods").items
    assert "conditions" not in pod["status"]  # upstream says nothing
    cp.client.create(CLAIMS, of("ResourceClaim", "later", spec=ONE_GPU))
    assert cp.converge()["verdict"] == "Converged"


def test_pods_wait_for_a_class(cp: ControlPlane) -> None:
    cp.client.delete(CLASSES, Key("", "gpu"))
    cp.client.create("deployments.apps", workload(1, FROM_TEMPLATE))
    (entry,) = cp.converge()["residual"]
    assert "request gpu: device class gpu does not exist" in entry["message"]
    cp.client.create(CLASSES, of("DeviceClass", "gpu", spec={"selectors": SELECTOR}))
    assert cp.converge()["verdict"] == "Converged"


def test_a_node_takes_its_devices_with_it(cp: ControlPlane) -> None:
    assert cp.converge()["verdict"] == "Converged"
    assert [one["spec"]["nodeName"] for one in cp.client.list(SLICES).items] == ["gpu-1"]
    cp.client.delete(SLICES, Key("", cp.client.list(SLICES).items[0]["metadata"]["name"]))
    cp.converge()
    assert len(cp.client.list(SLICES).items) == 1
    cp.shape_nodes(shape({"name": "gpu", "count": 0, "devices": GPUS}), remove=True)
    cp.converge()
    assert cp.client.list(SLICES).items == []


def test_an_extended_resource_may_be_devices(cp: ControlPlane) -> None:
    named = {"selectors": SELECTOR, "extendedResourceName": "example.com/gpu"}
    cp.client.create(CLASSES, of("DeviceClass", "gpus", spec=named))
    cp.client.create("deployments.apps", workload(2, **{"example.com/gpu": "2"}))
    report = cp.converge()
    assert phases(cp) == ["Pending", "Running"]
    (claim,) = cp.client.list(CLAIMS).items
    assert claim["metadata"]["annotations"] == {"resource.kubernetes.io/extended-resource-claim": "true"}
    pod = next(pod for pod in cp.client.list("pods").items if pod["status"]["phase"] == "Running")
    assert pod["status"]["extendedResourceClaimStatus"] == {
        "resourceClaimName": claim["metadata"]["name"],
        "requestMappings": [
            {"containerName": "c", "resourceName": "example.com/gpu", "requestName": "container-0-request-0"}
        ],
    }
    (entry,) = report["residual"]
    assert "cannot allocate all claims" in entry["message"]
    cp.client.delete("pods", Key("default", pod["metadata"]["name"]))
    cp.client.patch("deployments.apps", Key("default", "train"), {"spec": {"replicas": 1}})
    assert cp.converge()["verdict"] == "Converged"
    assert len(devices(cp)) == 2


def test_a_quota_counts_the_devices_of_a_class(cp: ControlPlane) -> None:
    hard = {"gpu.deviceclass.resource.k8s.io/devices": "1"}
    meta = {"name": "gpus", "namespace": "default"}
    cp.client.create(
        "resourcequotas", {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}
    )
    cp.converge()
    cp.client.create("deployments.apps", workload(2, FROM_TEMPLATE))
    report = cp.converge()
    assert phases(cp) == ["Pending", "Running"]
    assert any("exceeded quota: gpus" in entry["message"] for entry in report["residual"])


@pytest.mark.parametrize(
    ("devices_", "field"),
    [
        ("a100", "spec.nodeGroups[0].devices"),
        ({"count": 2}, "spec.nodeGroups[0].devices.driver"),
        ({**GPUS, "count": 0}, "spec.nodeGroups[0].devices.count"),
        ({**GPUS, "model": "a100"}, "spec.nodeGroups[0].devices.model"),
        ({**GPUS, "capacity": {"memory": "much"}}, "spec.nodeGroups[0].devices.capacity[memory]"),
        ({**GPUS, "driver": "No Driver"}, "spec.nodeGroups[0].devices.driver"),
        ([GPUS, GPUS], "spec.nodeGroups[0].devices[1].name"),
        ({**GPUS, "taints": "broken"}, "spec.nodeGroups[0].devices.taints"),
        ({**GPUS, "taints": [{"key": "a", "effect": "Foo"}]}, "spec.nodeGroups[0].devices.taints[0].effect"),
        ({**GPUS, "attributes": {"v": {"version": 1.0}}}, "spec.nodeGroups[0].devices.attributes[v]"),
        ({**GPUS, "attributes": {"a b": "x"}}, "spec.nodeGroups[0].devices.attributes[a b]"),
        ({**GPUS, "capacity": {"memory": {"amount": "1"}}}, "spec.nodeGroups[0].devices.capacity[memory]"),
    ],
)
def test_mistakes_in_devices_are_named_by_their_field(devices_: Any, field: str) -> None:
    with pytest.raises(clusters.ClusterError) as caught:
        shape({"name": "gpu", "devices": devices_})
    assert field in {error.field for error in caught.value.errors}


def test_a_manifest_of_a_cluster_brings_its_devices_back() -> None:
    made = shape({"name": "gpu", "count": 1, "devices": GPUS})
    again = clusters.parse(clusters.manifest_of(made))
    assert clusters.instances(again) == clusters.instances(made)


def test_a_pod_bound_by_hand_waits_until_its_claim_is_reserved_for_it(cp: ControlPlane) -> None:
    cp.client.create(CLAIMS, of("ResourceClaim", "mine", spec=ONE_GPU))
    container = {"name": "c", "image": "example/train:1"}
    wanted = [{"name": "gpu", "resourceClaimName": "mine"}]
    spec = {"containers": [container], "resourceClaims": wanted, "nodeName": "gpu-1"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hand", "namespace": "default"}, "spec": spec}
    cp.converge()
    made = cp.client.create("pods", pod)
    assert cp.converge()["verdict"] == "Settled"
    (said,) = [one for one in cp.client.list("events").items if one["reason"] == "FailedPrepareDynamicResources"]
    claim = cp.client.get(CLAIMS, "default", "mine")
    uids = made["metadata"]["uid"], claim["metadata"]["uid"]
    assert said["message"] == (
        "Failed to prepare dynamic resources: prepare dynamic resources: "
        f"pod hand ({uids[0]}) is not allowed to use ResourceClaim mine ({uids[1]})"
    )
    assert phases(cp) == ["Pending"]
    cp.client.create(
        "pods",
        {
            **pod,
            "metadata": {"name": "by-scheduler", "namespace": "default"},
            "spec": {"containers": [container], "resourceClaims": wanted},
        },
    )
    assert cp.converge()["verdict"] == "Converged"  # the claim is allocated now, and reserved for both
    assert phases(cp) == ["Running", "Running"]


def test_how_many_devices_of_a_node_are_given_away_is_counted(cp: ControlPlane) -> None:
    cp.shape_nodes(shape({"name": "gpu", "count": 1, "devices": GPUS}, {"name": "web", "count": 1}))
    cp.client.create("deployments.apps", workload(1, FROM_TEMPLATE))
    cp.converge()
    records = {record["name"]: record for record in nodefill.records(cp.client)}
    assert records["gpu-1"]["devices"] == [{"driver": "gpu.example.com", "count": 2, "allocated": 1}]
    assert "devices" not in records["web-1"]
