"""DaemonSets: a pod a node, rolling updates, surge, revisions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kctl.api.objects import Key, Obj, labels_of
from kctl.controllers.daemonset_nodes import Judge, Numbers, daemons, tolerations_of
from kctl.controllers.daemonset_sync import by_age
from kctl.controllers.intorpercent import scaled
from kctl.controllers.pods import is_active, is_ready

D = "daemonsets.apps"
R = "controllerrevisions.apps"
AGENT = Key("default", "agent")
QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def daemonset(image: str = "agent:1", **spec: Any) -> Obj:
    labels = {"app": "agent"}
    pod = {"containers": [{"name": "c", "image": image}], **spec.pop("pod", {})}
    body = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}, **spec}
    meta = {"name": "agent", "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": body}


def node(name: str, labels: dict[str, str] | None = None, taints: list[Obj] | None = None) -> Obj:
    made: Obj = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels or {}}}
    return {**made, "spec": {"taints": taints}} if taints else made


def rolling(surge: Any = 0, missing: Any = 1) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}}


def target(pod: Obj) -> str:
    terms = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    return terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]


def run(world: Any, pod: Obj, *, ready: bool = True) -> None:
    world.run(pod, ready=ready, node=target(pod))


def run_all(world: Any) -> None:
    """Start what can be started and end what is being deleted, until nothing is left to do."""
    for _ in range(100):
        world.settle()
        todo = [pod for pod in world.pods() if pod["metadata"].get("deletionTimestamp") or not is_ready(pod)]
        if not todo:
            return
        for pod in todo:
            if pod["metadata"].get("deletionTimestamp"):
                world.client.delete("pods", Key("default", pod["metadata"]["name"]), grace=0)
            else:
                run(world, pod)
    raise AssertionError("pods keep coming")


def start(world: Any, nodes: int = 3, **spec: Any) -> None:
    for n in range(nodes):
        world.create(node(f"n{n}", {"n": str(n)}))
    world.create(daemonset(**spec))
    run_all(world)


def set_image(world: Any, image: str) -> None:
    container = {"name": "c", "image": image}
    world.client.patch(D, AGENT, {"spec": {"template": {"spec": {"containers": [container]}}}})


def by_node(world: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pod in world.pods():
        found.setdefault(target(pod), []).append(pod["spec"]["containers"][0]["image"])
    return {name: sorted(images) for name, images in sorted(found.items())}


def going(world: Any) -> list[str]:
    return sorted(target(pod) for pod in world.pods() if pod["metadata"].get("deletionTimestamp"))


def status(world: Any) -> dict[str, int]:
    found: dict[str, int] = world.get(D, "agent")["status"]
    return found


def notes(world: Any) -> list[tuple[str, str]]:
    return [(event["reason"], event["message"]) for event in world.client.list("events").items]


def test_every_node_gets_a_pod_and_new_ones_too(world):
    start(world, 2)
    world.create(node("n9"))
    run_all(world)
    assert list(by_node(world)) == ["n0", "n1", "n9"]
    assert status(world)["numberAvailable"] == status(world)["desiredNumberScheduled"] == 3


def test_pods_of_a_node_that_no_longer_fits_go(world):
    start(world, 2, pod={"nodeSelector": {"n": "0"}})
    assert list(by_node(world)) == ["n0"]
    world.client.patch("nodes", Key("", "n1"), {"metadata": {"labels": {"n": "0"}}})
    world.client.patch("nodes", Key("", "n0"), {"metadata": {"labels": {"n": "5"}}})
    run_all(world)
    assert list(by_node(world)) == ["n1"]


@pytest.mark.parametrize(
    ("taint", "runs", "stays"),
    [
        ({"key": "k", "effect": "NoSchedule"}, False, True),
        ({"key": "k", "effect": "NoExecute"}, False, False),
        ({"key": "k", "effect": "PreferNoSchedule"}, True, True),
        ({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}, True, True),
        ({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}, False, True),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, True, True),
        ({"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}, False, True),
    ],
    ids=lambda value: value.get("key", "") + ":" + value["effect"] if isinstance(value, dict) else None,
)
def test_taints_keep_daemons_away_and_some_drive_them_out(taint, runs, stays):
    judge = Judge(daemonset()["spec"]["template"])
    assert judge.one(node("n", taints=[taint])) == (runs, stays)


def test_daemons_on_the_host_network_need_no_pod_network():
    template = daemonset(pod={"hostNetwork": True})["spec"]["template"]
    unavailable = {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}
    assert Judge(template).one(node("n", taints=[unavailable])) == (True, True)


def test_a_toleration_of_the_template_is_not_doubled():
    mine = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
    keys = [one["key"] for one in tolerations_of({"tolerations": [mine]})]
    assert keys.count("node.kubernetes.io/not-ready") == 1
    assert "tolerationSeconds" not in tolerations_of({"tolerations": [mine]})[0]


def test_an_update_replaces_as_many_at_a_time_as_may_be_unavailable(world):
    start(world, 5, updateStrategy=rolling(missing=2))
    set_image(world, "agent:2")
    world.settle()
    assert going(world) == ["n0", "n1"]
    run_all(world)
    assert set(map(tuple, by_node(world).values())) == {("agent:2",)}


def test_old_pods_that_are_not_available_are_replaced_at_once(world):
    start(world, 4, updateStrategy=rolling(missing=1))
    sick = next(pod for pod in world.pods() if target(pod) == "n3")
    run(world, sick, ready=False)
    set_image(world, "agent:2")
    world.settle()
    assert going(world) == ["n3"]


def test_with_surge_the_old_pod_goes_when_the_new_one_is_available(world):
    start(world, 3, updateStrategy=rolling(surge=1, missing=0))
    set_image(world, "agent:2")
    world.settle()
    assert by_node(world)["n0"] == ["agent:1", "agent:2"]
    assert going(world) == []
    fresh = next(pod for pod in world.pods() if not is_ready(pod))
    run(world, fresh)
    world.settle()
    assert going(world) == ["n0"]
    run_all(world)
    assert set(map(tuple, by_node(world).values())) == {("agent:2",)}


def test_ondelete_waits_for_hands(world):
    start(world, 2, updateStrategy={"type": "OnDelete"})
    set_image(world, "agent:2")
    run_all(world)
    assert set(map(tuple, by_node(world).values())) == {("agent:1",)}
    assert status(world).get("updatedNumberScheduled", 0) == 0


def test_a_failed_pod_is_replaced_and_the_next_on_its_node_has_to_wait(world):
    start(world, 1)

    def fail() -> None:
        (pod,) = world.pods()
        key = Key("default", pod["metadata"]["name"])
        world.clock.set(world.clock.now() + 0.1)
        world.client.patch("pods", key, {"status": {"phase": "Failed"}}, subresource="status")

    first = world.names("pods")
    fail()
    world.settle()
    second = world.names("pods")
    assert second != first
    assert [reason for reason, _ in notes(world)].count("FailedDaemonPod") == 1
    run(world, world.pods()[0])
    fail()
    now = world.clock.now()
    world.manager.begin_instant(now)
    while world.manager.step(now, 100):
        pass
    assert world.names("pods") == second
    world.pass_time(2)
    assert world.names("pods") != second


def test_a_template_that_comes_back_takes_up_its_revision(world):
    start(world, 1)
    for image in ("agent:2", "agent:1"):
        set_image(world, image)
        run_all(world)
    assert sorted(one["revision"] for one in world.client.list(R, "default").items) == [2, 3]


def test_revisions_beyond_the_limit_go(world):
    start(world, 1, revisionHistoryLimit=1)
    for n in range(2, 6):
        set_image(world, f"agent:{n}")
        run_all(world)
    assert sorted(one["revision"] for one in world.client.list(R, "default").items) == [4, 5]


def test_of_two_pods_on_a_node_the_older_stays(world):
    start(world, 1)
    (pod,) = world.pods()
    world.pass_time(5)
    twin = {**pod, "metadata": {**pod["metadata"], "name": "agent-twin"}}
    for field in ("uid", "resourceVersion", "creationTimestamp", "ownerReferences", "generateName"):
        twin["metadata"] = {k: v for k, v in twin["metadata"].items() if k != field}
    world.create({k: v for k, v in twin.items() if k != "status"})
    run_all(world)
    assert world.names("pods") == [pod["metadata"]["name"]]


def test_pods_for_a_node_that_is_gone_before_they_were_bound_are_deleted(world):
    world.create(node("n0"))
    world.create(node("n1"))
    world.create(daemonset())
    world.settle()
    world.client.delete("nodes", Key("", "n1"))
    world.settle()
    assert list(by_node(world)) == ["n0"]


def test_orphans_are_adopted_strays_let_go(world):
    start(world, 2)
    uids = {pod["metadata"]["uid"] for pod in world.pods()}
    world.client.delete(D, AGENT, propagation="Orphan")
    world.settle()
    assert {pod["metadata"]["uid"] for pod in world.pods()} == uids
    world.create(daemonset())
    world.settle()
    assert {pod["metadata"]["uid"] for pod in world.pods()} == uids
    name = world.names("pods")[0]
    world.client.patch("pods", Key("default", name), {"metadata": {"labels": {"app": "stray"}}})
    world.settle()
    assert "ownerReferences" not in world.get("pods", name)["metadata"]


def test_what_a_quota_refuses_is_told(world):
    meta = {"name": "q", "namespace": "default"}
    world.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"count/pods": "1"}}})
    for n in range(3):
        world.create(node(f"n{n}"))
    world.create(daemonset())
    world.settle()
    assert len(world.pods()) == 1
    assert any(reason == "FailedCreate" and text.startswith("Error creating: pods ") for reason, text in notes(world))
    assert status(world)["desiredNumberScheduled"] == 3


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("image"), st.integers(1, 3)),
        st.tuples(st.just("start"), st.integers(0, 6)),
        st.tuples(st.just("unready"), st.integers(0, 6)),
        st.tuples(st.just("stop"), st.integers(0, 6)),
        st.tuples(st.just("kill"), st.integers(0, 6)),
        st.tuples(st.just("label"), st.integers(0, 3)),
        st.tuples(st.just("taint"), st.integers(0, 3)),
        st.tuples(st.just("time"), st.integers(1, 10)),
    ),
    max_size=12,
)


def change(world: Any, step: tuple[str, Any]) -> None:
    what, value = step
    pods = world.pods()
    if what == "image":
        set_image(world, f"agent:{value}")
    elif what == "label":
        name = Key("", f"n{value}")
        is_on = labels_of(world.client.get("nodes", "", name.name)).get("on") == "yes"
        world.client.patch("nodes", name, {"metadata": {"labels": {"on": "no" if is_on else "yes"}}})
    elif what == "taint":
        name = Key("", f"n{value}")
        has = (world.client.get("nodes", "", name.name).get("spec") or {}).get("taints")
        taints = None if has else [{"key": "k", "effect": "NoSchedule"}]
        world.client.patch("nodes", name, {"spec": {"taints": taints}})
    elif what == "time":
        world.pass_time(value)
    elif pods:
        pod = pods[value % len(pods)]
        if what in ("start", "unready"):
            if not pod["metadata"].get("deletionTimestamp"):
                run(world, pod, ready=what == "start")
        else:
            world.client.delete("pods", Key("default", pod["metadata"]["name"]), grace=0 if what == "stop" else None)


@QUICK
@given(STEPS, st.sampled_from([0, 1, 2, "50%"]), st.sampled_from([0, 1, 2, "50%"]), st.sampled_from([0, 4]))
def test_a_settled_world_is_at_rest_and_keeps_its_limits(make_world, steps, surge, missing, wait):
    if (surge == 0) == (missing == 0):  # one of the two must be set, not both
        surge, missing = 0, 1
    world = make_world()
    for n in range(4):
        world.create(node(f"n{n}", {"on": "yes"}))
    strategy = rolling(surge, missing)
    world.create(daemonset(pod={"nodeSelector": {"on": "yes"}}, updateStrategy=strategy, minReadySeconds=wait))
    run_all(world)
    world.pass_time(wait)
    for step in steps:
        change(world, step)
        world.settle()
        assert [found for found in world.decisions() if found[0] == "daemonset-controller"] == []
        for cache in world.caches.known():
            cache.check()
        living: dict[str, int] = {}
        for pod in filter(is_active, world.pods()):
            living[target(pod)] = living.get(target(pod), 0) + 1
        assert all(count <= (2 if surge else 1) for count in living.values())
        if surge:
            desired = status(world)["desiredNumberScheduled"]
            extra = sum(count - 1 for count in living.values())
            sound = {target(pod) for pod in world.pods() if is_ready(pod)}
            beside_sound = sum(count - 1 for name, count in living.items() if name in sound)
            assert beside_sound <= max(scaled(surge, 4, round_up=True), 0) or extra <= desired
    for _ in range(12):
        run_all(world)
        world.pass_time(max(wait, 1))
    fitting = {
        one["metadata"]["name"]
        for one in world.client.list("nodes").items
        if labels_of(one).get("on") == "yes" and not (one.get("spec") or {}).get("taints")
    }
    image = world.get(D, "agent")["spec"]["template"]["spec"]["containers"][0]["image"]
    found = by_node(world)
    assert fitting <= set(found)
    assert all(found[name] == [image] for name in fitting)
    now = status(world)
    assert now.get("numberAvailable", 0) == now["desiredNumberScheduled"] == len(fitting)
    assert [one for one in world.decisions() if one[0] == "daemonset-controller"] == []


@QUICK
@given(st.permutations(range(4)), st.sampled_from([1, 2, "50%"]))
def test_in_which_order_nodes_are_met_does_not_matter(make_world, order, missing):
    def play(names: list[int]) -> Any:
        world = make_world()
        for n in names:
            world.create(node(f"n{n}"))
        world.create(daemonset(updateStrategy=rolling(missing=missing)))
        run_all(world)
        set_image(world, "agent:2")
        world.settle()
        return going(world)

    assert play(list(order)) == play([0, 1, 2, 3])


def test_the_fold_is_the_same_in_any_order():
    pods = []
    for n, name in enumerate(["a", "a", "b", "a", "c", "a", "a"]):
        meta = {
            "name": f"p{n}",
            "namespace": "x",
            "labels": {"app": "agent", "controller-revision-hash": str(n % 2)},
            "ownerReferences": [{"kind": "DaemonSet", "name": "agent", "uid": "u", "controller": True}],
        }
        pods.append({"metadata": meta, "spec": {"nodeName": name}, "status": {"phase": "Running"}})

    from kctl.client.cache import Cache
    from kctl.client.client import WatchEvent

    cache, numbers = Cache("pods"), Numbers()
    fold = daemons(cache, numbers)
    for pod in pods:
        cache.take(WatchEvent("ADDED", "pods", pod, None))
    full = fold.get("u")
    assert full.several == 1 << numbers.of("a")
    assert full.any == 0b111
    cache.check()
    for pod in pods[:4]:
        cache.take(WatchEvent("DELETED", "pods", pod, pod))
        cache.check()
    assert fold.get("u").several == 1 << numbers.of("a")
    for pod in pods[4:]:
        cache.take(WatchEvent("DELETED", "pods", pod, pod))
    assert fold.items() == {}


def test_bound_pods_count_as_older_than_those_that_wait():
    def pod(name: str, at: str, bound: bool) -> Obj:
        spec = {"nodeName": "n"} if bound else {}
        return {"metadata": {"name": name, "creationTimestamp": at}, "spec": spec}

    pods = [pod("c", "1", False), pod("b", "3", True), pod("a", "2", True)]
    assert [found["metadata"]["name"] for found in by_age(pods)] == ["a", "b", "c"]
