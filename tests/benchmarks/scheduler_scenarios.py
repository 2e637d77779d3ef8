"""What the scheduler's benchmark schedules: nodes, workloads, and pods in the order of the queue.

Nodes have 4 CPUs, 32 GiB and room for 110 pods in one of three zones, as in upstream's own benchmarks. Specs
and labels are shared among the pods of one template, as they are among those of one ReplicaSet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Obj = dict[str, Any]
ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


class Template(NamedTuple):
    """What pods are made from."""

    name: str
    labels: Obj
    spec: Obj
    owned: bool = False

    def pod(self, number: int) -> Obj:
        """Return one of its pods."""
        name = f"{self.name}-{number}"
        meta: Obj = {"name": name, "namespace": "default", "uid": name, "labels": self.labels}
        if self.owned:
            owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": self.name, "uid": self.name}
            meta["ownerReferences"] = [{**owner, "controller": True}]
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": self.spec, "status": {}}


class Scenario(NamedTuple):
    """Templates, and how their pods are mixed."""

    name: str
    templates: list[Template]
    goal: int
    mixed: bool = False
    most: int = 150_000
    tainted: bool = False
    filled: Template | None = None
    """Pods of low priority that fill every node before the others come, which have to preempt them."""
    each: int = 0
    """So many of them a node."""

    def pods(self, count: int) -> list[Obj]:
        """Return the pods in the order of the queue."""
        each = max(1, count // len(self.templates))
        order = [n for n in range(len(self.templates)) for _ in range(each)]
        if self.mixed:
            random.Random(1).shuffle(order)
        return [self.templates[n].pod(number) for number, n in enumerate(order[:count])]


def spec(cpu: str = "100m", memory: str = "500Mi", **more: Any) -> Obj:
    """Return the spec of a pod."""
    container = {"name": "c", "image": "app:1", "resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {"containers": [container], "priority": 0, **more}


def node(n: int, scenario: Scenario) -> Obj:
    """Return a node."""
    labels = {HOST: f"node-{n}", ZONE: f"zone-{n % 3}", "disk": "ssd" if n % 2 else "hdd"}
    taints = [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}] if n % 10 == 0 else []
    taints += [{"key": "slow", "value": "x", "effect": "PreferNoSchedule"}] if n % 4 == 0 else []
    allocatable = {"cpu": "4", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"node-{n}", "uid": f"node-{n}", "labels": labels, "creationTimestamp": f"{n:05}"},
        "spec": {"taints": taints} if scenario.tainted else {},
        "status": {"allocatable": allocatable},
    }


def objects(scenario: Scenario) -> Iterator[tuple[str, Obj]]:
    """Return what there is beside nodes and pods: the namespace and the owners."""
    yield "namespaces", {"metadata": {"name": "default"}}
    for template in scenario.templates:
        if template.owned:
            meta = {"name": template.name, "namespace": "default"}
            yield "replicasets.apps", {"metadata": meta, "spec": {"selector": {"matchLabels": template.labels}}}


def templates(count: int, make: Callable[[int, Obj], Obj], *, owned: bool = False) -> list[Template]:
    """Return templates whose specs ``make`` makes of their number and labels."""
    found = []
    for n in range(count):
        labels = {"app": f"app-{n}", "pod-template-hash": f"h{n}"}
        found.append(Template(f"app-{n}", labels, make(n, labels), owned))
    return found


def varied(n: int, _labels: Obj) -> Obj:
    """Return a spec with requests like no other's."""
    return spec(cpu=f"{60 + n % 71}m", memory=f"{300 + n // 71}Mi")


def plain(_n: int, _labels: Obj) -> Obj:
    """Return the ordinary spec."""
    return spec()


def zoned(_n: int, labels: Obj) -> Obj:
    """Return a spec with hard spreading over zones."""
    constraint = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    return spec(topologySpreadConstraints=[{**constraint, "labelSelector": {"matchLabels": labels}}])


def zoned_and_hosted(n: int, labels: Obj) -> Obj:
    """Return a spec with hard spreading over zones and nodes."""
    found = zoned(n, labels)
    host = {**found["topologySpreadConstraints"][0], "topologyKey": HOST}
    return {**found, "topologySpreadConstraints": [*found["topologySpreadConstraints"], host]}


