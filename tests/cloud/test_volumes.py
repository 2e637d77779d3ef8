"""The local cloud's volumes, from claim to mount and back, in whole clusters with roles in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key, Obj, dig
from kctl.runtime.controller import Decision

CLAIMS, VOLUMES, DISKS = "persistentvolumeclaims", "persistentvolumes", "volumes.cloud.kctl.dev"
ATTACHMENTS = "volumeattachments.storage.k8s.io"
DEFAULT = {"metadata": {"namespace": "default"}}


@pytest.fixture
def cluster() -> Iterator[Any]:
    with ControlPlane.open(None, nodes=3, cloud="local", authorization="Node,RBAC") as plane:
        plane.converge()
        yield plane


def claim(name: str = "c", size: str = "1Gi", **spec: Any) -> Obj:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": asked}


def pod(name: str = "p", claims: tuple[str, ...] = ("c",), **spec: Any) -> Obj:
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    spec = {"containers": [{"name": "c", "image": "a:1"}], "volumes": volumes, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def run(plane: Any, *objects: Obj) -> None:
    for obj in objects:
        plane.client.create(CLAIMS if obj["kind"] == "PersistentVolumeClaim" else "pods", obj)
    plane.commit()
    plane.converge()


def get(plane: Any, resource: str, name: str) -> Obj:
    found: Obj = plane.client.get(resource, "" if resource in (VOLUMES, DISKS, "nodes") else "default", name)
    return found


def volume_of(plane: Any, name: str = "c") -> Obj:
    return get(plane, VOLUMES, get(plane, CLAIMS, name)["spec"]["volumeName"])


def reasons(plane: Any, name: str) -> list[str]:
    events = [e for e in plane.client.list("events").items if e["involvedObject"]["name"] == name]
    return [e["reason"] for e in sorted(events, key=lambda e: int(e["metadata"]["resourceVersion"]))]


def finish(plane: Any, name: str = "p") -> None:
    plane.client.delete("pods", Key("default", name))
    plane.commit()
    plane.converge()


def test_such_a_cluster_has_a_driver_and_a_default_class(cluster) -> None:
    (found,) = cluster.client.list("storageclasses.storage.k8s.io").items
    assert found["metadata"]["annotations"] == {"storageclass.kubernetes.io/is-default-class": "true"}
    assert cluster.client.list("csinodes.storage.k8s.io").items == [], "nobody asks for storage"
    run(cluster, claim())
    drivers = [d["name"] for n in cluster.client.list("csinodes.storage.k8s.io").items for d in n["spec"]["drivers"]]
    assert drivers == [found["provisioner"]] * 3


def test_a_volume_is_made_where_the_pod_goes_and_attached_before_it_runs(cluster) -> None:
    run(cluster, claim())
    assert get(cluster, CLAIMS, "c")["status"]["phase"] == "Pending"
    run(cluster, pod())
    made, node = volume_of(cluster), get(cluster, "nodes", get(cluster, "pods", "p")["spec"]["nodeName"])
    assert made["metadata"]["name"] == f"pvc-{get(cluster, CLAIMS, 'c')['metadata']['uid']}"
    (term,) = made["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == [node["metadata"]["labels"]["topology.kubernetes.io/zone"]]
    handle = f"kubernetes.io/csi/{made['spec']['csi']['driver']}^{made['metadata']['name']}"
    assert node["status"]["volumesAttached"] == [{"name": handle, "devicePath": ""}]
    assert node["status"]["volumesInUse"] == [handle]
    assert get(cluster, "pods", "p")["status"]["phase"] == "Running"
    assert [r for r in reasons(cluster, "p") if r in ("Scheduled", "SuccessfulAttachVolume", "Started")] == [
        "Scheduled",
        "SuccessfulAttachVolume",
        "Started",
    ]
    assert reasons(cluster, "c") == [
        "WaitForFirstConsumer",
        "ExternalProvisioning",
        "Provisioning",
        "ProvisioningSucceeded",
    ]


def test_a_pod_waits_creating_while_its_volume_is_being_attached(cluster) -> None:
    cluster.client.create(CLAIMS, claim())
    cluster.client.create("pods", pod())
    cluster.commit()
    cluster.run(advance=5)  # made after 3 s, attached after 4 more
    (status,) = get(cluster, "pods", "p")["status"]["containerStatuses"]
    assert status["state"]["waiting"]["reason"] == "ContainerCreating"


def test_a_volume_goes_with_its_claim_once_nobody_uses_it(cluster) -> None:
    run(cluster, claim(), pod())
    cluster.client.delete(CLAIMS, Key("default", "c"))
    cluster.commit()
    cluster.converge()
    assert len(cluster.client.list(VOLUMES).items) == 1, "a pod still uses it"
    finish(cluster)
    assert [cluster.client.list(kind).items for kind in (CLAIMS, VOLUMES, DISKS, ATTACHMENTS)] == [[], [], [], []]
    nodes = cluster.client.list("nodes").items
    assert not any(dig(n, "status", field) for n in nodes for field in ("volumesAttached", "volumesInUse"))


def test_a_volume_is_for_one_node_and_moves_when_that_lets_it_go(cluster) -> None:
    run(cluster, claim(), pod("p"))
    home = get(cluster, "pods", "p")["spec"]["nodeName"]
    zone = get(cluster, "nodes", home)["metadata"]["labels"]["topology.kubernetes.io/zone"]
    other = f"{home}-twin"
    labels = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": other}
    spec = {"nodeName": other, "provider": "local", "cpu": "4", "memory": "16Gi", "zone": zone, "region": "local"}
    machine = {"apiVersion": "cloud.kctl.dev/v1", "kind": "Instance", "metadata": {"name": other}, "spec": spec}
    cluster.client.create("instances.cloud.kctl.dev", {**machine, "spec": {**spec, "labels": labels}})
    cluster.commit()
    cluster.converge()
    run(cluster, pod("q", nodeSelector={"kubernetes.io/hostname": other}))
    (why,) = [e for e in cluster.client.list("events").items if e["reason"] == "FailedAttachVolume"]
    name = volume_of(cluster)["metadata"]["name"]
    assert why["message"] == f'Multi-Attach error for volume "{name}" Volume is already used by pod(s) p'
    assert "FailedMount" in reasons(cluster, "q"), "the kubelet complains after a while"
    assert get(cluster, "pods", "q")["status"]["phase"] == "Pending"
    finish(cluster, "p")
    assert get(cluster, "pods", "q")["status"]["phase"] == "Running"
    assert [dig(a, "spec", "nodeName") for a in cluster.client.list(ATTACHMENTS).items] == [other]


@pytest.mark.parametrize(("taint", "seconds"), [(False, 360), (True, 10)], ids=["six minutes", "out of service"])
def test_a_node_that_is_not_heard_of_keeps_its_volumes_for_a_while(cluster, taint, seconds) -> None:
    run(cluster, claim(), pod())
    home = get(cluster, "pods", "p")["spec"]["nodeName"]
    conditions = [
        {**c, "status": "Unknown"} if c["type"] == "Ready" else c
        for c in get(cluster, "nodes", home)["status"]["conditions"]
    ]
    cluster.client.patch("nodes", Key("", home), {"status": {"conditions": conditions}}, subresource="status")
    cluster.commit()
    cluster.client.delete("pods", Key("default", "p"), grace=0)
    cluster.commit()
    cluster.run(advance=1)
    assert len(cluster.client.list(ATTACHMENTS).items) == 1
    if taint:
        taints = [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute", "value": "nodeshutdown"}]
        cluster.client.patch("nodes", Key("", home), {"spec": {"taints": taints}})
        cluster.commit()
    else:
        cluster.run(advance=seconds - 20)
        assert len(cluster.client.list(ATTACHMENTS).items) == 1
    cluster.run(advance=30)
    assert cluster.client.list(ATTACHMENTS).items == []


def test_a_claim_whose_chosen_node_goes_is_given_another(cluster) -> None:
    cluster.client.create(CLAIMS, claim())
    cluster.client.create("pods", pod())
    cluster.commit()
    for loop in cluster.converger.manager.loops:
        if loop.name == "csi-provisioner":
            loop.controller.decide = lambda *_: Decision()  # it has not got round to it yet
    cluster.run(advance=0)
    chosen = get(cluster, CLAIMS, "c")["metadata"]["annotations"]["volume.kubernetes.io/selected-node"]
    for loop in cluster.converger.manager.loops:
        if loop.name == "csi-provisioner":
            del loop.controller.decide
    cluster.client.delete("nodes", Key("", chosen))
    cluster.commit()
    cluster.converge()
    assert get(cluster, "pods", "p")["status"]["phase"] == "Running"
    assert get(cluster, "pods", "p")["spec"]["nodeName"] != chosen
    assert "ProvisioningFailed" in reasons(cluster, "c")


def test_a_volume_that_is_taken_away_by_force_is_detached(cluster) -> None:
    run(cluster, claim(), pod())
    name = volume_of(cluster)["metadata"]["name"]
    cluster.client.delete("pods", Key("default", "p"), grace=0)
    cluster.client.delete(VOLUMES, Key("", name))
    cluster.client.patch(VOLUMES, Key("", name), {"metadata": {"finalizers": None}})
    cluster.commit()
    cluster.converge()
    assert get(cluster, CLAIMS, "c")["status"]["phase"] == "Lost"
    assert cluster.client.list(ATTACHMENTS).items == []
    assert not any(dig(n, "status", "volumesAttached") for n in cluster.client.list("nodes").items)


def test_a_claim_for_many_nodes_is_refused_by_a_driver_of_disks(cluster) -> None:
    run(cluster, claim(accessModes=["ReadWriteMany"]), pod())
    assert get(cluster, CLAIMS, "c")["status"]["phase"] == "Pending"
    assert "ProvisioningFailed" in reasons(cluster, "c")


def test_a_claim_grows_with_its_file_system(cluster) -> None:
    run(cluster, claim(), pod())
    cluster.client.patch(CLAIMS, Key("default", "c"), {"spec": {"resources": {"requests": {"storage": "5Gi"}}}})
    cluster.commit()
    cluster.converge()
    assert volume_of(cluster)["spec"]["capacity"] == {"storage": "5Gi"}
    status = get(cluster, CLAIMS, "c")["status"]
    assert (status["capacity"], status.get("conditions")) == ({"storage": "5Gi"}, None)
    assert reasons(cluster, "c")[-3:] == ["ExternalExpanding", "Resizing", "FileSystemResizeRequired"]
    assert "FileSystemResizeSuccessful" in reasons(cluster, "p")


def test_a_claim_that_nobody_uses_waits_for_a_pod_to_grow_its_file_system(cluster) -> None:
    run(cluster, claim(), pod())
    finish(cluster)
    cluster.client.patch(CLAIMS, Key("default", "c"), {"spec": {"resources": {"requests": {"storage": "5Gi"}}}})
    cluster.commit()
    cluster.converge()
    status = get(cluster, CLAIMS, "c")["status"]
    assert [c["type"] for c in status["conditions"]] == ["FileSystemResizePending"]
    assert status["capacity"] == {"storage": "1Gi"}
    run(cluster, pod("q"))
    assert get(cluster, CLAIMS, "c")["status"]["capacity"] == {"storage": "5Gi"}


def test_a_stateful_set_keeps_the_volumes_of_its_pods(cluster) -> None:
    template = {"metadata": {"name": "data"}, "spec": claim()["spec"]}
    spec = {
        "replicas": 3,
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}},
        "volumeClaimTemplates": [template],
    }
    meta = {"name": "db", "namespace": "default"}
    cluster.client.create(
        "statefulsets.apps", {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}
    )
    cluster.commit()
    cluster.converge()
    before = {c["metadata"]["name"]: c["spec"]["volumeName"] for c in cluster.client.list(CLAIMS).items}
    assert list(before) == ["data-db-0", "data-db-1", "data-db-2"]
    finish(cluster, "db-1")
    assert {c["metadata"]["name"]: c["spec"]["volumeName"] for c in cluster.client.list(CLAIMS).items} == before
    assert [p["status"]["phase"] for p in cluster.client.list("pods").items] == ["Running"] * 3


def test_a_converged_cluster_with_volumes_is_left_alone_by_new_loops(tmp_path) -> None:
    with ControlPlane.open(tmp_path / ".kctl", nodes=2, cloud="local") as plane:
        plane.converge()
        run(plane, claim(), pod(), claim("open", storageClassName="gone"))
        revision = plane.revision
    with ControlPlane.open(tmp_path / ".kctl", cloud="local") as plane:
        plane.use_mark(False)
        plane.converge()
        assert plane.revision == revision
