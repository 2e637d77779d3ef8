"""The fast way decides as the plain way: same node, same scores, same refusals, on random clusters."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kctl.client.client import WatchEvent
from kctl.scheduler.cluster import Change, ChangeLog, Cluster
from kctl.scheduler.framework import Outcome
from kctl.scheduler.kernel import Kernel, Placed
from kctl.scheduler.plugins.node_resources_fit import NodeResourcesFit
from kctl.scheduler.podinfo import PodInfo
from kctl.scheduler.profile import default_profile

Obj = dict[str, Any]
ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"


def random_node(rng: random.Random, name: str) -> Obj:
    labels: Obj = {}
    if rng.random() < 0.9:
        labels[HOST] = name
    if rng.random() < 0.85:
        labels[ZONE] = rng.choice("abc")
    if rng.random() < 0.3:
        labels["disk"] = rng.choice(("ssd", "hdd"))
    spec: Obj = {}
    effects = ["NoSchedule", "PreferNoSchedule", "PreferNoSchedule"]
    if rng.random() < 0.3:
        spec["taints"] = [{"key": k, "effect": rng.choice(effects)} for k in rng.sample("xyz", rng.randint(1, 2))]
    if rng.random() < 0.05:
        spec["unschedulable"] = True
    cpu, memory, pods = rng.choice(("2", "4", "8")), rng.choice(("4Gi", "8Gi")), rng.choice(("3", "110"))
    allocatable = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "10Gi"}
    if rng.random() < 0.2:
        allocatable["example.com/gpu"] = "2"
    images = [{"names": [f"app:{rng.randint(1, 2)}"], "sizeBytes": rng.choice((50, 300, 700)) * 1024 * 1024}]
    meta = {"name": name, "uid": f"uid-{name}", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}
    status = {"allocatable": allocatable, "images": images if rng.random() < 0.3 else []}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": status}


def random_template(rng: random.Random, n: int) -> tuple[Obj, Obj]:
    """Return labels with an owner, and a spec."""
    labels = {"app": rng.choice("pqr")}
    requests: Obj = {}
    if rng.random() < 0.8:
        requests = {"cpu": rng.choice(("50m", "300m", "1")), "memory": rng.choice(("64Mi", "1Gi"))}
    if rng.random() < 0.1:
        requests["example.com/gpu"] = "1"
    container: Obj = {"name": "c", "image": f"app:{rng.randint(1, 2)}", "resources": {"requests": requests}}
    if rng.random() < 0.1:
        container["ports"] = [{"containerPort": 80, "hostPort": 8080}]
    spec: Obj = {"containers": [container]}
    if rng.random() < 0.4:
        operators = ["NoSchedule", "PreferNoSchedule", ""]
        spec["tolerations"] = [{"key": rng.choice("xyz"), "operator": "Exists", "effect": rng.choice(operators)}]
    if rng.random() < 0.15:
        spec["nodeSelector"] = {"disk": "ssd"}
    if rng.random() < 0.3:
        wish = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["hdd"]}]}
        spec["affinity"] = {
            "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "preference": wish}]}
        }
    if rng.random() < 0.35:
        spec["topologySpreadConstraints"] = [random_constraint(rng, labels) for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.05:
        term = {"topologyKey": HOST, "labelSelector": {"matchLabels": labels}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    meta: Obj = {"labels": labels}
    if rng.random() < 0.7:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"rs-{n}", "uid": f"rs-{n}", "controller": True}
        meta["ownerReferences"] = [owner]
    return meta, spec


def random_constraint(rng: random.Random, labels: Obj) -> Obj:
    soft = rng.random() < 0.85
    constraint: Obj = {
        "topologyKey": rng.choice((ZONE, HOST, "disk")),
        "maxSkew": rng.randint(1, 3),
        "whenUnsatisfiable": "ScheduleAnyway" if soft else "DoNotSchedule",
        "labelSelector": rng.choice(({"matchLabels": labels}, {}, None)),
    }
    if rng.random() < 0.3:
        constraint["nodeTaintsPolicy"] = "Honor"
    return {name: value for name, value in constraint.items() if value is not None}


class World:
    """A cluster that changes at random, and its kernel."""

    def __init__(self, seed: int, new_cluster: Any) -> None:
        self.rng = rng = random.Random(seed)
        self.nodes = [random_node(rng, f"n{n}") for n in range(rng.randint(1, 12))]
        templates = range(rng.randint(1, 4))
        self.templates = [random_template(rng, n) for n in templates]
        sets = [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {"name": f"rs-{n}", "namespace": "default"},
                "spec": {"replicas": 1 + n, "selector": {"matchLabels": self.templates[n][0]["labels"]}},
            }
            for n in templates
        ]
        self.cluster: Cluster = new_cluster(self.nodes, (), replicasets_apps=sets)
        self.framework = default_profile()
        self.kernel = Kernel(self.framework)
        self.number = 0
        self.made: list[tuple[Placed, Outcome]] = []

    def schedule(self) -> None:
        """Decide for one pod both ways."""
        meta, spec = self.rng.choice(self.templates)
        for _ in range(self.rng.randint(1, 4)):
            self.number += 1
            name = f"p{self.number}"
            obj = {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **meta},
                "spec": spec,
                "status": {},
            }
            pod = PodInfo(obj)
            plain = self.framework.schedule(self.cluster, pod)
            placed = self.kernel.schedule(self.cluster, pod)
            if placed is not None:
                self.made.append((placed, plain))
                assert placed.node == plain.node
                assert placed.recall() == plain
                assert list(placed.recall().scores) == list(plain.scores)
            if plain.node:
                self.cluster.place(pod, plain.node)

    def disturb(self) -> None:
        """Change something behind the scheduler's back."""
        rng, cluster = self.rng, self.cluster
        kind = rng.randint(0, 5)
        keys = sorted(cluster.pods)
        if kind == 0 and keys:
            cluster.remove_pod(rng.choice(keys))
        elif kind == 1 and keys:
            pod = cluster.pods[rng.choice(keys)]
            meta = {**pod.obj["metadata"], "labels": {"app": rng.choice("pqr"), ZONE: "a"}}
            if rng.random() < 0.3:
                meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            cluster.put_pod({**pod.obj, "metadata": meta, "spec": {**pod.spec, "nodeName": pod.node_name}})
        elif kind == 2:
            cluster.put_node(random_node(rng, f"n{rng.randint(0, 12)}"))
        elif kind == 3 and len(cluster.tree) > 1:
            cluster.remove_node(rng.choice([node.name for node in cluster.order()]))
        elif kind == 4:
            service = {"metadata": {"name": f"s{rng.randint(0, 1)}", "namespace": "default"}, "spec": {}}
            service["spec"]["selector"] = {"app": rng.choice("pqr")}
            cluster.caches["services"].deliver(WatchEvent("ADDED", "services", service, None))


