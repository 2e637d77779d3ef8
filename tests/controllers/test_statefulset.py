"""StatefulSets: order, identity, claims, revisions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj, labels_of
from kctl.controllers import statefulset_pods as shapes
from kctl.controllers.bits import each, highest, lowest, span
from kctl.controllers.pods import is_ready

S = "statefulsets.apps"
R = "controllerrevisions.apps"
C = "persistentvolumeclaims"
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DB = Key("default", "db")


def statefulset(replicas: int = 3, image: str = "db:1", **spec: Any) -> Obj:
    labels = {"app": "db"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    body = {
        "replicas": replicas,
        "serviceName": "db",
        "selector": {"matchLabels": labels},
        "template": template,
        **spec,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "default"},
        "spec": body,
    }


CLAIM = {
    "metadata": {"name": "data", "labels": {"tier": "gold"}},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def start(world: Any, replicas: int = 3, **spec: Any) -> None:
    world.create(statefulset(replicas, **spec))
    world.run_all()


def set_image(world: Any, image: str) -> None:
    container = {"name": "c", "image": image}
    world.client.patch(S, DB, {"spec": {"template": {"spec": {"containers": [container]}}}})


def images(world: Any) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in world.pods()}


def notes(world: Any) -> list[tuple[str, str]]:
    return [(event["reason"], event["message"]) for event in world.client.list("events").items]


def test_pods_come_one_after_the_other_each_after_the_one_before_is_ready(world):
    world.create(statefulset(3))
    seen = []
    for _ in range(4):
        world.settle()
        seen.append([pod["metadata"]["name"] for pod in world.pods()])
        for pod in world.pods():
            if not is_ready(pod):
                world.run(pod)
    assert seen == [["db-0"], ["db-0", "db-1"], ["db-0", "db-1", "db-2"], ["db-0", "db-1", "db-2"]]


def test_parallel_pods_come_at_once(world):
    world.create(statefulset(3, podManagementPolicy="Parallel"))
    world.settle()
    assert world.names("pods") == ["db-0", "db-1", "db-2"]


def test_a_pod_has_its_name_as_label_and_hostname(world):
    start(world, 1)
    (pod,) = world.pods()
    revision = world.names(R)[0]
    assert labels_of(pod) == {
        "app": "db",
        "apps.kubernetes.io/pod-index": "0",
        "statefulset.kubernetes.io/pod-name": "db-0",
        "controller-revision-hash": revision,
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-0", "db")


def test_ordinals_may_start_anywhere(world):
    start(world, 2, ordinals={"start": 5})
    assert world.names("pods") == ["db-5", "db-6"]


def test_scaling_down_takes_the_highest_first_and_one_at_a_time(world):
    start(world, 4)
    world.client.patch(S, DB, {"spec": {"replicas": 1}})
    gone = []
    for _ in range(4):
        world.settle()
        going = [pod["metadata"]["name"] for pod in world.pods() if pod["metadata"].get("deletionTimestamp")]
        gone.append(going)
        for name in going:
            world.client.delete("pods", Key("default", name), grace=0)
    assert gone == [["db-3"], ["db-2"], ["db-1"], []]


def test_scaling_down_waits_for_an_unhealthy_pod_below(world):
    start(world, 4)
    world.run(world.get("pods", "db-1"), ready=False)
    world.client.patch(S, DB, {"spec": {"replicas": 2}})
    world.settle()
    assert not any(pod["metadata"].get("deletionTimestamp") for pod in world.pods())


def test_an_update_goes_from_the_highest_to_the_lowest(world):
    start(world, 3)
    set_image(world, "db:2")
    world.settle()
    order = []
    for _ in range(3):
        (going,) = [pod["metadata"]["name"] for pod in world.pods() if pod["metadata"].get("deletionTimestamp")]
        order.append(going)
        world.client.delete("pods", Key("default", going), grace=0)
        world.settle()
        world.run(world.get("pods", going))
        world.settle()
    assert order == ["db-2", "db-1", "db-0"]
    status = world.get(S, "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert status["updatedReplicas"] == status["currentReplicas"] == 3


def test_a_partition_keeps_the_pods_below_it(world):
    start(world, 3, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})
    set_image(world, "db:2")
    world.run_all()
    assert images(world) == {"db-0": "db:1", "db-1": "db:1", "db-2": "db:2"}
    world.client.delete("pods", Key("default", "db-0"), grace=0)
    world.run_all()
    assert images(world)["db-0"] == "db:1"


def test_with_ondelete_only_deleted_pods_are_updated(world):
    start(world, 2, updateStrategy={"type": "OnDelete"})
    set_image(world, "db:2")
    world.run_all()
    assert set(images(world).values()) == {"db:1"}
    world.client.delete("pods", Key("default", "db-1"), grace=0)
    world.run_all()
    assert images(world) == {"db-0": "db:1", "db-1": "db:2"}


def test_a_broken_update_stays_stuck_until_its_pod_is_deleted(world):
    start(world, 2)
    set_image(world, "db:bad")
    world.settle()
    world.client.delete("pods", Key("default", "db-1"), grace=0)
    world.settle()
    set_image(world, "db:1")
    world.settle()
    assert images(world)["db-1"] == "db:bad"
    world.client.delete("pods", Key("default", "db-1"), grace=0)
    world.run_all()
    assert images(world) == {"db-0": "db:1", "db-1": "db:1"}


def test_going_back_to_an_older_template_takes_its_revision_up_again(world):
    start(world, 1)
    for image in ("db:2", "db:1"):
        set_image(world, image)
        world.run_all()
    numbers = sorted(one["revision"] for one in world.client.list(R, "default").items)
    assert numbers == [2, 3]


def test_old_revisions_go_beyond_the_limit(world):
    start(world, 1, revisionHistoryLimit=1)
    for n in range(2, 6):
        set_image(world, f"db:{n}")
        world.run_all()
    assert sorted(one["revision"] for one in world.client.list(R, "default").items) == [4, 5]


def test_claims_are_made_before_pods_and_stay_when_these_go(world):
    world.create(statefulset(1, volumeClaimTemplates=[CLAIM]))
    world.settle()
    claim = world.get(C, "data-db-0")
    assert claim["metadata"]["labels"] == {"tier": "gold", "app": "db"}
    (pod,) = world.pods()
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}} in pod["spec"]["volumes"]
    world.client.patch(S, DB, {"spec": {"replicas": 0}})
    world.run(pod)
    world.run_all()
    assert world.names("pods") == []
    assert world.names(C) == ["data-db-0"]
    assert ("SuccessfulCreate", "Create Claim data-db-0 Pod db-0 in StatefulSet db success") in notes(world)


@pytest.mark.parametrize(
    ("deleted", "scaled", "owners"),
    [
        ("Retain", "Retain", {"data-db-0": [], "data-db-1": []}),
        ("Delete", "Retain", {"data-db-0": ["StatefulSet"], "data-db-1": ["StatefulSet"]}),
        ("Retain", "Delete", {"data-db-0": []}),
        ("Delete", "Delete", {"data-db-0": ["StatefulSet"]}),
    ],
)
def test_the_retention_policy_says_who_owns_the_claims_after_scaling_down(world, deleted, scaled, owners):
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    start(world, 2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
    world.client.patch(S, DB, {"spec": {"replicas": 1}})
    world.run_all()
    found = {
        claim["metadata"]["name"]: [ref["kind"] for ref in claim["metadata"].get("ownerReferences") or ()]
        for claim in world.client.list(C, "default").items
    }
    assert found == owners


def test_a_changed_retention_policy_reaches_claims_of_running_pods(world):
    start(world, 2, volumeClaimTemplates=[CLAIM])
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    world.client.patch(S, DB, {"spec": {"persistentVolumeClaimRetentionPolicy": policy}})
    world.settle()
    for claim in world.client.list(C, "default").items:
        assert [ref["kind"] for ref in claim["metadata"]["ownerReferences"]] == ["StatefulSet"]
    assert ("SuccessfulUpdate", "Update Pod db-0 in StatefulSet db successful") in notes(world)


def test_a_pod_that_ended_is_replaced(world):
    start(world, 2)
    uid = world.get("pods", "db-0")["metadata"]["uid"]
    world.client.patch("pods", Key("default", "db-0"), {"status": {"phase": "Failed"}}, subresource="status")
    world.settle()
    assert world.get("pods", "db-0")["metadata"]["uid"] != uid


def test_pods_whose_labels_or_names_are_others_are_let_go(world):
    start(world, 2)
    world.client.patch("pods", Key("default", "db-1"), {"metadata": {"labels": {"app": "stray"}}})
    world.settle()
    assert "ownerReferences" not in world.get("pods", "db-1")["metadata"]


def test_an_orphan_with_the_right_name_is_adopted(world):
    start(world, 1)
    uid = world.get("pods", "db-0")["metadata"]["uid"]
    world.client.delete(S, DB, propagation="Orphan")
    world.settle()
    assert "ownerReferences" not in world.get("pods", "db-0")["metadata"]
    start(world, 1)
    pod = world.get("pods", "db-0")
    assert pod["metadata"]["uid"] == uid
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"


def test_a_foreign_pod_in_the_way_is_not_touched(world):
    alien = {"name": "db-0", "namespace": "default", "labels": {"app": "other"}}
    spec = {"containers": [{"name": "c", "image": "x"}]}
    world.create({"apiVersion": "v1", "kind": "Pod", "metadata": alien, "spec": spec})
    world.create(statefulset(1))
    world.settle()
    (pod,) = world.pods()
    assert labels_of(pod) == {"app": "other"}
    assert not any(reason == "FailedCreate" for reason, _ in notes(world))


def test_min_ready_seconds_hold_the_next_pod_back(world):
    world.create(statefulset(2, minReadySeconds=10))
    world.settle()
    world.run(world.get("pods", "db-0"))
    world.settle()
    assert world.names("pods") == ["db-0"]
    world.pass_time(10)
    assert world.names("pods") == ["db-0", "db-1"]


def test_what_a_quota_refuses_is_told_and_the_status_is_written(world):
    quota = {"hard": {"count/pods": "1"}}
    meta = {"name": "q", "namespace": "default"}
    world.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": quota})
    world.settle()
    world.create(statefulset(3, podManagementPolicy="Parallel"))
    world.settle()
    assert world.names("pods") == ["db-0"]
    message = "Create Pod db-1 in StatefulSet db failed error: "
    assert any(reason == "FailedCreate" and text.startswith(message) for reason, text in notes(world))
    assert world.get(S, "db")["status"]["replicas"] == 1


def test_ordinals_too_high_to_simulate_are_said(world):
    world.create(statefulset(1, ordinals={"start": 5_000_000}))
    world.settle()
    assert ("NotSimulated", "Ordinals above 999999 are not simulated") in notes(world)
    assert world.pods() == []


def test_sets_of_bits_are_sets():
    for members in ([], [0], [3, 7, 200], list(range(50))):
        bits = sum(1 << n for n in members)
        assert list(each(bits)) == members
        assert (lowest(bits), highest(bits)) == ((members[0], members[-1]) if members else (-1, -1))
    assert list(each(span(4, 3))) == [4, 5, 6]
    assert span(4, 0) == span(4, -1) == 0


REFS = st.lists(
    st.tuples(
        st.sampled_from([("apps/v1", "StatefulSet", "db"), ("v1", "Pod", "db-0"), ("apps/v1", "Other", "x")]),
        st.sampled_from(["set-uid", "pod-uid", "other-uid"]),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda ref: ref[1],
)


@QUICK
@given(REFS, st.sampled_from(["Retain", "Delete"]), st.sampled_from(["Retain", "Delete"]), st.booleans())
def test_what_owners_are_given_is_right_afterwards(refs, deleted, scaled, within):
    sts = statefulset(1, persistentVolumeClaimRetentionPolicy={"whenDeleted": deleted, "whenScaled": scaled})
    sts["metadata"]["uid"] = "set-uid"
    pod = {"metadata": {"name": "db-0", "namespace": "default", "uid": "pod-uid"}}
    owners = [{"apiVersion": v, "kind": k, "name": n, "uid": uid, "controller": c} for (v, k, n), uid, c in refs]
    claim = {"metadata": {"name": "data-db-0", "ownerReferences": owners}}
    before = tuple((v, k, n, uid, c) for (v, k, n), uid, c in refs)
    if shapes.is_owned_rightly(before, sts, "db-0", "pod-uid", within):
        return
    after = shapes.references(sts, pod, claim, within)
    signature = tuple((r["apiVersion"], r["kind"], r["name"], r["uid"], bool(r.get("controller"))) for r in after)
    mixed = any(ref[3] in ("set-uid", "pod-uid") and ref[1] == "Other" for ref in before)
    assert mixed or shapes.is_owned_rightly(signature, sts, "db-0", "pod-uid", within)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("replicas"), st.integers(0, 5)),
        st.tuples(st.just("partition"), st.integers(0, 4)),
        st.tuples(st.just("start"), st.integers(0, 5)),
        st.tuples(st.just("unready"), st.integers(0, 5)),
        st.tuples(st.just("stop"), st.integers(0, 5)),
        st.tuples(st.just("kill"), st.integers(0, 5)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
        st.tuples(st.just("relabel"), st.integers(0, 5)),
        st.tuples(st.just("retain"), st.sampled_from(["Retain", "Delete"])),
        st.tuples(st.just("time"), st.integers(1, 10)),
    ),
    max_size=12,
)


def change(world: Any, step: tuple[str, Any]) -> None:
    """Do one thing to the world."""
    what, value = step
    pods = world.pods()
    if what == "image":
        set_image(world, f"db:{value}")
    elif what == "replicas":
        world.client.patch(S, DB, {"spec": {"replicas": value}})
    elif what == "partition":
        strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": value}}
        world.client.patch(S, DB, {"spec": {"updateStrategy": strategy}})
    elif what == "retain":
        policy = {"whenDeleted": value, "whenScaled": value}
        world.client.patch(S, DB, {"spec": {"persistentVolumeClaimRetentionPolicy": policy}})
    elif what == "time":
        world.pass_time(value)
    elif pods:
        pod = pods[value % len(pods)]
        name = Key("default", pod["metadata"]["name"])
        if what in ("start", "unready"):
            if not pod["metadata"].get("deletionTimestamp"):
                world.run(pod, ready=what == "start")
        elif what in ("stop", "kill"):
            world.client.delete("pods", name, grace=0 if what == "stop" else None)
        elif what == "fail":
            world.client.patch("pods", name, {"status": {"phase": "Failed"}}, subresource="status")
        else:
            world.client.patch("pods", name, {"metadata": {"labels": {"app": "stray"}}})


def ordinal(pod: Obj) -> int:
    return int(pod["metadata"]["name"].rsplit("-", 1)[1])


def check_order(world: Any, before: set[str]) -> None:
    """With OrderedReady a pod is only made when all below it are there and ready."""
    pods = {ordinal(pod): pod for pod in world.pods()}
    for number, pod in pods.items():
        if pod["metadata"]["uid"] not in before:
            below = [pods.get(n) for n in range(number)]
            assert all(one is not None and is_ready(one) for one in below), pod["metadata"]["name"]


@QUICK
@given(STEPS, st.sampled_from(["OrderedReady", "Parallel"]), st.booleans(), st.sampled_from([0, 5]))
def test_a_settled_world_is_at_rest_and_orderly(make_world, steps, policy, with_claims, wait):
    world = make_world()
    extra = {"volumeClaimTemplates": [CLAIM]} if with_claims else {}
    world.create(statefulset(3, podManagementPolicy=policy, minReadySeconds=wait, **extra))
    world.settle()
    for step in steps:
        change(world, step)
        before = {pod["metadata"]["uid"] for pod in world.pods()}
        world.settle()
        if policy == "OrderedReady":
            check_order(world, before)
        for cache in world.caches.known():
            cache.check()
        ours = [found for found in world.decisions() if found[0] == "statefulset-controller"]
        stuck = any(labels_of(pod).get("app") == "stray" for pod in world.pods())  # it holds a name that is wanted
        assert stuck or ours == []
    for pod in world.pods():
        if labels_of(pod).get("app") == "stray":
            world.client.delete("pods", Key("default", pod["metadata"]["name"]), grace=0)
    for _ in range(8):
        world.run_all()
        world.pass_time(max(wait, 1))
        for pod in world.pods():  # the one thing that needs a hand: a pod of a broken revision
            if not is_ready(pod):
                world.run(pod)
    sts = world.get(S, "db")
    replicas, partition = sts["spec"]["replicas"], sts["spec"]["updateStrategy"]["rollingUpdate"]["partition"]
    assert world.names("pods") == [f"db-{n}" for n in range(replicas)]
    assert sts["status"].get("readyReplicas", 0) == sts["status"]["replicas"] == replicas
    current = sts["status"]["updateRevision"]
    for pod in world.pods():
        if int(labels_of(pod)["apps.kubernetes.io/pod-index"]) >= partition:
            assert labels_of(pod)["controller-revision-hash"] == current
    assert world.decisions() == []
