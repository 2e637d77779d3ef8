"""The leaf of each blocker: what is at the bottom, and the chain that leads to it."""

from __future__ import annotations

from typing import Any

import pytest

from kctl import ControlPlane
from kctl.plan.leaves import leaf_of

Obj = dict[str, Any]

MESSAGES = {
    ("FailedMount", 'MountVolume.SetUp failed for volume "v" : secret "jwt" not found'): ("secret", "secret/jwt"),
    ("CreateContainerConfigError", 'configmap "conf" not found'): ("configmap", "configmap/conf"),
    ("CreateContainerConfigError", "couldn't find key a in Secret default/keys"): ("secret", "secret/keys"),
    ("NoStorageClass", 'persistentvolumeclaim/d: no volume fits it, and StorageClass "fast" does not exist'): (
        "storageclass",
        "storageclass.storage.k8s.io/fast",
    ),
    ("Unschedulable", '0/1 nodes are available: persistentvolumeclaim "d" not found.'): (
        "volume",
        "persistentvolumeclaim/d",
    ),
    ("FailedCreate", 'pods "a" is forbidden: exceeded quota: q, requested: pods=1'): ("quota", "resourcequota/q"),
    ("FailedCreate", 'pods "a" is forbidden: violates PodSecurity "restricted:latest": x'): ("podsecurity", ""),
    ("FailedCreate", 'pods "a" is forbidden: error looking up service account n/x: serviceaccount "x" not found'): (
        "serviceaccount",
        "serviceaccount/x",
    ),
    ("Refused", 'admission webhook "a.b.c" denied the request: no'): ("webhook", "webhook a.b.c"),
    ("Refused", "deployments.apps \"a\" is forbidden: ValidatingAdmissionPolicy 'few' with binding 'b' denied"): (
        "policy",
        "validatingadmissionpolicy.admissionregistration.k8s.io/few",
    ),
    ("ImagePullBackOff", 'Back-off pulling image "a:1": ErrImagePull'): ("image", "a:1"),
    ("CrashLoopBackOff", "back-off 5m0s restarting failed container=c pod=p"): ("container", ""),
    ("NodeTainted", 'node "n1" has the NoExecute taint a'): ("node", "node/n1"),
    ("Terminating", "waits for its finalizers: example.com/hold"): ("finalizer", "example.com/hold"),
    ("SyncLoadBalancerFailed", "Error syncing load balancer: quota"): ("cloud", ""),
    ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"): ("gate", ""),
}


@pytest.mark.parametrize(("said", "leaf"), MESSAGES.items(), ids=[reason for reason, _ in MESSAGES])
def test_a_message_says_what_is_to_blame(said: tuple[str, str], leaf: tuple[str, str]) -> None:
    found = leaf_of({"reason": said[0], "message": said[1]})
    assert (found["kind"], found["object"]) == leaf


def workload(kind: str, name: str, replicas: int, **container: Any) -> Obj:
    made = {"name": "c", "image": "example/c:1", **container}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [made]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template, "replicas": replicas}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


def test_a_missing_secret_is_the_leaf_below_deployment_replicaset_and_pod() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        cp.client.create(
            "deployments.apps", workload("Deployment", "web", 2, envFrom=[{"secretRef": {"name": "absent"}}])
        )
        report = cp.converge()
        [entry] = report["residual"]
        assert (entry["count"], entry["leaf"]) == (2, {"kind": "secret", "object": "secret/absent"})
        [top, rs, pod, leaf] = entry["chain"]
        assert (top, leaf) == ("deployment.apps/web", "secret/absent")
        assert (rs.split("/")[0], pod.split("/")[0]) == ("replicaset.apps", "pod")
        assert report["verdict"] == "Settled"


def test_pods_that_fit_nowhere_say_how_much_is_missing_and_what_would_help() -> None:
    with ControlPlane.open(None, nodes=2) as cp:
        cp.client.create("deployments.apps", workload("Deployment", "web", 3, resources={"requests": {"cpu": "3"}}))
        [entry] = cp.converge()["residual"]
        assert entry["leaf"]["kind"] == "capacity"
        assert entry["why"] == "2 Insufficient cpu (short 2)"
        assert entry["fix"] == "2 nodes pass with 2 less cpu requested (container c: 3 -> 1)"


def test_a_stateful_set_whose_pods_are_refused_is_a_blocker_with_its_quota() -> None:
    with ControlPlane.open(None, nodes=1) as cp:
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": "default"}}
        cp.client.create("resourcequotas", {**quota, "spec": {"hard": {"pods": "0"}}})
        cp.converge()
        cp.client.create("statefulsets.apps", workload("StatefulSet", "db", 1))
        report = cp.converge()
        leaves = {entry["leaf"]["object"] for entry in report["residual"]}
        assert leaves == {"resourcequota/none"}
        assert report["verdict"] == "Settled"
