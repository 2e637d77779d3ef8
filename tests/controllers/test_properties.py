"""What must hold in any world: rest, order, fenceposts, folds."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key
from kctl.controllers.deployment import Seen as DeploymentSeen
from kctl.controllers.deployment import decide as decide_deployment
from kctl.controllers.intorpercent import scaled

D = "deployments.apps"
RS = "replicasets.apps"
QUICK = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

amount = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "25%", "50%", "100%"]))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("replicas"), st.integers(0, 8)),
        st.tuples(st.just("paused"), st.booleans()),
        st.tuples(st.just("start"), st.integers(0, 6)),
        st.tuples(st.just("unready"), st.integers(0, 6)),
        st.tuples(st.just("stop"), st.integers(0, 6)),
        st.tuples(st.just("kill"), st.integers(0, 6)),
        st.tuples(st.just("relabel"), st.integers(0, 6)),
        st.tuples(st.just("time"), st.integers(1, 30)),
    ),
    max_size=10,
)


def change(world: Any, step: tuple[str, Any]) -> None:
    """Do one thing to the world."""
    what, value = step
    key = Key("default", "web")
    pods = world.pods()
    if what == "image":
        template = world.get(D, "web")["spec"]["template"]
        container = {**template["spec"]["containers"][0], "image": f"app:{value}"}
        world.client.patch(D, key, {"spec": {"template": {"spec": {"containers": [container]}}}})
    elif what in ("replicas", "paused"):
        world.client.patch(D, key, {"spec": {what: value}})
    elif what == "time":
        world.pass_time(value)
    elif pods:
        pod = pods[value % len(pods)]
        name = Key("default", pod["metadata"]["name"])
        if what in ("start", "unready"):
            if not pod["metadata"].get("deletionTimestamp"):
                world.run(pod, ready=what == "start")
        elif what == "stop":
            world.client.delete("pods", name, grace=0)
        elif what == "kill":
            world.client.delete("pods", name)
        else:
            world.client.patch("pods", name, {"metadata": {"labels": {"app": "stray"}}})


def check_folds(world: Any) -> None:
    for cache in world.caches.known():
        for fold in cache.folds().values():
            assert fold.items() == fold.recompute(cache.all())


@QUICK
@given(STEPS, amount, amount, st.sampled_from([0, 5]))
def test_a_settled_world_is_at_rest_and_keeps_its_fenceposts(
    make_world, deployment, steps, surge, unavailable, min_ready
):
    if scaled(surge, 100, round_up=True) == 0 and scaled(unavailable, 100, round_up=True) == 0:
        surge = 1
    world = make_world()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    world.create(deployment(replicas=3, strategy=strategy, minReadySeconds=min_ready))
    service = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    meta = {"name": "web", "namespace": "default"}
    world.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service})
    world.settle()
    for step in steps:
        change(world, step)
        world.settle()
        assert world.decisions() == []
        check_folds(world)
        current = world.get(D, "web")
        replicas = current["spec"]["replicas"]
        sizes = [rs["spec"]["replicas"] for rs in world.client.list(RS, "default").items]
        most = replicas + scaled(surge, replicas, round_up=True)
        assert sum(sizes) <= max(most, replicas)
        revisions = [
            int(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
            for rs in world.client.list(RS, "default").items
        ]
        assert len(revisions) == len(set(revisions))
    world.client.patch(D, Key("default", "web"), {"spec": {"paused": False}})
    for _ in range(12):
        world.run_all()
        world.pass_time(max(min_ready, 1))
    status = world.get(D, "web")["status"]
    replicas = world.get(D, "web")["spec"]["replicas"]
    assert status.get("availableReplicas", 0) == status.get("updatedReplicas", 0) == replicas
    assert world.decisions() == []


@QUICK
@given(
    st.integers(1, 9), amount, amount, st.permutations(range(4)), st.lists(st.integers(0, 5), min_size=4, max_size=4)
)
def test_the_order_in_which_replicasets_are_seen_does_not_matter(replicas, surge, unavailable, order, sizes):
    labels = {"app": "web"}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "app:3"}]}}
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template,
            "strategy": strategy,
            "progressDeadlineSeconds": 600,
        },
        "status": {},
    }
    sets = [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"web-{n}",
                "namespace": "default",
                "uid": f"r{n}",
                "labels": labels,
                "creationTimestamp": f"2026-01-01T00:00:0{n // 2}Z",
            },
            "spec": {
                "replicas": size,
                "selector": {"matchLabels": labels},
                "template": {**template, "spec": {"containers": [{"name": "c", "image": f"app:{n}"}]}},
            },
            "status": {"replicas": size, "availableReplicas": size, "readyReplicas": size},
        }
        for n, size in enumerate(sizes)
    ]
    straight = decide_deployment(DeploymentSeen(web, tuple(sets)), 0.0)
    shuffled = decide_deployment(DeploymentSeen(web, tuple(sets[n] for n in order)), 0.0)
    assert straight == shuffled


@QUICK
@given(STEPS)
def test_which_controller_runs_first_does_not_change_where_it_ends(make_world, deployment, steps):
    def play(*, upside_down: bool) -> list[Any]:
        world = make_world(upside_down=upside_down)
        world.create(deployment(replicas=3))
        world.settle()
        for step in steps:
            change(world, step)
            world.settle()
        world.client.patch(D, Key("default", "web"), {"spec": {"paused": False}})
        world.run_all()
        sets = world.client.list(RS, "default").items
        return sorted((rs["metadata"]["name"], rs["spec"]["replicas"]) for rs in sets)

    assert play(upside_down=False) == play(upside_down=True)