def term(labels: Obj, key: str) -> Obj:
    """Return a term about the pods of the template."""
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": labels["app"]}}}


def apart(_n: int, labels: Obj) -> Obj:
    """Return a spec with required anti-affinity between nodes."""
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": [term(labels, HOST)]}
    return spec(affinity={"podAntiAffinity": terms})


def rather_apart(_n: int, labels: Obj) -> Obj:
    """Return a spec with preferred anti-affinity between nodes."""
    wish = {"weight": 100, "podAffinityTerm": term(labels, HOST)}
    return spec(affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}})


def together(_n: int, labels: Obj) -> Obj:
    """Return a spec with required affinity within a zone."""
    terms = {"requiredDuringSchedulingIgnoredDuringExecution": [term(labels, ZONE)]}
    return spec(affinity={"podAffinity": terms})


def choosy(_n: int, _labels: Obj) -> Obj:
    """Return a spec with required and preferred node affinity, and a toleration."""
    zones = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["zone-0", "zone-1"]}]}
    disks = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    affinity = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [zones]},
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "preference": disks}],
    }
    tolerations = [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]
    return spec(affinity={"nodeAffinity": affinity}, tolerations=tolerations)


def important(how: Callable[[int, Obj], Obj]) -> Callable[[int, Obj], Obj]:
    """Return what makes specs of a priority that preempts, asking for three quarters of a node."""

    def make(n: int, labels: Obj) -> Obj:
        return {**how(n, labels), **spec(cpu="3"), "priority": 1000}

    return make


def filling(cpu: str) -> Template:
    """Return the template of pods that are preempted."""
    return Template("filling", {"app": "filling"}, spec(cpu=cpu, memory="500Mi"))


SCENARIOS = {
    "plain": Scenario("one template, in order", templates(1, plain), 120_000),
    "default": Scenario("default spread, 50 Deployments in order", templates(50, plain, owned=True), 40_000),
    "default-5000": Scenario("default spread, 5,000 Deployments in order", templates(5000, plain, owned=True), 30_000),
    "default-one": Scenario("default spread, one Deployment", templates(1, plain, owned=True), 40_000),
    "zones": Scenario("hard zone spread, 50 in order", templates(50, zoned), 70_000),
    "zones-hosts": Scenario("hard zone and hostname spread, 30 in order", templates(30, zoned_and_hosted), 60_000),
    "anti": Scenario("hostname anti-affinity, 30 in order", templates(30, apart), 60_000),
    "together": Scenario("zone affinity, 30 in order", templates(30, together), 60_000),
    "nodes": Scenario(
        "node affinity and taints, 50 in order", templates(50, choosy), 70_000, most=90_000, tainted=True
    ),
    "mixed": Scenario("50 request shapes, interleaved", templates(50, varied), 20_000, mixed=True),
    "mixed-default": Scenario("default spread, 50, interleaved", templates(50, plain, owned=True), 20_000, mixed=True),
    "mixed-zones": Scenario("hard zone spread, 50, interleaved", templates(50, zoned), 20_000, mixed=True),
    "mixed-rather": Scenario(
        "preferred anti-affinity and default spread, interleaved",
        templates(50, rather_apart, owned=True),
        20_000,
        mixed=True,
    ),
    "mixed-anti": Scenario("hostname anti-affinity, 300, interleaved", templates(300, apart), 5_000, mixed=True),
    "mixed-5000-default": Scenario(
        "default spread, 5,000, interleaved", templates(5000, plain, owned=True), 5_000, mixed=True
    ),
    "varied": Scenario("5,000 request shapes, in order", templates(5000, varied), 5_000),
    "mixed-varied": Scenario("5,000 request shapes, interleaved", templates(5000, varied), 5_000, mixed=True),
    "preempt-4": Scenario(
        "preemption, 4 pods a node", templates(1, important(plain)), 5_000, most=5000, filled=filling("950m"), each=4
    ),
    "preempt-30": Scenario(
        "preemption, 30 pods a node", templates(1, important(plain)), 5_000, most=5000, filled=filling("130m"), each=30
    ),
    "preempt-zones": Scenario(
        "preemption under hard zone spread, 4 pods a node",
        templates(1, important(zoned)),
        200,
        most=1000,
        filled=filling("950m"),
        each=4,
    ),
}
