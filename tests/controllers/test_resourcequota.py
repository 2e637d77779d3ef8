"""resourcequota-controller: usage follows what is there."""

from __future__ import annotations

import pytest

from kctl.api.clock import rfc3339
from kctl.api.errors import StatusError
from kctl.api.objects import Key
from kctl.api.quota.pods import charged
from kctl.controllers.resourcequota import Seen, counted_pods, decide

NOW = 1_000_000.0


def quota(hard, name="q", status=None, **spec):
    meta = {"name": name, "namespace": "default", "uid": name}
    made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard, **spec}}
    return {**made, "status": status} if status is not None else made


def pod(phase="Running", cpu="", **meta):
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    containers = [{"name": "c", "image": "i", "resources": resources}]
    meta = {"name": "p", "namespace": "default", **meta}
    return {"metadata": meta, "spec": {"containers": containers}, "status": {"phase": phase}}


def counts(*pods):
    found = {}
    for each in pods:
        found[charged(each)] = found.get(charged(each), 0) + 1
    return tuple(found.items())


@pytest.mark.parametrize(
    ("hard", "pods", "objects", "used"),
    [
        ({"pods": "2"}, (), (), {"pods": "0"}),
        ({"pods": "2", "count/pods": "9"}, (pod(), pod(), pod("Failed")), (), {"pods": "2", "count/pods": "3"}),
        ({"requests.cpu": "2"}, (pod(cpu="100m"), pod(cpu="1"), pod(cpu="1")), (), {"requests.cpu": "2100m"}),
        ({"configmaps": "1"}, (), (("configmaps", (pod(), pod())),), {"configmaps": "2"}),
        ({"nonsense": "1"}, (), (), {}),
    ],
)
def test_used_is_what_is_there(hard, pods, objects, used):
    (action,) = decide(Seen(quota(hard), counts(*pods), objects), NOW).actions
    assert action.obj["status"] == {"hard": hard, "used": used}
    known = quota(hard, status=action.obj["status"])
    assert decide(Seen(known, counts(*pods), objects), NOW).actions == ()


def test_only_pods_in_scope_count():
    seen = Seen(quota({"pods": "5"}, scopes=["BestEffort"]), counts(pod(), pod(cpu="1")), ())
    (action,) = decide(seen, NOW).actions
    assert action.obj["status"]["used"] == {"pods": "1"}


def test_usage_that_nothing_counts_any_more_is_kept_and_what_is_not_asked_for_dropped():
    before = {"hard": {"a.b/c": "1", "pods": "1"}, "used": {"a.b/c": "7", "pods": "3"}}
    (action,) = decide(Seen(quota({"a.b/c": "1"}, status=before), (), ()), NOW).actions
    assert action.obj["status"]["used"] == {"a.b/c": "7"}


def test_a_pod_stuck_on_its_way_out_counts_until_its_grace_is_over_twice():
    stuck = pod(deletionTimestamp=rfc3339(NOW), deletionGracePeriodSeconds=30)
    decision = decide(Seen(quota({"pods": "1"}), counts(stuck), ()), NOW)
    assert decision.actions[0].obj["status"]["used"] == {"pods": "1"}
    assert decision.wake_at == NOW + 31
    assert decide(Seen(quota({"pods": "1"}), counts(stuck), ()), NOW + 31).actions[0].obj["status"]["used"] == {
        "pods": "0"
    }


def test_replicas_beyond_the_quota_are_refused_until_there_is_room(world, deployment):
    world.create(quota({"pods": "2"}))
    world.create(deployment(replicas=3))
    world.settle()
    assert len(world.pods()) == 2
    (rs,) = world.client.list("replicasets.apps", "default").items
    failure = next(found for found in rs["status"]["conditions"] if found["type"] == "ReplicaFailure")
    assert failure["reason"] == "FailedCreate"
    assert failure["message"].endswith("exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2")
    world.client.patch("resourcequotas", Key("default", "q"), {"spec": {"hard": {"pods": "5"}}})
    world.pass_time(3600)
    assert len(world.pods()) == 3
    assert world.get("resourcequotas", "q")["status"] == {"hard": {"pods": "5"}, "used": {"pods": "3"}}
    assert world.decisions() == []


def test_what_goes_is_taken_back(world):
    world.create(quota({"count/configmaps": "1", "configmaps": "2"}))
    world.settle()
    assert world.get("resourcequotas", "q")["status"]["used"] == {"configmaps": "1", "count/configmaps": "1"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    with pytest.raises(StatusError, match="exceeded quota"):
        world.create(config)
    world.client.delete("configmaps", Key("default", "kube-root-ca.crt"))
    world.settle()  # the publisher makes it again and takes the place
    assert world.get("resourcequotas", "q")["status"]["used"] == {"configmaps": "1", "count/configmaps": "1"}


def test_hundreds_of_pods_of_a_quota_are_no_livelock(world):
    world.create(quota({"pods": "1k", "requests.cpu": "10"}))
    world.settle()
    for n in range(250):
        spec = {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "10m"}}}]}
        meta = {"name": f"p{n}", "namespace": "default"}
        world.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    charged_for = world.get("resourcequotas", "q")["status"]["used"]
    world.settle()
    assert world.get("resourcequotas", "q")["status"]["used"] == charged_for == {"pods": "250", "requests.cpu": "2500m"}
    fold = counted_pods(world.caches["pods"])
    assert fold.items() == fold.recompute(world.caches["pods"].all())
