"""A tenth of a large cluster vanishes: what fits is placed again, budgets hold, the rest is explained."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
NODES = 1000
LOST = NODES // 10
SHAPE = """
apiVersion: kctl.dev/v1
kind: Cluster
spec:
  nodeGroups: [{name: node, count: %d, type: "4cpu,16Gi"}]
"""
PRIORITIES = """
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: %s}
value: %d
---
"""
WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s}
spec:
  replicas: %(replicas)d
  selector: {matchLabels: {app: %(name)s}}
  template:
    metadata: {labels: {app: %(name)s}}
    spec:
      priorityClassName: %(priority)s
      terminationGracePeriodSeconds: 5
      containers: [{name: c, image: example/app:1, resources: {requests: {cpu: %(cpu)d}}}]
---
"""
BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: guarded}
spec: {maxUnavailable: 0, selector: {matchLabels: {app: guarded}}}
"""
# 4000 CPUs: 2000 for the critical, 500 for the guarded, 1400 for the spare ones.
WANTED = {"critical": (NODES, 2, "high"), "guarded": (NODES // 2, 1, "mid"), "spare": (NODES * 14 // 10, 1, "low")}


def running(kctl: Any) -> tuple[Counter[str], Counter[str], set[str]]:
    """Return the running and the pending pods by workload, and the nodes that pods are on."""
    pods = json.loads(kctl("get", "pods", "-o", "json").out)["items"]
    app = {pod["metadata"]["name"]: pod["metadata"]["labels"]["app"] for pod in pods}
    up = [pod for pod in pods if pod["status"]["phase"] == "Running"]
    waiting = [pod for pod in pods if not pod["spec"].get("nodeName")]
    assert len(up) + len(waiting) == len(pods)
    of = (Counter(app[pod["metadata"]["name"]] for pod in found) for found in (up, waiting))
    return (*of, {pod["spec"]["nodeName"] for pod in up})


def test_a_tenth_of_the_nodes_vanishes(kctl: Any) -> None:
    manifests = "".join(PRIORITIES % row for row in (("low", -10), ("mid", 0), ("high", 1000)))
    for name, (replicas, cpu, priority) in WANTED.items():
        manifests += WORKLOAD % {"name": name, "replicas": replicas, "cpu": cpu, "priority": priority}
    Path(kctl.folder, "kctl.yaml").write_text(SHAPE % NODES)
    Path(kctl.folder, "all.yaml").write_text(manifests + BUDGET)
    kctl("apply", "-f", "all.yaml")
    assert running(kctl)[0] == {name: replicas for name, (replicas, _, _) in WANTED.items()}

    Path(kctl.folder, "kctl.yaml").write_text(SHAPE % (NODES - LOST))
    report = kctl("apply", "-f", "all.yaml", "-o", "json", code=3).json()

    up, waiting, places = running(kctl)
    left = {node["metadata"]["name"] for node in json.loads(kctl("get", "nodes", "-o", "json").out)["items"]}
    assert len(left) == NODES - LOST
    assert places <= left
    # What fits is placed again, the more important first; there is room for 3600 CPUs.
    room = 4 * (NODES - LOST) - 2 * NODES - NODES // 2
    assert up == {"critical": NODES, "guarded": NODES // 2, "spare": room}
    assert waiting == {"spare": NODES * 14 // 10 - room}
    # Nobody whom a budget protects had to go for the others: spare pods went instead.
    events = json.loads(kctl("get", "events", "-o", "json").out)["items"]
    preempted = {event["involvedObject"]["name"] for event in events if event["reason"] == "Preempted"}
    assert preempted
    assert {name.partition("-")[0] for name in preempted} == {"spare"}
    budget = json.loads(kctl("get", "pdb", "guarded", "-o", "json").out)["status"]
    assert (budget["currentHealthy"], budget["desiredHealthy"]) == (NODES // 2, NODES // 2)
    # The rest is explained, in one line for all.
    told = [entry for entry in report["residual"] if entry["owner"] == "deployment.apps/spare"]
    assert sum(entry["count"] for entry in told if entry["reason"] == "Unschedulable") == waiting["spare"]
    assert all(f"0/{NODES - LOST} nodes are available: {NODES - LOST} Insufficient cpu." in e["message"] for e in told)
