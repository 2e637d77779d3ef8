"""deployment-controller."""

from __future__ import annotations

import pytest

from kctl.api.clock import EPOCH
from kctl.api.objects import Key, condition
from kctl.controllers import deployment_history as history
from kctl.controllers.deployment_draft import Draft
from kctl.controllers.deployment_scaling import scale
from kctl.controllers.intorpercent import scaled

RS = "replicasets.apps"
D = "deployments.apps"


def draft(replicas, surge, unavailable, type_="RollingUpdate"):
    strategy = {"type": type_, "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    meta = {"name": "web", "uid": "d", "generation": 1}
    return Draft({"metadata": meta, "spec": {"replicas": replicas, "strategy": strategy}, "status": {}}, EPOCH)


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [(3, 10, 3, 3), ("25%", 10, 3, 2), ("0%", 10, 0, 0), ("100%", 7, 7, 7), ("1%", 1, 1, 0), (None, 5, 0, 0)],
)
def test_a_share_is_rounded_the_way_it_is_used(value, total, up, down):
    assert scaled(value, total, round_up=True) == up
    assert scaled(value, total, round_up=False) == down


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "fenceposts"),
    [
        pytest.param(10, "25%", "25%", (3, 2), id="surge up, unavailable down"),
        pytest.param(2, 0, "1%", (0, 1), id="something must give when both are zero"),
        pytest.param(4, 1, 0, (1, 0), id="as given"),
    ],
)
def test_fenceposts(replicas, surge, unavailable, fenceposts):
    assert draft(replicas, surge, unavailable).fenceposts == fenceposts


def test_never_more_pods_are_unavailable_than_there_are():
    assert draft(2, 0, 5).max_unavailable == 2
    assert draft(0, 0, 5).max_unavailable == 0
    assert draft(5, 0, 5, "Recreate").max_unavailable == 0


def shares(replicas, surge, sizes, annotated):
    """Scale ReplicaSets of those sizes (the last is the new one); return the sizes after."""
    made = draft(replicas, surge, 0)
    sets = [
        {
            "metadata": {
                "name": f"rs{n}",
                "creationTimestamp": f"2026-01-01T00:00:0{n}Z",
                "annotations": {"deployment.kubernetes.io/max-replicas": str(annotated)},
            },
            "spec": {"replicas": size},
        }
        for n, size in enumerate(sizes)
    ]
    made.new, made.old = sets[-1], sets[:-1]
    scale(made)
    return [rs["spec"]["replicas"] for rs in made.all]


@pytest.mark.parametrize(
    ("replicas", "surge", "sizes", "annotated", "after"),
    [
        pytest.param(20, 0, [5, 5], 10, [10, 10], id="in proportion"),
        pytest.param(20, 3, [6, 2, 5], 13, [11, 3, 9], id="the rest to the largest"),
        pytest.param(0, 3, [6, 5], 13, [0, 0], id="to nothing"),
        pytest.param(5, 0, [10, 0], 10, [5, 0], id="the only active one takes all"),
        pytest.param(5, 0, [0, 0], 10, [0, 5], id="the newest when none is active"),
        pytest.param(11, 0, [5, 5], 10, [5, 6], id="among equals the newer grows"),
        pytest.param(9, 0, [5, 5], 10, [4, 5], id="among equals the older shrinks"),
    ],
)
def test_a_change_of_size_is_shared_out(replicas, surge, sizes, annotated, after):
    assert shares(replicas, surge, sizes, annotated) == after


def test_templates_are_the_same_but_for_the_hash_label_and_empty_fields():
    one = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}], "volumes": []}}
    other = {
        "metadata": {"labels": {"a": "b", "pod-template-hash": "x"}, "creationTimestamp": None},
        "spec": {"containers": [{"name": "c", "resources": {}}]},
    }
    assert history.same_template(one, other)
    assert not history.same_template(one, {**one, "spec": {"containers": [{"name": "d"}]}})


def test_the_hash_depends_on_content_and_collisions_alone():
    one = {"metadata": {"labels": {"a": "b", "c": "d"}}, "spec": {}}
    same = {"spec": {}, "metadata": {"labels": {"c": "d", "a": "b"}}}
    assert history.template_hash(one, None) == history.template_hash(same, None)
    assert len({history.template_hash(one, n) for n in (None, 0, 1)}) == 3
    assert set(history.template_hash(one, None)) <= set("456789bcdf")


