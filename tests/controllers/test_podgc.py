"""pod-garbage-collector-controller."""

from __future__ import annotations

import pytest

from kctl import ControlPlane
from kctl.api.clock import rfc3339
from kctl.api.objects import Key
from kctl.controllers.podgc import OUT_OF_SERVICE, QUARANTINE, PodGarbageCollector, Seen, TooMany, decide
from kctl.runtime.actions import Delete, Patch

NOW = 1_000_000.0


def pod(node="n1", phase="Running", *, age=3600.0, deleting=None, **meta):
    meta = {"name": "p", "namespace": "default", "uid": "u", "creationTimestamp": rfc3339(NOW - age), **meta}
    if deleting is not None:
        meta |= {"deletionTimestamp": rfc3339(NOW), "deletionGracePeriodSeconds": deleting}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": {"phase": phase}}


def node(ready="True", taint=""):
    taints = [{"key": taint, "effect": "NoExecute"}] if taint else []
    conditions = [{"type": "Ready", "status": ready}]
    return {"metadata": {"name": "n1"}, "spec": {"taints": taints}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (Seen(pod(), node()), []),
        (Seen(pod(), None, NOW - 40), ["Failed", "deleted"]),
        (Seen(pod(), None, NOW - 39), []),
        (Seen(pod(phase="Succeeded"), None, NOW - 40), ["deleted"]),
        (Seen(pod(deleting=30), node()), []),
        (Seen(pod(deleting=30), node("Unknown")), []),
        (Seen(pod(deleting=30), node("True", OUT_OF_SERVICE)), []),
        (Seen(pod(deleting=30), node("Unknown", OUT_OF_SERVICE)), ["Failed", "deleted"]),
        (Seen(pod(), node("Unknown", OUT_OF_SERVICE)), []),
        (Seen(pod(node=""), None), []),
        (Seen(pod(node="", phase="Pending", deleting=30), None), ["Failed", "deleted"]),
        (Seen(pod(node="", phase="Pending", deleting=0, finalizers=["x/y"]), None), ["Failed"]),
        (Seen(pod(node="", phase="Failed", deleting=0, finalizers=["x/y"]), None), []),
    ],
)
def test_what_goes_and_what_stays(seen, wanted):
    done = []
    for action in decide(seen, NOW).actions:
        assert isinstance(action, Patch | Delete)
        done.append(action.patch["status"]["phase"] if isinstance(action, Patch) else "deleted")
    assert done == wanted


def test_a_pod_waits_for_its_node_from_when_it_was_missed():
    decision = PodGarbageCollector().decide(Seen(pod(), None), NOW)
    assert (decision.actions, decision.wake_at) == ((), NOW + QUARANTINE)


def test_the_oldest_pods_that_have_ended_go_when_there_are_too_many():
    controller = PodGarbageCollector()
    old = [pod(phase="Succeeded", age=age, name=f"p{age}") for age in (30, 20)]
    actions = controller.decide(TooMany(old), NOW).actions
    assert [action.key.name for action in actions] == ["p30", "p20"]


def test_what_is_too_many_is_a_flag():
    with ControlPlane.open(None, nodes=1, cloud="none", flags={"terminated-pod-gc-threshold": 2}) as plane:
        plane.run()
        spec = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "a"}]}
        for n in range(4):
            plane.client.create(
                "pods",
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": f"p{n}", "namespace": "default"},
                    "spec": spec,
                },
            )
        plane.run()
        assert [found["metadata"]["name"] for found in plane.client.list("pods").items] == ["p2", "p3"]


def test_the_pods_of_a_deleted_node_say_why_they_go_and_are_replaced(world, deployment):
    world.node("n1")
    world.create(deployment(replicas=2))
    world.run_all()
    world.pass_time(60)
    before = set(world.names("pods"))
    uids = {found["metadata"]["uid"] for found in world.pods()}
    world.client.patch("pods", Key("default", min(before)), {"metadata": {"finalizers": ["x/y"]}})
    world.client.delete("nodes", Key("", "n1"))
    world.settle()
    world.pass_time(39)
    assert not any(found["metadata"].get("deletionTimestamp") for found in world.pods())
    world.pass_time(1)
    left = [found for found in world.pods() if found["metadata"]["uid"] in uids]
    assert [found["metadata"]["name"] for found in left] == [min(before)]
    assert left[0]["status"]["phase"] == "Failed"
    reasons = {found["type"]: found.get("reason") for found in left[0]["status"]["conditions"]}
    assert reasons["DisruptionTarget"] == "DeletionByPodGC"
    assert len(world.pods()) == 3
    assert world.decisions() == []


def test_a_node_that_comes_in_time_leaves_no_timer(world):
    spec = {"nodeName": "late", "containers": [{"name": "c", "image": "a"}]}
    world.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    world.settle()
    assert world.manager.next_wake(periodic=False) is not None
    world.node("late")
    world.settle()
    assert world.manager.next_wake(periodic=False) is None


def test_pods_made_anew_on_a_node_long_missing_go_a_quarantine_later_not_at_once():
    gone = NOW - 100.5
    again = Seen(pod(age=60.0), None, gone)  # made in the second in which the first ones went
    assert decide(again, NOW - 60.0).wake_at == NOW - 60.0 + QUARANTINE
    assert decide(again, NOW - 20.0).actions
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "no", "containers": [{"name": "c"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    with ControlPlane.open(None, nodes=1) as cp:
        template["spec"]["containers"][0]["image"] = "a:1"
        cp.client.create(
            "deployments.apps",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "spec": spec,
                "metadata": {"name": "web", "namespace": "default"},
            },
        )
        start = cp.now
        assert cp.advance("10m")["verdict"] != "Oscillating"
        assert cp.now == start + 600
