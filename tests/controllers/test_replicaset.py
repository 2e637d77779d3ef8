"""replicaset-controller."""

from __future__ import annotations

import pytest

from kctl.api.clock import EPOCH, rfc3339
from kctl.api.errors import StatusError, forbidden
from kctl.api.objects import Key, condition
from kctl.controllers.replicaset import Counts, Seen, decide, status_of
from kctl.controllers.replicaset_ranking import first_to_go
from kctl.runtime.actions import Create, Delete

NOW = EPOCH + 100_000.0


def rs(replicas=3, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}},
            **spec,
        },
        "status": {"replicas": 0},
    }


def pod(name, *, node="n1", phase="Running", ready=1000.0, restarts=0, created=1000.0, cost=None, uid=None):
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": rfc3339(NOW - ready)}] if ready else []
    meta = {"name": name, "uid": uid or name, "creationTimestamp": rfc3339(NOW - created)}
    if cost is not None:
        meta["annotations"] = {"controller.kubernetes.io/pod-deletion-cost": cost}
    statuses = [{"name": "c", "restartCount": restarts}]
    return {
        "metadata": meta,
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": conditions, "containerStatuses": statuses},
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(pod("z", node=""), pod("a"), id="one that is not on a node"),
        pytest.param(pod("z", phase="Pending"), pod("a", phase="Unknown"), id="pending before unknown"),
        pytest.param(pod("z", phase="Unknown"), pod("a"), id="unknown before running"),
        pytest.param(pod("z", ready=None), pod("a"), id="one that is not ready"),
        pytest.param(pod("z", cost="-5"), pod("a"), id="the lower deletion cost"),
        pytest.param(pod("z", cost="bad"), pod("a", cost="1"), id="a malformed cost counts as zero"),
        pytest.param(pod("z", node="crowded"), pod("a"), id="one beside more of its kind"),
        pytest.param(pod("z", ready=10), pod("a", ready=1000), id="the one ready for a shorter time"),
        pytest.param(pod("z", ready=1000, uid="1"), pod("a", ready=1001, uid="2"), id="about as long ready: by uid"),
        pytest.param(pod("z", restarts=3), pod("a", restarts=1), id="the one that restarted more"),
        pytest.param(pod("z", created=10), pod("a", created=1000), id="the younger one"),
        pytest.param(pod("a"), pod("z"), id="equals go by name"),
    ],
)
def test_first_to_be_deleted_is(first, second):
    for given in ([first, second], [second, first]):
        assert first_to_go(given, 1, {"crowded": 2, "n1": 1}, NOW) == [first]


def test_ranking_compares_in_upstreams_order_of_importance():
    worst = pod("a", node="", ready=None)
    unready = pod("b", ready=None, cost="100")
    cheap = pod("c", cost="-1")
    assert first_to_go([cheap, unready, worst], 3, {}, NOW) == [worst, unready, cheap]


def test_missing_pods_are_created_at_once_and_named_by_slots():
    first = decide(Seen(rs(), Counts(0, 0, 0, ())), NOW)
    made = [action.obj["metadata"]["name"] for action in first.actions if isinstance(action, Create)]
    assert len(made) == len(set(made)) == 3
    assert all(name.startswith("web-") and len(name) == 9 for name in made)
    again = decide(Seen(rs(), Counts(0, 0, 0, ())), NOW)
    assert first == again


def test_no_more_than_five_hundred_pods_are_created_in_one_sync():
    decision = decide(Seen(rs(2000), Counts(0, 0, 0, ())), NOW)
    assert sum(isinstance(action, Create) for action in decision.actions) == 500


def test_a_replicaset_that_is_being_deleted_neither_makes_nor_deletes_pods():
    going = rs()
    going["metadata"]["deletionTimestamp"] = rfc3339(NOW)
    for counts in (Counts(0, 0, 0, ()), Counts(9, 9, 0, ())):
        decision = decide(Seen(going, counts), NOW)
        assert not any(isinstance(action, Create | Delete) for action in decision.actions)


def test_pods_count_as_available_after_min_ready_seconds_and_a_timer_waits_for_it():
    waiting = rs(2, minReadySeconds=10)
    counts = Counts(2, 2, 0, ((rfc3339(NOW - 20), 1), (rfc3339(NOW - 4), 1)))
    status = status_of(waiting, counts, NOW)
    assert (status["readyReplicas"], status["availableReplicas"]) == (2, 1)
    assert decide(Seen(waiting, counts), NOW).wake_at == NOW + 6
    later = status_of(waiting, counts, NOW + 6)
    assert later["availableReplicas"] == 2
    assert decide(Seen(waiting, counts), NOW + 6).wake_at is None


