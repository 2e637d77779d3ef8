"""Random clusters with every feature the scheduler looks at, for the comparison of its two ways.

In: a seed. Out: nodes, templates of pods, services, workloads, budgets, and disturbances from outside. Small
on purpose: ties, full nodes, missing labels and shared values happen all the time.
"""

from __future__ import annotations

import random
from typing import Any

Obj = dict[str, Any]
ZONE, HOST, RACK = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"
NAMESPACES = {"default": {}, "team-a": {"env": "prod", "tier": "web"}, "team-b": {"env": "dev", "tier": "web"}}
MIB = 1024 * 1024


def node(rng: random.Random, name: str) -> Obj:
    """Return a node."""
    labels: Obj = {}
    if rng.random() < 0.93:
        labels[HOST] = name if rng.random() < 0.97 else "shared"
    if rng.random() < 0.85:
        labels[ZONE] = rng.choice("abc")
    if rng.random() < 0.5:
        labels[RACK] = rng.choice("123456")
    if rng.random() < 0.4:
        labels["disk"] = rng.choice(("ssd", "hdd"))
    if rng.random() < 0.2:
        labels["size"] = str(rng.randint(1, 9))
    spec: Obj = {}
    effects = ["NoSchedule", *["PreferNoSchedule"] * 4, "NoExecute"]
    if rng.random() < 0.25:
        spec["taints"] = [{"key": k, "effect": rng.choice(effects)} for k in rng.sample("xyz", rng.randint(1, 2))]
    if rng.random() < 0.05:
        spec["unschedulable"] = True
    allocatable = {
        "cpu": rng.choice(("2", "4", "7900m")),
        "memory": rng.choice(("3Gi", "4Gi", "8Gi", "0" if rng.random() < 0.1 else "6Gi")),
        "pods": rng.choice(("5", "110", "110")),
        "ephemeral-storage": rng.choice(("1Gi", "10Gi")),
    }
    if rng.random() < 0.25:
        allocatable["example.com/gpu"] = rng.choice(("1", "2"))
    if rng.random() < 0.1:
        allocatable["hugepages-2Mi"] = "64Mi"
    images = [{"names": [f"app:{rng.randint(1, 2)}"], "sizeBytes": rng.choice((50, 300, 700)) * MIB}]
    meta = {"name": name, "uid": f"uid-{name}", "labels": labels, "creationTimestamp": "2026-01-01T00:00:00Z"}
    status = {"allocatable": allocatable, "images": images if rng.random() < 0.2 else []}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": status}


class Template:
    """What pods are made from."""

    def __init__(self, rng: random.Random, number: int) -> None:
        self.namespace = rng.choice(("default", "default", *NAMESPACES))
        self.labels = {"app": rng.choice("pqr"), "hash": str(number)}
        if rng.random() < 0.3:
            self.labels["tier"] = rng.choice(("web", "db"))
        self.spec = pod_spec(rng, self.labels)
        self.owner: Obj | None = None
        if rng.random() < 0.6:
            kind = rng.choice((("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet"), ("v1", "ReplicationController")))
            name = f"w-{number}"
            self.owner = {"apiVersion": kind[0], "kind": kind[1], "name": name, "uid": name, "controller": True}

    def workload(self) -> tuple[str, Obj] | None:
        """Return the resource and the object of the pods' controller."""
        if self.owner is None:
            return None
        kind = self.owner["kind"]
        selector: Obj = {"app": self.labels["app"]}
        resource = {"ReplicaSet": "replicasets.apps", "StatefulSet": "statefulsets.apps"}.get(
            kind, "replicationcontrollers"
        )
        spec = {"replicas": 3, "selector": selector if kind == "ReplicationController" else {"matchLabels": selector}}
        return resource, {"metadata": {"name": self.owner["name"], "namespace": self.namespace}, "spec": spec}

    def pod(self, name: str, **status: Any) -> Obj:
        """Return a pod."""
        meta: Obj = {"name": name, "namespace": self.namespace, "uid": f"uid-{name}", "labels": self.labels}
        if self.owner is not None:
            meta["ownerReferences"] = [self.owner]
            if self.owner["kind"] == "StatefulSet":
                meta["labels"] = {**self.labels, "statefulset.kubernetes.io/pod-name": name}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": self.spec, "status": status}


def pod_spec(rng: random.Random, labels: Obj) -> Obj:
    """Return the spec of a pod; a third of them are hard to place."""
    requests: Obj = {}
    if rng.random() < 0.8:
        requests = {"cpu": rng.choice(("50m", "300m", "1", "0")), "memory": rng.choice(("64Mi", "700Mi"))}
    if rng.random() < 0.04:
        requests["cpu"] = "8"
    if rng.random() < 0.06:
        requests["example.com/gpu"] = rng.choice(("1", "0"))
    if rng.random() < 0.05:
        requests["ephemeral-storage"] = "800Mi"
    if rng.random() < 0.05:
        requests["hugepages-2Mi"] = "32Mi"
    container: Obj = {"name": "c", "image": f"app:{rng.randint(1, 2)}", "resources": {"requests": requests}}
    if rng.random() < 0.07:
        port = {"containerPort": 80, "hostPort": rng.choice((8080, 8081)), "protocol": rng.choice(("TCP", "UDP"))}
        container["ports"] = [{**port, "hostIP": "10.0.0.1"} if rng.random() < 0.3 else port]
    spec: Obj = {"containers": [container], "priority": rng.choice((0, 0, 0, 100, 1000))}
    if rng.random() < 0.15:
        side = {"name": "s", "resources": {"requests": {"cpu": "100m"}}}
        spec["initContainers"] = [{**side, "restartPolicy": "Always"} if rng.random() < 0.5 else side]
    if rng.random() < 0.05:
        spec["overhead"] = {"cpu": "30m"}
    if rng.random() < 0.05:
        spec["resources"] = {"requests": {"cpu": "200m"}}
    if rng.random() < 0.1:
        spec["preemptionPolicy"] = "Never"
    if rng.random() < 0.4:
        operators = ["NoSchedule", "PreferNoSchedule", ""]
        spec["tolerations"] = [{"key": rng.choice("xyz"), "operator": "Exists", "effect": rng.choice(operators)}]
    if rng.random() < 0.07:
        spec["nodeSelector"] = {"disk": "ssd"}
    if rng.random() < 0.05:
        spec["volumes"] = [{"name": "v", "image": {"reference": f"app:{rng.randint(1, 2)}"}}]
    return with_relations(rng, labels, spec)


