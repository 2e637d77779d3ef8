"""Several schedulers in one loop, and pods whose scheduler nobody runs, through the public door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kctl import ControlPlane
from kctl.api.errors import UsageError
from kctl.api.objects import Key

Obj = dict[str, Any]
Make = Callable[..., Obj]
HEAD = {"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration"}
MOST = {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}
PACKER = {"schedulerName": "packer", "pluginConfig": [MOST]}
TWO = {**HEAD, "profiles": [{"schedulerName": "default-scheduler"}, PACKER]}


def opened(configuration: Obj | None = None, seed: int = 0) -> ControlPlane:
    disabled = {"disable": ["ServiceAccount", "TaintNodesByCondition"]}
    return ControlPlane.open(
        None, controllers=["kube-scheduler"], admission=disabled, scheduler_config=configuration, seed=seed
    )


def create(plane: ControlPlane, resource: str, obj: Obj) -> None:
    meta = {k: v for k, v in obj["metadata"].items() if k not in ("uid", "creationTimestamp")}
    plane.client.create(resource, {**obj, "metadata": meta})


def node_of(plane: ControlPlane, name: str) -> str | None:
    found: str | None = plane.client.get("pods", "default", name)["spec"].get("nodeName")
    return found


def events(plane: ControlPlane, reason: str) -> list[Obj]:
    return [event for event in plane.client.list("events").items if event["reason"] == reason]


def test_each_pod_is_placed_by_the_scheduler_it_names(node: Make, pod: Make) -> None:
    with opened(TWO) as plane:
        for name in ("a", "b"):
            create(plane, "nodes", node(name))
        create(plane, "pods", pod("first", cpu="1"))
        plane.converge()
        create(plane, "pods", pod("packed", cpu="1", schedulerName="packer"))
        create(plane, "pods", pod("spread", cpu="1"))
        plane.converge()
        assert [node_of(plane, name) for name in ("first", "packed", "spread")] == ["a", "a", "b"]
        told = {event["involvedObject"]["name"]: event["reportingComponent"] for event in events(plane, "Scheduled")}
        assert told == {"first": "default-scheduler", "packed": "packer", "spread": "default-scheduler"}


def test_all_schedulers_share_one_queue_in_order_of_priority(node: Make, pod: Make) -> None:
    with opened(TWO) as plane:
        create(plane, "nodes", node("a"))
        for name, value in (("low", 1), ("high", 9)):
            head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
            plane.client.create("priorityclasses.scheduling.k8s.io", {**head, "value": value})
        create(plane, "pods", pod("a-low", cpu="3", priorityClassName="low"))
        create(plane, "pods", pod("b-high", cpu="3", priorityClassName="high", schedulerName="packer"))
        plane.converge()
        assert (node_of(plane, "a-low"), node_of(plane, "b-high")) == (None, "a")


def test_a_preemptors_own_scheduler_speaks(node: Make, pod: Make) -> None:
    with opened(TWO) as plane:
        create(plane, "nodes", node("a"))
        head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}}
        plane.client.create("priorityclasses.scheduling.k8s.io", {**head, "value": 9})
        create(plane, "pods", pod("victim", cpu="3"))
        plane.converge()
        create(plane, "pods", pod("p", cpu="3", priorityClassName="high", schedulerName="packer"))
        plane.converge()
        victim = plane.client.get("pods", "default", "victim")
        target = next(c for c in victim["status"]["conditions"] if c["type"] == "DisruptionTarget")
        assert target["message"] == "packer: preempting to accommodate a higher priority pod"


def test_a_pod_whose_scheduler_nobody_runs_stays_pending_and_says_so(node: Make, pod: Make) -> None:
    with opened(TWO) as plane:
        create(plane, "nodes", node("a"))
        create(plane, "pods", pod(schedulerName="other"))
        report = plane.converge()
        assert node_of(plane, "p") is None
        assert "conditions" not in plane.client.get("pods", "default", "p")["status"]
        told = [(entry["reason"], entry["message"]) for entry in report["residual"] if entry["object"] == "pod/p"]
        assert told == [("NotScheduled", 'no scheduler "other" has looked at the pod')]


def test_only_the_default_scheduler_runs_when_nothing_is_said(node: Make, pod: Make) -> None:
    with opened() as plane:
        create(plane, "nodes", node("a"))
        create(plane, "pods", pod("p", schedulerName="packer"))
        create(plane, "pods", pod("q"))
        plane.converge()
        assert (node_of(plane, "p"), node_of(plane, "q")) == (None, "a")


def test_a_wrong_configuration_is_refused_with_every_mistake() -> None:
    with pytest.raises(UsageError) as refused:
        opened({**HEAD, "parallelism": 0, "bogus": 1})
    assert refused.value.message.splitlines() == [
        "scheduler configuration: parallelism: Invalid value: 0: should be an integer value greater than zero",
        "scheduler configuration: bogus: Invalid value: 1: unknown field; known are apiVersion, clientConnection, "
        "delayCacheUntilActive, enableContentionProfiling, enableProfiling, extenders, kind, leaderElection, "
        "parallelism, percentageOfNodesToScore, podInitialBackoffSeconds, podMaxBackoffSeconds, profiles",
    ]


def test_seeds_draw_nodes_and_the_same_seed_draws_the_same(node: Make, pod: Make) -> None:
    drawn = {}
    for seed in (0, 0, 1, 2, 3, 4, 5, 1):
        with opened(seed=seed) as plane:
            for name in "abcd":
                create(plane, "nodes", node(name))
            create(plane, "pods", pod())
            plane.converge()
            drawn.setdefault(seed, set()).add(node_of(plane, "p"))
    assert all(len(found) == 1 for found in drawn.values())
    assert drawn[0] == {"a"}
    assert len(set.union(*drawn.values())) > 1


def tried(plane: ControlPlane) -> int:
    loop: Any = next(loop for loop in plane.converger.manager.loops if loop.name == "kube-scheduler")
    found: int = loop.tried[Key("default", "p")]
    return found


def test_a_pending_pod_does_not_keep_a_run_from_ending_and_is_tried_again_while_time_passes(
    node: Make, pod: Make
) -> None:
    with opened() as plane:
        create(plane, "nodes", node("a"))
        create(plane, "pods", pod(cpu="9"))
        assert plane.converge()["virtualSeconds"] == 0
        assert tried(plane) == 1
        plane.advance("1h")  # nothing has happened meanwhile: nothing to try
        assert tried(plane) == 1
        create(plane, "nodes", node("b"))  # too small: no hint wakes the pod
        plane.converge()
        assert tried(plane) == 1
        plane.advance("1h")
        assert tried(plane) == 2
        plane.advance("1h")
        assert tried(plane) == 2


def waits_for_a_volume(plane: ControlPlane, name: str, pod: Make, **more: Any) -> None:
    size = {"resources": {"requests": {"storage": "1Gi"}}}
    spec = {**size, "accessModes": ["ReadWriteOnce"], "storageClassName": "wait"}
    create(plane, "persistentvolumeclaims", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    source = {"name": "v", "persistentVolumeClaim": {"claimName": name}}
    create(plane, "pods", pod(name, volumes=[source], **more))


def nominated(plane: ControlPlane, name: str) -> str | None:
    found: str | None = plane.client.get("pods", "default", name)["status"].get("nominatedNodeName")
    return found


def with_a_slow_class(plane: ControlPlane) -> None:
    slow = {"metadata": {"name": "wait"}, "provisioner": "csi.example.com"}
    plane.client.create("storageclasses.storage.k8s.io", {**slow, "volumeBindingMode": "WaitForFirstConsumer"})


def test_a_pod_gives_its_node_back_when_its_volume_is_not_made_in_time(node: Make, pod: Make) -> None:
    volumes = {"name": "VolumeBinding", "args": {"bindTimeoutSeconds": 5}}
    patient = {"schedulerName": "patient"}
    quick = {"schedulerName": "quick", "pluginConfig": [volumes]}
    with opened({**HEAD, "profiles": [patient, quick]}) as plane:
        create(plane, "nodes", node("a"))
        with_a_slow_class(plane)
        for name in ("patient", "quick"):
            waits_for_a_volume(plane, name, pod, schedulerName=name)
        plane.converge()
        assert events(plane, "FailedScheduling") == []
        assert [nominated(plane, name) for name in ("patient", "quick")] == ["a", "a"]
        plane.advance("5s")
        told = [(event["involvedObject"]["name"], event["message"]) for event in events(plane, "FailedScheduling")]
        message = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
        assert told == [("quick", message)]


def test_the_place_of_a_pod_that_waits_for_its_volume_is_free_when_it_goes(node: Make, pod: Make) -> None:
    with opened() as plane:
        create(plane, "nodes", node("a"))
        with_a_slow_class(plane)
        waits_for_a_volume(plane, "waits", pod, cpu="3")
        plane.converge()
        create(plane, "pods", pod(cpu="3"))
        plane.converge()
        assert node_of(plane, "p") is None
        plane.client.delete("pods", Key("default", "waits"))
        plane.converge()
        assert node_of(plane, "p") == "a"


def test_a_preempted_pod_that_waits_for_its_volume_is_not_deleted_and_tries_again(node: Make, pod: Make) -> None:
    with opened() as plane:
        create(plane, "nodes", node("a"))
        head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "high"}}
        plane.client.create("priorityclasses.scheduling.k8s.io", {**head, "value": 9})
        with_a_slow_class(plane)
        waits_for_a_volume(plane, "victim", pod, cpu="3")
        plane.converge()
        create(plane, "pods", pod(cpu="3", priorityClassName="high"))
        plane.converge()
        assert (node_of(plane, "p"), nominated(plane, "p")) == ("a", None)
        victim = plane.client.get("pods", "default", "victim")
        assert "deletionTimestamp" not in victim["metadata"]
        assert [c["type"] for c in victim["status"]["conditions"]] == ["PodScheduled"]
        told = [event["message"] for event in events(plane, "Preempted")]
        uid = plane.client.get("pods", "default", "p")["metadata"]["uid"]
        assert told == [f"Preempted by pod {uid} on node a (in kube-scheduler memory)."]
        assert nominated(plane, "victim") is None
        plane.client.delete("pods", Key("default", "p"), grace=0)
        plane.converge()
        assert nominated(plane, "victim") == "a"