@pytest.mark.parametrize("block", range(6))
def test_every_decision_equals_the_plain_one(block: int, cluster: Any) -> None:
    fast = 0
    for seed in range(block * 25, block * 25 + 25):
        world = World(seed, cluster)
        for _ in range(25):
            world.schedule()
            if world.rng.random() < 0.3:
                world.disturb()
        fast += len(world.made)
        assert all(placed.recall() == plain for placed, plain in world.made)  # also after the world moved on
    assert fast > 300  # or nothing was compared


def test_the_first_pod_of_a_class_is_decided_plainly(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node("a"), node("b")])
    kernel = Kernel(default_profile())
    first, second = PodInfo(pod("p", cpu="1")), PodInfo(pod("q", cpu="1"))
    assert kernel.schedule(world, first) is None
    assert kernel.schedule(world, second) is not None


def test_pods_that_fit_nowhere_are_left_to_the_plain_way(cluster: Any, node: Any, pod: Any) -> None:
    world = cluster([node("a")])
    kernel = Kernel(default_profile())
    for name in "pq":
        assert kernel.schedule(world, PodInfo(pod(name, cpu="100"))) is None


def test_a_log_that_dropped_changes_says_so() -> None:
    log = ChangeLog()
    for n in range(ChangeLog.LIMIT + 1):
        log.note(Change(f"n{n}", "", {}, 0))
    assert log.since(0) is None
    assert [change.node for change in log.since(log.end - 1) or ()] == [f"n{ChangeLog.LIMIT}"]


def test_nodes_in_one_state_are_judged_once(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    score = NodeResourcesFit.score

    def counted(self: NodeResourcesFit, cycle: Any, node: Any) -> int:
        judged.append(node.name)
        return score(self, cycle, node)

    monkeypatch.setattr(NodeResourcesFit, "score", counted)
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    nodes = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"n{n}", "uid": f"u{n}", "labels": {HOST: f"n{n}", ZONE: "abc"[n % 3]}},
            "spec": {"unschedulable": True} if n == 7 else {},
            "status": {"allocatable": {**allocatable, "pods": "3"} if n % 10 == 0 else allocatable},
        }
        for n in range(60)
    ]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "rs", "controller": True}
    sets = [
        {"metadata": {"name": "rs", "namespace": "default"}, "spec": {"replicas": 5, "selector": {"matchLabels": {}}}}
    ]
    pod = {
        "metadata": {
            "name": "p",
            "namespace": "default",
            "uid": "p",
            "labels": {"app": "x"},
            "ownerReferences": [owner],
        },
        "spec": {"containers": [{"name": "c", "image": "app:1"}]},
    }
    placed = Kernel(default_profile()).schedule(cluster(nodes, (), replicasets_apps=sets), PodInfo(pod))
    assert placed is not None
    assert len(judged) == 2
