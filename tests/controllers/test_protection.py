"""What is kept while it is used, and what goes when its time is over."""

from __future__ import annotations

from typing import Any

import pytest

from kctl.api.clock import rfc3339
from kctl.api.objects import Key
from kctl.controllers.pvcprotection import uses

CLAIMS, VOLUMES, JOBS = "persistentvolumeclaims", "persistentvolumes", "jobs.batch"
CLAIM = Key("default", "data")


def claim() -> Any:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    meta = {"name": "data", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def pod(node="n1", name="p") -> Any:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {"containers": [{"name": "c", "image": "a"}], "volumes": [volume], **({"nodeName": node} if node else {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def test_a_claim_in_use_goes_with_the_last_pod_that_uses_it(world):
    world.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}})
    world.create(claim())
    for name in ("p", "q"):
        world.create(pod(name=name))
    world.settle()
    world.client.delete(CLAIMS, CLAIM)
    for name in ("p", "q"):
        world.settle()
        assert world.names(CLAIMS) == ["data"]
        world.client.delete("pods", Key("default", name), grace=0)
    world.settle()
    assert world.names(CLAIMS) == []


@pytest.mark.parametrize("user", [None, pod(node="")], ids=["nobody", "a pod that is not bound"])
def test_a_claim_that_is_not_in_use_goes_at_once(world, user):
    world.create(claim())
    if user:
        world.create(user)
    world.client.delete(CLAIMS, CLAIM)
    world.settle()
    assert world.names(CLAIMS) == []


def test_a_finalizer_taken_off_by_hand_comes_back(world):
    world.create(claim())
    world.client.patch(CLAIMS, CLAIM, {"metadata": {"finalizers": None}})
    world.settle()
    assert world.get(CLAIMS, "data")["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert world.decisions() == []


def test_a_namespace_with_claims_can_be_deleted(world):
    world.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})
    made = claim()
    made["metadata"]["namespace"] = "x"
    world.create(made)
    world.settle()
    world.client.delete("namespaces", Key("", "x"))
    world.pass_time(30)
    assert "x" not in world.names("namespaces", "")


@pytest.mark.parametrize(
    ("owner", "grace", "wanted"), [("u", None, True), ("other", None, False), ("u", 30, True), ("u", 0, False)]
)
def test_a_claim_made_for_a_pod_is_used_until_the_pod_is_shut_down(owner, grace, wanted):
    meta = {"name": "p", "uid": "u"}
    if grace is not None:
        meta |= {"deletionTimestamp": rfc3339(0), "deletionGracePeriodSeconds": grace}
    user = {"metadata": meta, "spec": {"nodeName": "n1", "volumes": [{"name": "v", "ephemeral": {}}]}}
    refs = [{"kind": "Pod", "name": "p", "uid": owner, "controller": True}]
    assert uses(user, {"metadata": {"name": "p-v", "ownerReferences": refs}}) is wanted


@pytest.mark.parametrize(("phase", "left"), [("Bound", ["pv"]), ("Available", []), ("Released", [])])
def test_a_volume_stays_while_it_is_bound(make_world, phase, left):
    world = make_world(("persistentvolume-protection-controller",))
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
    made = world.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec})
    world.client.update(VOLUMES, {**made, "status": {"phase": phase}}, subresource="status")
    world.settle()
    world.client.delete(VOLUMES, Key("", "pv"))
    world.settle()
    assert world.names(VOLUMES, "") == left
    if left:
        world.client.patch(VOLUMES, Key("", "pv"), {"status": {"phase": "Released"}}, subresource="status")
        world.settle()
        assert world.names(VOLUMES, "") == []


@pytest.mark.parametrize("user", ["claim", "volume"])
def test_a_volume_attributes_class_stays_while_somebody_names_it(world, user):
    vacs = "volumeattributesclasses.storage.k8s.io"
    made = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttributesClass", "metadata": {"name": "fast"}}
    world.create({**made, "driverName": "d", "parameters": {"iops": "1"}})
    named = {"volumeAttributesClassName": "fast"}
    if user == "claim":
        world.create({**claim(), "spec": {**claim()["spec"], **named}})
    else:
        spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **named}
        source = {"csi": {"driver": "d", "volumeHandle": "h"}}
        head = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"}}
        world.create({**head, "spec": {**spec, **source}})
    world.settle()
    assert world.get(vacs, "fast", "")["metadata"]["finalizers"] == ["kubernetes.io/vac-protection"]
    world.client.delete(vacs, Key("", "fast"))
    world.settle()
    assert world.names(vacs, "") == ["fast"]
    resource, key = (CLAIMS, CLAIM) if user == "claim" else (VOLUMES, Key("", "pv"))
    world.client.delete(resource, key)
    world.settle()
    assert world.names(vacs, "") == []
    assert world.decisions() == []


@pytest.mark.parametrize("outcome", ["Complete", "Failed"])
def test_a_finished_job_goes_when_its_time_is_over(world, outcome):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "a"}]}}
    spec = {"template": template, "ttlSecondsAfterFinished": 100, "suspend": True}
    meta = {"name": "j", "namespace": "default"}
    world.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
    world.pass_time(200)
    assert world.names(JOBS) == ["j"]
    at = rfc3339(world.clock.now())
    earlier = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}[outcome]
    conditions = [
        {"type": type_, "status": "True", "lastProbeTime": at, "lastTransitionTime": at} for type_ in (earlier, outcome)
    ]
    job = world.get(JOBS, "j")
    status = {**(job.get("status") or {}), "startTime": at, "conditions": conditions}
    if outcome == "Complete":
        status["completionTime"] = at
    world.client.update(JOBS, {**job, "status": status}, subresource="status")
    world.pass_time(99)
    assert world.names(JOBS) == ["j"]
    world.pass_time(1)
    assert world.names(JOBS) == []
