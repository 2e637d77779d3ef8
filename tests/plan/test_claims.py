"""Reports about volumes: what was made and bound, and what claims and their pods wait for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.objects import Key, Obj
from kctl.cli.layers import record_lines
from kctl.plan import claims, residual, tree

CLAIMS, CLASSES, VOLUMES = "persistentvolumeclaims", "storageclasses.storage.k8s.io", "persistentvolumes"


@pytest.fixture
def cp() -> Iterator[ControlPlane]:
    with ControlPlane.open(None, nodes=2, cloud="local") as plane:
        plane.converge()
        yield plane


def claim(name: str = "c", *, cls: str | None = None, **spec: Any) -> Obj:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    if cls is not None:
        asked["storageClassName"] = cls
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": asked}


def pod(name: str = "p", claim: str = "c") -> Obj:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    spec = {"containers": [{"name": "c", "image": "a:1"}], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def storage_class(name: str, provisioner: str, mode: str = "Immediate") -> Obj:
    head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return {**head, "provisioner": provisioner, "volumeBindingMode": mode}


def volume(name: str = "v", **spec: Any) -> Obj:
    made = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": made}


RESOURCES = {"PersistentVolumeClaim": CLAIMS, "Pod": "pods", "StorageClass": CLASSES, "PersistentVolume": VOLUMES}


def run(plane: ControlPlane, *objects: Obj) -> Obj:
    for obj in objects:
        plane.client.create(RESOURCES[obj["kind"]], obj)
    plane.commit()
    report: Obj = plane.converge()
    return report


def lines(report: Obj) -> list[str]:
    return [line for record in report["consequence"] if record["type"] == "volumes" for line in record_lines(record)]


def test_volumes_made_bound_and_deleted_are_told_by_class(cp: ControlPlane) -> None:
    report = run(
        cp, claim("a"), claim("b"), pod("p", "a"), pod("q", "b"), volume(storageClassName="m"), claim("c", cls="m")
    )
    assert lines(report) == ["storageclass/m: volumes bound to c", "storageclass/standard: +2 volumes, bound to a, b"]
    cp.client.delete("pods", Key("default", "p"))
    cp.client.delete(CLAIMS, Key("default", "a"))
    cp.commit()
    assert lines(cp.converge()) == ["storageclass/standard: -1 volume of a"]


def test_of_many_claims_only_some_are_named(cp: ControlPlane) -> None:
    names = [f"c{n}" for n in range(8)]
    report = run(cp, *(claim(name) for name in names), *(pod(f"p-{name}", name) for name in names))
    assert lines(report) == ["storageclass/standard: +8 volumes, bound to c0, c1, c2, c3, c4, c5 and 2 more"]


@pytest.mark.parametrize(
    ("objects", "reason", "message"),
    [
        ([claim(cls="")], "NoVolume", "no volume fits it, and it names no StorageClass that makes one"),
        ([claim(cls="x")], "NoStorageClass", 'no volume fits it, and StorageClass "x" does not exist'),
        (
            [storage_class("x", "kubernetes.io/no-provisioner"), claim(cls="x")],
            "NoVolume",
            'no volume fits it, and StorageClass "x" makes none',
        ),
        (
            [storage_class("x", "ebs.csi.aws.com", "WaitForFirstConsumer"), claim(cls="x"), pod()],
            "NoProvisioner",
            'persistentvolumeclaim/c: nobody here runs ebs.csi.aws.com, the provisioner of StorageClass "x"',
        ),
        ([claim(cls="", volumeName="gone")], "NoVolume", 'the volume "gone" it asks for does not exist'),
        (
            [volume(claimRef={"namespace": "default", "name": "d", "uid": "u"}), claim(cls="", volumeName="v")],
            "VolumeTaken",
            'the volume "v" it asks for belongs to claim default/d',
        ),
        (
            [volume(capacity={"storage": "1Mi"}), claim(cls="", volumeName="v")],
            "VolumeMismatch",
            'Cannot bind to requested volume "v": requested PV is too small',
        ),
    ],
)
def test_a_claim_says_what_it_waits_for_and_its_pod_says_it_for_it(
    cp: ControlPlane, objects: list[Obj], reason: str, message: str
) -> None:
    report = run(cp, *objects)
    assert report["verdict"] == "Settled"
    (entry,) = [entry for entry in report["residual"] if entry["reason"] == reason]
    assert entry["message"] == message
    assert len(residual.blockers(cp.client)) == 1


def test_a_claim_that_waits_for_its_first_pod_blocks_nothing(cp: ControlPlane) -> None:
    assert run(cp, claim())["verdict"] == "Converged"
    found = cp.client.get(CLAIMS, "default", "c")
    assert claims.blocker(cp.client, CLAIMS, found, lambda _: None) is None


def test_the_status_of_a_claim_that_waits_for_its_first_pod_agrees_with_the_verdict(cp: ControlPlane) -> None:
    assert run(cp, claim())["verdict"] == "Converged"
    told = tree.status(cp.client, [tree.Target(CLAIMS, Key("default", "c"))])
    assert told["current"]
    assert told["objects"][0]["reason"] == "WaitForFirstConsumer"
    run(cp, storage_class("x", "ebs.csi.aws.com"), claim("d", cls="x"))
    assert not tree.status(cp.client, [tree.Target(CLAIMS, Key("default", "d"))])["current"]


def test_a_pod_names_the_volume_that_is_elsewhere(cp: ControlPlane) -> None:
    place = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["far"]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [place]}]}}
    run(cp, volume(nodeAffinity=affinity), claim(cls=""), pod())
    from kctl.plan.why import explain

    answer = explain(cp, "pods", cp.client.get("pods", "default", "p"))
    said = str(answer["scheduling"])
    assert "volume v of claim c is where topology.kubernetes.io/zone is far" in said