def with_relations(rng: random.Random, labels: Obj, spec: Obj) -> Obj:
    """Return the spec with affinity and spreading, often without."""
    affinity = pod_affinity(rng, labels)
    node_affinity = of_nodes(rng)
    if node_affinity:
        affinity["nodeAffinity"] = node_affinity
    if affinity:
        spec["affinity"] = affinity
    if rng.random() < 0.4:
        spec["topologySpreadConstraints"] = [spread(rng, labels) for _ in range(rng.randint(1, 2))]
    return spec


def of_nodes(rng: random.Random) -> Obj:
    """Return a node affinity, often none."""
    found: Obj = {}
    if rng.random() < 0.12:
        expression = rng.choice(
            (
                {"key": "disk", "operator": "NotIn", "values": ["hdd"]},
                {"key": "size", "operator": "Gt", "values": ["3"]},
                {"key": ZONE, "operator": "In", "values": ["a", "b"]},
                {"key": RACK, "operator": "Exists"},
            )
        )
        terms: list[Obj] = [{"matchExpressions": [expression]}]
        if rng.random() < 0.2:
            names = [f"n{n}" for n in range(3)]
            terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": names[:1]}]}]
        found["requiredDuringSchedulingIgnoredDuringExecution"] = {"nodeSelectorTerms": terms}
    if rng.random() < 0.25:
        wish = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["hdd"]}]}
        other = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["a"]}]}
        found["preferredDuringSchedulingIgnoredDuringExecution"] = [
            {"weight": 7, "preference": wish},
            {"weight": rng.randint(1, 100), "preference": other},
        ]
    return found


def term(rng: random.Random, labels: Obj) -> Obj:
    """Return a PodAffinityTerm."""
    selector = rng.choice(
        (
            {"matchLabels": {"app": labels["app"]}},
            {"matchLabels": {"app": rng.choice("pqr")}},
            {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            {},
        )
    )
    found: Obj = {"topologyKey": rng.choice((HOST, HOST, ZONE, RACK)), "labelSelector": selector}
    if rng.random() < 0.2:
        found["namespaceSelector"] = rng.choice(({}, {"matchLabels": {"tier": "web"}}))
    elif rng.random() < 0.2:
        found["namespaces"] = ["team-a", "default"]
    return found


def pod_affinity(rng: random.Random, labels: Obj) -> Obj:
    """Return affinity and anti-affinity between pods, often none."""
    found: Obj = {}
    required, preferred = (f"{w}DuringSchedulingIgnoredDuringExecution" for w in ("required", "preferred"))
    for kind, often in (("podAffinity", 0.1), ("podAntiAffinity", 0.14)):
        part: Obj = {}
        if rng.random() < often:
            part[required] = [term(rng, labels) for _ in range(rng.choice((1, 1, 2)))]
        if rng.random() < often:
            wishes = [{"weight": rng.randint(1, 100), "podAffinityTerm": term(rng, labels)} for _ in range(2)]
            part[preferred] = wishes if rng.random() < 0.8 else [wishes[0], wishes[0]]
        if part:
            found[kind] = part
    return found


def spread(rng: random.Random, labels: Obj) -> Obj:
    """Return a spreading constraint."""
    soft = rng.random() < 0.65
    constraint: Obj = {
        "topologyKey": rng.choice((ZONE, HOST, RACK, "disk")),
        "maxSkew": rng.randint(1, 3),
        "whenUnsatisfiable": "ScheduleAnyway" if soft else "DoNotSchedule",
        "labelSelector": rng.choice(({"matchLabels": {"app": labels["app"]}}, {"matchLabels": dict(labels)}, {}, None)),
    }
    if rng.random() < 0.3:
        constraint["nodeTaintsPolicy"] = "Honor"
    if rng.random() < 0.2:
        constraint["nodeAffinityPolicy"] = "Ignore"
    if rng.random() < 0.2 and not soft:
        constraint["minDomains"] = rng.randint(1, 4)
    if rng.random() < 0.2:
        constraint["matchLabelKeys"] = ["hash"]
    return {name: value for name, value in constraint.items() if value is not None}


def service(rng: random.Random) -> Obj:
    """Return a service, which makes default constraints."""
    name = f"s{rng.randint(0, 2)}"
    meta = {"name": name, "namespace": rng.choice(tuple(NAMESPACES))}
    return {"metadata": meta, "spec": {"selector": {"app": rng.choice("pqr")}}}


def budget(rng: random.Random, number: int) -> Obj:
    """Return a disruption budget."""
    meta = {"name": f"b{number}", "namespace": "default"}
    spec = {"selector": {"matchLabels": {"app": rng.choice("pqr")}}}
    return {"metadata": meta, "spec": spec, "status": {"disruptionsAllowed": rng.randint(0, 1)}}