def test_counts_that_are_zero_are_left_out_as_the_api_does():
    assert status_of(rs(0), Counts(0, 0, 0, ()), NOW) == {
        "replicas": 0,
        "terminatingReplicas": 0,
        "observedGeneration": 1,
    }


def test_a_replicaset_gets_its_pods_and_says_so(world, replicaset):
    world.create(replicaset(replicas=3))
    world.settle()
    assert len(world.pods()) == 3
    status = world.get("replicasets.apps", "web")["status"]
    assert (status["replicas"], status["fullyLabeledReplicas"]) == (3, 3)
    world.run_all()
    assert world.get("replicasets.apps", "web")["status"]["availableReplicas"] == 3


def test_a_terminating_pod_is_replaced_at_once(world, replicaset):
    world.create(replicaset(replicas=1))
    world.run_all()
    (old,) = world.pods()
    world.client.delete("pods", Key("default", old["metadata"]["name"]))
    world.settle()
    assert len(world.pods()) == 2
    assert world.get("replicasets.apps", "web")["status"]["terminatingReplicas"] == 1


def test_a_pod_whose_labels_stop_matching_is_released_and_one_that_matches_adopted(world, replicaset):
    world.create(replicaset(replicas=2))
    world.run_all()
    name = world.names("pods")[0]
    world.client.patch("pods", Key("default", name), {"metadata": {"labels": {"app": "other"}}})
    world.run_all()
    assert not world.get("pods", name)["metadata"].get("ownerReferences")
    assert len(world.pods()) == 3
    world.client.patch("pods", Key("default", name), {"metadata": {"labels": {"app": "web"}}})
    world.run_all()
    assert len(world.pods()) == 2


class Refusing:
    """A client that creates some pods and then says no."""

    def __init__(self, client, allowed):
        self.client, self.allowed, self.asked = client, allowed, 0

    def __getattr__(self, name):
        return getattr(self.client, name)

    def create(self, resource, obj, **more):
        if resource == "pods":
            self.asked += 1
            if self.asked > self.allowed:
                raise forbidden("pods", obj["metadata"]["name"], "exceeded quota: q")
        return self.client.create(resource, obj, **more)

    def create_many(self, resource, template, metadata):
        if self.asked + len(metadata) > self.allowed:
            raise forbidden(resource, metadata[0]["name"], "exceeded quota: q")
        self.asked += len(metadata)
        return self.client.create_many(resource, template, metadata)


@pytest.mark.parametrize(("allowed", "asked"), [(0, 1), (1, 3), (3, 7), (10, 15), (16, 20)])
def test_creation_starts_slowly_and_stops_with_the_batch_that_failed(make_world, replicaset, allowed, asked):
    world = make_world(("serviceaccount-controller",))
    world.create(replicaset(replicas=20))
    (controller,) = make_world(("replicaset-controller",)).controllers
    controller.prepare(world.caches)
    seen = controller.observe(world.caches, Key("default", "web"))
    client = Refusing(world.client, allowed)
    with pytest.raises(StatusError, match="exceeded quota"):
        controller.act(client, controller.decide(seen, NOW), NOW)
    assert client.asked == asked
    world.manager.pump()
    failure = condition(world.get("replicasets.apps", "web"), "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert "exceeded quota" in failure["message"]
    counts: dict[str, int] = {}
    for event in world.client.list("events", "default").items:
        counts[event["reason"]] = counts.get(event["reason"], 0) + event["count"]
    assert counts["FailedCreate"] >= 1
    assert counts.get("SuccessfulCreate", 0) == allowed


def test_a_pod_that_was_let_go_keeps_its_name_to_itself(world, replicaset):
    world.create(replicaset(replicas=3))
    world.settle()
    latest = max(world.pods(), key=lambda pod: int(pod["metadata"]["resourceVersion"]))["metadata"]["name"]
    for name in world.names("pods"):
        world.client.patch("pods", Key("default", name), {"metadata": {"labels": {"app": "stray"}}})
    world.settle()
    for pod in world.pods():
        if pod["metadata"].get("ownerReferences"):
            world.client.delete("pods", Key("default", pod["metadata"]["name"]), grace=0)
    world.settle()
    owned = [pod["metadata"]["name"] for pod in world.pods() if pod["metadata"].get("ownerReferences")]
    assert len(owned) == 3
    assert latest not in owned