def test_a_long_history_loses_its_oldest_revisions():
    past = ",".join(str(n) for n in range(1000, 1400))
    rs = {"metadata": {"annotations": {history.REVISION: "1400", history.REVISION_HISTORY: past}}}
    changed = history.changed_annotations({"metadata": {}}, rs, 1401)
    kept = changed[history.REVISION_HISTORY]
    assert len(kept) <= 2000
    assert kept.endswith(",1399,1400")


def edit(world, image, name="web"):
    world.clock.set(world.clock.now() + 2)
    current = world.get(D, name)
    spec = current["spec"]
    pod = {**spec["template"]["spec"], "containers": [{**spec["template"]["spec"]["containers"][0], "image": image}]}
    template = {**spec["template"], "spec": pod}
    world.client.update(D, {**current, "spec": {**spec, "template": template}})
    world.settle()


def test_a_rollout_ends_with_every_pod_new_and_the_reasons_upstream_gives(world, deployment):
    world.create(deployment(replicas=4))
    world.run_all()
    edit(world, "app:2")
    world.run_all()
    status = world.get(D, "web")["status"]
    assert (status["updatedReplicas"], status["availableReplicas"], status["replicas"]) == (4, 4, 4)
    progressing = condition(world.get(D, "web"), "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert world.get(D, "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods()} == {"app:2"}
    assert world.get(D, "web")["metadata"]["generation"] == 2


def test_going_back_reuses_the_old_replicaset_and_keeps_its_history(world, deployment):
    world.create(deployment(replicas=1))
    world.run_all()
    for image in ("app:2", "app:1"):
        edit(world, image)
        world.run_all()
    assert len(world.names(RS)) == 2
    (back,) = [rs for rs in world.client.list(RS, "default").items if rs["spec"]["replicas"] == 1]
    notes = back["metadata"]["annotations"]
    assert notes["deployment.kubernetes.io/revision"] == "3"
    assert notes["deployment.kubernetes.io/revision-history"] == "1"


def test_old_replicasets_beyond_the_limit_are_deleted(world, deployment):
    world.create(deployment(replicas=1, revisionHistoryLimit=1))
    world.run_all()
    for n in range(2, 6):
        edit(world, f"app:{n}")
        world.run_all()
    assert len(world.names(RS)) == 2


def test_recreate_waits_for_the_last_old_pod(world, deployment):
    world.create(deployment(replicas=2, strategy={"type": "Recreate"}))
    world.run_all()
    edit(world, "app:2")
    assert len(world.names(RS)) == 1
    for pod in world.pods():
        assert len(world.names(RS)) == 1
        world.client.delete("pods", Key("default", pod["metadata"]["name"]), grace=0)
        world.settle()
    assert len(world.names(RS)) == 2


def test_a_paused_deployment_scales_but_does_not_roll(world, deployment):
    world.create(deployment(replicas=2))
    world.run_all()
    world.client.patch(D, Key("default", "web"), {"spec": {"paused": True, "replicas": 3}})
    world.settle()
    edit(world, "app:2")
    assert len(world.names(RS)) == 1
    assert len(world.pods()) == 3
    assert condition(world.get(D, "web"), "Progressing")["reason"] == "DeploymentPaused"


def test_lack_of_progress_is_reported_when_the_deadline_has_passed(world, deployment):
    world.create(deployment(replicas=2, progressDeadlineSeconds=30))
    world.settle()
    world.pass_time(29)
    assert condition(world.get(D, "web"), "Progressing")["reason"] == "ReplicaSetUpdated"
    world.pass_time(10)
    progressing = condition(world.get(D, "web"), "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert progressing["message"].endswith("has timed out progressing.")
    assert world.manager.next_wake(periodic=False) is None


def test_a_name_taken_by_another_counts_as_a_collision(world, deployment, replicaset):
    made = world.create(deployment(replicas=1))
    # Someone else's ReplicaSet has the name ours would have.
    mark = history.template_hash(made["spec"]["template"], None)
    foreign = replicaset(name=f"web-{mark}", replicas=0)
    world.create(foreign)
    world.settle()
    assert world.get(D, "web")["status"]["collisionCount"] == 1
    assert len(world.names(RS)) == 2
    world.run_all()
    assert world.get(D, "web")["status"]["availableReplicas"] == 1


def test_events_tell_the_sizes(world, deployment):
    world.create(deployment(replicas=2))
    world.settle()
    (name,) = world.names(RS)
    messages = [event["message"] for event in world.client.list("events", "default").items]
    assert f"Scaled up replica set {name} from 0 to 2" in messages
