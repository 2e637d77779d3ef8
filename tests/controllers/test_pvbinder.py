"""Claims get their volumes, and volumes are reclaimed, as by the real binder."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.objects import Key, Obj

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
NAMES = ("persistentvolume-binder-controller", "ephemeral-volume-controller", "persistentvolume-expander-controller")


def claim(name: str = "c", *, size: str = "1Gi", cls: str | None = "x", **spec: Any) -> Obj:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    if cls is not None:
        asked["storageClassName"] = cls
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": asked}


def volume(name: str = "v", *, size: str = "1Gi", cls: str = "x", **spec: Any) -> Obj:
    source = {} if {"csi", "local", "nfs"} & set(spec) else {"hostPath": {"path": "/x"}}
    made = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": cls, **source, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": made}


def storage_class(name: str = "x", provisioner: str = "csi.example.com", mode: str = "Immediate", **meta: Any) -> Obj:
    head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name, **meta}}
    return {**head, "provisioner": provisioner, "volumeBindingMode": mode}


@pytest.fixture
def world(make_world):
    return make_world(NAMES)


def bound(world) -> dict[str, str]:
    """Return the volume of each claim whose phase is Bound."""
    found = world.client.list(CLAIMS).items
    return {c["metadata"]["name"]: c["spec"]["volumeName"] for c in found if c["status"]["phase"] == "Bound"}


def phases(world) -> dict[str, str]:
    return {v["metadata"]["name"]: v["status"]["phase"] for v in world.client.list(VOLUMES).items}


def said(world, name: str = "c") -> list[tuple[str, str, str]]:
    events = world.client.list("events").items
    return [(e["type"], e["reason"], e["message"]) for e in events if e["involvedObject"]["name"] == name]


@pytest.mark.parametrize(
    ("volumes", "asked", "wanted"),
    [
        ([volume("a", size="5Gi"), volume("b", size="2Gi"), volume("c", size="1Gi")], claim(size="2Gi"), "b"),
        ([volume("a", size="1Gi")], claim(size="2Gi"), None),
        ([volume("a", cls="y")], claim(), None),
        ([volume("a", cls="")], claim(cls=""), "a"),
        ([volume("a", volumeMode="Block"), volume("b", size="9Gi")], claim(), "b"),
        (
            [volume("a", accessModes=["ReadWriteOnce", "ReadOnlyMany"]), volume("b", size="9Gi")],
            claim(),
            "b",
        ),
        ([volume("a", accessModes=["ReadOnlyMany"])], claim(), None),
        ([volume("a", claimRef={"namespace": "default", "name": "other"})], claim(), None),
        ([volume("a"), volume("b", size="9Gi", claimRef={"namespace": "default", "name": "c"})], claim(), "b"),
        ([volume("a")], claim(selector={"matchLabels": {"t": "1"}}), None),
        ([volume("a"), volume("b", size="9Gi")], claim(volumeName="b"), "b"),
    ],
    ids=[
        "smallest",
        "too small",
        "class",
        "no class",
        "mode",
        "fewest modes",
        "other modes",
        "kept",
        "mine",
        "labels",
        "named",
    ],
)
def test_a_claim_gets_the_volume_that_suits_it_best(world, volumes, asked, wanted) -> None:
    for made in volumes:
        world.create(made)
    world.create(asked)
    world.settle()
    assert bound(world) == ({} if wanted is None else {"c": wanted})
    assert world.decisions() == []


def test_a_binding_is_written_on_both_sides(world) -> None:
    world.create(volume(size="3Gi"))
    world.create(claim())
    world.settle()
    found, mine = world.get(VOLUMES, "v", ""), world.get(CLAIMS, "c")
    ref = found["spec"]["claimRef"]
    assert (ref["namespace"], ref["name"], ref["uid"]) == ("default", "c", mine["metadata"]["uid"])
    assert found["metadata"]["annotations"] == {"pv.kubernetes.io/bound-by-controller": "yes"}
    assert mine["metadata"]["annotations"] == {
        "pv.kubernetes.io/bind-completed": "yes",
        "pv.kubernetes.io/bound-by-controller": "yes",
    }
    assert mine["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "3Gi"}}


@pytest.mark.parametrize(
    ("made", "asked", "event"),
    [
        ([], claim(cls=""), ("Normal", "FailedBinding", "no persistent volumes available for this claim and no")),
        ([], claim(), ("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "x" not found')),
        (
            [storage_class(provisioner="kubernetes.io/no-provisioner")],
            claim(),
            ("Warning", "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner"),
        ),
        ([storage_class()], claim(), ("Normal", "ExternalProvisioning", "Waiting for a volume to be created either")),
        (
            [storage_class(mode="WaitForFirstConsumer")],
            claim(),
            ("Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding"),
        ),
        (
            [volume(size="1Mi")],
            claim(volumeName="v"),
            ("Warning", "VolumeMismatch", 'Cannot bind to requested volume "v": requested PV is too small'),
        ),
        (
            [volume(cls="y")],
            claim(volumeName="v"),
            ("Warning", "VolumeMismatch", 'Cannot bind to requested volume "v": storageClassName does not match'),
        ),
        (
            [volume(claimRef={"namespace": "default", "name": "other", "uid": "u"})],
            claim(volumeName="v"),
            ("Warning", "FailedBinding", 'volume "v" already bound to a different claim.'),
        ),
    ],
    ids=["no class", "class gone", "no provisioner", "external", "waits", "too small", "class", "taken"],
)
def test_an_open_claim_says_once_what_it_waits_for(world, made, asked, event) -> None:
    for obj in made:
        world.create(obj)
    world.create(asked)
    world.settle()
    (one,) = said(world)
    assert (one[:2], one[2].startswith(event[2])) == (event[:2], True)
    world.client.patch(CLAIMS, Key("default", "c"), {"metadata": {"labels": {"again": "1"}}})
    world.settle()
    assert [event["count"] for event in world.client.list("events").items] == [1]


def test_a_claim_is_handed_to_the_provisioner_of_its_class_or_its_csi_successor(world) -> None:
    world.create(storage_class())
    world.create(storage_class("old", provisioner="kubernetes.io/gce-pd"))
    world.create(claim("c"))
    world.create(claim("d", cls="old"))
    world.settle()
    for name, wanted in (("c", "csi.example.com"), ("d", "pd.csi.storage.gke.io")):
        notes = world.get(CLAIMS, name)["metadata"]["annotations"]
        assert notes["volume.kubernetes.io/storage-provisioner"] == wanted
        assert notes["volume.beta.kubernetes.io/storage-provisioner"] == wanted


def test_what_came_after_a_claim_is_seen_at_the_next_look_at_open_claims(world) -> None:
    world.create(claim())
    world.settle()
    world.pass_time(20)
    world.create(volume())
    world.settle()
    assert (bound(world), phases(world)) == ({}, {"v": "Available"})
    world.pass_time(9)
    assert bound(world) == {}
    world.pass_time(2)
    assert bound(world) == {"c": "v"}


def test_a_default_class_that_comes_later_is_given_to_claims_that_name_none(world) -> None:
    world.create(claim(cls=None))
    world.create(claim("wants-none", cls=""))
    world.settle()
    world.create(storage_class("std", annotations={"storageclass.kubernetes.io/is-default-class": "true"}))
    world.settle()
    world.pass_time(15)
    assert world.get(CLAIMS, "c")["spec"]["storageClassName"] == "std"
    assert world.get(CLAIMS, "wants-none")["spec"]["storageClassName"] == ""


@pytest.mark.parametrize(
    ("spec", "phase", "message"),
    [
        ({}, "Released", None),
        (
            {"persistentVolumeReclaimPolicy": "Delete"},
            "Failed",
            "host_path deleter only supports /tmp/.+ but received provided /x",
        ),
        ({"persistentVolumeReclaimPolicy": "Delete", "hostPath": {"path": "/tmp/x"}}, None, None),
        (
            {"persistentVolumeReclaimPolicy": "Delete", "nfs": {"server": "s", "path": "/"}},
            "Failed",
            'error getting deleter volume plugin for volume "v": no deletable volume plugin matched',
        ),
        ({"persistentVolumeReclaimPolicy": "Recycle", "nfs": {"server": "s", "path": "/"}}, "Available", None),
        (
            {"persistentVolumeReclaimPolicy": "Recycle", "csi": {"driver": "d", "volumeHandle": "h"}},
            "Failed",
            "No recycler plugin found for the volume!",
        ),
    ],
    ids=["retain", "delete", "delete in /tmp", "nothing deletes it", "recycle", "nothing recycles it"],
)
def test_a_volume_whose_claim_is_gone_is_reclaimed_by_its_policy(world, spec, phase, message) -> None:
    if "Recycle" in spec.values() and "csi" in spec:
        spec = {**spec, "persistentVolumeReclaimPolicy": "Retain"}
    world.create(volume(**spec))
    world.create(claim())
    world.settle()
    if message == "No recycler plugin found for the volume!":
        world.client.patch(VOLUMES, Key("", "v"), {"spec": {"persistentVolumeReclaimPolicy": "Recycle"}})
    world.client.patch(CLAIMS, Key("default", "c"), {"metadata": {"finalizers": None}})
    world.client.delete(CLAIMS, Key("default", "c"))
    world.settle()
    if phase == "Available":
        assert phases(world) == {"v": "Released"}
    world.pass_time(10)
    for finalizer_of in world.client.list(VOLUMES).items:
        if finalizer_of["metadata"].get("deletionTimestamp"):
            world.client.patch(VOLUMES, Key("", "v"), {"metadata": {"finalizers": None}})
    assert phases(world) == ({} if phase is None else {"v": phase})
    if phase is not None:
        assert world.get(VOLUMES, "v", "")["status"].get("message") == message
    assert world.decisions() == []


def test_a_claim_whose_volume_is_gone_is_lost(world) -> None:
    world.create(volume())
    world.create(claim())
    world.settle()
    world.client.patch(VOLUMES, Key("", "v"), {"metadata": {"finalizers": None}})
    world.client.delete(VOLUMES, Key("", "v"))
    world.settle()
    assert world.get(CLAIMS, "c")["status"] == {"phase": "Lost"}
    assert [reason for _, reason, _ in said(world)] == ["ClaimLost"]


def test_an_ephemeral_volume_has_a_claim_that_is_its_pods(world) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": claim()["spec"]}
    spec = {
        "containers": [{"name": "c", "image": "a"}],
        "volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}],
    }
    world.create(claim("q-v"))
    world.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": "default"}}
    )
    for name in ("p", "q"):
        world.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
        )
    world.settle()
    made = world.get(CLAIMS, "p-v")["metadata"]
    assert made["labels"] == {"a": "b"}
    assert [(r["kind"], r["name"], r["controller"]) for r in made["ownerReferences"]] == [("Pod", "p", True)]
    assert said(world, "q")[0][1:] == (
        "FailedBinding",
        "ephemeral volume v: PVC default/q-v was not created for pod default/q (pod is not owner)",
    )
    assert world.decisions() == []


def test_a_claim_that_wants_to_grow_is_somebody_elses_business(world) -> None:
    world.create({**storage_class(provisioner="kubernetes.io/no-provisioner"), "allowVolumeExpansion": True})
    world.create(volume(size="2Gi"))
    world.create(claim())
    world.settle()
    for size, events in (("2Gi", []), ("3Gi", ["ExternalExpanding"])):
        world.client.patch(CLAIMS, Key("default", "c"), {"spec": {"resources": {"requests": {"storage": size}}}})
        world.settle()
        assert [reason for _, reason, _ in said(world)] == events
