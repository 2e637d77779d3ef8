"""replicationcontroller-controller: what differs from ReplicaSets."""

from __future__ import annotations

import pytest

from kctl.api.objects import Key

RC = "replicationcontrollers"


@pytest.fixture
def made(world):
    """Return a world with a settled ReplicationController of three."""
    labels = {"app": "old"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
    meta = {"name": "old", "namespace": "default"}
    body = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": meta}
    world.create({**body, "spec": {"replicas": 3, "template": template}})
    world.run_all()
    return world


def test_it_makes_its_pods_and_counts_them(made):
    owners = {pod["metadata"]["ownerReferences"][0]["kind"] for pod in made.pods()}
    assert owners == {"ReplicationController"}
    status = made.get(RC, "old")["status"]
    counts = {"replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"}
    assert {name: status[name] for name in counts} == dict.fromkeys(counts, 3)
    assert "terminatingReplicas" not in status
    assert made.decisions() == []


def test_its_events_name_the_component_of_old(made):
    [*events] = [event for event in made.client.list("events").items if event["involvedObject"]["name"] == "old"]
    assert {(event["reason"], event["source"]["component"]) for event in events} == {
        ("SuccessfulCreate", "replication-controller")
    }


def test_it_scales_down_and_replaces(made):
    made.client.patch(RC, Key("default", "old"), {"spec": {"replicas": 1}})
    made.run_all()
    [pod] = made.pods()
    made.client.delete("pods", Key("default", pod["metadata"]["name"]), grace=0)
    made.run_all()
    [other] = made.pods()
    assert other["metadata"]["name"] != pod["metadata"]["name"] or other["metadata"]["uid"] != pod["metadata"]["uid"]
    assert made.get(RC, "old")["status"]["availableReplicas"] == 1


def test_it_adopts_and_lets_go_by_labels(made):
    first = made.pods()[0]["metadata"]["name"]
    made.client.patch("pods", Key("default", first), {"metadata": {"labels": {"app": "stray"}}})
    made.run_all()
    pods = {pod["metadata"]["name"]: pod for pod in made.pods()}
    assert len(pods) == 4
    assert not pods[first]["metadata"].get("ownerReferences")
    made.client.patch("pods", Key("default", first), {"metadata": {"labels": {"app": "old"}}})
    made.run_all()
    assert len(made.pods()) == 3


def test_a_replicaset_of_the_same_name_and_labels_is_not_mistaken_for_it(made, replicaset):
    rs = replicaset("old", replicas=2)
    made.create(rs)
    made.run_all()
    kinds = sorted(pod["metadata"]["ownerReferences"][0]["kind"] for pod in made.pods())
    assert kinds == ["ReplicaSet"] * 2 + ["ReplicationController"] * 3
    assert made.decisions() == []
