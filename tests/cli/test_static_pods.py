"""Static pods of ``kctl.yaml``, as a user meets them."""

from __future__ import annotations

from typing import Any

SHAPE = """
apiVersion: kctl.dev/v1
kind: Cluster
metadata: {name: c}
spec:
  nodeGroups:
    - {name: cp, count: 2, staticPods: [%s]}
    - {name: w, count: 1}
"""
ETCD = """
apiVersion: v1
kind: Pod
metadata: {name: etcd, namespace: kube-system}
spec:
  priorityClassName: system-node-critical
  containers:
    - name: etcd
      image: example/etcd:3
      resources: {requests: {cpu: %s}}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example/web:1", resources: {requests: {cpu: 2}}}]}
"""


def pods(kctl: Any, *flags: str) -> dict[str, Any]:
    return {pod["metadata"]["name"]: pod for pod in kctl("get", "pods", *flags, "-o", "json").json()["items"]}


def test_machines_bring_their_pods_and_the_scheduler_counts_them(kctl: Any) -> None:
    kctl.write("kctl.yaml", SHAPE % "static")
    kctl.write("static/etcd.yaml", ETCD % "3")
    kctl.write("web.yaml", WEB)
    ran = kctl("apply", "-f", "web.yaml", code=None)
    assert "kube-system/pod/etcd-cp-1: +1 pod etcd-cp-1 on 1 node" in ran.out
    assert set(pods(kctl, "-n", "kube-system")) == {"etcd-cp-1", "etcd-cp-2"}
    assert [pod["spec"].get("nodeName") for pod in pods(kctl).values()].count("w-1") == 2
    assert "Insufficient cpu" in ran.out


def test_a_changed_file_is_another_pod_and_a_drain_leaves_it(kctl: Any) -> None:
    kctl.write("kctl.yaml", SHAPE % "etcd.yaml")
    kctl.write("etcd.yaml", ETCD % "1")
    kctl.write("web.yaml", WEB)
    kctl("apply", "-f", "web.yaml", code=None)
    kctl("drain", "cp-1")
    assert "etcd-cp-1" in pods(kctl, "-n", "kube-system")
    kctl.write("etcd.yaml", ETCD % "2")
    assert "other static pods" in kctl("label", "node", "cp-1", "x=y").err
    kctl("apply", "-f", "web.yaml", code=None)
    found = pods(kctl, "-n", "kube-system")["etcd-cp-1"]
    assert found["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "2"
    node = kctl("get", "node", "cp-1", "-o", "json").json()
    assert node["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"


def test_mistakes_are_named_by_the_line_of_their_file(kctl: Any) -> None:
    kctl.write("kctl.yaml", SHAPE % "etcd.yaml, gone.yaml")
    kctl.write("etcd.yaml", ETCD % "much" + "  serviceAccountName: a\n")
    kctl.write("web.yaml", WEB)
    ran = kctl("plan", "-f", "web.yaml", code=None)
    assert ran.code == 1
    assert "kctl.yaml:7: Cluster: spec.nodeGroups[0].staticPods[1]" in ran.err
    assert "etcd.yaml:10: static pod: spec.containers[0].resources.requests" in ran.err
    kctl.write("kctl.yaml", SHAPE % "etcd.yaml")
    kctl.write("etcd.yaml", ETCD % "1" + "  serviceAccountName: a\n")
    ran = kctl("plan", "-f", "web.yaml", code=None)
    assert "etcd.yaml:11: static pod: spec.serviceAccountName: Forbidden: static pods may not reference" in ran.err
